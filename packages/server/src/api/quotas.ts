/**
 * Quotas: read by whoever belongs to the tenant, set by the administrator of the server.
 *
 *   GET    /api/v1/quotas[?tenant=&project=]  → {"quotas": [{tenant, project, limits, warnAt, use, warnings}]}
 *   PUT    /api/v1/quotas {tenant, project?, eventsPerSecond?, bytesPerDay?, storedBytes?, spendPerDay?, warnAt?} → one of these
 *   DELETE /api/v1/quotas?tenant=[&project=]  → one of these
 *
 * Must stay true: who does not administer the server is shown the own tenant only, whatever the request names.
 */

import { AppError } from '@glasshouse/model';
import type { QuotaKind } from '../control/quota-account.ts';
import { QUOTA_KINDS } from '../control/quota-account.ts';
import type { QuotaOwner, Quotas, QuotaState } from '../control/quotas.ts';
import { changedQuota } from '../control/quotas.ts';
import type { Route } from '../http/router.ts';
import { sendJson } from '../http/router.ts';
import type { Credentials } from '../platform/credentials.ts';
import type { Fields } from './administered.ts';
import { demandServerAdmin, readFields, routesAt, tenantShown } from './administered.ts';

export interface QuotaRoutesParts {
  readonly quotas: Quotas;
  readonly credentials: Pick<Credentials, 'resolve'>;
}

const PATH = '/api/v1/quotas';
/** In errors. */
const WHAT = 'quotas';

export function quotaRoutes({ quotas, credentials }: QuotaRoutesParts): Route[] {
  const route = routesAt(PATH, credentials);
  return [
    route('GET', async ({ response, query }, principal) => {
      const tenant = tenantShown(WHAT, query.get('tenant') || undefined, principal);
      const project = query.get('project');
      const states = quotas.list(tenant).filter((state) => project === null || state.project === project);
      const isMissing = tenant !== undefined && project === null && states.every((state) => state.project !== '');
      // A tenant that never sent anything is shown all the same.
      const own = isMissing ? [quotas.state({ tenant, project: '' })] : [];
      sendJson(response, 200, { quotas: [...own, ...states].map(stateJson) });
    }),
    route('PUT', async (exchange, principal) => {
      demandServerAdmin(WHAT, principal);
      const fields = await readFields(exchange);
      const owner = { tenant: textOf(fields, 'tenant'), project: textOf(fields, 'project', '') };
      const { warnAt } = fields;
      if (warnAt !== undefined && typeof warnAt !== 'number') throw wrong('warnAt', 'it must be a number such as 0.8');
      const quota = changedQuota(quotas.state(owner).quota, limitsOf(fields), warnAt);
      sendJson(exchange.response, 200, stateJson(await quotas.set({ ...owner, ...quota })));
    }),
    route('DELETE', async ({ response, query }, principal) => {
      demandServerAdmin(WHAT, principal);
      const tenant = query.get('tenant') ?? '';
      if (tenant === '') throw wrong('tenant', 'say whose quota to remove as ?tenant=');
      sendJson(response, 200, stateJson(await quotas.remove({ tenant, project: query.get('project') ?? '' })));
    }),
  ];
}

function stateJson({ tenant, project, quota, use }: QuotaState): object {
  const near = QUOTA_KINDS.filter((kind) => use[kind] >= (quota?.limits[kind] ?? Infinity) * (quota?.warnAt ?? 1));
  return { tenant, project, limits: quota?.limits ?? {}, warnAt: quota?.warnAt ?? null, use, warnings: near };
}

function limitsOf(fields: Fields): Partial<Record<QuotaKind, number | null>> {
  const limits: Partial<Record<QuotaKind, number | null>> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (['tenant', 'project', 'warnAt'].includes(name)) continue;
    const kind = QUOTA_KINDS.find((known) => known === name);
    if (kind === undefined) throw wrong(name, `there is no such limit; give some of ${QUOTA_KINDS.join(', ')}`);
    if (value !== null && typeof value !== 'number') throw wrong(name, 'it must be a number, or null for no limit');
    limits[kind] = value;
  }
  return limits;
}

function textOf(fields: Fields, name: keyof QuotaOwner, otherwise?: string): string {
  const value = fields[name] ?? otherwise;
  if (typeof value === 'string' && (value !== '' || otherwise === '')) return value;
  throw wrong(name, 'it must be a text');
}

function wrong(name: string, why: string): AppError {
  return new AppError('bad_request', `cannot read ${name.slice(0, 40)}: ${why}`);
}
