/**
 * The catalogue of attacks: ways to read a table × tables, ways to make an expression fail × places to put it × columns, and texts that
 * try to break out of where they are put. Data for the isolation tests, which send them through every surface.
 *
 * Must stay true: every hole that is ever found is added here first. A new surface goes through the same lists.
 */

/** Statements that read a table, in every place where a table can be named. They need no column of it. */
export const READINGS: readonly ((table: string) => string)[] = [
  (t) => `SELECT * FROM ${t}`,
  (t) => `SELECT count() FROM ${t}`,
  (t) => `FROM ${t} SELECT *`,
  (t) => `SELECT * FROM ${t} AS a`,
  (t) => `SELECT * FROM ${t} AS numbers`,
  (t) => `SELECT * FROM numbers(3) AS n, ${t} AS s`,
  (t) => `SELECT n.number FROM numbers(3) AS n JOIN ${t} AS s ON 1 = 1`,
  (t) => `SELECT * FROM numbers(3) AS n LEFT JOIN (SELECT * FROM ${t}) AS s ON 1 = 1`,
  (t) => `SELECT * FROM ${t} AS a JOIN ${t} AS b ON 1 = 1`,
  (t) => `SELECT * FROM numbers(3) AS n CROSS JOIN ${t} AS s`,
  (t) => `SELECT * FROM (SELECT 1 AS p) AS n PASTE JOIN (SELECT * FROM ${t}) AS s`,
  (t) => `SELECT * FROM (SELECT * FROM (SELECT * FROM ${t}))`,
  (t) => `WITH c AS (SELECT * FROM ${t}) SELECT * FROM c`,
  (t) => `WITH c AS (SELECT 1), d AS (SELECT * FROM ${t}) SELECT * FROM c`,
  (t) => `WITH c AS MATERIALIZED (SELECT * FROM ${t}) SELECT * FROM c`,
  (t) => `WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r, ${t} WHERE n < 3) SELECT * FROM r`,
  (t) => `WITH (SELECT count() FROM ${t}) AS n SELECT n`,
  (t) => `SELECT (SELECT count() FROM ${t})`,
  (t) => `SELECT (SELECT throwIf(count() > 0) FROM ${t})`,
  (t) => `SELECT EXISTS (SELECT 1 FROM ${t})`,
  (t) => `SELECT 1 WHERE NOT EXISTS (SELECT * FROM ${t})`,
  (t) => `SELECT 1 WHERE 1 IN (SELECT 1 FROM ${t})`,
  (t) => `SELECT 1 WHERE 1 IN ${t}`,
  (t) => `SELECT 1 IN (${t})`,
  (t) => `SELECT 1 GLOBAL NOT IN ${t}`,
  (t) => `SELECT arrayMap(x -> x IN ${t}, [1])`,
  (t) => `SELECT 1 = ANY (SELECT 1 FROM ${t})`,
  (t) => `SELECT 1 UNION ALL SELECT count() FROM ${t}`,
  (t) => `(SELECT 1) UNION DISTINCT (SELECT count() FROM ${t})`,
  (t) => `SELECT 1 INTERSECT SELECT count() FROM ${t}`,
  (t) => `SELECT 1 EXCEPT SELECT count() FROM ${t}`,
  (t) => `SELECT * FROM ${t} FINAL`,
  (t) => `SELECT * FROM ${t} SAMPLE 1/2`,
  (t) => `SELECT * FROM ${t} PREWHERE 1`,
  (t) => `SELECT * FROM view(SELECT * FROM ${t})`,
  (t) => `SELECT number FROM numbers((SELECT count() FROM ${t}))`,
  (t) => `SELECT 1 LIMIT (SELECT count() FROM ${t})`,
  (t) => `SELECT 1 ORDER BY (SELECT count() FROM ${t})`,
  (t) => `SELECT sum(1) OVER (PARTITION BY (SELECT count() FROM ${t}))`,
  (t) => `SELECT e FROM (SELECT 1) ARRAY JOIN [(SELECT count() FROM ${t})] AS e`,
  (t) => `DESCRIBE TABLE ${t}`,
  (t) => `DESCRIBE (SELECT * FROM ${t})`,
  (t) => `SHOW CREATE TABLE ${t}`,
  (t) => `EXISTS TABLE ${t}`,
  (t) => `EXPLAIN SELECT * FROM ${t}`,
  (t) => `EXPLAIN QUERY TREE SELECT * FROM ${t}`,
  (t) => `EXPLAIN ESTIMATE SELECT * FROM ${t}`,
  (t) => `SELECT * FROM ${t} SETTINGS max_threads = 1`,
  (t) => `SELECT * FROM loop(${t})`,
  (t) => `SELECT * FROM remote('127.0.0.1', ${t})`,
  (t) => `SELECT * FROM viewIfPermitted(SELECT * FROM ${t} ELSE null('x UInt8'))`,
  (t) => `INSERT INTO ${t} SELECT 1`,
  (t) => `SELECT 1; SELECT * FROM ${t}`,
  (t) => `SELECT 1 /* */ FROM/**/${t}`,
];

/** Expressions over a text column that fail, or behave otherwise, depending on what the column holds. */
export const FAILURES: readonly ((column: string) => string)[] = [
  (column) => `throwIf(${column} LIKE 'SECRET%') = 0`,
  (column) => `toUInt64(${column}) >= 0`,
  (column) => `CAST(${column}, 'UInt64') >= 0`,
  (column) => `${column}::UInt64 >= 0`,
  (column) => `accurateCast(${column}, 'UInt64') >= 0`,
  (column) => `intDiv(1, ${column} NOT LIKE 'SECRET%') >= 0`,
  (column) => `1 % (${column} NOT LIKE 'SECRET%') >= 0`,
  (column) =>
    `toUUID(if(${column} LIKE 'SECRET%', ${column}, '00000000-0000-0000-0000-000000000000')) = generateUUIDv4() OR 1`,
  (column) => `toDate(if(${column} LIKE 'SECRET%', ${column}, '2024-01-01')) > '1970-01-01'`,
  (column) => `parseDateTimeBestEffort(if(${column} LIKE 'SECRET%', ${column}, '2024-01-01')) > toDateTime(0)`,
  (column) => `toFixedString(if(${column} LIKE 'SECRET%', ${column}, ''), 1) = '' OR 1`,
  (column) => `arrayExists(x -> throwIf(x LIKE 'SECRET%'), [${column}]) = 0`,
  (column) => `arrayElement([1], if(${column} LIKE 'SECRET%', 0, 1)) >= 0`,
  (column) => `length(repeat('x', if(${column} LIKE 'SECRET%', 100000000000, 1))) > 0`,
  (column) => `length(range(if(${column} LIKE 'SECRET%', 10000000000, 1))) > 0`,
  (column) => `IPv4StringToNum(if(${column} LIKE 'SECRET%', ${column}, '1.1.1.1')) > 0`,
  (column) => `toDecimal32(if(${column} LIKE 'SECRET%', ${column}, '1'), 2) > 0`,
  (column) => `JSON_VALUE(if(${column} LIKE 'SECRET%', '{', '{}'), '$.a') = ''`,
  (column) => `match('x', if(${column} LIKE 'SECRET%', '(', 'x'))`,
  (column) =>
    `toStartOfInterval(toDateTime64('2299-01-01', if(${column} LIKE 'SECRET%', 9, 0)), INTERVAL 1 DAY) > toDateTime(0) OR 1`,
  (column) => `indexHint(throwIf(${column} LIKE 'SECRET%')) OR 1`,
  (column) => `CAST(${column}, 'Enum8(\\'1\\' = 1, \\'2\\' = 2, \\'3\\' = 3)') IN ('1', '2', '3')`,
  (column) => `neighbor(${column}, 1) != 'x'`,
  (column) => `rowNumberInAllBlocks() >= 0 AND throwIf(${column} LIKE 'SECRET%') = 0`,
  (column) => `blockSize() < length(concat(${column}, '12345'))`,
];

/** Places for a condition over a table's rows. `k` is a number in every row, `c` the column that the condition is about. */
export const PLACES: readonly ((table: string, condition: string, c: string, k: string) => string)[] = [
  (t, x) => `SELECT count() FROM ${t} WHERE ${x}`,
  (t, x) => `SELECT count() FROM ${t} PREWHERE ${x}`,
  (t, x, c) => `SELECT ${c} FROM ${t} WHERE ${x} ORDER BY ${c} LIMIT 100`,
  (t, x, c) => `SELECT ${c}, count() FROM ${t} GROUP BY ${c} HAVING ${x} ORDER BY ${c}`,
  (t, x, c) => `SELECT ${c} FROM ${t} QUALIFY ${x} ORDER BY ${c}`,
  (t, x) => `SELECT countIf(${x}) FROM ${t}`,
  (t, x, c) => `SELECT max(${x}) FROM ${t} GROUP BY ${c} ORDER BY ${c}`,
  (t, x) => `SELECT count() FROM (SELECT *, ${x} AS x FROM ${t}) WHERE x`,
  (t, x, c) => `WITH s AS (SELECT ${c} FROM ${t} WHERE ${x}) SELECT count() FROM s`,
  (t, x) => `SELECT (SELECT count() FROM ${t} WHERE ${x})`,
  (t, x) => `SELECT 1 WHERE 1 IN (SELECT 1 FROM ${t} WHERE ${x})`,
  (t, x, _, k) => `SELECT count() FROM ${t} AS a JOIN numbers(1000) AS b ON a.${k} = b.number WHERE ${x}`,
  (t, x, _, k) => `SELECT count() FROM numbers(1000) AS b LEFT JOIN ${t} AS a ON a.${k} = b.number AND ${x}`,
  (t, x, c, k) => `SELECT count() FROM ${t} AS a JOIN (SELECT ${k}, ${c} FROM ${t} WHERE ${x}) AS b ON a.${k} = b.${k}`,
  (t, x, c) => `SELECT ${c} FROM ${t} WHERE ${x} UNION ALL SELECT ${c} FROM ${t} ORDER BY ${c}`,
  (t, x, _, k) => `SELECT ${k} FROM ${t} ORDER BY ${x}, ${k} LIMIT 3`,
  (t, x, c, k) => `SELECT ${c} FROM ${t} ORDER BY ${k} LIMIT 1 BY ${x}`,
  (t, x, c, k) => `SELECT sum(${k}) OVER (PARTITION BY ${x}) FROM ${t} ORDER BY ${c}`,
  (t, x) => `SELECT count() FROM ${t} WHERE NOT (${x}) OR 1`,
  (t, x) => `SELECT DISTINCT ${x} FROM ${t}`,
  (t, x) => `SELECT if(count() > 0, ${x.length}, 0) FROM ${t} WHERE (${x}) AND 1 = 1`,
];

/** Statements that look for traces of hidden rows without failing on them: counts, positions, dictionaries, sizes, statistics. */
export const TRACES: readonly ((table: string, c: string, k: string) => string)[] = [
  (t) => `SELECT count() FROM ${t}`,
  (t, c) => `SELECT uniq(${c}), min(${c}), max(${c}) FROM ${t}`,
  (t, c, k) => `SELECT ${c}, ${k} FROM ${t} ORDER BY ${k} DESC LIMIT 2`,
  (t, c) => `SELECT DISTINCT ${c} FROM ${t} ORDER BY ${c}`,
  (t, c) => `SELECT ${c} FROM ${t} GROUP BY ${c} ORDER BY ${c} LIMIT 100`,
  (t, c) => `SELECT DISTINCT lowCardinalityKeys(toLowCardinality(${c})) FROM ${t}`,
  (t, c) => `SELECT DISTINCT lowCardinalityKeys(${c}) FROM ${t}`,
  (t, c) => `SELECT DISTINCT lowCardinalityIndices(${c}) FROM ${t}`,
  (t, c) => `SELECT DISTINCT dumpColumnStructure(${c}) FROM ${t}`,
  (t, c) => `SELECT DISTINCT blockSerializedSize(${c}) FROM ${t}`,
  (t, c) => `SELECT estimateCompressionRatio(${c}) FROM ${t}`,
  (t, c) => `SELECT sum(byteSize(${c})) FROM ${t}`,
  (t) => `SELECT DISTINCT _part FROM ${t}`,
  (t) => `SELECT DISTINCT _partition_id FROM ${t}`,
  (t) => `SELECT max(_part_offset) FROM ${t}`,
  (t) => `SELECT count() FROM ${t} WHERE toUInt64(_partition_id) > 1`,
  (t) => `SELECT count() FROM ${t} WHERE throwIf(_partition_id LIKE 'SECRET%') = 0`,
  (t) => `SELECT a._partition_value FROM ${t} AS a`,
  (t) => `SELECT _table, _database FROM ${t} LIMIT 1`,
  (t) => `SELECT _block_number, _row_exists FROM ${t} LIMIT 1`,
  (t) => `SELECT * APPLY(max) FROM ${t}`,
  (t, c) => `SELECT groupArray(${c}) FROM (SELECT ${c} FROM ${t} ORDER BY ${c})`,
  (t, _, k) => `SELECT max(rowNumberInAllBlocks()) >= 0, max(${k}) FROM ${t}`,
  (t, c) => `SELECT topK(10)(${c}) FROM ${t}`,
  (t, c) => `SELECT count(), countIf(${c} = 'SECRET') FROM ${t} WHERE ${c} >= ''`,
  (t, c) => `SELECT any(${c}) IGNORE NULLS FROM ${t} WHERE ${c} > 'SECRET'`,
  (t) => `SELECT count() FROM ${t} WHERE 1 = 1 OR 0`,
  (t, _, k) => `SELECT k2, count() FROM (SELECT intDiv(${k}, 10) AS k2 FROM ${t}) GROUP BY k2 ORDER BY k2`,
  (t) => `SELECT count() FROM ${t} AS a, ${t} AS b`,
  (t, c) => `SELECT count() FROM ${t} WHERE ${c} IN (SELECT ${c} FROM ${t})`,
  (t, c) =>
    `SELECT (SELECT groupUniqArray(${c}) FROM ${t}) = (SELECT groupUniqArray(${c}) FROM (SELECT * FROM ${t} LIMIT 1000000))`,
  (t, c, k) => `SELECT ${c} FROM ${t} LIMIT 1 OFFSET 5 WITH TIES ORDER BY ${k}`,
];

/**
 * Pairs of statements that differ in a constant only: with the first nothing can fail, and with the second something does. Whoever
 * remembers what was found of the first must not use it for the second. `x` and the settings go along with the statement.
 */
export const TURNS: readonly ((
  table: string,
  failure: string,
) => {
  readonly sql: readonly [harmless: string, harmful: string];
  readonly extra?: readonly [harmless: Readonly<Record<string, string>>, harmful: Readonly<Record<string, string>>];
})[] = [
  (t, x) => ({ sql: turn(t, x, "if('a' = 'b', X, 1)", "if('a' = 'a', X, 1)") }),
  (t, x) => ({ sql: turn(t, x, "('a' = 'a') OR X", "('a' = 'b') OR X") }),
  (t, x) => ({ sql: turn(t, x, 'CASE WHEN 1 = 2 THEN X ELSE 1 END', 'CASE WHEN 1 = 1 THEN X ELSE 1 END') }),
  (t, x) => ({ sql: turn(t, x, 'multiIf(2 < 1, X, 1)', 'multiIf(2 < 3, X, 1)') }),
  (t, x) => ({ sql: turn(t, x, 'NOT (1 > 2 AND NOT (X))', 'NOT (1 > 0 AND NOT (X))') }),
  (t, x) => ({
    sql: turn(t, x, 'if(length(range(toUInt64(0))) = 0, 1, X)', 'if(length(range(toUInt64(5))) = 0, 1, X)'),
  }),
  (t, x) => {
    const sql = `SELECT count() FROM ${t} WHERE if({x:String} = 'on', ${x}, 1)`;
    return { sql: [sql, sql], extra: [values('off'), values('on')] };
  },
  (t, x) => {
    const sql = `WITH {x:String} AS c SELECT count() FROM ${t} WHERE c != 'on' OR ${x}`;
    return { sql: [sql, sql], extra: [values('off'), values('on')] };
  },
  (t, x) => {
    const sql = `SELECT count() FROM ${t} WHERE if(toHour(toDateTime(0)) = 9, ${x}, 1)`;
    return { sql: [sql, sql], extra: [{}, { session_timezone: 'Asia/Tokyo' }] };
  },
  (t, x) => {
    const sql = `SELECT '1' AS name, '1' AS span_name, '1' AS lc, count() AS n FROM ${t} WHERE ${x}`;
    return { sql: [sql, sql], extra: [{}, { prefer_column_name_to_alias: '1' }] };
  },
];

function turn(table: string, failure: string, harmless: string, harmful: string): [string, string] {
  const of = (condition: string): string => `SELECT count() FROM ${table} WHERE ${condition.replace('X', failure)}`;
  return [of(harmless), of(harmful)];
}

/** The value of parameter `x`, as both surfaces take it. */
function values(x: string): Readonly<Record<string, string>> {
  return { x, param_x: x };
}

/** Conditions on the system tables that would tell of other tenants' names. `system.x` stands for what a tenant may see of it. */
export const LOOKING: readonly string[] = ['tables', 'columns', 'databases'].flatMap((view) => {
  const names = view === 'databases' ? ['name'] : ['database', view === 'tables' ? 'name' : 'table', 'name'];
  return [...new Set(names)].flatMap((name) => [
    `SELECT count() FROM system.${view} WHERE throwIf(${name} LIKE '%other%') = 0`,
    `SELECT count() FROM system.${view} WHERE throwIf(${name} LIKE '%SECRET%') = 0`,
    `SELECT count() FROM system.${view} WHERE toUInt64(${name}) = 1`,
    `SELECT count() FROM system.${view} WHERE toDate(${name}) = today()`,
    `SELECT (SELECT count() FROM system.${view} WHERE toUInt64(${name}) = 1)`,
    `SELECT (SELECT count() FROM system.${view} WHERE throwIf(${name} LIKE '%other%') = 0)`,
    `SELECT (SELECT count() FROM system.${view} WHERE toDate(${name}) > today())`,
    `WITH (SELECT throwIf(count() > 0) FROM system.${view} WHERE ${name} LIKE '%other%') AS x SELECT x`,
    `SELECT count() FROM (SELECT intDiv(1, ${name} NOT LIKE '%other%') AS x FROM system.${view}) WHERE x = 1`,
    `SELECT count() FROM system.${view} AS a JOIN system.${view} AS b ON throwIf(a.${name} LIKE '%other%') = 0 AND a.${name} = b.${name}`,
    `SELECT ${name} FROM system.${view} WHERE ${name} LIKE '%other%' OR ${name} LIKE '%SECRET%'`,
    `SELECT count() FROM system.${view} HAVING max(${name}) = 'x' OR throwIf(max(${name}) LIKE '%other%')`,
  ]);
});

/** Texts that try to end the literal, the line or the expression that they are put into: parameters, filters, template values. */
export const INJECTIONS: readonly string[] = [
  "' OR 1 = 1 --",
  "' OR '1' = '1",
  "'; SELECT * FROM events; --",
  "' UNION ALL SELECT name FROM events --",
  "x' AND throwIf(1) AND 'x",
  "\\' OR 1 = 1 --",
  "\\\\' OR 1 = 1 --",
  "''' OR 1 = 1",
  '\\x27 OR 1 = 1 --',
  '" OR 1 = 1 --',
  '` OR 1 = 1 --',
  ') OR (1 = 1',
  "') OR ('1' = '1",
  '1) OR 1 = 1 --',
  '/* */ OR 1 = 1',
  '*/ OR 1 = 1 /*',
  '\n OR 1 = 1 --',
  '\r\n OR 1 = 1',
  '\t OR 1 = 1',
  '\0 OR 1 = 1',
  '’ OR 1 = 1 --',
  '＇ OR 1 = 1 --',
  '$$ OR 1 = 1 $$',
  '$a$ OR 1 = 1 $a$',
  '{x:String}',
  '{x:Identifier}',
  '{{ 1 }}',
  "{{ column('x') }}",
  '{% if 1 %} OR 1 = 1 {% end %}',
  '%s %d %x',
  '${x}',
  'SETTINGS additional_table_filters = {}',
  '1 SETTINGS readonly = 0',
  '1 FORMAT JSON',
  "1 INTO OUTFILE '/tmp/x'",
  "{'tenant_acme.events':'1'}",
  "'}, 'tenant_acme.events':'1', 'x':'",
  "\\'}",
  'NULL',
  '0x27204f5220313d31',
  'tenant=other',
  'x\ntenant=other',
];

/** Statements that nobody may run, whatever their rights: files, the network, the server, other statements than queries. */
export const FORBIDDEN: readonly string[] = [
  "SELECT * FROM merge('tenant_.*', 'spans')",
  "SELECT * FROM merge(REGEXP('.*'), 'spans')",
  "SELECT * FROM merge('glasshouse', 'spans')",
  "SELECT * FROM merge('tenant_acme', '.*')",
  "SELECT * FROM cluster('default', glasshouse, spans)",
  "SELECT * FROM mergeTreeIndex('glasshouse', 'spans')",
  "SELECT * FROM mergeTreeIndex('tenant_acme', 'events')",
  "SELECT * FROM mergeTreeProjection('tenant_acme', 'events', 'p')",
  "SELECT * FROM dictionary('tenant_other.d')",
  "SELECT joinGet('tenant_other.j', 'a', 1)",
  "SELECT dictGet('tenant_other.d', 'a', 1)",
  "SELECT hasColumnInTable('tenant_other', 'events', 'name')",
  'SELECT * FROM system.processes',
  'SELECT * FROM system.query_log',
  'SELECT * FROM system.parts',
  'SELECT * FROM system.users',
  'SELECT * FROM system.row_policies',
  'SELECT * FROM system.query_condition_cache',
  'SELECT * FROM system.server_settings',
  'SELECT * FROM system.disks',
  'SELECT * FROM `system`.`processes`',
  'SELECT * FROM system.parts_columns',
  'SELECT * FROM system.data_skipping_indices',
  'SELECT * FROM system.detached_parts',
  'SELECT * FROM system.merges',
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
  "SELECT * FROM eval('SELECT 1')",
  "SELECT getSetting('log_comment')",
  "SELECT getSetting('additional_table_filters')",
  "SELECT getServerSetting('path')",
  "SELECT getMacro('x')",
  'SELECT hostName()',
  'SELECT currentUser()',
  'SELECT queryID()',
  'SELECT serverUUID()',
  "SELECT 1 SETTINGS log_comment = 'tenant=other'",
  "SELECT * FROM telemetry.traces SETTINGS log_comment = 'x\\ntenant=other'",
  'SELECT * FROM (SELECT * FROM spans SETTINGS additional_table_filters = {})',
  'WITH c AS (SELECT 1 SETTINGS use_query_cache = 1) SELECT * FROM c',
  "SELECT 1 INTO OUTFILE '/tmp/x'",
  'SELECT 1 FORMAT Template SETTINGS format_template_row = 1',
  'SHOW TABLES FROM tenant_other',
  'SHOW TABLES FROM glasshouse',
  'SHOW TABLES FROM system',
  "SHOW TABLES LIKE 'x' UNION ALL SELECT 1",
  'SHOW COLUMNS FROM tenant_other.spans',
  'SHOW INDEX FROM tenant_other.spans',
  'SHOW PROCESSLIST',
  'SHOW GRANTS',
  'SHOW USERS',
  "DESCRIBE file('/etc/passwd')",
  'USE tenant_other',
  "SET log_comment = 'tenant=other'",
  'SET additional_table_filters = {}',
  'DROP TABLE spans',
  "INSERT INTO FUNCTION file('/tmp/x') SELECT 1",
  'KILL QUERY WHERE 1',
  'SYSTEM SHUTDOWN',
  'SYSTEM DROP QUERY CONDITION CACHE',
  "BACKUP DATABASE glasshouse TO File('/tmp/x')",
  'CREATE VIEW v AS SELECT * FROM glasshouse.spans',
  'CREATE MATERIALIZED VIEW v TO x AS SELECT * FROM events',
  'ALTER TABLE events UPDATE name = 1 WHERE 1',
  'DELETE FROM events WHERE 1',
  '/* */ DROP VIEW spans',
  '(DROP TABLE spans)',
  'SELECT 1) , (SELECT * FROM glasshouse.spans',
  'SELECT * FROM telemetry.nope',
  'SELECT * FROM telemetry.`traces` , telemetry.`../glasshouse/spans`',
  "SELECT * FROM spans(tenant_id = 'other')",
  'CHECK TABLE events',
  'WATCH events',
];
