/**
 * OTLP/JSON requests turned into the protobuf bytes of the same request, so that one decoder serves both encodings.
 * This file deals with the text: its bytes, its JSON and which signal it is for; the walk is in `json-reader.ts`.
 *
 * Must stay true: only AppError leaves this room, whatever the body is; no integer loses digits on the way.
 */
import { AppError, messageOf, type Signal, SIGNALS } from '@glasshouse/model';
import { MESSAGES, ROOT_MESSAGES } from './fields.ts';
import { integerDigits } from './json-numbers.ts';
import { InexactNumber, JsonReader } from './json-reader.ts';
import { planMessages, snakeCase } from './json-plan.ts';

/** Derived from the field table once; never changed. */
const PLANS = planMessages();

/** JSON text is about twice as long as the protobuf that it stands for. */
const TEXT_PER_BYTE = 2;

/** Longer numbers are left as they were parsed: no client writes 64 bits like that, and looking into each would be slow. */
const MAX_NUMBER_CHARACTERS = 40;

/** `JSON.parse` with the third argument of its reviver (ECMAScript, JSON.parse source text access). */
type ParseWithSource = (
  text: string,
  reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
) => unknown;

/**
 * The export request of `signal` in protobuf encoding. An empty body and `{}` give an empty request.
 *
 * Reads the JSON mapping of the OTLP specification ("JSON Protobuf Encoding") and, beyond it, what clients send in
 * practice: snake_case keys, null for absent, enum names, integers of any width as strings or numbers, base64 ids, and
 * trace ids of 64 hex digits, whose first half is used and whose original is added as the attribute
 * `otlp.original_trace_id` of the span or log record. Unknown keys are ignored. Ids of another length are passed on for
 * the decoder to refuse, row by row.
 *
 * The result is a view of a larger buffer of its own. Throws `bad_request` naming the JSON path of the fault.
 */
export function jsonToProtobuf(signal: Signal, body: Uint8Array): Uint8Array {
  const text = decodeText(body);
  if (text.trimStart() === '') return new Uint8Array(0);
  const plan = PLANS[ROOT_MESSAGES[signal]];
  const expectedBytes = Math.ceil(body.length / TEXT_PER_BYTE);
  const request = checkRoot(
    signal,
    parse(() => JSON.parse(text) as unknown),
  );
  try {
    return new JsonReader({ expectedBytes, exact: false }).read(plan, request);
  } catch (error) {
    if (!(error instanceof InexactNumber)) throw error;
  }
  // Several times slower, and needed only by clients that write 64-bit integers as bare numbers.
  const exactRequest = parse(() => (JSON.parse as ParseWithSource)(text, keepDigits));
  return new JsonReader({ expectedBytes, exact: true }).read(plan, exactRequest);
}

function decodeText(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch (cause) {
    throw new AppError(
      'bad_request',
      'cannot read the request body: it is not valid UTF-8; send JSON encoded as UTF-8',
      { cause },
    );
  }
}

function parse(run: () => unknown): unknown {
  try {
    return run();
  } catch (cause) {
    const why = cause instanceof RangeError ? 'it is nested too deeply' : messageOf(cause);
    throw new AppError('bad_request', `cannot parse the request body as JSON: ${why}`, { cause });
  }
}

function keepDigits(_key: string, value: unknown, context: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || !Number.isInteger(value) || Number.isSafeInteger(value)) return value;
  const { source } = context;
  const digits = source === undefined || source.length > MAX_NUMBER_CHARACTERS ? undefined : integerDigits(source);
  return digits === undefined ? value : BigInt(digits);
}

/** Refuses what is no request of this signal; another signal's data would otherwise be dropped as an unknown key. */
function checkRoot(signal: Signal, request: unknown): unknown {
  if (Array.isArray(request)) {
    throw new AppError(
      'bad_request',
      `cannot read the request=[…]: it is an array; send one object with "${rootKey(signal)}", or one request for each element`,
    );
  }
  if (typeof request !== 'object' || request === null) return request;
  const own = rootKey(signal);
  if (Object.hasOwn(request, own) || Object.hasOwn(request, snakeCase(own))) return request;
  for (const other of SIGNALS) {
    const key = rootKey(other);
    if (other === signal || !(Object.hasOwn(request, key) || Object.hasOwn(request, snakeCase(key)))) continue;
    throw new AppError(
      'bad_request',
      `cannot read ${key}: this endpoint takes ${signal}; send ${other} to /v1/${other}`,
    );
  }
  return request;
}

function rootKey(signal: Signal): string {
  return MESSAGES[ROOT_MESSAGES[signal]].map((field) => field.name).join();
}
