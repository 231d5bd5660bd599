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
import { readBody } from '../http/body.ts';
import { credentialOf } from '../http/credential.ts';
import type { Exchange, Route } from '../http/router.ts';
import { failJson, sendJson } from '../http/router.ts';
import type { Credentials } from '../platform/credentials.ts';
import type { WorkspacePrincipal } from '../platform/principal.ts';

export interface RedactionRoutesParts {
  readonly redaction: RedactionPolicies;
  readonly credentials: Pick<Credentials, 'resolve'>;
}

const PATH = '/api/v1/redaction';
const MAX_BODY_BYTES = 64 << 10;

export function redactionRoutes({ redaction, credentials }: RedactionRoutesParts): Route[] {
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
      await redaction.refresh();
      const tenant = tenantFor(query.get('tenant') || undefined, principal);
      sendJson(response, 200, { policies: redaction.list(tenant).map(policyJson), presets: PRESETS });
    }),
    route('PUT', async (exchange, principal) => {
      demandAdmin(principal);
      const { tenant, project, environment, ...policy } = await readFields(exchange);
      const place = {
        tenant: nameOf('tenant', tenant ?? DEFAULT_PLACEMENT.tenant),
        project: nameOf('project', project ?? ''),
        environment: nameOf('environment', environment ?? ''),
      };
      sendJson(exchange.response, 200, policyJson(await redaction.set(place, readPolicy(policy))));
    }),
    route('DELETE', async ({ response, query }, principal) => {
      demandAdmin(principal);
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

function tenantFor(wanted: string | undefined, { kind, tenant }: WorkspacePrincipal): string | undefined {
  if (kind === 'admin') return wanted;
  if (wanted === undefined || wanted === tenant) return tenant;
  throw new AppError(
    'forbidden',
    'cannot show redaction policies of another tenant: the credential belongs to one tenant',
  );
}

function demandAdmin({ kind }: WorkspacePrincipal): void {
  if (kind !== 'admin')
    throw new AppError('forbidden', 'cannot change redaction policies: the credential has no scope admin');
}

async function readFields({ request }: Exchange): Promise<Record<string, unknown>> {
  const body = await readBody(request, MAX_BODY_BYTES);
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch (cause) {
    throw new AppError('bad_request', 'cannot read the body: it is not JSON', { cause });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new AppError('bad_request', 'cannot read the body: it must be a JSON object');
}

function nameOf(what: string, value: unknown): string {
  if (typeof value === 'string') return value;
  throw new AppError('bad_request', `cannot read ${what}: it must be a text`);
}
