/**
 * Quotas: how much a tenant, and each project of it, may send, store and spend. Receivers ask before they read a body and count
 * what was taken; an administrator sets limits, which are rows of the store, cached whole.
 *
 * Must stay true: a request is refused before its body is read, and what was acknowledged stays. Without the store, the limits
 * that are known go on. Counters are exact while the process lives; after a crash those of the day lack the last half minute.
 */

import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Placement } from '@glasshouse/model';
import { AppError } from '@glasshouse/model';
import type { Store } from '@glasshouse/store';
import type { OnChange } from './audit-entry.ts';
import type { Quota, QuotaKind, QuotaUse, Reached, SavedUse } from './quota-account.ts';
import { QUOTA_KINDS, QuotaAccount } from './quota-account.ts';
import { checkName } from './tenants.ts';

/** Whose quota it is: a tenant's as a whole without a project. */
export interface QuotaOwner {
  readonly tenant: string;
  readonly project: string;
}

export interface OwnedQuota extends QuotaOwner, Quota {}

export interface QuotaState extends QuotaOwner {
  readonly quota: Quota | undefined;
  readonly use: QuotaUse;
}

/** Bytes that are stored, of tenants (without a project) and of projects, as far as that can be told. */
export type StoredBytes = () => Promise<readonly (QuotaOwner & { readonly bytes: number })[]>;

export interface QuotasOptions {
  readonly store: Pick<Store, 'insertRows' | 'rows' | 'target'>;
  readonly now: () => number;
  /** File that keeps the counters of the day over a restart; undefined for none. */
  readonly path?: string;
  /** Measures what is stored; asked only while something is limited by it. */
  readonly storedBytes?: StoredBytes;
  readonly onChange?: OnChange;
  /** Told once when a limit comes near, and again only after it was far. */
  readonly onNear?: (owner: QuotaOwner, reached: Reached) => void;
}

/** A request over a quota: nothing of it was read. */
class QuotaError extends AppError {
  constructor({ tenant, project }: QuotaOwner, { kind, use, limit, retryAfterSeconds }: Reached) {
    const who = project === '' ? `tenant=${tenant}` : `project=${project} of tenant=${tenant}`;
    super(
      'quota_exceeded',
      `cannot take more of ${who}: ${UNITS[kind]} are limited to ${limit}, and ${Math.round(use * 100) / 100} are used; ` +
        'send it again later, or have the administrator raise the quota',
      { retryAfterSeconds },
    );
    this.name = 'QuotaError';
  }
}

/** What a limit counts, in words. */
const UNITS: Readonly<Record<QuotaKind, string>> = {
  eventsPerSecond: 'rows per second',
  bytesPerDay: 'bytes per day',
  storedBytes: 'stored bytes',
  spendPerDay: 'US dollars per day',
};

const DEFAULT_WARN_AT = 0.8;
/** Pause between readings of the limits and writings of the counters. */
const TICK_MS = 30_000;
const MEASURE_MS = 300_000;
/** A limit that was not near for this long and is again has come near anew. */
const FAR_MS = 60_000;

/** The accounts of a tenant. */
interface Tenancy {
  readonly own: QuotaAccount;
  readonly projects: Map<string, QuotaAccount>;
}

interface QuotaRow extends QuotaOwner {
  readonly limits: string;
}

export class Quotas {
  private readonly options: QuotasOptions;
  private readonly tenants = new Map<string, Tenancy>();
  private readonly timer: NodeJS.Timeout;
  private saved = '';
  private measuredAt = Number.NEGATIVE_INFINITY;
  private version = 0;

  private constructor(options: QuotasOptions) {
    this.options = options;
    this.load();
    this.timer = setInterval(() => void this.tick(), TICK_MS);
    this.timer.unref();
  }

  /** Resolves when the limits are read, or at once when the store is down: it is asked again in the background. */
  static async open(options: QuotasOptions): Promise<Quotas> {
    const quotas = new Quotas(options);
    await quotas.refresh().catch(() => undefined);
    return quotas;
  }

  /**
   * Lets a request in, or throws `QuotaError`. Returns what a warning says: a limit is near; undefined if none is. To be asked
   * before a body is read.
   */
  admit(tenant: string, project = ''): string | undefined {
    const tenancy = this.tenants.get(tenant);
    if (tenancy === undefined) return undefined;
    const account = project === '' ? undefined : tenancy.projects.get(project);
    if (tenancy.own.quota === undefined && account?.quota === undefined) return undefined;
    const warning = this.judge({ tenant, project: '' }, tenancy.own);
    return account === undefined ? warning : (this.judge({ tenant, project }, account) ?? warning);
  }

  /** Counts what was taken: rows, and the bytes that they came in. */
  count({ tenant, project }: Pick<Placement, 'project' | 'tenant'>, rows: number, bytes: number): void {
    const nowMs = this.options.now();
    const tenancy = this.tenancyOf(tenant);
    tenancy.own.count(nowMs, rows, bytes);
    if (project !== '') projectOf(tenancy, project).count(nowMs, rows, bytes);
  }

  /** Counts what was spent, in US dollars. */
  addSpend({ tenant, project }: QuotaOwner, dollars: number): void {
    const nowMs = this.options.now();
    const tenancy = this.tenancyOf(tenant);
    tenancy.own.addSpend(nowMs, dollars);
    if (project !== '') projectOf(tenancy, project).addSpend(nowMs, dollars);
  }

  /** Quotas and use, of all tenants or of one, by name. */
  list(tenant?: string): QuotaState[] {
    const nowMs = this.options.now();
    return [...this.tenants]
      .filter(([name]) => tenant === undefined || name === tenant)
      .flatMap(([name, { own, projects }]) => [
        { tenant: name, project: '', quota: own.quota, use: own.use(nowMs) },
        ...[...projects].map(([project, account]) => ({
          ...{ tenant: name, project },
          ...{ quota: account.quota, use: account.use(nowMs) },
        })),
      ])
      .toSorted((a, b) => (a.tenant === b.tenant ? compare(a.project, b.project) : compare(a.tenant, b.tenant)));
  }

  /** The quota of a tenant or a project and its use, whether there is one or not. */
  state({ tenant, project }: QuotaOwner): QuotaState {
    const tenancy = this.tenants.get(tenant);
    const account = (project === '' ? tenancy?.own : tenancy?.projects.get(project)) ?? new QuotaAccount();
    return { tenant, project, quota: account.quota, use: account.use(this.options.now()) };
  }

  /** Gives a tenant or a project this quota. Rejects with `bad_request` for what is none. */
  async set(wanted: OwnedQuota): Promise<QuotaState> {
    const { tenant, project, limits, warnAt } = checked(wanted);
    await this.write({ tenant, project }, { limits, warnAt });
    await this.measure().catch(() => undefined);
    return this.state(wanted);
  }

  /** Takes a quota away. Rejects with `not_found` if there is none. */
  async remove(owner: QuotaOwner): Promise<QuotaState> {
    if (this.state(owner).quota === undefined)
      throw new AppError('not_found', `cannot remove the quota of ${nameOf(owner)}: there is none`);
    await this.write(owner, undefined);
    return this.state(owner);
  }

  /** Reads the limits again. Rejects when the store is down; the cached ones stay. */
  async refresh(): Promise<void> {
    const { store } = this.options;
    const asked = this.version;
    const rows = await store.rows<QuotaRow>(
      `SELECT tenant, project, limits FROM ${store.target.database}.quotas FINAL WHERE NOT deleted`,
    );
    // What was written here meanwhile is newer.
    if (asked !== this.version) return;
    for (const { own, projects } of this.tenants.values())
      for (const account of [own, ...projects.values()]) account.quota = undefined;
    for (const row of rows) this.accountOf(row).quota = JSON.parse(row.limits) as Quota;
  }

  close(): void {
    clearInterval(this.timer);
    this.save();
  }

  private judge(owner: QuotaOwner, account: QuotaAccount): string | undefined {
    if (account.quota === undefined) return undefined;
    const nowMs = this.options.now();
    const near = account.near(nowMs);
    for (const reached of near) {
      const seenAtMs = account.nearAtMs.get(reached.kind) ?? Number.NEGATIVE_INFINITY;
      account.nearAtMs.set(reached.kind, nowMs);
      if (nowMs - seenAtMs >= FAR_MS) this.options.onNear?.(owner, reached);
    }
    const reached = account.reached(nowMs);
    if (reached !== undefined) throw new QuotaError(owner, reached);
    return near.length === 0 ? undefined : `${nameOf(owner)}: ${near.map(describe).join(', ')}`;
  }

  private async write(owner: QuotaOwner, quota: Quota | undefined): Promise<void> {
    const { store, now, onChange } = this.options;
    const account = this.accountOf(owner);
    const before = account.quota ?? null;
    this.version = Math.max(now(), this.version + 1);
    await store.insertRows('quotas', [
      {
        ...{ tenant: owner.tenant, project: owner.project },
        limits: JSON.stringify(quota ?? {}),
        updated_at: new Date(now()).toISOString().slice(0, 23).replace('T', ' '),
        deleted: quota === undefined,
        version: String(this.version),
      },
    ]);
    account.quota = quota;
    const action = quota === undefined ? 'quota.remove' : 'quota.set';
    onChange?.({ action, ...owner, target: nameOf(owner), before, after: quota ?? null });
  }

  private async tick(): Promise<void> {
    this.save();
    await this.refresh().catch(() => undefined);
    if (this.options.now() - this.measuredAt >= MEASURE_MS) await this.measure().catch(() => undefined);
  }

  private async measure(): Promise<void> {
    const { storedBytes, now } = this.options;
    const isWanted = this.list().some(({ quota }) => quota?.limits.storedBytes !== undefined);
    if (storedBytes === undefined || !isWanted) return;
    this.measuredAt = now();
    for (const { bytes, ...owner } of await storedBytes()) this.accountOf(owner).setStored(bytes);
  }

  private accountOf({ tenant, project }: QuotaOwner): QuotaAccount {
    const tenancy = this.tenancyOf(tenant);
    return project === '' ? tenancy.own : projectOf(tenancy, project);
  }

  private tenancyOf(tenant: string): Tenancy {
    const known = this.tenants.get(tenant);
    if (known !== undefined) return known;
    const made: Tenancy = { own: new QuotaAccount(), projects: new Map() };
    this.tenants.set(tenant, made);
    return made;
  }

  private load(): void {
    const { path } = this.options;
    if (path === undefined) return;
    try {
      const rows = JSON.parse(readFileSync(path, 'utf8')) as readonly (QuotaOwner & { readonly use: SavedUse })[];
      for (const { use, ...owner } of rows) this.accountOf(owner).restore(use);
    } catch {
      // Without it the day begins anew.
    }
  }

  private save(): void {
    const { path } = this.options;
    if (path === undefined) return;
    const rows = [...this.tenants].flatMap(([tenant, { own, projects }]) => [
      { tenant, project: '', use: own.saved() },
      ...[...projects].map(([project, account]) => ({ tenant, project, use: account.saved() })),
    ]);
    const text = JSON.stringify(rows.filter(({ use }) => use.bytes > 0 || use.spend > 0));
    if (text === this.saved) return;
    try {
      writeFileSync(`${path}.tmp`, text, { mode: 0o600 });
      renameSync(`${path}.tmp`, path);
      this.saved = text;
    } catch {
      // A full disk is said elsewhere; the next time will do.
    }
  }
}

function projectOf({ projects }: Tenancy, project: string): QuotaAccount {
  const known = projects.get(project);
  if (known !== undefined) return known;
  const made = new QuotaAccount();
  projects.set(project, made);
  return made;
}

function checked({ tenant, project, limits, warnAt }: OwnedQuota): OwnedQuota {
  checkName('tenant', tenant);
  if (project !== '') checkName('project', project);
  for (const kind of QUOTA_KINDS) {
    const limit = limits[kind];
    if (limit !== undefined && !(Number.isFinite(limit) && limit > 0 && limit <= Number.MAX_SAFE_INTEGER))
      throw new AppError('bad_request', `cannot set ${kind}=${limit}: give a number over 0, or null for no limit`);
  }
  if (!(warnAt > 0 && warnAt <= 1))
    throw new AppError('bad_request', `cannot set warnAt=${warnAt}: give a share of the limit over 0, at most 1`);
  if (Object.keys(limits).length === 0)
    throw new AppError('bad_request', `cannot set a quota without a limit: give one of ${QUOTA_KINDS.join(', ')}`);
  return { tenant, project, limits, warnAt };
}

/** The quota that comes of a former one and a change, in which null takes a limit away. */
export function changedQuota(
  former: Quota | undefined,
  change: Readonly<Partial<Record<QuotaKind, number | null>>>,
  warnAt: number | undefined,
): Quota {
  const limits = Object.entries({ ...former?.limits, ...change }).filter(([, limit]) => typeof limit === 'number');
  return { limits: Object.fromEntries(limits), warnAt: warnAt ?? former?.warnAt ?? DEFAULT_WARN_AT };
}

function nameOf({ tenant, project }: QuotaOwner): string {
  return project === '' ? tenant : `${tenant}/${project}`;
}

function describe({ kind, use, limit }: Reached): string {
  return `${Math.floor((use / limit) * 100)} % of ${limit} ${UNITS[kind]}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
