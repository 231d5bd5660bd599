/**
 * The control side of the data platform: workspaces with their resources, tokens, jobs and deployments, read from the store
 * and kept up to date. The one thing that the composition root opens of this room.
 *
 * Must stay true: it opens while the store is away, from the copy of the last time, and reads the store when it is back. Every
 * workspace has the built-in data sources once, and not again after somebody dropped one.
 */

import { randomBytes } from 'node:crypto';
import { AppError, messageOf } from '@glasshouse/model';
import type { DataSources, Store } from '@glasshouse/store';
import type { Access } from '../control/access.ts';
import type { RandomBytes } from '../control/secret.ts';
import { BUILT_IN } from './built-in.ts';
import { Catalog } from './catalog.ts';
import { Credentials } from './credentials.ts';
import { Deployments } from './deploy.ts';
import { Jobs } from './jobs.ts';
import type { Judges } from './judges.ts';
import type { PlanOptions } from './plan.ts';
import { POPULATE_JOB } from './populate-run.ts';
import type { RateLimits } from './rate.ts';
import { Rates } from './rate.ts';
import { Registry } from './registry.ts';
import type { StoredResource } from './resource-row.ts';
import { placeOf } from './resource-row.ts';
import { Secrets } from './secrets.ts';
import { loadSnapshot, saveSnapshot } from './snapshot.ts';
import type { TokenKey } from './token-key.ts';
import { uuidOf } from './token-key.ts';
import { Tokens } from './tokens.ts';
import { Workspaces } from './workspaces.ts';

export interface PlatformOptions {
  readonly store: Pick<Store, 'insertRows' | 'rows' | 'target'>;
  readonly tables: DataSources;
  readonly access: Pick<Access, 'resolve' | 'tenants'>;
  readonly key: TokenKey;
  readonly judges: Judges;
  /** Differences of two definitions, for the feedback of deployments. */
  readonly diff?: PlanOptions['diff'];
  /** Keeps the store free of hand-overs until the returned function is called. No segment may be there in part meanwhile. */
  readonly hold: () => Promise<() => void>;
  readonly now: () => number;
  /** Number of this server, by which it knows its own jobs after a restart. */
  readonly node: number;
  readonly limits?: Partial<RateLimits>;
  readonly random?: RandomBytes;
  /** File for a start without the store; undefined for none. */
  readonly snapshotPath?: string;
  /** True if the store was replaced as a whole since the file was written: a restore was finished at this start. */
  readonly isReplaced?: boolean;
  /** How often the store is read again, in ms. */
  readonly refreshMs?: number;
  /** Told about what somebody should look at. */
  readonly onEvent?: (event: PlatformEvent) => void;
}

export type PlatformEvent =
  | { readonly type: 'store'; readonly up: boolean; readonly reason: string | undefined }
  /** The live table of a data source was not in its place, and is again; or it is nowhere. */
  | { readonly type: 'repaired' | 'lost'; readonly tenant: string; readonly name: string }
  | { readonly type: 'swept'; readonly tables: readonly string[] }
  | { readonly type: 'unprepared'; readonly tenant: string; readonly error: unknown };

const REFRESH_MS = 5_000;
/** How long a restore waits for operations that are under way. */
const CLOSE_WAIT_MS = 60_000;

export class Platform {
  readonly workspaces = new Workspaces();
  readonly catalog: Catalog;
  readonly tokens: Tokens;
  readonly secrets: Secrets;
  readonly credentials: Credentials;
  readonly registry: Registry;
  readonly jobs: Jobs;
  readonly rates: Rates;
  readonly deployments: Deployments;
  private readonly options: PlatformOptions;
  private readonly timer: NodeJS.Timeout;
  private refreshing: Promise<void> | undefined;
  private readonly prepared = new Set<string>();
  private readonly preparing = new Map<string, Promise<void>>();
  /** True while the tables are where their rows say. */
  private repaired = false;
  private repairing: Promise<void> | undefined;
  /** True when what an earlier process left undone was seen to. */
  private recovered = false;
  private isQuiet = false;
  /** The resources before the store was replaced, until it was read again. */
  private former: readonly StoredResource[] | undefined;
  private up = true;
  private saved = '';

  private constructor(options: PlatformOptions) {
    const { store, tables, access, judges, now, key, random = randomBytes } = options;
    this.options = options;
    const hold = (): Promise<() => void> => this.hold();
    const onUnsure = (): void => void (this.repaired = false);
    this.catalog = new Catalog(store);
    this.tokens = new Tokens({ store, key, judges, catalog: this.catalog, now, random });
    this.secrets = new Secrets({ store, key, now, random });
    this.registry = new Registry({
      catalog: this.catalog,
      tables,
      judges,
      tokens: this.tokens,
      hold,
      onUnsure,
      now,
      random,
    });
    this.jobs = new Jobs({ store, now, random, node: options.node, resumable: [POPULATE_JOB] });
    this.rates = new Rates({ now, ...options.limits });
    this.deployments = new Deployments({ store, tables, registry: this.registry, judges, diff: options.diff, now });
    this.credentials = new Credentials({
      principals: access,
      tokens: this.tokens,
      workspaces: this.workspaces,
      judges,
      now,
      refresh: () => this.refresh(),
    });
    if (options.snapshotPath !== undefined) {
      const { tenants, resources, tokens } = loadSnapshot(options.snapshotPath);
      this.workspaces.add(tenants);
      this.catalog.restore(resources);
      this.tokens.restore(tokens);
    }
    if (options.isReplaced === true) this.former = this.catalog.snapshot();
    this.timer = setInterval(() => void this.refresh().catch(() => undefined), options.refreshMs ?? REFRESH_MS);
    this.timer.unref();
  }

  /** Resolves when everything is read and every workspace prepared, or at once when the store is down. */
  static async open(options: PlatformOptions): Promise<Platform> {
    const platform = new Platform(options);
    await platform.refresh().catch(() => undefined);
    return platform;
  }

  /** Reads everything again; concurrent calls share one reading. Rejects with `unavailable` when the store is down. */
  refresh(): Promise<void> {
    this.refreshing ??= this.read().finally(() => (this.refreshing = undefined));
    return this.refreshing;
  }

  /** Makes the built-in data sources of a workspace that it never had; concurrent calls share the work. Rejects with `bad_request` where there can be none. */
  prepare(tenant: string): Promise<void> {
    const present = this.preparing.get(tenant);
    if (present !== undefined) return present;
    const work = this.makeBuiltIn(tenant).finally(() => this.preparing.delete(tenant));
    this.preparing.set(tenant, work);
    return work;
  }

  /** Stops jobs and reading. */
  async close(): Promise<void> {
    clearInterval(this.timer);
    await this.jobs.close();
  }

  private async makeBuiltIn(tenant: string): Promise<void> {
    this.workspaces.add([tenant]);
    await Promise.all(
      BUILT_IN.map((definition) => {
        const id = `t_${uuidOf(`${tenant} ${definition.name}`).replaceAll('-', '')}`;
        return this.registry.createBuiltIn(tenant, definition, id);
      }),
    );
    this.prepared.add(tenant);
    this.save();
  }

  /** `id:version` of tables out of sight that belong to a workspace all the same. */
  kept(): ReadonlySet<string> {
    return this.deployments.kept();
  }

  /**
   * Lets nobody change a data source any more, and resolves when nobody does, with what lets them again. Rejects with
   * `conflict` if somebody takes too long for that.
   */
  async quiesce(what: string): Promise<() => void> {
    const open = await this.registry.locks.close(what, CLOSE_WAIT_MS);
    this.isQuiet = true;
    await this.deployments.settle();
    return () => {
      this.isQuiet = false;
      open();
      // What was not prepared meanwhile.
      void this.refresh().catch(() => undefined);
    };
  }

  /**
   * Takes over what the store has, after all of it was replaced while everything was quiet. Rejects with `unavailable` when the
   * store is down; the next reading makes up for it.
   */
  async adopt(): Promise<void> {
    // A reading that is under way may have begun before.
    await this.refreshing?.catch(() => undefined);
    this.former ??= this.catalog.snapshot();
    this.catalog.distrust();
    this.tokens.distrust();
    this.secrets.distrust();
    this.prepared.clear();
    this.repaired = false;
    this.recovered = false;
    await this.refresh();
    for (const { tenant } of this.workspaces.list()) await this.registry.grantTokens(tenant);
  }

  /** Removes the rows of all data sources, those in quarantine and those out of sight included. */
  empty(): Promise<void> {
    return this.options.tables.emptyAll();
  }

  private async read(): Promise<void> {
    const { access, onEvent } = this.options;
    try {
      const tenants = access.tenants.list().map(({ name }) => name);
      this.workspaces.add(tenants);
      await this.catalog.refresh();
      await this.tokens.refresh();
      await this.secrets.refresh();
      if (this.former !== undefined) {
        this.workspaces.replace(tenants);
        await this.catalog.bury(this.former);
        this.former = undefined;
      }
      await this.recover();
    } catch (error) {
      if (this.up) onEvent?.({ type: 'store', up: false, reason: messageOf(error) });
      this.up = false;
      throw error;
    }
    if (!this.up) onEvent?.({ type: 'store', up: true, reason: undefined });
    this.up = true;
    for (const { tenant } of this.workspaces.list()) {
      if (!this.isQuiet && !this.prepared.has(tenant)) await this.tryPrepare(tenant);
    }
    this.save();
  }

  /** A workspace that cannot be prepared must not keep the others from being read. */
  private async tryPrepare(tenant: string): Promise<void> {
    try {
      await this.prepare(tenant);
    } catch (error) {
      if (error instanceof AppError && error.code !== 'unavailable') this.prepared.add(tenant);
      this.options.onEvent?.({ type: 'unprepared', tenant, error });
    }
  }

  /**
   * Resolves when the tables are where their rows say; what a change left that ended half-way is put right first. To be asked by whoever
   * hands over, or holds the hand-over: then no change is under way. Rejects with `unavailable` while the store is down.
   */
  settled(): Promise<void> {
    if (this.repaired) return Promise.resolve();
    this.repairing ??= this.repair().finally(() => (this.repairing = undefined));
    return this.repairing;
  }

  /** Keeps the store free of hand-overs, with the tables where their rows say. */
  private async hold(): Promise<() => void> {
    const release = await this.options.hold();
    try {
      await this.settled();
      return release;
    } catch (error) {
      release();
      throw error;
    }
  }

  private async repair(): Promise<void> {
    const { store, tables, onEvent } = this.options;
    // A row may have been written whose answer was lost.
    await this.catalog.refresh();
    // In a shared store another server may be in the middle of a change.
    if (store.target.readsPaths) {
      const live = this.catalog
        .snapshot()
        .flatMap((entry) => (entry.kind === 'datasource' && !entry.deleted ? [placeOf(entry)] : []));
      const { placed, lost } = await tables.repair(live);
      for (const { tenant, name } of placed) onEvent?.({ type: 'repaired', tenant, name });
      for (const { tenant, name } of lost) onEvent?.({ type: 'lost', tenant, name });
    }
    this.repaired = true;
  }

  /** Once, after the first reading: what an earlier process left undone is seen to. */
  private async recover(): Promise<void> {
    if (this.recovered) {
      // Nobody may hand over or change anything for a long time, and readers see the tables as they are.
      if (!this.repaired)
        void this.hold().then(
          (release) => release(),
          () => undefined,
        );
      return;
    }
    const { tables, onEvent } = this.options;
    const { readsPaths } = this.options.store.target;
    await this.settled();
    await this.deployments.recover();
    // In a store of one's own no other server will go on: a backup may be another one's.
    if (readsPaths) {
      const swept = await tables.sweep(this.deployments.kept());
      if (swept.length > 0) onEvent?.({ type: 'swept', tables: swept });
    }
    // Jobs that go on make tables, so what is left of others has to be gone.
    await this.jobs.recover(readsPaths);
    this.recovered = true;
  }

  private save(): void {
    const { snapshotPath } = this.options;
    if (snapshotPath === undefined) return;
    const tenants = this.workspaces.list().map(({ tenant }) => tenant);
    const state = [this.catalog.revision, this.tokens.revision, tenants.length].join();
    if (state === this.saved) return;
    saveSnapshot(snapshotPath, { tenants, resources: this.catalog.snapshot(), tokens: this.tokens.snapshot() });
    this.saved = state;
  }
}
