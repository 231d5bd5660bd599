/**
 * Deployments: a whole project takes the place of what a workspace has, at once or not at all. What is new is made and filled
 * beside what is live; `setLive` exchanges them; the former deployment stays, with what it alone had, until it is removed, and
 * can be made live again. Here is who may do what when; what it does to tables is in `deployment-changes.ts`.
 *
 * Must stay true: a deployment that fails leaves the workspace as it was. A data source's rows are always those of the live
 * one, also after a rollback: they are moved back, not forgotten. What a deployment populates begins when it is live, and whatever
 * becomes of that, the deployment stays.
 */

import type { Resource } from '@glasshouse/model';
import { AppError } from '@glasshouse/model';
import type { DeploymentBookOptions } from './deployment-book.ts';
import { DeploymentBook, keyOf } from './deployment-book.ts';
import type { CarriedOut, DeploymentChangesOptions, Planned, Populating } from './deployment-changes.ts';
import { DeploymentChanges } from './deployment-changes.ts';
import type { Deployment, Feedback } from './deployment-row.ts';
import { isUnderWay } from './deployment-row.ts';
import { reportOf } from './plan.ts';

export type DeploymentsOptions = DeploymentBookOptions & DeploymentChangesOptions;

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

export class Deployments {
  private readonly options: DeploymentsOptions;
  private readonly book: DeploymentBook;
  private readonly changes: DeploymentChanges;
  /** Known as soon as pipes can do anything. */
  populating: Populating | undefined;
  private readonly working = new Map<string, Promise<void>>();
  private readonly aborts = new Map<string, AbortController>();

  constructor(options: DeploymentsOptions) {
    this.options = options;
    this.book = new DeploymentBook(options);
    this.changes = new DeploymentChanges(options, this.book);
  }

  /** Reads what there is, and ends what a crash interrupted. */
  async recover(): Promise<void> {
    const { book } = this;
    await book.load();
    for (const deployment of book.everything()) {
      if (deployment.status === 'promoting') await this.afterPromotion(deployment);
      else if (deployment.status === 'deleting') await book.save([{ ...deployment, status: 'deleted' }]);
      else if (isUnderWay(deployment)) {
        const error = new AppError('internal', 'cannot finish the deployment: the server was restarted');
        await book.saveFailed(deployment, error);
      }
    }
  }

  /** Resolves when nobody works on any deployment, and forgets what was prepared for those that wait. */
  async settle(): Promise<void> {
    await Promise.all(this.working.values());
    this.changes.forget();
  }

  /** Deployments of a workspace: the live one, then the others, newest first. There is always a live one. */
  list(tenant: string, { includeDeleted = false } = {}): Deployment[] {
    const all = this.book.all(tenant).filter(({ status }) => includeDeleted || status !== 'deleted');
    const others = all.filter(({ live }) => !live).toSorted((a, b) => Number(b.id) - Number(a.id));
    return [this.book.live(tenant), ...others];
  }

  /** The deployment of this id. Throws `not_found`. */
  get(tenant: string, id: string): Deployment {
    return this.book.get(tenant, id);
  }

  /**
   * Starts the deployment of a project. Resolves when it is planned; `settled` tells when it is ready, live, or failed. Rejects
   * with `conflict` while another one is under way or waits to be made live.
   */
  async deploy(tenant: string, project: readonly Resource[], options: DeployOptions = {}): Promise<Deployed> {
    const { check = false, allowDestructive = false, autoPromote = false } = options;
    const { book, changes } = this;
    const waiting = book.pending(tenant);
    if (!check && waiting !== undefined) {
      throw new AppError(
        'conflict',
        `cannot deploy: deployment ${waiting.id} is ${waiting.status}; make it live or delete it first`,
      );
    }
    const { registry, now } = this.options;
    return registry.locks.exclusively(`deployment of ${tenant}`, 'a deployment', async () => {
      const at = new Date(now());
      const id = book.newId();
      const state = { status: 'calculating' as const, live: false, resources: project, createdAt: at, updatedAt: at };
      const plan = await changes.plan(tenant, project, id);
      const planned: Deployment = { tenant, id, ...state, version: 0, ...reportOf(plan, allowDestructive) };
      if (planned.errors.length > 0) return { result: 'failed', deployment: { ...planned, status: 'failed' } };
      if (plan.steps.length === 0) return { result: 'no_changes', deployment: planned };
      if (check) return { result: 'success', deployment: planned };
      const [saved = planned] = await book.save([planned]);
      // What goes wrong is in the deployment's state.
      this.work(saved, () => this.prepare(saved, plan, autoPromote)).catch(() => undefined);
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
    await this.changes.discard(this.get(tenant, id));
    const [removed = deployment] = await this.book.save([{ ...this.get(tenant, id), status: 'deleted', kept: [] }]);
    return removed;
  }

  /** Adds to what is said of a deployment. */
  remark(tenant: string, id: string, feedback: Feedback): Promise<void> {
    return this.book.remark(tenant, id, feedback);
  }

  /** `id:version` of all tables out of sight that a rollback would need. */
  kept(): ReadonlySet<string> {
    const entries = this.book.everything().flatMap((deployment) => this.changes.keptOf(deployment));
    return new Set(entries.flatMap(({ id, tableVersion }) => [`${id}:${tableVersion}`, `${id}:quarantine`]));
  }

  /** In the background: makes and fills what is new. */
  private async prepare(deployment: Deployment, plan: Planned, autoPromote: boolean): Promise<void> {
    const { book, changes } = this;
    const { tenant, id } = deployment;
    const abort = new AbortController();
    this.aborts.set(keyOf(deployment), abort);
    try {
      await book.save([{ ...deployment, status: 'creating_schema' }]);
      await changes.prepare(deployment, plan, abort.signal);
      abort.signal.throwIfAborted();
      const [ready = deployment] = await book.save([{ ...deployment, status: 'data_ready' }]);
      if (!autoPromote) return;
      const former = book.live(tenant);
      await this.promote(ready);
      await this.remove(tenant, former.id);
    } catch (error) {
      const { status } = this.get(tenant, id);
      if (status === 'promoting' || status === 'live') throw error;
      await changes.discard(deployment);
      await book.saveFailed(this.get(tenant, id), error);
    } finally {
      this.aborts.delete(keyOf(deployment));
    }
  }

  private async promote(deployment: Deployment): Promise<void> {
    const { book, changes } = this;
    const { tenant, id } = deployment;
    let done: CarriedOut;
    await book.save([{ ...deployment, status: 'promoting' }]);
    try {
      done = await changes.carryOut(deployment, this.populating);
    } catch (error) {
      await book.save([{ ...this.get(tenant, id), status: 'data_ready' }]).catch(() => undefined);
      throw error;
    }
    const live = this.get(tenant, id);
    // What it says stands in the same row, before anything that these populations come to.
    const feedback = [...live.feedback, ...(done.deploying?.start() ?? [])];
    await book.saveLive({ ...live, feedback }, done.dropped);
    await this.options.registry.grantTokens(tenant);
  }

  /** Ends a promotion of which only the beginning is known: it took effect, or it did not. */
  private async afterPromotion(deployment: Deployment): Promise<void> {
    const dropped = this.changes.carriedOut(deployment);
    if (dropped === undefined) await this.book.save([{ ...deployment, status: 'data_ready' }]);
    else await this.book.saveLive(deployment, dropped);
  }

  /** Remembers that somebody works on the deployment; rejects with what that rejects with. */
  private work(deployment: Deployment, act: () => Promise<void>): Promise<void> {
    const key = keyOf(deployment);
    const work = act();
    const settled = work.catch(() => undefined).finally(() => this.working.delete(key));
    this.working.set(key, settled);
    return work;
  }
}
