/**
 * Who a piece of data belongs to, and what a credential may do. Every row carries the three names of `Placement`;
 * they lead the sorting key of every table.
 */

/** Where data belongs. Each name matches `NAME_PATTERN`. */
export interface Placement {
  readonly tenant: string;
  readonly project: string;
  readonly environment: string;
}

/** What a credential may do. `admin` includes the other two, for every tenant. */
export const SCOPES = ['ingest', 'query', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

/** Where data without a credential goes while authentication is open. */
export const DEFAULT_PLACEMENT: Placement = { tenant: 'default', project: 'default', environment: 'dev' };

/**
 * Names of tenants, projects and environments: they become names of databases and parts of settings, so they are kept
 * to characters that need no quoting anywhere.
 */
export const NAME_PATTERN = /^[a-z0-9][a-z0-9_-]{0,62}$/;

/** The caller of a request, after its credential was resolved. */
export interface Principal {
  readonly placement: Placement;
  readonly scopes: readonly Scope[];
  /** The API key's public id, or `open` / `admin-token`; goes to the audit line, never the secret itself. */
  readonly keyId: string;
}

/** True if the principal may act with the scope. */
export function allows(principal: Principal, scope: Scope): boolean {
  return principal.scopes.includes(scope) || principal.scopes.includes('admin');
}
