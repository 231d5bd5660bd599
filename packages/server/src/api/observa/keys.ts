/**
 * Keys of Observa's SDK: JWTs that say whose events they send, because the SDK reads tenant, project and environment out of
 * them. Each is an API key like any other, of one scope, found by its id and its hash; so it is listed, expires and is revoked
 * as those are, and goes on working while the store is away.
 *
 * Must stay true: nothing of a JWT is believed before its signature and its record were. It is no credential of other routes.
 */

import type { Placement } from '@glasshouse/model';
import { AppError } from '@glasshouse/model';
import type { Access } from '../../control/access.ts';
import type { ApiKey } from '../../control/keys.ts';
import { claimed, signClaims, verifyClaims } from '../../platform/jwt.ts';
import type { Platform } from '../../platform/platform.ts';

/** A static token whose scopes the events of a key pass through. */
export interface BoundToken {
  readonly workspace: string;
  readonly tokenId: string;
}

export interface SdkKey extends ApiKey {
  /** Undefined if the events go into the tenant's own workspace. */
  readonly through: BoundToken | undefined;
}

export interface WantedKey {
  readonly placement: Placement;
  readonly lifeMs: number;
  readonly through: BoundToken | undefined;
}

export interface SdkKeysOptions {
  readonly access: Pick<Access, 'keys' | 'refresh' | 'resolveKey' | 'tenants'>;
  readonly platform: Pick<Platform, 'tokens' | 'workspaces'>;
  readonly now: () => number;
}

/** What the record is called: this word, and the token that the events pass through. */
const NAME = /^observa(?: (?<workspace>\S+) (?<tokenId>\S+))?$/u;

export class SdkKeys {
  private readonly options: SdkKeysOptions;

  constructor(options: SdkKeysOptions) {
    this.options = options;
  }

  /** Makes a key, and the tenant if there is none. Rejects with `bad_request` for names that none can have. */
  async create({ placement, lifeMs, through }: WantedKey): Promise<{ readonly key: SdkKey; readonly jwt: string }> {
    const { access, platform, now } = this.options;
    await access.tenants.ensure(placement.tenant);
    const [secret] = platform.tokens.signingSecrets(placement.tenant);
    if (secret === undefined)
      throw new AppError('unavailable', 'cannot make the key: the workspace is not known yet; try again');
    const name = through === undefined ? 'observa' : `observa ${through.workspace} ${through.tokenId}`;
    const { tenant: tenantId, project: projectId, environment } = placement;
    const at = now();
    const expiresAt = new Date(at + lifeMs);
    const [iat, exp] = [at, expiresAt.getTime()].map((ms) => Math.floor(ms / 1000));
    const made = await access.keys.create({ name, placement, scopes: ['ingest'], expiresAt }, (jti) =>
      signClaims({ tenantId, projectId, environment, iat, exp, jti }, secret),
    );
    return { key: { ...made.apiKey, through }, jwt: made.key };
  }

  /** The keys of all tenants or of one, newest first, those included that ended. */
  async list(tenant: string | null): Promise<readonly SdkKey[]> {
    const { access } = this.options;
    await access.refresh();
    return access.keys
      .list()
      .flatMap((key) => fromRecord(key) ?? [])
      .filter(({ placement }) => tenant === null || placement.tenant === tenant);
  }

  /**
   * Makes the follower of a key, which itself ends after `overlapMs`. Rejects with `not_found`, and with `conflict` if it ended
   * already.
   */
  async rotate(id: string, lifeMs: number, overlapMs: number): Promise<{ readonly key: SdkKey; readonly jwt: string }> {
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
    const { through } = await this.get(id);
    return { ...(await this.options.access.keys.revoke(id)), through };
  }

  /** The key of a request. Rejects with `unauthenticated`, or `unavailable` if the store would have to be asked. */
  async resolve(jwt: string | undefined): Promise<SdkKey> {
    const { access, platform, now } = this.options;
    if (jwt === undefined) throw refused('there is none; send it as Authorization: Bearer');
    const [tenant, id] = [claimed(jwt, 'tenantId'), claimed(jwt, 'jti')];
    if (tenant === undefined || id === undefined) throw refused('it is no JWT that was made by this server');
    // Only of a workspace that is there, so that nobody makes this server remember names.
    if (platform.workspaces.find(tenant)?.tenant !== tenant) throw refused('there is no such key');
    const { projectId, environment, exp } = verifyClaims(jwt, platform.tokens.signingSecrets(tenant));
    if (typeof exp !== 'number' || exp * 1000 <= now()) throw refused('it has expired');
    const { placement } = await access.resolveKey({ id, secret: jwt }, 'ingest');
    const isOwn =
      placement.tenant === tenant && placement.project === projectId && placement.environment === environment;
    const record = access.keys.get(id);
    const key = isOwn && record !== undefined ? fromRecord(record) : undefined;
    if (key === undefined) throw refused('there is no such key');
    return key;
  }

  private async get(id: string): Promise<SdkKey> {
    const { access } = this.options;
    await access.refresh();
    const record = access.keys.get(id);
    const key = record === undefined ? undefined : fromRecord(record);
    if (key !== undefined) return key;
    throw new AppError('not_found', `cannot find key=${id.slice(0, 40)}: there is no such key of an SDK`);
  }
}

/** Undefined if the record is of a key of another kind. */
function fromRecord(key: ApiKey): SdkKey | undefined {
  const match = NAME.exec(key.name);
  if (match === null) return undefined;
  const { workspace, tokenId } = match.groups ?? {};
  return { ...key, through: workspace === undefined || tokenId === undefined ? undefined : { workspace, tokenId } };
}

function refused(why: string): AppError {
  return new AppError('unauthenticated', `cannot accept the API key: ${why}`);
}
