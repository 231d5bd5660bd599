/**
 * What a deployment populates: the targets of materializations that are new by it, with what was in their sources when it took effect.
 * Here is which those are, and the cuts, which are written with the deployment's own rows; the populations follow it as jobs.
 *
 * Must stay true: a target that may have such rows already is left alone, because nobody could tell them from those that would be
 * added. Nothing here makes a deployment fail that has taken effect.
 */

import type { DataSources } from '@glasshouse/store';
import { keepsRows } from '@glasshouse/store';
import type { Catalog } from './catalog.ts';
import type { Feedback } from './deployment-row.ts';
import type { Materialization } from './materialize.ts';
import { materializationsOf } from './materialize.ts';
import { livePending, pendingAt, readCut } from './populate-cut.ts';
import { tableOf } from './populate-fill.ts';
import type { Merges, Unmerged } from './populate-merges.ts';
import type { Population } from './populate-run.ts';
import type { DataSourceEntry, PendingPopulation, PipeEntry, ResourceEntry, StoredResource } from './resource-row.ts';

/** What a deployment does about populations, from before it takes effect until they are on their way. */
export interface Deploying {
  /** Ids of the data sources that nobody else may change meanwhile, and of those that are read. */
  readonly targets: readonly string[];
  readonly sources: readonly string[];
  /** The rows with the cuts in them. To be asked while nothing is handed over and the tables are in their places. */
  cut(rows: readonly StoredResource[]): Promise<readonly StoredResource[]>;
  /** Begins what was cut, now that it is written; says what that is, and what is left alone. */
  start(): readonly Feedback[];
  /** Gives back what is held: nothing was written. */
  discard(): Promise<void>;
}

/** One population of a deployment, as its pipe. */
export interface Launch extends Population {
  /** Id of the job that it will be. */
  readonly job: string;
  readonly unmerged: Unmerged | undefined;
}

export interface DeployedOptions {
  readonly catalog: Catalog;
  readonly tables: DataSources;
  readonly merges: Merges;
  /** An id for a job. */
  readonly newJob: () => string;
  readonly launch: (launch: Launch) => void;
}

/** A workspace as it will be. */
interface View extends Pick<Catalog, 'dataSource'> {
  readonly pipes: readonly PipeEntry[];
}

/** Undefined if the deployment brings no materialization. */
export function deployingOf(
  tenant: string,
  deployment: string,
  planned: readonly StoredResource[],
  options: DeployedOptions,
): Deploying | undefined {
  const { catalog, tables, merges, newJob, launch } = options;
  const expected = newSteps(catalog, tenant, planned);
  if (expected.length === 0) return undefined;
  const own = new Set(planned.map(({ id }) => id));
  const idsOf = (names: readonly string[]): string[] => [
    ...new Set(names.flatMap((name) => catalog.dataSource(tenant, name)?.id ?? [])),
  ];
  const targets = idsOf(expected.map(({ target }) => target));
  const launches: Launch[] = [];
  const feedback: Feedback[] = [];
  const held: Unmerged[] = [];
  const isEmpty = async (entry: DataSourceEntry): Promise<boolean> => {
    const [row] = await tables.client.rows<{ n: string }>(`SELECT count() AS n FROM ${tableOf(entry)}`);
    return Number(row?.n ?? 0) === 0;
  };

  const cut = async (rows: readonly StoredResource[]): Promise<readonly StoredResource[]> => {
    const view = viewOf(catalog, tenant, rows);
    const wanted = new Map<string, Materialization[]>();
    const pending = new Map<string, PendingPopulation[]>();
    const jobs = new Map<string, string>();
    for (const step of newSteps(catalog, tenant, rows)) {
      const [target, source] = [view.dataSource(tenant, step.target), view.dataSource(tenant, step.trigger)];
      if (target === undefined || source === undefined || target.definition.backfill === 'skip') continue;
      if (!keepsRows(target.definition.engine) || !keepsRows(source.definition.engine)) continue;
      if (await isEmpty(source)) continue;
      if (wasFilled(catalog, tenant, step, view) && !(await isEmpty(target))) {
        feedback.push({
          level: 'warning',
          resource: target.name,
          message:
            `not populated by ${step.pipe.name}: it has rows that were made of ${source.name} before; ` +
            `POST /v0/pipes/${step.pipe.name}/nodes/${step.node.name}/population?truncate=true makes all of them anew`,
        });
        continue;
      }
      const { name } = step.pipe;
      const job = jobs.get(name) ?? newJob();
      jobs.set(name, job);
      wanted.set(name, [...(wanted.get(name) ?? []), step]);
      // From here on the segments of its rows tell on which side of the cut they are.
      if (source.definition.engine.name !== 'MergeTree') held.push(await merges.stop([tableOf(source)]));
      const at = { ...pendingAt(step, source, await readCut(tables.client, tableOf(source))), job, deployment };
      const kept = (pending.get(target.id) ?? livePending(target, catalog)).filter(
        ({ pipe, node, source: of }) => !(pipe === at.pipe && node === at.node && of === at.source),
      );
      pending.set(target.id, [...kept, at]);
    }
    for (const [name, steps] of wanted) {
      const entry = steps[0]?.pipe as PipeEntry;
      const rest = { anew: new Map(), condition: undefined, unlink: false, deployment };
      launches.push({ entry, steps, ...rest, job: jobs.get(name) as string, unmerged: undefined });
    }
    return withPending(rows, pending, catalog);
  };

  return {
    targets: targets.filter((id) => !own.has(id)),
    sources: idsOf(expected.map(({ trigger }) => trigger)).filter((id) => !own.has(id) && !targets.includes(id)),
    cut,
    start: () => {
      // Whoever of them ends last lets the sources go.
      const share = shared(held, launches.length);
      for (const one of launches) {
        launch({ ...one, unmerged: share });
        feedback.push({
          level: 'info',
          resource: one.steps.map(({ target }) => target).join(', '),
          message: toldOf(one),
        });
      }
      return feedback;
    },
    discard: async () => {
      for (const one of held) await one.release();
    },
  };
}

function toldOf({ entry, steps, job }: Launch): string {
  const sources = [...new Set(steps.map(({ trigger }) => trigger))].join(', ');
  return `is populated by ${entry.name} with what ${sources} had before: job ${job}`;
}

/** Materializations that a workspace will have with these rows and has not: other pipes, other sources or other targets. */
function newSteps(catalog: Catalog, tenant: string, rows: readonly StoredResource[]): readonly Materialization[] {
  const view = viewOf(catalog, tenant, rows);
  const keyIn =
    (among: Pick<Catalog, 'dataSource'>) =>
    ({ pipe, trigger, target }: Materialization): string =>
      [pipe.id, among.dataSource(tenant, trigger)?.id, among.dataSource(tenant, target)?.id].join(' ');
  const present = new Set(materializationsOf(catalog.pipes(tenant), catalog, tenant).map(keyIn(catalog)));
  return materializationsOf(view.pipes, view, tenant).filter((step) => !present.has(keyIn(view)(step)));
}

/** Whether a pipe filled the target from that source which will do so no longer, or will anew: a former one, or one that was dropped. */
function wasFilled(catalog: Catalog, tenant: string, { target, trigger }: Materialization, view: View): boolean {
  const pipes = catalog.snapshot().flatMap((row) => (row.kind === 'pipe' && row.tenant === tenant ? [row] : []));
  const goOn = new Set(
    materializationsOf(view.pipes, view, tenant).flatMap((step) =>
      step.target === target && step.trigger === trigger ? [step.pipe.id] : [],
    ),
  );
  const isLive = new Set(catalog.pipes(tenant).map(({ id }) => id));
  // What a former definition read is not kept.
  if (pipes.some(({ filled }) => filled?.includes(target) === true)) return true;
  return materializationsOf(pipes, view, tenant).some(
    (step) =>
      step.target === target && step.trigger === trigger && !(isLive.has(step.pipe.id) && goOn.has(step.pipe.id)),
  );
}

function viewOf(catalog: Catalog, tenant: string, rows: readonly StoredResource[]): View {
  const changed = new Set(rows.map(({ id }) => id));
  const all: readonly ResourceEntry[] = [
    ...catalog.list(tenant).filter(({ id }) => !changed.has(id)),
    ...rows.filter(({ deleted }) => !deleted),
  ];
  const sources = new Map(all.flatMap((one) => (one.kind === 'datasource' ? [[one.name, one] as const] : [])));
  return {
    dataSource: (_, name) => sources.get(name),
    pipes: all.flatMap((one) => (one.kind === 'pipe' ? [one] : [])),
  };
}

/** The rows, and those of other data sources that get a cut. */
function withPending(
  rows: readonly StoredResource[],
  pending: ReadonlyMap<string, readonly PendingPopulation[]>,
  catalog: Catalog,
): readonly StoredResource[] {
  const own = new Set(rows.map(({ id }) => id));
  const others = [...pending.keys()].flatMap((id): StoredResource[] => {
    const entry = own.has(id) ? undefined : catalog.dataSourceById(id);
    return entry === undefined ? [] : [{ ...entry, version: entry.version + 1, deleted: false }];
  });
  return [...rows, ...others].map((row) => {
    const cuts = pending.get(row.id);
    return cuts === undefined || row.kind !== 'datasource' ? row : { ...row, pending: cuts };
  });
}

/** One hold for several that let go of it by themselves. Undefined for nothing that is held. */
function shared(held: readonly Unmerged[], users: number): Unmerged | undefined {
  if (held.length === 0) return undefined;
  let left = users;
  return {
    confirm: async () => {
      for (const one of held) await one.confirm();
    },
    renew: async () => {
      for (const one of held) await one.renew();
    },
    release: async () => {
      if (--left > 0) return;
      for (const one of held) await one.release();
    },
  };
}
