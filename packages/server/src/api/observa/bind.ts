/**
 * Judges the token that a key of Observa's SDK is to write through (`tinybirdToken`): it must be able to append traces of the
 * tenant, and, in a workspace that is not the tenant's own, of nobody else.
 *
 * Must stay true: by a token of a shared workspace no key reaches rows of another tenant of it.
 */

import type { Placement } from '@glasshouse/model';
import { AppError, messageOf } from '@glasshouse/model';
import type { Platform } from '../../platform/platform.ts';
import type { WorkspacePrincipal } from '../../platform/principal.ts';
import type { BoundToken } from './key-form.ts';

/** Runs a statement of the server's own and resolves with its rows. */
export type Rows = <Row>(sql: string, options: { readonly params: Readonly<Record<string, string>> }) => Promise<Row[]>;

export interface BindParts {
  readonly platform: Pick<Platform, 'catalog' | 'credentials'>;
  readonly rows: Rows;
}

/** Whom no token is made for: a name that no tenant can have. */
const NOBODY = '-nobody';

/** Rejects with `bad_request`, which says what kind of token is meant. */
export async function bind({ platform, rows }: BindParts, secret: string, placement: Placement): Promise<BoundToken> {
  const { tenant } = placement;
  const principal = await principalOf(platform, secret);
  if (principal?.kind !== 'token') throw refused('there is no such token in any workspace');
  const traces = platform.catalog.dataSource(principal.tenant, 'traces');
  if (traces === undefined || !principal.may('DATASOURCES:APPEND', traces))
    throw refused('it may not append to a data source traces; make one with DATASOURCES:APPEND');
  const isOwn = principal.tenant === tenant;
  const filter = principal.writeFilter(traces);
  if (filter === undefined && !isOwn)
    throw refused(`it is not limited to the tenant; make one with the scope tenant_id = '${tenant}'`);
  if (filter !== undefined) {
    if (!(await lets(rows, filter, placement))) throw refused(`its scope lets no rows of tenant=${tenant} in`);
    if (!isOwn && (await lets(rows, filter, { ...placement, tenant: NOBODY })))
      throw refused(`its scope lets rows of other tenants in; make one with the scope tenant_id = '${tenant}'`);
  }
  return { workspace: principal.tenant, tokenId: principal.tokenId };
}

/** Whose the token is; undefined if it is nobody's. */
async function principalOf(
  { credentials }: BindParts['platform'],
  secret: string,
): Promise<WorkspacePrincipal | undefined> {
  try {
    return await credentials.resolve(secret);
  } catch (error) {
    if (error instanceof AppError && error.kind.retryable) throw error;
    return undefined;
  }
}

/** Whether a filter, which was judged when the token was made, is met by rows of this placement. */
async function lets(rows: Rows, filter: string, { tenant, project, environment }: Placement): Promise<boolean> {
  try {
    const [row] = await rows<{ readonly met: string }>(
      `SELECT toString(count()) AS met FROM
         (SELECT {tenant:String} AS tenant_id, {project:String} AS project_id, {environment:String} AS environment)
       WHERE ${filter}`,
      { params: { tenant, project, environment } },
    );
    return row?.met === '1';
  } catch (error) {
    if (error instanceof AppError && error.kind.retryable) throw error;
    throw refused(`its scope is about more than tenant, project and environment: ${messageOf(error)}`);
  }
}

function refused(why: string): AppError {
  return new AppError('bad_request', `cannot use tinybirdToken: ${why}`);
}
