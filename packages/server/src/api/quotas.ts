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
import { readBody } from '../http/body.ts';
import { credentialOf } from '../http/credential.ts';
import type { Exchange, Route } from '../http/router.ts';
import { failJson, sendJson } from '../http/router.ts';
import type { Credentials } from '../platform/credentials.ts';
import type { WorkspacePrincipal } from '../platform/principal.ts';

export interface QuotaRoutesParts {
  readonly quotas: Quotas;
  readonly credentials: Pick<Credentials, 'resolve'>;
}

type Fields = Readonly<Record<string, unknown>>;

const PATH = '/api/v1/quotas';
const MAX_BODY_BYTES = 64 << 10;

export function quotaRoutes({ quotas, credentials }: QuotaRoutesParts): Route[] {
  const route = (
    method: Route['method'],
    act: (exchange: Exchange, principal: WorkspacePrincipal) => Promise<void>,
  ): Route => ({
    method,
    path: PATH,
    fail: failJson,
    handle: async (exchange) => {
      const { request, query } = exchange;
      await act(exchange, await credentials.resolve(credentialOf(request.headers, query)));
    },
  });
  return [
    route('GET', async ({ response, query }, principal) => {
      const tenant = tenantFor(query.get('tenant') || undefined, principal);
      const project = query.get('project');
      const states = quotas.list(tenant).filter((state) => project === null || state.project === project);
      const isMissing = tenant !== undefined && project === null && states.every((state) => state.project !== '');
      // A tenant that never sent anything is shown all the same.
      const own = isMissing ? [quotas.state({ tenant, project: '' })] : [];
      sendJson(response, 200, { quotas: [...own, ...states].map(stateJson) });
    }),
    route('PUT', async (exchange, principal) => {
      demandAdmin(principal);
      const fields = await readFields(exchange);
      const owner = { tenant: textOf(fields, 'tenant'), project: textOf(fields, 'project', '') };
      const { warnAt } = fields;
      if (warnAt !== undefined && typeof warnAt !== 'number') throw wrong('warnAt', 'it must be a number such as 0.8');
      const quota = changedQuota(quotas.state(owner).quota, limitsOf(fields), warnAt);
      sendJson(exchange.response, 200, stateJson(await quotas.set({ ...owner, ...quota })));
    }),
    route('DELETE', async ({ response, query }, principal) => {
      demandAdmin(principal);
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

function tenantFor(wanted: string | undefined, { kind, tenant }: WorkspacePrincipal): string | undefined {
  if (kind === 'admin') return wanted;
  if (wanted === undefined || wanted === tenant) return tenant;
  throw new AppError('forbidden', 'cannot show quotas of another tenant: the credential belongs to one tenant');
}

function demandAdmin({ kind }: WorkspacePrincipal): void {
  if (kind !== 'admin') throw new AppError('forbidden', 'cannot change quotas: the credential has no scope admin');
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

async function readFields({ request }: Exchange): Promise<Fields> {
  const body = await readBody(request, MAX_BODY_BYTES);
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch (cause) {
    throw new AppError('bad_request', 'cannot read the body: it is not JSON', { cause });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw new AppError('bad_request', 'cannot read the body: it must be a JSON object');
}

function textOf(fields: Fields, name: keyof QuotaOwner, otherwise?: string): string {
  const value = fields[name] ?? otherwise;
  if (typeof value === 'string' && (value !== '' || otherwise === '')) return value;
  throw wrong(name, 'it must be a text');
}

function wrong(name: string, why: string): AppError {
  return new AppError('bad_request', `cannot read ${name.slice(0, 40)}: ${why}`);
}
