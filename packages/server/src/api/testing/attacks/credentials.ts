/**
 * Attacks by credentials: JWTs that were forged, have expired or are for something else, what they fix and the caller would like
 * to choose, and requests in the name of another workspace.
 */

import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import type { Attack, Step, Victim } from './attack.ts';
import { json, JSON_TYPE, one, sql } from './attack.ts';

/** What an attacker has of its own. */
export interface Attacker {
  readonly workspace: string;
  /** Secret of its workspace's admin token. */
  readonly secret: string;
  /** A JWT that is good. */
  readonly jwt: string;
}

const HOUR = 3_600;

type Claims = Readonly<Record<string, unknown>>;

function part(value: unknown): string {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
}

function signed(head: Claims, claims: Claims, key: string, algorithm = 'sha256'): string {
  const text = `${part(head)}.${part(claims)}`;
  return `${text}.${createHmac(algorithm, key).update(text).digest('base64url')}`;
}

/** Texts that look like JWTs and must not be believed. */
function forgedTokens({ workspace, secret, jwt }: Attacker, victim: Victim, now: number): readonly string[] {
  const head = { alg: 'HS256', typ: 'JWT' };
  const scopes = [{ type: 'DATASOURCES:READ', resource: victim.source }];
  const claims = { workspace_id: victim.workspace, name: 'forged', exp: now + HOUR, scopes };
  const own = {
    workspace_id: workspace,
    name: 'forged',
    exp: now + HOUR,
    scopes: [{ type: 'DATASOURCES:READ', resource: 'mine' }],
  };
  const [head64, claims64, signature] = jwt.split('.') as [string, string, string];
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const rsa = `${part({ alg: 'RS256', typ: 'JWT' })}.${part(claims)}`;
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  return [
    // Of the victim's workspace, with every key but its own.
    signed(head, claims, secret),
    signed(head, claims, ''),
    signed(head, claims, 'secret'),
    signed(head, claims, victim.workspace),
    signed(head, claims, victim.tokenId),
    signed({ ...head, kid: victim.tokenId }, claims, secret),
    signed({ ...head, jku: 'http://127.0.0.1/keys' }, claims, secret),
    signed({ ...head, jwk: { kty: 'oct', k: part(secret) } }, claims, secret),
    `${rsa}.${sign('sha256', Buffer.from(rsa), privateKey).toString('base64url')}`,
    signed({ alg: 'HS256', typ: 'JWT' }, claims, pem),
    // No algorithm, or another one.
    ...[
      'none',
      'None',
      'NONE',
      'nOnE',
      '',
      'HS512',
      'HS384',
      'RS256',
      'ES256',
      'hs256',
      null,
      0,
      ['HS256'],
      {},
    ].flatMap((alg) => [
      `${part({ alg, typ: 'JWT' })}.${part(claims)}.`,
      `${part({ alg, typ: 'JWT' })}.${part(own)}.${signature}`,
    ]),
    signed({ alg: 'HS512', typ: 'JWT' }, own, secret, 'sha512'),
    signed({ alg: 'none', typ: 'JWT' }, own, secret),
    signed({ ...head, crit: ['exp'] }, own, secret),
    signed({ typ: 'JWT' }, own, secret),
    // The right signature of something else.
    `${head64}.${part(claims)}.${signature}`,
    `${head64}.${claims64}.${signature}A`,
    `${head64}.${claims64}.${signature.slice(0, -1)}`,
    `${head64}.${claims64}.${signature}=`,
    `${head64}.${claims64}`,
    `${head64}..${signature}`,
    `${head64}.${claims64}.${signature}.${signature}`,
    `${part({ ...head, extra: 1 })}.${claims64}.${signature}`,
    // Out of date, or never in it.
    ...[now - 1 - HOUR, now - 10, 0, -1, 1e300, '9999999999', null, undefined, [now + HOUR], 1e12].map((exp) =>
      signed(head, { ...own, exp }, secret),
    ),
    ...[now + HOUR, '0', null].map((nbf) => signed(head, { ...own, nbf }, secret)),
    // Scopes that no JWT may have.
    ...[
      { type: 'ADMIN' },
      { type: 'TOKENS' },
      { type: 'WORKSPACE:READ_ALL' },
      { type: 'DATASOURCES:APPEND', resource: 'mine' },
      { type: 'DATASOURCES:DROP', resource: 'mine' },
      { type: 'PIPES:CREATE' },
      { type: 'PIPES:READ', resource: '*' },
      { type: 'DATASOURCES:READ', resource: '*' },
      { type: 'DATASOURCES:READ' },
      { type: 'DATASOURCES:READ', resource: 'mine', filter: "throwIf(tenant_id = 'z') = 0" },
      { type: 'DATASOURCES:READ', resource: 'mine', filter: '1) OR (1' },
      {
        type: 'DATASOURCES:READ',
        resource: 'mine',
        filter: `k IN (SELECT k FROM ${victim.database}.${victim.source})`,
      },
    ].map((scope) => signed(head, { ...own, scopes: [scope] }, secret)),
    signed(head, { ...own, scopes: [] }, secret),
    signed(head, { ...own, scopes: 'ADMIN' }, secret),
    signed(head, { ...own, workspace_id: undefined }, secret),
    signed(head, { ...own, workspace_id: [victim.workspace] }, secret),
    // Keys of the other kinds.
    `p.${part({ id: victim.tokenId, workspace: victim.workspace })}.${signature}`,
    secret.slice(0, -2),
    `${secret}x`,
    'p.',
    'p..',
    victim.tokenId,
  ];
}

export function credentialAttacks(attacker: Attacker, victim: Victim, now: number): readonly Attack[] {
  const { pipe, source, tenant, workspace } = victim;
  const forged = forgedTokens(attacker, victim, now).map((secret, index): Attack => {
    const request = [
      `/v0/sql?q=SELECT%20*%20FROM%20mine`,
      '/v0/datasources/mine',
      `/v0/pipes/${pipe}.json`,
      '/v0/pipes/fixed.json',
    ][index % 4] as string;
    return one('JWT', { request, secret }, 'refused');
  });
  const reads = [
    `SELECT * FROM ${source}`,
    'SELECT * FROM fixed',
    `SELECT * FROM ${pipe}`,
    'SELECT * FROM open_page',
    'SELECT * FROM pipe_stats_rt',
  ];
  const jwt = (['jwt', 'jwt_fixed', 'jwt_filtered'] as const).flatMap((who) => [
    ...reads.map((text, index) => one('JWT', sql(text, who, index))),
    ...[
      '/v0/pipes',
      '/v0/datasources',
      '/v0/tokens',
      '/v0/jobs',
      '/v1/deployments',
      '/v0/dependencies',
      '/v0/pipes/openapi.json',
      '/v0/workspace',
      '/v0/user/workspaces',
      '/v0/pipes/fixed.pipe',
      '/v0/pipes/fixed',
      '/v0/pipes/open_page.json',
      '/v0/datasources/mine.datasource',
    ].map((request) => one('JWT', { request, as: who })),
    one(
      'JWT',
      json(
        'POST /v0/tokens',
        { name: 'more', expiration_time: now + HOUR, scopes: [{ type: 'PIPES:READ', resource: 'open_page' }] },
        who,
      ),
      'refused',
    ),
    one('JWT', { request: 'POST /v0/events?name=mine', body: '{"k":1}', as: who }, 'refused'),
    one('JWT', { request: `POST /v0/pipes/fixed/nodes/n/endpoint`, as: who }, 'refused'),
    one('JWT', { request: `/v0/sql?pipeline=fixed&q=SELECT%20*%20FROM%20inner`, as: who }, 'refused'),
  ]);
  const others: readonly Step[] = [
    ...(
      ['/v0/datasources', '/v0/pipes', '/v0/tokens', '/v0/jobs', '/v0/workspace', '/v0/sql?q=SHOW%20TABLES'] as const
    ).flatMap((request): Step[] => [
      { request, as: 'admin', headers: { 'x-glasshouse-tenant': tenant } },
      { request, as: 'key', headers: { 'x-glasshouse-tenant': tenant } },
      { request, as: 'none', headers: { 'x-glasshouse-tenant': tenant } },
    ]),
  ];
  return [
    ...forged,
    ...jwt,
    ...fixedParameters(),
    ...others.map((step) => one('another workspace', step, 'refused')),
    ...[`workspace_id=${workspace}`, `workspace=${tenant}`, `__tb__workspace=${workspace}`, `host=${tenant}`].map(
      (query) => one('another workspace', { request: `/v0/datasources?${query}`, as: 'admin' }),
    ),
  ];
}

/** `fixed` shows the rows of `tenant_id = {{ String(org) }}`, which the JWT fixes to `a`. */
function fixedParameters(): readonly Attack[] {
  const queries = [
    'org=z',
    'org=a&org=z',
    'org=z&org=a',
    'org[]=z',
    'org[0]=z',
    'ORG=z',
    'o%72g=z',
    '%6f%72%67=z',
    'org=%7A',
    'org=z%00',
    'org%20=z',
    '%20org=z',
    'org.x=z',
    'param_org=z',
    'org=',
    'org=a%27%20OR%20tenant_id%20!=%20%27',
    'values=%7B%22org%22:%22z%22%7D',
    'fixed_params=%7B%22org%22:%22z%22%7D',
    'org=z;org=z',
    'q=SELECT%20*%20FROM%20_&org=z',
    'q=SELECT%20*%20FROM%20fixed&org=z',
    'q=%25%20SELECT%20*%20FROM%20_%20WHERE%20tenant_id%20!=%20%7B%7B%20String(org)%20%7D%7D&org=z',
    'q=SELECT%20*%20FROM%20free&org=z',
    'q=SELECT%20*%20FROM%20_%20UNION%20ALL%20SELECT%20*%20FROM%20free&org=z',
    'q=SELECT%20*%20FROM%20mine&org=z',
  ];
  const bodies = [
    '{"org":"z"}',
    '{"org":["z"]}',
    '{"org":{"org":"z"}}',
    '{"\\u006frg":"z"}',
    '{"__proto__":{"org":"z"}}',
    '{"org":"a","org":"z"}',
    '{"constructor":{"prototype":{"org":"z"}}}',
  ];
  const statements = [
    'SELECT * FROM fixed',
    '% SELECT * FROM fixed WHERE {{ String(org) }} != 1',
    'SELECT * FROM fixed AS f JOIN fixed AS g ON f.k = g.k',
    'SELECT * FROM (SELECT * FROM fixed)',
    'WITH x AS (SELECT * FROM fixed) SELECT * FROM x',
    'SELECT * FROM fixed UNION ALL SELECT * FROM fixed',
    'SELECT * FROM free',
    'SELECT * FROM inner',
  ];
  return [
    ...queries.map((query) => one('fixed parameters', { request: `/v0/pipes/fixed.json?${query}`, as: 'jwt_fixed' })),
    ...bodies.map((body) =>
      one('fixed parameters', { request: 'POST /v0/pipes/fixed.json', body, headers: JSON_TYPE, as: 'jwt_fixed' }),
    ),
    ...bodies.map((body) =>
      one('fixed parameters', { request: 'POST /v0/pipes/fixed.json?org=z', body, as: 'jwt_fixed' }),
    ),
    ...statements.flatMap((text) => [
      one('fixed parameters', { request: `/v0/sql?org=z&q=${encodeURIComponent(text)}`, as: 'jwt_fixed' }),
      one('fixed parameters', json('POST /v0/sql', { q: text, org: 'z' }, 'jwt_fixed')),
      one('fixed parameters', { request: `/v0/pipes/fixed.json?org=z&q=${encodeURIComponent(text)}`, as: 'jwt_fixed' }),
    ]),
  ];
}
