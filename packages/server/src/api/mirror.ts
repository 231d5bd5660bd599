/**
 * Mirrors: where events of a tenant go besides. Read by whoever belongs to the tenant, set by the administrator of the server.
 *
 *   GET    /api/v1/mirror[?tenant=] → {"mirrors": [{tenant, url, sources, percent, limitBytes, paused, tokenSetAt, status}]}
 *   PUT    /api/v1/mirror {tenant?, url?, token?, sources?, percent?, limitBytes?, paused?} → one; what is left out stays
 *   DELETE /api/v1/mirror[?tenant=] → 204; what waits is dropped
 *   POST   /api/v1/mirror/retry[?tenant=] → {"batches": NUMBER}, those that were put aside and are sent again
 *
 * Must stay true: who does not administer the server is shown the own tenant only. No answer has a token.
 */

import { AppError, DEFAULT_PLACEMENT } from '@glasshouse/model';
import type { Route } from '../http/router.ts';
import { sendJson } from '../http/router.ts';
import type { MirrorStatus } from '../mirror/messages.ts';
import type { Mirroring } from '../mirror/mirroring.ts';
import type { Credentials } from '../platform/credentials.ts';
import type { Mirror, Mirrors } from '../platform/mirrors.ts';
import { demandServerAdmin, readFields, routesAt, tenantShown } from './administered.ts';

export interface MirrorRoutesParts {
  readonly mirrors: Mirrors;
  readonly mirroring: Pick<Mirroring, 'retry' | 'statuses'>;
  readonly credentials: Pick<Credentials, 'resolve'>;
}

const PATH = '/api/v1/mirror';
/** In errors. */
const WHAT = 'mirrors';

export function mirrorRoutes({ mirrors, mirroring, credentials }: MirrorRoutesParts): Route[] {
  const route = routesAt(PATH, credentials);
  const withStatus = (mirror: Mirror & { readonly tenant: string }): object => {
    const [status] = mirroring.statuses(mirror.tenant);
    return { ...mirror, status: status === undefined ? null : statusJson(status) };
  };
  return [
    route('GET', async ({ response, query }, principal) => {
      const tenant = tenantShown(WHAT, query.get('tenant') || undefined, principal);
      sendJson(response, 200, { mirrors: mirrors.list(tenant).map(withStatus) });
    }),
    route('PUT', async (exchange, principal) => {
      demandServerAdmin(WHAT, principal);
      const { tenant = DEFAULT_PLACEMENT.tenant, ...change } = await readFields(exchange);
      if (typeof tenant !== 'string') throw new AppError('bad_request', 'cannot read tenant: it must be a text');
      sendJson(exchange.response, 200, withStatus(await mirrors.set(tenant, change)));
    }),
    route('DELETE', async ({ response, query }, principal) => {
      demandServerAdmin(WHAT, principal);
      await mirrors.remove(query.get('tenant') || DEFAULT_PLACEMENT.tenant);
      response.writeHead(204).end();
    }),
    routesAt(`${PATH}/retry`, credentials)('POST', async ({ response, query }, principal) => {
      demandServerAdmin(WHAT, principal);
      const tenant = query.get('tenant') || DEFAULT_PLACEMENT.tenant;
      if (mirrors.list(tenant).length === 0)
        throw new AppError('not_found', `cannot send again for tenant=${tenant.slice(0, 80)}: it has no mirror`);
      sendJson(response, 200, { batches: mirroring.retry(tenant) });
    }),
  ];
}

function statusJson({ oldestAt, notBefore, fault, isExact, ...status }: MirrorStatus): object {
  return {
    ...status,
    oldestAt: timeOf(oldestAt),
    nextAttemptAt: timeOf(notBefore),
    lastError: fault ?? null,
    exactlyOnce: isExact ?? null,
  };
}

function timeOf(milliseconds: number | undefined): string | null {
  return milliseconds === undefined ? null : new Date(milliseconds).toISOString();
}
