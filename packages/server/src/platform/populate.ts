/**
 * Populations: the target of a materialization is filled with what its pipe makes of the rows that were there before it. The drain
 * sees to all rows that come later, so the two must meet exactly: rows up to a cut are populated, rows after it are not.
 *
 * Must stay true: the cut is taken while nothing is handed over, and written in one with what lets the materialization take effect. It
 * stays in the row of the target until the change of tables that shows what was made of it. So whatever ends a population, the next one
 * finds either what is to be done, or that it is done.
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
import { pendingAt, pendingOf, readCut } from './populate-cut.ts';
import { tableOf } from './populate-fill.ts';
import { Merges } from './populate-merges.ts';
import type { Unmerged } from './populate-merges.ts';
import { checkUnread, claimOf } from './populate-reach.ts';
import { addRows, makeAnew } from './populate-target.ts';
import type { Registry } from './registry.ts';
import type { DataSourceEntry, PendingPopulation, PipeEntry } from './resource-row.ts';
import type { Step } from './steps.ts';
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
  /** Names of targets all of whose rows are made anew; the others get the rows up to the cut that their row has. */
  readonly anew: ReadonlySet<string>;
  readonly condition: string | undefined;
  readonly unlink: boolean;
}

/** What is decided when a population begins. */
type Begun = Pick<Population, 'anew' | 'entry'>;

const POPULATE_JOB = 'populateview';
const WHAT = 'a population';

export class Populations {
  private readonly options: PopulationsOptions;
  private readonly merges: Merges;

  constructor(options: PopulationsOptions) {
    this.options = options;
    this.merges = new Merges(options.tables.client);
  }

  /**
   * Makes a pipe, or changes it, and fills the targets of its materializations with what is there at that moment. A target whose rows
   * a pipe of that name made before is made anew. Rejects like `Registry.putPipe`, and with `conflict` while something else is done to
   * the targets or their sources.
   */
  async put(
    tenant: string,
    definition: Pipe,
    options: PopulateOptions = {},
  ): Promise<{ readonly entry: PipeEntry; readonly job: Job | undefined }> {
    const { judges, now, registry } = this.options;
    const { catalog, locks } = registry;
    const { name } = definition;
    const among = catalog.list(tenant);
    const definitions = among.map((entry) => entry.definition);
    await checkPipe(tenant, definition, definitions, judges);
    const job = await locks.exclusively(`${tenant}/${name.toLowerCase()}`, 'a change of the pipe', () => {
      const former = catalog.pipe(tenant, name);
      const names = among.map((entry) => entry.name);
      if (former === undefined) checkClash('pipe', name, names);
      const id = former?.id ?? registry.newId();
      const put = putPipeStep(former, definition, { at: new Date(now()), deployment: '', tenant, id });
      const steps = materializationsOf([put.row as PipeEntry], catalog, tenant);
      const filled = this.filledBy(tenant, name);
      return this.begin(tenant, steps, options, async (unmerged) => {
        const isAnew = (target: string, isEmpty: boolean): boolean =>
          options.truncate === true || (filled.has(target) && !isEmpty);
        const anew = await this.cut(steps, unmerged, [put], isAnew, options);
        return { entry: registry.pipe(tenant, name), anew };
      });
    });
    await registry.grantTokens(tenant);
    return { entry: registry.pipe(tenant, name), job };
  }

  /**
   * Starts the population of a materialization that is there, or again one that came to nothing. Rejects with `conflict` if its target
   * has rows and it did not, because nobody knows whether they are those that would be added; `truncate` makes all of them anew.
   */
  async start(entry: PipeEntry, node: string | undefined, options: PopulateOptions = {}): Promise<Job> {
    const { catalog } = this.options.registry;
    const all = materializationsOf([entry], catalog, entry.tenant).filter(
      (step) => node === undefined || step.node.name === node,
    );
    if (all.length === 0)
      throw new AppError('bad_request', `cannot populate pipe=${entry.name}: it has no such materialization`);
    const left = options.truncate === true ? [] : all.filter((step) => this.isLeft(step));
    const steps = left.length > 0 ? left : all;
    const job = await this.begin(entry.tenant, steps, options, async (unmerged) => {
      if (left.length > 0) return { entry, anew: new Set() };
      const isAnew = (_: string, isEmpty: boolean): boolean => {
        if (isEmpty || options.truncate === true) return options.truncate === true;
        throw new AppError(
          'conflict',
          `cannot populate pipe=${entry.name}: its target has rows already; use truncate=true to make all of them anew`,
        );
      };
      return { entry, anew: await this.cut(steps, unmerged, [], isAnew, options) };
    });
    return job as Job;
  }

  /**
   * Starts the job of a population, after `begin` has decided what it is. Nobody else does anything to its targets until it has ended,
   * or to its sources but populate from them too. Without steps there is no job.
   */
  private begin(
    tenant: string,
    steps: readonly Materialization[],
    { condition, unlink = false }: PopulateOptions,
    begin: (unmerged: Unmerged) => Promise<Begun>,
  ): Promise<Job | undefined> {
    const { check, jobs, judges, registry } = this.options;
    const { promise: started, reject, resolve } = Promise.withResolvers<Job | undefined>();
    const claim = claimOf(registry.catalog, tenant, steps);
    const act = async (): Promise<void> => {
      for (const { pipe, node } of steps) await check(tenant, composePipe(pipe.definition, node.name, renderPlain), {});
      if (condition !== undefined) await judges.judgeFilter(condition);
      const unmerged = await this.merges.stop(claim.unmerged.map(tableOf));
      try {
        const population = { ...(await begin(unmerged)), steps, condition, unlink };
        const { promise: over, resolve: end } = Promise.withResolvers<void>();
        const job =
          steps.length === 0
            ? undefined
            : await jobs.start(tenant, POPULATE_JOB, this.detailsOf(population), (context) =>
                this.run(population, unmerged, context).finally(end),
              );
        resolve(job);
        // Whoever waits for the job begins the next thing as soon as its state says that it is over.
        if (job !== undefined) await Promise.race([over, jobs.ended(tenant, job.id)]);
      } finally {
        await unmerged.release();
      }
    };
    registry.locks
      .exclusivelyAll(claim.targets, WHAT, () => registry.locks.sharingAll(claim.sources, WHAT, act))
      .catch(reject);
    return started;
  }

  /** Takes the cut, in one with other steps, and writes it down. Resolves with the names of targets that are made anew instead. */
  private async cut(
    steps: readonly Materialization[],
    unmerged: Unmerged,
    others: readonly Step[],
    isAnew: (target: string, isEmpty: boolean) => boolean,
    { condition }: PopulateOptions,
  ): Promise<ReadonlySet<string>> {
    const { registry, tables } = this.options;
    const { save, ...options } = registry.commitOptions();
    const anew = new Set<string>();
    const pending = new Map<string, readonly PendingPopulation[]>();
    const take = async (): Promise<void> => {
      for (const step of steps) {
        const target = registry.dataSource(step.pipe.tenant, step.target);
        const source = registry.dataSource(step.pipe.tenant, step.trigger);
        if (isAnew(target.name, await this.isEmpty(target))) {
          anew.add(target.name);
          continue;
        }
        const former = pendingOf(target, step, source);
        const kept = (pending.get(target.name) ?? target.pending ?? []).filter((one) => one !== former);
        pending.set(target.name, [...kept, pendingAt(step, source, await readCut(tables.client, tableOf(source)))]);
      }
      if (anew.size > 0 && condition !== undefined)
        throw new AppError(
          'bad_request',
          'cannot populate with a condition and make all rows anew: choose one of them',
        );
      if (anew.size > 0) checkUnread(registry.catalog, steps[0]?.pipe.tenant ?? '', anew);
      // What was merged until now is on this side of the cut.
      await unmerged.confirm();
    };
    await commit(others, {
      ...options,
      save: async (rows) => {
        await take();
        const at = this.options.now();
        const targets = [...pending].map(([name, all]) => {
          const entry = registry.dataSource(steps[0]?.pipe.tenant ?? '', name);
          const version = Math.max(at, entry.version + 1);
          return { ...entry, pending: all, updatedAt: new Date(at), version, deleted: false };
        });
        await save([...rows, ...targets]);
      },
    });
    return anew;
  }

  private async run(population: Population, unmerged: Unmerged, context: JobContext): Promise<JobFields> {
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
      const rows = await this.fillAll(population, unmerged, context);
      tell(rows, undefined);
      return { rows_read: rows };
    } catch (error) {
      tell(0, messageOf(error));
      if (unlink) await this.unlink(entry, steps).catch(() => undefined);
      throw error;
    }
  }

  private async fillAll(
    { entry, steps, anew, condition }: Population,
    unmerged: Unmerged,
    context: JobContext,
  ): Promise<number> {
    const options = { ...this.options, unmerged };
    let rows = 0;
    for (const step of steps) if (!anew.has(step.target)) rows += await addRows(options, step, condition, context);
    for (const target of anew) rows += await makeAnew(options, entry.tenant, target, context);
    return rows;
  }

  private detailsOf({ entry, steps, anew, condition }: Population): JobFields {
    const { registry } = this.options;
    const upTo = steps.flatMap((step): [string, string][] => {
      const target = registry.dataSource(entry.tenant, step.target);
      const source = registry.dataSource(entry.tenant, step.trigger);
      const pending = anew.has(target.name) ? undefined : pendingOf(target, step, source);
      return pending === undefined ? [] : [[source.name, pending.log]];
    });
    return {
      pipe_id: entry.id,
      pipe_name: entry.name,
      nodes: steps.map(({ node }) => node.name),
      targets: steps.map(({ target }) => target),
      up_to: upTo.length === 0 ? null : Object.fromEntries(upTo),
      condition: condition ?? null,
    };
  }

  /** True for a population that came to nothing and whose cut still tells rows apart: those that merge have but the last segment. */
  private isLeft(step: Materialization): boolean {
    const { registry } = this.options;
    const target = registry.dataSource(step.pipe.tenant, step.target);
    const source = registry.dataSource(step.pipe.tenant, step.trigger);
    return source.definition.engine.name === 'MergeTree' && pendingOf(target, step, source) !== undefined;
  }

  /** Targets that a pipe of this name fills, or filled until it was dropped. */
  private filledBy(tenant: string, name: string): ReadonlySet<string> {
    const { catalog } = this.options.registry;
    const pipes = catalog.snapshot().flatMap((row) => (row.kind === 'pipe' && row.tenant === tenant ? [row] : []));
    const mine = pipes.filter((pipe) => pipe.name === name);
    return new Set(materializationsOf(mine, catalog, tenant).map(({ target }) => target));
  }

  private async isEmpty(entry: DataSourceEntry): Promise<boolean> {
    const [row] = await this.options.tables.client.rows<{ n: string }>(`SELECT count() AS n FROM ${tableOf(entry)}`);
    return Number(row?.n ?? 0) === 0;
  }

  private async unlink(entry: PipeEntry, steps: readonly Materialization[]): Promise<void> {
    const names = new Set(steps.map(({ node }) => node.name));
    const nodes = entry.definition.nodes.map((node) =>
      names.has(node.name) ? { ...node, type: 'default' as const, settings: {} } : node,
    );
    await this.options.registry.putPipe(entry.tenant, { ...entry.definition, nodes });
  }
}
