/** Attacks by SQL: every place where a table can be named, over every surface that takes a statement, and what surrounds the statement. */

import { FORBIDDEN, LOOKING, READINGS } from '../../../query/testing/attacks.ts';
import type { Attack, Victim } from './attack.ts';
import { clickhouse, one, sql } from './attack.ts';

/** Tables that are nobody's but the victim's, or the server's. */
export function foreignTables({ database, source, sourceId, target }: Victim): readonly string[] {
  return [
    `${database}.${source}`,
    `${database}.${source}_quarantine`,
    `\`${database}\`.\`${target}\``,
    `"${database}"."${source}"`,
    `\`${database}.${source}\``,
    `${database}.spans`,
    `glasshouse_building.${sourceId}_1`,
    `glasshouse_building.\`${sourceId}_0\``,
    'glasshouse.events',
    'glasshouse.resources',
    'glasshouse.tokens',
    'glasshouse.jobs',
    'glasshouse.deployments',
    'glasshouse.workspaces',
    'glasshouse.api_keys',
    'glasshouse.spans',
    'system.tables_x',
    'system.query_log',
    'system.processes',
    'information_schema.columns',
  ];
}

/** Tricks that need both an own table and a foreign one: aliases, names of common table expressions, sets, functions. */
function tricks({ database, source, column }: Victim): readonly string[] {
  const t = `${database}.${source}`;
  return [
    `WITH ${source} AS (SELECT 1) SELECT * FROM ${t}`,
    `WITH \`${t}\` AS (SELECT 1) SELECT * FROM ${t}`,
    `WITH RECURSIVE a AS (WITH b AS (SELECT 1) SELECT * FROM b), c AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM c, ${t} WHERE n < 3) SELECT * FROM c`,
    `WITH x AS (SELECT * FROM mine) SELECT * FROM x, (SELECT * FROM ${t}) AS y`,
    `SELECT * FROM mine AS ${database}, ${t}`,
    `SELECT * FROM mine AS ${database} WHERE 1 IN ${t}`,
    `SELECT ${database}.${source}.${column} FROM mine AS ${source}`,
    `SELECT (SELECT ${column} FROM ${t} LIMIT 1) FROM mine`,
    `SELECT * FROM mine WHERE name IN (SELECT ${column} FROM ${t})`,
    `SELECT * FROM mine ANY LEFT JOIN ${t} AS s USING (k)`,
    `SELECT * FROM mine AS a ASOF JOIN ${t} AS b ON a.k = b.k AND a.k >= b.k`,
    `SELECT * FROM mine ORDER BY (SELECT max(${column}) FROM ${t}) WITH FILL`,
    `SELECT * FROM mine LIMIT 1 BY (SELECT any(${column}) FROM ${t})`,
    `SELECT count() FROM mine GROUP BY GROUPING SETS ((k), ((SELECT any(${column}) FROM ${t})))`,
    `SELECT sum(k) OVER (ORDER BY k ROWS BETWEEN (SELECT count() FROM ${t}) PRECEDING AND CURRENT ROW) FROM mine`,
    `SELECT arrayMap(x -> (SELECT any(${column}) FROM ${t}), [1])`,
    `SELECT COLUMNS('.*') FROM ${t}`,
    `SELECT * EXCEPT (k) REPLACE (1 AS n) FROM ${t}`,
    `SELECT * APPLY(toString) FROM ${t}`,
    `SELECT ${t}.* FROM ${t}`,
    `SELECT * FROM merge('${database}', '.*')`,
    `SELECT * FROM merge(currentDatabase(), '.*')`,
    `SELECT * FROM merge(REGEXP('tenant_.*'), '${source}')`,
    `SELECT dictGet('${database}.d', '${column}', 1)`,
    `SELECT joinGet('${t}', '${column}', 1)`,
    `SELECT hasColumnInTable('${database}', '${source}', '${column}')`,
    `SELECT * FROM loop('${database}', '${source}')`,
    `SELECT * FROM view(SELECT * FROM ${t})`,
    `SELECT * FROM remote('127.0.0.1:9000', '${database}', '${source}')`,
    `SELECT * FROM cluster('default', '${database}', '${source}')`,
    `SELECT * FROM mergeTreeIndex('${database}', '${source}')`,
    `SELECT * FROM file('../store/**', 'RawBLOB')`,
    `SELECT file('connections.json')`,
    `SELECT * FROM url('http://127.0.0.1/', 'LineAsString')`,
    `SELECT * FROM executable('cat /etc/passwd', 'TSV', 'x String')`,
    `SELECT * FROM (SELECT * FROM mine SETTINGS additional_table_filters = {'${t}':'1'})`,
    `SELECT 1 SETTINGS log_comment = 'tenant=${database}'`,
    `EXPLAIN SYNTAX SELECT * FROM ${t}`,
    `EXPLAIN PIPELINE SELECT * FROM ${t}`,
    `EXPLAIN PLAN indexes = 1 SELECT * FROM ${t}`,
    `EXPLAIN TABLE OVERRIDE ${t}`,
    `SELECT * FROM tinybird.${source}`,
    `SELECT * FROM organization.${source}`,
    `SELECT * FROM ${database}.pipe_stats_rt`,
    `SELECT * FROM tinybird.pipe_stats_rt, ${database}.pipe_stats_rt`,
    `% SELECT * FROM {{ TABLE('${t}') }}`,
    `% SELECT * FROM {{ column('${source}') }}`,
    `% SELECT {{ columns('${column}') }} FROM ${t}`,
    `% {% set t = '${t}' %} SELECT * FROM {{ TABLE(t) }}`,
    `% SELECT {{ tb_secret('KEY') }}`,
    `% SELECT {{ tb_var('x') }}`,
  ];
}

/** What fails on rows of others if it meets them. Spans of the victim are in the same table as the attacker's. */
export const ON_FACTS: readonly string[] = [
  `SELECT count() AS k FROM spans WHERE throwIf(name LIKE 'Zq7x%') = 0`,
  `SELECT toUInt64(length(name)) AS k FROM spans WHERE toUInt64OrZero(name) = 0 AND throwIf(service_name LIKE 'Zq7x%') = 0`,
  `SELECT intDiv(1, name NOT LIKE 'Zq7x%') AS k FROM spans`,
  `SELECT count() AS k FROM spans WHERE CAST(if(name LIKE 'Zq7x%', name, '1'), 'UInt64') = 1`,
  `SELECT (SELECT count() FROM spans WHERE throwIf(name LIKE 'Zq7x%') = 0) AS k`,
  `SELECT count() AS k FROM mine AS m JOIN spans AS s ON throwIf(s.name LIKE 'Zq7x%') = 0 AND m.k >= 0 WHERE 1`,
];

export function queryAttacks(victim: Victim): readonly Attack[] {
  const tables = foreignTables(victim);
  const table = (index: number): string => tables[index % tables.length] as string;
  const over = (text: string): string => encodeURIComponent(text);
  return [
    ...READINGS.map((read, index) => one('sql', sql(read(table(index)), 'admin', index), 'refused')),
    ...READINGS.map((read, index) => one('8123', clickhouse(read(table(index + 7))), 'refused')),
    ...FORBIDDEN.map((text, index) => one('sql', sql(text, 'admin', index), 'refused')),
    ...FORBIDDEN.filter((_, index) => index % 2 === 0).map((text) => one('8123', clickhouse(text), 'refused')),
    ...LOOKING.filter((_, index) => index % 2 === 0).map((text, index) =>
      one('system tables', sql(text, 'admin', index)),
    ),
    ...LOOKING.filter((_, index) => index % 2 === 1).map((text) => one('system tables', clickhouse(text))),
    ...tricks(victim).map((text, index) => one('sql', sql(text, 'admin', index))),
    ...tricks(victim).map((text) => one('8123', clickhouse(text))),
    ...tricks(victim)
      .filter((_, index) => index % 3 === 0)
      .map((text) => one('endpoint q', { request: `/v0/pipes/open_page.json?q=${over(text)}`, as: 'admin' })),
    ...READINGS.filter((_, index) => index % 4 === 0).map((read, index) =>
      one('endpoint q', { request: `/v0/pipes/open_page.json?q=${over(read(table(index)))}`, as: 'admin' }, 'refused'),
    ),
    ...ON_FACTS.map((text, index) => one('sql', sql(text, 'admin', index), 'works')),
    ...requestAttacks(victim),
  ];
}

/** The request around a harmless statement. */
function requestAttacks({ tenant, database, source }: Victim): readonly Attack[] {
  const own = 'SELECT name FROM spans';
  const searches = [
    `?database=${database}`,
    '?database=glasshouse',
    '?database=system',
    `?user=${tenant}&password=x`,
    `?user=default&database=`,
    `?log_comment=tenant%3D${tenant}`,
    `?query_id=x%0Atenant%3D${tenant}`,
    `?query_id=${tenant}%2Fx`,
    `?session_id=${tenant}&session_check=1`,
    `?role=admin&quota_key=${tenant}`,
    `?additional_table_filters=%7B%27glasshouse.spans%27%3A%271%27%7D`,
    '?readonly=0&allow_ddl=1&allow_introspection_functions=1',
    '?enable_analyzer=0&allow_experimental_analyzer=0',
    '?format_schema=../../token-key&default_format=Template',
    '?default_format=TSV%20INTO%20OUTFILE%20%27%2Ftmp%2Fx%27',
    '?query=SELECT%201%3B',
    `?query=SELECT%20*%20FROM%20${database}.${source}`,
    '?external=_&external_structure=x%20String&external_format=TSV',
    '?http_response_headers=%7B%27x%27%3A%27y%27%7D',
    '?stacktrace=1&calculate_text_stack_trace=1',
    '?send_logs_level=trace',
    '?wait_end_of_query=1&buffer_size=1&http_write_exception_in_output_format=1',
  ];
  const headers = [
    { 'x-clickhouse-database': database },
    { 'x-clickhouse-user': tenant },
    { 'x-glasshouse-tenant': tenant },
    { 'x-clickhouse-quota': tenant },
    { 'x-forwarded-for': '127.0.0.1', forwarded: 'for=127.0.0.1' },
    { host: database },
    { 'x-clickhouse-format': 'Template' },
    { 'x-clickhouse-progress': '1', 'x-clickhouse-settings': `log_comment=tenant=${tenant}` },
  ];
  const parameters: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
    ['SELECT * FROM {t:Identifier}', { param_t: `${database}.${source}` }],
    ['SELECT * FROM {d:Identifier}.{t:Identifier}', { param_d: database, param_t: source }],
    ['SELECT * FROM {d:Identifier}.events', { param_d: 'glasshouse' }],
    ['SELECT {c:Identifier} FROM spans', { param_c: `name\` FROM ${database}.${source} --` }],
    ['SELECT {s:String}', { param_s: `' UNION ALL SELECT * FROM ${database}.${source} --` }],
    ['SELECT {s:Array(String)}', { param_s: `['x'], (SELECT * FROM ${database}.${source})` }],
    ['SELECT {s:Map(String, String)}', { param_s: `{'a':(SELECT 1 FROM ${database}.${source})}` }],
    ['SELECT {n:UInt64}', { param_n: `1 FROM ${database}.${source}` }],
    ['SELECT {s:Tuple(String, String)}', { param_s: `('a', (SELECT 1 FROM ${database}.${source}))` }],
    ["SELECT * FROM merge({d:String}, '.*')", { param_d: database }],
  ];
  return [
    ...searches.map((search) => one('8123', clickhouse(own, search))),
    ...headers.map((header) => one('8123', clickhouse(own, '', header))),
    ...parameters.map(([text, values]) => one('8123', clickhouse(text, `?${new URLSearchParams(values).toString()}`))),
    ...parameters.map(([text, values]) => {
      const plain = Object.entries(values).map(([name, value]) => [name.slice('param_'.length), value]);
      const query = new URLSearchParams([...plain, ['q', text]] as [string, string][]);
      return one('sql', { request: `/v0/sql?${query.toString()}`, as: 'admin' });
    }),
    one('sql', { ...sql(own), headers: { 'x-glasshouse-tenant': tenant } }, 'refused'),
    one('sql', { request: `/v0/sql?q=${encodeURIComponent(own)}&format=Template`, as: 'admin' }, 'refused'),
    one('sql', { request: `/v0/sql?q=SELECT%201&pipeline=../${tenant}`, as: 'admin' }),
  ];
}
