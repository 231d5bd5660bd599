/**
 * The record of re-pricings: who changed what is stored, when, from which prices to which, and by how much. It is also what a run goes
 * on from after a restart.
 *
 * Must stay true: a record that has ended is never written again; sums are exact.
 */

import { AppError } from '@glasshouse/model';
import type { Store } from '@glasshouse/store';

export type RepricingStatus = 'working' | 'done' | 'error' | 'cancelled';

/** What changes, for all or for one model. Amounts are whole numbers of 1e-12 dollars, as texts. */
export interface RepricedSum {
  readonly generations: number;
  readonly changed: number;
  /** Had no cost and have one now. */
  readonly found: number;
  /** Had a cost and have none now. */
  readonly lost: number;
  readonly before: string;
  readonly after: string;
}

/** Where a run is. */
export interface RepricingState {
  readonly node: number;
  /** Rows of later segments are priced by newer prices already. */
  readonly bound: string;
  readonly day: string;
  /** The first page of the day that is not done. */
  readonly page: number;
  /** The page up to which changes are being written; their sums are counted. */
  readonly applying: number | undefined;
  readonly models: Readonly<Record<string, RepricedSum>>;
}

export interface RepricingRecord {
  readonly id: string;
  /** Empty for all tenants. */
  readonly tenant: string;
  readonly by: string;
  readonly status: RepricingStatus;
  readonly dryRun: boolean;
  readonly since: Date;
  readonly until: Date;
  /** Versions of the tables that the changed rows were priced by. */
  readonly fromVersions: readonly string[];
  readonly toVersion: string;
  readonly sum: RepricedSum;
  /** From 0 to 100. */
  readonly progress: number;
  readonly state: RepricingState;
  readonly error: string;
  readonly startedAt: Date;
  readonly updatedAt: Date;
}

export const NO_SUM: RepricedSum = { generations: 0, changed: 0, found: 0, lost: 0, before: '0', after: '0' };

/** The sum of two. */
export function addSums(a: RepricedSum, b: RepricedSum): RepricedSum {
  return {
    generations: a.generations + b.generations,
    changed: a.changed + b.changed,
    found: a.found + b.found,
    lost: a.lost + b.lost,
    before: String(BigInt(a.before) + BigInt(b.before)),
    after: String(BigInt(a.after) + BigInt(b.after)),
  };
}

interface Row {
  readonly entry: string;
  readonly tenant: string;
}

export class Repricings {
  private readonly store: Pick<Store, 'insertRows' | 'rows' | 'target'>;
  private version = 0;

  constructor(store: Pick<Store, 'insertRows' | 'rows' | 'target'>) {
    this.store = store;
  }

  async save(record: RepricingRecord, money: (pico: bigint) => string): Promise<void> {
    this.version = Math.max(this.version + 1, record.updatedAt.getTime());
    const { id, tenant, by, status, dryRun, since, until, fromVersions, toVersion, sum, progress, error } = record;
    await this.store.insertRows('repricings', [
      {
        id,
        tenant,
        started_by: by,
        status,
        dry_run: dryRun,
        since: dateTimeText(since),
        until: dateTimeText(until),
        from_versions: [...fromVersions],
        to_version: toVersion,
        generations: sum.generations,
        changed: sum.changed,
        found: sum.found,
        lost: sum.lost,
        cost_before: money(BigInt(sum.before)),
        cost_after: money(BigInt(sum.after)),
        progress,
        state: JSON.stringify(record),
        error,
        started_at: dateTimeText(record.startedAt),
        updated_at: dateTimeText(record.updatedAt),
        version: String(this.version),
      },
    ]);
  }

  /** Rejects with `not_found`. */
  async get(id: string): Promise<RepricingRecord> {
    const [found] = await this.read('id = {id:String}', { id });
    if (found === undefined) throw new AppError('not_found', `cannot find REPRICING=${id.slice(0, 40)}: there is none`);
    return found;
  }

  /** The last ones, newest first; of one tenant if one is named. */
  list(tenant: string | undefined): Promise<RepricingRecord[]> {
    return tenant === undefined ? this.read('true', {}) : this.read('tenant = {tenant:String}', { tenant });
  }

  /** Those that have not ended. */
  working(): Promise<RepricingRecord[]> {
    return this.read("status = 'working'", {});
  }

  private async read(condition: string, params: Readonly<Record<string, unknown>>): Promise<RepricingRecord[]> {
    const rows = await this.store.rows<Row>(
      `SELECT state AS entry, tenant FROM ${this.store.target.database}.repricings FINAL
       WHERE ${condition} ORDER BY started_at DESC, id LIMIT 200`,
      { params },
    );
    return rows.map(({ entry }) => {
      const record = JSON.parse(entry) as RepricingRecord;
      const date = (name: 'since' | 'startedAt' | 'until' | 'updatedAt'): Date => new Date(record[name]);
      return {
        ...record,
        since: date('since'),
        until: date('until'),
        startedAt: date('startedAt'),
        updatedAt: date('updatedAt'),
      };
    });
  }
}

/** As a DateTime64(3, 'UTC') column takes it. */
function dateTimeText(date: Date): string {
  return date.toISOString().slice(0, 23).replace('T', ' ');
}
