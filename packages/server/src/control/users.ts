/**
 * Accounts of people, which Observa's interface signs up and logs in: an address, a password and the tenant that they are of. Rows
 * of the store, read for each request: there are few of either.
 *
 * Must stay true: of a password only what `passwords.ts` makes of it is here, and nothing of it leaves but to be compared. An
 * address has one account. A session counts for the number that the account has now, so raising it ends all of them.
 */

import { randomUUID } from 'node:crypto';
import { AppError } from '@glasshouse/model';
import type { Placement } from '@glasshouse/model';
import type { Store } from '@glasshouse/store';
import type { AuditAction } from './audit-actions.ts';
import type { OnChange } from './audit-entry.ts';

export interface User {
  readonly id: string;
  /** In lower case. */
  readonly email: string;
  /** Where their first key sends to. */
  readonly placement: Placement;
  readonly createdAt: Date;
  readonly lastLoginAt: Date | undefined;
  /** The number that sessions have to have. */
  readonly session: number;
}

/** A user with what is kept of the password. */
export interface KnownUser extends User {
  readonly password: string;
}

export interface UsersOptions {
  readonly store: Pick<Store, 'insertRows' | 'rows' | 'target'>;
  readonly now: () => number;
  readonly onChange?: OnChange | undefined;
}

interface Row {
  readonly id: string;
  readonly email: string;
  readonly password: string;
  readonly tenant: string;
  readonly project: string;
  readonly environment: string;
  readonly created: string;
  readonly login: string | null;
  readonly session: number;
}

export class Users {
  private readonly options: UsersOptions;
  /** Changes go one after the other, each from what is there: of two accounts with one address the second is refused. */
  private changing: Promise<unknown> = Promise.resolve();
  private version = 0;

  constructor(options: UsersOptions) {
    this.options = options;
  }

  /** Rejects with `unavailable` when the store is down, as all of these do. */
  async byEmail(email: string): Promise<KnownUser | undefined> {
    return (await this.read('email = {email:String}', { email }))[0];
  }

  async byId(id: string): Promise<KnownUser | undefined> {
    return (await this.read('id = {id:String}', { id }))[0];
  }

  /** All of them, or those of a tenant, by address. */
  list(tenant: string | undefined): Promise<readonly User[]> {
    return tenant === undefined ? this.read('true', {}) : this.read('tenant = {tenant:String}', { tenant });
  }

  /** Makes an account in what `prepare` makes for it. Rejects with `conflict` if the address has one, before anything is made. */
  create<Made extends { readonly placement: Placement }>(
    { email, password }: Pick<KnownUser, 'email' | 'password'>,
    prepare: () => Promise<Made>,
  ): Promise<{ readonly user: User; readonly made: Made }> {
    return this.inTurn(async () => {
      if ((await this.byEmail(email)) !== undefined) throw taken();
      const made = await prepare();
      const at = new Date(this.options.now());
      const user: KnownUser = {
        ...{ id: randomUUID(), email, password, placement: made.placement },
        ...{ createdAt: at, lastLoginAt: undefined, session: 1 },
      };
      await this.save(user, 'user.create', undefined);
      // Another server may have written the same address at the same moment: one of the two has it.
      if ((await this.byEmail(email))?.id !== user.id) throw taken();
      return { user, made };
    });
  }

  /** Notes a login. Rejects with `not_found` if the account is gone, as the other two do. */
  loggedIn(id: string): Promise<User> {
    return this.change(id, undefined, (user) => ({ ...user, lastLoginAt: new Date(this.options.now()) }));
  }

  /** Ends all sessions of an account. */
  endSessions(id: string): Promise<User> {
    return this.change(id, 'user.logout', (user) => ({ ...user, session: user.session + 1 }));
  }

  /** Removes an account, and so its sessions. Its tenant and keys stay. */
  remove(id: string): Promise<User> {
    return this.change(id, 'user.remove', (user) => user);
  }

  private change(id: string, action: AuditAction | undefined, to: (user: KnownUser) => KnownUser): Promise<User> {
    return this.inTurn(async () => {
      const before = await this.byId(id);
      if (before === undefined)
        throw new AppError('not_found', `cannot find user=${id.slice(0, 40)}: there is none of that id`);
      const after = to(before);
      await this.save(after, action, before);
      return after;
    });
  }

  private inTurn<Result>(act: () => Promise<Result>): Promise<Result> {
    const result = this.changing.then(act);
    this.changing = result.catch(() => undefined);
    return result;
  }

  private async save(user: KnownUser, action: AuditAction | undefined, before: KnownUser | undefined): Promise<void> {
    const { store, now, onChange } = this.options;
    const { id, email, password, placement, createdAt, lastLoginAt, session } = user;
    const isRemoved = action === 'user.remove';
    this.version = Math.max(now(), this.version + 1);
    await store.insertRows('users', [
      {
        ...{ id, email, password, ...placement, session },
        created_at: timeText(createdAt),
        last_login_at: lastLoginAt === undefined ? null : timeText(lastLoginAt),
        deleted: isRemoved,
        version: String(this.version),
      },
    ]);
    if (action === undefined) return;
    const former = before === undefined ? null : shown(before);
    onChange?.({ action, ...placement, target: id, before: former, after: isRemoved ? null : shown(user) });
  }

  private async read(condition: string, params: Readonly<Record<string, string>>): Promise<KnownUser[]> {
    const { store } = this.options;
    const rows = await store.rows<Row>(
      `SELECT id, email, password, tenant, project, environment, toUnixTimestamp64Milli(created_at) AS created,
         toUnixTimestamp64Milli(last_login_at) AS login, session FROM ${store.target.database}.users FINAL
       WHERE (${condition}) AND NOT deleted ORDER BY email`,
      { params },
    );
    return rows.map(({ tenant, project, environment, created, login, session, ...row }) => ({
      ...{ id: row.id, email: row.email, password: row.password, placement: { tenant, project, environment } },
      createdAt: new Date(Number(created)),
      lastLoginAt: login === null ? undefined : new Date(Number(login)),
      session,
    }));
  }
}

/** An account as the audit log has it. */
function shown({ id, email, placement, session }: User): object {
  return { id, email, ...placement, session };
}

function taken(): AppError {
  return new AppError('conflict', 'cannot sign up: an account of this address already exists; log in instead');
}

function timeText(date: Date): string {
  return date.toISOString().slice(0, 23).replace('T', ' ');
}
