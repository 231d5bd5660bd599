/**
 * Attacks by the routes of Observa's SDK: keys of another tenant made, listed, rotated and ended by who is no administrator, events and
 * traces in the name of another, and its JWTs, forged or used where they are no credential.
 */

import { createHmac } from 'node:crypto';
import type { Attack, Step, Victim, Who } from './attack.ts';
import { clickhouse, JSON_TYPE, one, sql } from './attack.ts';
import type { Attacker } from './credentials.ts';

const KEYS = '/api/v1/auth/tokens';
const EVENTS = 'POST /api/v1/events/ingest';
const TRACES = 'POST /api/v1/traces/ingest';
/** Of the attacker's key. */
export const PROJECT = 'p';
const HOUR = 3_600;
const TRACE = '3f0e8a52-7f0b-4d0a-9c58-6a1d2c3b4e5f';

type Body = Readonly<Record<string, unknown>>;

export function observaAttacks(attacker: Attacker, victim: Victim, now: number): readonly Attack[] {
  return [
    ...keyAttacks(victim),
    ...rowAttacks(attacker, victim, now),
    ...forged(attacker, victim, now).map((secret, index) =>
      one('SDK keys', ingest([EVENTS, TRACES][index % 2] as string, victim.tenant, now, { secret }), 'refused'),
    ),
    ...elsewhere(victim),
  ];
}

/** Keys are an administrator's business, and of no tenant. */
function keyAttacks({ tenant, sdkKey, workspace }: Victim): readonly Attack[] {
  const wanted = { tenantId: tenant, projectId: PROJECT, environment: 'dev' };
  const requests: readonly (readonly [string, Body?])[] = [
    [`POST ${KEYS}`, wanted],
    [`POST ${KEYS}?tenantId=${tenant}`, wanted],
    [KEYS],
    [`${KEYS}?tenantId=${tenant}`],
    [`${KEYS}/?tenantId=${tenant}`],
    [`POST ${KEYS}/${sdkKey}/rotate`, { overlapSeconds: 0 }],
    [`POST ${KEYS}/${sdkKey}/rotate`],
    [`DELETE ${KEYS}/${sdkKey}`],
    [`DELETE /api/v1/tenants/${tenant}/tokens`],
  ];
  const who: readonly Who[] = ['admin', 'key', 'none', 'sdk', 'sdk_through', 'writer', 'jwt'];
  const disguises: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
    ['', { 'x-glasshouse-tenant': tenant }],
    ['', { 'x-glasshouse-tenant': 'default' }],
    [`?token=${workspace}`, {}],
    ['?tenant=default&scope=admin', {}],
    ['', { 'x-api-key': 'admin' }],
  ];
  return [
    ...who.flatMap((as) =>
      requests.map(([request, body]) =>
        one('SDK keys', { request, as, ...(body === undefined ? {} : sent(body)) }, 'refused'),
      ),
    ),
    ...disguises.flatMap(([query, headers]) =>
      (['admin', 'sdk'] as const).flatMap((as) => [
        one('SDK keys', { request: KEYS + query, headers, as }, 'refused'),
        one('SDK keys', { request: `DELETE ${KEYS}/${sdkKey}${query}`, headers, as }, 'refused'),
        one('SDK keys', { ...sent(wanted, headers), request: `POST ${KEYS}${query}`, as }, 'refused'),
      ]),
    ),
  ];
}

/** Rows in the name of another. Those that are taken are the attacker's. */
function rowAttacks({ secret }: Attacker, { tenant, source, sourceId }: Victim, now: number): readonly Attack[] {
  const own = { tenant_id: 'acme', project_id: PROJECT, environment: 'dev' };
  const theirs = { ...own, tenant_id: tenant };
  const text = (fields: Body): string => JSON.stringify(eventOf(fields, now));
  const twice = (first: string, second: string, key = 'tenant_id'): string =>
    text(own).replace('"tenant_id":"acme"', `"tenant_id":"${first}","${key}":"${second}"`);
  const refused = [
    text(theirs),
    `${text(own)}\n${text(theirs)}`,
    JSON.stringify([eventOf(own, now), eventOf(theirs, now)]),
    text({ ...own, project_id: 'other' }),
    text({ ...own, environment: 'prod' }),
    text({ ...own, tenant_id: 'default' }),
    twice('acme', tenant),
    text({ ...own, tenant_id: [tenant] }),
    text({ ...own, tenant_id: null }),
    text({ ...own, tenant_id: ` ${tenant}` }),
    text({ ...own, tenant_id: `acme\u0000${tenant}` }),
    twice('acme', tenant, 'tenant_\\u0069d'),
  ];
  const taken = [
    text({ ...own, tenantId: tenant, TENANT_ID: tenant, workspace: tenant, data_source: source }),
    text({ ...own, attributes: { tenant_id: tenant, __proto__: { tenant_id: tenant } } }),
    text(own).replace('{', `{"__proto__":{"tenant_id":"${tenant}"},`),
    text({ ...own, user_id: `', '${tenant}') -- ` }),
    text({ ...own, attributes: { llm_call: { model: `x"},{"tenant_id":"${tenant}` } } }),
    text({ ...own, session_id: `s\n{"tenant_id":"${tenant}"}` }),
  ];
  const queries = [`?name=${source}`, `?datasource=${sourceId}`, `?tenantId=${tenant}`];
  const headers = { 'x-glasshouse-tenant': tenant, 'x-tenant-id': tenant };
  const trace = (fields: Body): Body => ({
    ...{ traceId: 't', spanId: 's', timestamp: isoOf(now), tenantId: 'acme', projectId: PROJECT, environment: 'dev' },
    ...{ query: 'q', response: 'r', latencyMs: 1, ...fields },
  });
  const traces = [
    trace({ tenantId: tenant }),
    trace({ tenantId: 'acme', tenant_id: tenant }),
    trace({ metadata: { tenant_id: tenant, tenantId: tenant } }),
    trace({ projectId: 'other' }),
    trace({ headers: headers }),
    trace({ traceId: `t","tenant_id":"${tenant}` }),
  ];
  return (['sdk', 'sdk_through'] as const).flatMap((as) => [
    ...refused.map((body) => one('SDK events', { request: EVENTS, body, as }, 'refused')),
    ...taken.map((body) => one('SDK events', { request: EVENTS, body, as })),
    ...queries.map((query) => one('SDK events', { request: EVENTS + query, body: text(theirs), as }, 'refused')),
    ...queries.map((query) => one('SDK events', { request: EVENTS + query, body: text(own), headers, as })),
    ...traces.map((body) => one('SDK events', { request: TRACES, ...sent(body), as })),
    ...traces.map((body) => one('SDK events', { request: TRACES, ...sent(body, headers), as })),
    // With another credential beside it.
    one(
      'SDK events',
      { request: `${EVENTS}?token=${encodeURIComponent(secret)}`, body: text(theirs), headers, as },
      'refused',
    ),
  ]);
}

/** Texts that look like keys of the SDK and must not be believed. */
function forged({ secret }: Attacker, { tenant, sdkKey, tokenId, workspace }: Victim, now: number): readonly string[] {
  const head = { alg: 'HS256', typ: 'JWT' };
  const claims = { tenantId: tenant, projectId: PROJECT, environment: 'dev', iat: now, exp: now + HOUR, jti: sdkKey };
  const own = { ...claims, tenantId: 'acme' };
  return [
    ...[secret, '', 'secret', workspace, tokenId, sdkKey].map((key) => signed(head, claims, key)),
    // Signed as its own keys are, and with what is recorded of another.
    signed(head, own, secret),
    signed(head, { ...own, jti: 'none' }, secret),
    signed(head, { ...own, jti: [sdkKey] }, secret),
    signed(head, { ...own, jti: `${sdkKey}' OR 1` }, secret),
    signed(head, { ...own, tenantId: ['acme', tenant] }, secret),
    signed(head, { ...own, tenantId: `acme\u0000${tenant}` }, secret),
    signed(head, { ...own, workspace_id: workspace }, secret),
    signed(head, { ...own, exp: now - 1 }, secret),
    signed(head, { ...own, exp: null }, secret),
    signed(head, { ...own, exp: '9999999999' }, secret),
    ...['none', 'None', 'HS512', 'RS256', '', null].flatMap((alg) => [
      `${part({ alg, typ: 'JWT' })}.${part(claims)}.`,
      signed({ alg, typ: 'JWT' }, own, secret),
    ]),
  ];
}

/** A key of the SDK is no credential of other routes, and theirs are none of the SDK's. */
function elsewhere({ tenant, source, pipe }: Victim): readonly Attack[] {
  const requests: readonly Step[] = [
    sql(`SELECT * FROM ${source}`),
    sql('SELECT * FROM traces'),
    sql('SELECT * FROM mine'),
    sql('SHOW TABLES'),
    ...['/v0/datasources', '/v0/pipes', '/v0/tokens', '/v0/jobs', '/v0/workspace', '/v1/deployments'].map(
      (request): Step => ({ request }),
    ),
    { request: `/v0/pipes/${pipe}.json` },
    { request: '/v0/pipes/open_page.json' },
    { request: 'POST /v0/events?name=traces', body: '{}' },
    { request: `POST /v0/events?name=${source}`, body: '{}' },
    { request: 'POST /v1/traces', ...sent({ resourceSpans: [] }) },
    { request: '/api/v1/admin/keys' },
    { request: `POST /api/v1/admin/keys`, ...sent({ name: 'k', tenant, scopes: ['admin'] }) },
    clickhouse('SELECT * FROM traces'),
  ];
  const body = JSON.stringify(eventOf({ tenant_id: 'acme', project_id: PROJECT, environment: 'dev' }, 0));
  return [
    ...(['sdk', 'sdk_through'] as const).flatMap((as) =>
      requests.map((step) => one('SDK keys', { ...step, as }, 'refused')),
    ),
    ...(['admin', 'key', 'none', 'writer', 'writer_all', 'jwt'] as const).flatMap((as) =>
      [EVENTS, TRACES].map((request) => one('SDK events', { request, body, headers: JSON_TYPE, as }, 'refused')),
    ),
  ];
}

function ingest(request: string, tenant: string, now: number, rest: Pick<Step, 'secret'>): Step {
  return { request, body: JSON.stringify(eventOf({ tenant_id: tenant, project_id: PROJECT }, now)), ...rest };
}

function eventOf(fields: Body, now: number): Body {
  return {
    trace_id: TRACE,
    span_id: TRACE,
    parent_span_id: null,
    timestamp: isoOf(now),
    event_type: 'llm_call',
    environment: 'dev',
    attributes: { llm_call: { model: 'm', input: 'i', output: 'o', latency_ms: 1 } },
    ...fields,
  };
}

function sent(body: Body, headers: Readonly<Record<string, string>> = {}): Pick<Step, 'body' | 'headers'> {
  return { body: JSON.stringify(body), headers: { ...JSON_TYPE, ...headers } };
}

/** `now` in seconds since 1970. */
function isoOf(now: number): string {
  return new Date(now * 1000).toISOString();
}

function part(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function signed(head: Body, claims: Body, key: string): string {
  const text = `${part(head)}.${part(claims)}`;
  return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`;
}
