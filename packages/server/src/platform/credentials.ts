/**
 * Credentials of the data platform: turns the secret of a request into who acts on which workspace. Static tokens and JWTs
 * are known here; everything else is left to the server's own access control, whose keys may act on their tenant's workspace.
 *
 * Must stay true: without the store, what is known goes on working, and what is not is told to try again.
 */

import type { Principal } from '@glasshouse/model';
import { AppError, NAME_PATTERN, SCOPES } from '@glasshouse/model';
import type { Principals } from '../control/principals.ts';
import type { Judges } from './judges.ts';
import type { JwtClaims } from './jwt.ts';
import { claimedWorkspace, looksLikeJwt, signJwt, verifyJwt } from './jwt.ts';
import type { WorkspacePrincipal } from './principal.ts';
import { demand, principalOf } from './principal.ts';
import type { TokenScope } from './scopes.ts';
import { parseSecret } from './token-key.ts';
import type { StoredToken } from './token-row.ts';
import type { Tokens } from './tokens.ts';
import { withColumns } from './tokens.ts';
import type { Workspaces } from './workspaces.ts';

export interface CredentialsOptions {
  readonly principals: Principals;
  readonly tokens: Tokens;
  readonly workspaces: Workspaces;
  readonly judges: Pick<Judges, 'judgeFilter'>;
  readonly now: () => number;
  /** Reads tokens and workspaces again. Rejects when the store is down. */
  readonly refresh: () => Promise<void>;
}

export interface ResolveOptions {
  /** The tenant that an administrator of the server acts for; others may only name their own. */
  readonly tenant?: string | undefined;
}

export interface WantedJwt {
  readonly name: string;
  /** Seconds since 1970. */
  readonly expiresAt: number;
  readonly scopes: readonly TokenScope[];
  readonly rps?: number | undefined;
}

/** An unknown token asks the store again, but not more often than this. */
const ASK_PAUSE_MS = 500;
const MAX_JUDGED = 10_000;

export class Credentials {
  private readonly options: CredentialsOptions;
  private readonly principals = new WeakMap<StoredToken, WorkspacePrincipal>();
  /** Filters of JWTs that were judged already. */
  private readonly judged = new Set<string>();
  private askedAt = Number.NEGATIVE_INFINITY;

  constructor(options: CredentialsOptions) {
    this.options = options;
  }

  /**
   * Resolves the secret of a request. Rejects with `unauthenticated` (missing, unknown, expired, of another workspace), with
   * `forbidden` for a tenant that is not the credential's, and with `unavailable` if the store would have to be asked.
   */
  resolve(
    secret: string | undefined,
    { tenant }: ResolveOptions = {},
  ): WorkspacePrincipal | Promise<WorkspacePrincipal> {
    if (secret === undefined || !(isStatic(secret) || looksLikeJwt(secret))) return this.resolveKey(secret, tenant);
    const found = this.tryResolve(secret);
    if (found === undefined) return this.resolveUnknown(secret, tenant);
    return found instanceof Promise ? found.then((principal) => ofTenant(principal, tenant)) : ofTenant(found, tenant);
  }

  /** Makes a JWT of the workspace, signed with its admin token. Needs TOKENS; its filters are judged. */
  async createJwt(by: WorkspacePrincipal, { name, expiresAt, scopes, rps }: WantedJwt): Promise<string> {
    demand(by, 'TOKENS');
    const { judges, now, tokens, workspaces } = this.options;
    const nowSeconds = Math.floor(now() / 1000);
    if (!Number.isInteger(expiresAt) || expiresAt <= nowSeconds || expiresAt > 1e11)
      throw new AppError(
        'bad_request',
        'cannot make the JWT: expiration_time must be a time in the future, in seconds',
      );
    for (const scope of scopes) await withColumns(scope, judges);
    const [secret] = tokens.signingSecrets(by.tenant);
    const workspace = workspaces.find(by.tenant);
    if (secret === undefined || workspace === undefined)
      throw new AppError('unavailable', 'cannot make the JWT: the workspace is not known yet; try again');
    return signJwt({ workspaceId: workspace.id, name, expiresAt, issuedAt: nowSeconds, scopes, rps }, secret);
  }

  /** Undefined if what is cached doesn't know the token. */
  private tryResolve(secret: string): WorkspacePrincipal | Promise<WorkspacePrincipal> | undefined {
    const { tokens, workspaces } = this.options;
    const claimed = parseSecret(secret)?.workspaceId ?? claimedWorkspace(secret);
    const workspace = claimed === undefined ? undefined : workspaces.find(claimed);
    if (workspace === undefined) return undefined;
    if (isStatic(secret)) {
      const token = tokens.bySecret(workspace.tenant, secret);
      return token === undefined ? undefined : this.principalOfToken(token);
    }
    const claims = verifyJwt(secret, tokens.signingSecrets(workspace.tenant), this.options.now() / 1000);
    if (workspaces.find(claims.workspaceId)?.tenant !== workspace.tenant) return undefined;
    return this.principalOfJwt(workspace.tenant, claims);
  }

  /** The token may have been made or refreshed on another server since the last reading. */
  private async resolveUnknown(secret: string, tenant: string | undefined): Promise<WorkspacePrincipal> {
    const at = this.options.now();
    if (at - this.askedAt >= ASK_PAUSE_MS) {
      this.askedAt = at;
      try {
        await this.options.refresh();
      } catch (cause) {
        this.askedAt = Number.NEGATIVE_INFINITY;
        throw new AppError('unavailable', 'cannot check the token: the store is down; try again', {
          cause,
          retryAfterSeconds: 5,
        });
      }
    }
    const found = await this.tryResolve(secret);
    if (found === undefined)
      throw new AppError('unauthenticated', 'cannot accept the credential: there is no such token');
    return ofTenant(found, tenant);
  }

  private principalOfToken(token: StoredToken): WorkspacePrincipal {
    const cached = this.principals.get(token);
    if (cached !== undefined) return cached;
    const { tenant, id, name, scopes, granted } = token;
    const made = principalOf({ tenant, tokenId: id, name, kind: 'token', scopes: [...scopes, ...granted] });
    this.principals.set(token, made);
    return made;
  }

  private principalOfJwt(
    tenant: string,
    { name, scopes, rps }: JwtClaims,
  ): WorkspacePrincipal | Promise<WorkspacePrincipal> {
    const principal = principalOf({ tenant, tokenId: `jwt:${name}`, name, kind: 'jwt', scopes, rps });
    const filters = scopes.flatMap(({ filter }) => (filter === undefined || this.judged.has(filter) ? [] : [filter]));
    return filters.length === 0 ? principal : this.judgeFilters(filters).then(() => principal);
  }

  private async judgeFilters(filters: readonly string[]): Promise<void> {
    for (const filter of filters) {
      await this.options.judges.judgeFilter(filter);
      if (this.judged.size >= MAX_JUDGED) this.judged.clear();
      this.judged.add(filter);
    }
  }

  /** The server's own keys, its admin token, or none at all. */
  private async resolveKey(secret: string | undefined, tenant: string | undefined): Promise<WorkspacePrincipal> {
    const { placement, scopes, keyId } = await anyScope(this.options.principals, secret);
    const isAdmin = scopes.includes('admin');
    const wanted = tenant ?? placement.tenant;
    if (!NAME_PATTERN.test(wanted) || (!isAdmin && wanted !== placement.tenant))
      throw new AppError('forbidden', 'cannot act for another tenant: the credential has no scope admin');
    const kind = isAdmin ? 'admin' : secret === undefined ? 'open' : 'key';
    return principalOf({
      tenant: wanted,
      tokenId: keyId,
      name: keyId,
      kind,
      // Who administers brings data of others; nobody's data says itself whose it is.
      placement: kind === 'key' ? placement : undefined,
      scopes: scopes.map((scope) => ({ type: KEY_SCOPES[scope] })),
    });
  }
}

/** What the scopes of this server's keys mean in a workspace. */
const KEY_SCOPES = { ingest: 'DATASOURCES:CREATE', query: 'WORKSPACE:READ_ALL', admin: 'ADMIN' } as const;

/** Whoever the secret belongs to, whatever it may do: a key has one scope at least. */
async function anyScope(principals: Principals, secret: string | undefined): Promise<Principal> {
  let refusal: unknown;
  for (const scope of SCOPES) {
    try {
      return await principals.resolve(secret, scope);
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'forbidden') throw error;
      refusal = error;
    }
  }
  throw refusal;
}

function isStatic(secret: string): boolean {
  return secret.startsWith('p.');
}

function ofTenant(principal: WorkspacePrincipal, tenant: string | undefined): WorkspacePrincipal {
  if (tenant === undefined || tenant === principal.tenant) return principal;
  throw new AppError('forbidden', 'cannot act for another tenant: the token belongs to one workspace');
}
