/**
 * Switches and shares of data sources. Read by whoever belongs to the tenant, set by the administrator of the server.
 *
 *   GET    /api/v1/sources[?tenant=]       → {"sources": [{tenant, name, enabled, percent, mirrorPercent, key, leftOut}]}
 *   PUT    /api/v1/sources {tenant?, name, enabled?, percent?, mirrorPercent?, key?} → one; what is left out stays
 *   DELETE /api/v1/sources?name=[&tenant=] → 204
 *
 * Must stay true: who does not administer the server is shown the own tenant only, whatever the request names.
 */

import { AppError, DEFAULT_PLACEMENT } from '@glasshouse/model';
import type { Route } from '../http/router.ts';
import { sendJson } from '../http/router.ts';
import type { Credentials } from '../platform/credentials.ts';
import type { Setting } from '../platform/setting-rows.ts';
import type { SourceSwitch, SourceSwitches } from '../platform/source-switches.ts';
import { demandServerAdmin, readFields, routesAt, tenantShown } from './administered.ts';

export interface SourceRoutesParts {
  readonly switches: SourceSwitches;
  readonly credentials: Pick<Credentials, 'resolve'>;
}

const PATH = '/api/v1/sources';
/** In errors. */
const WHAT = 'switches of data sources';

export function sourceRoutes({ switches, credentials }: SourceRoutesParts): Route[] {
  const route = routesAt(PATH, credentials);
  const json = ({ tenant, name, value }: Setting<SourceSwitch>): object => ({
    tenant,
    name,
    ...value,
    mirrorPercent: value.mirrorPercent ?? null,
    leftOut: switches.leftOf(tenant, name),
  });
  return [
    route('GET', async ({ response, query }, principal) => {
      await switches.refresh().catch(() => undefined);
      const tenant = tenantShown(WHAT, query.get('tenant') || undefined, principal);
      sendJson(response, 200, { sources: switches.list(tenant).map(json) });
    }),
    route('PUT', async (exchange, principal) => {
      demandServerAdmin(WHAT, principal);
      const { tenant = DEFAULT_PLACEMENT.tenant, name, ...change } = await readFields(exchange);
      if (typeof tenant !== 'string' || typeof name !== 'string')
        throw new AppError('bad_request', 'cannot read tenant and name: they must be texts, and name has to be given');
      sendJson(exchange.response, 200, json(await switches.set(tenant, name, change)));
    }),
    route('DELETE', async ({ response, query }, principal) => {
      demandServerAdmin(WHAT, principal);
      await switches.remove(query.get('tenant') || DEFAULT_PLACEMENT.tenant, query.get('name') ?? '');
      response.writeHead(204).end();
    }),
  ];
}
