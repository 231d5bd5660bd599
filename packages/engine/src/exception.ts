/**
 * ClickHouse's own form of an error: the number, the name, the text and the HTTP status that belongs to it. Separate from
 * AppError because this is a wire protocol's shape: clients parse the text, and nothing else may be sent in its place.
 *
 * Must stay true: `formatException` gives exactly what a server sends, one line break at the end.
 */

/** An error that leaves the engine over HTTP. `number` and `type` are ClickHouse's (60 and UNKNOWN_TABLE, say). */
export class Exception extends Error {
  readonly number: number;
  readonly type: string;

  constructor(number: number, type: string, message: string, options: { cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'Exception';
    this.number = number;
    this.type = type;
  }
}

const STATUS_NUMBERS: Readonly<Record<number, readonly number[]>> = {
  400: [6, 8, 15, 25, 26, 27, 36, 37, 38, 41, 44, 53, 62, 72, 117, 123, 167, 168, 223, 321, 376, 427, 441, 675, 676],
  401: [194],
  403: [192, 193, 497, 512, 516],
  404: [46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511],
  408: [159],
  411: [381],
  413: [229],
  415: [779],
  501: [48],
  // 202 (too many simultaneous queries) is 500 on a server; 503 tells proxies and clients that trying again is right.
  503: [76, 202, 209, 439],
};

/**
 * The HTTP status of an exception number; 500 for all that the table does not name.
 * Source: the mapping of ClickHouse's HTTP handler, with 202 raised to 503.
 */
export function httpStatus(number: number): number {
  for (const [status, numbers] of Object.entries(STATUS_NUMBERS)) if (numbers.includes(number)) return Number(status);
  return 500;
}

const SHAPE = /^(?:Query failed: )?Code: (\d+)\. DB::Exception: ([\s\S]*?)\s*\(([A-Z][A-Z0-9_]+)\)\s*$/;
/** The binding wraps what its reading side or its output threw, number and all; only the innermost is news. */
const NESTED =
  /^Code: (\d+)\. (?:DB::)?\w*Exception: ([\s\S]*?)\s*\(([A-Z][A-Z0-9_]+)\) \(version [^()]*(?:\([^()]*\))?\)\.?$/;

/** Reads what the binding threw. Anything that is not in ClickHouse's form becomes 1002 (UNKNOWN_EXCEPTION). */
export function toException(error: unknown): Exception {
  if (error instanceof Exception) return error;
  const message = error instanceof Error ? error.message : String(error);
  const outer = SHAPE.exec(message);
  if (outer === null) return new Exception(1002, 'UNKNOWN_EXCEPTION', message, { cause: error });
  const [, number, , type = ''] = outer;
  let text = outer[2] ?? '';
  for (let inner = NESTED.exec(text); inner !== null && inner[1] === number; inner = NESTED.exec(text)) {
    text = inner[2] ?? '';
  }
  return new Exception(Number(number), type, text, { cause: error });
}

/** The text of an error body, with its line break. */
export function formatException(exception: Exception, version: string): string {
  const text = exception.message.replace(/\.?\s*$/, '.');
  return `Code: ${exception.number}. DB::Exception: ${text} (${exception.type}) (version ${version} (official build))\n`;
}

/**
 * The frame that ends a result which failed after its first bytes were sent.
 * Source: ClickHouse's HTTP interface since 25.11, `X-ClickHouse-Exception-Tag`; the length counts the line break.
 */
export function exceptionFrame(text: string, tag: string): string {
  return `\r\n__exception__\r\n${tag}\r\n${text}${Buffer.byteLength(text)} ${tag}\r\n__exception__\r\n`;
}
