/**
 * Who asks, for the query routes: the credential's principal, or, for an administrator, the tenant that it names.
 *
 * Must stay true: only the admin scope may name another tenant.
 */

import type { Principal, Scope } from '@glasshouse/model';
import { AppError, NAME_PATTERN } from '@glasshouse/model';
import type { Principals } from '../control/principals.ts';
import { credentialOf } from '../http/credential.ts';
import type { Exchange } from '../http/router.ts';

/** Names the tenant whose data an administrator asks for. */
const TENANT_HEADER = 'x-glasshouse-tenant';

export async function callerOf(principals: Principals, { request, query }: Exchange, scope: Scope): Promise<Principal> {
  const principal = await principals.resolve(credentialOf(request.headers, query), scope);
  const tenant = request.headers[TENANT_HEADER];
  if (typeof tenant !== 'string' || tenant === principal.placement.tenant) return principal;
  if (!principal.scopes.includes('admin') || !NAME_PATTERN.test(tenant)) {
    throw new AppError('forbidden', 'cannot act for another tenant: the credential has no scope admin');
  }
  return { ...principal, placement: { ...principal.placement, tenant } };
}
