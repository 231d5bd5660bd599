/**
 * What a token of the data platform is to the query door: whose queries they are, and what of the workspace they may read.
 *
 * Must stay true: a data source that no scope reaches is not among what may be read, and one with a filter is read through it.
 */

import type { Principal } from '@glasshouse/model';
import { DEFAULT_PLACEMENT } from '@glasshouse/model';
import type { Reads } from '../query/reads.ts';
import { READS_ALL } from '../query/reads.ts';
import type { Catalog } from './catalog.ts';
import type { WorkspacePrincipal } from './principal.ts';

/** The principal as the door knows them. */
export function queryPrincipal({ tenant, tokenId }: Pick<WorkspacePrincipal, 'tenant' | 'tokenId'>): Principal {
  return { placement: { ...DEFAULT_PLACEMENT, tenant }, scopes: ['query'], keyId: tokenId };
}

/** True if no table of the workspace is kept from the principal. */
export function readsAll(principal: WorkspacePrincipal): boolean {
  return principal.may('WORKSPACE:READ_ALL');
}

/** What the principal's own statements may read. */
export function readsOf(principal: WorkspacePrincipal, catalog: Pick<Catalog, 'dataSources'>): Reads {
  if (readsAll(principal)) return READS_ALL;
  const tables = new Map<string, string | undefined>();
  for (const entry of catalog.dataSources(principal.tenant)) {
    if (principal.may('DATASOURCES:READ', entry)) tables.set(entry.name, principal.readFilter(entry));
  }
  return { kind: 'some', tables };
}
