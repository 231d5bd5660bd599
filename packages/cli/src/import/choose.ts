/** Which reader a file gets: by `--format` or its name, and for CSV with the names that its first line gives. */

import type { Arguments } from '../args.ts';
import { UsageError } from '../errors.ts';
import type { Format, Reader } from './formats.ts';
import { cellsOf, csvReader, FORMATS, jsonReader, logReader, PRESETS } from './formats.ts';
import { recordsOf } from './records.ts';

export interface Chosen {
  readonly reader: Reader;
  readonly chunks: AsyncIterable<Buffer>;
  /** Where its records begin. */
  readonly from: { readonly offset: number; readonly line: number };
  readonly columns: readonly string[] | undefined;
}

const EXTENSIONS: Readonly<Record<string, Format>> = {
  jsonl: 'jsonl',
  ndjson: 'jsonl',
  json: 'jsonl',
  csv: 'csv',
  tsv: 'csv',
  log: 'log',
};
const MAX_HEADER_BYTES = 1 << 20;

/** @throws UsageError */
export async function readerOf(
  path: string,
  args: Arguments,
  known: readonly string[] | undefined,
  chunks: AsyncIterable<Buffer>,
  from: { readonly offset: number; readonly line: number },
): Promise<Chosen> {
  const pattern = args.text('pattern');
  const byName = EXTENSIONS[/\.(\w+)(?:\.gz)?$/u.exec(path)?.[1]?.toLowerCase() ?? ''];
  const format = args.choice('format', FORMATS) ?? (pattern === undefined ? byName : 'log');
  const base = { chunks, from: { offset: from.offset, line: from.line }, columns: known };
  if (format === undefined)
    throw new UsageError(
      `cannot tell the format of ${path}: its name ends with none that is known`,
      `give --format with one of ${FORMATS.join(', ')}`,
    );
  switch (format) {
    case 'jsonl':
      return { ...base, reader: jsonReader() };
    case 'log':
      if (pattern === undefined)
        throw new UsageError(
          'cannot read a log without --pattern',
          `give a regular expression with named groups, or one of ${PRESETS.join(', ')}`,
        );
      return { ...base, reader: logReader(pattern, args.text('start')) };
    case 'csv':
      return csvOf(args, known, base, /\.tsv(?:\.gz)?$/iu.test(path));
  }
}

async function csvOf(
  args: Arguments,
  known: readonly string[] | undefined,
  base: Omit<Chosen, 'reader'>,
  isTabbed: boolean,
): Promise<Chosen> {
  const given = (args.text('delimiter') ?? ',').replaceAll('\\t', '\t');
  const delimiter = isTabbed && given === ',' ? '\t' : given;
  if (delimiter === '' || delimiter.includes('"') || delimiter.includes('\n'))
    throw new UsageError('cannot use --delimiter: give a text without quotes and line ends');
  const columns = known ?? (args.text('columns') === undefined ? undefined : args.list('columns'));
  if (columns !== undefined) return { ...base, columns: known, reader: csvReader(columns, delimiter) };
  const [head, chunks] = await split(base.chunks);
  const framing = { kind: 'quoted', quote: '"' } as const;
  const first = await recordsOf(one(head), framing, { offset: 0, line: 1 }).next();
  if (first.done === true || first.value.text === undefined || first.value.text.trim() === '')
    throw new UsageError('cannot read the CSV: its first line has no names of columns', 'give --columns NAMES');
  const names = cellsOf(first.value.text, delimiter).map((name) => name.trim());
  const { end, text } = first.value;
  const line = 2 + text.split('\n').length - 1;
  return {
    reader: csvReader(names, delimiter),
    chunks: after(chunks, end),
    from: { offset: end, line },
    columns: names,
  };
}

async function* one(chunk: Buffer): AsyncGenerator<Buffer> {
  yield await Promise.resolve(chunk);
}

/** The beginning, of which it is enough for a header, and everything. */
async function split(chunks: AsyncIterable<Buffer>): Promise<[Buffer, AsyncIterable<Buffer>]> {
  const iterator = chunks[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  while (head.length < MAX_HEADER_BYTES) {
    const next = await iterator.next();
    if (next.done === true) break;
    head = Buffer.concat([head, next.value]);
  }
  const rest: AsyncIterable<Buffer> = { [Symbol.asyncIterator]: () => iterator };
  return [head, joined(head, rest)];
}

async function* joined(head: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield head;
  yield* rest;
}

async function* after(chunks: AsyncIterable<Buffer>, offset: number): AsyncGenerator<Buffer> {
  let skip = offset;
  for await (const chunk of chunks) {
    if (chunk.length > skip) yield chunk.subarray(skip);
    skip = Math.max(0, skip - chunk.length);
  }
}
