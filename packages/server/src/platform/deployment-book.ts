/**
 * The deployments of all workspaces as they are kept: rows of the store, cached whole. Every workspace has one that is live; of
 * one that nothing was deployed to it is a placeholder.
 *
 * Must stay true: what is known here was written first. Ids are numbers that grow, as clients expect of them.
 */

import { AppError, messageOf } from '@glasshouse/model';
import type { Store } from '@glasshouse/store';
import type { Deployment, DeploymentRow, Feedback } from './deployment-row.ts';
import { fromRow, isUnderWay, placeholder, toRow } from './deployment-row.ts';

export interface DeploymentBookOptions {
  readonly store: Pick<Store, 'insertRows' | 'rows' | 'target'>;
  readonly now: () => number;
}

export class DeploymentBook {
  private readonly options: DeploymentBookOptions;
  private readonly known = new Map<string, Deployment>();
  private lastId = 0;
  private writing: Promise<unknown> = Promise.resolve();

  constructor(options: DeploymentBookOptions) {
    this.options = options;
  }

  /** Reads what there is. */
  async load(): Promise<void> {
    const { store } = this.options;
    const rows = await store.rows<DeploymentRow>(
      `SELECT tenant, id, status, live, resources, report, toString(version) AS version,
         toString(toUnixTimestamp64Milli(created_at)) AS created_at, toString(toUnixTimestamp64Milli(updated_at)) AS updated_at
       FROM ${store.target.database}.deployments FINAL`,
    );
    this.known.clear();
    for (const row of rows) this.known.set(keyOf(row), fromRow(row));
  }

  /** Those of all workspaces. */
  everything(): Deployment[] {
    return [...this.known.values()];
  }

  /** Those of a workspace, deleted ones included. */
  all(tenant: string): Deployment[] {
    return this.everything().filter((deployment) => deployment.tenant === tenant);
  }

  /** The deployment of this id. Throws `not_found`. */
  get(tenant: string, id: string): Deployment {
    const found = this.known.get(keyOf({ tenant, id }));
    if (found !== undefined) return found;
    if (id === '0')
      return { ...placeholder(tenant), ...(this.hasLive(tenant) ? { live: false, status: 'deleted' } : {}) };
    throw new AppError('not_found', `cannot find deployment=${id.slice(0, 40)}: the workspace has none of that id`);
  }

  live(tenant: string): Deployment {
    return this.all(tenant).find(({ live }) => live) ?? placeholder(tenant);
  }

  /** Whether anything was ever live beside the placeholder. */
  hasLive(tenant: string): boolean {
    return this.all(tenant).some(({ live }) => live);
  }

  /** One that has to end before another begins: somebody works on it, or has yet to decide about it. */
  pending(tenant: string): Deployment | undefined {
    const former = Number(this.live(tenant).id);
    const isCandidate = ({ id, status, live }: Deployment): boolean =>
      status === 'data_ready' && !live && Number(id) > former;
    return this.all(tenant).find((deployment) => isUnderWay(deployment) || isCandidate(deployment));
  }

  newId(): string {
    this.lastId = Math.max(this.options.now(), this.lastId + 1);
    return String(this.lastId);
  }

  /** Keeps these states, dated now. */
  save(deployments: readonly Deployment[]): Promise<Deployment[]> {
    return this.inTurn(() => this.write(deployments));
  }

  /** Adds to what is said of a deployment, whatever else becomes of it. Nothing if there is no such deployment. */
  async remark(tenant: string, id: string, feedback: Feedback): Promise<void> {
    await this.inTurn(async () => {
      const known = this.known.get(keyOf({ tenant, id }));
      if (known !== undefined) await this.write([{ ...known, feedback: [...known.feedback, feedback] }]);
    });
  }

  private async write(deployments: readonly Deployment[]): Promise<Deployment[]> {
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

  /** One after the other, so that nobody changes a state that another is about to write. */
  private inTurn<T>(act: () => Promise<T>): Promise<T> {
    const turn = this.writing.then(act);
    this.writing = turn.catch(() => undefined);
    return turn;
  }

  /** Keeps that the deployment is live, and that the former one needs what was `dropped` should it come back. */
  async saveLive(deployment: Deployment, dropped: readonly string[]): Promise<void> {
    const former = this.all(deployment.tenant).filter(({ live, id }) => live && id !== deployment.id);
    await this.save([
      // No longer kept, because it is back.
      { ...deployment, status: 'live', live: true, kept: [] },
      ...former.map((other) => ({ ...other, status: 'data_ready' as const, live: false, kept: dropped })),
    ]);
  }

  /** Keeps that it failed, and why. */
  async saveFailed(deployment: Deployment, error: unknown): Promise<void> {
    const errors = [...deployment.errors, { kind: undefined, resource: '', error: messageOf(error) }];
    await this.save([{ ...deployment, status: 'failed', errors }]).catch(() => undefined);
  }
}

/** What tells a deployment from all others. */
export function keyOf({ tenant, id }: Pick<Deployment, 'id' | 'tenant'>): string {
  return `${tenant} ${id}`;
}
