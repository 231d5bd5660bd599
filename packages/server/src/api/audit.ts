/**
 * The audit log, read: by the administrator of the server for all tenants, by one of a workspace for its own tenant.
 *
 *   GET /api/v1/audit[?since=&until=&action=&tenant=&limit=] → {"entries": [{time, action, actor, tenant, target, …}]}
 *
 * Must stay true: who does not administer the server is shown rows of the own tenant only, whatever the request names.
 */

import { AppError, NAME_PATTERN } from '@glasshouse/model';
import type { Audit } from '../control/audit.ts';
import type { AuditRow } from '../control/audit-entry.ts';
import { credentialOf } from '../http/credential.ts';
import type { Exchange, Route } from '../http/router.ts';
import { failJson, sendJson } from '../http/router.ts';
import type { Credentials } from '../platform/credentials.ts';

export interface AuditRoutesParts {
  readonly audit: Pick<Audit, 'read'>;
  readonly credentials: Pick<Credentials, 'resolve'>;
  readonly now: () => number;
}

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 10_000;
const ISO_TIME = /^\d{4}-\d\d-\d\d/u;
const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

export function auditRoutes(parts: AuditRoutesParts): Route[] {
  return [{ method: 'GET', path: '/api/v1/audit', fail: failJson, handle: (exchange) => answer(exchange, parts) }];
}

async function answer({ request, response, query }: Exchange, parts: AuditRoutesParts): Promise<void> {
  const principal = await parts.credentials.resolve(credentialOf(request.headers, query));
  if (!principal.isAdmin)
    throw new AppError(
      'forbidden',
      'cannot show the audit log: the credential administers no workspace; use the admin token, or a token with the scope ADMIN',
    );
  const named = query.get('tenant') ?? request.headers['x-glasshouse-tenant'];
  const wanted = typeof named === 'string' && named !== '' ? named : undefined;
  if (wanted !== undefined && !NAME_PATTERN.test(wanted))
    throw new AppError('bad_request', `cannot read tenant=${wanted.slice(0, 80)}: it is no name of a tenant`);
  const tenant = principal.kind === 'admin' ? wanted : principal.tenant;
  if (tenant !== undefined && wanted !== undefined && wanted !== tenant)
    throw new AppError('forbidden', 'cannot show the audit log of another tenant: the token belongs to one workspace');
  const rows = await parts.audit.read({
    tenant,
    action: query.get('action') || undefined,
    since: timeOf('since', query.get('since'), parts.now()),
    until: timeOf('until', query.get('until'), parts.now()),
    limit: limitOf(query.get('limit')),
  });
  sendJson(response, 200, { entries: rows.map(entryJson) });
}

function entryJson(row: AuditRow): object {
  const { id, action, target, environment, outcome, message } = row;
  return {
    id,
    time: `${row.time.replace(' ', 'T')}Z`,
    action,
    outcome,
    ...(message === '' ? {} : { message }),
    actor: { id: row.actor, name: row.actor_name, kind: row.actor_kind, tenant: row.actor_tenant },
    ...{ tenant: row.tenant_id, project: row.project_id, environment, target },
    before: stateOf(row.before),
    after: stateOf(row.after),
    remoteAddress: row.remote_address,
    userAgent: row.user_agent,
    requestId: row.request_id,
  };
}

function stateOf(text: string): unknown {
  return text === '' ? null : (JSON.parse(text) as unknown);
}

/** A time as ISO 8601, or how long ago: `30m`, `1h`, `7d`. */
function timeOf(name: string, text: string | null, now: number): Date | undefined {
  if (text === null || text === '') return undefined;
  const [, count, unit = ''] = /^(\d{1,9})([smhd])$/u.exec(text) ?? [];
  const time =
    count === undefined
      ? new Date(ISO_TIME.test(text) ? text : Number.NaN)
      : new Date(now - Number(count) * (UNITS[unit] ?? 0));
  if (Number.isFinite(time.getTime()) && time.getTime() > 0 && time.getTime() < 4e12) return time;
  throw new AppError(
    'bad_request',
    `cannot read ${name}=${text.slice(0, 40)}: give a time as 2026-01-31T12:00:00Z, or 1h`,
  );
}

function limitOf(text: string | null): number {
  if (text === null || text === '') return DEFAULT_LIMIT;
  const limit = Number(text);
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_LIMIT) return limit;
  throw new AppError(
    'bad_request',
    `cannot read limit=${text.slice(0, 40)}: give a whole number from 1 to ${MAX_LIMIT}`,
  );
}
