/**
 * Jobs of populations: they begin when nothing else is done to their targets, and go on after whatever ended the process that began
 * them. Separate from what decides about populations, because here only rows and jobs are believed that were written.
 *
 * Must stay true: a cut that is written down has a job sooner or later, and only one, which ends as done, or as one that somebody
 * cancelled or that could not be.
 */

import { setTimeout as pause } from 'node:timers/promises';
import { AppError, messageOf } from '@glasshouse/model';
import type { Feedback } from './deployment-row.ts';
import type { Job, JobContext, JobFields, Jobs } from './jobs.ts';
import type { Claim } from './locks.ts';
import type { Materialization } from './materialize.ts';
import { materializationsOf } from './materialize.ts';
import { livePending } from './populate-cut.ts';
import type { Launch } from './populate-deployed.ts';
import { tableOf } from './populate-fill.ts';
import type { Merges, Unmerged } from './populate-merges.ts';
import { claimOf, POPULATION } from './populate-reach.ts';
import type { Population, RunOptions } from './populate-run.ts';
import { detailsOf, leftOf, needsUnmerged, POPULATE_JOB, populationOf, runPopulation } from './populate-run.ts';
import type { PendingPopulation, PipeEntry } from './resource-row.ts';

export interface PopulationJobsOptions extends RunOptions {
  readonly jobs: Jobs;
  /** Told what became of a population that a deployment brought. */
  readonly onDeployed?: (tenant: string, deployment: string, feedback: Feedback) => void;
}

const AGAIN_MS = 1_000;

export class PopulationJobs {
  private readonly options: PopulationJobsOptions;
  private readonly merges: Merges;
  /** Ids of jobs that are about to be announced here. */
  private readonly own = new Set<string>();

  constructor(options: PopulationJobsOptions, merges: Merges) {
    this.options = options;
    this.merges = merges;
  }

  /** Goes on with what an earlier process left, as soon as that is known, and whenever it is known anew. */
  resume(): void {
    this.options.jobs.resumes(POPULATE_JOB, {
      takeUp: (job) => void this.goOn(job, undefined),
      recovered: () => void this.launchUnannounced().catch(() => undefined),
    });
  }

  /** An id for a job whose cut is about to be written; nobody else announces it until it is forgotten. */
  newId(): string {
    const id = this.options.jobs.newId();
    this.own.add(id);
    return id;
  }

  forget(id: string): void {
    this.own.delete(id);
  }

  /** Lets the job begin; resolves when it has ended, before anybody hears of that: whoever waits for it begins the next thing then. */
  async perform(job: Job, population: Population, unmerged: Unmerged): Promise<void> {
    const { jobs } = this.options;
    const { promise: over, resolve: end } = Promise.withResolvers<void>();
    jobs.begin(job.id, (context) => this.run(population, unmerged, context).finally(end));
    await Promise.race([over, jobs.ended(job.tenant, job.id)]);
  }

  private async run(population: Population, unmerged: Unmerged, context: JobContext): Promise<JobFields> {
    const { entry, steps, unlink } = population;
    try {
      const result = await runPopulation(this.options, population, unmerged, context);
      this.report(population, 'info', `populated by ${entry.name}: ${String(result['rows_read'])} rows were read`);
      return result;
    } catch (error) {
      // One that the end of the server ends goes on at the next start.
      if (this.options.jobs.isClosed) throw error;
      const again = `POST /v0/pipes/${entry.name}/nodes/${steps[0]?.node.name ?? ''}/population populates it again`;
      const why = context.signal.aborted ? 'it was cancelled' : messageOf(error);
      this.report(population, 'error', `cannot populate by pipe=${entry.name}: ${why}; ${again}`);
      if (unlink) await this.unlink(entry, steps).catch(() => undefined);
      throw error;
    }
  }

  private report({ entry, steps, deployment }: Population, level: Feedback['level'], message: string): void {
    const resource = steps.map(({ target }) => target).join(', ');
    if (deployment !== undefined) this.options.onDeployed?.(entry.tenant, deployment, { level, resource, message });
  }

  /** Announces a population that is written down in the rows of its targets, however long the store is away, and goes on with it. */
  async launch({ job: id, unmerged, ...population }: Launch): Promise<void> {
    const { jobs, registry } = this.options;
    this.own.add(id);
    try {
      const details = detailsOf(registry, population);
      let job: Job | undefined;
      while (job === undefined && !jobs.isClosed) {
        try {
          job = await jobs.announce(population.entry.tenant, POPULATE_JOB, details, id);
        } catch {
          await pause(AGAIN_MS, undefined, { ref: false });
        }
      }
      if (job === undefined) await unmerged?.release();
      else await this.goOn(job, unmerged);
    } finally {
      this.own.delete(id);
    }
  }

  /** Lets an announced job begin when nothing else is done to its targets, and waits for its end. `unmerged` since the cut, if it is. */
  private async goOn(job: Job, unmerged: Unmerged | undefined): Promise<void> {
    const { jobs, registry } = this.options;
    const { tenant, id } = job;
    const claim = (): Claim => {
      const { targets, sources } = claimOf(registry.catalog, tenant, populationOf(registry, job).steps);
      return { exclusive: targets, shared: sources, what: POPULATION, sharedAs: POPULATION };
    };
    const act = async (): Promise<void> => {
      const left = leftOf(registry, populationOf(registry, job));
      if (unmerged === undefined && needsUnmerged(registry, left))
        throw new AppError(
          'conflict',
          `cannot go on populating pipe=${left.entry.name}: rows of what it reads may have been merged since; start again with truncate=true`,
        );
      const { unmerged: sources } = claimOf(registry.catalog, tenant, left.steps);
      const held = unmerged ?? (await this.merges.stop(sources.map(tableOf)));
      try {
        await this.perform(job, left, held);
      } finally {
        if (unmerged === undefined) await held.release();
      }
    };
    try {
      await registry.locks.patiently(claim, () => jobs.isAnnounced(id), act);
    } catch (error) {
      const { deployment_id: deployment, targets } = job.details;
      const resource = (targets as readonly string[]).join(', ');
      if (typeof deployment === 'string')
        this.options.onDeployed?.(tenant, deployment, { level: 'error', resource, message: messageOf(error) });
      jobs.begin(id, () => Promise.reject(error instanceof Error ? error : new Error(String(error))));
    } finally {
      await unmerged?.release();
    }
  }

  /** Begins populations whose cuts were written, and the jobs for them were not. */
  private async launchUnannounced(): Promise<void> {
    const { jobs, registry } = this.options;
    const { catalog } = registry;
    const found = new Map<string, { readonly entry: PipeEntry; readonly pending: PendingPopulation[] }>();
    for (const row of catalog.snapshot()) {
      if (row.kind !== 'datasource' || row.deleted) continue;
      for (const pending of livePending(row, catalog)) {
        const entry = catalog.pipe(row.tenant, pending.pipe);
        if (pending.job === undefined || entry === undefined || this.own.has(pending.job)) continue;
        const same = found.get(pending.job) ?? { entry, pending: [] };
        same.pending.push(pending);
        found.set(pending.job, same);
      }
    }
    for (const job of found.keys()) this.own.add(job);
    for (const [job, { entry, pending }] of found) {
      // Left as it is if that is not known.
      if (await isThere(jobs, entry.tenant, job).catch(() => true)) {
        this.own.delete(job);
        continue;
      }
      const nodes = new Set(pending.map(({ node }) => node));
      const steps = materializationsOf([entry], catalog, entry.tenant).filter(({ node }) => nodes.has(node.name));
      const { condition, deployment } = pending[0] ?? {};
      const rest = { anew: new Map(), condition, deployment, unlink: false, unmerged: undefined };
      void this.launch({ entry, steps, job, ...rest }).catch(() => undefined);
    }
  }

  private async unlink(entry: PipeEntry, steps: readonly Materialization[]): Promise<void> {
    const names = new Set(steps.map(({ node }) => node.name));
    const nodes = entry.definition.nodes.map((node) =>
      names.has(node.name) ? { ...node, type: 'default' as const, settings: {} } : node,
    );
    await this.options.registry.putPipe(entry.tenant, { ...entry.definition, nodes });
  }
}

async function isThere(jobs: Jobs, tenant: string, id: string): Promise<boolean> {
  try {
    await jobs.get(tenant, id);
    return true;
  } catch (error) {
    if (error instanceof AppError && error.code === 'not_found') return false;
    throw error;
  }
}
