/**
 * Deployments: a whole project takes the place of what a workspace has, at once or not at all. What is new is made and filled
 * beside what is live; `setLive` exchanges them; the former deployment stays, with what it alone had, until it is removed, and
 * can be made live again.
 *
 * Must stay true: a deployment that fails leaves the workspace as it was. A data source's rows are always those of the live
 * one, also after a rollback: they are moved back, not forgotten.
 */

import type { Resource } from '@glasshouse/model';
import { AppError, messageOf } from '@glasshouse/model';
import type { DataSources, Store } from '@glasshouse/store';
import type { Deployment, DeploymentReport, DeploymentRow } from './deployment-row.ts';
import { fromRow, isUnderWay, placeholder, toRow } from './deployment-row.ts';
import type { Judges } from './judges.ts';
import type { Plan, PlanOptions } from './plan.ts';
import { planProject } from './plan.ts';
import type { Registry } from './registry.ts';
import type { DataSourceEntry, StoredResource } from './resource-row.ts';
import { placeOf } from './resource-row.ts';
import type { Step } from './steps.ts';
import { commit } from './steps.ts';

export interface DeploymentsOptions {
  readonly store: Pick<Store, 'insertRows' | 'rows' | 'target'>;
  readonly tables: DataSources;
  readonly registry: Registry;
  readonly judges: Judges;
  readonly diff?: PlanOptions['diff'];
  readonly now: () => number;
}

export interface DeployOptions {
  /** Only says what would happen; nothing is kept. */
  readonly check?: boolean;
  /** Whether rows and columns may be lost. */
  readonly allowDestructive?: boolean;
  /** Makes it live when it is ready, and removes the former one. */
  readonly autoPromote?: boolean;
}

/** The answer to a project: a deployment that is under way, one that failed, or none because nothing changes. */
export interface Deployed {
  readonly result: 'success' | 'failed' | 'no_changes';
  readonly deployment: Deployment;
}

/** What was prepared for a deployment, as long as this process lives. */
interface Prepared {
  readonly steps: readonly Step[];
  /** What the plan was made of. */
  readonly resources: string;
  /** Operations on the data sources so far, of which any would make the preparation stale. */
  readonly operations: string;
}

export class Deployments {
  private readonly options: DeploymentsOptions;
  private readonly known = new Map<string, Deployment>();
  private readonly prepared = new Map<string, Prepared>();
  private readonly working = new Map<string, Promise<void>>();
  private readonly aborts = new Map<string, AbortController>();
  private lastId = 0;

  constructor(options: DeploymentsOptions) {
    this.options = options;
  }

  /** Reads what there is, and ends what a crash interrupted. */
  async recover(): Promise<void> {
    const { store } = this.options;
    const rows = await store.rows<DeploymentRow>(
      `SELECT tenant, id, status, live, resources, report, toString(version) AS version,
         toString(toUnixTimestamp64Milli(created_at)) AS created_at, toString(toUnixTimestamp64Milli(updated_at)) AS updated_at
       FROM ${store.target.database}.deployments FINAL`,
    );
    this.known.clear();
    for (const row of rows) this.known.set(keyOf(row), fromRow(row));
    for (const deployment of [...this.known.values()]) {
      if (deployment.status === 'promoting') await this.afterPromotion(deployment);
      else if (deployment.status === 'deleting') await this.save([{ ...deployment, status: 'deleted' }]);
      else if (isUnderWay(deployment))
        await this.fail(deployment, new AppError('internal', 'cannot finish the deployment: the server was restarted'));
    }
  }

  /** Resolves when nobody works on any deployment, and forgets what was prepared for those that wait. */
  async settle(): Promise<void> {
    await Promise.all(this.working.values());
    this.prepared.clear();
  }

  /** Deployments of a workspace: the live one, then the others, newest first. There is always a live one. */
  list(tenant: string, { includeDeleted = false } = {}): Deployment[] {
    const all = this.all(tenant).filter(({ status }) => includeDeleted || status !== 'deleted');
    const others = all.filter(({ live }) => !live).toSorted((a, b) => Number(b.id) - Number(a.id));
    return [this.live(tenant), ...others];
  }

  /** The deployment of this id. Throws `not_found`. */
  get(tenant: string, id: string): Deployment {
    const found = this.known.get(keyOf({ tenant, id }));
    if (found !== undefined) return found;
    if (id === '0')
      return { ...placeholder(tenant), ...(this.hasLive(tenant) ? { live: false, status: 'deleted' } : {}) };
    throw new AppError('not_found', `cannot find deployment=${id.slice(0, 40)}: the workspace has none of that id`);
  }

  /**
   * Starts the deployment of a project. Resolves when it is planned; `settled` tells when it is ready, live, or failed. Rejects
   * with `conflict` while another one is under way or waits to be made live.
   */
  async deploy(tenant: string, project: readonly Resource[], options: DeployOptions = {}): Promise<Deployed> {
    const { check = false, allowDestructive = false, autoPromote = false } = options;
    const waiting = this.all(tenant).find((other) => isUnderWay(other) || this.isCandidate(other));
    if (!check && waiting !== undefined) {
      throw new AppError(
        'conflict',
        `cannot deploy: deployment ${waiting.id} is ${waiting.status}; make it live or delete it first`,
      );
    }
    const { locks } = this.options.registry;
    return locks.exclusively(`deployment of ${tenant}`, 'a deployment', async () => {
      const at = new Date(this.options.now());
      const id = this.newId();
      const state = { status: 'calculating' as const, live: false, resources: project, createdAt: at, updatedAt: at };
      const resources = this.resourcesOf(tenant);
      const plan = await this.plan(tenant, project, id);
      const planned: Deployment = { tenant, id, ...state, version: 0, ...reportOf(plan, allowDestructive) };
      if (planned.errors.length > 0) return { result: 'failed', deployment: { ...planned, status: 'failed' } };
      if (plan.steps.length === 0) return { result: 'no_changes', deployment: planned };
      if (check) return { result: 'success', deployment: planned };
      const [saved = planned] = await this.save([planned]);
      // What goes wrong is in the deployment's state.
      this.work(saved, () => this.prepare(saved, plan.steps, resources, autoPromote)).catch(() => undefined);
      return { result: 'success', deployment: saved };
    });
  }

  /** Resolves with the deployment when nobody works on it any more. */
  async settled(tenant: string, id: string): Promise<Deployment> {
    await this.working.get(keyOf({ tenant, id }));
    return this.get(tenant, id);
  }

  /**
   * Makes a deployment live that is ready, or one that was live before. Rejects with `conflict` if it is neither, and with what
   * went wrong; the workspace is as it was then.
   */
  async setLive(tenant: string, id: string): Promise<Deployment> {
    let deployment = this.get(tenant, id);
    if (deployment.status === 'promoting' && !this.working.has(keyOf(deployment))) {
      await this.afterPromotion(deployment);
      deployment = this.get(tenant, id);
    }
    if (deployment.live) return deployment;
    if (deployment.status !== 'data_ready')
      throw new AppError('conflict', `cannot make deployment ${id} live: its status is ${deployment.status}`);
    await this.work(deployment, () => this.promote(deployment));
    return this.get(tenant, id);
  }

  /** Removes a deployment that is not live, with what was kept for it alone. It can still be read, as deleted. */
  async remove(tenant: string, id: string): Promise<Deployment> {
    const deployment = this.get(tenant, id);
    if (deployment.live && id !== '0') throw new AppError('conflict', `cannot delete deployment ${id}: it is live`);
    if (id === '0' || deployment.status === 'deleted') return { ...deployment, status: 'deleted' };
    if (deployment.status === 'promoting')
      throw new AppError('conflict', `cannot delete deployment ${id}: it is being made live`);
    this.aborts.get(keyOf(deployment))?.abort();
    await this.working.get(keyOf(deployment));
    await this.discard(this.get(tenant, id));
    const [removed = deployment] = await this.save([{ ...this.get(tenant, id), status: 'deleted', kept: [] }]);
    return removed;
  }

  /** `id:version` of all tables out of sight that a rollback would need. */
  kept(): ReadonlySet<string> {
    const entries = [...this.known.values()].flatMap((deployment) => this.keptOf(deployment));
    return new Set(entries.flatMap(({ id, tableVersion }) => [`${id}:${tableVersion}`, `${id}:quarantine`]));
  }

  private plan(tenant: string, project: readonly Resource[], id: string): Promise<Plan> {
    const { tables, judges, diff, registry, now } = this.options;
    return planProject(tenant, project, {
      diff,
      catalog: registry.catalog,
      tables,
      judges,
      newId: () => registry.newId(),
      stamp: { at: new Date(now()), deployment: id },
      kept: this.all(tenant).flatMap((deployment) => this.keptOf(deployment)),
      keepsDropped: this.hasLive(tenant),
    });
  }

  /** In the background: makes and fills what is new. */
  private async prepare(
    deployment: Deployment,
    steps: readonly Step[],
    resources: string,
    autoPromote: boolean,
  ): Promise<void> {
    const key = keyOf(deployment);
    const abort = new AbortController();
    this.aborts.set(key, abort);
    try {
      await this.save([{ ...deployment, status: 'creating_schema' }]);
      this.prepared.set(key, { steps, resources, operations: '' });
      await this.exclusively(steps, async () => {
        for (const step of steps) await step.prepare?.(() => undefined, abort.signal);
        for (const step of steps) await step.rest?.();
      });
      this.prepared.set(key, { steps, resources, operations: this.operationsOn(steps) });
      abort.signal.throwIfAborted();
      const [ready = deployment] = await this.save([{ ...deployment, status: 'data_ready' }]);
      if (!autoPromote) return;
      const former = this.live(deployment.tenant);
      await this.promote(ready);
      await this.remove(deployment.tenant, former.id);
    } catch (error) {
      const { status } = this.get(deployment.tenant, deployment.id);
      if (status === 'promoting' || status === 'live') throw error;
      await this.discard(deployment);
      await this.fail(this.get(deployment.tenant, deployment.id), error);
    } finally {
      this.aborts.delete(key);
    }
  }

  private async promote(deployment: Deployment): Promise<void> {
    const { registry } = this.options;
    const { tenant } = deployment;
    const dropped: string[] = [];
    await this.save([{ ...deployment, status: 'promoting' }]);
    try {
      const present = this.prepared.get(keyOf(deployment));
      const isFresh = present !== undefined && present.resources === this.resourcesOf(tenant);
      const { steps, resources } = isFresh ? present : await this.replan(deployment, present);
      await this.exclusively(steps, async () => {
        if (this.resourcesOf(tenant) !== resources)
          throw new AppError(
            'conflict',
            `cannot make deployment ${deployment.id} live: the workspace changes; try again`,
          );
        if (!isFresh || present.operations !== this.operationsOn(steps)) {
          for (const step of steps) await step.discard?.();
          for (const step of steps) await step.prepare?.(() => undefined);
        }
        await commit(steps, { ...registry.commitOptions(), save: (rows) => this.saveRows(rows) });
      });
      for (const step of steps) if (step.kind === 'drop' && step.resource === 'datasource') dropped.push(step.row.id);
    } catch (error) {
      await this.save([{ ...this.get(tenant, deployment.id), status: 'data_ready' }]).catch(() => undefined);
      throw error;
    }
    this.prepared.delete(keyOf(deployment));
    await this.saveLive(this.get(tenant, deployment.id), dropped);
    await registry.grantTokens(tenant);
  }

  /** The plan again, because the workspace is no longer what the first one was made for, or nobody remembers that. */
  private async replan(deployment: Deployment, stale: Prepared | undefined): Promise<Omit<Prepared, 'operations'>> {
    const { tenant, id } = deployment;
    for (const step of stale?.steps ?? []) await step.discard?.();
    const resources = this.resourcesOf(tenant);
    const { steps, errors } = await this.plan(tenant, deployment.resources, id);
    const [wrong] = errors;
    if (wrong === undefined) return { steps, resources };
    throw new AppError('conflict', `cannot make deployment ${id} live: ${wrong.resource}: ${wrong.error}`);
  }

  /** Whether a promotion of which only the beginning is known took effect: its rows are there, or they are not. */
  private async afterPromotion(deployment: Deployment): Promise<void> {
    const rows = this.options.registry.catalog.snapshot();
    const wrote = rows.filter(
      ({ tenant, deployment: by, updatedAt }) =>
        tenant === deployment.tenant && by === deployment.id && updatedAt >= deployment.updatedAt,
    );
    const dropped = wrote.filter(({ deleted, kind }) => deleted && kind === 'datasource').map(({ id }) => id);
    if (wrote.length > 0) await this.saveLive(deployment, dropped);
    else await this.save([{ ...deployment, status: 'data_ready' }]);
  }

  /** Rows of steps, dated now and not when they were planned. */
  private async saveRows(rows: readonly StoredResource[]): Promise<void> {
    const at = this.options.now();
    const { catalog } = this.options.registry;
    await catalog.save(rows.map((row) => ({ ...row, updatedAt: new Date(at), version: Math.max(at, row.version) })));
  }

  /** Changes whenever a resource of the workspace does. */
  private resourcesOf(tenant: string): string {
    const rows = this.options.registry.catalog.list(tenant);
    return rows
      .map(({ id, version }) => `${id} ${version}`)
      .sort()
      .join('\n');
  }

  /** Changes whenever somebody did something to a data source of the steps. */
  private operationsOn(steps: readonly Step[]): string {
    return steps.map(({ row }) => `${row.id} ${this.options.registry.locks.count(row.id)}`).join('\n');
  }

  /** Keeps everybody else off the data sources that the steps change. */
  private exclusively<T>(steps: readonly Step[], act: () => Promise<T>): Promise<T> {
    const ids = steps.filter(({ resource }) => resource === 'datasource').map(({ row }) => row.id);
    return this.options.registry.locks.exclusivelyAll(ids, 'a deployment', act);
  }

  private async discard(deployment: Deployment): Promise<void> {
    const prepared = this.prepared.get(keyOf(deployment));
    this.prepared.delete(keyOf(deployment));
    for (const step of prepared?.steps ?? []) await step.discard?.().catch(() => undefined);
    for (const entry of this.keptOf(deployment)) await this.options.tables.drop(placeOf(entry)).catch(() => undefined);
  }

  private async saveLive(deployment: Deployment, dropped: readonly string[]): Promise<void> {
    const former = this.all(deployment.tenant).filter(({ live, id }) => live && id !== deployment.id);
    await this.save([
      // No longer kept, because it is back.
      { ...deployment, status: 'live', live: true, kept: [] },
      ...former.map((other) => ({ ...other, status: 'data_ready' as const, live: false, kept: dropped })),
    ]);
  }

  private async fail(deployment: Deployment, error: unknown): Promise<void> {
    const errors = [...deployment.errors, { kind: undefined, resource: '', error: messageOf(error) }];
    await this.save([{ ...deployment, status: 'failed', errors }]).catch(() => undefined);
  }

  /** Remembers that somebody works on the deployment; rejects with what that rejects with. */
  private work(deployment: Deployment, act: () => Promise<void>): Promise<void> {
    const key = keyOf(deployment);
    const work = act();
    const settled = work.catch(() => undefined).finally(() => this.working.delete(key));
    this.working.set(key, settled);
    return work;
  }

  private async save(deployments: readonly Deployment[]): Promise<Deployment[]> {
    const at = this.options.now();
    const next = deployments.map((deployment) => ({
      ...deployment,
      updatedAt: new Date(at),
      version: Math.max(at, (this.known.get(keyOf(deployment))?.version ?? 0) + 1),
    }));
    await this.options.store.insertRows('deployments', next.map(toRow));
    for (const deployment of next) this.known.set(keyOf(deployment), deployment);
    return next;
  }

  private all(tenant: string): Deployment[] {
    return [...this.known.values()].filter((deployment) => deployment.tenant === tenant);
  }

  private hasLive(tenant: string): boolean {
    return this.all(tenant).some(({ live }) => live);
  }

  private live(tenant: string): Deployment {
    return this.all(tenant).find(({ live }) => live) ?? placeholder(tenant);
  }

  /** True for one that is ready and newer than the live one: somebody has yet to decide about it. */
  private isCandidate({ tenant, id, status, live }: Deployment): boolean {
    return status === 'data_ready' && !live && Number(id) > Number(this.live(tenant).id);
  }

  private keptOf({ kept }: DeploymentReport): DataSourceEntry[] {
    const rows = this.options.registry.catalog.snapshot();
    return rows.flatMap((row) => (row.kind === 'datasource' && row.deleted && kept.includes(row.id) ? [row] : []));
  }

  /** Ids are numbers that grow, as clients expect of them. */
  private newId(): string {
    this.lastId = Math.max(this.options.now(), this.lastId + 1);
    return String(this.lastId);
  }
}

function keyOf({ tenant, id }: Pick<Deployment, 'id' | 'tenant'>): string {
  return `${tenant} ${id}`;
}

function reportOf({ steps, notices, errors }: Plan, allowDestructive: boolean): DeploymentReport {
  const refused = notices.flatMap(({ step, isLoss, message }) =>
    isLoss && !allowDestructive
      ? [
          {
            kind: step.resource,
            resource: step.name,
            error: `cannot deploy ${step.name}: ${message}; allow destructive operations for that`,
          },
        ]
      : [],
  );
  const names = (kind: Step['kind'], resource: Step['resource']): string[] =>
    steps.filter((step) => step.kind === kind && step.resource === resource).map(({ name }) => name);
  return {
    newDataSources: names('create', 'datasource'),
    changedDataSources: names('update', 'datasource'),
    deletedDataSources: names('drop', 'datasource'),
    newPipes: names('create', 'pipe'),
    changedPipes: names('update', 'pipe'),
    deletedPipes: names('drop', 'pipe'),
    feedback: notices.map(({ step, isLoss, message }) => ({
      level: isLoss ? 'warning' : 'info',
      resource: step.name,
      message,
    })),
    errors: [...errors, ...refused],
    kept: [],
  };
}
