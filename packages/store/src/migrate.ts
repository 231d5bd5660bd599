/** Runs the migrations that a store lacks, and sets what follows from the configuration: retention and views. */

import { FACT_TABLES } from '@glasshouse/schema';
import type { Client } from './client.ts';
import { AUDIT_DAYS } from './control-tables.ts';
import type { DdlOptions } from './ddl.ts';
import { onCluster, quoteName, TABLE_MAKING, ttl } from './ddl.ts';
import { MIGRATIONS } from './migrations.ts';
import { createCatalog, createViews, SESSION_TENANT, SHARED_DATABASE } from './views.ts';

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
