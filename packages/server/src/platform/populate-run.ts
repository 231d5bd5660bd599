/**
 * A population as a job: what it is, written down in the job so that another process can go on with it, and how it runs. Whatever ends
 * it, the rows of its targets say what is left (`populate-cut.ts`), so it can be run again at any time.
 *
 * Must stay true: a job never makes more than what its targets lack. A target whose cut is gone was shown; so was one that is made anew
 * and has another table than when the job was started.
 */

import { setTimeout as pause } from 'node:timers/promises';
import { AppError, messageOf } from '@glasshouse/model';
import type { DataSources } from '@glasshouse/store';
import type { Job, JobContext, JobFields } from './jobs.ts';
import type { Materialization } from './materialize.ts';
import { materializationsOf } from './materialize.ts';
import { pendingOf } from './populate-cut.ts';
import type { Unmerged } from './populate-merges.ts';
import { claimOf } from './populate-reach.ts';
import { addRows, makeAnew } from './populate-target.ts';
import type { Registry } from './registry.ts';
import type { PipeEntry } from './resource-row.ts';
import type { Operation } from './usage.ts';

export interface Population {
  readonly entry: PipeEntry;
  readonly steps: readonly Materialization[];
  /** Targets all of whose rows are made anew, and the versions of their tables when that was decided; the others get rows up to a cut. */
  readonly anew: ReadonlyMap<string, number>;
  readonly condition: string | undefined;
  readonly unlink: boolean;
  /** Id of the deployment that it is part of. */
  readonly deployment: string | undefined;
}

export interface RunOptions {
  readonly registry: Registry;
  readonly tables: DataSources;
  readonly now: () => number;
  /** Told when a population has ended. */
  readonly onEnd?: (operation: Operation) => void;
}

export const POPULATE_JOB = 'populateview';
/** How often, and how long after, a population goes on whose store went away. */
const ATTEMPTS = 60;
const PAUSE_MS = 1_000;

/** What is written into the job. */
export function detailsOf(registry: Registry, population: Population): JobFields {
  const { entry, steps, anew, condition, unlink, deployment } = population;
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
    ...(anew.size === 0 ? {} : { made_anew: Object.fromEntries(anew) }),
    ...(unlink ? { unlink_on_populate_error: true } : {}),
    ...(deployment === undefined ? {} : { deployment_id: deployment }),
  };
}

/** What a job was to do. Throws `conflict` if its pipe, or a materialization of it, is gone. */
export function populationOf(registry: Registry, { tenant, details }: Job): Population {
  const entry = registry.catalog.pipe(tenant, String(details['pipe_id']));
  const nodes = details['nodes'] as readonly string[];
  const all = entry === undefined ? [] : materializationsOf([entry], registry.catalog, tenant);
  const steps = all.filter(({ node }) => nodes.includes(node.name));
  if (entry === undefined || steps.length < nodes.length)
    throw new AppError(
      'conflict',
      `cannot go on populating pipe=${String(details['pipe_name'])}: it is gone, or what it fills is`,
    );
  const condition = details['condition'];
  const deployment = details['deployment_id'];
  return {
    entry,
    steps,
    anew: new Map(Object.entries((details['made_anew'] ?? {}) as Readonly<Record<string, number>>)),
    condition: typeof condition === 'string' ? condition : undefined,
    unlink: details['unlink_on_populate_error'] === true,
    deployment: typeof deployment === 'string' ? deployment : undefined,
  };
}

/** The same without what its targets have already. */
export function leftOf(registry: Registry, population: Population): Population {
  const { entry, steps, anew } = population;
  const { tenant } = entry;
  const isLeft = (step: Materialization): boolean => {
    const target = registry.dataSource(tenant, step.target);
    const version = anew.get(target.name);
    if (version !== undefined) return version === target.tableVersion;
    return pendingOf(target, step, registry.dataSource(tenant, step.trigger)) !== undefined;
  };
  const left = steps.filter(isLeft);
  const names = new Set(left.map(({ target }) => target));
  return { ...population, steps: left, anew: new Map([...anew].filter(([name]) => names.has(name))) };
}

/** True if a row of its sources may have lost its segment to a later one by a merge, unless merges were stopped since the cut. */
export function needsUnmerged(registry: Registry, { entry, steps, anew }: Population): boolean {
  return steps.some(
    ({ target, trigger }) =>
      !anew.has(target) && registry.dataSource(entry.tenant, trigger).definition.engine.name !== 'MergeTree',
  );
}

/** True if any data source that is read merges rows: what keeps it from that does not outlive the engine. */
function mergesAny({ catalog }: Registry, { entry, steps }: Population): boolean {
  return claimOf(catalog, entry.tenant, steps).unmerged.length > 0;
}

/** Fills what is left. A store that goes away is waited for, as long as the cuts still tell rows apart. */
export async function runPopulation(
  options: RunOptions,
  population: Population,
  unmerged: Unmerged,
  context: JobContext,
): Promise<JobFields> {
  const { now, onEnd, registry } = options;
  const { entry, steps } = population;
  const startedAt = now();
  const tell = (rows: number, error: string | undefined): void => {
    const target = registry.catalog.dataSource(entry.tenant, steps[0]?.target ?? '');
    onEnd?.({
      tenant: entry.tenant,
      type: POPULATE_JOB,
      dataSource: { id: target?.id ?? '', name: target?.name ?? '' },
      pipe: entry,
      jobId: context.job.id,
      startedAt,
      durationMs: now() - startedAt,
      rows,
      error,
    });
  };
  let rows = 0;
  try {
    for (let attempt = 1; ; attempt++) {
      try {
        // After a change that failed half-way the tables are where their rows say.
        (await registry.commitOptions().hold())();
        for (const step of leftOf(registry, population).steps) {
          if (population.anew.has(step.target)) continue;
          rows += await addRows({ ...options, unmerged }, step, population.condition, context);
        }
        for (const target of leftOf(registry, population).anew.keys())
          rows += await makeAnew({ ...options, unmerged }, entry.tenant, target, context);
        break;
      } catch (error) {
        const isAway = error instanceof AppError && error.code === 'unavailable';
        if (!isAway || attempt >= ATTEMPTS || mergesAny(registry, population)) throw error;
        await pause(PAUSE_MS, undefined, { signal: context.signal });
      }
    }
    tell(rows, undefined);
    return { rows_read: rows };
  } catch (error) {
    tell(0, messageOf(error));
    throw error;
  }
}
