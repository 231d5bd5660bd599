/**
 * What a deployment does to the resources of its workspace: planned, prepared beside what is live, brought up to date and carried
 * out at once. Somebody may change the workspace between two of these, and the server may be restarted: then the plan is made anew.
 *
 * Must stay true: nothing is carried out that was planned for a workspace which is no longer the same. What is carried out is in
 * the catalogue, whole, with the deployment's id: that tells whether it was, after a crash.
 */

import type { Resource } from '@glasshouse/model';
import { AppError } from '@glasshouse/model';
import type { DataSources } from '@glasshouse/store';
import type { DeploymentBook } from './deployment-book.ts';
import { keyOf } from './deployment-book.ts';
import type { Deployment, DeploymentReport } from './deployment-row.ts';
import type { Judges } from './judges.ts';
import type { Plan, PlanOptions } from './plan.ts';
import { planProject } from './plan.ts';
import type { Deploying } from './populate-deployed.ts';
import { POPULATION } from './populate-reach.ts';
import type { Registry } from './registry.ts';
import type { DataSourceEntry, StoredResource } from './resource-row.ts';
import { placeOf } from './resource-row.ts';
import type { Step } from './steps.ts';
import { commit } from './steps.ts';

export interface DeploymentChangesOptions {
  readonly tables: DataSources;
  readonly registry: Registry;
  readonly judges: Judges;
  readonly diff?: PlanOptions['diff'];
  readonly now: () => number;
}

/** A plan, and what it was made of. */
export interface Planned extends Plan {
  readonly resources: string;
}

/** What was prepared for a deployment, as long as this process lives. */
interface Prepared extends Pick<Planned, 'resources' | 'steps'> {
  /** Operations on the data sources so far, of which any would make the preparation stale; empty until it is done. */
  readonly operations: string;
}

/** Who populates what a deployment brings. */
export interface Populating {
  /** Undefined if it brings nothing of the kind. */
  deploying(tenant: string, deployment: string, planned: readonly StoredResource[]): Deploying | undefined;
}

export interface CarriedOut {
  /** Ids of the data sources that are gone. */
  readonly dropped: readonly string[];
  /** Populations that can begin. */
  readonly deploying: Deploying | undefined;
}

const WHAT = 'a deployment';
const PATIENCE_MS = 10_000;

export class DeploymentChanges {
  private readonly options: DeploymentChangesOptions;
  private readonly book: DeploymentBook;
  private readonly prepared = new Map<string, Prepared>();

  constructor(options: DeploymentChangesOptions, book: DeploymentBook) {
    this.options = options;
    this.book = book;
  }

  /** Compares the workspace with a project, for the deployment of this id. */
  async plan(tenant: string, project: readonly Resource[], id: string): Promise<Planned> {
    const { tables, judges, diff, registry, now } = this.options;
    const resources = this.resourcesOf(tenant, project);
    const plan = await planProject(tenant, project, {
      diff,
      catalog: registry.catalog,
      tables,
      judges,
      newId: () => registry.newId(),
      stamp: { at: new Date(now()), deployment: id },
      sizes: await registry.sizes(tenant),
      kept: this.book.all(tenant).flatMap((deployment) => this.keptOf(deployment)),
      keepsDropped: this.book.hasLive(tenant),
    });
    return { ...plan, resources };
  }

  /** Makes and fills what is new, out of sight. */
  async prepare(deployment: Deployment, { steps, resources }: Planned, signal: AbortSignal): Promise<void> {
    const key = keyOf(deployment);
    this.prepared.set(key, { steps, resources, operations: '' });
    await this.exclusively(steps, async () => {
      for (const step of steps) await step.prepare?.(() => undefined, signal);
      for (const step of steps) await step.rest?.();
    });
    this.prepared.set(key, { steps, resources, operations: this.operationsOn(steps) });
  }

  /**
   * Carries out what was prepared, or the same anew if that is stale. Rejects with what went wrong, and the workspace is as it was
   * then.
   */
  async carryOut(deployment: Deployment, populating: Populating | undefined): Promise<CarriedOut> {
    const { registry } = this.options;
    const { tenant, id, resources: project } = deployment;
    const present = this.prepared.get(keyOf(deployment));
    const isFresh = present !== undefined && present.resources === this.resourcesOf(tenant, project);
    const { steps, resources } = isFresh ? present : await this.replan(deployment, present);
    const planned = steps.map(({ row }) => row);
    const deploying = populating?.deploying(tenant, id, planned);
    const carryOut = async (): Promise<void> => {
      if (this.resourcesOf(tenant, project) !== resources)
        throw new AppError('conflict', `cannot make deployment ${id} live: the workspace changes; try again`);
      if (!isFresh || present.operations !== this.operationsOn(steps)) {
        for (const step of steps) await step.discard?.();
        for (const step of steps) await step.prepare?.(() => undefined);
      }
      const save = async (rows: readonly StoredResource[]): Promise<void> =>
        this.saveRows(deploying === undefined ? rows : await deploying.cut(rows));
      if (steps.some(({ kind }) => kind === 'drop')) await registry.bindTokens(tenant);
      await commit(steps, { ...registry.commitOptions(), save });
    };
    try {
      await this.exclusively(steps, carryOut, deploying);
    } catch (error) {
      await deploying?.discard();
      throw error;
    }
    this.prepared.delete(keyOf(deployment));
    const gone = steps.filter(({ kind, resource }) => kind === 'drop' && resource === 'datasource');
    return { dropped: gone.map(({ row }) => row.id), deploying };
  }

  /** Whether a deployment of which only the beginning is known was carried out; the ids of data sources that are gone by it then. */
  carriedOut(deployment: Deployment): readonly string[] | undefined {
    const rows = this.options.registry.catalog.snapshot();
    const wrote = rows.filter(
      ({ tenant, deployment: by, updatedAt }) =>
        tenant === deployment.tenant && by === deployment.id && updatedAt >= deployment.updatedAt,
    );
    if (wrote.length === 0) return undefined;
    return wrote.filter(({ deleted, kind }) => deleted && kind === 'datasource').map(({ id }) => id);
  }

  /** Removes what was prepared for a deployment, and what is kept for it alone. */
  async discard(deployment: Deployment): Promise<void> {
    const prepared = this.prepared.get(keyOf(deployment));
    this.prepared.delete(keyOf(deployment));
    for (const step of prepared?.steps ?? []) await step.discard?.().catch(() => undefined);
    for (const entry of this.keptOf(deployment)) await this.options.tables.drop(placeOf(entry)).catch(() => undefined);
  }

  /** Forgets what was prepared, because somebody else takes care of tables that nobody knows. */
  forget(): void {
    this.prepared.clear();
  }

  /** Data sources that are gone but have their tables still, for a deployment that may come back. */
  keptOf({ kept }: Pick<DeploymentReport, 'kept'>): DataSourceEntry[] {
    const rows = this.options.registry.catalog.snapshot();
    return rows.flatMap((row) => (row.kind === 'datasource' && row.deleted && kept.includes(row.id) ? [row] : []));
  }

  private async replan(deployment: Deployment, stale: Prepared | undefined): Promise<Planned> {
    const { tenant, id } = deployment;
    for (const step of stale?.steps ?? []) await step.discard?.();
    const planned = await this.plan(tenant, deployment.resources, id);
    const [wrong] = planned.errors;
    if (wrong === undefined) return planned;
    throw new AppError('conflict', `cannot make deployment ${id} live: ${wrong.resource}: ${wrong.error}`);
  }

  /** Rows of steps, dated now and not when they were planned. */
  private async saveRows(rows: readonly StoredResource[]): Promise<void> {
    const at = this.options.now();
    const { catalog } = this.options.registry;
    await catalog.save(rows.map((row) => ({ ...row, updatedAt: new Date(at), version: Math.max(at, row.version) })));
  }

  /** Changes whenever a resource of the workspace does that a plan for the project depends on. */
  private resourcesOf(tenant: string, project: readonly Resource[]): string {
    const described = new Set(project.map(({ name }) => name));
    const rows = this.options.registry.catalog.list(tenant);
    return rows
      .filter(({ builtIn, name }) => !builtIn || described.has(name))
      .map(({ id, version }) => `${id} ${version}`)
      .sort()
      .join('\n');
  }

  /** Changes whenever somebody did something to a data source of the steps. */
  private operationsOn(steps: readonly Step[]): string {
    return steps.map(({ row }) => `${row.id} ${this.options.registry.locks.count(row.id)}`).join('\n');
  }

  /**
   * Keeps everybody else off the data sources that the steps change, and copies off those that are populated from. What is under way is
   * waited for, but not for long: a population that another deployment began may be over in a moment.
   */
  private async exclusively(
    steps: readonly Step[],
    act: () => Promise<void>,
    { targets, sources }: Pick<Deploying, 'sources' | 'targets'> = { targets: [], sources: [] },
  ): Promise<void> {
    const { now, registry } = this.options;
    const ids = steps.filter(({ resource }) => resource === 'datasource').map(({ row }) => row.id);
    const claim = { exclusive: [...ids, ...targets], what: WHAT, shared: sources, sharedAs: POPULATION };
    const until = now() + PATIENCE_MS;
    let isBegun = false;
    await registry.locks.patiently(
      () => claim,
      () => now() < until,
      () => {
        isBegun = true;
        return act();
      },
    );
    // Says what is in the way.
    if (!isBegun)
      await registry.locks.exclusivelyAll(claim.exclusive, WHAT, () =>
        registry.locks.sharingAll(claim.shared, POPULATION, act),
      );
  }
}
