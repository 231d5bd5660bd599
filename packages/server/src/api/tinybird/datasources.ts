/**
 * Data sources: listed, shown, altered, emptied, removed. What brings rows is in `datasource-data.ts`.
 *
 * Must stay true: what a credential may not see is not there for it. What loses rows needs a credential that was given for
 * such things: a server that asks nobody for one does not do it for the page that somebody happens to look at.
 */

import { AppError, QUARANTINE_SUFFIX } from '@glasshouse/model';
import type { Route } from '../../http/router.ts';
import { send, sendJson } from '../../http/router.ts';
import { isUsed } from '../../platform/built-in.ts';
import { alteredBy, alteredBySql, dataFileOf } from '../../platform/definition-form.ts';
import type { Platform } from '../../platform/platform.ts';
import type { DataSourceEntry } from '../../platform/resource-row.ts';
import type { Call } from './call.ts';
import { baseUrl, guarded, sendNothing } from './call.ts';
import type { Sizes } from './datasource-shape.ts';
import { mayChange, maySee, shownDataSource, visibleOf } from './datasource-shape.ts';
import type { Fields } from './fields.ts';
import { readFields } from './fields.ts';
import { shownJob } from './jobs.ts';

const NO_SIZES: Sizes = new Map();

export function dataSourceRoutes(platform: Platform): Route[] {
  const on = (method: Route['method'], path: string, handle: (call: Call) => Promise<void>): Route =>
    guarded(platform, method, path, handle);
  const one = (handle: (call: Call, entry: DataSourceEntry) => Promise<void>) => async (call: Call) =>
    handle(call, await found(platform, call));
  const changing = (handle: (call: Call, entry: DataSourceEntry) => Promise<void>) =>
    one((call, entry) => {
      demandChange(call, entry);
      return handle(call, entry);
    });
  return [
    on('GET', '/v0/datasources', async (call) => list(platform, call)),
    on(
      'GET',
      '/v0/datasources/:name',
      one(async (call, entry) => show(platform, call, entry)),
    ),
    on(
      'GET',
      '/v0/datasources/:name.datasource',
      one(async (call, entry) => download(call, entry)),
    ),
    on(
      'PUT',
      '/v0/datasources/:name',
      changing(async (call, entry) => update(platform, call, entry)),
    ),
    on(
      'DELETE',
      '/v0/datasources/:name',
      changing(async (call, entry) => drop(platform, call, entry)),
    ),
    on('POST', '/v0/datasources/:name/alter', async (call) => alter(platform, call, alterable(platform, call))),
    on('POST', '/v0/datasources/:name/truncate', (call) => truncate(platform, call)),
    on(
      'POST',
      '/v0/datasources/:name/delete',
      changing(async (call, entry) => deleteRows(platform, call, entry)),
    ),
    on(
      'POST',
      '/v1/datasources/:name/delete',
      changing(async (call, entry) => deleteNow(platform, call, entry)),
    ),
  ];
}

/** The data source of the path. Throws `not_found` also for one that the principal may not see. */
async function found(platform: Platform, { principal, params }: Call): Promise<DataSourceEntry> {
  const which = params['name'] ?? '';
  const entry = platform.catalog.dataSource(principal.tenant, which);
  if (entry !== undefined && maySee(principal, entry)) {
    if (!entry.builtIn || isUsed(entry, await platform.registry.sizes(principal.tenant))) return entry;
  }
  throw notFound(which);
}

/** Throws `forbidden` unless the principal may lose rows of the data source. */
export function demandChange({ principal }: Pick<Call, 'principal'>, entry: DataSourceEntry): void {
  if (mayChange(principal, entry)) return;
  throw new AppError(
    'forbidden',
    `cannot change data source=${entry.name}: the credential has no scope ADMIN, DATASOURCES:CREATE or DATASOURCES:DROP:${entry.name}`,
  );
}

/** The data source of the path, for who may change it: also one that nobody has used yet, because a migration may come before the first event. */
function alterable(platform: Platform, call: Call): DataSourceEntry {
  const which = call.params['name'] ?? '';
  const entry = platform.catalog.dataSource(call.principal.tenant, which);
  if (entry === undefined || !maySee(call.principal, entry)) throw notFound(which);
  demandChange(call, entry);
  return entry;
}

function notFound(which: string): AppError {
  return new AppError(
    'not_found',
    `cannot find data source=${which.slice(0, 130)}: the workspace has none of that name`,
  );
}

async function list(platform: Platform, { principal, response, query }: Call): Promise<void> {
  // A client that only wants to know whether its token is good is told so while the store is away.
  const sizes = await platform.registry.sizes(principal.tenant).catch(() => NO_SIZES);
  const shown = visibleOf(platform, principal, sizes).map((entry) =>
    shownDataSource(entry, platform, principal, sizes),
  );
  sendJson(response, 200, { datasources: shown.map((one) => only(one, query.get('attrs'))) });
}

async function show(platform: Platform, call: Call, entry: DataSourceEntry): Promise<void> {
  const { principal, response, query } = call;
  if (query.get('format') === 'datasource') return download(call, entry);
  const sizes = await platform.registry.sizes(principal.tenant);
  sendJson(response, 200, only(shownDataSource(entry, platform, principal, sizes), query.get('attrs')));
}

/** The attributes that were asked for, with what names the thing; all of them if none were. */
function only(shown: Readonly<Record<string, unknown>>, attrs: string | null): Readonly<Record<string, unknown>> {
  const wanted = (attrs ?? '').split(',').filter((name) => name !== '');
  if (wanted.length === 0) return shown;
  return Object.fromEntries(
    Object.entries(shown).filter(([name]) => name === 'id' || name === 'name' || wanted.includes(name)),
  );
}

/** Clients take a body for text only if its type is exactly this. */
async function download({ response }: Call, entry: DataSourceEntry): Promise<void> {
  send(response, 200, 'text/plain', dataFileOf(entry.definition));
  return Promise.resolve();
}

async function update(platform: Platform, call: Call, entry: DataSourceEntry): Promise<void> {
  const { principal, response } = call;
  const { registry } = platform;
  const fields = await readFields(call);
  const name = fields.get('name');
  let next = entry;
  if (fields.has('description'))
    next = (
      await registry.alterDataSource(
        principal.tenant,
        entry.id,
        alteredBy(entry.definition, pick(fields, ['description'])),
      )
    ).entry;
  if (name !== undefined && name !== '' && name !== entry.name)
    next = await registry.renameDataSource(principal.tenant, entry.id, name, fields.flag('force'));
  sendJson(response, 200, shownDataSource(next, platform, principal, await registry.sizes(principal.tenant)));
}

function pick(fields: Fields, names: readonly string[]): (name: string) => string | undefined {
  return (name) => (names.includes(name) ? fields.get(name) : undefined);
}

async function drop(platform: Platform, { principal, response, query }: Call, entry: DataSourceEntry): Promise<void> {
  const { registry } = platform;
  if (isTrue(query.get('dry_run'))) {
    const pipes = registry.dependents(principal.tenant, entry.name).map(({ id, name }) => ({ id, name }));
    sendJson(response, 200, { dependent_pipes: pipes, dependent_datasources: [] });
    return;
  }
  await registry.dropDataSource(principal.tenant, entry.id, isTrue(query.get('force')));
  sendNothing(response);
}

/** A definition in parts (`schema=`, `ttl=` …), or a statement: `sql=ALTER TABLE …`, also as the plain body. */
async function alter(platform: Platform, call: Call, entry: DataSourceEntry): Promise<void> {
  const { principal, response } = call;
  const { registry } = platform;
  const fields = await readFields(call);
  const sql = fields.get('sql') ?? fields.text;
  const get = (name: string): string | undefined => fields.get(name);
  const definition = sql.trim() === '' ? alteredBy(entry.definition, get) : alteredBySql(entry.definition, sql);
  // A statement that finds everything in place does not make a data source of the server's one of the workspace's own.
  const isInPlace = definition === entry.definition;
  const dryRun = fields.flag('dry');
  const {
    changes,
    losses,
    entry: next,
  } = await registry.alterDataSource(principal.tenant, entry.id, definition, { dryRun: dryRun || isInPlace });
  const isSame = changes.length === 0 && definition.description === entry.definition.description;
  // The wording is what the command line looks for.
  if (isSame && sql.trim() === '')
    throw new AppError('bad_request', `cannot alter data source=${entry.name}: There were no operations to perform`);
  sendJson(response, 200, {
    dry: dryRun,
    operations: changes.length === 0 && !isSame ? ['changes the description'] : changes,
    losses,
    dependencies: registry.dependents(principal.tenant, entry.name).map(({ name }) => name),
    datasource: shownDataSource(next, platform, principal, await registry.sizes(principal.tenant)),
  });
}

/** Of the data source, or of its quarantine, which goes by a name of its own. */
async function truncate(platform: Platform, call: Call): Promise<void> {
  const { principal, response, params } = call;
  const which = params['name'] ?? '';
  const isQuarantine = which.endsWith(QUARANTINE_SUFFIX);
  const name = isQuarantine ? which.slice(0, -QUARANTINE_SUFFIX.length) : which;
  const entry = await found(platform, { ...call, params: { name } });
  demandChange(call, entry);
  await readFields(call);
  await platform.registry.truncate(principal.tenant, entry.id, isQuarantine ? 'quarantine' : 'rows');
  sendNothing(response, 205);
}

async function deleteRows(platform: Platform, call: Call, entry: DataSourceEntry): Promise<void> {
  const { principal, response } = call;
  const { registry, jobs } = platform;
  const { tenant } = principal;
  const fields = await readFields(call);
  const condition = fields.need('delete_condition', 'delete rows');
  // Judged and counted before anything is begun, so that what is wrong with the condition is said now.
  const rows = await registry.countRows(tenant, entry.id, condition);
  if (fields.flag('dry_run')) {
    sendJson(response, 200, { rows_to_be_deleted: rows });
    return;
  }
  const details = { datasource: { id: entry.id, name: entry.name }, delete_condition: condition };
  const job = await jobs.start(tenant, 'delete_data', details, async () => ({
    rows_affected: await registry.deleteRows(tenant, entry.id, condition),
  }));
  const shown = shownJob(job, baseUrl(call));
  sendJson(response, 200, { ...shown, delete_id: job.id, rows_to_be_deleted: rows, job: shown });
}

/** Deletes rows while the client waits. */
async function deleteNow(platform: Platform, call: Call, entry: DataSourceEntry): Promise<void> {
  const { principal, response } = call;
  const { registry } = platform;
  const fields = await readFields(call);
  const condition = fields.need('delete_condition', 'delete rows');
  if (fields.flag('dry_run')) {
    sendJson(response, 200, { rows_to_be_deleted: await registry.countRows(principal.tenant, entry.id, condition) });
    return;
  }
  const rows = await registry.deleteRows(principal.tenant, entry.id, condition);
  const mutation = { partitions_scanned: 1, partitions_done: 1, partitions_in_progress: 0 };
  sendJson(response, 200, { rows_affected: rows, mutation });
}

function isTrue(value: string | null): boolean {
  return value === 'true' || value === '1';
}
