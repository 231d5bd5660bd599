/**
 * Pipes that every workspace has without deploying anything. They are written as data files (`built-in-pipes/`), answer like
 * endpoints of the workspace's own, and are stored nowhere.
 *
 * Must stay true: whatever a workspace has of the same name takes the place of a built-in one. Changes, deployments and grants of
 * tokens look at the catalogue alone, where none of these is; so nobody drops, alters or pulls one.
 */

import { createHash } from 'node:crypto';
import type { Pipe, Resource } from '@glasshouse/model';
import { invariant } from '@glasshouse/model';
import type { ListedView } from '@glasshouse/store';
import type { Catalog } from './catalog.ts';
import { COST_PIPES } from './built-in-pipes/costs.ts';
import { GENERATION_PIPES } from './built-in-pipes/generations.ts';
import { EVENT_PIPES, EVENTS_SOURCE } from './built-in-pipes/llm-events.ts';
import { TEMPLATE_PIPES } from './built-in-pipes/template.ts';
import { readResource } from './project.ts';
import type { PipeEntry } from './resource-row.ts';

/**
 * Data files by the names of their pipes. Each reads views of the shared database by their full names: those are nobody's to take;
 * or the workspace's `llm_events`.
 */
const FILES: Readonly<Record<string, string>> = {
  ...GENERATION_PIPES,
  ...EVENT_PIPES,
  ...TEMPLATE_PIPES,
  ...COST_PIPES,
};

/** What can be called in a workspace: what is in the catalogue, and the built-in pipes. */
export type Callables = Pick<Catalog, 'dataSource' | 'dataSources' | 'pipe' | 'pipes'> & { readonly revision: number };

/** Every stored row has a later version. */
const NOT_STORED = 0;

type Among = Pick<Catalog, 'dataSource' | 'dataSources' | 'find' | 'pipe' | 'pipes' | 'revision'>;

/** The built-in pipes. Their definitions are the same objects for as long as the server runs. */
export function builtInPipes(): readonly Pipe[] {
  return Object.entries(FILES).map(([name, text]) => {
    const pipe = readResource(name, 'pipe', text);
    invariant(pipe.kind === 'pipe' && pipe.name === name, `BUG: the data file of ${name} is of no pipe of this name`);
    return pipe;
  });
}

/** The catalogue with the built-in pipes behind what the workspaces have themselves. `since` is what they are said to be as old as. */
export function withBuiltIn(catalog: Among, definitions: readonly Pipe[], since: Date): Callables {
  const byName = new Map(definitions.map((definition) => [definition.name, definition]));
  const entryOf = (tenant: string, definition: Pipe): PipeEntry => ({
    kind: 'pipe',
    tenant,
    id: builtInId(tenant, definition.name),
    name: definition.name,
    builtIn: true,
    deployment: '',
    createdAt: since,
    updatedAt: since,
    version: NOT_STORED,
    definition,
  });
  const isFree = (tenant: string, name: string): boolean => catalog.find(tenant, name) === undefined;
  const builtIn = (tenant: string, which: string): PipeEntry | undefined => {
    const named =
      byName.get(which) ??
      (which.startsWith('t_') ? definitions.find(({ name }) => builtInId(tenant, name) === which) : undefined);
    return named === undefined || !isFree(tenant, named.name) ? undefined : entryOf(tenant, named);
  };
  return {
    get revision() {
      return catalog.revision;
    },
    dataSource: (tenant, which) => catalog.dataSource(tenant, which),
    dataSources: (tenant) => catalog.dataSources(tenant),
    pipe: (tenant, which) => catalog.pipe(tenant, which) ?? builtIn(tenant, which),
    pipes: (tenant) => [
      ...catalog.pipes(tenant),
      ...definitions.filter(({ name }) => isFree(tenant, name)).map((definition) => entryOf(tenant, definition)),
    ],
  };
}

/** True for a pipe that every workspace has, as against one that the server has stored for itself. */
export function isEverywhere({ version }: PipeEntry): boolean {
  return version === NOT_STORED;
}

/** Built-in pipes that are what others make a view for, as a workspace finds them among its tables. */
export function builtInViews(tenant: string, callables: Pick<Callables, 'dataSource' | 'pipe'>): readonly ListedView[] {
  if (callables.dataSource(tenant, EVENTS_SOURCE) === undefined) return [];
  return Object.keys(EVENT_PIPES).flatMap((name) => {
    const entry = callables.pipe(tenant, name);
    const [node] = entry?.definition.nodes ?? [];
    if (entry === undefined || node === undefined || !isEverywhere(entry)) return [];
    return [{ name, columnsOf: EVENTS_SOURCE, select: node.sql.trim() }];
  });
}

/** Built-in pipes whose names none of the resources has. */
export function besides(resources: readonly Resource[], definitions: readonly Pipe[]): readonly Pipe[] {
  const taken = new Set(resources.map(({ name }) => name));
  return definitions.filter(({ name }) => !taken.has(name));
}

/** The same on every server, so that what is recorded of its use stays together. */
function builtInId(tenant: string, name: string): string {
  return `t_${createHash('sha256').update(`built-in pipe ${tenant} ${name}`).digest('hex').slice(0, 32)}`;
}
