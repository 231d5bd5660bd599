/**
 * Keys of Observa's SDK. Most are JWTs that say whose events they send, because the SDK reads tenant, project and environment out
 * of them; the others begin with `sk_` or `pk_`. Each is an API key like any other, found by its id and its hash; so it is listed,
 * expires and is revoked as those are, and goes on working while the store is away.
 *
 * Must stay true: nothing of a JWT is believed before its signature and its record were. A key is no credential of other routes.
 */

import type { Placement, Scope } from '@glasshouse/model';
import { AppError } from '@glasshouse/model';
import type { Access } from '../../control/access.ts';
import type { RandomBytes } from '../../control/secret.ts';
import { claimed, signClaims, verifyClaims } from '../../platform/jwt.ts';
import type { Platform } from '../../platform/platform.ts';
import type { KeyTraits, SdkKey } from './key-form.ts';
import { fromRecord, nameOf, parsePrefixed } from './key-form.ts';

export interface WantedKey extends KeyTraits {
  readonly placement: Placement;
  readonly scopes: readonly Scope[];
  /** Undefined for a key that does not end by itself, which a JWT always does. */
  readonly lifeMs: number | undefined;
}

export interface MadeKey {
  readonly key: SdkKey;
  /** What its owner sends. */
  readonly secret: string;
}

export interface SdkKeysOptions {
  readonly access: Pick<Access, 'keys' | 'refresh' | 'resolveKey' | 'tenants'>;
  readonly platform: Pick<Platform, 'tokens' | 'workspaces'>;
  readonly random: RandomBytes;
  readonly now: () => number;
}

/** What every key that only sends has in common. */
export const JWT_TRAITS = {
  kind: 'jwt',
  label: '',
  isOfAnyEnvironment: false,
  origins: [],
  through: undefined,
  scopes: ['ingest'],
} as const satisfies KeyTraits & Pick<WantedKey, 'scopes'>;

const DEFAULT_JWT_MS = 365 * 86_400_000;

export class SdkKeys {
  private readonly options: SdkKeysOptions;

  constructor(options: SdkKeysOptions) {
    this.options = options;
  }

  /** Makes a key, and the tenant if there is none. Rejects with `bad_request` for names that none can have. */
  async create(wanted: WantedKey): Promise<MadeKey> {
    const { access, random, now } = this.options;
    const { placement, scopes, kind, lifeMs = kind === 'jwt' ? DEFAULT_JWT_MS : undefined } = wanted;
    await access.tenants.ensure(placement.tenant);
    const at = now();
    const expiresAt = lifeMs === undefined ? undefined : new Date(at + lifeMs);
    const sign = kind === 'jwt' ? this.signer(placement, at, (expiresAt ?? new Date(at)).getTime()) : undefined;
    const made = await access.keys.create({ name: nameOf(wanted), placement, scopes, expiresAt }, (id) =>
      sign === undefined ? `${kind}${id}_${random(32).toString('base64url')}` : sign(id),
    );
    return { key: { ...made.apiKey, ...traitsOf(wanted) }, secret: made.key };
  }

  /** Keys of all tenants or of one, newest first, those included that ended. */
  async list(tenant: string | null): Promise<readonly SdkKey[]> {
    const { access } = this.options;
    await access.refresh();
    return access.keys
      .list()
      .flatMap((key) => fromRecord(key) ?? [])
      .filter(({ placement }) => tenant === null || placement.tenant === tenant);
  }

  /**
   * The newest JWT of this placement that has not ended, made once more: it follows from its record and a secret of the workspace.
   * Undefined if there is none.
   */
  async again({ tenant, project, environment }: Placement): Promise<MadeKey | undefined> {
    const { access, now } = this.options;
    for (const key of await this.list(tenant)) {
      const { placement, expiresAt, revokedAt } = key;
      const isOf = placement.project === project && placement.environment === environment;
      const isGood = revokedAt === undefined && expiresAt !== undefined && expiresAt.getTime() > now();
      if (key.kind !== 'jwt' || key.through !== undefined || !isOf || !isGood) continue;
      // The record was made a moment after the JWT.
      for (const at of [key.createdAt.getTime(), key.createdAt.getTime() - 1000]) {
        const secret = this.signer(placement, at, expiresAt.getTime())(key.id);
        if (access.keys.find(key.id, secret) !== undefined) return { key, secret };
      }
    }
    return undefined;
  }

  /**
   * Makes the follower of a key, which itself ends after `overlapMs`. Rejects with `not_found`, and with `conflict` if it ended
   * already.
   */
  async rotate(id: string, lifeMs: number | undefined, overlapMs: number): Promise<MadeKey> {
    const { access, now } = this.options;
    const former = await this.get(id);
    if (former.revokedAt !== undefined || (former.expiresAt?.getTime() ?? Infinity) <= now())
      throw new AppError('conflict', `cannot rotate key=${id}: it has ended; make a new one`);
    const made = await this.create({ ...former, lifeMs });
    await access.keys.expire(id, new Date(now() + overlapMs));
    return made;
  }

  /** Ends a key at once and for good. Rejects with `not_found`. */
  async revoke(id: string): Promise<SdkKey> {
    const key = await this.get(id);
    return { ...(await this.options.access.keys.revoke(id)), ...traitsOf(key) };
  }

  /** The key of this id, whatever its state. Rejects with `not_found`. */
  async get(id: string): Promise<SdkKey> {
    const { access } = this.options;
    await access.refresh();
    const record = access.keys.get(id);
    const key = record === undefined ? undefined : fromRecord(record);
    if (key !== undefined) return key;
    throw new AppError('not_found', `cannot find key=${id.slice(0, 40)}: there is no such key of an SDK`);
  }

  /** The key of a request. Rejects with `unauthenticated`, or `unavailable` if the store would have to be asked. */
  async resolve(secret: string | undefined, scope: Scope = 'ingest'): Promise<SdkKey> {
    if (secret === undefined) throw refused('there is none; send it as Authorization: Bearer');
    const prefixed = parsePrefixed(secret);
    if (prefixed === undefined) return this.resolveJwt(secret, scope);
    const { access } = this.options;
    await access.resolveKey(prefixed, scope);
    const record = access.keys.get(prefixed.id);
    const key = record === undefined ? undefined : fromRecord(record);
    if (key === undefined || !secret.startsWith(key.kind)) throw refused('there is no such key');
    return key;
  }

  private async resolveJwt(jwt: string, scope: Scope): Promise<SdkKey> {
    const { access, platform, now } = this.options;
    const [tenant, id] = [claimed(jwt, 'tenantId'), claimed(jwt, 'jti')];
    if (tenant === undefined || id === undefined) throw refused('it is no key that was made by this server');
    // Only of a workspace that is there, so that nobody makes this server remember names.
    if (platform.workspaces.find(tenant)?.tenant !== tenant) throw refused('there is no such key');
    const { projectId, environment, exp } = verifyClaims(jwt, platform.tokens.signingSecrets(tenant));
    if (typeof exp !== 'number' || exp * 1000 <= now()) throw refused('it has expired');
    const { placement } = await access.resolveKey({ id, secret: jwt }, scope);
    const isOwn =
      placement.tenant === tenant && placement.project === projectId && placement.environment === environment;
    const record = access.keys.get(id);
    const key = isOwn && record !== undefined ? fromRecord(record) : undefined;
    if (key?.kind !== 'jwt') throw refused('there is no such key');
    return key;
  }

  /** What makes the JWT of an id, with times in ms since 1970. */
  private signer({ tenant, project, environment }: Placement, at: number, expiresAt: number): (id: string) => string {
    const [secret] = this.options.platform.tokens.signingSecrets(tenant);
    if (secret === undefined)
      throw new AppError('unavailable', 'cannot make the key: the workspace is not known yet; try again');
    const [iat, exp] = [at, expiresAt].map((ms) => Math.floor(ms / 1000));
    return (jti) => signClaims({ tenantId: tenant, projectId: project, environment, iat, exp, jti }, secret);
  }
}

function traitsOf({ kind, label, isOfAnyEnvironment, origins, through }: KeyTraits): KeyTraits {
  return { kind, label, isOfAnyEnvironment, origins, through };
}

function refused(why: string): AppError {
  return new AppError('unauthenticated', `cannot accept the API key: ${why}`);
}
