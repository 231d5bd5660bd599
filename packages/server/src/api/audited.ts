/**
 * Routes under the eyes of the audit log: what may change something, and what an administrator reads of another tenant, is
 * announced before the route begins, and answered only when it is synced what came of it. The one place where requests meet the
 * log, so that no route has to think of it.
 *
 * Must stay true: an announced request ends with a row, whatever its route does. Routes that take data in are left as they are.
 */

import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { NAME_PATTERN, toAppError } from '@glasshouse/model';
import type { Act, Audit, Intent } from '../control/audit.ts';
import type { Actor, AuditOutcome, Origin } from '../control/audit-entry.ts';
import { UNKNOWN } from '../control/audit-entry.ts';
import type { Keys } from '../control/keys.ts';
import { credentialOf } from '../http/credential.ts';
import type { Exchange, Route } from '../http/router.ts';
import type { Credentials } from '../platform/credentials.ts';
import { actionOf, takesData } from './audit-table.ts';

export interface AuditedParts {
  readonly audit: Audit;
  readonly credentials: Pick<Credentials, 'resolve'>;
  readonly keys: Pick<Keys, 'get'>;
}

const TENANT_HEADER = 'x-glasshouse-tenant';
const REQUEST_HEADER = 'x-request-id';
const REQUEST_ID = /^[\w.:-]{1,100}$/u;

/** The routes, with everything recorded that they do. */
export function audited(routes: readonly Route[], parts: AuditedParts): Route[] {
  return routes.map((route) =>
    takesData(route) ? route : { ...route, handle: (exchange) => handle(route, exchange, parts) },
  );
}

async function handle(route: Route, exchange: Exchange, parts: AuditedParts): Promise<void> {
  const change = actionOf(route, exchange);
  const named = exchange.request.headers[TENANT_HEADER];
  if (change === undefined && named === undefined) return route.handle(exchange);
  const acting = await whoActs(exchange, parts);
  const isForeign = acting !== undefined && acting.actor.kind === 'admin' && acting.tenant !== acting.actor.tenant;
  const action = change ?? (isForeign ? 'read.other_tenant' : undefined);
  if (action === undefined) return route.handle(exchange);
  const origin = originOf(exchange);
  const target = change === undefined ? `${route.method} ${exchange.path}` : targetOf(exchange);
  const intent = { actor: acting?.actor ?? UNKNOWN, action, tenant: acting?.tenant ?? '', target, origin };
  exchange.response.setHeader('X-Request-Id', origin.requestId);
  return acting === undefined ? attempt(route, exchange, intent, parts) : act(route, exchange, intent, parts);
}

async function act(route: Route, exchange: Exchange, intent: Intent, { audit }: AuditedParts): Promise<void> {
  const opened = await audit.begin(intent);
  return perform(route, exchange, opened, audit, (error) =>
    audit.settle(opened, outcomeOf(error.status), error.message),
  );
}

/** A request of nobody that is known, which is about to be refused. */
async function attempt(route: Route, exchange: Exchange, intent: Intent, { audit }: AuditedParts): Promise<void> {
  const opened = audit.attempt(intent);
  return perform(route, exchange, opened, audit, async (error) => audit.refuse(opened, error.message));
}

type OnFailed = (error: { readonly status: number; readonly message: string }) => Promise<void>;

async function perform(route: Route, exchange: Exchange, opened: Act, audit: Audit, onFailed: OnFailed): Promise<void> {
  const { response } = exchange;
  const release = holdEnd(response, () => audit.settle(opened, outcomeOf(response.statusCode)));
  try {
    await audit.within(opened, () => route.handle(exchange));
  } catch (thrown) {
    const error = toAppError(thrown);
    if (!opened.isSettled) await onFailed({ status: error.kind.httpStatus, message: error.message });
    release();
    throw thrown;
  }
}

/** Lets the last byte of an answer wait for `settle`. Returns what lets go of it. */
function holdEnd(response: ServerResponse, settle: () => Promise<void>): () => void {
  const end = response.end.bind(response) as (...args: readonly unknown[]) => ServerResponse;
  let isHeld = true;
  response.end = ((...args: readonly unknown[]) => {
    if (!isHeld) return end(...args);
    isHeld = false;
    void settle().then(() => end(...args));
    return response;
  }) as typeof response.end;
  return () => void (isHeld = false);
}

/** Who sent the request, and for which tenant they act; undefined if the credential is no good. */
async function whoActs(
  { request, query }: Exchange,
  { credentials, keys }: AuditedParts,
): Promise<{ readonly actor: Actor; readonly tenant: string } | undefined> {
  try {
    const principal = await credentials.resolve(credentialOf(request.headers, query));
    const { tokenId: id, kind } = principal;
    const key = keys.get(id);
    const actor = { id, kind, name: key?.name ?? principal.name, tenant: key?.placement.tenant ?? principal.tenant };
    const named = request.headers[TENANT_HEADER];
    const mayName = kind === 'admin' && typeof named === 'string' && NAME_PATTERN.test(named);
    return { actor, tenant: mayName ? named : actor.tenant };
  } catch {
    // What is wrong with it the route will say.
    return undefined;
  }
}

function originOf({ request }: Exchange): Origin {
  const given = request.headers[REQUEST_HEADER];
  return {
    remoteAddress: request.socket.remoteAddress ?? '',
    userAgent: request.headers['user-agent'] ?? '',
    requestId: typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID(),
  };
}

/** What the address names; what a body names is known of the change itself. */
function targetOf({ params, query }: Exchange): string {
  const named = Object.values(params).join('/');
  return named !== '' ? named : (query.get('name') ?? query.get('id') ?? '');
}

function outcomeOf(status: number): AuditOutcome {
  return status < 400 ? 'ok' : status < 500 ? 'refused' : 'error';
}
