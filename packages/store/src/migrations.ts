/**
 * Numbered migrations: each runs once, in order, and is recorded in `schema_migrations`. The first makes the fact tables
 * from their descriptions; a later change of a table is a new entry at the end.
 *
 * Must stay true: every statement can run twice, because a crash may come between a statement and its record.
 */

import { invariant } from '@glasshouse/model';
import { FACT_TABLES, GENERATIONS, SPANS } from '@glasshouse/schema';
import type { FactTable } from '@glasshouse/schema';
import type { Client } from './client.ts';
import type { DdlOptions } from './ddl.ts';
import {
  columnDdl,
  createTable,
  indexDdl,
  onCluster,
  projectionDdl,
  projectionSettings,
  quoteName,
  TABLE_MAKING,
  ttl,
} from './ddl.ts';
import { createCatalog, createViews, SESSION_TENANT, SHARED_DATABASE } from './views.ts';

interface Migration {
  readonly name: string;
  /** Steps in order; the statements of one step do not depend on each other. */
  readonly steps: (options: DdlOptions) => readonly (readonly string[])[];
  /** It changes tables that earlier ones made; a new store makes them as they are to be. */
  readonly isChange?: true;
}

/** Tables of the control plane: small, rewritten by newer versions of a row, read whole and cached. */
function controlTable(name: string, columns: string, key: string): (options: DdlOptions) => string {
  return ({ database, cluster }) => {
    const engine =
      cluster === undefined
        ? 'ReplacingMergeTree(version)'
        : `ReplicatedReplacingMergeTree('/clickhouse/tables/all/${database}/${name}', '{shard}-{replica}', version)`;
    return (
      `CREATE TABLE IF NOT EXISTS ${quoteName(database)}.${quoteName(name)}${onCluster(cluster)} (${columns}, version UInt64) ` +
      `ENGINE = ${engine} ORDER BY ${key} SETTINGS fsync_after_insert = 1, fsync_part_directory = 1`
    );
  };
}

/** Days that rows of the audit log are kept if nothing else is said. */
const AUDIT_DAYS = 400;

/**
 * What changed, and who did it. Rows are only ever added. One that is written twice, because the answer to the first insert was
 * lost, is one row to whoever reads with FINAL: both are the same to the last byte.
 */
function auditTable({ database, cluster }: DdlOptions): string {
  const engine =
    cluster === undefined
      ? 'ReplacingMergeTree'
      : `ReplicatedReplacingMergeTree('/clickhouse/tables/all/${database}/audit_log', '{shard}-{replica}')`;
  return (
    `CREATE TABLE IF NOT EXISTS ${quoteName(database)}.audit_log${onCluster(cluster)} (
       id String, time DateTime64(3, 'UTC'), actor String, actor_name String, actor_kind LowCardinality(String),
       actor_tenant String, action LowCardinality(String), tenant_id String, project_id String, environment String,
       target String, before String, after String, remote_address String, user_agent String, request_id String,
       outcome LowCardinality(String), message String
     ) ENGINE = ${engine} PARTITION BY toYYYYMM(time) ORDER BY (tenant_id, time, id) ` +
    `TTL toDateTime(time) + toIntervalDay(${AUDIT_DAYS}) ` +
    `SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, ttl_only_drop_parts = 1`
  );
}

/** Days that the name of a batch of events is known. */
const BATCH_DAYS = 30;

/** Names of the batches of events that were stored. */
function batchTable({ database, cluster }: DdlOptions): string {
  const engine =
    cluster === undefined
      ? 'ReplacingMergeTree'
      : `ReplicatedReplacingMergeTree('/clickhouse/tables/all/${database}/event_batches', '{shard}-{replica}')`;
  return (
    `CREATE TABLE IF NOT EXISTS ${quoteName(database)}.event_batches${onCluster(cluster)} ` +
    `(id String, stored_at DateTime64(3, 'UTC')) ENGINE = ${engine} ORDER BY id ` +
    `TTL toDateTime(stored_at) + toIntervalDay(${BATCH_DAYS}) ` +
    `SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, index_granularity = 256`
  );
}

/** Sets the sizes of blocks to those that are declared, for parts that will be written. */
function changeBlocks(table: FactTable, options: DdlOptions): string[] {
  return table.columns.flatMap(({ name, blockBytes }) =>
    blockBytes === undefined
      ? []
      : [
          `ALTER TABLE ${storageOf(table, options)} MODIFY COLUMN ${quoteName(name)} MODIFY SETTING ` +
            `min_compress_block_size = ${blockBytes.min}, max_compress_block_size = ${blockBytes.max}`,
        ],
  );
}

/** Adds a column that is declared behind the one that it is declared behind, and where the table is spread over servers to both. */
function addColumn(table: FactTable, name: string, options: DdlOptions): string[] {
  const at = table.columns.findIndex((column) => column.name === name);
  const [before, column] = [table.columns[at - 1], table.columns[at]];
  invariant(before !== undefined && column !== undefined, `BUG: ${table.name} has no column ${name} behind another`);
  const { database, cluster } = options;
  const whole = `${quoteName(database)}.${quoteName(table.name)}${onCluster(cluster)}`;
  const add = `ADD COLUMN IF NOT EXISTS ${columnDdl(column, options)} AFTER ${quoteName(before.name)}`;
  return [...new Set([storageOf(table, options), whole])].map((target) => `ALTER TABLE ${target} ${add}`);
}

/** Steps that add the projections to parts that will be written, in the order of the table. */
function addProjections(table: FactTable, options: DdlOptions): string[][] {
  const storage = storageOf(table, options);
  const settings = Object.entries(projectionSettings(table, options)).map(([name, value]) => `${name} = ${value}`);
  return [
    settings.length === 0 ? [] : [`ALTER TABLE ${storage} MODIFY SETTING ${settings.join(', ')}`],
    // The last one first: each goes before those that are there.
    ...table.projections
      .toReversed()
      .map((one) => [`ALTER TABLE ${storage} ADD ${projectionDdl(one, options, 'IF NOT EXISTS ')} FIRST`]),
  ];
}

/** Adds the projections to parts that are there, in the background; questions are answered from the rows until then. */
function materializeProjections(table: FactTable, names: readonly string[], options: DdlOptions): string[] {
  return names.map(
    (name) =>
      `ALTER TABLE ${storageOf(table, options)} MATERIALIZE PROJECTION ${quoteName(name)} SETTINGS mutations_sync = 0`,
  );
}

/** The table that has the rows, in a statement that changes it everywhere. */
function storageOf(table: FactTable, { database, cluster }: DdlOptions): string {
  const name = cluster === undefined ? table.name : `${table.name}_local`;
  return `${quoteName(database)}.${quoteName(name)}${onCluster(cluster)}`;
}

export const MIGRATIONS: readonly Migration[] = [
  {
    name: 'facts',
    steps: (options) => {
      const tables = FACT_TABLES.map((table) => createTable(table, options));
      return [
        tables.flatMap((statements) => statements.slice(0, 1)),
        tables.flatMap((statements) => statements.slice(1)),
      ];
    },
  },
  {
    name: 'control',
    steps: (options) => [
      [
        controlTable('tenants', "name String, created_at DateTime64(3, 'UTC'), deleted Bool", 'name')(options),
        controlTable(
          'api_keys',
          `id String, hash FixedString(32), name String, tenant String, project String, environment String,
         scopes Array(LowCardinality(String)), created_at DateTime64(3, 'UTC'), expires_at Nullable(DateTime64(3, 'UTC')),
         revoked_at Nullable(DateTime64(3, 'UTC'))`,
          'id',
        )(options),
      ],
    ],
  },
  {
    name: 'platform',
    steps: (options) => [
      [
        controlTable(
          'resources',
          `tenant String, id String, kind LowCardinality(String), name String, definition String, table_version UInt32,
         built_in Bool, deployment String, created_at DateTime64(3, 'UTC'), updated_at DateTime64(3, 'UTC'), deleted Bool`,
          '(tenant, id)',
        )(options),
        controlTable(
          'tokens',
          `tenant String, id String, name String, description String, origin LowCardinality(String), scopes String,
         granted String, generation UInt32, created_at DateTime64(3, 'UTC'), updated_at DateTime64(3, 'UTC'), deleted Bool`,
          '(tenant, id)',
        )(options),
        controlTable(
          'deployments',
          `tenant String, id String, status LowCardinality(String), live Bool, resources String, report String,
         created_at DateTime64(3, 'UTC'), updated_at DateTime64(3, 'UTC')`,
          '(tenant, id)',
        )(options),
        controlTable(
          'jobs',
          `tenant String, id String, kind LowCardinality(String), node UInt32, status LowCardinality(String),
         progress Float64, details String, result String, error String,
         created_at DateTime64(3, 'UTC'), updated_at DateTime64(3, 'UTC')`,
          '(tenant, id)',
        )(options),
      ],
    ],
  },
  {
    name: 'workspaces',
    steps: (options) => [
      [
        controlTable(
          'workspaces',
          "tenant String, name String, created_at DateTime64(3, 'UTC'), deleted Bool",
          'tenant',
        )(options),
      ],
    ],
  },
  {
    name: 'secrets',
    steps: (options) => [
      [
        controlTable(
          'secrets',
          `tenant String, name String, sealed String, created_at DateTime64(3, 'UTC'), updated_at DateTime64(3, 'UTC'),
         deleted Bool`,
          '(tenant, name)',
        )(options),
      ],
    ],
  },
  { name: 'generations', steps: (options) => createTable(GENERATIONS, options).map((statement) => [statement]) },
  {
    name: 'prices',
    steps: (options) => [
      [
        controlTable(
          'price_overrides',
          "tenant String, id String, entry String, recorded_at DateTime64(3, 'UTC')",
          '(tenant, id)',
        )(options),
        controlTable(
          'price_lists',
          "id String, entry String, content String CODEC(ZSTD(3)), recorded_at DateTime64(3, 'UTC')",
          'id',
        )(options),
        controlTable(
          'repricings',
          `id String, tenant String, started_by String, status LowCardinality(String), dry_run Bool,
         since DateTime64(3, 'UTC'), until DateTime64(3, 'UTC'), from_versions Array(String), to_version String,
         generations UInt64, changed UInt64, found UInt64, lost UInt64,
         cost_before Decimal(38, 12), cost_after Decimal(38, 12), progress Float64, state String, error String,
         started_at DateTime64(3, 'UTC'), updated_at DateTime64(3, 'UTC')`,
          'id',
        )(options),
      ],
    ],
  },
  { name: 'audit', steps: (options) => [[auditTable(options)]] },
  {
    name: 'quotas',
    steps: (options) => [
      [
        controlTable(
          'quotas',
          "tenant String, project String, limits String, updated_at DateTime64(3, 'UTC'), deleted Bool",
          '(tenant, project)',
        )(options),
      ],
    ],
  },
  {
    name: 'newest first',
    isChange: true,
    steps: (options) => [
      FACT_TABLES.flatMap((table) => changeBlocks(table, options)),
      SPANS.indexes.map((index) => `ALTER TABLE ${storageOf(SPANS, options)} ADD ${indexDdl(index, 'IF NOT EXISTS ')}`),
    ],
  },
  {
    name: 'redaction',
    steps: (options) => [
      [
        controlTable(
          'redaction_policies',
          `tenant String, project String, environment String, policy String, updated_at DateTime64(3, 'UTC'), deleted Bool`,
          '(tenant, project, environment)',
        )(options),
      ],
    ],
  },
  { name: 'batches', steps: (options) => [[batchTable(options)]] },
  {
    name: 'generations by day',
    isChange: true,
    steps: (options) => [
      addColumn(GENERATIONS, 'service_name', options),
      ...addProjections(GENERATIONS, options),
      materializeProjections(
        GENERATIONS,
        GENERATIONS.projections.map(({ name }) => name),
        options,
      ),
    ],
  },
  {
    name: 'users',
    steps: (options) => [
      [
        controlTable(
          'users',
          `email String, id String, password String, tenant String, project String, environment String, session UInt32,
         created_at DateTime64(3, 'UTC'), last_login_at Nullable(DateTime64(3, 'UTC')), deleted Bool`,
          'email',
        )(options),
      ],
    ],
  },
  {
    name: 'roll-out',
    steps: (options) => [
      ['mirrors', 'source_switches'].map((table) =>
        controlTable(
          table,
          `tenant String, name String, settings String, updated_at DateTime64(3, 'UTC'), deleted Bool`,
          '(tenant, name)',
        )(options),
      ),
    ],
  },
  {
    name: 'sums that cannot fail',
    isChange: true,
    steps: (options) => [
      ...addProjections(GENERATIONS, options),
      // Its sums of costs could overflow, and a merge with them. The name is not used again: parts keep its files for a while.
      [
        `ALTER TABLE ${storageOf(GENERATIONS, options)} DROP PROJECTION IF EXISTS spend_daily SETTINGS mutations_sync = 0`,
      ],
      materializeProjections(GENERATIONS, ['user_totals_daily', 'money_daily'], options),
    ],
  },
];

/** Brings the store to the present schema; resolves with the names of the migrations that ran. */
export async function migrate(client: Client, options: DdlOptions): Promise<string[]> {
  const { database, cluster } = options;
  const cl = onCluster(cluster);
  await client.command(`CREATE DATABASE IF NOT EXISTS ${quoteName(database)}${cl}`);
  await client.command(`CREATE DATABASE IF NOT EXISTS ${quoteName(SHARED_DATABASE)}${cl}`);
  const ledger = `${quoteName(database)}.schema_migrations`;
  await client.command(
    `CREATE TABLE IF NOT EXISTS ${ledger}${cl} (number UInt32, name String, applied_at DateTime DEFAULT now()) ` +
      `ENGINE = ${cluster === undefined ? 'MergeTree' : `ReplicatedMergeTree('/clickhouse/tables/all/${database}/schema_migrations', '{shard}-{replica}')`} ` +
      `ORDER BY number SETTINGS fsync_after_insert = 1, fsync_part_directory = 1`,
  );
  const applied = await client.rows<{ number: number }>(`SELECT DISTINCT number FROM ${ledger}`);
  const done = new Set(applied.map((row) => row.number));
  if (done.size === 0 && (await isEmpty(client, database))) await makeAll(client, options, ledger, done);
  const ran: string[] = [];
  for (const [index, migration] of MIGRATIONS.entries()) {
    const number = index + 1;
    if (done.has(number)) continue;
    for (const step of migration.steps(options)) {
      await Promise.all(step.map((statement) => client.command(statement, { settings: TABLE_MAKING })));
    }
    await client.insert(ledger, [{ number, name: migration.name }]);
    ran.push(migration.name);
  }
  await applyRetention(client, options);
  const views = [...createViews(SHARED_DATABASE, database, SESSION_TENANT, cl), ...createCatalog(cl)];
  await Promise.all(views.map((statement) => client.command(statement)));
  return ran;
}

/** Whether the database has no table but the record of migrations: a start that was killed may have left others. */
async function isEmpty(client: Client, database: string): Promise<boolean> {
  const [row] = await client.rows<{ tables: string }>(
    "SELECT toString(count()) AS tables FROM system.tables WHERE database = {database:String} AND name != 'schema_migrations'",
    { params: { database } },
  );
  return row?.tables === '0';
}

/** A new store in one go: what the migrations make, those of one step together, and one record for all. */
async function makeAll(client: Client, options: DdlOptions, ledger: string, done: Set<number>): Promise<void> {
  const made = MIGRATIONS.filter(({ isChange }) => isChange !== true).map(({ steps }) => steps(options));
  for (let step = 0; step < Math.max(...made.map(({ length }) => length)); step++) {
    const statements = new Set(made.flatMap((steps) => steps[step] ?? []));
    await Promise.all([...statements].map((statement) => client.command(statement, { settings: TABLE_MAKING })));
  }
  await client.insert(
    ledger,
    MIGRATIONS.map(({ name }, index) => ({ number: index + 1, name })),
  );
  for (const index of MIGRATIONS.keys()) done.add(index + 1);
}

/** Sets each table's TTL to the configured retention, if it has another one. */
async function applyRetention(client: Client, options: DdlOptions): Promise<void> {
  const { database, cluster, retentionDays } = options;
  const rows = await client.rows<{ name: string; create_table_query: string }>(
    'SELECT name, create_table_query FROM system.tables WHERE database = {database:String}',
    { params: { database } },
  );
  const apply = async (name: string, days: number | undefined, expression: (days: number) => string): Promise<void> => {
    const ddl = rows.find((row) => row.name === name)?.create_table_query;
    if (ddl === undefined) return;
    const current = /TTL .*?toIntervalDay\((\d+)\)/s.exec(ddl)?.[1];
    if (current === (days === undefined ? undefined : String(days))) return;
    const change = days === undefined ? 'REMOVE TTL' : `MODIFY TTL ${expression(days)}`;
    await client.command(
      `ALTER TABLE ${quoteName(database)}.${quoteName(name)}${onCluster(cluster)} ${change}`,
      // Parts that are already there are dropped when their day is over; nothing is rewritten now.
      { settings: { materialize_ttl_after_modify: 0 } },
    );
  };
  for (const table of FACT_TABLES)
    await apply(cluster === undefined ? table.name : `${table.name}_local`, retentionDays, (days) => ttl(table, days));
  await apply('audit_log', options.auditDays ?? AUDIT_DAYS, (days) => `toDateTime(time) + toIntervalDay(${days})`);
}
