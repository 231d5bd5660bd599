/**
 * The filling of one target: the rows of its sources, a range of segments and a partition at a time, go through the pipes into a
 * table that nobody sees.
 *
 * Must stay true: no row is read twice and none is left out between the first segment and the last cut. Sources whose rows are added
 * up or replaced are not merged meanwhile (`populate-merges.ts`).
 */

import { composePipe } from '@glasshouse/language';
import type { Pipe } from '@glasshouse/model';
import type { DataSources } from '@glasshouse/store';
import { quoteName, quoteText, tenantDatabase } from '@glasshouse/store';
import type { HiddenTable } from './copies-table.ts';
import { factOrder } from './fact-order.ts';
import type { JobContext } from './jobs.ts';
import type { Materialization } from './materialize.ts';
import { renderPlain } from './materialize.ts';
import { between, readCut } from './populate-cut.ts';
import type { Cut } from './populate-cut.ts';
import type { Registry } from './registry.ts';
import type { DataSourceEntry } from './resource-row.ts';

/** Cuts of data sources, by name. */
export type Cuts = ReadonlyMap<string, Cut>;

export interface FillingOptions {
  readonly registry: Registry;
  readonly tables: DataSources;
}

/** Before the last step a job is not done. */
const MOST_PERCENT = 99;

export class Filling {
  private readonly options: FillingOptions;
  private readonly tenant: string;
  private readonly steps: readonly Materialization[];
  private readonly condition: string | undefined;
  private reached: Cuts = new Map();
  private total = 0;
  private read = 0;

  /** All steps have the same target. */
  constructor(options: FillingOptions, tenant: string, steps: readonly Materialization[], condition?: string) {
    this.options = options;
    this.tenant = tenant;
    this.steps = steps;
    this.condition = condition;
  }

  /** Where the sources stand. It means something only if nothing is handed over meanwhile. */
  async cuts(): Promise<Cuts> {
    const cuts = new Map<string, Cut>();
    for (const source of this.sources())
      cuts.set(source.name, await readCut(this.options.tables.client, tableOf(source)));
    return cuts;
  }

  /** Rows of the sources that came after what was read. */
  async missing(): Promise<number> {
    let rows = 0;
    for (const source of this.sources()) {
      const [row] = await this.rows<{ n: string }>(
        `SELECT count() AS n FROM ${tableOf(source)} WHERE ${between(this.reached.get(source.name), undefined)}`,
      );
      rows += Number(row?.n ?? 0);
    }
    return rows;
  }

  /** Puts what the pipes make of all rows up to the cuts into the table, but for those that were read already. Answers with how many were. */
  async fill(hidden: HiddenTable, upTo: Cuts, context: Pick<JobContext, 'progress' | 'signal'>): Promise<number> {
    let rows = 0;
    for (const source of this.sources()) {
      const cut = upTo.get(source.name) ?? { log: 0n, copies: 0n };
      const range = between(this.reached.get(source.name), cut);
      rows += await this.fillFrom(hidden, source, tableOf(source), range, { ...context, segment: cut.log });
    }
    this.reached = upTo;
    return rows;
  }

  /** Puts what the pipes make of all rows of a hidden table into another one. */
  async fillOf(hidden: HiddenTable, source: HiddenTable, context: FillContext): Promise<void> {
    await this.fillFrom(hidden, source.entry, source.table, '1', context);
  }

  private async fillFrom(
    hidden: HiddenTable,
    source: DataSourceEntry,
    table: string,
    range: string,
    { progress, segment, signal }: FillContext,
  ): Promise<number> {
    const { catalog } = this.options.registry;
    // Columns may have any name that is no better than these.
    const partitions = await this.rows<{ __id: string; __n: string }>(
      `SELECT _partition_id AS __id, count() AS __n FROM ${table} WHERE ${range} GROUP BY __id ORDER BY __id`,
    );
    const rows = partitions.reduce((sum, { __n: n }) => sum + Number(n), 0);
    this.total += rows;
    for (const { __id: id, __n: n } of partitions) {
      const where = `${range} AND _partition_id = ${quoteText(id)}`;
      for (const step of this.steps.filter(({ trigger }) => trigger === source.name)) {
        const sql = this.selectOf(step, source, table, where);
        const settings = factOrder(sql, (name) => catalog.dataSource(this.tenant, name) !== undefined);
        await hidden.fill(sql, { segment, settings, signal });
      }
      this.read += Number(n);
      progress(Math.min(MOST_PERCENT, (this.read / this.total) * MOST_PERCENT));
    }
    return rows;
  }

  /** What the step makes of some rows of its source. */
  private selectOf(
    { pipe, node, trigger }: Materialization,
    source: DataSourceEntry,
    table: string,
    where: string,
  ): string {
    const columns = source.definition.columns
      .filter(({ kind }) => kind !== 'EPHEMERAL')
      .map(({ name }) => quoteName(name));
    const condition = this.condition === undefined ? '' : ` AND (${this.condition}\n)`;
    const sql = `SELECT ${columns.join(', ')} FROM ${table} WHERE ${where}${condition}`;
    const rows: Pipe = {
      kind: 'pipe',
      name: trigger,
      nodes: [{ name: trigger, sql, type: 'default', settings: {} }],
      tokens: [],
      tags: [],
    };
    return composePipe(pipe.definition, node.name, renderPlain, { pipes: new Map([[trigger, rows]]) });
  }

  /** The sources, each once. */
  private sources(): DataSourceEntry[] {
    const names = new Set(this.steps.map(({ trigger }) => trigger));
    return [...names].map((name) => this.options.registry.dataSource(this.tenant, name));
  }

  private rows<Row>(sql: string): Promise<Row[]> {
    return this.options.tables.client.rows<Row>(sql);
  }
}

interface FillContext extends Pick<JobContext, 'progress' | 'signal'> {
  /** What the rows say that brought them. */
  readonly segment: bigint;
}

/** Quoted name of the live table. */
export function tableOf({ tenant, name }: Pick<DataSourceEntry, 'name' | 'tenant'>): string {
  return `${quoteName(tenantDatabase(tenant))}.${quoteName(name)}`;
}
