/**
 * The Events API (`POST /v0/events`, Tinybird's): JSON events for a named data source, in whatever form clients send them.
 *
 * Must stay true: 2xx is answered only for what is durable. 202 says that the events are in the log; 200, to `wait=true`, that
 * they are in the table. A batch that its sender names is taken once. Every answer carries the rate limit in whole numbers: a client that finds none, or a date, fails.
 */

import { randomUUID } from 'node:crypto';
import type { ContentCoding } from '@glasshouse/model';
import { AppError } from '@glasshouse/model';
import { credentialOf } from '../http/credential.ts';
import { preflight } from '../http/preflight.ts';
import type { Exchange, Failure, Route } from '../http/router.ts';
import { sendJson } from '../http/router.ts';
import { sampleOf } from '../pipeline/events.ts';
import type { BodyBuffer, IngestResult, Sink } from '../pipeline/sink.ts';
import type { Batches } from '../platform/batches.ts';
import { batchImportId } from '../platform/batches.ts';
import { createFor } from '../platform/create-for.ts';
import type { Platform } from '../platform/platform.ts';
import type { WorkspacePrincipal } from '../platform/principal.ts';
import type { Admission } from '../platform/rate.ts';
import { RateError } from '../platform/rate.ts';
import type { DataSourceEntry } from '../platform/resource-row.ts';
import { CALLS, reportsCalls } from '../platform/reports.ts';
import { codingOf, receiveBody } from './body.ts';
import { receiveCalls } from './calls.ts';
import type { TakingOptions } from './taking.ts';
import { admit, answerTaken, BATCH_HEADER, limitHeaders } from './taking.ts';

export interface EventsOptions extends TakingOptions {
  readonly platform: Pick<Platform, 'catalog' | 'credentials' | 'rates' | 'registry'>;
  readonly batches: Pick<Batches, 'once'>;
}

const PATH = '/v0/events';

export function eventsRoutes(options: EventsOptions): Route[] {
  return [
    { method: 'POST', path: PATH, handle: (exchange) => receive(exchange, options), fail },
    { method: 'OPTIONS', path: PATH, handle: preflight, fail },
  ];
}

async function receive(exchange: Exchange, options: EventsOptions): Promise<void> {
  const { request, response, query } = exchange;
  response.setHeader('Access-Control-Allow-Origin', '*');
  const { sink, platform } = options;
  const name = query.get('name') ?? '';
  if (name === '') throw new AppError('bad_request', 'cannot take the events: name is missing; add ?name=DATA_SOURCE');
  checkFormat(query.get('format'));
  const coding = codingOf(request);
  const principal = await platform.credentials.resolve(credentialOf(request.headers, query));
  const known = platform.catalog.dataSource(principal.tenant, name);
  if (known === undefined && name === CALLS) return receiveCalls(exchange, { ...options, principal, coding });
  checkMay(principal, name, known);
  const source = known?.name ?? name;
  const admitted = admit(exchange, options, { principal, source, project: '' });
  if (admitted === undefined) return;
  const { limited, share } = admitted;
  const body = await receiveBody(request, sink, options.maxBodyBytes);
  const { length } = body;
  platform.rates.charge(limited, length);
  const target = known ?? (await createdFor(options, principal.tenant, name, body, coding));
  const filter = principal.writeFilter(target) ?? '';
  const { importId, isNamed } = importIdOf(exchange, sink, body, target);
  let isHandedOver = false;
  const accept = (): Promise<IngestResult> => {
    isHandedOver = true;
    return sink.accept({
      signal: 'events',
      tenant: principal.tenant,
      dataSource: target.id,
      importId,
      filter,
      hasGenerations: reportsCalls(target.definition, filter),
      placement: principal.placement,
      share,
      coding,
      body,
    });
  };
  const result = isNamed
    ? await options.batches.once(importId, accept).finally(() => {
        if (!isHandedOver) sink.giveBack(body);
      })
    : await accept();
  if (isNamed) response.setHeader(BATCH_HEADER, result === undefined ? 'known' : 'new');
  if (result === undefined) {
    sendJson(response, 202, { successful_rows: 0, quarantined_rows: 0 });
    return;
  }
  const { accepted, rejected } = result;
  if (rejected > 0) options.switches.leave(principal.tenant, source, { requests: 0, events: rejected });
  options.quotas.count({ tenant: principal.tenant, project: '' }, accepted, length);
  await answerTaken(exchange, options, result, importId);
}

/** The id of the request: of a batch that its sender names the same each time. */
function importIdOf(
  { request }: Exchange,
  sink: Sink,
  body: BodyBuffer,
  { tenant, id }: DataSourceEntry,
): { readonly importId: string; readonly isNamed: boolean } {
  const name = request.headers[BATCH_HEADER.toLowerCase()];
  if (name === undefined) return { importId: randomUUID(), isNamed: false };
  try {
    return { importId: batchImportId(String(name), tenant, id), isNamed: true };
  } catch (error) {
    sink.giveBack(body);
    throw error;
  }
}

function checkFormat(format: string | null): void {
  if (format === null || format === '' || format === 'ndjson' || format === 'json') return;
  throw new AppError('bad_request', `cannot take events in format=${format.slice(0, 40)}: send ndjson or json`);
}

/** Who may not create is told the same of a data source that is not there and of one that is not theirs. */
function checkMay(principal: WorkspacePrincipal, name: string, known: DataSourceEntry | undefined): void {
  const mayAppend = principal.may('DATASOURCES:APPEND', known ?? { name });
  if (known === undefined && principal.may('DATASOURCES:CREATE')) return;
  if (!mayAppend) {
    throw new AppError(
      'forbidden',
      `cannot append to data source=${name.slice(0, 130)}: the token has no scope DATASOURCES:APPEND for it`,
    );
  }
  if (known === undefined) {
    throw new AppError(
      'not_found',
      `cannot find data source=${name.slice(0, 130)}: the workspace has none of that name`,
    );
  }
}

/** Makes a data source that fits the events of a body. */
async function createdFor(
  { sink, platform }: EventsOptions,
  tenant: string,
  name: string,
  body: BodyBuffer,
  coding: ContentCoding,
): Promise<DataSourceEntry> {
  try {
    return await createFor(platform.registry, tenant, name, sampleOf(body, coding));
  } catch (error) {
    sink.giveBack(body);
    throw error;
  }
}

/** A refusal for lack of room looks like one for the rate, so that every client backs off and none stops. */
const BUSY: Admission = { limit: 100, remaining: 0, reset: 1 };

const fail: Failure = ({ response }, error) => {
  if (error instanceof RateError) limitHeaders(response, error.admission);
  else if (error.kind.retryable) limitHeaders(response, { ...BUSY, reset: error.retryAfterSeconds ?? 1 });
  // A credential that is no good is 403 to every client of this interface.
  const status = error.code === 'unauthenticated' ? 403 : error.kind.httpStatus;
  sendJson(response, status, { error: error.message });
};
