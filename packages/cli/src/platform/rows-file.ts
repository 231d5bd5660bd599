/**
 * Files of rows on this machine, or a stream of them: what format they have, and how they are sent without holding them in
 * memory.
 */

import { openAsBlob, statSync } from 'node:fs';
import { Readable } from 'node:stream';
import type { Context } from '../command.ts';
import { UsageError } from '../errors.ts';
import { whyNot } from './files.ts';

export const ROW_FORMATS = ['ndjson', 'csv', 'parquet'] as const;
export type RowFormat = (typeof ROW_FORMATS)[number];

const EXTENSIONS: ReadonlyMap<string, RowFormat> = new Map([
  ['ndjson', 'ndjson'],
  ['jsonl', 'ndjson'],
  ['json', 'ndjson'],
  ['csv', 'csv'],
  ['tsv', 'csv'],
  ['parquet', 'parquet'],
]);

const TYPES: Readonly<Record<RowFormat, string>> = {
  ndjson: 'application/x-ndjson',
  csv: 'text/csv',
  parquet: 'application/vnd.apache.parquet',
};

/** The format of a file or an address, by `--format` or by its name. @throws UsageError if neither says */
export function formatOf(name: string, given: string | undefined): RowFormat {
  const wanted = given ?? /\.(\w+)(?:\.gz)?$/u.exec(name.replace(/[?#].*$/u, ''))?.[1]?.toLowerCase() ?? '';
  const format = given === undefined ? EXTENSIONS.get(wanted) : ROW_FORMATS.find((one) => one === wanted);
  if (format !== undefined) return format;
  throw new UsageError(
    given === undefined
      ? `cannot tell the format of ${name}: its name ends with none that is known`
      : `cannot use --format=${given}: it is not known`,
    `give --format with one of ${ROW_FORMATS.join(', ')}`,
  );
}

/** A request's body with the rows of a file, or of standard input for `-`. @throws UsageError if the file cannot be read */
export async function bodyOf({ input }: Context, path: string, format: RowFormat): Promise<RequestInit> {
  const headers: Record<string, string> = { 'Content-Type': TYPES[format] };
  if (path === '-') {
    if (input.isTTY === true)
      throw new UsageError(
        'cannot read rows from standard input: it is a terminal',
        'give a file, or pipe rows into it',
      );
    const body = Readable.toWeb(Readable.from(input)) as unknown as NonNullable<RequestInit['body']>;
    return { body, headers, duplex: 'half' };
  }
  if (path.endsWith('.gz')) headers['Content-Encoding'] = 'gzip';
  try {
    if (!statSync(path).isFile()) throw new Error('it is no file');
    return { body: await openAsBlob(path), headers };
  } catch (cause) {
    throw new UsageError(`cannot read file=${path}: ${whyNot(cause)}`, undefined, cause);
  }
}

/** True for what is to be fetched and not read here. */
export function isAddress(text: string): boolean {
  return /^https?:\/\//iu.test(text);
}
