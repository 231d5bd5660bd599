/**
 * Scopes of tokens: what they are called, how they are written in one line, and what a workspace's resource has to be for a
 * scope to reach it. The notation is Tinybird's (https://www.tinybird.co/docs/api-reference/token-api).
 *
 * Must stay true: `parseScope` of what `printScope` returns is the same scope.
 */

import { AppError } from '@glasshouse/model';

/** What a scope is about. Whether it names a resource, and whether the rows of that can be filtered. */
const KINDS = {
  ADMIN: { resource: false, filter: false },
  ADMIN_USER: { resource: false, filter: false },
  TOKENS: { resource: false, filter: false },
  'WORKSPACE:READ_ALL': { resource: false, filter: false },
  'ORG_DATASOURCES:READ': { resource: false, filter: false },
  'DATASOURCES:CREATE': { resource: false, filter: false },
  'DATASOURCES:APPEND': { resource: true, filter: true },
  'DATASOURCES:READ': { resource: true, filter: true },
  'DATASOURCES:DROP': { resource: true, filter: false },
  'PIPES:CREATE': { resource: false, filter: false },
  'PIPES:READ': { resource: true, filter: true },
  'PIPES:DROP': { resource: true, filter: false },
} as const;

export type ScopeType = keyof typeof KINDS;

/** The kind of resource that a scope of this type names. */
export function kindOf(type: ScopeType): 'datasource' | 'pipe' {
  return type.startsWith('PIPES') ? 'pipe' : 'datasource';
}

export const SCOPE_TYPES = Object.keys(KINDS) as readonly ScopeType[];

/** Stands for every resource of the kind. With a filter: every one that has the columns which the filter names. */
export const ANY_RESOURCE = '*';

export interface TokenScope {
  readonly type: ScopeType;
  /** Name or id of a data source or a pipe, or `*`. */
  readonly resource?: string;
  /** Id of the resource that the name stands for. Then no other is meant, whatever it is called; without it, whichever has the name. */
  readonly id?: string;
  /** SQL condition on a row. */
  readonly filter?: string;
  /** Columns that the filter names, once it was judged. */
  readonly columns?: readonly string[];
  /** Parameters of a pipe whose values the caller cannot choose. */
  readonly fixedParams?: Readonly<Record<string, unknown>>;
}

const MAX_FILTER_LENGTH = 4_096;
const RESOURCE_PATTERN = /^(?:[A-Za-z_][\w.-]{0,199}|\*)$/u;

/** True for scopes that let their bearer reach further than any list of resources: those only an administrator gives away. */
export function isPowerful({ type }: TokenScope): boolean {
  return type === 'ADMIN' || type === 'ADMIN_USER' || type === 'TOKENS';
}

/**
 * Reads `SCOPE[:resource[:filter]]`. The filter may hold colons. `DATASOURCES:APPEND::filter` means every data source that has
 * the filter's columns. Throws `bad_request` for what is no scope.
 */
export function parseScope(text: string): TokenScope {
  const scope = tryParse(text.trim());
  if (scope !== undefined) return scope;
  throw new AppError('bad_request', `cannot use scope=${shorten(text)}: it must be one of ${SCOPE_TYPES.join(', ')}`);
}

/** Writes a scope in one line. */
export function printScope({ type, resource, filter }: TokenScope): string {
  return [type, ...(resource === undefined ? [] : [resource]), ...(filter === undefined ? [] : [filter])].join(':');
}

/** A request for scopes in one of the two ways that clients have. */
export interface WantedScopes {
  /** `scope=` as often as it was given. */
  readonly scopes: readonly string[];
  /**
   * `permission=`, one of read, write, admin, or several with commas. Then `scope` is a condition on rows, such as
   * `tenant_id = 'x'`, and the token is for every data source that has the columns of it.
   */
  readonly permissions?: readonly string[];
}

/** Turns a request into scopes; filters are not judged yet. Throws `bad_request` if there is none, or no such scope. */
export function wantedScopes({ scopes, permissions = [] }: WantedScopes): TokenScope[] {
  const given = permissions.flatMap((text) => text.split(',')).map((text) => text.trim().toLowerCase());
  if (given.length === 0) {
    if (scopes.length === 0) throw new AppError('bad_request', 'cannot make the token: it has no scope; give scope=…');
    return scopes.map(parseScope);
  }
  const known = scopes.flatMap((text) => tryParse(text.trim()) ?? []);
  const filters = scopes.filter((text) => tryParse(text.trim()) === undefined);
  const filter = filters.length > 1 ? filters.map((text) => `(${text.trim()})`).join(' AND ') : filters[0]?.trim();
  if (filter !== undefined) checkFilter(filter);
  return [...known, ...given.map((permission) => permitted(permission, filter))];
}

function permitted(permission: string, filter: string | undefined): TokenScope {
  const rows = { resource: ANY_RESOURCE, ...(filter === undefined ? {} : { filter }) };
  switch (permission) {
    case 'write':
      return { type: 'DATASOURCES:APPEND', ...rows };
    case 'read':
      return { type: 'DATASOURCES:READ', ...rows };
    case 'admin':
      if (filter === undefined) return { type: 'ADMIN' };
      throw new AppError('bad_request', 'cannot make the token: permission=admin cannot be limited by a scope');
    default:
      throw new AppError(
        'bad_request',
        `cannot use permission=${shorten(permission)}: it must be one of read, write, admin`,
      );
  }
}

/** Undefined if the text doesn't begin with the name of a scope. Throws if it does and the rest is wrong. */
function tryParse(text: string): TokenScope | undefined {
  const parts = text.split(':');
  const one = (parts[0] ?? '').toUpperCase();
  const two = `${one}:${(parts[1] ?? '').toUpperCase()}`;
  const type = SCOPE_TYPES.find((candidate) => candidate === two) ?? SCOPE_TYPES.find((candidate) => candidate === one);
  if (type === undefined) return undefined;
  const rest = parts.slice(type === two ? 2 : 1);
  const [resource = '', ...more] = rest;
  const filter = more.join(':').trim();
  return checkScope({
    type,
    ...(rest.length === 0 || (resource === '' && filter === '') ? {} : { resource: resource.trim() || ANY_RESOURCE }),
    ...(filter === '' ? {} : { filter }),
  });
}

/** Throws `bad_request` unless the scope has what its type needs, and nothing else. */
export function checkScope(scope: TokenScope): TokenScope {
  const { type, resource, filter } = scope;
  const kind = KINDS[type];
  const refuse = (why: string): never => {
    throw new AppError('bad_request', `cannot use scope=${shorten(printScope(scope))}: ${why}`);
  };
  if (!kind.resource && resource !== undefined) refuse(`${type} is about the whole workspace and names no resource`);
  if (kind.resource && resource === undefined) refuse(`it needs a resource, as in ${type}:name`);
  if (resource !== undefined && !RESOURCE_PATTERN.test(resource)) refuse('its resource is no name');
  if (!kind.filter && filter !== undefined) refuse(`${type} has no filter`);
  if (filter !== undefined) checkFilter(filter);
  return scope;
}

function checkFilter(filter: string): void {
  if (filter.length > MAX_FILTER_LENGTH)
    throw new AppError('bad_request', `cannot use the filter: it is longer than ${MAX_FILTER_LENGTH} characters`);
}

function shorten(text: string): string {
  return JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}…` : text);
}
