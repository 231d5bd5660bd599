/**
 * API keys: made, revoked, found. They live in the store and are cached here whole, because a receiver asks for every
 * request and must go on while the store is away.
 *
 * Must stay true: a secret leaves `create` once and is kept nowhere. A key that was revoked here fails from that moment on.
 */

import type { Placement, Scope } from '@glasshouse/model';
import { AppError, SCOPES } from '@glasshouse/model';
import type { Store } from '@glasshouse/store';
import type { AuditAction } from './audit-actions.ts';
import type { OnChange } from './audit-entry.ts';
import type { RandomBytes } from './secret.ts';
import { hashSecret, makeKey, sameHash } from './secret.ts';
import { checkName } from './tenants.ts';

/** A key without its secret. */
export interface ApiKey {
  readonly id: string;
  readonly name: string;
  readonly placement: Placement;
  readonly scopes: readonly Scope[];
  readonly createdAt: Date;
  readonly expiresAt: Date | undefined;
  readonly revokedAt: Date | undefined;
}

export interface NewKey {
  readonly name: string;
  readonly placement: Placement;
  readonly scopes: readonly Scope[];
  readonly expiresAt: Date | undefined;
}

/** What of the store this needs. */
export type KeyStore = Pick<Store, 'command' | 'rows' | 'target'>;

/** A key as it is cached: with the hash of its secret. */
export interface StoredKey extends ApiKey {
  readonly hash: Buffer;
  readonly version: number;
}

interface KeyRow {
  readonly id: string;
  readonly hash: string;
  readonly name: string;
  readonly tenant: string;
  readonly project: string;
  readonly environment: string;
  readonly scopes: readonly string[];
  readonly created: string;
  readonly expires: string | null;
  readonly revoked: string | null;
  readonly version: string;
}

const MAX_NAME = 200;
/** Names of keys of another form say what else is to be known of them. */
const MAX_MADE_NAME = 4_000;

export interface KeysOptions {
  readonly store: KeyStore;
  readonly now: () => number;
  readonly random: RandomBytes;
  /** Told about every change, once it is kept. */
  readonly onChange?: OnChange | undefined;
}

export class Keys {
  private readonly store: KeyStore;
  private readonly onChange: OnChange | undefined;
  private readonly now: () => number;
  private readonly random: RandomBytes;
  private known = new Map<string, StoredKey>();
  /** The cached keys are not the store's: the next reading takes their place. */
  private isForeign = false;

  constructor(options: KeysOptions) {
    this.store = options.store;
    this.now = options.now;
    this.random = options.random;
    this.onChange = options.onChange;
  }

  /** Reads all keys again. Rejects when the store is down; the cached ones stay. */
  async refresh(): Promise<void> {
    const rows = await this.store.rows<KeyRow>(
      `SELECT id, lower(hex(hash)) AS hash, name, tenant, project, environment, scopes,
         toUnixTimestamp64Milli(created_at) AS created, toUnixTimestamp64Milli(expires_at) AS expires,
         toUnixTimestamp64Milli(revoked_at) AS revoked, version FROM ${this.table} FINAL`,
    );
    const former = this.known;
    this.known = new Map();
    for (const key of rows.map(fromRow)) this.known.set(key.id, key);
    // What was written here while the answer was on its way is newer than it.
    for (const key of this.isForeign ? [] : former.values())
      if (key.version > (this.known.get(key.id)?.version ?? 0)) this.known.set(key.id, key);
    this.isForeign = false;
  }

  /** Takes keys from elsewhere, until the first refresh. */
  restore(keys: readonly StoredKey[]): void {
    for (const key of keys) if (!this.known.has(key.id)) this.known.set(key.id, key);
    this.isForeign = true;
  }

  /** Believes nothing of what is cached once the store was read again: it was replaced as a whole. */
  distrust(): void {
    this.isForeign = true;
  }

  /** All keys with their hashes, for a copy that outlives the process. */
  snapshot(): readonly StoredKey[] {
    return [...this.known.values()];
  }

  /** All keys, newest first, revoked and expired ones included. */
  list(): readonly ApiKey[] {
    return [...this.known.values()].toSorted((a, b) => b.createdAt.getTime() - a.createdAt.getTime()).map(withoutHash);
  }

  /** The key of this id and secret, whatever its state; undefined if there is none. */
  find(id: string, secret: string): ApiKey | undefined {
    const key = this.known.get(id);
    return key !== undefined && sameHash(hashSecret(secret), key.hash) ? key : undefined;
  }

  /** The key of this id, whatever its state. */
  get(id: string): ApiKey | undefined {
    const key = this.known.get(id);
    return key === undefined ? undefined : withoutHash(key);
  }

  /** True if a key of this id is known. */
  has(id: string): boolean {
    return this.known.has(id);
  }

  /**
   * Makes a key and returns it with its secret, which cannot be had again. `secretFor` makes one of another form for the id of
   * the key; it is found by that id and the whole of it.
   */
  async create(
    wanted: NewKey,
    secretFor?: (id: string) => string,
  ): Promise<{ readonly apiKey: ApiKey; readonly key: string }> {
    check(wanted, secretFor === undefined ? MAX_NAME : MAX_MADE_NAME);
    const made = makeKey(this.random);
    const { id } = made;
    const key = secretFor?.(id) ?? made.key;
    const stored: StoredKey = {
      ...wanted,
      id,
      hash: secretFor === undefined ? made.hash : hashSecret(key),
      createdAt: new Date(this.now()),
      revokedAt: undefined,
      version: this.now(),
    };
    await this.save(stored, 'key.create');
    return { apiKey: withoutHash(stored), key };
  }

  /** Ends a key for good. Rejects with `not_found` for an unknown id; revoking twice changes nothing. */
  async revoke(id: string): Promise<ApiKey> {
    const key = this.known.get(id);
    if (key === undefined)
      throw new AppError('not_found', `cannot revoke key=${id.slice(0, 40)}: there is no such key`);
    if (key.revokedAt !== undefined) return withoutHash(key);
    return this.change(key, { revokedAt: new Date(this.now()) }, 'key.revoke');
  }

  /**
   * Makes the follower of a key, which itself ends after `overlapMs`. The new one lives for `lifeMs`, or as long as the former was
   * to. Rejects with `not_found`, and with `conflict` if it ended already.
   */
  async rotate(
    id: string,
    lifeMs: number | undefined,
    overlapMs: number,
  ): Promise<{ readonly apiKey: ApiKey; readonly key: string }> {
    const former = this.get(id);
    if (former === undefined)
      throw new AppError('not_found', `cannot rotate key=${id.slice(0, 40)}: there is no such key`);
    const { createdAt, expiresAt, revokedAt } = former;
    const at = this.now();
    if (revokedAt !== undefined || (expiresAt?.getTime() ?? Infinity) <= at)
      throw new AppError('conflict', `cannot rotate key=${id}: it has ended; make a new one`);
    const life = lifeMs ?? (expiresAt === undefined ? undefined : expiresAt.getTime() - createdAt.getTime());
    const made = await this.create({ ...former, expiresAt: life === undefined ? undefined : new Date(at + life) });
    await this.expire(id, new Date(at + overlapMs));
    return made;
  }

  /** Lets a key expire at this time, if it would not do so before. Rejects with `not_found` for an unknown id. */
  async expire(id: string, expiresAt: Date): Promise<ApiKey> {
    const key = this.known.get(id);
    if (key === undefined) throw new AppError('not_found', `cannot end key=${id.slice(0, 40)}: there is no such key`);
    if (key.expiresAt !== undefined && key.expiresAt <= expiresAt) return withoutHash(key);
    return this.change(key, { expiresAt }, 'key.change');
  }

  private async change(key: StoredKey, change: Partial<StoredKey>, action: AuditAction): Promise<ApiKey> {
    const changed = { ...key, ...change, version: Math.max(this.now(), key.version + 1) };
    await this.save(changed, action);
    return withoutHash(changed);
  }

  private async save(key: StoredKey, action: AuditAction): Promise<void> {
    const before = this.get(key.id) ?? null;
    const { placement, createdAt, expiresAt, revokedAt } = key;
    await this.store.command(
      `INSERT INTO ${this.table}
         (id, hash, name, tenant, project, environment, scopes, created_at, expires_at, revoked_at, version)
       SELECT {id:String}, unhex({hash:String}), {name:String}, {tenant:String}, {project:String}, {environment:String},
         {scopes:Array(String)}, fromUnixTimestamp64Milli({created:Int64}, 'UTC'),
         fromUnixTimestamp64Milli({expires:Nullable(Int64)}, 'UTC'),
         fromUnixTimestamp64Milli({revoked:Nullable(Int64)}, 'UTC'), {version:UInt64}`,
      {
        params: {
          id: key.id,
          hash: key.hash.toString('hex'),
          name: key.name,
          ...placement,
          scopes: [...key.scopes],
          created: createdAt.getTime(),
          expires: expiresAt?.getTime() ?? null,
          revoked: revokedAt?.getTime() ?? null,
          version: key.version,
        },
      },
    );
    this.known.set(key.id, key);
    this.onChange?.({ action, ...placement, target: key.id, before, after: withoutHash(key) });
  }

  private get table(): string {
    return `${this.store.target.database}.api_keys`;
  }
}

function check({ name, placement, scopes }: NewKey, maxName: number): void {
  for (const what of ['tenant', 'project', 'environment'] as const) checkName(what, placement[what]);
  if (name.length > maxName)
    throw new AppError('bad_request', `cannot make the key: its name is longer than ${maxName} characters`);
  if (scopes.length === 0) {
    throw new AppError('bad_request', `cannot make the key: it has no scope; give some of ${SCOPES.join(', ')}`);
  }
}

function fromRow(row: KeyRow): StoredKey {
  return {
    id: row.id,
    hash: Buffer.from(row.hash, 'hex'),
    name: row.name,
    placement: { tenant: row.tenant, project: row.project, environment: row.environment },
    scopes: SCOPES.filter((scope) => row.scopes.includes(scope)),
    createdAt: new Date(Number(row.created)),
    expiresAt: row.expires === null ? undefined : new Date(Number(row.expires)),
    revokedAt: row.revoked === null ? undefined : new Date(Number(row.revoked)),
    version: Number(row.version),
  };
}

function withoutHash({ id, name, placement, scopes, createdAt, expiresAt, revokedAt }: ApiKey): ApiKey {
  return { id, name, placement, scopes, createdAt, expiresAt, revokedAt };
}
