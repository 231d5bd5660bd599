/** Guessing the schema of rows: the beginning of a file, sent to the server, which knows the types. */

import { createReadStream } from 'node:fs';
import { gunzipSync, constants } from 'node:zlib';
import { formatDataFile, parseSchema } from '@glasshouse/language';
import { AppError, messageOf } from '@glasshouse/model';
import type { Options } from '../args.ts';
import type { Context } from '../command.ts';
import { UsageError } from '../errors.ts';
import { whyNot } from './files.ts';
import type { RowFormat } from './rows-file.ts';
import { formatOf } from './rows-file.ts';
import type { Workspace } from './workspace.ts';
import { withQuery } from './workspace.ts';

export const SAMPLE_OPTIONS: Options = {
  format: { type: 'string', value: 'NAME', description: 'ndjson, csv or parquet (default: by the name of the file)' },
};

/** The beginning of a file of rows. */
export interface Sample {
  readonly format: RowFormat;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Columns that fit a sample. */
export interface Guess {
  /** As the parameter `schema` takes it. */
  readonly schema: string;
  readonly datafile: string;
  readonly columns: readonly { readonly name: string; readonly type: string; readonly jsonpath?: string }[];
}

const SAMPLE_BYTES = 1 << 20;
/** A Parquet file has its schema at the end. */
const PARQUET_BYTES = 64 << 20;

/** Reads the beginning of a file, or of standard input for `-`. @throws UsageError if it cannot be read or is empty */
export async function sampleOf({ input }: Context, path: string, given: string | undefined): Promise<Sample> {
  const format = formatOf(path, given);
  const limit = format === 'parquet' ? PARQUET_BYTES : SAMPLE_BYTES;
  const read = await beginningOf(path === '-' ? input : createReadStream(path), limit).catch((cause: unknown) => {
    throw new UsageError(`cannot read file=${path}: ${whyNot(cause)}`, undefined, cause);
  });
  const bytes = path.endsWith('.gz') ? unpacked(path, read) : read;
  if (format === 'parquet' && read.length >= limit)
    throw new UsageError(
      `cannot guess from file=${path}: it is larger than ${PARQUET_BYTES >> 20} MiB`,
      'give a smaller file',
    );
  const whole = format === 'parquet' || read.length < limit ? bytes : withoutHalfLine(bytes);
  if (whole.length === 0) throw new UsageError(`cannot guess from file=${path}: it is empty`, 'give a file with rows');
  return { format, bytes: new Uint8Array(whole) };
}

async function beginningOf(stream: NodeJS.ReadableStream, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream) {
    const bytes = Buffer.from(chunk);
    chunks.push(bytes);
    length += bytes.length;
    if (length >= limit) break;
  }
  return Buffer.concat(chunks).subarray(0, limit);
}

/** What can be unpacked of the beginning of a gzip file. */
function unpacked(path: string, bytes: Buffer): Buffer {
  try {
    return gunzipSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: PARQUET_BYTES });
  } catch (cause) {
    throw new UsageError(`cannot read file=${path}: ${messageOf(cause)}`, 'is it gzip?', cause);
  }
}

function withoutHalfLine(bytes: Buffer): Buffer {
  const end = bytes.lastIndexOf(0x0a);
  return end < 0 ? bytes : bytes.subarray(0, end + 1);
}

/** Asks the server for columns that fit. Rejects with `bad_request` for rows that it cannot read. */
export async function guessSchema(workspace: Workspace, sample: Sample): Promise<Guess> {
  const answer = await analyze(workspace, sample);
  const analysis = answer?.analysis ?? answer;
  const schema = analysis?.schema;
  if (schema === undefined) throw new AppError('internal', 'cannot guess the columns: the server does not say any');
  const columns = (analysis?.columns ?? []).map(({ name, path, recommended_type, type, jsonpath }) => {
    const from = path ?? jsonpath;
    return { name, type: recommended_type ?? type ?? 'String', ...(from ? { jsonpath: from } : {}) };
  });
  return { schema, columns, datafile: dataFileOf(schema) };
}

async function analyze(workspace: Workspace, { format, bytes }: Sample): Promise<Analysis | undefined> {
  const path = withQuery('/v0/analyze', { format });
  const headers = { 'Content-Type': 'application/octet-stream' };
  try {
    return await workspace.client.answer<Analysis>(path, { method: 'POST', body: bytes, headers });
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'not_found') throw error;
    throw new AppError(
      'not_found',
      'cannot guess the columns: the server has no /v0/analyze; write a data file by hand',
      {
        cause: error,
      },
    );
  }
}

function dataFileOf(schema: string): string {
  const rest = { indexes: [], tokens: [], tags: [], sharedWith: [] };
  const columns = parseSchema(schema, { file: 'the guess' });
  return formatDataFile({ kind: 'datasource', name: 'guessed', columns, engine: { name: 'MergeTree' }, ...rest });
}

/** The answer to `POST /v0/analyze`. */
interface Analysis {
  readonly analysis?: Analysis;
  readonly schema?: string;
  readonly columns?: readonly {
    readonly name: string;
    readonly path?: string;
    readonly jsonpath?: string;
    readonly recommended_type?: string;
    readonly type?: string;
  }[];
}
