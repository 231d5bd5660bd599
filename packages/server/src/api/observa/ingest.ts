/**
 * What Observa's SDK sends: events in batches, and from older ones single traces. They go the way of the Events API, into
 * `canonical_events` and `traces` of the tenant's workspace, or of the one that the key's token is of, through its filter.
 *
 *   POST /api/v1/events/ingest  [event, …] or NDJSON → {"success", "event_count", "message"}
 *   POST /api/v1/traces/ingest  trace                → {"success", "traceId", "message"}
 *
 * Must stay true: 200 is answered only for what is in the log, synced. Of a batch all is stored, or nothing.
 */

import { randomUUID } from 'node:crypto';
import { AppError } from '@glasshouse/model';
import type { Quotas } from '../../control/quotas.ts';
import { credentialOf } from '../../http/credential.ts';
import { QUOTA_HEADER } from '../../http/quota-header.ts';
import { preflight } from '../../http/preflight.ts';
import type { Exchange, Failure, Handler, Route } from '../../http/router.ts';
import { sendJson } from '../../http/router.ts';
import type { Append, AppendBoth } from '../../platform/import.ts';
import type { Platform } from '../../platform/platform.ts';
import type { WorkspacePrincipal } from '../../platform/principal.ts';
import { reportsCalls } from '../../platform/reports.ts';
import type { DataSourceEntry } from '../../platform/resource-row.ts';
import type { SourceSwitches } from '../../platform/source-switches.ts';
import { readUnpacked } from '../unpack.ts';
import { MAX_BATCH_BYTES, MAX_EVENT_BYTES, readEvents } from './events.ts';
import type { Owner, Row } from './form.ts';
import type { SdkKey } from './key-form.ts';
import { allowsPage } from './key-form.ts';
import type { SdkKeys } from './keys.ts';
import { describe, Refusal } from './refusal.ts';
import { readTrace, traceOf } from './traces.ts';
import type { Standing } from './window.ts';
import { LIMIT, WINDOW_SECONDS, windowHeaders, Windows } from './window.ts';

export interface IngestOptions {
  readonly keys: SdkKeys;
  readonly platform: Pick<Platform, 'catalog' | 'credentials' | 'rates' | 'tokens'>;
  readonly append: Append;
  readonly appendBoth: AppendBoth;
  readonly switches: Pick<SourceSwitches, 'admit' | 'leave'>;
  readonly quotas: Pick<Quotas, 'admit' | 'count'>;
  readonly now: () => number;
}

/** A data source that a key writes to, with the condition on its rows. */
interface Target {
  readonly entry: DataSourceEntry;
  readonly filter: string;
}

export function ingestRoutes(options: IngestOptions): Route[] {
  const windows = new Windows(options.now);
  const route = (path: string, take: (exchange: Exchange, key: SdkKey) => Promise<object>, fail: Failure): Route[] => {
    const handle: Handler = async (exchange) => {
      const { headers } = exchange.request;
      // Whether a page may send, its key says; who is refused has to be able to read why.
      exchange.response.setHeader('Access-Control-Allow-Origin', '*');
      const key = await options.keys.resolve(credentialOf(headers));
      if (!allowsPage(key, headers))
        throw new AppError(
          'forbidden',
          `cannot take what the page sends: its origin is not among the allowedOrigins of API key=${key.id}`,
        );
      admit(exchange, windows.take(key.id), options.now());
      const warning = options.quotas.admit(key.placement.tenant, key.placement.project);
      if (warning !== undefined) exchange.response.setHeader(QUOTA_HEADER, warning);
      sendJson(exchange.response, 200, await take(exchange, key));
    };
    return [
      { method: 'POST', path: `/api/v1/${path}`, handle, fail },
      { method: 'OPTIONS', path: `/api/v1/${path}`, handle: preflight, fail },
    ];
  };
  return [
    ...route('events/ingest', (exchange, key) => takeEvents(exchange, key, options), failNested),
    ...route('traces/ingest', (exchange, key) => takeTrace(exchange, key, options), failFlat),
  ];
}

async function takeEvents({ request }: Exchange, key: SdkKey, options: IngestOptions): Promise<object> {
  const body = await readUnpacked(request, MAX_BATCH_BYTES);
  const events = readEvents(body, ownerOf(key));
  const writer = await writerOf(key, options);
  const [canonical, traces] = [writer('canonical_events'), writer('traces')];
  if (canonical === undefined && traces === undefined) throw noTarget('canonical_events');
  const rows = events.map(({ row }) => row);
  const calls = events.flatMap((event): readonly Row[] => {
    const row = traceOf(event);
    return row === undefined ? [] : [row];
  });
  const loads = [
    { target: canonical, rows },
    { target: traces, rows: calls },
  ];
  await send(loads, key, options);
  return { success: true, event_count: events.length, message: 'Events ingested successfully' };
}

async function takeTrace({ request }: Exchange, key: SdkKey, options: IngestOptions): Promise<object> {
  const { traceId, row } = readTrace(await readUnpacked(request, MAX_EVENT_BYTES), ownerOf(key));
  const traces = (await writerOf(key, options))('traces');
  if (traces === undefined) throw noTarget('traces');
  await send([{ target: traces, rows: [row] }], key, options);
  return { success: true, traceId, message: 'Trace ingested successfully' };
}

function ownerOf({ placement, isOfAnyEnvironment }: SdkKey): Owner {
  return isOfAnyEnvironment ? { ...placement, environment: undefined } : placement;
}

/** Finds what a key may write to, by name. Rejects with `forbidden` if its token is gone. */
async function writerOf(
  { through, placement }: SdkKey,
  { platform }: IngestOptions,
): Promise<(name: string) => Target | undefined> {
  const { catalog, credentials, tokens } = platform;
  if (through === undefined) {
    return (name) => {
      const entry = catalog.dataSource(placement.tenant, name);
      return entry === undefined ? undefined : { entry, filter: '' };
    };
  }
  const token = tokens.byId(through.workspace, through.tokenId);
  if (token === undefined)
    throw new AppError('forbidden', 'cannot take the events: the token that the API key writes through was deleted');
  const principal: WorkspacePrincipal = await credentials.resolve(tokens.secretOf(token));
  return (name) => {
    const entry = catalog.dataSource(through.workspace, name);
    if (entry === undefined || !principal.may('DATASOURCES:APPEND', entry)) return undefined;
    return { entry, filter: principal.writeFilter(entry) ?? '' };
  };
}

/** Rows for a data source, if there is one. */
interface Load {
  readonly target: Target | undefined;
  readonly rows: readonly Row[];
}

/** Appends all loads in one commit, once the rates of all their data sources let them through. */
async function send(
  loads: readonly Load[],
  { placement: own, isOfAnyEnvironment }: SdkKey,
  { platform, append, appendBoth, quotas, switches }: IngestOptions,
): Promise<void> {
  // Of a key for both environments the row says which; whose it is otherwise, it has from the key.
  const placement = isOfAnyEnvironment ? undefined : own;
  const wanted = loads.flatMap(({ target, rows }) => {
    if (target === undefined || rows.length === 0) return [];
    const { entry, filter } = target;
    const { isOff, share } = switches.admit(entry.tenant, entry.name);
    if (isOff) {
      switches.leave(entry.tenant, entry.name, { requests: 1, events: 0 });
      return [];
    }
    const lines = Buffer.from(rows.map((row) => JSON.stringify(row)).join('\n'));
    const { tenant, id: dataSource } = entry;
    const hasGenerations = reportsCalls(entry.definition, filter);
    const limited = { key: `datasource:${tenant}/${entry.name}` };
    return [
      {
        entry,
        limited,
        load: { tenant, dataSource, importId: randomUUID(), filter, hasGenerations, placement, share, lines },
      },
    ];
  });
  platform.rates.admit(wanted.map(({ limited }) => limited));
  for (const { limited, load } of wanted) platform.rates.charge([limited], load.lines.length);
  const [first, second] = wanted.map(({ load }) => load);
  if (first === undefined) return;
  const { lines, ...target } = first;
  const { accepted, rejected = 0 } =
    second === undefined ? await append(target, lines) : await appendBoth(first, second);
  // Of two that take a share nobody says which left how many; that they did is what counts.
  const shared = wanted.find(({ load }) => load.share !== undefined)?.entry;
  if (rejected > 0 && shared !== undefined)
    switches.leave(shared.tenant, shared.name, { requests: 0, events: rejected });
  quotas.count(own, accepted, lines.length + (second?.lines.length ?? 0));
}

function admit({ response }: Exchange, standing: Standing, now: number): void {
  for (const [name, value] of Object.entries(windowHeaders(standing))) response.setHeader(name, value);
  if (!standing.isOver) return;
  throw new AppError('rate_limited', `cannot take more than ${LIMIT} requests of a key in ${WINDOW_SECONDS} s`, {
    retryAfterSeconds: Math.max(1, Math.ceil((standing.resetAt - now) / 1000)),
  });
}

function noTarget(name: string): AppError {
  return new AppError(
    'forbidden',
    `cannot take the events: there is no data source ${name} that the API key may write`,
  );
}

const failNested: Failure = ({ response }, error) => {
  const { status, body } = describe(error);
  sendJson(response, status, body);
};

const failFlat: Failure = ({ response }, error) => {
  const details = error instanceof Refusal ? { details: error.details } : {};
  sendJson(response, error.kind.httpStatus, { error: error.message, ...details });
};
