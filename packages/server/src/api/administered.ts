/**
 * What routes have in common over settings that tenants may see and the administrator of the server sets.
 *
 * Must stay true: who does not administer the server is shown the own tenant only, whatever the request names.
 */

import { AppError } from '@glasshouse/model';
import { readBody } from '../http/body.ts';
import { credentialOf } from '../http/credential.ts';
import type { Exchange, Route } from '../http/router.ts';
import { failJson } from '../http/router.ts';
import type { Credentials } from '../platform/credentials.ts';
import type { WorkspacePrincipal } from '../platform/principal.ts';

export type Fields = Readonly<Record<string, unknown>>;

const MAX_BODY_BYTES = 64 << 10;

/** A maker of routes at a path, which are told who asks. */
export function routesAt(
  path: string,
  credentials: Pick<Credentials, 'resolve'>,
): (method: Route['method'], act: (exchange: Exchange, principal: WorkspacePrincipal) => Promise<void>) => Route {
  return (method, act) => ({
    method,
    path,
    fail: failJson,
    handle: async (exchange) => {
      const { request, query } = exchange;
      await act(exchange, await credentials.resolve(credentialOf(request.headers, query)));
    },
  });
}

/** The tenant whose settings are shown; undefined for all. Throws `forbidden` for one that is not the caller's. */
export function tenantShown(
  what: string,
  wanted: string | undefined,
  { kind, tenant }: WorkspacePrincipal,
): string | undefined {
  if (kind === 'admin') return wanted;
  if (wanted === undefined || wanted === tenant) return tenant;
  throw new AppError('forbidden', `cannot show ${what} of another tenant: the credential belongs to one tenant`);
}

/** Throws `forbidden` unless the caller administers the server. */
export function demandServerAdmin(what: string, { kind }: WorkspacePrincipal): void {
  if (kind !== 'admin') throw new AppError('forbidden', `cannot change ${what}: the credential has no scope admin`);
}

/** The body as a JSON object. Throws `bad_request`. */
export async function readFields({ request }: Exchange): Promise<Fields> {
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
