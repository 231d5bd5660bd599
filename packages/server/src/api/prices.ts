/**
 * Prices: what is known of a model, what a tenant negotiated, which lists were imported, why a generation costs what it does, and
 * pricing again what is stored.
 *
 *   GET    /api/v1/prices                           → the table's version, layers, and numbers of rows
 *   GET    /api/v1/prices/models?model=&provider=   → the rows of a model, the preferred one first
 *   GET    /api/v1/prices/overrides                 → the tenant's own entries, the newest first
 *   POST   /api/v1/prices/overrides {provider, models, prices, …} or {alias} → 201, the entry
 *   DELETE /api/v1/prices/overrides?id=             → the entry that revokes it
 *   GET    /api/v1/prices/lists                     → lists that were imported
 *   POST   /api/v1/prices/lists {name, content, …}  → 201, the list and what of it was skipped
 *   DELETE /api/v1/prices/lists?name=               → the entry that takes it out
 *   GET    /api/v1/prices/explain?id=               → the arithmetic of a generation
 *   GET    /api/v1/prices/unknown?since=&until=     → models without a cost, with their volume
 *   GET    /api/v1/prices/repricings[?id=]          → runs, the newest first, or one of them
 *   POST   /api/v1/prices/repricings {since, …}     → 202, the run
 *   DELETE /api/v1/prices/repricings?id=            → the run, ended
 *
 * Must stay true: reading takes the right to read all of a tenant's data, changing its prices its administrator, and lists the
 * server's. Amounts are decimal texts.
 */

import { AppError } from '@glasshouse/model';
import type { PriceBook } from '../control/prices.ts';
import type { WantedList } from '../control/price-lists.ts';
import { LIST_FORMATS } from '../control/price-lists.ts';
import type { Repricer } from '../control/reprice.ts';
import { readBody } from '../http/body.ts';
import { credentialOf } from '../http/credential.ts';
import type { Exchange, Route } from '../http/router.ts';
import { failJson, sendJson } from '../http/router.ts';
import type { Credentials } from '../platform/credentials.ts';
import type { WorkspacePrincipal } from '../platform/principal.ts';
import type { Door } from '../query/door.ts';
import { checkJsonDepth } from './json-depth.ts';
import { explainGeneration, unknownModels } from './prices-asked.ts';
import { instant, listJson, modelJson, repricingJson } from './prices-json.ts';

export interface PriceParts {
  readonly book: PriceBook;
  readonly repricer: Repricer;
  readonly door: Pick<Door, 'run'>;
  readonly credentials: Pick<Credentials, 'resolve'>;
  readonly now: () => number;
}

type Fields = Readonly<Record<string, unknown>>;
/** What a request needs: to read all of the tenant's data, to administer the tenant, or the server. */
type Right = 'read' | 'tenant' | 'server';
type Act = (exchange: Exchange, who: WorkspacePrincipal) => Promise<void> | void;

const MAX_BODY_BYTES = 64 << 10;
const MAX_LIST_BYTES = 32 << 20;
const TENANT_HEADER = 'x-glasshouse-tenant';
const DAY_MS = 86_400_000;
const UNKNOWN_DAYS = 30;

export function priceRoutes(parts: PriceParts): Route[] {
  const { book, repricer, door, now } = parts;
  const route = (method: Route['method'], path: string, right: Right, act: Act): Route => ({
    method,
    path: `/api/v1/prices${path}`,
    fail: failJson,
    handle: async (exchange) => act(exchange, await admitted(parts, exchange, right)),
  });
  return [
    route('GET', '', 'read', async ({ response }, { tenant }) => {
      const table = await book.currentTable();
      const layers = table.layers.map(({ name, rows }) => ({ name, rows: rows.length }));
      const standing = book.overrides(tenant).filter(isStanding).length;
      sendJson(response, 200, { version: table.version, layers, overrides: standing });
    }),
    route('GET', '/models', 'read', async ({ response, query }, { tenant }) => {
      const model = query.get('model') ?? '';
      if (model === '') throw new AppError('bad_request', 'cannot show prices: name a model as ?model=');
      const at = instant(query.get('at'), 'at') ?? new Date(now());
      const table = await book.currentTable();
      const found = table.rowsOf(query.get('provider') ?? '', model, tenant);
      const models = found.map((alternative) => modelJson(alternative, at.getTime()));
      sendJson(response, 200, { model, at: at.toISOString(), version: table.version, rows: models });
    }),
    route('GET', '/overrides', 'read', ({ response }, { tenant }) =>
      sendJson(response, 200, {
        overrides: book.overrides(tenant).map((entry, _, all) => ({ ...entry, isInForce: isStanding(entry, 0, all) })),
      }),
    ),
    route('POST', '/overrides', 'tenant', async (exchange, who) => {
      const fields = await readFields(exchange, MAX_BODY_BYTES);
      sendJson(exchange.response, 201, await book.add(who.tenant, who.tokenId, fields));
    }),
    route('DELETE', '/overrides', 'tenant', async ({ response, query }, who) =>
      sendJson(
        response,
        200,
        await book.revoke(who.tenant, who.tokenId, needed(query, 'id'), query.get('note') ?? undefined),
      ),
    ),
    route('GET', '/lists', 'read', ({ response }) => sendJson(response, 200, { lists: book.lists().map(listJson) })),
    route('POST', '/lists', 'server', async (exchange, who) => {
      const wanted = listOf(await readFields(exchange, MAX_LIST_BYTES), now());
      const { head, skipped } = await book.importList(who.tokenId, wanted);
      sendJson(exchange.response, 201, { ...listJson({ ...head, isInForce: true }), left: skipped });
    }),
    route('DELETE', '/lists', 'server', async ({ response, query }, who) => {
      const head = await book.removeList(who.tokenId, needed(query, 'name'));
      sendJson(response, 200, listJson({ ...head, isInForce: false }));
    }),
    route('GET', '/explain', 'read', async ({ response, query }, who) =>
      sendJson(response, 200, await explainGeneration(door, book, who, needed(query, 'id'))),
    ),
    route('GET', '/unknown', 'read', async ({ response, query }, who) => {
      const until = instant(query.get('until'), 'until') ?? new Date(now() + DAY_MS);
      const since = instant(query.get('since'), 'since') ?? new Date(until.getTime() - UNKNOWN_DAYS * DAY_MS);
      sendJson(response, 200, { since, until, models: await unknownModels(door, book, who, since, until) });
    }),
    route('GET', '/repricings', 'tenant', async ({ response, query, request }, who) => {
      const id = query.get('id');
      if (id === null) {
        const runs = await repricer.records.list(reach(who, request.headers));
        sendJson(response, 200, { repricings: runs.map(repricingJson) });
      } else sendJson(response, 200, repricingJson(await ownRun(repricer, who, id)));
    }),
    route('POST', '/repricings', 'tenant', async (exchange, who) => {
      const { since: from, until: end, dryRun = false, ...rest } = await readFields(exchange, MAX_BODY_BYTES);
      const [other] = Object.keys(rest);
      if (other !== undefined)
        throw new AppError('bad_request', `cannot reprice: ${other.slice(0, 40)} is none of since, until, dryRun`);
      const since = instant(from, 'since');
      if (since === undefined)
        throw new AppError('bad_request', 'cannot reprice: say from when on as {"since": "2026-11-01"}');
      if (typeof dryRun !== 'boolean')
        throw new AppError('bad_request', 'cannot read dryRun: it must be true or false');
      const until = instant(end, 'until') ?? new Date(now() + DAY_MS);
      const tenant = reach(who, exchange.request.headers);
      const run = repricer.start({ tenant, by: who.tokenId, since, until, dryRun });
      sendJson(exchange.response, 202, repricingJson(await run));
    }),
    route('DELETE', '/repricings', 'tenant', async ({ response, query }, who) => {
      const { id } = await ownRun(repricer, who, needed(query, 'id'));
      sendJson(response, 200, repricingJson(await repricer.cancel(id)));
    }),
  ];
}

/** Who asks. Rejects with `forbidden` unless they have the right. */
async function admitted(
  { credentials }: PriceParts,
  { request, query }: Exchange,
  right: Right,
): Promise<WorkspacePrincipal> {
  const named = request.headers[TENANT_HEADER];
  const tenant = typeof named === 'string' ? named : undefined;
  const who = await credentials.resolve(credentialOf(request.headers, query), { tenant });
  if (right === 'read' && !who.may('WORKSPACE:READ_ALL'))
    throw new AppError('forbidden', `cannot let ${who.name} do this: it has no scope query`);
  if (right === 'tenant' && !who.isAdmin)
    throw new AppError('forbidden', `cannot let ${who.name} do this: prices are changed by an administrator`);
  if (right === 'server' && who.kind !== 'admin')
    throw new AppError('forbidden', `cannot let ${who.name} do this: lists are for the server's administrator`);
  return who;
}

/** The tenant that a run is about: all of them for the server's administrator, unless one is named. */
function reach(who: WorkspacePrincipal, headers: Readonly<Record<string, unknown>>): string | undefined {
  return who.kind === 'admin' && headers[TENANT_HEADER] === undefined ? undefined : who.tenant;
}

/** A run of the tenant, or any for the server's administrator. Rejects with `not_found`. */
async function ownRun(repricer: Repricer, who: WorkspacePrincipal, id: string): ReturnType<Repricer['get']> {
  const run = await repricer.get(id);
  if (who.kind === 'admin' || run.tenant === who.tenant) return run;
  throw new AppError('not_found', `cannot find REPRICING=${id.slice(0, 40)}: there is none`);
}

/** Whether an entry counts, of a tenant's history. */
function isStanding({ id, revokes }: Entry, _: number, all: readonly Entry[]): boolean {
  return revokes === undefined && !all.some((other) => other.revokes === id);
}

type Entry = ReturnType<PriceBook['overrides']>[number];

function listOf(fields: Fields, now: number): WantedList {
  const format = fields['format'] ?? 'auto';
  if (format !== 'auto' && !LIST_FORMATS.some((known) => known === format))
    throw new AppError('bad_request', `cannot import the list: its format must be one of ${LIST_FORMATS.join(', ')}`);
  const { providers } = fields;
  if (providers !== undefined && !(Array.isArray(providers) && providers.every((one) => typeof one === 'string')))
    throw new AppError('bad_request', 'cannot import the list: providers must be a list of names');
  const optional = (name: 'date' | 'provider' | 'url' | 'via'): Partial<WantedList> => {
    const value = fields[name];
    if (value === undefined) return {};
    if (typeof value !== 'string' || value.length > 500)
      throw new AppError('bad_request', `cannot import the list: ${name} must be a text`);
    return { [name]: value };
  };
  if (typeof fields['name'] !== 'string' || fields['content'] === undefined)
    throw new AppError('bad_request', 'cannot import the list: give it as {"name": "…", "content": …}');
  return {
    date: new Date(now).toISOString().slice(0, 10),
    ...optional('date'),
    ...optional('provider'),
    ...optional('url'),
    ...optional('via'),
    name: fields['name'],
    format: format as WantedList['format'],
    content: fields['content'],
    ...(providers === undefined ? {} : { providers }),
  };
}

function needed(query: URLSearchParams, name: string): string {
  const value = query.get(name);
  if (value !== null && value !== '') return value;
  throw new AppError('bad_request', `cannot do this: give ?${name}=`);
}

async function readFields({ request }: Exchange, maxBytes: number): Promise<Fields> {
  const body = (await readBody(request, maxBytes)).toString('utf8');
  checkJsonDepth(body);
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (cause) {
    throw new AppError('bad_request', 'cannot read the body: it is not JSON', { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new AppError('bad_request', 'cannot read the body: it must be a JSON object');
  return value as Fields;
}
