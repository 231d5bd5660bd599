/**
 * Accounts as Observa's interface has them: somebody signs up, which makes a tenant with a first key, and logs in.
 *
 *   POST /api/v1/auth/signup {email, password, companyName, plan?} → 201 {"success", "user", "apiKey", "sessionToken", "tenantId", "projectId", "message"}
 *   POST /api/v1/auth/login {email, password}                      → {"success", "user", "sessionToken", "apiKey", "message"}
 *   POST /api/v1/auth/logout                                       → {"success", "message"}
 *   GET  /api/v1/auth/me, /api/v1/auth/account                     → {"success", "user"}, {"success", "account"}
 *   GET, DELETE /api/v1/admin/users[?tenant=, ?id=]                → {"users"}, the user
 *
 * Must stay true: a server with keys lets nobody in whom its administrator did not. The tenant of an account is a new one, under a
 * name that none had before, so that nobody signs up for the data of another. What is answered to a wrong login does not say what
 * was wrong, also not by its time.
 */

import { AppError } from '@glasshouse/model';
import type { Access } from '../../control/access.ts';
import { Attempts } from '../../control/attempts.ts';
import type { Audit } from '../../control/audit.ts';
import type { Actor } from '../../control/audit-entry.ts';
import { Passwords } from '../../control/passwords.ts';
import type { RandomBytes } from '../../control/secret.ts';
import type { User, Users } from '../../control/users.ts';
import { credentialOf } from '../../http/credential.ts';
import type { Exchange, Failure, Handler, Route } from '../../http/router.ts';
import { failJson, sendJson } from '../../http/router.ts';
import type { Fields } from './form.ts';
import { Findings } from './form.ts';
import type { SdkKeys } from './keys.ts';
import { JWT_TRAITS } from './keys.ts';
import type { Sessions } from './sessions.ts';
import { demandJson, isAnybody, readFields } from './settings.ts';

export interface AccountsOptions {
  readonly keys: SdkKeys;
  readonly users: Users;
  readonly sessions: Sessions;
  readonly access: Pick<Access, 'resolve' | 'tenants'>;
  readonly announce: Audit['announce'];
  readonly random: RandomBytes;
  readonly now: () => number;
  readonly isOpen: boolean;
  /** Everybody who reaches the server may sign up. */
  readonly mayAllSignUp: boolean;
}

const SPAN_MS = 15 * 60_000;
/** Wrong logins in that time: of an address of mail from one machine, of one from all machines, of one machine for all. */
const [LOGINS_OF_BOTH, LOGINS_OF_EMAIL, LOGINS_OF_ADDRESS] = [10, 50, 100];
const [SIGNUPS_OF_ADDRESS, SIGNUPS_OF_ALL] = [10, 100];
const EMAIL = /^[^\s@<>"',;\\]{1,64}@[a-z0-9](?:[a-z0-9.-]{0,180}[a-z0-9])?\.[a-z0-9-]{2,}$/u;
const [MIN_PASSWORD, MAX_PASSWORD] = [8, 1024];
const MAX_COMPANY = 100;
const PLANS: readonly unknown[] = [undefined, 'free', 'pro', 'enterprise'];
const FIRST = { project: 'production', environment: 'prod' } as const;

export function accountRoutes(options: AccountsOptions): Route[] {
  const accounts = new Accounts(options);
  const route = (method: Route['method'], path: string, handle: Handler): Route => ({
    ...{ method, handle },
    path: `/api/v1/${path}`,
    fail,
  });
  return [
    route('POST', 'auth/signup', (exchange) => accounts.signUp(exchange)),
    route('POST', 'auth/login', (exchange) => accounts.logIn(exchange)),
    route('POST', 'auth/logout', (exchange) => accounts.logOut(exchange)),
    route('GET', 'auth/me', async ({ request, response }) => {
      const user = await options.sessions.resolve(credentialOf(request.headers));
      sendJson(response, 200, { success: true, user: userJson(user) });
    }),
    route('GET', 'auth/account', async ({ request, response }) => {
      const user = await options.sessions.resolve(credentialOf(request.headers));
      const { tenant, project, environment } = user.placement;
      const first = { id: project, name: project, environment };
      sendJson(response, 200, {
        success: true,
        account: {
          user: userJson(user),
          tenant: { id: tenant, name: tenant },
          projects: [first],
          defaultProject: first,
        },
      });
    }),
    route('GET', 'admin/users', async ({ request, response, query }) => {
      await options.access.resolve(credentialOf(request.headers), 'admin');
      const users = await options.users.list(query.get('tenant') ?? undefined);
      sendJson(response, 200, { users: users.map(userJson) });
    }),
    route('DELETE', 'admin/users', async ({ request, response, query }) => {
      await options.access.resolve(credentialOf(request.headers), 'admin');
      sendJson(response, 200, userJson(await options.users.remove(query.get('id') ?? '')));
    }),
  ];
}

/** Who did it, for the audit log. */
export function actorOf({ id, email, placement }: User): Actor {
  return { id, name: email, kind: 'user', tenant: placement.tenant };
}

class Accounts {
  private readonly options: AccountsOptions;
  private readonly passwords: Passwords;
  private readonly logins: Attempts;
  private readonly signups: Attempts;

  constructor(options: AccountsOptions) {
    this.options = options;
    this.passwords = new Passwords(options.random);
    this.logins = new Attempts(options.now, SPAN_MS);
    this.signups = new Attempts(options.now, SPAN_MS);
  }

  async signUp(exchange: Exchange): Promise<void> {
    const { users, keys, sessions, announce } = this.options;
    await this.admitSignup(exchange);
    const wanted = readSignup(await readFields(exchange));
    if ((await users.byEmail(wanted.email)) !== undefined)
      throw new AppError('conflict', 'cannot sign up: an account of this address already exists; log in instead');
    const password = await this.passwords.hash(wanted.password);
    const placement = { ...FIRST, tenant: this.newTenant(wanted.companyName) };
    await announce({ id: wanted.email, name: wanted.email, kind: 'user', tenant: placement.tenant });
    const { user, made } = await users.create({ email: wanted.email, password }, async () => ({
      placement,
      ...(await keys.create({ ...JWT_TRAITS, placement, lifeMs: undefined })),
    }));
    sendJson(exchange.response, 201, {
      success: true,
      user: userJson(user),
      apiKey: made.secret,
      sessionToken: sessions.begin(user),
      tenantId: placement.tenant,
      projectId: placement.project,
      message: 'Account created',
    });
  }

  async logIn(exchange: Exchange): Promise<void> {
    const { users, keys, sessions, access, announce } = this.options;
    const { request, response } = exchange;
    demandJson(request);
    const { email, password } = readLogin(await readFields(exchange));
    const address = request.socket.remoteAddress ?? '';
    const counted = [
      { name: `${address} ${email}`, most: LOGINS_OF_BOTH },
      { name: `email ${email}`, most: LOGINS_OF_EMAIL },
      { name: `address ${address}`, most: LOGINS_OF_ADDRESS },
    ];
    this.logins.take('log in', counted);
    const known = await users.byEmail(email);
    if (!(await this.passwords.matches(password, known?.password)) || known === undefined)
      throw new AppError('unauthenticated', 'cannot log in: Invalid email or password');
    this.logins.forgive(counted);
    if (!access.tenants.has(known.placement.tenant))
      throw new AppError('forbidden', 'cannot log in: the tenant of the account was removed');
    await announce(actorOf(known));
    const user = await users.loggedIn(known.id);
    const { placement } = user;
    const { secret } =
      (await keys.again(placement)) ?? (await keys.create({ ...JWT_TRAITS, placement, lifeMs: undefined }));
    sendJson(response, 200, {
      success: true,
      user: userJson(user),
      sessionToken: sessions.begin(user),
      apiKey: secret,
      message: 'Login successful',
    });
  }

  async logOut({ request, response }: Exchange): Promise<void> {
    const { users, sessions, announce } = this.options;
    const user = await sessions.resolve(credentialOf(request.headers));
    await announce(actorOf(user));
    await users.endSessions(user.id);
    sendJson(response, 200, { success: true, message: 'Logged out; all sessions of the account have ended' });
  }

  /** Rejects with `forbidden` who may not sign up, and with `rate_limited` who does so too often. */
  private async admitSignup(exchange: Exchange): Promise<void> {
    const { access, mayAllSignUp } = this.options;
    const { request } = exchange;
    if (isAnybody(exchange, this.options)) return;
    const secret = credentialOf(request.headers);
    if (secret !== undefined) {
      await access.resolve(secret, 'admin');
      return;
    }
    if (!mayAllSignUp)
      throw new AppError(
        'forbidden',
        'cannot sign up: on this server only its administrator makes accounts; send the request with the admin token, or ' +
          'start the server with GLASSHOUSE_SIGNUP=open to let everybody who reaches it sign up',
      );
    demandJson(request);
    this.signups.take('sign up', [
      { name: request.socket.remoteAddress ?? '', most: SIGNUPS_OF_ADDRESS },
      { name: 'all', most: SIGNUPS_OF_ALL },
    ]);
  }

  /** A name that nobody has or had: data of a tenant that was removed is still there. */
  private newTenant(company: string): string {
    const name = company
      .normalize('NFKD')
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/gu, '-')
      .replaceAll(/^-+|-+$/gu, '')
      .slice(0, 40);
    return `${name === '' ? 'tenant' : name}-${this.options.random(6).toString('hex')}`;
  }
}

interface Login {
  readonly email: string;
  readonly password: string;
}

function readLogin({ email, password }: Fields): Login {
  const findings = new Findings();
  const wanted = { email: emailOf(email), password: typeof password === 'string' ? password : '' };
  if (wanted.email === undefined) findings.add('email', 'Invalid email format');
  if (wanted.password === '' || wanted.password.length > MAX_PASSWORD) findings.add('password', 'Password is required');
  return checked(wanted, findings);
}

function readSignup({ email, password, companyName, plan }: Fields): Login & { readonly companyName: string } {
  const findings = new Findings();
  const wanted = {
    email: emailOf(email),
    password: typeof password === 'string' ? password : '',
    companyName: typeof companyName === 'string' ? companyName.trim() : '',
  };
  if (wanted.email === undefined) findings.add('email', 'Invalid email format');
  if (wanted.password.length < MIN_PASSWORD || wanted.password.length > MAX_PASSWORD)
    findings.add('password', `Password must be at least ${MIN_PASSWORD} characters, and at most ${MAX_PASSWORD}`);
  if (wanted.companyName === '' || wanted.companyName.length > MAX_COMPANY)
    findings.add('companyName', `Company name is required, of at most ${MAX_COMPANY} characters`);
  if (!PLANS.includes(plan)) findings.add('plan', 'must be free, pro or enterprise; it changes nothing here');
  return checked(wanted, findings);
}

/** Fields of a body of which some are wrong: what `details` are. */
class Invalid extends AppError {
  readonly details: readonly object[];

  constructor({ errors }: Findings) {
    super('bad_request', 'Validation failed');
    this.details = errors.map(({ field, message }) => ({ path: [field], message }));
  }
}

function checked<Wanted extends { readonly email: string | undefined }>(
  wanted: Wanted,
  findings: Findings,
): Wanted & { readonly email: string } {
  const { email } = wanted;
  if (email === undefined || !findings.isClean) throw new Invalid(findings);
  return { ...wanted, email };
}

function emailOf(value: unknown): string | undefined {
  if (typeof value !== 'string' || value.length > 254) return undefined;
  const email = value.trim().toLowerCase();
  return EMAIL.test(email) ? email : undefined;
}

function userJson({ id, email, placement, createdAt, lastLoginAt }: User): object {
  return { id, email, tenantId: placement.tenant, createdAt, lastLoginAt: lastLoginAt ?? null };
}

const fail: Failure = (exchange, error) => {
  if (!(error instanceof Invalid)) failJson(exchange, error);
  else sendJson(exchange.response, 400, { error: error.message, details: error.details });
};
