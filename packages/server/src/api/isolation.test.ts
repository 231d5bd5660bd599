/**
 * Two tenants on one server, and everything that one of them can send to get at the other's data, at files, or at the
 * server. Each attack goes through both HTTP surfaces.
 *
 * Must stay true: every hole that is ever found is added here first.
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Stand } from './testing/stand.ts';
import { openStand, span } from './testing/stand.ts';

/** In the other tenant's rows and nowhere else. */
const SECRET = 'SECRET-9f31c2';

/** Statements that must be refused. */
const REFUSED: readonly string[] = [
  'SELECT * FROM tenant_other.spans',
  'SELECT * FROM `tenant_other`.`spans`',
  'SELECT * FROM "tenant_other"."traces"',
  'SELECT * FROM `tenant_other.spans`',
  'SELECT * FROM tenant_other . spans',
  'SELECT * FROM tenant_other/**/./**/spans',
  'FROM tenant_other.spans SELECT name',
  'SELECT * FROM spans, tenant_other.spans',
  'SELECT a.name FROM spans a JOIN tenant_other.spans b ON 1 = 1',
  'SELECT (SELECT any(name) FROM tenant_other.spans)',
  'SELECT 1 WHERE 1 IN (SELECT 1 FROM tenant_other.spans)',
  'SELECT name IN tenant_other.spans FROM spans',
  "SELECT 'x' IN (tenant_other.spans)",
  'WITH c AS (SELECT * FROM tenant_other.spans) SELECT * FROM c',
  'SELECT 1 UNION ALL SELECT 2 FROM tenant_other.spans',
  'SELECT * FROM (SELECT * FROM (SELECT * FROM tenant_other.spans))',
  'SELECT * FROM view(SELECT * FROM tenant_other.spans)',
  'SELECT * FROM glasshouse.spans',
  'SELECT * FROM glasshouse.api_keys',
  'SELECT * FROM glasshouse.tenants',
  'SELECT * FROM glasshouse.schema_migrations',
  'SELECT hash FROM glasshouse.api_keys FINAL',
  "SELECT * FROM merge('tenant_.*', 'spans')",
  "SELECT * FROM merge(REGEXP('.*'), 'spans')",
  "SELECT * FROM merge('glasshouse', 'spans')",
  "SELECT * FROM remote('127.0.0.1', glasshouse.spans)",
  "SELECT * FROM cluster('default', glasshouse, spans)",
  'SELECT * FROM loop(glasshouse.spans)',
  "SELECT * FROM mergeTreeIndex('glasshouse', 'spans')",
  "SELECT * FROM viewIfPermitted(SELECT * FROM glasshouse.spans ELSE null('name String'))",
  "SELECT * FROM dictionary('tenant_other.d')",
  "SELECT joinGet('tenant_other.j', 'a', 1)",
  "SELECT dictGet('tenant_other.d', 'a', 1)",
  'SELECT * FROM system.processes',
  'SELECT * FROM system.query_log',
  'SELECT * FROM system.parts',
  'SELECT * FROM system.users',
  'SELECT * FROM system.server_settings',
  'SELECT * FROM system.disks',
  'SELECT * FROM `system`.`processes`',
  'SELECT * FROM system.parts_columns',
  'SELECT * FROM system.data_skipping_indices',
  'SELECT * FROM information_schema.tables',
  'SELECT * FROM INFORMATION_SCHEMA.COLUMNS',
  'SELECT * FROM default.`/etc/passwd`',
  "SELECT file('/etc/passwd')",
  "SELECT * FROM file('/etc/passwd', 'LineAsString')",
  'SELECT * FROM `/etc/passwd`',
  "SELECT arrayMap(file, ['/etc/passwd'])",
  "SELECT * APPLY(file) FROM (SELECT '/etc/passwd')",
  "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
  "SELECT * FROM s3('http://127.0.0.1:1/x')",
  "SELECT * FROM executable('id', 'TSV', 'x String')",
  "SELECT * FROM sqlite('/tmp/a.db', 't')",
  "SELECT * FROM input('x String')",
  "SELECT getSetting('log_comment')",
  "SELECT getServerSetting('path')",
  "SELECT getMacro('x')",
  'SELECT hostName()',
  'SELECT currentUser()',
  'SELECT queryID()',
  'SELECT serverUUID()',
  "SELECT 1 SETTINGS log_comment = 'tenant=other'",
  "SELECT * FROM telemetry.traces SETTINGS log_comment = 'x\\ntenant=other'",
  "SELECT 1 INTO OUTFILE '/tmp/x'",
  'SELECT 1 FORMAT Template SETTINGS format_template_row = 1',
  'SHOW TABLES FROM tenant_other',
  'SHOW TABLES FROM glasshouse',
  'SHOW TABLES FROM system',
  "SHOW TABLES LIKE 'x' UNION ALL SELECT 1",
  'SHOW CREATE TABLE glasshouse.spans',
  'SHOW CREATE TABLE tenant_other.spans',
  'SHOW PROCESSLIST',
  'SHOW GRANTS',
  'SHOW USERS',
  'DESCRIBE glasshouse.api_keys',
  'DESCRIBE TABLE tenant_other.spans',
  'DESCRIBE (SELECT * FROM tenant_other.spans)',
  "DESCRIBE file('/etc/passwd')",
  'EXISTS TABLE tenant_other.spans',
  'EXISTS TABLE glasshouse.spans',
  'EXPLAIN SELECT * FROM tenant_other.spans',
  'EXPLAIN QUERY TREE SELECT * FROM glasshouse.spans',
  'USE tenant_other',
  "SET log_comment = 'tenant=other'",
  'DROP TABLE spans',
  'INSERT INTO spans SELECT * FROM tenant_other.spans',
  "INSERT INTO FUNCTION file('/tmp/x') SELECT 1",
  'KILL QUERY WHERE 1',
  'SYSTEM SHUTDOWN',
  "BACKUP DATABASE glasshouse TO File('/tmp/x')",
  'CREATE VIEW v AS SELECT * FROM glasshouse.spans',
  '/* */ DROP VIEW spans',
  '(DROP TABLE spans)',
  'SELECT 1; DROP TABLE glasshouse.spans',
  'SELECT 1) , (SELECT * FROM glasshouse.spans',
  'SELECT * FROM telemetry.nope',
  'SELECT * FROM telemetry.`traces` , telemetry.`../glasshouse/spans`',
  "SELECT * FROM spans(tenant_id = 'other')",
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
  it.each(REFUSED)('%s', async (sql) => {
    for (const answer of [await overSql(sql), await overClickhouse(sql)]) {
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.status).toBeLessThan(500);
      expect(leaks(answer.text, sql)).toEqual([]);
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
