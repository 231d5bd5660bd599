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
import { AppError } from '@glasshouse/model';
import type { CheckSql } from './copies.ts';
import { checkPipe } from './definitions.ts';
import type { Job } from './jobs.ts';
import type { Judges } from './judges.ts';
import type { Materialization } from './materialize.ts';
import { materializationsOf, renderPlain } from './materialize.ts';
import { checkClash } from './names.ts';
import { pendingAt, pendingOf, readCut } from './populate-cut.ts';
import type { Deploying } from './populate-deployed.ts';
import { deployingOf } from './populate-deployed.ts';
import { tableOf } from './populate-fill.ts';
import type { PopulationJobsOptions } from './populate-jobs.ts';
import { PopulationJobs } from './populate-jobs.ts';
import { Merges } from './populate-merges.ts';
import type { Unmerged } from './populate-merges.ts';
import { checkUnread, claimOf, POPULATION } from './populate-reach.ts';
import { detailsOf, POPULATE_JOB } from './populate-run.ts';
import type { DataSourceEntry, PendingPopulation, PipeEntry, StoredResource } from './resource-row.ts';
import type { Step } from './steps.ts';
import { commit, putPipeStep } from './steps.ts';

export interface PopulationsOptions extends PopulationJobsOptions {
  readonly check: CheckSql;
  readonly judges: Judges;
}

export interface PopulateOptions {
  /** Makes all rows of the target anew instead of adding the missing ones. */
  readonly truncate?: boolean;
  /** Only rows of the source that meet this condition. */
  readonly condition?: string | undefined;
  /** Ends the materialization if its target cannot be populated. */
  readonly unlink?: boolean;
}

/** What is decided when a population begins. */
interface Begun {
  readonly entry: PipeEntry;
  /** Names of targets all of whose rows are made anew. */
  readonly anew: ReadonlySet<string>;
}

interface CutOptions {
  readonly unmerged: Unmerged;
  /** Steps that take effect with the cut. */
  readonly others: readonly Step[];
  readonly isAnew: (target: string, isEmpty: boolean) => boolean;
  readonly jobId: string;
  readonly condition: string | undefined;
}

export class Populations {
  private readonly options: PopulationsOptions;
  private readonly merges: Merges;
  private readonly running: PopulationJobs;

  constructor(options: PopulationsOptions) {
    this.options = options;
    this.merges = new Merges(options.tables.client);
    this.running = new PopulationJobs(options, this.merges);
  }

  /** Goes on with what an earlier process left, as soon as that is known, and whenever it is known anew. */
  resume(): void {
    this.running.resume();
  }

  /** What a deployment with these rows populates; undefined for nothing. */
  deploying(tenant: string, deployment: string, planned: readonly StoredResource[]): Deploying | undefined {
    const { registry, tables } = this.options;
    return deployingOf(tenant, deployment, planned, {
      catalog: registry.catalog,
      tables,
      merges: this.merges,
      newJob: () => this.running.newId(),
      launch: (launch) => void this.running.launch(launch).catch(() => undefined),
    });
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
    const { condition } = options;
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
      return this.begin(tenant, steps, options, async (unmerged, jobId) => {
        const isAnew = (target: string, isEmpty: boolean): boolean =>
          options.truncate === true || (filled.has(target) && !isEmpty);
        const anew = await this.cut(steps, { unmerged, others: [put], isAnew, jobId, condition });
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
    const { condition } = options;
    const job = await this.begin(entry.tenant, steps, options, async (unmerged, jobId) => {
      if (left.length > 0) return { entry, anew: new Set() };
      const isAnew = (_: string, isEmpty: boolean): boolean => {
        if (isEmpty || options.truncate === true) return options.truncate === true;
        throw new AppError(
          'conflict',
          `cannot populate pipe=${entry.name}: its target has rows already; use truncate=true to make all of them anew`,
        );
      };
      return { entry, anew: await this.cut(steps, { unmerged, others: [], isAnew, jobId, condition }) };
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
    begin: (unmerged: Unmerged, jobId: string) => Promise<Begun>,
  ): Promise<Job | undefined> {
    const { check, jobs, judges, registry } = this.options;
    const { promise: started, reject, resolve } = Promise.withResolvers<Job | undefined>();
    const claim = claimOf(registry.catalog, tenant, steps);
    const act = async (): Promise<void> => {
      for (const { pipe, node } of steps) await check(tenant, composePipe(pipe.definition, node.name, renderPlain), {});
      if (condition !== undefined) await judges.judgeFilter(condition);
      const unmerged = await this.merges.stop(claim.unmerged.map(tableOf));
      const id = this.running.newId();
      try {
        const begun = await begin(unmerged, id);
        const versions = [...begun.anew].map((name): [string, number] => [
          name,
          registry.dataSource(tenant, name).tableVersion,
        ]);
        const rest = { steps, condition, unlink, deployment: undefined };
        const population = { entry: begun.entry, anew: new Map(versions), ...rest };
        const details = detailsOf(registry, population);
        const job = steps.length === 0 ? undefined : await jobs.announce(tenant, POPULATE_JOB, details, id);
        const over = job === undefined ? undefined : this.running.perform(job, population, unmerged);
        resolve(job);
        await over;
      } finally {
        this.running.forget(id);
        await unmerged.release();
      }
    };
    registry.locks
      .exclusivelyAll(claim.targets, POPULATION, () => registry.locks.sharingAll(claim.sources, POPULATION, act))
      .catch(reject);
    return started;
  }

  /** Takes the cut, in one with other steps, and writes it down. Resolves with the names of targets that are made anew instead. */
  private async cut(
    steps: readonly Materialization[],
    { unmerged, others, isAnew, jobId, condition }: CutOptions,
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
        const at = pendingAt(step, source, await readCut(tables.client, tableOf(source)));
        pending.set(target.name, [...kept, { ...at, job: jobId, ...(condition === undefined ? {} : { condition }) }]);
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
}
