/** The table of the audit log: rows are added, each once, and read. */

import type { Store } from '@glasshouse/store';
import type { AuditRow } from './audit-entry.ts';

export type AuditStore = Pick<Store, 'insertRows' | 'rows' | 'target'>;

export interface AuditFilter {
  /** Rows about this tenant only. */
  readonly tenant?: string | undefined;
  /** An action, or a kind of actions: `key`. */
  readonly action?: string | undefined;
  readonly since?: Date | undefined;
  readonly until?: Date | undefined;
  readonly limit: number;
}

export class AuditTable {
  private readonly store: AuditStore;

  constructor(store: AuditStore) {
    this.store = store;
  }

  /** Rows, newest first. Rejects with `unavailable` when the store is down. */
  async read({ tenant, action, since, until, limit }: AuditFilter): Promise<AuditRow[]> {
    const { store } = this;
    const conditions = [
      ...(tenant === undefined ? [] : ['tenant_id = {tenant:String}']),
      ...(action === undefined
        ? []
        : ["(action = {action:String} OR startsWith(action, concat({action:String}, '.')))"]),
      ...(since === undefined ? [] : ["time >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')"]),
      ...(until === undefined ? [] : ["time < fromUnixTimestamp64Milli({until:Int64}, 'UTC')"]),
    ];
    return store.rows<AuditRow>(
      `SELECT * FROM ${store.target.database}.audit_log FINAL
       ${conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`} ORDER BY time DESC, id DESC LIMIT {limit:UInt32}`,
      {
        params: {
          limit,
          ...(tenant === undefined ? {} : { tenant }),
          ...(action === undefined ? {} : { action }),
          ...(since === undefined ? {} : { since: since.getTime() }),
          ...(until === undefined ? {} : { until: until.getTime() }),
        },
      },
    );
  }

  /** Inserts the rows that the table lacks: an insert may have been done whose answer was lost. */
  async insert(rows: readonly AuditRow[]): Promise<void> {
    if (rows.length === 0) return;
    const { store } = this;
    const since = rows.reduce((least, { time }) => (time < least ? time : least), rows[0]?.time ?? '');
    const there = await store.rows<{ readonly id: string }>(
      `SELECT id FROM ${store.target.database}.audit_log
       WHERE time >= toDateTime64({since:String}, 3, 'UTC') AND id IN {ids:Array(String)}`,
      { params: { since, ids: rows.map(({ id }) => id) }, settings: { select_sequential_consistency: 1 } },
    );
    const known = new Set(there.map(({ id }) => id));
    await store.insertRows(
      'audit_log',
      rows.filter(({ id }) => !known.has(id)),
    );
  }
}
