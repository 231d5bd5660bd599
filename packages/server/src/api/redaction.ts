/**
 * Redaction policies: read by whoever belongs to the tenant, set by the administrator of the server.
 *
 *   GET    /api/v1/redaction[?tenant=]  → {"policies": [{tenant, project, environment, preset, prompts, …, redact, truncateTo}], "presets"}
 *   PUT    /api/v1/redaction {tenant?, project?, environment?, preset?, prompts?, completions?, tools?, users?, redact?, truncateTo?} → one
 *   DELETE /api/v1/redaction[?tenant=&project=&environment=] → 204
 *
 * Must stay true: who does not administer the server is shown the own tenant only, whatever the request names.
 */

import type { Placement } from '@glasshouse/model';
import { AppError, DEFAULT_PLACEMENT } from '@glasshouse/model';
import type { PlacedPolicy } from '@glasshouse/redaction';
import { presetNameOf, PRESETS, readPolicy } from '@glasshouse/redaction';
import type { RedactionPolicies } from '../control/redaction.ts';
import type { Route } from '../http/router.ts';
import { sendJson } from '../http/router.ts';
import type { Credentials } from '../platform/credentials.ts';
import { demandServerAdmin, readFields, routesAt, tenantShown } from './administered.ts';

export interface RedactionRoutesParts {
  readonly redaction: RedactionPolicies;
  readonly credentials: Pick<Credentials, 'resolve'>;
}

const PATH = '/api/v1/redaction';
/** In errors. */
const WHAT = 'redaction policies';

export function redactionRoutes({ redaction, credentials }: RedactionRoutesParts): Route[] {
  const route = routesAt(PATH, credentials);
  return [
    route('GET', async ({ response, query }, principal) => {
      await redaction.refresh();
      const tenant = tenantShown(WHAT, query.get('tenant') || undefined, principal);
      sendJson(response, 200, { policies: redaction.list(tenant).map(policyJson), presets: PRESETS });
    }),
    route('PUT', async (exchange, principal) => {
      demandServerAdmin(WHAT, principal);
      const { tenant, project, environment, ...policy } = await readFields(exchange);
      const place = {
        tenant: nameOf('tenant', tenant ?? DEFAULT_PLACEMENT.tenant),
        project: nameOf('project', project ?? ''),
        environment: nameOf('environment', environment ?? ''),
      };
      sendJson(exchange.response, 200, policyJson(await redaction.set(place, readPolicy(policy))));
    }),
    route('DELETE', async ({ response, query }, principal) => {
      demandServerAdmin(WHAT, principal);
      const place: Placement = {
        tenant: query.get('tenant') || DEFAULT_PLACEMENT.tenant,
        project: query.get('project') ?? '',
        environment: query.get('environment') ?? '',
      };
      await redaction.remove(place);
      response.writeHead(204).end();
    }),
  ];
}

function policyJson({ policy, ...place }: PlacedPolicy): object {
  return { ...place, preset: presetNameOf(policy) ?? null, ...policy };
}

function nameOf(what: string, value: unknown): string {
  if (typeof value === 'string') return value;
  throw new AppError('bad_request', `cannot read ${what}: it must be a text`);
}
