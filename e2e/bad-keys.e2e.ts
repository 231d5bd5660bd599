/**
 * Credentials that are missing, wrong, revoked, too weak or another tenant's, with authentication by keys: each refusal in
 * the shape of its protocol, nothing stored, nothing of another tenant shown.
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKey, revokeKey } from './support/admin.ts';
import { harmless } from './support/harm.ts';
import type { Answer } from './support/http.ts';
import { answerOf, post, postJson, statusOf } from './support/http.ts';
import { jsonSpan, jsonTraces, request, span } from './support/payloads.ts';
import type { Server } from './support/server.ts';
import { showLogsOfFailures, startServer } from './support/server.ts';

let server: Server;
const keys: Record<string, string> = {};

beforeAll(async () => {
  server = await startServer({ env: { GLASSHOUSE_AUTH: 'keys' } });
  const make = async (name: string, tenant: string, scopes: readonly string[]): Promise<void> => {
    keys[name] = (await createKey(server, { name, tenant, scopes })).key;
  };
  await make('red', 'red', ['ingest', 'query']);
  await make('blue', 'blue', ['ingest', 'query']);
  await make('write', 'red', ['ingest']);
  await make('read', 'red', ['query']);
  const revoked = await createKey(server, { name: 'revoked', tenant: 'red' });
  await revokeKey(server, revoked.id);
  keys['revoked'] = revoked.key;
  keys['altered'] = `${(keys['red'] as string).slice(0, -1)}${keys['red']?.endsWith('0') === true ? '1' : '0'}`;
  keys['foreign'] = 'sk-1234567890';
});

afterAll(() => server?.stop());
showLogsOfFailures(() => server);

const bearer = (name: string): Record<string, string> =>
  name === 'no' ? {} : { authorization: `Bearer ${name === 'admin' ? server.adminToken : keys[name]}` };
const safely = <T>(act: () => Promise<T>): Promise<T> => harmless(server, act, { headers: bearer('blue') });

const sql = async (query: string, headers: Readonly<Record<string, string>>): Promise<Answer> =>
  answerOf(await fetch(`${server.url}/v0/sql`, { method: 'POST', body: query, headers }));

describe('sending', () => {
  it.each([
    ['no', 401, 16, /it has no credential/],
    ['foreign', 401, 16, /key/],
    ['altered', 401, 16, /key/],
    ['revoked', 401, 16, /was revoked/],
    ['read', 403, 7, /scope/],
  ])('with %s key is refused with %i, in both encodings', async (name, status, code, message) => {
    for (const signal of ['traces', 'logs', 'metrics']) {
      const url = `http://127.0.0.1:${server.ports.otlpHttp}/v1/${signal}`;
      const protobuf = await safely(() => post(url, request('refused', [span()]), bearer(name)));
      expect([protobuf.status, protobuf.headers.get('content-type')]).toEqual([status, 'application/x-protobuf']);
      expect(statusOf(protobuf)).toEqual({ code, message: expect.stringMatching(message) as unknown });
      const json = await safely(() => postJson(url, jsonTraces('refused', [jsonSpan()]), bearer(name)));
      expect([json.status, json.headers.get('content-type')]).toEqual([status, 'application/json']);
      expect(JSON.parse(json.text)).toEqual({ code, message: expect.stringMatching(message) as unknown });
      expect(json.text).not.toContain(keys[name] ?? 'no key');
    }
  });

  it.each([
    ['Authorization: Bearer', (key: string) => ({ authorization: `Bearer ${key}` })],
    [
      'Authorization: Basic',
      (key: string) => ({ authorization: `Basic ${Buffer.from(`user:${key}`).toString('base64')}` }),
    ],
    ['X-API-Key', (key: string) => ({ 'x-api-key': key })],
  ])('with a key in %s is taken', async (_, headers) => {
    const answer = await post(`${server.url}/v1/traces`, request('ways', [span()]), headers(keys['write'] as string));
    expect([answer.status, answer.body.length]).toEqual([200, 0]);
  });

  it('stores under the tenant of the key, whatever the data or a header says', async () => {
    const spoof = { ...bearer('red'), 'x-glasshouse-tenant': 'blue' };
    const json = jsonTraces('spoof', [
      jsonSpan({ attributes: [{ key: 'tenant_id', value: { stringValue: 'blue' } }] }),
    ]);
    expect((await postJson(`${server.url}/v1/traces`, json, spoof)).status).toBe(200);
    expect(await server.rows("SELECT name FROM spans WHERE service_name = 'spoof'", 1, keys['red'])).toEqual([
      { name: 'work' },
    ]);
    expect(await server.sql("SELECT name FROM spans WHERE service_name = 'spoof'", keys['blue'])).toEqual([]);
  });
});

describe('asking', () => {
  it.each([
    ['no', 401, /credential/],
    // A credential that is not good enough is 403 in this API, and 401 in ClickHouse's.
    ['foreign', 403, /key/],
    ['altered', 403, /key/],
    ['revoked', 403, /revoked/],
    ['write', 403, /scope/],
  ])('with %s key is refused with %i', async (name, status, message) => {
    const answer = await sql('SELECT 1', bearer(name));
    expect([answer.status, (JSON.parse(answer.text) as { error: string }).error]).toEqual([
      status,
      expect.stringMatching(message),
    ]);
    const clickhouse = await fetch(`http://127.0.0.1:${server.ports.clickhouse}/?query=SELECT+1`, {
      headers: bearer(name),
    });
    expect(clickhouse.status).toBe(name === 'write' ? 403 : 401);
    expect(await clickhouse.text()).toMatch(
      name !== 'write' ? /^Code: 516\. DB::Exception: / : /^Code: 497\. DB::Exception: /,
    );
  });

  it.each([
    'SELECT * FROM tenant_blue.spans',
    'SELECT * FROM `tenant_blue`.`logs`',
    'SELECT * FROM glasshouse.spans',
    "SELECT * FROM merge('tenant_.*', 'spans')",
    "SELECT * FROM merge(REGEXP('.*'), 'spans')",
    "SELECT * FROM remote('127.0.0.1', tenant_blue.spans)",
    "SELECT * FROM cluster('default', tenant_blue, spans)",
    'SELECT (SELECT count() FROM tenant_blue.spans)',
    'SELECT 1 WHERE 1 IN (SELECT 1 FROM tenant_blue.spans)',
    'SELECT 1 IN tenant_blue.spans',
    'WITH x AS (SELECT * FROM tenant_blue.spans) SELECT * FROM x',
    'SELECT * FROM spans UNION ALL SELECT * FROM tenant_blue.spans',
    'SELECT * FROM spans JOIN tenant_blue.spans AS b ON true',
    "SELECT joinGet('tenant_blue.spans', 'name', 1)",
    "SELECT dictGet('tenant_blue.d', 'name', 1)",
    'DESCRIBE TABLE tenant_blue.spans',
    'SHOW CREATE TABLE tenant_blue.spans',
    'EXPLAIN SELECT * FROM tenant_blue.spans',
    'SELECT * FROM system.query_log',
    'SELECT * FROM system.processes',
    'SELECT * FROM system.parts',
    'SELECT * FROM information_schema.tables',
  ])("for another tenant's data by %j shows nothing of it", async (query) => {
    const secret = 'blue-secret-name';
    await post(`${server.url}/v1/traces`, request('secret', [span({ name: secret })]), bearer('blue'));
    await server.rows(`SELECT 1 FROM spans WHERE name = '${secret}'`, 1, keys['blue']);
    const answer = await sql(query, bearer('red'));
    expect(answer.text).not.toContain(secret);
    if (answer.status === 200) expect(answer.text).not.toContain('tenant_blue');
    else expect([400, 403, 404]).toContain(answer.status);
  });

  it('under the name of another tenant is refused with 403, except for the administrator', async () => {
    const asBlue = { 'x-glasshouse-tenant': 'blue' };
    expect((await sql('SELECT 1', { ...bearer('red'), ...asBlue })).status).toBe(403);
    const query = "SELECT count() > 0 AS n FROM spans WHERE name = 'blue-secret-name' FORMAT TSV";
    expect((await sql(query, { ...bearer('admin'), ...asBlue })).text).toBe('1\n');
  });

  it('for the catalogue shows the own tables only', async () => {
    expect((await sql('SHOW DATABASES FORMAT TSV', bearer('red'))).text).toBe('telemetry\ntenant_red\n');
    const query = 'SELECT DISTINCT database FROM system.tables ORDER BY 1 FORMAT TSV';
    expect((await sql(query, bearer('red'))).text).toBe('telemetry\ntenant_red\n');
  });

  it('in the shared views shows the own rows only', async () => {
    const query = 'SELECT DISTINCT span_name FROM telemetry.traces ORDER BY 1 FORMAT TSV';
    expect((await sql(query, bearer('red'))).text).not.toContain('blue-secret-name');
    expect((await sql(query, bearer('blue'))).text).toContain('blue-secret-name');
  });
});

describe('administering', () => {
  it.each(['no', 'red', 'revoked', 'altered'])('with %s key is refused', async (name) => {
    for (const [method, path] of [
      ['GET', '/api/v1/admin/keys'],
      ['GET', '/api/v1/admin/tenants'],
      ['POST', '/api/v1/admin/keys'],
      ['DELETE', '/api/v1/admin/keys?id=x'],
    ] as const) {
      const answer = await fetch(server.url + path, { method, headers: bearer(name) });
      expect([path, answer.status]).toEqual([path, name === 'red' ? 403 : 401]);
    }
  });
});
