/**
 * A request that may bring data: parameters of the query string and of a form, and a file, sent as the body or as a part of a
 * multipart form. What a body is, its content decides where its header says the same of forms and of everything else.
 *
 * Must stay true: the file is on the disk when this resolves, and gone when the request is over, unless somebody takes it on.
 */

import { Readable } from 'node:stream';
import { AppError } from '@glasshouse/model';
import { chunksOf, declaredLength } from '../../http/body.ts';
import { isDefinition } from '../../platform/definition-form.ts';
import type { ImportFormat } from '../../platform/import-convert.ts';
import type { CsvDialect } from '../../platform/import-csv.ts';
import { decoded } from '../../platform/import-decode.ts';
import { headOf } from '../../platform/import-sealed.ts';
import type { Spool, Spooled } from '../../platform/import-spool.ts';
import type { Call } from './call.ts';
import { Fields, fieldsOf } from './fields.ts';
import { isMultipart, readMultipart } from './multipart.ts';

export interface Upload {
  readonly fields: Fields;
  readonly file: Spooled | undefined;
  /** What the client calls the file; empty if it does not. */
  readonly filename: string;
}

export interface UploadLimits {
  /** Where files go. */
  readonly spool: Pick<Spool, 'take'>;
  /** Largest body, before and after unpacking. */
  readonly maxBytes: number;
  /** Whether JSON is always data, and never says what is wanted. */
  readonly jsonIsData?: boolean;
}

/** Parameters that a form of these routes begins with; data that looks like one of them is no data. */
const FORM =
  /^(?:url|name|mode|format|schema|engine\w*|description|replace_\w+|dialect_\w+|type_guessing|branch_mode|debug|token|tags|ttl|indexes|progress)=/u;
const MAX_FORM_BYTES = 2 << 20;

/** Reads the request. Rejects with `bad_request`, `too_large`, `unsupported_media`, `unavailable`, or `cancelled`. */
export async function receiveUpload({ request, query }: Call, limits: UploadLimits): Promise<Upload> {
  const { spool, maxBytes } = limits;
  declaredLength(request, maxBytes);
  const coding = (request.headers['content-encoding'] ?? '').trim().toLowerCase();
  // Not the request itself: what goes wrong ends the reading, and the connection stays for the answer.
  const body = decoded(Readable.from(chunksOf(request), { objectMode: false }), coding, maxBytes);
  if (isMultipart(request)) return multipart(request, query, body, limits);
  const file = await spool.take(body).catch((error: unknown) => {
    throw request.complete || error instanceof AppError
      ? error
      : new AppError('cancelled', 'cannot read the request: the client went away', { cause: error });
  });
  const type = request.headers['content-type'] ?? '';
  const fields = file.bytes <= MAX_FORM_BYTES ? await formOf(file, query, type, limits) : undefined;
  if (fields === undefined) return { fields: new Fields(query), file, filename: '' };
  await file.dispose();
  return { fields, file: undefined, filename: '' };
}

async function multipart(
  request: Call['request'],
  query: URLSearchParams,
  body: Readable,
  { spool, maxBytes }: UploadLimits,
): Promise<Upload> {
  const files: { readonly file: Spooled; readonly filename: string; readonly field: string }[] = [];
  try {
    const limits = { fileBytes: maxBytes, files: 1 };
    const pairs = await readMultipart(request, body, limits, async ({ stream, filename, field }) => {
      files.push({ file: await spool.take(stream), filename, field });
    });
    const [sent] = files;
    const inline = sent === undefined ? pairs.find(([name]) => name === 'csv' || name === 'ndjson') : undefined;
    const fields = new Fields(query).and(pairs);
    if (inline !== undefined) {
      const file = await spool.take(Readable.from([Buffer.from(inline[1])]));
      return { fields, file, filename: `data.${inline[0]}` };
    }
    return { fields, file: sent?.file, filename: sent?.filename || (sent?.field === 'ndjson' ? 'data.ndjson' : '') };
  } catch (error) {
    await Promise.all(files.map(({ file }) => file.dispose()));
    throw error;
  }
}

/** The parameters in a body that is a form, or the definition that it is; undefined if it is data. */
async function formOf(
  file: Spooled,
  query: URLSearchParams,
  type: string,
  { jsonIsData = false }: UploadLimits,
): Promise<Fields | undefined> {
  if (file.bytes === 0) return new Fields(query);
  const text = (await headOf(file, file.bytes)).toString('utf8');
  const start = text.trimStart();
  if (isDefinition(start)) return new Fields(query, {}, text);
  if (FORM.test(start) && !type.startsWith('text/') && !type.includes('ndjson')) return fieldsOf(query, text, type);
  const isData = jsonIsData || query.get('mode') === 'append' || query.get('mode') === 'replace';
  if (isData || !type.startsWith('application/json')) return undefined;
  const fields = fieldsOf(query, text, type);
  return typeof fields.json['schema'] === 'string' || typeof fields.json['url'] === 'string' ? fields : undefined;
}

/** The format of data: as the parameter says, or else by a name's extension; CSV if nothing says. Throws `bad_request`. */
export function formatOf(parameter: string | undefined, ...names: readonly string[]): ImportFormat {
  return saidFormat(parameter, ...names) ?? 'csv';
}

/** The format, if the parameter or a name's extension says it. Throws `bad_request` for a parameter that is none. */
export function saidFormat(parameter: string | undefined, ...names: readonly string[]): ImportFormat | undefined {
  const given = parameter?.trim().toLowerCase() ?? '';
  if (given !== '') {
    const format = FORMATS.get(given);
    if (format !== undefined) return format;
    throw new AppError('bad_request', `cannot import format=${given.slice(0, 40)}: give csv, ndjson or parquet`);
  }
  for (const name of names) {
    const extension = /\.(\w+)(?:\.(?:gz|zst|zstd))?$/u.exec(name.split(/[?#]/u, 1)[0]?.toLowerCase() ?? '')?.[1];
    const format = FORMATS.get(extension ?? '');
    if (format !== undefined) return format;
  }
  return undefined;
}

const FORMATS: ReadonlyMap<string, ImportFormat> = new Map([
  ['csv', 'csv'],
  ['tsv', 'csv'],
  ['json', 'ndjson'],
  ['jsonl', 'ndjson'],
  ['ndjson', 'ndjson'],
  ['parquet', 'parquet'],
]);

/** How CSV is written, as the parameters say. Throws `bad_request`. */
export function dialectOf(fields: Fields): CsvDialect {
  const one = (name: string): string | undefined => {
    const value = fields.get(name);
    if (value === undefined || value === '') return undefined;
    const plain = value === '\\t' ? '\t' : value;
    if (plain.length === 1 && plain !== '\n' && plain !== '\r') return plain;
    throw new AppError(
      'bad_request',
      `cannot use ${name}=${JSON.stringify(value.slice(0, 20))}: it must be one character`,
    );
  };
  const newLine = fields.get('dialect_new_line')?.replaceAll('\\r', '\r').replaceAll('\\n', '\n');
  const header = fields.get('dialect_has_header') ?? fields.get('csv_headers');
  return {
    delimiter: one('dialect_delimiter'),
    escape: one('dialect_escapechar'),
    quote: one('dialect_quotechar'),
    ...(newLine === undefined || newLine === '' ? {} : { newLine: newLine.slice(0, 4) }),
    ...(header === undefined ? {} : { header: /^(?:true|1)$/iu.test(header) }),
  };
}
