/**
 * The tables of data sources: made beside what is live, put in its place at once, changed, emptied, removed. Each table says
 * in its comment whose it is and which version, so that a table is found by that wherever an interrupted change left it.
 *
 * Must stay true: a table of the tenant's database is complete from the moment its name is there. What is being made, and
 * what was replaced, is in a database that no tenant may name.
 */

import { randomUUID } from 'node:crypto';
import type { DataSource } from '@glasshouse/model';
import { AppError, QUARANTINE_SUFFIX } from '@glasshouse/model';
import { buildingDatabase } from './backup.ts';
import { Client, StoreError } from './client.ts';
import type { TableChange } from './datasource-change.ts';
import { planChange } from './datasource-change.ts';
import { createDataSourceTable, createQuarantineTable, quarantineColumns } from './datasource-ddl.ts';
import { quoteName, TABLE_MAKING } from './ddl.ts';
import { Rebuild } from './rebuild.ts';
import { Replacement } from './replacement.ts';
import type { Target } from './target.ts';
import { tenantDatabase } from './views.ts';

/** A version of a data source's table, and where it belongs. */
export interface TablePlace {
  readonly tenant: string;
  readonly name: string;
  /** Id of the data source. */
  readonly id: string;
  /** Grows with every table that the data source is moved to. */
  readonly version: number;
}

/** Rows and bytes of a data source, as the engine knows them without counting. */
export interface TableSize {
  readonly rows: number;
  readonly bytes: number;
}

const LOOSE_DIMENSIONS = 'allow_dimensions_outside_sorting_key';
/** Version in the comment of a quarantine, of which there is only ever one. */
const QUARANTINE = 'quarantine';
/** Longest statement: moving the rows of a large table. */
const LONGEST_MS = 24 * 3_600_000;

interface Found {
  readonly database: string;
  readonly name: string;
}

export class DataSources {
  readonly client: Client;
  private readonly target: Target;

  private constructor(target: Target) {
    this.target = target;
    this.client = new Client(target, target.writer, { maxConnections: 6, requestTimeoutMs: LONGEST_MS });
  }

  /** Connects lazily, so this works while the store is down. */
  static connect(target: Target): DataSources {
    return new DataSources(target);
  }

  /** Database of what is being made and of what was replaced. */
  get building(): string {
    return buildingDatabase(this.target.database);
  }

  /** Makes the tables of a new data source and shows them. Whatever else has its name in the tenant's database gives way. */
  async create(place: TablePlace, dataSource: DataSource): Promise<void> {
    await this.build(place, dataSource);
    try {
      await this.buildTable(quarantineOf(place), createQuarantineTable, dataSource);
      await this.show(quarantineOf(place));
      await this.place(place);
    } catch (error) {
      await this.discard(place).catch(() => undefined);
      throw error;
    }
  }

  /** Makes the table of a version, without showing it. Rejects with the engine's refusal if the definition is not one. */
  async build(place: TablePlace, dataSource: DataSource): Promise<void> {
    const part = { ...place, version: String(place.version) };
    try {
      await this.buildTable(part, createDataSourceTable, dataSource);
    } catch (error) {
      if (!(error instanceof StoreError) || !error.message.includes(LOOSE_DIMENSIONS)) throw error;
      // Newer engines refuse a column beside key and aggregates unless told so; data files were written for older ones.
      const { engine } = dataSource;
      const settings = { ...engine.settings, [LOOSE_DIMENSIONS]: '1' };
      await this.buildTable(part, createDataSourceTable, { ...dataSource, engine: { ...engine, settings } });
    }
  }

  /** Lets a version take the place of whatever has its name; what was there goes where nobody sees it. Twice does nothing. */
  async place(place: TablePlace): Promise<void> {
    await this.show({ ...place, version: String(place.version) });
  }

  /** Takes a data source out of sight, tables and all; `place` and `placeQuarantine` bring it back. */
  async hide(place: TablePlace): Promise<void> {
    for (const part of [quarantineOf(place), { ...place, version: String(place.version) }]) {
      const found = await this.find(part);
      if (found === undefined || found.database === this.building) continue;
      await this.dropBuilding(part);
      await this.client.command(`RENAME TABLE ${nameOf(found)} TO ${this.internal(part)}`);
    }
  }

  /** Shows the quarantine again after `hide`. */
  async placeQuarantine(place: TablePlace): Promise<void> {
    await this.show(quarantineOf(place));
  }

  /** True if the table of this version is anywhere. */
  async exists(place: TablePlace): Promise<boolean> {
    return (await this.find({ ...place, version: String(place.version) })) !== undefined;
  }

  /**
   * Puts back what an interrupted change left: tables of these versions that are not where they belong. Resolves with those
   * that were put back, and those that are nowhere.
   */
  async repair(places: readonly TablePlace[]): Promise<{ readonly placed: TablePlace[]; readonly lost: TablePlace[] }> {
    const rows = await this.client.rows<Found & { readonly comment: string }>(
      "SELECT database, name, comment FROM system.tables WHERE comment LIKE '%:%' AND (database LIKE 'tenant\\_%' OR database = {building:String})",
      { params: { building: this.building } },
    );
    const found = new Map<string, Found>();
    // A table that is shown comes after one that is not, and wins.
    for (const row of rows.toSorted((a) => (a.database === this.building ? -1 : 1))) found.set(row.comment, row);
    const placed: TablePlace[] = [];
    const lost: TablePlace[] = [];
    for (const place of places) {
      for (const part of [{ ...place, version: String(place.version) }, quarantineOf(place)]) {
        const at = found.get(commentOf(part));
        if (at?.database === tenantDatabase(part.tenant) && at.name === part.name) continue;
        if (at === undefined) lost.push(place);
        else {
          await this.show(part);
          placed.push(place);
        }
      }
    }
    return { placed, lost };
  }

  /** Runs clauses of an ALTER; none do nothing. */
  async alter(place: TablePlace, clauses: TableChange['clauses']): Promise<void> {
    const isSetting = (clause: string): boolean => /^(?:MODIFY|RESET) SETTING /u.test(clause);
    const together = clauses.filter((clause) => !isSetting(clause));
    const statements = [...(together.length === 0 ? [] : [together.join(', ')]), ...clauses.filter(isSetting)];
    for (const statement of statements) {
      await this.client.command(`ALTER TABLE ${visible(place)} ${statement}`, {
        settings: { ...TABLE_MAKING, alter_sync: 1, materialize_ttl_after_modify: 0 },
      });
    }
  }

  /** Undoes an `alter` that failed or whose change is not wanted after all: what of it was done, is undone. */
  async revert(place: TablePlace, before: DataSource, after: DataSource): Promise<void> {
    const { clauses, drops } = planChange(after, before);
    for (const clause of [...clauses, ...drops]) await this.alter(place, [clause]).catch(() => undefined);
  }

  /** Adds the columns to the quarantine that the definition has and it has not. What it has already stays. */
  async widenQuarantine(place: TablePlace, dataSource: DataSource): Promise<void> {
    const adds = quarantineColumns(dataSource).map(
      ({ name }) => `ADD COLUMN IF NOT EXISTS ${quoteName(name)} Nullable(String)`,
    );
    if (adds.length > 0)
      await this.client.command(
        `ALTER TABLE ${visible({ ...place, name: place.name + QUARANTINE_SUFFIX })} ${adds.join(', ')}`,
      );
  }

  /** Gives both tables another name, at once. */
  async rename(place: TablePlace, name: string): Promise<void> {
    const to = { ...place, name };
    await this.client.command(
      `RENAME TABLE ${visible(place)} TO ${visible(to)}, ` +
        `${visible({ ...place, name: place.name + QUARANTINE_SUFFIX })} TO ${visible({ ...to, name: name + QUARANTINE_SUFFIX })}`,
    );
  }

  /** Removes both tables for good. Only those of this data source: another one that has the name by now is left alone. */
  async drop(place: TablePlace): Promise<void> {
    for (const part of [{ ...place, version: String(place.version) }, quarantineOf(place)]) {
      const found = await this.find(part);
      if (found !== undefined) await this.client.command(`DROP TABLE IF EXISTS ${nameOf(found)} SYNC`);
    }
  }

  /** Removes a version that is not shown; one that is stays. */
  async discard(place: TablePlace): Promise<void> {
    const found = await this.find({ ...place, version: String(place.version) });
    if (found?.database === this.building) await this.client.command(`DROP TABLE IF EXISTS ${nameOf(found)} SYNC`);
  }

  /** Removes all rows, of the quarantine if `what` says so. */
  async truncate(place: TablePlace, what: 'rows' | 'quarantine' = 'rows'): Promise<void> {
    const name = what === 'rows' ? place.name : place.name + QUARANTINE_SUFFIX;
    await this.client.command(`TRUNCATE TABLE ${visible({ ...place, name })} SYNC`);
  }

  /** Removes all rows of all data sources, of their quarantines, and of versions that are out of sight. */
  async emptyAll(): Promise<void> {
    const tables = await this.client.rows<Found>(
      `SELECT database, name FROM system.tables WHERE engine NOT IN ('View', 'Null')
       AND match(comment, '^\\\\w+:\\\\w+$') AND (database LIKE 'tenant\\_%' OR database = {building:String})`,
      { params: { building: this.building } },
    );
    for (const table of tables) await this.client.command(`TRUNCATE TABLE ${nameOf(table)} SYNC`);
  }

  /** Counts the rows that meet a condition, which has been judged. */
  async count(place: TablePlace, condition: string): Promise<number> {
    const [row] = await this.client.rows<{ n: string }>(
      `SELECT count() AS n FROM ${visible(place)} WHERE (${condition})`,
    );
    return Number(row?.n ?? 0);
  }

  /** Deletes the rows that meet a condition, which has been judged; resolves when no query sees them any more. */
  async deleteRows(place: TablePlace, condition: string): Promise<void> {
    await this.client.command(`DELETE FROM ${visible(place)} WHERE (${condition})`, {
      settings: { lightweight_deletes_sync: 2 },
    });
  }

  /** Sizes of all tables of a tenant, by name, quarantines included. */
  async sizes(tenant: string): Promise<ReadonlyMap<string, TableSize>> {
    const rows = await this.client.rows<{ name: string; total_rows: string | null; total_bytes: string | null }>(
      "SELECT name, total_rows, total_bytes FROM system.tables WHERE database = {database:String} AND comment != '' AND engine != 'View'",
      { params: { database: tenantDatabase(tenant) } },
    );
    return new Map(
      rows.map((row) => [row.name, { rows: Number(row.total_rows ?? 0), bytes: Number(row.total_bytes ?? 0) }]),
    );
  }

  /** Starts the move of a data source's rows to the table of another version. */
  rebuild(place: TablePlace, before: DataSource, after: DataSource): Rebuild {
    return new Rebuild({
      client: this.client,
      source: visible(place),
      sourceName: place.name,
      target: this.internal({ ...place, version: String(place.version) }),
      before,
      after,
      create: () => this.build(place, after),
      discard: () => this.discard(place),
    });
  }

  /** Starts the replacement of a data source's rows; `place` is the version that takes the new ones. */
  replacement(place: TablePlace, dataSource: DataSource): Replacement {
    return new Replacement({
      client: this.client,
      source: visible(place),
      target: this.internal({ ...place, version: String(place.version) }),
      dataSource,
      create: () => this.build(place, dataSource),
      discard: () => this.discard(place),
    });
  }

  /**
   * Removes what interrupted changes left behind, except the tables whose `id:version` is to be kept. Only with a store of
   * one's own: in a shared one another server may be at work.
   */
  async sweep(keep: ReadonlySet<string>): Promise<string[]> {
    if (!this.target.readsPaths) return [];
    const rows = await this.client.rows<{ name: string; comment: string }>(
      'SELECT name, comment FROM system.tables WHERE database = {database:String}',
      { params: { database: this.building } },
    );
    const leftovers = rows.filter(({ comment }) => !keep.has(comment)).map(({ name }) => name);
    for (const name of leftovers) {
      await this.client.command(`DROP TABLE IF EXISTS ${nameOf({ database: this.building, name })} SYNC`);
    }
    return leftovers;
  }

  async close(): Promise<void> {
    await this.client.close();
  }

  private async buildTable(
    part: Part,
    ddl: (dataSource: DataSource, name: string, comment: string) => string,
    dataSource: DataSource,
  ): Promise<void> {
    if (this.target.cluster !== undefined) {
      throw new AppError('bad_request', 'cannot make a data source: it is not supported on a cluster; use one server');
    }
    await this.client.command(`CREATE DATABASE IF NOT EXISTS ${quoteName(this.building)}`);
    await this.client.command(`CREATE DATABASE IF NOT EXISTS ${quoteName(tenantDatabase(part.tenant))}`);
    await this.dropBuilding(part);
    await this.client.command(ddl(dataSource, this.internal(part), commentOf(part)), { settings: TABLE_MAKING });
  }

  private async dropBuilding(part: Part): Promise<void> {
    await this.client.command(`DROP TABLE IF EXISTS ${this.internal(part)} SYNC`);
  }

  private async show(part: Part): Promise<void> {
    const found = await this.find(part);
    if (found === undefined)
      throw new AppError('not_found', `cannot show table=${commentOf(part)}: there is no such version`);
    const to = { database: tenantDatabase(part.tenant), name: part.name };
    if (found.database === to.database && found.name === to.name) return;
    const [occupant] = await this.client.rows<{ engine: string; comment: string }>(
      'SELECT engine, comment FROM system.tables WHERE database = {database:String} AND name = {name:String}',
      { params: { ...to } },
    );
    if (occupant === undefined) {
      await this.client.command(`RENAME TABLE ${nameOf(found)} TO ${nameOf(to)}`);
      return;
    }
    await this.client.command(`EXCHANGE TABLES ${nameOf(found)} AND ${nameOf(to)}`);
    if (occupant.engine === 'View') {
      await this.client.command(`DROP TABLE IF EXISTS ${nameOf(found)} SYNC`);
      return;
    }
    const [id = '', version = ''] = occupant.comment.split(':');
    const replaced = quoteName(/^\w+$/u.test(id + version) ? `${id}_${version}` : `replaced_${randomUUID()}`);
    if (replaced === quoteName(found.name) && found.database === this.building) return;
    await this.client.command(`DROP TABLE IF EXISTS ${quoteName(this.building)}.${replaced} SYNC`);
    await this.client.command(`RENAME TABLE ${nameOf(found)} TO ${quoteName(this.building)}.${replaced}`);
  }

  private async find(part: Part): Promise<Found | undefined> {
    const [found] = await this.client.rows<Found>(
      `SELECT database, name FROM system.tables WHERE comment = {comment:String}
       AND database IN ({tenant:String}, {building:String}) ORDER BY database = {building:String}`,
      { params: { comment: commentOf(part), tenant: tenantDatabase(part.tenant), building: this.building } },
    );
    return found;
  }

  private internal(part: Pick<Part, 'id' | 'version'>): string {
    return `${quoteName(this.building)}.${quoteName(`${part.id}_${part.version}`)}`;
  }
}

/** A table of a data source, as its comment names it. */
interface Part extends Omit<TablePlace, 'version'> {
  readonly version: string;
}

function quarantineOf(place: TablePlace): Part {
  return { ...place, name: place.name + QUARANTINE_SUFFIX, version: QUARANTINE };
}

function commentOf({ id, version }: Pick<Part, 'id' | 'version'>): string {
  return `${id}:${version}`;
}

function nameOf({ database, name }: Found): string {
  return `${quoteName(database)}.${quoteName(name)}`;
}

function visible({ tenant, name }: Pick<TablePlace, 'name' | 'tenant'>): string {
  return nameOf({ database: tenantDatabase(tenant), name });
}
