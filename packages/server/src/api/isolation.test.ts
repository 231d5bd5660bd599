/**
 * Two tenants on one server, and everything that one of them can send to get at the other's data, at files, or at the
 * server. Each attack goes through both HTTP surfaces.
 *
 * Must stay true: every hole that is ever found is added here first.
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FORBIDDEN, INJECTIONS, LOOKING, READINGS } from '../query/testing/attacks.ts';
import type { Stand } from './testing/stand.ts';
import { openStand, span } from './testing/stand.ts';

/** In the other tenant's rows and nowhere else. */
const SECRET = 'SECRET-9f31c2';

/** Tables that a tenant must not read, in several spellings. */
const FOREIGN: readonly string[] = [
  'tenant_other.spans',
  '`tenant_other`.`spans`',
  '"tenant_other"."traces"',
  '`tenant_other.spans`',
  'tenant_other . spans',
  'tenant_other/**/./**/spans',
  'tenant_other.events',
  'Tenant_Acme.spans',
  'glasshouse.spans',
  'glasshouse.api_keys',
  'glasshouse.tenants',
  'glasshouse.resources',
  'glasshouse.schema_migrations',
  'glasshouse_building.spans',
  'system.processes',
  'information_schema.tables',
];

/** Statements that are answered, with the own data only. */
const ANSWERED: readonly string[] = [
  'SELECT * FROM spans',
  'SELECT * FROM telemetry.traces',
  'SELECT * FROM telemetry.spans',
  'SELECT * FROM telemetry.otel_traces',
  'SELECT * FROM telemetry.metrics_hourly',
  'SELECT * FROM otel_traces_trace_id_ts',
  "SELECT * FROM telemetry.traces WHERE service_name != '' OR 1",
  'SELECT * FROM telemetry.spans WHERE 1 = 1 UNION ALL SELECT * FROM spans',
  "SELECT *, 'tenant=other' FROM telemetry.traces",
  'SELECT * FROM system.tables',
  'SELECT * FROM system.databases',
  'SELECT * FROM system.columns',
  "SELECT name FROM system.tables WHERE database = 'tenant_other' OR 1",
  'SELECT * FROM system.settings',
  'SHOW DATABASES',
  'SHOW TABLES',
  'SHOW CREATE TABLE spans',
  'SELECT currentDatabase()',
];

let stand: Stand;
let key: string;

beforeAll(async () => {
  stand = await openStand('keys');
  key = await stand.key('acme');
  await stand.key('other');
  await stand.store.insertRows('spans', [
    span('acme', { name: 'mine' }),
    span('other', { name: SECRET, service_name: SECRET, attributes_string: { [SECRET]: SECRET } }),
  ]);
});

afterAll(() => stand.close());

describe('refused, on both surfaces', () => {
  it.each(FORBIDDEN)('%s', (sql) => expectRefused(sql));

  it.each(FOREIGN)('every way to read %s', async (table) => {
    for (const reading of READINGS) await expectRefused(reading(table));
  });
});

describe('refused, or answered with nothing of others', () => {
  it('what asks the system tables', async () => {
    for (const sql of LOOKING) await expectNoLeak(sql);
  });

  it('texts that try to break out of a literal or a name', async () => {
    for (const text of INJECTIONS) {
      const literal = `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
      await expectNoLeak(`SELECT name FROM telemetry.spans WHERE name = ${literal} OR service_name = ${literal}`);
      await expectNoLeak(`SELECT name AS \`${text}\` FROM telemetry.spans`);
      await expectNoLeak(`SELECT name FROM telemetry.spans WHERE name = '${text}'`);
      await expectNoLeak(`SELECT name FROM telemetry.spans WHERE name = ${text}`);
    }
  });
});

describe('answered with the own data only', () => {
  it.each(ANSWERED)('%s', async (sql) => {
    for (const answer of [await overSql(sql), await overClickhouse(sql)]) {
      expect(answer.status).toBe(200);
      expect(leaks(answer.text, sql)).toEqual([]);
    }
  });

  it('sees its own rows', async () => {
    expect((await overSql('SELECT name FROM telemetry.spans FORMAT TSV')).text).toBe('mine\n');
  });
});

describe('by the way of the request', () => {
  it.each([
    ['?database=tenant_other', {}],
    ['?database=glasshouse', {}],
    ['?database=system', {}],
    ['', { 'x-clickhouse-database': 'tenant_other' }],
    ['', { 'x-glasshouse-tenant': 'other' }],
    ['?compress=1', {}],
    ['?query_id=x%0Atenant%3Dother', {}],
    ['?default_format=Template&format_template_resultset=/etc/passwd', {}],
    ["?default_format=TSV%0AINTO%20OUTFILE%20'/tmp/x'", {}],
  ])('%s %j is refused', async (search, headers) => {
    const answer = await overClickhouse('SELECT name FROM spans', search, headers);
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(leaks(answer.text, search + JSON.stringify(headers))).toEqual([]);
  });

  it.each([
    '?log_comment=tenant%3Dother',
    '?log_comment=x%0Atenant%3Dother&query_id=tenant%3Dother',
    '?readonly=0&allow_ddl=1',
    '?session_id=1&role=admin&user=default',
    '?additional_table_filters=%7B%7D&additional_result_filter=1',
    '?enable_analyzer=0&allow_experimental_analyzer=0',
    '?max_execution_time=0&max_memory_usage=0&max_result_bytes=0',
    '?param_database=tenant_other&database=',
    '?limit=1000&offset=0',
    '?default_table_engine=Memory&format_schema=/etc/passwd',
  ])('%s changes nothing', async (search) => {
    const answer = await overClickhouse('SELECT name FROM telemetry.spans', search);
    expect([answer.status, answer.text]).toEqual([200, 'mine\n']);
  });

  it('nothing that is put into the comment is found among the tables', async () => {
    const search = '?log_comment=view%3Dspanz%3Espans%20tenant%3Dother';
    const plain = await overClickhouse('SHOW TABLES');
    expect((await overClickhouse('SHOW TABLES', search)).text).toBe(plain.text);
    expect((await overClickhouse("SELECT count() FROM system.columns WHERE table = 'spanz'", search)).text).toBe('0\n');
  });

  it.each([
    ['SELECT * FROM {t:Identifier}', 'param_t=tenant_other.spans'],
    ['SELECT * FROM {d:Identifier}.spans', 'param_d=tenant_other'],
    ['SELECT * FROM {d:Identifier}.{t:Identifier}', 'param_d=glasshouse&param_t=api_keys'],
    ['SELECT {c:Identifier} FROM spans', 'param_c=name`%20FROM%20glasshouse.spans'],
    ['SELECT * FROM merge({d:String}, {t:String})', 'param_d=glasshouse&param_t=spans'],
    ['SELECT {f:Identifier}({p:String})', 'param_f=file&param_p=/etc/passwd'],
  ])('a parameter is no way in: %s %s', async (sql, search) => {
    const answer = await overClickhouse(sql, `?${search}`);
    expect(answer.status).toBeGreaterThanOrEqual(400);
    const said = 'glasshouse.api_keys glasshouse.spans tenant_other';
    expect(leaks(answer.text, sql + search + said)).toEqual([]);
  });

  it('a verdict of one tenant is not used for another', async () => {
    const sql = 'SELECT name FROM tenant_acme.spans FORMAT TSV';
    expect((await overSql(sql)).status).toBe(200);
    expect((await stand.sql(sql, await stand.key('other'))).status).toBe(403);
  });

  it('a verdict for one name is not used for another', async () => {
    const sql = 'SELECT count() FROM {d:Identifier}.spans';
    expect((await overClickhouse(sql, '?param_d=telemetry')).text).toBe('1\n');
    expect((await overClickhouse(sql, '?param_d=tenant_other')).status).toBe(403);
  });

  it('an error says the same whether the other tenant has the table or not', async () => {
    const [present, absent] = await Promise.all([
      overSql('SELECT * FROM tenant_other.spans'),
      overSql('SELECT * FROM tenant_other.spanz'),
    ]);
    expect(present.text.replace('spans', 'T')).toBe(absent.text.replace('spanz', 'T'));
  });

  it('an error does not suggest names of others', async () => {
    const { text } = await overSql('SELECT * FROM api_keyz');
    expect(text).not.toMatch(/glasshouse|Maybe/u);
  });
});

it('nothing of this was a fault of the server', () => {
  expect(stand.faults).toEqual([]);
});

async function expectRefused(sql: string): Promise<void> {
  for (const answer of [await overSql(sql), await overClickhouse(sql)]) {
    expect([sql, answer.status >= 400 && answer.status < 500]).toEqual([sql, true]);
    expect(leaks(answer.text, sql)).toEqual([]);
  }
}

async function expectNoLeak(sql: string): Promise<void> {
  for (const answer of [await overSql(sql), await overClickhouse(sql)]) {
    expect([sql, answer.status < 500]).toEqual([sql, true]);
    expect([sql, ...leaks(answer.text, sql)]).toEqual([sql]);
  }
}

/** What must not come back, unless the request itself said it. */
function leaks(text: string, request: string): string[] {
  return [SECRET, 'tenant_other', 'root:x:', 'glasshouse.api_keys', '/tmp/glasshouse', 'tenant=other'].filter(
    (mark) => text.includes(mark) && !request.includes(mark),
  );
}

function overSql(sql: string): Promise<{ status: number; text: string }> {
  return stand.sql(sql, key);
}

async function overClickhouse(
  sql: string,
  search = '',
  headers: Readonly<Record<string, string>> = {},
): Promise<{ status: number; text: string }> {
  const response = await fetch(`${stand.base}/${search}`, {
    method: 'POST',
    headers: { 'x-clickhouse-user': 'default', 'x-clickhouse-key': key, ...headers },
    body: sql,
  });
  return { status: response.status, text: await response.text() };
}
