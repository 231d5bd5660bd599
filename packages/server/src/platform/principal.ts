/**
 * Who acts on a workspace, and what they may do there: the scopes of a credential, ready to be asked. Whatever the credential
 * is (a token, a JWT, an API key of this server, its admin token), the questions are the same.
 *
 * Must stay true: a question about a resource that no scope reaches is answered no, and its filter lets no row through.
 */

import { AppError, QUARANTINE_SUFFIX } from '@glasshouse/model';
import type { Placement } from '@glasshouse/model';
import type { ScopeType, TokenScope } from './scopes.ts';
import { ANY_RESOURCE } from './scopes.ts';

/** A data source or a pipe, as far as scopes are concerned. */
export interface ResourceRef {
  readonly name: string;
  readonly id?: string;
  /** Names of its columns; none are known of a pipe. */
  readonly columns?: readonly string[];
}

export interface WorkspacePrincipal {
  readonly tenant: string;
  /** Public id of the credential, for the audit line and the rate limit; never the secret. */
  readonly tokenId: string;
  readonly name: string;
  readonly kind: 'token' | 'jwt' | 'key' | 'admin' | 'open';
  readonly scopes: readonly TokenScope[];
  /** Whose data it brings, whatever the data says: set for an API key of the server, which belongs to a project and an environment. */
  readonly placement?: Placement | undefined;
  /** Requests per second that the credential itself sets. */
  readonly rps: number | undefined;
  readonly isAdmin: boolean;
  /** Whether this may be done to the resource, or, without one, to any of its kind. */
  may(action: ScopeType, resource?: ResourceRef): boolean;
  /** Condition on the rows that may be read; undefined for all of them. */
  readFilter(dataSource: ResourceRef): string | undefined;
  /** Condition on the rows that may be appended; undefined for all. */
  writeFilter(dataSource: ResourceRef): string | undefined;
  /** Condition on the rows of a pipe's result; undefined for all. */
  pipeFilter(pipe: ResourceRef): string | undefined;
  /** Parameters of the pipe that are set whatever the caller sends. */
  fixedParams(pipe: ResourceRef): Readonly<Record<string, unknown>>;
}

/** A condition that no row meets. */
const NOTHING = '0';

/** Scopes that include others for every resource. */
const INCLUDED: Readonly<Partial<Record<ScopeType, readonly ScopeType[]>>> = {
  'DATASOURCES:APPEND': ['DATASOURCES:CREATE'],
  'DATASOURCES:READ': ['WORKSPACE:READ_ALL'],
  'PIPES:READ': ['WORKSPACE:READ_ALL'],
};

export interface PrincipalParts {
  readonly tenant: string;
  readonly tokenId: string;
  readonly name: string;
  readonly kind: WorkspacePrincipal['kind'];
  readonly scopes: readonly TokenScope[];
  readonly placement?: Placement | undefined;
  readonly rps?: number | undefined;
}

export function principalOf(parts: PrincipalParts): WorkspacePrincipal {
  const { scopes } = parts;
  const types = new Set(scopes.map(({ type }) => type));
  const isAdmin = types.has('ADMIN') || types.has('ADMIN_USER');
  const isIncluded = (action: ScopeType): boolean =>
    isAdmin || (INCLUDED[action] ?? []).some((wider) => types.has(wider));

  /** The scopes of this type that reach the resource. */
  const reaching = (action: ScopeType, resource: ResourceRef): TokenScope[] =>
    scopes.filter((scope) => scope.type === action && reaches(scope, resource));

  /** What filters of several scopes let through together. */
  const filterOf = (action: ScopeType, resource: ResourceRef): string | undefined => {
    if (isIncluded(action)) return undefined;
    const reached = reaching(action, resource);
    if (reached.length === 0) return NOTHING;
    const filters = reached.flatMap(({ filter }) => filter ?? []);
    if (filters.length < reached.length) return undefined;
    return filters.map((filter) => `(${filter})`).join(' OR ');
  };

  return {
    ...parts,
    rps: parts.rps,
    isAdmin,
    may: (action, resource) => {
      if (isIncluded(action)) return true;
      return resource === undefined ? types.has(action) : reaching(action, resource).length > 0;
    },
    readFilter: (dataSource) => filterOf('DATASOURCES:READ', dataSource),
    writeFilter: (dataSource) => filterOf('DATASOURCES:APPEND', dataSource),
    pipeFilter: (pipe) => filterOf('PIPES:READ', pipe),
    fixedParams: (pipe) =>
      Object.fromEntries(reaching('PIPES:READ', pipe).flatMap(({ fixedParams }) => Object.entries(fixedParams ?? {}))),
  };
}

/** Throws `forbidden` unless the principal may do this. */
export function demand(principal: WorkspacePrincipal, action: ScopeType, resource?: ResourceRef): void {
  if (principal.may(action, resource)) return;
  const scope = resource === undefined ? action : `${action}:${resource.name}`;
  throw new AppError('forbidden', `cannot let token=${principal.name} do this: it has no scope ${scope}`);
}

function reaches(scope: TokenScope, { name, id, columns }: ResourceRef): boolean {
  // A quarantine belongs to its data source. What is in it did not fit, so no filter can tell whose it is.
  const isQuarantine = scope.type === 'DATASOURCES:READ' && name.endsWith(QUARANTINE_SUFFIX);
  if (isQuarantine && scope.filter !== undefined) return false;
  const names = isQuarantine ? [name, name.slice(0, -QUARANTINE_SUFFIX.length)] : [name];
  // A resource that has the name of one that is gone is another one.
  if (scope.id !== undefined) return scope.id === id;
  const isNamed = scope.resource === ANY_RESOURCE || scope.resource === id || names.includes(scope.resource ?? '');
  if (!isNamed) return false;
  // Without a column of its filter the condition would fail for every row.
  return scope.resource !== ANY_RESOURCE || (scope.columns ?? []).every((column) => columns?.includes(column) === true);
}
