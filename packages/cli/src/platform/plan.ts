/**
 * The plan of a deployment: what the server says would change, and what each change costs. The server decides what changes;
 * the cost in words and rows is worked out here from both definitions, because its answer has names only.
 *
 * Must stay true: whether something may be lost is what the server says. A plan that it accepts only with
 * `allow_destructive_operations` is destructive, whatever is thought of it here.
 */

import type { Change } from '@glasshouse/language';
import { diffResource, parseDataFile } from '@glasshouse/language';
import { AppError } from '@glasshouse/model';
import type { LocalResource, Project } from './project.ts';
import type { DeployAnswer, DeploymentInfo } from './wire.ts';
import type { ResourceKind, Workspace } from './workspace.ts';

export type Impact = 'new' | 'inPlace' | 'rebuild' | 'destructive';

/** What happens to one resource. */
export interface PlanItem {
  readonly action: 'create' | 'change' | 'delete';
  readonly kind: ResourceKind;
  readonly name: string;
  /** The file that describes it; undefined for what is deleted. */
  readonly file?: string | undefined;
  readonly impact: Impact;
  /** Rows that are there, where they are moved or lost. */
  readonly rows?: number | undefined;
  /** What changes, in sentences. */
  readonly messages: readonly string[];
}

/** Something that is wrong with a file, as the server sees it. */
export interface Problem {
  readonly file: string;
  readonly line?: number | undefined;
  readonly message: string;
}

export interface Plan {
  readonly result: 'success' | 'no_changes' | 'failed';
  readonly items: readonly PlanItem[];
  readonly isDestructive: boolean;
  readonly problems: readonly Problem[];
}

/** Has the server check the project. Rejects if it cannot, not if the project is wrong. */
export async function planProject(workspace: Workspace, project: Project): Promise<Plan> {
  const { resources } = project;
  const strict = await workspace.deploy(resources, { check: true });
  if (strict.result === 'no_changes') return { result: 'no_changes', items: [], isDestructive: false, problems: [] };
  const isDestructive = strict.result !== 'success';
  const answer = isDestructive ? await workspace.deploy(resources, { check: true, allowDestructive: true }) : strict;
  if (answer.result !== 'success' || !answer.deployment)
    return { result: 'failed', items: [], isDestructive: false, problems: problemsOf(answer, resources) };
  const lost = new Set(isDestructive ? problemsOf(strict, resources).map(({ file }) => file) : []);
  const items = await itemsOf(workspace, answer.deployment, project);
  return { result: 'success', items: items.map((item) => judged(item, lost)), isDestructive, problems: [] };
}

/** What went wrong, by file where the server names one. */
export function problemsOf(
  { deployment, error, errors }: Pick<DeployAnswer, 'deployment' | 'error' | 'errors'>,
  resources: readonly LocalResource[],
): Problem[] {
  const listed = [...(deployment?.errors ?? []), ...(errors ?? [])].map((one) =>
    problemOf(one.filename ?? '', one.error ?? 'it is not accepted', resources),
  );
  const said = (deployment?.feedback ?? [])
    .filter(({ level }) => level?.toUpperCase() === 'ERROR')
    .map(({ resource, message }) => problemOf(resource ?? '', message ?? 'it is not accepted', resources));
  const all = [...listed, ...said];
  if (all.length === 0) all.push({ file: '', message: error ?? 'the server does not say why' });
  const seen = new Set<string>();
  return all.filter(({ file, message }) => {
    const key = `${file}\n${message}`;
    return seen.has(key) ? false : seen.add(key);
  });
}

/** `name` is a path, or the name of a resource. */
function problemOf(name: string, message: string, resources: readonly LocalResource[]): Problem {
  const local = resources.find(({ sentAs, resource }) => sentAs === name || resource.name === resourceName(name));
  const line = /\bline (\d+)/u.exec(message)?.[1];
  return { file: local?.file ?? name, line: line === undefined ? undefined : Number(line), message };
}

function resourceName(path: string): string {
  return path.replace(/^.*\//u, '').replace(/\.(?:datasource|pipe)$/u, '');
}

async function itemsOf(workspace: Workspace, deployment: DeploymentInfo, project: Project): Promise<PlanItem[]> {
  const sources = await workspace.dataSources();
  const rowsOf = (name: string): number | undefined =>
    sources.find((source) => source.name === name)?.statistics?.row_count ?? undefined;
  const items: PlanItem[] = [];
  for (const { action, kind, name } of namesOf(deployment)) {
    const local = project.resources.find(({ resource }) => resource.kind === kind && resource.name === name);
    // What is said of a file and not of a resource was said here already, when the file was read.
    const said = (deployment.feedback ?? []).flatMap(({ resource, message }) =>
      message && resource === name ? [message] : [],
    );
    const changes = action === 'change' && local !== undefined ? await changesOf(workspace, local) : [];
    const impact = action === 'create' ? 'new' : action === 'delete' ? deletion(kind) : worstOf(changes);
    const rows = kind === 'datasource' && impact !== 'new' && impact !== 'inPlace' ? rowsOf(name) : undefined;
    const messages = said.length > 0 ? said : changes.map(({ message }) => message);
    items.push({ action, kind, name, file: local?.file, impact, rows, messages });
  }
  return items;
}

/** A pipe stores nothing. */
function deletion(kind: ResourceKind): Impact {
  return kind === 'datasource' ? 'destructive' : 'inPlace';
}

function worstOf(changes: readonly Change[]): Impact {
  const ranked = ['inPlace', 'rebuild', 'destructive'] as const;
  return ranked[Math.max(0, ...changes.map(({ impact }) => ranked.indexOf(impact)))] ?? 'inPlace';
}

function judged(item: PlanItem, lost: ReadonlySet<string>): PlanItem {
  return lost.has(item.file ?? item.name) ? { ...item, impact: 'destructive' } : item;
}

/** The names of a deployment's report, one by one. */
export function namesOf(deployment: DeploymentInfo): Pick<PlanItem, 'action' | 'kind' | 'name'>[] {
  const list = (action: PlanItem['action'], kind: ResourceKind, names: readonly string[] | null | undefined) =>
    (names ?? []).map((name) => ({ action, kind, name }));
  return [
    ...list('create', 'datasource', deployment.new_datasource_names),
    ...list('create', 'pipe', deployment.new_pipe_names),
    ...list('change', 'datasource', deployment.changed_datasource_names),
    ...list('change', 'pipe', deployment.changed_pipe_names),
    ...list('delete', 'datasource', deployment.deleted_datasource_names),
    ...list('delete', 'pipe', deployment.deleted_pipe_names),
  ];
}

/** How the server's definition differs from the local one; nothing if the server's cannot be read. */
async function changesOf(workspace: Workspace, { resource }: LocalResource): Promise<readonly Change[]> {
  const { kind, name } = resource;
  try {
    const text = await workspace.dataFile(kind, name);
    return diffResource(parseDataFile(text, { file: `${name}.${kind}` }).resource, resource);
  } catch (error) {
    // It only makes the plan less detailed.
    if (error instanceof AppError && error.code !== 'unavailable') return [];
    throw error;
  }
}
