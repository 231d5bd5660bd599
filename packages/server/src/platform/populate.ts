/**
 * Populations: the target of a materialization is filled with what its pipe makes of the rows that were there before it. The drain
 * sees to all rows that come later, so the two must meet exactly: rows up to a segment are populated, rows after it are not.
 *
 * Must stay true: that segment is read while nothing is handed over, hence between two segments. What is populated is made out of
 * sight (`populate-fill.ts`) and shown at once, with everything that came meanwhile.
 */

import { composePipe } from '@glasshouse/language';
import type { Pipe } from '@glasshouse/model';
import { AppError, messageOf } from '@glasshouse/model';
import type { DataSources } from '@glasshouse/store';
import type { CheckSql } from './copies.ts';
import { checkPipe } from './definitions.ts';
import type { Job, JobContext, JobFields, Jobs } from './jobs.ts';
import type { Judges } from './judges.ts';
import type { Materialization } from './materialize.ts';
import { materializationsOf, renderPlain } from './materialize.ts';
import { checkClash } from './names.ts';
import type { Marks } from './populate-fill.ts';
import { Filling } from './populate-fill.ts';
import type { Registry } from './registry.ts';
import type { PipeEntry } from './resource-row.ts';
import { commit, putPipeStep } from './steps.ts';
import type { Operation } from './usage.ts';

export interface PopulationsOptions {
  readonly registry: Registry;
  readonly tables: DataSources;
  readonly jobs: Jobs;
  readonly check: CheckSql;
  readonly judges: Judges;
  readonly now: () => number;
  /** Told when a population has ended. */
  readonly onEnd?: (operation: Operation) => void;
}

export interface PopulateOptions {
  /** Makes all rows of the target anew instead of adding the missing ones. */
  readonly truncate?: boolean;
  /** Only rows of the source that meet this condition. */
  readonly condition?: string | undefined;
  /** Ends the materialization if its target cannot be populated. */
  readonly unlink?: boolean;
}

interface Population {
  readonly entry: PipeEntry;
  readonly steps: readonly Materialization[];
  /** Last segments of the sources to populate; undefined to make everything anew. */
  readonly upTo: Marks | undefined;
  readonly condition: string | undefined;
  readonly unlink: boolean;
}

export const POPULATE_JOB = 'populateview';
/** With less than this to read, the last step is short enough to hold the hand-over for it. */
const SHORT_ROWS = 100_000;
const MAX_ROUNDS = 8;

export class Populations {
  private readonly options: PopulationsOptions;

  constructor(options: PopulationsOptions) {
    this.options = options;
  }

  /**
   * Makes a pipe, or changes it, and fills the targets of its materializations with what is there at that moment. A target that it
   * filled before is made anew. Rejects like `Registry.putPipe`.
   */
  async put(
    tenant: string,
    definition: Pipe,
    options: PopulateOptions = {},
  ): Promise<{ readonly entry: PipeEntry; readonly job: Job | undefined }> {
    const { registry } = this.options;
    const former = registry.catalog.pipe(tenant, definition.name);
    const filled = new Set(former === undefined ? [] : this.stepsOf(former).map(({ target }) => target));
    const upTo = await this.putMarked(tenant, definition);
    const entry = registry.pipe(tenant, definition.name);
    const steps = this.stepsOf(entry);
    if (steps.length === 0) return { entry, job: undefined };
    const isNew = options.truncate !== true && steps.every(({ target }) => !filled.has(target));
    return { entry, job: await this.begin(entry, steps, isNew ? upTo : undefined, options) };
  }

  /**
   * Starts the population of a materialization that is there. Rejects with `conflict` if its target has rows, because nobody knows
   * whether they are those that would be added; `truncate` makes all of them anew.
   */
  async start(entry: PipeEntry, node: string | undefined, options: PopulateOptions = {}): Promise<Job> {
    const steps = this.stepsOf(entry).filter((step) => node === undefined || step.node.name === node);
    if (steps.length === 0)
      throw new AppError('bad_request', `cannot populate pipe=${entry.name}: it has no such materialization`);
    if (options.truncate === true) return this.begin(entry, steps, undefined, options);
    const left = await this.interrupted(entry);
    return this.begin(entry, steps, left ?? (await this.beforeFirst(entry, steps)), options);
  }

  /** Makes or changes a pipe; resolves with the last segments that its sources had when it took effect. */
  private async putMarked(tenant: string, definition: Pipe): Promise<Marks> {
    const { judges, now, registry } = this.options;
    const { catalog } = registry;
    const { name } = definition;
    const among = catalog.list(tenant);
    await checkPipe(
      tenant,
      definition,
      among.map((entry) => entry.definition),
      judges,
    );
    let upTo: Marks = new Map();
    await registry.locks.exclusively(`${tenant}/${name.toLowerCase()}`, 'a change of the pipe', async () => {
      const former = catalog.pipe(tenant, name);
      if (former === undefined)
        checkClash(
          'pipe',
          name,
          among.map((entry) => entry.name),
        );
      const id = former?.id ?? registry.newId();
      const step = putPipeStep(former, definition, { at: new Date(now()), deployment: '', tenant, id });
      const marked = async (): Promise<void> => {
        const steps = materializationsOf([step.row as PipeEntry], catalog, tenant);
        upTo = await new Filling(this.options, tenant, steps).marks();
      };
      await commit([{ ...step, commit: marked }], registry.commitOptions());
    });
    await registry.grantTokens(tenant);
    return upTo;
  }

  private async begin(
    entry: PipeEntry,
    steps: readonly Materialization[],
    upTo: Marks | undefined,
    { condition, unlink = false }: PopulateOptions,
  ): Promise<Job> {
    const { check, jobs, judges } = this.options;
    const { tenant } = entry;
    if (condition !== undefined && upTo === undefined)
      throw new AppError('bad_request', 'cannot populate with a condition and make all rows anew: choose one of them');
    for (const { pipe, node } of steps) await check(tenant, composePipe(pipe.definition, node.name, renderPlain), {});
    if (condition !== undefined) await judges.judgeFilter(condition);
    const details: JobFields = {
      pipe_id: entry.id,
      pipe_name: entry.name,
      nodes: steps.map(({ node }) => node.name),
      targets: steps.map(({ target }) => target),
      up_to: upTo === undefined ? null : Object.fromEntries([...upTo].map(([name, id]) => [name, String(id)])),
      condition: condition ?? null,
    };
    const population = { entry, steps, upTo, condition, unlink };
    return jobs.start(tenant, POPULATE_JOB, details, (context) => this.run(population, context));
  }

  private async run(population: Population, context: JobContext): Promise<JobFields> {
    const { entry, steps, unlink } = population;
    const startedAt = this.options.now();
    const tell = (rows: number, error: string | undefined): void => {
      const target = this.options.registry.catalog.dataSource(entry.tenant, steps[0]?.target ?? '');
      this.options.onEnd?.({
        tenant: entry.tenant,
        type: POPULATE_JOB,
        dataSource: { id: target?.id ?? '', name: target?.name ?? '' },
        pipe: entry,
        jobId: context.job.id,
        startedAt,
        durationMs: this.options.now() - startedAt,
        rows,
        error,
      });
    };
    try {
      const rows = await this.fillAll(population, context);
      tell(rows, undefined);
      return { rows_read: rows };
    } catch (error) {
      tell(0, messageOf(error));
      if (unlink) await this.unlink(entry, steps).catch(() => undefined);
      throw error;
    }
  }

  private async fillAll({ entry, steps, upTo, condition }: Population, context: JobContext): Promise<number> {
    const { catalog } = this.options.registry;
    const { tenant } = entry;
    let rows = 0;
    if (upTo !== undefined) {
      for (const step of steps)
        rows += await this.add(new Filling(this.options, tenant, [step], condition), upTo, context);
      return rows;
    }
    const all = materializationsOf(catalog.pipes(tenant), catalog, tenant);
    for (const target of new Set(steps.map((step) => step.target))) {
      const filling = new Filling(
        this.options,
        tenant,
        all.filter((step) => step.target === target),
      );
      rows += await this.renew(filling, context);
    }
    return rows;
  }

  /** Adds what a pipe makes of its source's rows up to a segment. */
  private add(filling: Filling, upTo: Marks, context: JobContext): Promise<number> {
    const { now, registry } = this.options;
    return filling.alone(async (hidden) => {
      const rows = await filling.fill(hidden, upTo, context);
      context.signal.throwIfAborted();
      await filling.confirm();
      if (rows > 0) await hidden.replace({ registry, now, rest: () => hidden.takeLive() });
      return rows;
    });
  }

  /** Makes all rows of a target anew: first those of the segments until now, then what came meanwhile, at last the rest. */
  private renew(filling: Filling, context: JobContext): Promise<number> {
    const { now, registry } = this.options;
    const marks = async (): Promise<Marks> => {
      const release = await registry.commitOptions().hold();
      try {
        return await filling.marks();
      } finally {
        release();
      }
    };
    return filling.alone(async (hidden) => {
      let rows = await filling.fill(hidden, await marks(), context);
      for (let round = 0; round < MAX_ROUNDS && (await filling.missing()) > SHORT_ROWS; round++)
        rows += await filling.fill(hidden, await marks(), context);
      context.signal.throwIfAborted();
      const rest = async (): Promise<void> => {
        rows += await filling.fill(hidden, await filling.marks(), context);
        await filling.confirm();
      };
      await hidden.replace({ registry, now, rest });
      return rows;
    });
  }

  /** What an earlier population was to fill, if it came to nothing. Rejects with `conflict` if it did not. */
  private async interrupted(entry: PipeEntry): Promise<Marks | undefined> {
    const { catalog } = this.options.registry;
    const jobs = await this.options.jobs.list(entry.tenant);
    const last = jobs.find(({ kind, details }) => kind === POPULATE_JOB && details['pipe_id'] === entry.id);
    if (last === undefined) return undefined;
    if (last.status !== 'error' && last.status !== 'cancelled')
      throw new AppError(
        'conflict',
        `cannot populate pipe=${entry.name}: job ${last.id} did, and is ${last.status}; use truncate=true to make all rows anew`,
      );
    const upTo = last.details['up_to'] as Readonly<Record<string, string>> | null;
    // Where rows are added up, those of before and after a segment are one row by now.
    const isPlain = (name: string): boolean =>
      catalog.dataSource(entry.tenant, name)?.definition.engine.name === 'MergeTree';
    if (upTo === null || !Object.keys(upTo).every(isPlain)) return undefined;
    return new Map(Object.entries(upTo).map(([name, id]) => [name, BigInt(id)]));
  }

  /** All segments until now, provided that the targets have no row yet. */
  private async beforeFirst(entry: PipeEntry, steps: readonly Materialization[]): Promise<Marks> {
    const release = await this.options.registry.commitOptions().hold();
    try {
      const filling = new Filling(this.options, entry.tenant, steps);
      if (await filling.targetsAreEmpty()) return await filling.marks();
    } finally {
      release();
    }
    throw new AppError(
      'conflict',
      `cannot populate pipe=${entry.name}: its target has rows already; use truncate=true to make all of them anew`,
    );
  }

  private async unlink(entry: PipeEntry, steps: readonly Materialization[]): Promise<void> {
    const names = new Set(steps.map(({ node }) => node.name));
    const nodes = entry.definition.nodes.map((node) =>
      names.has(node.name) ? { ...node, type: 'default' as const, settings: {} } : node,
    );
    await this.options.registry.putPipe(entry.tenant, { ...entry.definition, nodes });
  }

  private stepsOf(entry: PipeEntry): Materialization[] {
    const { catalog } = this.options.registry;
    return materializationsOf([entry], catalog, entry.tenant);
  }
}
