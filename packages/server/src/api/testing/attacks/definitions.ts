/**
 * Attacks by definitions: what a workspace pushes (pipes of every type, data sources, projects) and the server later runs by itself,
 * with rights of its own.
 */

import type { Attack, Step, Victim } from './attack.ts';
import { form, json, one, parts, sql as query } from './attack.ts';
import { foreignTables, ON_FACTS } from './queries.ts';

/** A pipe of one node under a name of its own, and whatever runs it. */
function pushed(name: string, node: Readonly<Record<string, string>>): readonly Step[] {
  const push = json('POST /v0/pipes', { name, nodes: [{ name: 'n', ...node }] });
  const show: Step = { request: `/v0/pipes/${name}`, as: 'admin' };
  const run: Readonly<Record<string, readonly Step[]>> = {
    endpoint: [{ request: `/v0/pipes/${name}.json`, as: 'admin' }],
    copy: [{ request: `POST /v0/pipes/${name}/copy`, as: 'admin' }],
    sink: [{ request: `POST /v0/pipes/${name}/sink`, as: 'admin' }],
    materialized: [{ request: `POST /v0/pipes/${name}/nodes/n/population`, as: 'admin' }],
    default: [{ request: `/v0/sql?pipeline=${name}&q=SELECT%20*%20FROM%20n`, as: 'admin' }],
  };
  return [push, show, ...(run[node['type'] ?? 'default'] ?? []), { request: `DELETE /v0/pipes/${name}`, as: 'admin' }];
}

const KINDS: readonly Readonly<Record<string, string>>[] = [
  { type: 'endpoint' },
  { type: 'default' },
  { type: 'copy', target_datasource: 'filled' },
  { type: 'materialized', datasource: 'filled' },
  { type: 'sink', export_bucket_uri: 'file://out', export_format: 'ndjson' },
];

export function definitionAttacks(victim: Victim): readonly Attack[] {
  const { database, source, sourceId, target, pipe, tenant } = victim;
  const tables = foreignTables(victim);
  const named = KINDS.flatMap((kind) =>
    tables.map((table, index): Attack => ({
      surface: `${kind['type']} nodes`,
      steps: pushed(`push_${kind['type']}_${index}`, { ...kind, sql: `SELECT count() AS k FROM ${table}` }),
      must: 'refused',
    })),
  );
  const hidden = [
    `SELECT k FROM mine WHERE k IN (SELECT k FROM ${database}.${source})`,
    `% SELECT k FROM {{ TABLE('${database}.${source}') }}`,
    `% {% if defined(x) %} SELECT 1 AS k {% else %} SELECT k FROM ${database}.${source} {% end %}`,
    `WITH s AS (SELECT * FROM ${database}.${source}) SELECT k FROM s`,
    `SELECT k FROM mine -- \n UNION ALL SELECT k FROM ${database}.${source}`,
    `SELECT k FROM mine) UNION ALL (SELECT k FROM ${database}.${source}`,
    `SELECT k FROM mine; INSERT INTO ${database}.${source} SELECT 1`,
    `SELECT k FROM mine SETTINGS additional_table_filters = {}`,
    `SELECT k FROM mine FORMAT Null) SELECT k FROM (SELECT 1 AS k`,
    `SELECT k FROM merge('${database}', '.*')`,
    `SELECT toUInt64(length(file('connections.json'))) AS k`,
    `SELECT k FROM telemetry.spans`,
    `SELECT 1 AS k FROM glasshouse_building.\`${sourceId}_1\``,
    `SELECT k FROM mine INTO OUTFILE '/tmp/x'`,
    `SELECT number AS k FROM numbers((SELECT count() FROM ${database}.${source}))`,
  ];
  const tricky = KINDS.flatMap((kind) =>
    hidden.map((sql, index): Attack => ({
      surface: `${kind['type']} nodes`,
      steps: pushed(`trick_${kind['type']}_${index}`, { ...kind, sql }),
    })),
  );
  // The spans of all tenants are in one table: what fails on some of them must not meet them.
  const facts = KINDS.filter(({ type }) => type === 'copy' || type === 'sink').flatMap((kind) =>
    ON_FACTS.map((sql, index): Attack => ({
      surface: `${kind['type']} nodes`,
      steps: pushed(`facts_${kind['type']}_${index}`, { ...kind, sql }),
      must: 'works',
    })),
  );
  // One after the other: a target is populated by one at a time.
  const populated: Attack = {
    surface: 'materialized nodes',
    steps: ON_FACTS.flatMap((sql, index) => {
      const joined = `SELECT m.k AS k FROM mine AS m WHERE m.k >= (SELECT count() * 0 FROM (${sql}))`;
      const node = { name: 'n', type: 'materialized', datasource: 'filled', sql: joined };
      return [
        json('POST /v0/pipes', { name: `facts_made_${index}`, nodes: [node] }),
        { request: `POST /v0/pipes/facts_made_${index}/nodes/n/population?truncate=true`, as: 'admin' },
        { request: `DELETE /v0/pipes/facts_made_${index}`, as: 'admin' },
      ];
    }),
    must: 'works',
  };
  // What the drain makes of new rows: if it failed on rows of others, nothing would come.
  const drained: Attack = {
    surface: 'materialized nodes',
    steps: [
      form('POST /v0/datasources', { name: 'sent', schema: '`k` UInt64 `json:$.k`' }),
      ...ON_FACTS.flatMap((sql, index) => {
        const joined = `SELECT m.k AS k FROM sent AS m WHERE m.k >= (SELECT count() * 0 FROM (${sql}))`;
        const node = { name: 'n', type: 'materialized', datasource: `drained_${index}`, sql: joined };
        return [
          form('POST /v0/datasources', { name: `drained_${index}`, schema: '`k` UInt64' }),
          json('POST /v0/pipes', { name: `drain_${index}`, nodes: [node] }),
        ];
      }),
      { request: 'POST /v0/events?name=sent&wait=true', body: '{"k":1}', as: 'admin' },
      ...ON_FACTS.map((_, index) => query(`SELECT throwIf(count() = 0) FROM drained_${index}`)),
      ...ON_FACTS.map((_, index): Step => ({ request: `DELETE /v0/pipes/drain_${index}`, as: 'admin' })),
    ],
    must: 'works',
  };
  return [
    drained,
    ...named,
    ...tricky,
    ...facts,
    populated,
    ...targets([
      `${database}.${target}`,
      target,
      victim.sourceId,
      `../${tenant}/${target}`,
      'glasshouse.events',
      'spans',
      'pipe_stats_rt',
    ]),
    ...exports(victim),
    ...projects(victim),
    one('default nodes', json('POST /v0/pipes', { name: `${database}.${pipe}`, sql: 'SELECT 1' }), 'refused'),
    one('default nodes', form(`POST /v0/pipes/open_page/nodes`, { sql: `SELECT * FROM ${database}.${source}` })),
    one('default nodes', {
      request: 'POST /v0/pipes/open_page/nodes',
      body: `SELECT * FROM ${database}.${source}`,
      as: 'admin',
    }),
  ];
}

/** What rows are written into. */
function targets(names: readonly string[]): readonly Attack[] {
  return names.flatMap((name, index): Attack[] => [
    {
      surface: 'copy nodes',
      steps: pushed(`copy_to_${index}`, { type: 'copy', target_datasource: name, sql: 'SELECT 1 AS k' }),
      must: 'refused',
    },
    {
      surface: 'materialized nodes',
      steps: pushed(`made_to_${index}`, { type: 'materialized', datasource: name, sql: 'SELECT k FROM mine' }),
      must: 'refused',
    },
    {
      surface: 'copy nodes',
      steps: [
        json('POST /v0/pipes', { name: `later_${index}`, nodes: [{ name: 'n', sql: 'SELECT 1 AS k' }] }),
        form(`POST /v0/pipes/later_${index}/nodes/n/copy`, { target_datasource: name }),
        form(`POST /v0/pipes/later_${index}/nodes/n/materialization`, { datasource: name, populate: 'true' }),
        { request: `POST /v0/pipes/later_${index}/copy?_mode=replace`, as: 'admin' },
        { request: `DELETE /v0/pipes/later_${index}`, as: 'admin' },
      ],
      must: 'refused',
    },
  ]);
}

/** Where files are written to. The sweep after all attacks looks at the folders. */
function exports({ tenant, database, source }: Victim): readonly Attack[] {
  const settings = [
    { export_bucket_uri: `file://../${tenant}` },
    { export_bucket_uri: `file:///../../../../exports/${tenant}` },
    { export_bucket_uri: `file://..\\..\\${tenant}` },
    { export_bucket_uri: `file://%2e%2e/${tenant}` },
    { export_bucket_uri: 'file:///etc' },
    { export_bucket_uri: 'file://x/../../../../token-key' },
    { export_file_template: `../${tenant}/{name}` },
    { export_file_template: '../../../../tmp/{name}' },
    { export_file_template: '{name}/../../x' },
    { export_file_template: `{name, '/../../${tenant}/'}` },
    { export_file_template: '{(SELECT 1)}' },
    { export_file_template: `{name}' || (SELECT any(k) FROM ${database}.${source}) || '` },
    { export_connection_name: `../${tenant}`, export_bucket_uri: 's3://bucket/x' },
    { export_connection_name: '__proto__', export_bucket_uri: 's3://bucket/x' },
    { export_bucket_uri: 's3://169.254.169.254/latest' },
    { export_bucket_uri: 'http://127.0.0.1/x' },
    { export_format: '../x' },
    { export_compression: 'constructor' },
    { export_kafka_topic: 'x' },
  ];
  return settings.map((more, index): Attack => ({
    surface: 'sink nodes',
    steps: pushed(`export_${index}`, { type: 'sink', sql: "SELECT '../../../x/../y' AS name", ...more }),
  }));
}

/** Projects that are checked, and made of nothing but what the attacker may write. */
function projects({ tenant, database, source, target, sourceId }: Victim): readonly Attack[] {
  const t = `${database}.${source}`;
  const schema = (column: string, more = ''): string => `SCHEMA >\n    ${column}\n\n${more}\n`;
  const pipe = (sql: string, more = 'TYPE endpoint'): string => `NODE n\nSQL >\n    ${sql}\n${more}\n`;
  const files: readonly (readonly [string, string])[] = [
    ['datasources/d.datasource', schema(`\`a\` String DEFAULT (SELECT any(k) FROM ${t})`)],
    ['datasources/d.datasource', schema("`a` String DEFAULT file('token-key')")],
    ['datasources/d.datasource', schema(`\`a\` String DEFAULT dictGet('${t}', 'a', 1)`)],
    ['datasources/d.datasource', schema(`\`a\` String MATERIALIZED joinGet('${t}', 'a', 1)`)],
    ['datasources/d.datasource', schema('`a` String ALIAS hostName()')],
    ['datasources/d.datasource', schema('`a` String', `ENGINE "Merge('${database}', '.*')"`)],
    ['datasources/d.datasource', schema('`a` String', `ENGINE "Distributed"\nENGINE_SORTING_KEY "${t}"`)],
    ['datasources/d.datasource', schema('`a` String', 'ENGINE "File(CSV)"')],
    [
      'datasources/d.datasource',
      schema(
        '`a` String',
        'ENGINE "MergeTree"\nENGINE_SORTING_KEY "a"\nENGINE_SETTINGS "disk = \'x\', storage_policy = \'y\'"',
      ),
    ],
    [
      'datasources/d.datasource',
      schema('`a` DateTime', `ENGINE "MergeTree"\nENGINE_SORTING_KEY "a"\nENGINE_TTL "a + (SELECT count() FROM ${t})"`),
    ],
    [
      'datasources/d.datasource',
      schema('`a` DateTime', `ENGINE "MergeTree"\nENGINE_SORTING_KEY "a"\nENGINE_TTL "a TO DISK 'x'"`),
    ],
    [
      'datasources/d.datasource',
      schema('`a` DateTime', `ENGINE "MergeTree"\nENGINE_SORTING_KEY "a"\nENGINE_PARTITION_KEY "(SELECT 1 FROM ${t})"`),
    ],
    [
      'datasources/mine.datasource',
      schema(
        '`k` UInt64, `name` String, `tenant_id` String',
        `FORWARD_QUERY >\n    SELECT k, name, (SELECT any(k) FROM ${t}) AS tenant_id`,
      ),
    ],
    ['datasources/d.datasource', schema('`a` String', `SHARED_WITH >\n    ${tenant}`)],
    [`datasources/${t}.datasource`, schema('`a` String')],
    [`datasources/../../${tenant}/${source}.datasource`, schema('`a` String')],
    [`datasources/${sourceId}_1.datasource`, schema('`a` String; DROP TABLE x')],
    ['pipes/p.pipe', pipe(`SELECT * FROM ${t}`)],
    ['pipes/p.pipe', pipe(`SELECT 1 AS k`, `TYPE copy\nTARGET_DATASOURCE ${database}.${target}`)],
    ['pipes/p.pipe', pipe(`SELECT k FROM mine`, `TYPE materialized\nDATASOURCE ${database}.${target}`)],
    ['pipes/p.pipe', pipe(`SELECT k FROM ${tenant}.${source}`)],
    ['pipes/p.pipe', `INCLUDE "../../../../token-key"\n${pipe('SELECT 1')}`],
    ['pipes/p.pipe', `INCLUDE "/etc/passwd"\n${pipe('SELECT 1')}`],
    ['pipes/../../../token-key', pipe('SELECT 1')],
    ['/etc/passwd', 'x'],
    ['datasources/d.datasource', `TOKEN "${source}" READ\n\n${schema('`a` String')}`],
    ['connections/c.connection', `TYPE s3\nS3_ARN "x"\n`],
  ];
  return files.map(([filename, content]) =>
    one('deployments', parts('POST /v1/deploy?check=true', [{ field: 'data_project://', filename, content }])),
  );
}
