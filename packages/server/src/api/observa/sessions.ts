/**
 * Sessions of accounts: what a login gives, and what the routes of an account's keys ask for. A session is a JWT that this server
 * signed with a key that is for nothing else; nothing is kept of it but the number that the account has to have for it to count.
 *
 * Must stay true: nothing of a session is believed before its signature was checked. It is no credential of other routes, and
 * logging out ends all sessions of the account.
 */

import { AppError } from '@glasshouse/model';
import type { Tenants } from '../../control/tenants.ts';
import type { KnownUser, User, Users } from '../../control/users.ts';
import { claimed, signClaims, verifyClaims } from '../../platform/jwt.ts';

export interface SessionsOptions {
  readonly users: Pick<Users, 'byId'>;
  readonly tenants: Pick<Tenants, 'has'>;
  /** Signs sessions; asked for each time, because a restore may bring another one. */
  readonly secret: () => string;
  readonly now: () => number;
}

const LIFE_SECONDS = 7 * 86_400;
const TYPE = 'session';

export class Sessions {
  private readonly options: SessionsOptions;

  constructor(options: SessionsOptions) {
    this.options = options;
  }

  begin({ id, placement, session }: User): string {
    const { secret, now } = this.options;
    const iat = Math.floor(now() / 1000);
    const claims = { typ: TYPE, sub: id, tenant: placement.tenant, session, iat, exp: iat + LIFE_SECONDS };
    return signClaims(claims, secret());
  }

  /** Whether a credential claims to be a session; to be believed only after `resolve`. */
  looksLikeOne(secret: string): boolean {
    return claimed(secret, 'typ') === TYPE;
  }

  /** Whose session it is. Rejects with `unauthenticated`, or `unavailable` when the store is down. */
  async resolve(session: string | undefined): Promise<KnownUser> {
    const { users, tenants, secret, now } = this.options;
    if (session === undefined)
      throw refused('there is none; log in, and send its sessionToken as Authorization: Bearer');
    const { typ, sub, session: number, exp } = verifyClaims(session, [secret()]);
    if (typ !== TYPE || typeof sub !== 'string' || typeof exp !== 'number') throw refused('it is none');
    if (exp * 1000 <= now()) throw refused('it has expired; log in again');
    const user = await users.byId(sub);
    if (user === undefined || user.session !== number) throw refused('it was ended; log in again');
    // Or else its owner would make it again, with the data that is still there.
    if (!tenants.has(user.placement.tenant)) throw refused('its tenant was removed');
    return user;
  }
}

function refused(why: string): AppError {
  return new AppError('unauthenticated', `cannot accept the session: ${why}`);
}
