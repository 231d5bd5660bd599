/**
 * Access: resolves the secret of a request to who sent it and what they may do. The one place where authentication is
 * decided, for every protocol.
 *
 * Must stay true: without the store, keys that are known go on working and unknown ones are told to try again: nobody is
 * refused for good because of an outage.
 */

import { randomBytes } from 'node:crypto';
import type { Principal, Scope } from '@glasshouse/model';
import { allows, AppError, DEFAULT_PLACEMENT, messageOf } from '@glasshouse/model';
import type { AdminToken } from './admin-token.ts';
import type { OnChange } from './audit-entry.ts';
import type { ApiKey, KeyStore } from './keys.ts';
import { Keys } from './keys.ts';
import type { Principals } from './principals.ts';
import type { ParsedKey, RandomBytes } from './secret.ts';
import { parseKey } from './secret.ts';
import { loadKeys, saveKeys } from './snapshot.ts';
import type { TenantStore } from './tenants.ts';
import { Tenants } from './tenants.ts';

export interface AccessOptions {
  readonly store: KeyStore & TenantStore;
  /** `open`: a request without a credential is the default tenant's. `keys`: it is refused. */
  readonly mode: 'open' | 'keys';
  readonly adminToken: AdminToken;
  readonly now: () => number;
  /** File that keeps the hashes of the keys for a start without the store; undefined for none. */
  readonly snapshotPath?: string;
  readonly random?: RandomBytes;
  /** How often the keys are read again, in ms. */
  readonly refreshMs?: number;
  /** Told when the store could not be asked, once per outage, and when it could again. */
  readonly onStore?: (up: boolean, reason: string | undefined) => void;
  /** Told about every change of a key or a tenant, once it is kept. */
  readonly onChange?: OnChange;
}

const REFRESH_MS = 5_000;
/** An unknown key asks the store again, but not more often than this. */
const ASK_PAUSE_MS = 500;

const OPEN: Principal = { placement: DEFAULT_PLACEMENT, scopes: ['ingest', 'query'], keyId: 'open' };
const ADMIN: Principal = { placement: DEFAULT_PLACEMENT, scopes: ['admin'], keyId: 'admin-token' };

export class Access implements Principals {
  readonly keys: Keys;
  readonly tenants: Tenants;
  private readonly options: AccessOptions;
  private readonly timer: NodeJS.Timeout;
  private refreshing: Promise<void> | undefined;
  private refreshedAt = Number.NEGATIVE_INFINITY;
  private up = true;
  private prepared = false;
  private saved = '';

  private constructor(options: AccessOptions) {
    const { store, now, random = randomBytes, onChange } = options;
    this.options = options;
    this.keys = new Keys({ store, now, random, onChange });
    this.tenants = new Tenants(store, now, onChange);
    if (options.snapshotPath !== undefined) this.keys.restore(loadKeys(options.snapshotPath));
    this.timer = setInterval(() => void this.refresh().catch(() => undefined), options.refreshMs ?? REFRESH_MS);
    this.timer.unref();
  }

  /** Resolves when the keys are loaded, or at once when the store is down: it is asked again in the background. */
  static async open(options: AccessOptions): Promise<Access> {
    const access = new Access(options);
    await access.refresh().catch(() => undefined);
    return access;
  }

  resolve(secret: string | undefined, scope: Scope): Principal | Promise<Principal> {
    if (secret === undefined) {
      if (this.options.mode === 'open') return permitted(OPEN, scope);
      throw new AppError(
        'unauthenticated',
        'cannot accept the request: it has no credential; send an API key as Authorization: Bearer, or X-API-Key',
      );
    }
    if (this.options.adminToken.matches(secret)) return ADMIN;
    const parsed = parseKey(secret);
    if (parsed === undefined) throw unknownKey();
    return this.resolveKey(parsed, scope);
  }

  /** Resolves the secret of a key whose form says its id in another way than `parseKey` knows. Rejects as `resolve` does. */
  resolveKey({ id, secret }: ParsedKey, scope: Scope): Principal | Promise<Principal> {
    if (this.keys.has(id)) return this.judge(this.keys.find(id, secret), scope);
    return this.resolveUnknown(id, secret, scope);
  }

  /** Reads keys and tenants again; concurrent calls share one reading. Rejects with `unavailable` when the store is down. */
  refresh(): Promise<void> {
    this.refreshing ??= this.read().finally(() => (this.refreshing = undefined));
    return this.refreshing;
  }

  /** Takes over what the store has, after all of it was replaced. Rejects with `unavailable` when the store is down. */
  async adopt(): Promise<void> {
    // A reading that is under way may have begun before.
    await this.refreshing?.catch(() => undefined);
    this.keys.distrust();
    await this.refresh();
    await this.tenants.prepareAll();
  }

  close(): void {
    clearInterval(this.timer);
  }

  /** The key may have been made on another server since the last reading. */
  private async resolveUnknown(id: string, secret: string, scope: Scope): Promise<Principal> {
    if (this.options.now() - this.refreshedAt >= ASK_PAUSE_MS) {
      try {
        await this.refresh();
      } catch (cause) {
        throw new AppError('unavailable', 'cannot check the API key: the store is down; try again', {
          cause,
          retryAfterSeconds: 5,
        });
      }
    }
    return this.judge(this.keys.find(id, secret), scope);
  }

  private judge(key: ApiKey | undefined, scope: Scope): Principal {
    if (key === undefined) throw unknownKey();
    if (key.revokedAt !== undefined) {
      throw new AppError('unauthenticated', `cannot accept API key=${key.id}: it was revoked`);
    }
    if (key.expiresAt !== undefined && key.expiresAt.getTime() <= this.options.now()) {
      throw new AppError(
        'unauthenticated',
        `cannot accept API key=${key.id}: it expired on ${key.expiresAt.toISOString()}`,
      );
    }
    return permitted({ placement: key.placement, scopes: key.scopes, keyId: key.id }, scope);
  }

  private async read(): Promise<void> {
    try {
      await this.keys.refresh();
      await this.tenants.refresh();
      if (!this.prepared) {
        this.prepared = true;
        // Their views are there since they were made; this brings them up to date, which may take its time.
        void this.tenants.prepareAll().catch(() => (this.prepared = false));
        await this.tenants.ensure(DEFAULT_PLACEMENT.tenant);
      }
    } catch (error) {
      if (this.up) this.options.onStore?.(false, messageOf(error));
      this.up = false;
      throw error;
    }
    this.refreshedAt = this.options.now();
    if (!this.up) this.options.onStore?.(true, undefined);
    this.up = true;
    this.save();
  }

  private save(): void {
    const { snapshotPath } = this.options;
    if (snapshotPath !== undefined) this.saved = saveKeys(snapshotPath, this.keys.snapshot(), this.saved);
  }
}

function permitted(principal: Principal, scope: Scope): Principal {
  if (allows(principal, scope)) return principal;
  const who = principal.keyId === 'open' ? 'a request without a credential' : `API key=${principal.keyId}`;
  throw new AppError('forbidden', `cannot let ${who} do this: it has no scope ${scope}`);
}

function unknownKey(): AppError {
  return new AppError('unauthenticated', 'cannot accept the credential: there is no such API key');
}
