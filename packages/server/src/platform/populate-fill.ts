/**
 * The filling of one target: the rows of its sources, a range of segments and a partition at a time, go through the pipes into a
 * table that nobody sees.
 *
 * Must stay true: no row is read twice and none is left out between the first segment and the last mark. While rows are told apart
 * by their segments, sources whose rows are added up are not merged.
 */

import { composePipe } from '@glasshouse/language';
import type { Pipe } from '@glasshouse/model';
import { AppError, SEGMENT } from '@glasshouse/model';
import type { DataSources } from '@glasshouse/store';
import { quoteName, quoteText, tenantDatabase } from '@glasshouse/store';
import { HiddenTable } from './copies-table.ts';
import type { JobContext } from './jobs.ts';
import type { Materialization } from './materialize.ts';
import { renderPlain } from './materialize.ts';
import type { Registry } from './registry.ts';
import type { DataSourceEntry } from './resource-row.ts';

/** The last segment of each source, by name. */
export type Marks = ReadonlyMap<string, bigint>;

interface FillingOptions {
  readonly registry: Registry;
  readonly tables: DataSources;
}

/** Two readings of whole seconds differ by less. */
const CLOCK_SECONDS = 2;
/** Before the last step a job is not done. */
const MOST_PERCENT = 99;

export class Filling {
  private readonly options: FillingOptions;
  private readonly tenant: string;
  private readonly steps: readonly Materialization[];
  private readonly condition: string | undefined;
  private reached: Marks = new Map();
  private total = 0;
  private read = 0;
  private engineStart: number | undefined;

  constructor(options: FillingOptions, tenant: string, steps: readonly Materialization[], condition?: string) {
    this.options = options;
    this.tenant = tenant;
    this.steps = steps;
    this.condition = condition;
  }

  /** The last segments of the sources. They mean something only if nothing is handed over meanwhile. */
  async marks(): Promise<Marks> {
    const marks = new Map<string, bigint>();
    for (const source of this.sources()) {
      const [row] = await this.rows<{ top: string }>(
        `SELECT toString(max(${SEGMENT})) AS top FROM ${this.nameOf(source)}`,
      );
      marks.set(source.name, BigInt(row?.top ?? 0));
    }
    return marks;
  }

  /** Rows of the sources that came after what was read. */
  async missing(): Promise<number> {
    let rows = 0;
    for (const source of this.sources()) {
      const after = this.reached.get(source.name) ?? 0n;
      const [row] = await this.rows<{ n: string }>(
        `SELECT count() AS n FROM ${this.nameOf(source)} WHERE ${SEGMENT} > ${after}`,
      );
      rows += Number(row?.n ?? 0);
    }
    return rows;
  }

  async targetsAreEmpty(): Promise<boolean> {
    for (const { target } of this.steps) {
      const entry = this.options.registry.dataSource(this.tenant, target);
      const [row] = await this.rows<{ n: string }>(`SELECT count() AS n FROM ${this.nameOf(entry)}`);
      if (Number(row?.n ?? 0) > 0) return false;
    }
    return true;
  }

  /** Lends a hidden table of the target, which all steps share, while nobody else does anything with it or its sources. */
  alone(act: (hidden: HiddenTable) => Promise<number>): Promise<number> {
    const { registry, tables } = this.options;
    const target = registry.dataSource(this.tenant, this.steps[0]?.target ?? '');
    const sources = this.sources();
    const keys = [...new Set([target.id, ...sources.map(({ id }) => id)])];
    return registry.locks.exclusivelyAll(keys, 'a population', async () => {
      const entry = registry.dataSource(this.tenant, target.id);
      const hidden = new HiddenTable(entry, tables, entry.tableVersion + 1);
      const unmerged = sources.filter(({ definition }) => definition.engine.name !== 'MergeTree');
      if (unmerged.length > 0) this.engineStart = await this.engineStarted();
      for (const source of unmerged) await this.command(`SYSTEM STOP MERGES ${this.nameOf(source)}`);
      try {
        await hidden.create();
        return await act(hidden);
      } catch (error) {
        await hidden.discard().catch(() => undefined);
        throw error;
      } finally {
        for (const source of unmerged)
          await this.command(`SYSTEM START MERGES ${this.nameOf(source)}`).catch(() => undefined);
      }
    });
  }

  /** To be called before what was filled is used: a restart of the engine forgets that merges are stopped. */
  async confirm(): Promise<void> {
    if (this.engineStart === undefined) return;
    if (Math.abs((await this.engineStarted()) - this.engineStart) <= CLOCK_SECONDS) return;
    throw new AppError('unavailable', 'cannot finish the population: the engine was restarted meanwhile; start again');
  }

  /** Puts what the pipes make of all rows up to the marks into the table, but for those that were read already. Answers with how many were. */
  async fill(
    hidden: HiddenTable,
    upTo: Marks,
    { progress, signal }: Pick<JobContext, 'progress' | 'signal'>,
  ): Promise<number> {
    let rows = 0;
    for (const source of this.sources()) {
      const mark = upTo.get(source.name) ?? 0n;
      const after = this.reached.get(source.name);
      const range = `${SEGMENT} <= ${mark} + 40000000000${after === undefined ? '' : ` AND ${SEGMENT} > ${after}`}`;
      // Columns may have any name that is no better than these.
      const partitions = await this.rows<{ __id: string; __n: string }>(
        `SELECT _partition_id AS __id, count() AS __n FROM ${this.nameOf(source)} WHERE ${range} GROUP BY __id ORDER BY __id`,
      );
      this.total += partitions.reduce((sum, { __n: n }) => sum + Number(n), 0);
      for (const { __id: id, __n: n } of partitions) {
        const where = `${range} AND _partition_id = ${quoteText(id)}`;
        for (const step of this.steps.filter(({ trigger }) => trigger === source.name))
          await hidden.fill(this.selectOf(step, source, where), { segment: mark, signal });
        this.read += Number(n);
        rows += Number(n);
        progress(Math.min(MOST_PERCENT, (this.read / this.total) * MOST_PERCENT));
      }
    }
    this.reached = upTo;
    return rows;
  }

  /** What the step makes of some rows of its source. */
  private selectOf({ pipe, node, trigger }: Materialization, source: DataSourceEntry, where: string): string {
    const columns = source.definition.columns
      .filter(({ kind }) => kind !== 'EPHEMERAL')
      .map(({ name }) => quoteName(name));
    const condition = this.condition === undefined ? '' : ` AND (${this.condition}\n)`;
    const sql = `SELECT ${columns.join(', ')} FROM ${this.nameOf(source)} WHERE ${where}${condition}`;
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

  private nameOf({ name }: DataSourceEntry): string {
    return `${quoteName(tenantDatabase(this.tenant))}.${quoteName(name)}`;
  }

  private rows<Row>(sql: string): Promise<Row[]> {
    return this.options.tables.client.rows<Row>(sql);
  }

  private command(sql: string): Promise<void> {
    return this.options.tables.client.command(sql);
  }

  /** When the engine started, in seconds since 1970. */
  private async engineStarted(): Promise<number> {
    const [row] = await this.rows<{ at: string }>('SELECT toInt64(toUnixTimestamp(now())) - toInt64(uptime()) AS at');
    return Number(row?.at ?? 0);
  }
}
