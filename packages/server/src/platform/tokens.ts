/**
 * Tokens of a workspace: made, shown, changed, ended, and found by their secret. They live in the store and are cached whole,
 * because a receiver asks for every request and must go on while the store is away. The secret is derived (`token-key.ts`).
 *
 * Must stay true: a token that was refreshed or deleted here fails from that moment on. Who may not administer a workspace
 * neither sees nor makes a token that may. A scope is for the resource that it was given for, and for no later one of that name.
 */

import { AppError } from '@glasshouse/model';
import type { Store } from '@glasshouse/store';
import type { RandomBytes } from '../control/secret.ts';
import { DEFAULT_TOKENS } from './default-tokens.ts';
import type { Catalog } from './catalog.ts';
import type { Judges } from './judges.ts';
import type { WorkspacePrincipal } from './principal.ts';
import { demand } from './principal.ts';
import type { TokenScope } from './scopes.ts';
import { ANY_RESOURCE, checkScope, isPowerful, kindOf, printScope } from './scopes.ts';
import type { StoredToken, TokenRow } from './token-row.ts';
import { fromRow, toRow } from './token-row.ts';
import type { TokenKey } from './token-key.ts';
import { parseSecret, randomUuid, sameSecret } from './token-key.ts';

/** A token as it is shown. */
export interface Token {
  readonly tenant: string;
  readonly id: string;
  readonly name: string;
  readonly description: string;
  /** Who made it: empty for a request, `datafile`, `default`, or what the request said. */
  readonly origin: string;
  readonly scopes: readonly TokenScope[];
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** The secret, or a mask for those who may not see it. */
  readonly token: string;
}

export interface NewToken {
  readonly name: string;
  readonly description?: string;
  readonly origin?: string;
  readonly scopes: readonly TokenScope[];
}

export type TokenChange = Partial<NewToken>;

/** A token that data files grant to, with the scopes that they grant. */
export interface Granted {
  readonly name: string;
  readonly scopes: readonly TokenScope[];
}

export type TokenStore = Pick<Store, 'insertRows' | 'rows' | 'target'>;

export interface TokensOptions {
  readonly store: TokenStore;
  readonly key: TokenKey;
  readonly judges: Pick<Judges, 'judgeFilter'>;
  /** Finds what scopes name. */
  readonly catalog: Pick<Catalog, 'find'>;
  readonly now: () => number;
  readonly random: RandomBytes;
}

const MASK = 'p.***';
const MAX_TOKENS = 100_000;
const NAME_PATTERN = /^[^\p{Cc}]{1,200}$/u;

export class Tokens {
  private readonly options: TokensOptions;
  /** By id, deleted ones included. */
  private known = new Map<string, StoredToken>();
  private seen = '';
  /** The cached tokens are not the store's: the next reading takes their place. */
  private isForeign = false;
  /** Grows whenever anything changed. */
  revision = 0;
  /** Secrets that were derived already; a refreshed token is another object. */
  private secrets = new WeakMap<StoredToken, string>();
  private readonly defaults = new Map<string, readonly StoredToken[]>();

  constructor(options: TokensOptions) {
    this.options = options;
  }

  /** Reads all tokens again, if there is anything new. Rejects when the store is down; the cached ones stay. */
  async refresh(): Promise<void> {
    const { store } = this.options;
    const table = `${store.target.database}.tokens`;
    const [mark] = await store.rows<{ mark: string }>(
      `SELECT concat(toString(count()), ' ', toString(sum(cityHash64(id, version)))) AS mark FROM ${table} FINAL`,
    );
    if (mark !== undefined && mark.mark === this.seen) return;
    const rows = await store.rows<TokenRow>(
      `SELECT tenant, id, name, description, origin, scopes, granted, generation, deleted, toString(version) AS version,
         toString(toUnixTimestamp64Milli(created_at)) AS created_at, toString(toUnixTimestamp64Milli(updated_at)) AS updated_at
       FROM ${table} FINAL`,
    );
    this.seen = mark?.mark ?? '';
    this.revision++;
    const former = this.known;
    this.known = new Map(rows.map((row) => [row.id, fromRow(row)]));
    // What was written here while the answer was on its way is newer than it.
    for (const token of this.isForeign ? [] : former.values())
      if (token.version > (this.known.get(token.id)?.version ?? 0)) this.known.set(token.id, token);
    this.isForeign = false;
  }

  /** Takes tokens from elsewhere, until the first refresh. */
  restore(tokens: readonly StoredToken[]): void {
    for (const token of tokens) if (!this.known.has(token.id)) this.known.set(token.id, token);
    this.isForeign = true;
  }

  /** Believes nothing of what is cached once the store was read again, nor any secret: the key may be another one. */
  distrust(): void {
    this.isForeign = true;
    this.seen = '';
    this.secrets = new WeakMap();
  }

  /** All tokens, for a copy that outlives the process. There is no secret in it. */
  snapshot(): readonly StoredToken[] {
    return [...this.known.values()];
  }

  /** The live token of this id in the workspace, default ones included. */
  byId(tenant: string, id: string): StoredToken | undefined {
    const stored = this.known.get(id);
    if (stored !== undefined) return stored.tenant === tenant && !stored.deleted ? stored : undefined;
    return this.defaultsOf(tenant).find((token) => token.id === id);
  }

  /** The live token that has this secret; undefined for anything else. */
  bySecret(tenant: string, secret: string): StoredToken | undefined {
    const claimed = parseSecret(secret);
    const token = claimed === undefined ? undefined : this.byId(tenant, claimed.tokenId);
    return token !== undefined && sameSecret(this.secretOf(token), secret) ? token : undefined;
  }

  /** The secret of a token, for checking and for showing. */
  secretOf(token: StoredToken): string {
    const { tenant, id, generation } = token;
    const secret = this.secrets.get(token) ?? this.options.key.secretOf({ tenant, tokenId: id, generation });
    this.secrets.set(token, secret);
    return secret;
  }

  /** Secrets that sign JWTs of the workspace: those of the tokens that administer it from the start. */
  signingSecrets(tenant: string): string[] {
    return this.defaultsOf(tenant)
      .filter(({ scopes }) => scopes.some(({ type }) => type === 'ADMIN'))
      .flatMap(({ id }) => this.byId(tenant, id) ?? [])
      .map((token) => this.secretOf(token));
  }

  /** All tokens of the workspace, by name. Needs TOKENS. */
  list(by: WorkspacePrincipal): Token[] {
    demand(by, 'TOKENS');
    return this.all(by.tenant).map((token) => this.shown(token, by));
  }

  /** The token of this id, name or secret. Needs TOKENS, or to be that token. Throws `not_found`. */
  get(by: WorkspacePrincipal, which: string): Token {
    const token = this.find(by.tenant, which);
    if (token?.id !== by.tokenId) demand(by, 'TOKENS');
    if (token === undefined) throw unknown(which);
    return this.shown(token, by);
  }

  /** One of the tokens that every workspace has, by its name. */
  defaultToken(tenant: string, name: string): Token | undefined {
    const token = this.all(tenant).find((candidate) => candidate.origin === 'default' && candidate.name === name);
    return token === undefined ? undefined : { ...this.publicOf(token), token: this.secretOf(token) };
  }

  /** Makes a token. Rejects with `conflict` if the name is taken, `bad_request` for bad scopes or filters. */
  async create(by: WorkspacePrincipal, wanted: NewToken): Promise<Token> {
    demand(by, 'TOKENS');
    const { name, description = '', origin = '' } = wanted;
    checkName(name);
    const tokens = this.all(by.tenant);
    if (tokens.some((token) => token.name === name))
      throw new AppError('conflict', `cannot make token=${name}: there is one of that name; change it with PUT`);
    if (tokens.length >= MAX_TOKENS)
      throw new AppError('bad_request', `cannot make token=${name}: the workspace has ${MAX_TOKENS} already`);
    const scopes = await this.judged(by, wanted.scopes);
    const at = this.options.now();
    const token: StoredToken = {
      tenant: by.tenant,
      id: randomUuid(this.options.random),
      name,
      description,
      // These two say who keeps the token up to date.
      origin: origin === 'default' || origin === 'datafile' ? '' : origin,
      scopes,
      granted: [],
      generation: 1,
      createdAt: new Date(at),
      updatedAt: new Date(at),
      deleted: false,
      version: at,
    };
    await this.save([token]);
    return this.shown(token, by);
  }

  /** Replaces what is given of a token. Rejects with `not_found`, and as `create` does. */
  async update(by: WorkspacePrincipal, which: string, change: TokenChange): Promise<Token> {
    const token = this.administered(by, which);
    const { name = token.name, description = token.description } = change;
    checkName(name);
    if (name !== token.name && this.all(by.tenant).some((other) => other.name === name))
      throw new AppError('conflict', `cannot rename token=${token.name}: there is one of the name ${name}`);
    if (token.origin === 'default' && (change.scopes !== undefined || name !== token.name))
      throw new AppError('bad_request', `cannot change token=${token.name}: every workspace has it as it is`);
    const scopes = change.scopes === undefined ? token.scopes : await this.judged(by, change.scopes);
    return this.shown(await this.replace(token, { name, description, scopes }), by);
  }

  /** Gives the token another secret; the former one fails from now on. */
  async refreshSecret(by: WorkspacePrincipal, which: string): Promise<Token> {
    const token = this.administered(by, which);
    return this.shown(await this.replace(token, { generation: token.generation + 1 }), by);
  }

  /** Ends a token for good. Rejects with `not_found`. */
  async remove(by: WorkspacePrincipal, which: string): Promise<void> {
    const token = this.administered(by, which);
    if (token.origin === 'default')
      throw new AppError(
        'bad_request',
        `cannot delete token=${token.name}: every workspace has it; refresh it instead`,
      );
    await this.replace(token, { deleted: true });
  }

  /**
   * Lets data files have their way: every token that they name has the scopes that they grant, beside those that it was given
   * by request. One that they made and no longer name ends.
   */
  async grant(tenant: string, granted: readonly Granted[]): Promise<void> {
    const wanted = new Map<string, TokenScope[]>();
    for (const { name, scopes } of granted) wanted.set(name, [...(wanted.get(name) ?? []), ...scopes]);
    const at = this.options.now();
    const changed: StoredToken[] = [];
    for (const token of this.all(tenant)) {
      const scopes = wanted.get(token.name) ?? [];
      wanted.delete(token.name);
      if (sameScopes(scopes, token.granted)) continue;
      const deleted = token.origin === 'datafile' && scopes.length === 0 && token.scopes.length === 0;
      changed.push(this.next(token, { granted: scopes, deleted }));
    }
    for (const [name, scopes] of wanted) {
      checkName(name);
      const times = { createdAt: new Date(at), updatedAt: new Date(at), version: at };
      const id = randomUuid(this.options.random);
      const rest = { description: '', origin: 'datafile', scopes: [], generation: 1, deleted: false };
      changed.push({ tenant, id, name, granted: scopes, ...rest, ...times });
    }
    await this.save(changed);
  }

  /**
   * Ties scopes that were given by name to the resources that have these names. To be done before one of them loses its name: who may
   * read it must not read the next that has it.
   */
  async bind(tenant: string): Promise<void> {
    const changed = this.all(tenant).flatMap((token) => {
      const scopes = token.scopes.map((scope) => this.bound(tenant, scope));
      return scopes.every((scope, index) => scope === token.scopes[index]) ? [] : [this.next(token, { scopes })];
    });
    await this.save(changed);
  }

  private all(tenant: string): StoredToken[] {
    const stored = [...this.known.values()].filter((token) => token.tenant === tenant && !token.deleted);
    const defaults = this.defaultsOf(tenant);
    const rank = (token: StoredToken): number => defaults.findIndex(({ id }) => id === token.id) + 1 || Infinity;
    // Default tokens first, in their own order, then by name.
    return [...defaults.filter(({ id }) => !this.known.has(id)), ...stored].toSorted((a, b) =>
      rank(a) === rank(b) ? (a.name < b.name ? -1 : 1) : rank(a) - rank(b),
    );
  }

  private defaultsOf(tenant: string): readonly StoredToken[] {
    const made = this.defaults.get(tenant) ?? DEFAULT_TOKENS.map((make) => make(tenant));
    this.defaults.set(tenant, made);
    return made;
  }

  private find(tenant: string, which: string): StoredToken | undefined {
    const byId = this.byId(tenant, which);
    if (byId !== undefined) return byId;
    return this.all(tenant).find(({ name }) => name === which) ?? this.bySecret(tenant, which);
  }

  /** The token, if it may be changed by whoever asks. */
  private administered(by: WorkspacePrincipal, which: string): StoredToken {
    demand(by, 'TOKENS');
    const token = this.find(by.tenant, which);
    if (token === undefined) throw unknown(which);
    if (!mayHandle(by, token.scopes))
      throw new AppError('forbidden', `cannot change token=${token.name}: only an administrator may`);
    return token;
  }

  /** Scopes with the columns of their filters. */
  private async judged(by: WorkspacePrincipal, scopes: readonly TokenScope[]): Promise<TokenScope[]> {
    if (scopes.length === 0) throw new AppError('bad_request', 'cannot make the token: it has no scope');
    if (!mayHandle(by, scopes))
      throw new AppError(
        'forbidden',
        `cannot give away ${scopes.map(printScope).join(', ')}: only an administrator may`,
      );
    const judged: TokenScope[] = [];
    // A command line that adds a scope sends it again with those that are there.
    const wanted = new Map(scopes.map((scope) => [JSON.stringify(scope), scope]));
    for (const scope of wanted.values())
      judged.push(this.bound(by.tenant, await withColumns(scope, this.options.judges)));
    return judged;
  }

  /** The scope for the resource that has its name now, if there is one. */
  private bound(tenant: string, scope: TokenScope): TokenScope {
    const { id, resource, type } = scope;
    if (id !== undefined || resource === undefined || resource === ANY_RESOURCE) return scope;
    const entry = this.options.catalog.find(tenant, resource);
    return entry === undefined || entry.kind !== kindOf(type) ? scope : { ...scope, id: entry.id };
  }

  /** As clients read it: scopes by the present names of their resources, and none for one that is gone. */
  private publicOf(token: StoredToken): Omit<Token, 'token'> {
    const { tenant, id, name, description, origin, granted, createdAt, updatedAt } = token;
    const scopes = token.scopes.flatMap((scope) => {
      if (scope.id === undefined) return [scope];
      const { id: of, ...rest } = scope;
      const entry = this.options.catalog.find(tenant, of);
      return entry === undefined ? [] : [{ ...rest, resource: entry.name }];
    });
    return { tenant, id, name, description, origin, scopes: [...scopes, ...granted], createdAt, updatedAt };
  }

  private shown(token: StoredToken, by: WorkspacePrincipal): Token {
    const isOwn = token.id === by.tokenId;
    return { ...this.publicOf(token), token: isOwn || mayHandle(by, token.scopes) ? this.secretOf(token) : MASK };
  }

  private async replace(token: StoredToken, change: Partial<StoredToken>): Promise<StoredToken> {
    const changed = this.next(token, change);
    await this.save([changed]);
    return changed;
  }

  private next(token: StoredToken, change: Partial<StoredToken>): StoredToken {
    const at = this.options.now();
    return { ...token, ...change, updatedAt: new Date(at), version: Math.max(at, token.version + 1) };
  }

  private async save(tokens: readonly StoredToken[]): Promise<void> {
    if (tokens.length === 0) return;
    await this.options.store.insertRows('tokens', tokens.map(toRow));
    for (const token of tokens) this.known.set(token.id, token);
    this.revision++;
  }
}

/** A scope whose filter was judged. */
export async function withColumns(scope: TokenScope, judges: Pick<Judges, 'judgeFilter'>): Promise<TokenScope> {
  checkScope(scope);
  const { columns: _, ...rest } = scope;
  if (scope.filter === undefined) return rest;
  return { ...rest, columns: [...(await judges.judgeFilter(scope.filter))] };
}

function mayHandle(by: WorkspacePrincipal, scopes: readonly TokenScope[]): boolean {
  return by.isAdmin || !scopes.some(isPowerful);
}

function sameScopes(a: readonly TokenScope[], b: readonly TokenScope[]): boolean {
  const texts = (scopes: readonly TokenScope[]): string => scopes.map(printScope).sort().join('\n');
  return texts(a) === texts(b);
}

function checkName(name: string): void {
  if (NAME_PATTERN.test(name)) return;
  throw new AppError('bad_request', 'cannot make the token: its name must have 1 to 200 characters, none of control');
}

function unknown(which: string): AppError {
  // What was asked for may be a secret.
  const text = which.startsWith('p.') ? 'p.***' : which.slice(0, 80);
  return new AppError('not_found', `cannot find token=${text}: there is no such token in the workspace`);
}
