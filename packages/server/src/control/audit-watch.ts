/**
 * The watch of the control tables: a store whose writes of resources, tokens, secrets, workspaces, deployments, prices and runs that
 * price again are seen by the audit log. It stands where all of them pass, so that no way of changing a workspace can be forgotten.
 *
 * Must stay true: what is shown of a row is listed here field by field; what a secret is sealed as is not among it. A row that
 * says nothing new, such as the progress of a population, is no change.
 */

import type { Store } from '@glasshouse/store';
import { quoteName } from '@glasshouse/store';
import type { AuditAction } from './audit-actions.ts';
import type { OnChange } from './audit-entry.ts';

export type WatchedStore = Pick<Store, 'insertRows' | 'rows' | 'target'>;

type Row = Readonly<Record<string, unknown>>;

/** A row as it stands in the log; undefined if there is nothing, or nothing any more. */
type Described = { readonly target: string; readonly state: object } | undefined;

interface Watched {
  /** Columns that tell one thing from another. */
  readonly key: readonly string[];
  readonly columns: readonly string[];
  readonly describe: (row: Row) => Described;
  readonly actions: (row: Row) => Readonly<Record<'change' | 'create' | 'remove', AuditAction>>;
}

const WATCHED: Readonly<Record<string, Watched>> = {
  resources: {
    key: ['tenant', 'id'],
    columns: ['tenant', 'id', 'kind', 'name', 'definition', 'built_in', 'deployment', 'deleted'],
    describe: ({ id, name, kind, definition, built_in, deployment, deleted }) => {
      // Those that come with the server are nobody's doing.
      if (deleted === true || built_in === true) return undefined;
      const { pending: _, ...rest } = JSON.parse(String(definition)) as Record<string, unknown>;
      return { target: String(name), state: { id, kind, deployment, definition: rest } };
    },
    actions: ({ kind }) =>
      kind === 'pipe'
        ? { create: 'pipe.create', change: 'pipe.change', remove: 'pipe.drop' }
        : { create: 'datasource.create', change: 'datasource.change', remove: 'datasource.drop' },
  },
  tokens: {
    key: ['tenant', 'id'],
    columns: ['tenant', 'id', 'name', 'description', 'origin', 'scopes', 'granted', 'generation', 'deleted'],
    describe: ({ id, name, description, origin, scopes, granted, generation, deleted }) => {
      if (deleted === true) return undefined;
      const [own, given] = [scopes, granted].map((text) => JSON.parse(String(text)) as unknown);
      return {
        target: String(name),
        state: { id, name, description, origin, scopes: own, granted: given, generation },
      };
    },
    actions: () => ({ create: 'token.create', change: 'token.change', remove: 'token.delete' }),
  },
  secrets: {
    key: ['tenant', 'name'],
    columns: ['tenant', 'name', 'deleted', 'toString(version) AS version'],
    describe: ({ name, version, deleted }) =>
      deleted === true ? undefined : { target: String(name), state: { name, version: String(version) } },
    actions: () => ({ create: 'secret.create', change: 'secret.change', remove: 'secret.delete' }),
  },
  workspaces: {
    key: ['tenant'],
    columns: ['tenant', 'name', 'deleted'],
    describe: ({ name, deleted }) => (deleted === true ? undefined : { target: String(name), state: { name } }),
    actions: () => ({ create: 'workspace.create', change: 'workspace.create', remove: 'workspace.delete' }),
  },
  price_overrides: {
    key: ['tenant', 'id'],
    columns: ['tenant', 'id', 'entry'],
    describe: ({ id, entry }) => ({ target: String(id), state: JSON.parse(String(entry)) as object }),
    actions: () => ({ create: 'prices.override', change: 'prices.override', remove: 'prices.remove' }),
  },
  price_lists: {
    key: ['id'],
    columns: ['id', 'entry'],
    describe: ({ id, entry }) => ({ target: String(id), state: JSON.parse(String(entry)) as object }),
    actions: () => ({ create: 'prices.import', change: 'prices.import', remove: 'prices.remove' }),
  },
  repricings: {
    key: ['id'],
    columns: [
      ...['id', 'tenant', 'status', 'dry_run', 'started_by', 'from_versions', 'to_version'],
      ...['toString(generations) AS generations', 'toString(changed) AS changed'],
      ...['toString(cost_before) AS cost_before', 'toString(cost_after) AS cost_after', 'error'],
    ],
    // How far it is is no news; how it ended is, also of a run that went on after a restart.
    describe: ({ id, status, dry_run: isDry, started_by: by, ...row }) => {
      if (isDry === true) return undefined;
      if (status === 'working') return { target: String(id), state: { status, by } };
      const { from_versions: from, to_version: to, error, cost_before: before, cost_after: after } = row;
      const [generations, changed] = [String(row['generations']), String(row['changed'])];
      return { target: String(id), state: { status, by, from, to, generations, changed, before, after, error } };
    },
    actions: ({ status }) => {
      const action = status === 'cancelled' ? 'prices.cancel' : 'prices.reprice';
      return { create: action, change: action, remove: action };
    },
  },
  deployments: {
    key: ['tenant', 'id'],
    columns: ['tenant', 'id', 'status', 'live'],
    describe: ({ id, status, live }) =>
      status === 'deleted' ? undefined : { target: String(id), state: { id, status, live } },
    actions: () => ({ create: 'deployment.create', change: 'deployment.change', remove: 'deployment.delete' }),
  },
};

/** The store, with every write of a control row told to `onChange` once it is done. */
export function watched(store: WatchedStore, onChange: OnChange): WatchedStore {
  return {
    target: store.target,
    rows: (sql, options) => store.rows(sql, options),
    insertRows: async (table, rows) => {
      const watch = WATCHED[table];
      if (watch === undefined || rows.length === 0) return store.insertRows(table, rows);
      const written = rows as readonly Row[];
      const former = await formerOf(store, table, watch, written);
      await store.insertRows(table, rows);
      for (const row of written) tell(watch, former.get(keyOf(watch, row)), row, onChange);
    },
  };
}

function tell(watch: Watched, former: Row | undefined, row: Row, onChange: OnChange): void {
  const before = former === undefined ? undefined : watch.describe(former);
  const after = watch.describe(row);
  if (JSON.stringify(before) === JSON.stringify(after)) return;
  const actions = watch.actions(row);
  onChange({
    action: before === undefined ? actions.create : after === undefined ? actions.remove : actions.change,
    tenant: typeof row['tenant'] === 'string' ? row['tenant'] : '',
    target: (after ?? before)?.target ?? '',
    before: before?.state ?? null,
    after: after?.state ?? null,
  });
}

/** The present rows of what is about to be written, by key. */
async function formerOf(
  store: WatchedStore,
  table: string,
  watch: Watched,
  rows: readonly Row[],
): Promise<ReadonlyMap<string, Row>> {
  const found = await store.rows<Row>(
    `SELECT ${watch.columns.join(', ')} FROM ${quoteName(store.target.database)}.${table} FINAL
     WHERE concatWithSeparator('\n', ${watch.key.join(', ')}) IN {keys:Array(String)}`,
    { params: { keys: rows.map((row) => keyOf(watch, row)) } },
  );
  return new Map(found.map((row) => [keyOf(watch, row), row]));
}

function keyOf({ key }: Watched, row: Row): string {
  return key.map((column) => String(row[column])).join('\n');
}
