/**
 * Attacks by accounts and API keys of Observa's interface: somebody who is logged in reaches for keys of another tenant, signs up
 * for what is there, guesses logins and forges sessions; and keys that only send are used for more, or from elsewhere.
 */

import { createHmac } from 'node:crypto';
import type { Attack, Step, Victim, Who } from './attack.ts';
import { clickhouse, JSON_TYPE, one, sql } from './attack.ts';
import type { Attacker } from './credentials.ts';
import { PROJECT } from './observa.ts';

/** The only page that the attacker's `pk_` key is for. */
export const PAGE = 'https://page.example.com';
/** Of all accounts of the scene but in no request: who guesses it has found another hole. */
export const PASSWORD = 'long-enough-and-not-to-be-guessed';
const SURFACE = 'accounts';
const TRACE = '3f0e8a52-7f0b-4d0a-9c58-6a1d2c3b4e5f';

type Body = Readonly<Record<string, unknown>>;

export function accountAttacks(attacker: Attacker, victim: Victim, now: number): readonly Attack[] {
  return [
    ...keyAttacks(victim),
    ...signups(victim),
    ...logins(victim),
    ...forged(attacker, victim, now),
    ...rowAttacks(victim, now),
    ...elsewhere(victim),
  ];
}

function keyAttacks({ tenant, apiKey, sdkKey, workspace }: Victim): readonly Attack[] {
  const keys = `/api/v1/tenants/${tenant}/api-keys`;
  const requests: readonly (readonly [string, Body?])[] = [
    [keys],
    [`${keys}?projectId=${PROJECT}`],
    [`POST ${keys}`, { name: 'mine' }],
    [`POST ${keys}`, { name: 'mine', tenantId: tenant, keyPrefix: 'pk_', allowedOrigins: [PAGE] }],
    [`POST ${keys}/${apiKey}/rotate`, { overlapSeconds: 0 }],
    [`DELETE ${keys}/${apiKey}`],
    [`DELETE ${keys}/${sdkKey}`],
    [`DELETE /api/v1/tenants/${tenant}/tokens`],
    ['/api/v1/admin/users'],
    [`/api/v1/admin/users?tenant=${tenant}`],
    ['DELETE /api/v1/admin/users?id=x'],
    // By a tenant that may be one's own, under names that look like it.
    [`DELETE /api/v1/tenants/acme/api-keys/${apiKey}`],
    [`POST /api/v1/tenants/acme/api-keys/${apiKey}/rotate`, {}],
    [`/api/v1/tenants/${tenant}%00/api-keys`],
    [`/api/v1/tenants/acme%2f..%2f${tenant}/api-keys`],
  ];
  const who: readonly Who[] = ['session', 'server_key', 'page_key', 'admin', 'key', 'none', 'sdk', 'jwt'];
  const disguises: readonly Readonly<Record<string, string>>[] = [
    { 'x-glasshouse-tenant': tenant },
    { 'x-tenant-id': tenant },
    { 'x-api-key': workspace },
  ];
  return [
    ...who.flatMap((as) => requests.map(([request, body]) => one(SURFACE, { request, as, ...sent(body) }, 'refused'))),
    ...disguises.map((headers) => one(SURFACE, { request: keys, headers, as: 'session' }, 'refused')),
  ];
}

/** Who asks for keys lets nobody sign up; and nobody ever signs up for what is there. */
function signups({ tenant, account }: Victim): readonly Attack[] {
  const wanted = { email: 'new@example.com', password: 'a long password', companyName: tenant };
  const bodies: readonly Body[] = [
    wanted,
    { ...wanted, tenantId: tenant, tenant },
    { ...wanted, companyName: 'default' },
    { ...wanted, email: account },
    { ...wanted, isAdmin: true, scopes: ['admin'], plan: 'enterprise' },
  ];
  return bodies.flatMap((body) =>
    (['none', 'session', 'sdk', 'server_key', 'key', 'admin'] as const).map((as) =>
      one(SURFACE, { request: 'POST /api/v1/auth/signup', as, ...sent(body) }, 'refused'),
    ),
  );
}

function logins({ account }: Victim): readonly Attack[] {
  const guesses: readonly Body[] = [
    { email: account, password: '' },
    { email: account, password: { $ne: '' } },
    { email: account, password: ['x'] },
    { email: account, password: "' OR 1 = 1 -- " },
    { email: `${account}' OR 1 = 1 -- `, password: 'x' },
    { email: `${account}\u0000`, password: 'x' },
    { email: { like: '%' }, password: 'x' },
    { email: [account], password: 'x' },
    { email: '%', password: 'x' },
    { email: account, password: 'scrypt$15$8$3$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' },
    { email: account },
    {},
  ];
  return guesses.map((body) => one(SURFACE, { request: 'POST /api/v1/auth/login', ...sent(body) }, 'refused'));
}

/** Texts that look like sessions and must not be believed. */
function forged({ secret }: Attacker, { tenant, workspace, sdkKey }: Victim, now: number): readonly Attack[] {
  const claims = { typ: 'session', sub: 'x', tenant, session: 1, iat: now, exp: now + 3_600 };
  const others = [
    { ...claims, sub: [1] },
    { ...claims, sub: "x' OR 1 = 1 -- " },
    { ...claims, session: '1' },
    { ...claims, exp: '9e9' },
    { ...claims, typ: ['session'] },
  ];
  const secrets = [
    ...[secret, '', workspace, 'sessions'].map((key) => signed('HS256', claims, key)),
    ...others.map((each) => signed('HS256', each, secret)),
    ...['none', 'HS512', ''].map((alg) => signed(alg, claims, secret)),
    `sk_${sdkKey}_${'A'.repeat(43)}`,
  ];
  return secrets.flatMap((text) =>
    ['/api/v1/auth/me', '/api/v1/auth/account', 'POST /api/v1/auth/logout', `/api/v1/tenants/${tenant}/api-keys`].map(
      (request) => one(SURFACE, { request, secret: text }, 'refused'),
    ),
  );
}

/** Rows in the name of another, and from pages that a key is not for. */
function rowAttacks({ tenant }: Victim, now: number): readonly Attack[] {
  const event = (fields: Body): Body => ({
    ...{
      tenant_id: 'acme',
      project_id: PROJECT,
      environment: 'dev',
      event_type: 'output',
      trace_id: TRACE,
      span_id: TRACE,
    },
    ...{ timestamp: new Date(now * 1000).toISOString(), attributes: {}, ...fields },
  });
  const refused = [{ tenant_id: tenant }, { project_id: 'other' }, { environment: 'any' }, { tenant_id: null }];
  const pages = [
    'https://evil.example.com',
    'null',
    `${PAGE}.evil.com`,
    `https://evil.com/${PAGE}`,
    `${PAGE}@evil.com`,
  ];
  const request = 'POST /api/v1/events/ingest';
  const from = (origin: string): Readonly<Record<string, string>> => ({ ...JSON_TYPE, origin });
  return [
    ...refused.flatMap((fields) => [
      one(SURFACE, { request, ...sent(event(fields)), as: 'server_key' }, 'refused'),
      one(SURFACE, { request, body: JSON.stringify(event(fields)), headers: from(PAGE), as: 'page_key' }, 'refused'),
    ]),
    ...pages.map((page) =>
      one(SURFACE, { request, body: JSON.stringify(event({})), headers: from(page), as: 'page_key' }, 'refused'),
    ),
    one(SURFACE, { request, ...sent(event({})), as: 'page_key' }, 'refused'),
    one(SURFACE, { request, body: JSON.stringify(event({})), headers: from(PAGE), as: 'page_key' }, 'works'),
    one(SURFACE, { request, ...sent(event({})), as: 'server_key' }, 'works'),
  ];
}

/** Sessions and keys that send are no credential of other routes. */
function elsewhere({ tenant, source }: Victim): readonly Attack[] {
  const requests: readonly Step[] = [
    sql(`SELECT * FROM ${source}`),
    sql('SELECT * FROM canonical_events'),
    clickhouse('SELECT * FROM traces'),
    ...['/v0/datasources', '/v0/tokens', '/v0/workspace', '/api/v1/admin/keys', '/api/v1/audit', '/api/v1/quotas'].map(
      (request): Step => ({ request }),
    ),
    { request: 'POST /v0/events?name=traces', body: '{}' },
    { request: 'POST /v1/traces', ...sent({ resourceSpans: [] }) },
    { request: 'POST /api/v1/admin/keys', ...sent({ name: 'k', tenant, scopes: ['admin'] }) },
    { request: 'POST /api/v1/auth/tokens', ...sent({ tenantId: tenant, projectId: 'p', environment: 'dev' }) },
  ];
  return (['session', 'server_key', 'page_key'] as const).flatMap((as) =>
    requests.map((step) => one(SURFACE, { ...step, as }, 'refused')),
  );
}

function sent(body: Body | undefined): Pick<Step, 'body' | 'headers'> {
  return body === undefined ? {} : { body: JSON.stringify(body), headers: JSON_TYPE };
}

function part(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function signed(alg: string, claims: Body, key: string): string {
  const text = `${part({ alg, typ: 'JWT' })}.${part(claims)}`;
  return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`;
}
