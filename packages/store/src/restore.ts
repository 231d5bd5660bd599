/**
 * Restore: a backup is read completely into a database of its own; then a plan is written down, and by the plan every table
 * takes the place of what has its name. What it replaces is kept until the next restore.
 *
 * Must stay true: nothing is in its place before all of it was read. From the moment that the plan is there the restore will be
 * finished, by this process or by the next start, whatever ends meanwhile: each step can be done again. So nothing else may
 * happen to these tables until the plan is gone.
 */

import { AppError } from '@glasshouse/model';
import { FACT_TABLES } from '@glasshouse/schema';
import type { BackupProgress, BackupResult, SavedTable } from './backup.ts';
import { begin, buildingDatabase, follow, isVersion, nameOf, readContents } from './backup.ts';
import type { Client } from './client.ts';
import { StoreError } from './client.ts';
import { DURABLE_SETTINGS, quoteName, quoteText } from './ddl.ts';

/** A backup that was read and is not in place. */
export interface ReadBackup extends BackupResult {
  /** The greatest segment that a row of it came with. */
  readonly greatestSegment: bigint;
  /** False if it has telemetry, tenants and keys only: workspaces stay as they are then. */
  readonly hasWorkspaces: boolean;
}

/** Where a table that was read belongs. */
interface Planned {
  readonly uuid: string;
  /** Its name in the database that it was read to. */
  readonly staged: string;
  readonly database: string;
  readonly name: string;
}

interface Found {
  readonly uuid: string;
  readonly database: string;
  readonly name: string;
  readonly engine: string;
  readonly comment: string;
}

/** Databases of a restore: of the facts, of what was read, and of what was replaced. */
type Names = Readonly<Record<'beside' | 'database' | 'replaced', string>>;

const PLAN = 'restore_plan';
/** Tables of a backup of telemetry only. */
const FORMER_TABLES: readonly string[] = [...FACT_TABLES.map(({ name }) => name), 'tenants', 'api_keys'];
/**
 * Tables that stay: the record of migrations is of this schema; the audit log is never replaced, that of the backup is added to it.
 * What a segment was loaded into is of no use.
 */
const STAYING = /^(?:schema_migrations|audit_log|replay_[0-9a-f]+)$/u;
const RETRY_MS = 500;
const DURABLE = `fsync_after_insert = ${DURABLE_SETTINGS.fsync_after_insert}, fsync_part_directory = ${DURABLE_SETTINGS.fsync_part_directory}`;

/** Name of the database that keeps what a restore replaced. */
export function replacedDatabase(database: string): string {
  return `${database}_replaced`;
}

/** Name of the database that a backup is read to. */
function readingDatabase(database: string): string {
  return `${database}_restoring`;
}

/** Reads the backup at `path`. Removes what the last restore replaced. Rejects with `bad_request` for what is no backup. */
export async function readBackup(
  client: Client,
  database: string,
  path: string,
  onProgress: (progress: BackupProgress) => void,
): Promise<ReadBackup> {
  const contents = readContents(path);
  const beside = readingDatabase(database);
  await client.command(`DROP DATABASE IF EXISTS ${quoteName(beside)} SYNC`);
  await client.command(`DROP DATABASE IF EXISTS ${quoteName(replacedDatabase(database))} SYNC`);
  const tables = (contents?.tables ?? []).map((table) => checked(table, database));
  const elements = [
    `DATABASE ${quoteName(database)} AS ${quoteName(beside)}`,
    ...tables.map((table) => `TABLE ${nameOf(table)} AS ${quoteName(beside)}.${quoteName(stagedName(table.comment))}`),
  ];
  const id = await begin(client, `RESTORE ${elements.join(', ')} FROM File(${quoteText(path)}) ASYNC`);
  const result = await follow(client, id, onProgress);
  const greatestSegment = await greatestOf(client, beside);
  return { ...result, greatestSegment, hasWorkspaces: contents !== undefined };
}

/** Writes down where each table that was read belongs. When this resolves, the restore will be finished in any case. */
export async function planRestore(
  client: Client,
  database: string,
  path: string,
  { hasWorkspaces }: Pick<ReadBackup, 'hasWorkspaces'>,
): Promise<void> {
  const beside = readingDatabase(database);
  const found = await client.rows<Found>(
    'SELECT toString(uuid) AS uuid, database, name, engine, comment FROM system.tables WHERE database = {beside:String}',
    { params: { beside } },
  );
  const saved = new Map((readContents(path)?.tables ?? []).map((table) => [stagedName(table.comment), table]));
  const plan = found
    .filter(({ name }) => (hasWorkspaces ? !STAYING.test(name) : FORMER_TABLES.includes(name)))
    .map(({ uuid, name: staged }) => {
      const { database: place, name } = saved.get(staged) ?? { database, name: staged };
      return { uuid, staged, database: place, name };
    });
  const table = `${quoteName(beside)}.${PLAN}`;
  await client.command(
    `CREATE TABLE ${table} (uuid String, staged String, database String, name String) ENGINE = MergeTree ORDER BY staged ` +
      `SETTINGS ${DURABLE}`,
  );
  await client.insert(table, plan);
}

/**
 * Puts what was planned in its place; does nothing if there is no plan, or all of it is there. Waits for a store that is away
 * for as long as that takes. Resolves with whether there is a plan.
 */
export function placeRestored(client: Client, database: string): Promise<boolean> {
  return whileAway(() => place(client, database));
}

/** Does something that can be done twice, again and again while the store is away. */
async function whileAway<T>(act: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof StoreError) || error.number !== 0) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

async function place(client: Client, database: string): Promise<boolean> {
  const [beside, replaced] = [readingDatabase(database), replacedDatabase(database)];
  const plan = await readPlan(client, beside);
  if (plan.length > 0) {
    await client.command(`CREATE DATABASE IF NOT EXISTS ${quoteName(replaced)}`);
    const move = await Move.begin(client, { database, beside, replaced });
    for (const planned of plan) await move.place(planned);
    if (plan.some((planned) => planned.database === database && planned.name === 'resources')) await move.clear(plan);
    await addAudit(client, database, beside);
  }
  return plan.length > 0;
}

/** Adds the audit log of the backup to the present one, but for rows that are there. */
async function addAudit(client: Client, database: string, beside: string): Promise<void> {
  const rows = await client.rows<{ database: string }>(
    "SELECT database FROM system.tables WHERE name = 'audit_log' AND database IN {databases:Array(String)}",
    { params: { databases: [database, beside] } },
  );
  if (rows.length < 2) return;
  const table = `${quoteName(database)}.audit_log`;
  await client.command(
    `INSERT INTO ${table} SELECT * FROM ${quoteName(beside)}.audit_log WHERE id NOT IN (SELECT id FROM ${table})`,
  );
}

/** Removes the plan, and what else is left of reading a backup. Waits for a store that is away. */
export async function endRestore(client: Client, database: string): Promise<void> {
  const beside = quoteName(readingDatabase(database));
  // The plan first: without it the rest is only what an interrupted reading left.
  await whileAway(async () => {
    await client.command(`DROP TABLE IF EXISTS ${beside}.${PLAN} SYNC`).catch((error: unknown) => {
      if (!(error instanceof StoreError) || error.type !== 'UNKNOWN_DATABASE') throw error;
    });
    await client.command(`DROP DATABASE IF EXISTS ${beside} SYNC`);
  });
}

async function readPlan(client: Client, beside: string): Promise<readonly Planned[]> {
  const [row] = await client.rows<{ n: string }>(
    'SELECT toString(count()) AS n FROM system.tables WHERE database = {beside:String} AND name = {plan:String}',
    { params: { beside, plan: PLAN } },
  );
  if (row?.n !== '1') return [];
  return client.rows<Planned>(`SELECT uuid, staged, database, name FROM ${quoteName(beside)}.${PLAN} ORDER BY staged`);
}

/** The exchange, table by table. */
class Move {
  private readonly client: Client;
  private readonly names: Names;
  /** Every table that may be moved, by its place and by its identity. */
  private readonly byPlace = new Map<string, Found>();
  private readonly byUuid = new Map<string, Found>();

  private constructor(client: Client, names: Names, tables: readonly Found[]) {
    this.client = client;
    this.names = names;
    for (const table of tables) this.put(table);
  }

  static async begin(client: Client, names: Names): Promise<Move> {
    const tables = await client.rows<Found>(
      `SELECT toString(uuid) AS uuid, database, name, engine, comment FROM system.tables
       WHERE database LIKE 'tenant\\_%' OR database IN {databases:Array(String)}`,
      { params: { databases: [...Object.values(names), buildingDatabase(names.database)] } },
    );
    return new Move(client, names, tables);
  }

  /** Lets a table take its place; what has it goes to the replaced ones. */
  async place({ uuid, staged, database, name }: Planned): Promise<void> {
    const table = this.byUuid.get(uuid);
    if (table === undefined) throw new AppError('internal', `cannot finish the restore: table ${name} is nowhere`);
    const to = { database, name };
    if (table.database !== database || table.name !== name) {
      if (this.byPlace.has(nameOf(to))) await this.exchange(table, to);
      else {
        await this.client.command(`CREATE DATABASE IF NOT EXISTS ${quoteName(database)}`);
        await this.rename(table, to);
      }
    }
    const former = this.byPlace.get(nameOf({ database: this.names.beside, name: staged }));
    if (former !== undefined) await this.putAside(former);
  }

  /** Puts aside what data sources have that the plan does not know. */
  async clear(plan: readonly Planned[]): Promise<void> {
    const planned = new Set(plan.map(({ uuid }) => uuid));
    const others: readonly string[] = Object.values(this.names);
    for (const table of [...this.byPlace.values()]) {
      const isOurs = !others.includes(table.database) && table.engine !== 'View' && isVersion(table.comment);
      if (isOurs && !planned.has(table.uuid)) await this.putAside(table);
    }
  }

  private async putAside(table: Found): Promise<void> {
    if (table.engine === 'View') {
      await this.client.command(`DROP TABLE IF EXISTS ${nameOf(table)} SYNC`);
      this.byPlace.delete(nameOf(table));
      return;
    }
    const database = this.names.replaced;
    const plain = isVersion(table.comment) ? stagedName(table.comment) : table.name;
    const isTaken = this.byPlace.has(nameOf({ database, name: plain }));
    await this.rename(table, { database, name: isTaken ? `${plain}_${table.uuid}` : plain });
  }

  private async rename(table: Found, to: Pick<Found, 'database' | 'name'>): Promise<void> {
    await this.client.command(`RENAME TABLE ${nameOf(table)} TO ${nameOf(to)}`);
    this.byPlace.delete(nameOf(table));
    this.put({ ...table, ...to });
  }

  private async exchange(table: Found, to: Pick<Found, 'database' | 'name'>): Promise<void> {
    const occupant = this.byPlace.get(nameOf(to)) as Found;
    await this.client.command(`EXCHANGE TABLES ${nameOf(table)} AND ${nameOf(to)}`);
    this.put({ ...occupant, database: table.database, name: table.name });
    this.put({ ...table, ...to });
  }

  private put(table: Found): void {
    this.byPlace.set(nameOf(table), table);
    this.byUuid.set(table.uuid, table);
  }
}

/** The greatest segment of all tables in a database; 0 if no row came with one. */
async function greatestOf(client: Client, database: string): Promise<bigint> {
  const tables = await client.rows<{ table: string }>(
    "SELECT table FROM system.columns WHERE database = {database:String} AND name = '_segment'",
    { params: { database } },
  );
  let greatest = 0n;
  for (const { table: name } of tables) {
    const [row] = await client.rows<{ top: string }>(
      `SELECT toString(max(_segment)) AS top FROM ${nameOf({ database, name })}`,
    );
    const top = BigInt(row?.top ?? 0);
    if (top > greatest) greatest = top;
  }
  return greatest;
}

/** Refuses a table that is no data source's: the list comes from outside. */
function checked(table: SavedTable, database: string): SavedTable {
  const isPlace = table.database.startsWith('tenant_') || table.database === buildingDatabase(database);
  if (isPlace && isVersion(table.comment)) return table;
  throw new AppError(
    'bad_request',
    `cannot restore: the list of the backup has a table ${nameOf(table)}, which is no data source's`,
  );
}

/** Name of a data source's table where names of data sources do not count. */
function stagedName(comment: string): string {
  return comment.replace(':', '_');
}
