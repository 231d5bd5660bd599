/**
 * Changes of resources as steps: each is prepared beside what is live, takes effect while nothing is handed over, and can be
 * undone until the catalogue has it. A request is one step, a deployment many; both go through `commit`.
 *
 * Must stay true: a commit that fails leaves every table and every row as it was. What loses data comes after the rows are
 * written, so that nothing is lost for a change that did not happen.
 */

import type { DataSource, Pipe } from '@glasshouse/model';
import type { DataSources, Rebuild, RebuildProgress, TableChange } from '@glasshouse/store';
import { planChange } from '@glasshouse/store';
import type { DataSourceEntry, PipeEntry, StoredResource } from './resource-row.ts';
import { entryOf, placeOf } from './resource-row.ts';

export type OnProgress = (progress: RebuildProgress) => void;

/** A change of one resource. */
export interface Step {
  readonly kind: 'create' | 'update' | 'drop';
  readonly resource: 'datasource' | 'pipe';
  readonly name: string;
  /** What it does, in words. */
  readonly changes: readonly string[];
  /** What is lost by it, in words; empty for most. */
  readonly losses: readonly string[];
  /** The row as it is to be. */
  readonly row: StoredResource;
  /** Does what can be done beside what is live. */
  prepare?(onProgress: OnProgress, signal?: AbortSignal): Promise<void>;
  /** Ends the preparation for a while: what it needs of the store while it goes on is given back. */
  rest?(): Promise<void>;
  /** Brings the preparation up to date, just before it is needed. */
  catchUp?(onProgress: OnProgress, signal?: AbortSignal): Promise<void>;
  /** Takes effect. Nothing is handed over meanwhile. */
  commit?(): Promise<void>;
  /** Takes the effect back, as far as there is any. */
  undo?(): Promise<void>;
  /** Removes what is no longer needed, after the rows were written. */
  finish?(): Promise<void>;
  /** Removes what was prepared and will not be used. */
  discard?(): Promise<void>;
}

/** What the time of a step and its origin add to a row. */
export interface Stamp {
  readonly at: Date;
  readonly deployment: string;
}

export interface CommitOptions {
  /** Keeps the store free of hand-overs until the returned function is called. No segment may be there in part meanwhile. */
  readonly hold: () => Promise<() => void>;
  /** Writes the rows, all or none. */
  readonly save: (rows: readonly StoredResource[]) => Promise<void>;
  /** Told when it is not known whether everything was taken back: the store may have gone away in the middle. */
  readonly onUnsure?: () => void;
  readonly onProgress?: OnProgress;
  readonly signal?: AbortSignal | undefined;
}

/** Lets prepared steps take effect, all or none. Rejects with the first error, after everything was taken back. */
export async function commit(steps: readonly Step[], options: CommitOptions): Promise<void> {
  for (const step of steps) await step.catchUp?.(options.onProgress ?? (() => undefined), options.signal);
  options.signal?.throwIfAborted();
  const release = await options.hold();
  const begun: Step[] = [];
  try {
    for (const step of steps) {
      begun.push(step);
      await step.commit?.();
    }
    await options.save(steps.map(({ row }) => row));
  } catch (error) {
    // Before anything else is handed over, rows and tables are compared: a row may be written whose answer was lost.
    options.onUnsure?.();
    for (const step of begun.toReversed()) await step.undo?.().catch(() => undefined);
    throw error;
  } finally {
    release();
  }
  // The change is there; what is left of the former state is only in the way.
  for (const step of steps) await step.finish?.().catch(() => undefined);
}

/** Prepares and commits; removes what was prepared if that fails. */
export async function run(steps: readonly Step[], options: CommitOptions): Promise<void> {
  try {
    for (const step of steps) await step.prepare?.(options.onProgress ?? (() => undefined), options.signal);
    await commit(steps, options);
  } catch (error) {
    for (const step of steps) await step.discard?.().catch(() => undefined);
    throw error;
  }
}

/** A data source that was not there. */
export function createStep(
  tables: DataSources,
  definition: DataSource,
  parts: Stamp & { readonly tenant: string; readonly id: string; readonly builtIn: boolean },
): Step {
  const { tenant, id, builtIn, deployment, at } = parts;
  const { name } = definition;
  const row = {
    ...entryOf(
      { tenant, id, name, builtIn, deployment, createdAt: at, updatedAt: at, version: at.getTime() },
      definition,
      1,
    ),
    deleted: false,
  };
  const place = { tenant, id, name, version: 1 };
  return {
    kind: 'create',
    resource: 'datasource',
    name,
    changes: ['creates it'],
    losses: [],
    row,
    // The engine says now whether it will have the definition.
    prepare: () => tables.build(place, definition),
    commit: () => tables.create(place, definition),
    undo: () => tables.drop(place),
    discard: () => tables.discard(place),
  };
}

/** Another definition of a data source. */
export function updateStep(tables: DataSources, entry: DataSourceEntry, definition: DataSource, stamp: Stamp): Step {
  const change = planChange(entry.definition, definition);
  const tableVersion = change.kind === 'rebuild' ? entry.tableVersion + 1 : entry.tableVersion;
  const common = {
    kind: 'update' as const,
    resource: 'datasource' as const,
    name: entry.name,
    changes: change.changes,
    losses: change.losses,
    row: { ...entryOf(changed(entry, stamp), definition, tableVersion, entry.pending), deleted: false },
  };
  if (change.kind === 'none') return common;
  return { ...common, ...(change.kind === 'alter' ? altering : rebuilding)(tables, entry, definition, change) };
}

/** Another definition of a data source that nobody has used: it is made anew, in the place of the one that is there. */
export function takeOverStep(tables: DataSources, entry: DataSourceEntry, definition: DataSource, stamp: Stamp): Step {
  const { forwardQuery } = definition;
  // There is nothing that the query could be run over.
  const asked = forwardQuery === undefined ? {} : { forwardQuery };
  const former = { ...entry, createdAt: stamp.at, definition: { ...entry.definition, ...asked } };
  return { ...updateStep(tables, former, definition, stamp), kind: 'create', changes: ['creates it'], losses: [] };
}

type Acts = Omit<Step, 'changes' | 'kind' | 'losses' | 'name' | 'resource' | 'row'>;

function altering(tables: DataSources, entry: DataSourceEntry, after: DataSource, change: TableChange): Acts {
  const place = placeOf(entry);
  return {
    commit: async () => {
      await tables.alter(place, change.clauses);
      await tables.widenQuarantine(place, after);
    },
    undo: () => tables.revert(place, entry.definition, after),
    finish: () => tables.alter(place, change.drops),
  };
}

function rebuilding(tables: DataSources, entry: DataSourceEntry, after: DataSource): Acts {
  const former = placeOf(entry);
  const place = { ...former, version: former.version + 1 };
  let rebuild: Rebuild | undefined;
  const begin = async (): Promise<Rebuild> => {
    const begun = tables.rebuild(place, entry.definition, after);
    await begun.create();
    rebuild = begun;
    return begun;
  };
  return {
    prepare: async (onProgress, signal) => (await begin()).fill(onProgress, signal),
    rest: async () => rebuild?.rest(),
    // A server that was restarted in between has the table but not how far it got.
    catchUp: async (onProgress, signal) => (rebuild ?? (await begin())).catchUp(onProgress, signal),
    commit: async () => {
      await rebuild?.settle();
      await tables.place(place);
      await tables.widenQuarantine(place, after);
    },
    undo: () => tables.place(former),
    finish: () => tables.discard(former),
    discard: async () => (rebuild === undefined ? tables.discard(place) : rebuild.discard()),
  };
}

/** A data source that is to go. With `keep` its tables are only put out of sight. */
export function dropStep(tables: DataSources, entry: DataSourceEntry, stamp: Stamp, keep: boolean): Step {
  const place = placeOf(entry);
  return {
    kind: 'drop',
    resource: 'datasource',
    name: entry.name,
    changes: ['drops it'],
    losses: ['drops all its rows'],
    row: { ...entry, ...changed(entry, stamp), deleted: true },
    commit: () => tables.hide(place),
    undo: async () => {
      await tables.placeQuarantine(place);
      await tables.place(place);
    },
    ...(keep ? {} : { finish: () => tables.drop(place) }),
  };
}

/** A data source that was dropped by a deployment and is still there, out of sight. */
export function restoreStep(tables: DataSources, entry: DataSourceEntry, stamp: Stamp): Step {
  const place = placeOf(entry);
  return {
    kind: 'create',
    resource: 'datasource',
    name: entry.name,
    changes: ['brings it back with its rows'],
    losses: [],
    row: { ...entry, ...changed(entry, stamp), deleted: false },
    commit: async () => {
      await tables.placeQuarantine(place);
      await tables.place(place);
    },
    undo: () => tables.hide(place),
  };
}

/** A pipe that is new or has another definition. It has no table; its row is all there is. */
export function putPipeStep(
  former: PipeEntry | undefined,
  definition: Pipe,
  parts: Stamp & { readonly tenant: string; readonly id: string },
): Step {
  const { tenant, id, deployment, at } = parts;
  const fresh = {
    tenant,
    id,
    name: definition.name,
    builtIn: false,
    deployment,
    createdAt: at,
    updatedAt: at,
    version: at.getTime(),
  };
  return {
    kind: former === undefined ? 'create' : 'update',
    resource: 'pipe',
    name: definition.name,
    changes: former === undefined ? ['creates it'] : ['changes its definition'],
    losses: [],
    row: {
      ...entryOf(former === undefined ? fresh : changed(former, parts), definition, 0),
      ...filledBefore(former, definition),
      deleted: false,
    },
  };
}

function filledBefore(former: PipeEntry | undefined, definition: Pipe): Pick<PipeEntry, 'filled'> {
  const targetsOf = ({ nodes }: Pipe): string[] =>
    nodes.flatMap(({ type, settings }) => (type === 'materialized' ? (settings['DATASOURCE'] ?? []) : []));
  const all = former === undefined ? [] : [...(former.filled ?? []), ...targetsOf(former.definition)];
  const filled = [...new Set(all)].filter((name) => !targetsOf(definition).includes(name));
  return filled.length === 0 ? {} : { filled };
}

/** A pipe that was dropped and is described again as it was. It is the same: who was let read it is. */
export function restorePipeStep(entry: PipeEntry, stamp: Stamp): Step {
  const row = { ...entry, ...changed(entry, stamp), deleted: false };
  return { kind: 'create', resource: 'pipe', name: entry.name, changes: ['brings it back'], losses: [], row };
}

export function dropPipeStep(entry: PipeEntry, stamp: Stamp): Step {
  return {
    kind: 'drop',
    resource: 'pipe',
    name: entry.name,
    changes: ['drops it'],
    losses: [],
    row: { ...entry, ...changed(entry, stamp), deleted: true },
  };
}

/** What all changes of a row have in common. */
function changed<E extends DataSourceEntry | PipeEntry>(entry: E, { at, deployment }: Stamp) {
  const { tenant, id, name, createdAt } = entry;
  const version = Math.max(at.getTime(), entry.version + 1);
  return {
    tenant,
    id,
    name,
    createdAt,
    builtIn: false,
    deployment: deployment || entry.deployment,
    updatedAt: at,
    version,
  };
}
