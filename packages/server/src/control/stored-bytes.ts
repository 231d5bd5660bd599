/**
 * How many bytes tenants and their projects have stored, about. Tables of data sources belong to one tenant, so their size is
 * known; those of facts are shared, and a tenant's share of one is that of its rows.
 *
 * Must stay true: it reads the first columns of the sorting keys only, which are dictionaries and take next to no time.
 */

import type { Store } from '@glasshouse/store';
import { quoteName, tenantDatabase } from '@glasshouse/store';
import type { StoredBytes } from './quotas.ts';

interface Size {
  readonly database: string;
  readonly table: string;
  readonly bytes: string;
  readonly count: string;
}

interface Share {
  readonly tenant: string;
  readonly project: string;
  readonly rows: string;
}

export function storedBytesOf(store: Pick<Store, 'rows' | 'target'>, tenants: () => readonly string[]): StoredBytes {
  return async () => {
    const sizes = await store.rows<Size>(
      `SELECT database, table, toString(sum(bytes_on_disk)) AS bytes, toString(sum(rows)) AS count FROM system.parts
       WHERE active AND (database = {facts:String} OR database LIKE 'tenant\\_%') GROUP BY \`table\`, database`,
      { params: { facts: store.target.database } },
    );
    const totals = new Map<string, Map<string, number>>();
    const add = (tenant: string, project: string, bytes: number): void => {
      const projects = totals.get(tenant) ?? new Map<string, number>();
      totals.set(tenant, projects);
      projects.set(project, (projects.get(project) ?? 0) + bytes);
    };
    for (const tenant of tenants()) {
      const own = sizes.filter(({ database }) => database === tenantDatabase(tenant));
      add(
        tenant,
        '',
        own.reduce((sum, { bytes }) => sum + Number(bytes), 0),
      );
    }
    const { database } = store.target;
    const keyed = await store.rows<{ readonly table: string }>(
      "SELECT DISTINCT table FROM system.columns WHERE database = {facts:String} AND name = 'project_id' AND is_in_sorting_key",
      { params: { facts: database } },
    );
    const keys = new Set(keyed.map(({ table }) => table));
    for (const { table, bytes, count } of sizes.filter((size) => size.database === database && keys.has(size.table))) {
      const shares = await store.rows<Share>(
        `SELECT toString(tenant_id) AS tenant, toString(project_id) AS project, toString(count()) AS rows
         FROM ${quoteName(database)}.${quoteName(table)} GROUP BY tenant, project`,
        { settings: { max_threads: 1 } },
      );
      for (const share of shares) {
        const part = (Number(bytes) * Number(share.rows)) / Math.max(1, Number(count));
        add(share.tenant, '', part);
        if (share.project !== '') add(share.tenant, share.project, part);
      }
    }
    return [...totals].flatMap(([tenant, projects]) =>
      [...projects].map(([project, bytes]) => ({ tenant, project, bytes: Math.round(bytes) })),
    );
  };
}
