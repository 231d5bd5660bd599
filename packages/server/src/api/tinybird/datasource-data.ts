/**
 * What brings rows into data sources, and data sources into being: `POST /v0/datasources` with a definition, a file or a URL,
 * the newer `/v1/datasources/NAME/append` and `replace`. What only asks for a schema is in `analyze.ts`.
 *
 * Must stay true: who may do nothing of it is refused before the body is read.
 */

import { AppError } from '@glasshouse/model';
import { QUOTA_HEADER } from '../../http/quota-header.ts';
import type { Route } from '../../http/router.ts';
import { sendJson } from '../../http/router.ts';
import { createFor } from '../../platform/create-for.ts';
import { dataSourceOf, definitionOf, isDefinition } from '../../platform/definition-form.ts';
import type { ImportFormat } from '../../platform/import-convert.ts';
import type { CsvDialect } from '../../platform/import-csv.ts';
import type { ImportRequest, ImportResult, Imports } from '../../platform/import.ts';
import { parseUrl } from '../../platform/fetch-guard.ts';
import type { Platform } from '../../platform/platform.ts';
import { demand } from '../../platform/principal.ts';
import { CALLS } from '../../platform/reports.ts';
import type { DataSourceEntry } from '../../platform/resource-row.ts';
import type { Spooled } from '../../platform/import-spool.ts';
import type { Call } from './call.ts';
import { baseUrl, guarded } from './call.ts';
import { refOf, shownDataSource } from './datasource-shape.ts';
import { demandChange } from './datasources.ts';
import type { Fields } from './fields.ts';
import { blocksOf, countFields, shownJob } from './jobs.ts';
import type { Upload } from './upload.ts';
import { dialectOf, formatOf, receiveUpload } from './upload.ts';

export interface DataParts {
  readonly platform: Platform;
  readonly imports: Imports;
  /** Largest upload. */
  readonly maxImportBytes: number;
}

type Mode = 'append' | 'create' | 'replace';

/** A request for rows, understood. */
interface Wish {
  readonly mode: Mode;
  readonly fields: Fields;
  readonly format: ImportFormat;
  readonly dialect: CsvDialect;
  readonly file: Spooled | undefined;
  readonly url: string | undefined;
}

export function dataRoutes(parts: DataParts): Route[] {
  const { platform } = parts;
  return [
    guarded(platform, 'POST', '/v0/datasources', (call) => post(parts, call)),
    guarded(platform, 'POST', '/v1/datasources/:name/append', (call) => postNamed(parts, call, 'append')),
    guarded(platform, 'POST', '/v1/datasources/:name/replace', (call) => postNamed(parts, call, 'replace')),
  ];
}

async function post(parts: DataParts, call: Call): Promise<void> {
  demandSome(call, call.query.get('name') ?? undefined, parts.platform);
  // What makes a data source may bring rows for it too, which is seen when it was read.
  if (bringsData(call)) admit(parts, call);
  const upload = await receive(parts, call);
  try {
    const { fields } = upload;
    const name = fields.need('name', 'make or fill a data source');
    if (parts.platform.catalog.dataSource(call.principal.tenant, name) === undefined) checkNoCalls(name);
    const mode = modeOf(fields.get('mode'));
    const wish = wishOf(upload, mode, name);
    const definition = definedBy(name, fields);
    const isData = wish.file !== undefined || wish.url !== undefined;
    if (isData) admit(parts, call);
    if (definition !== undefined && (mode === 'create' || !isData)) {
      demand(call.principal, 'DATASOURCES:CREATE');
      const entry = await parts.platform.registry.createDataSource(call.principal.tenant, definition);
      if (!isData) return await answerCreated(parts, call, entry);
      return await load(parts, call, entry, { ...wish, mode: 'append' });
    }
    if (!isData)
      throw new AppError('bad_request', 'cannot fill the data source: there is no data; send schema=, url= or a file');
    await load(parts, call, await targetOf(parts, call, name, wish), wish);
  } finally {
    await upload.file?.dispose();
  }
}

/** The newer form answers with a job for files too. */
async function postNamed(parts: DataParts, call: Call, mode: Mode): Promise<void> {
  const { platform, imports } = parts;
  const name = call.params['name'] ?? '';
  demandSome(call, name, platform);
  const entry = platform.registry.dataSource(call.principal.tenant, name);
  admit(parts, call);
  const upload = await receive(parts, call);
  let isTaken = false;
  try {
    const wish = wishOf(upload, mode, name);
    const request = await requestOf(parts, call, entry, wish);
    if (wish.url === undefined && wish.file === undefined)
      throw new AppError('bad_request', 'cannot fill the data source: there is no data; send url= or a body');
    isTaken = wish.url === undefined;
    const job =
      wish.url === undefined
        ? await imports.startFile(request, wish.file as Spooled)
        : await imports.startUrl(request, parseUrl(wish.url).href);
    sendJson(call.response, 200, shownJob(job, baseUrl(call)));
  } finally {
    if (!isTaken) await upload.file?.dispose();
  }
}

/** Whether the request says, before its body, that it brings rows. */
function bringsData({ query }: Call): boolean {
  return ['append', 'replace'].includes(query.get('mode') ?? '') || query.get('url') !== null;
}

/** Asks whether the tenant's quota lets more rows in. Throws `quota_exceeded`. */
function admit({ imports }: DataParts, { principal, response }: Call): void {
  const warning = imports.admit(principal.tenant);
  if (warning !== undefined) response.setHeader(QUOTA_HEADER, warning);
}

function receive({ imports, maxImportBytes }: DataParts, call: Call): Promise<Upload> {
  return receiveUpload(call, { spool: imports.spool, maxBytes: maxImportBytes });
}

/** Throws `forbidden` for who may fill nothing, or not this one. */
function demandSome({ principal }: Call, name: string | undefined, { catalog }: Platform): void {
  const known = name === undefined ? undefined : catalog.dataSource(principal.tenant, name);
  if (known === undefined) checkNoCalls(name);
  if (principal.may('DATASOURCES:CREATE')) return;
  if (known === undefined) demand(principal, 'DATASOURCES:APPEND', name === undefined ? undefined : { name });
  else demand(principal, 'DATASOURCES:APPEND', refOf(known));
}

/** Throws `bad_request` for what looks like a data source and takes events only. */
function checkNoCalls(name: string | undefined): void {
  if (name !== CALLS) return;
  throw new AppError(
    'bad_request',
    `cannot fill data source=${CALLS}: there is none; send calls of models as events, POST /v0/events?name=${CALLS}`,
  );
}

function modeOf(mode: string | undefined): Mode {
  if (mode === undefined || mode === '' || mode === 'create') return 'create';
  if (mode === 'append' || mode === 'replace') return mode;
  throw new AppError('bad_request', `cannot use mode=${mode.slice(0, 40)}: it must be create, append or replace`);
}

function wishOf({ fields, file, filename }: Upload, mode: Mode, name: string): Wish {
  const url = fields.get('url');
  const isUrl = url !== undefined && url !== '';
  return {
    mode,
    fields,
    format: formatOf(fields.get('format'), isUrl ? url : filename, name),
    dialect: dialectOf(fields),
    file,
    url: isUrl ? url : undefined,
  };
}

/** The definition in the request, if it has one. */
function definedBy(name: string, fields: Fields): ReturnType<typeof definitionOf> | undefined {
  if (isDefinition(fields.text)) return dataSourceOf(name, fields.text);
  const schema = fields.get('schema');
  return schema === undefined || schema.trim() === ''
    ? undefined
    : definitionOf(name, (parameter) => fields.get(parameter));
}

/** The data source that the rows go into; made if there is none yet and the mode and the credential allow it. */
async function targetOf(
  { platform, imports }: DataParts,
  call: Call,
  name: string,
  wish: Wish,
): Promise<DataSourceEntry> {
  const { principal } = call;
  const { tenant } = principal;
  const known = platform.catalog.dataSource(tenant, name);
  if (known !== undefined) {
    if (wish.mode === 'create' && !known.builtIn)
      throw new AppError(
        'conflict',
        `cannot make data source=${name}: there is one of that name; send mode=append to add rows`,
      );
    return known;
  }
  demand(principal, 'DATASOURCES:CREATE');
  // Its schema is guessed, so the data has to be here before it can be made.
  const file = wish.file ?? (await imports.samples.fetch(parseUrl(wish.url ?? '').href));
  try {
    const rows = await imports.samples.rows(file, wish.format, wish.dialect);
    return await createFor(platform.registry, tenant, name, rows);
  } finally {
    if (wish.file === undefined) await file.dispose();
  }
}

async function requestOf(parts: DataParts, call: Call, entry: DataSourceEntry, wish: Wish): Promise<ImportRequest> {
  const { principal } = call;
  const ref = refOf(entry);
  if (!principal.may('DATASOURCES:CREATE')) demand(principal, 'DATASOURCES:APPEND', ref);
  const request = {
    tenant: principal.tenant,
    dataSource: entry.id,
    format: wish.format,
    dialect: wish.dialect,
    filter: principal.writeFilter(ref) ?? '',
    placement: principal.placement,
  };
  if (wish.mode !== 'replace') return request;
  demandChange(call, entry);
  const condition = wish.fields.get('replace_condition')?.trim() || undefined;
  // Counting judges it, and says now whether the table can answer it.
  if (condition !== undefined) await parts.platform.registry.countRows(principal.tenant, entry.id, condition);
  return { ...request, replace: { condition } };
}

/** Imports a file while the client waits, or starts the job that fetches a URL. */
async function load(parts: DataParts, call: Call, entry: DataSourceEntry, wish: Wish): Promise<void> {
  const { imports } = parts;
  const request = await requestOf(parts, call, entry, wish);
  if (wish.url !== undefined) {
    const job = await imports.startUrl(request, parseUrl(wish.url).href);
    sendJson(call.response, 200, shownJob(job, baseUrl(call)));
    return;
  }
  const gone = new AbortController();
  call.response.once('close', () => {
    if (!call.response.writableFinished) gone.abort();
  });
  const result = await imports.run(request, wish.file as Spooled, { signal: gone.signal });
  await answerLoaded(parts, call, entry, result);
}

async function answerCreated({ platform }: DataParts, call: Call, entry: DataSourceEntry): Promise<void> {
  const { principal, response } = call;
  const sizes = await platform.registry.sizes(principal.tenant);
  sendJson(response, 200, { datasource: shownDataSource(entry, platform, principal, sizes), import_id: null });
}

async function answerLoaded(
  { platform }: DataParts,
  call: Call,
  entry: DataSourceEntry,
  result: ImportResult,
): Promise<void> {
  const { principal, response } = call;
  const { importId, quarantinedRows } = result;
  const sizes = await platform.registry.sizes(principal.tenant);
  const present = platform.catalog.dataSource(principal.tenant, entry.id) ?? entry;
  sendJson(response, 200, {
    id: importId,
    import_id: importId,
    datasource: shownDataSource(present, platform, principal, sizes),
    ...countFields(result),
    blocks: blocksOf(result),
    // In Tinybird's words: its command line shows them.
    error: quarantinedRows > 0 && `There was an error with file contents: ${quarantinedRows} rows in quarantine.`,
  });
}
