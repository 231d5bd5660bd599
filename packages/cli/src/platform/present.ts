/**
 * The project that a workspace has now, as data files: what `pull` writes, what `diff` compares with, and what `push` keeps.
 *
 * Must stay true: it has no data source that came with the server and that nobody has changed, because those belong to no
 * project, and deploying one would make it part of it.
 */

import { AppError } from '@glasshouse/model';
import { DataFileError, parseDataFile } from '@glasshouse/language';
import type { LocalResource, Project } from './project.ts';
import { namesOf } from './plan.ts';
import type { PipeInfo } from './wire.ts';
import type { ResourceKind, Workspace } from './workspace.ts';

/** A name as the grammar has them; another one must not become part of a path. */
const NAME = /^[A-Za-z_]\w{0,199}$/u;

/** Every resource of the workspace's project, read from the server's data files. */
export async function presentProject(workspace: Workspace): Promise<readonly LocalResource[]> {
  const names = await presentNames(workspace);
  const folders = foldersOf(await workspace.pipes());
  const resources: LocalResource[] = [];
  for (const { kind, name } of names) {
    const sentAs = `${kind === 'datasource' ? 'datasources' : (folders.get(name) ?? 'pipes')}/${name}.${kind}`;
    resources.push(readPresent(sentAs, await workspace.dataFile(kind, name)));
  }
  return resources;
}

/** What an empty project would delete is what the present one has. */
async function presentNames(
  workspace: Workspace,
): Promise<readonly { readonly kind: ResourceKind; readonly name: string }[]> {
  const answer = await workspace.deploy([], { check: true, allowDestructive: true });
  if (answer.result === 'no_changes') return [];
  if (answer.result !== 'success' || !answer.deployment)
    throw new AppError('internal', `cannot tell what the workspace has: ${answer.error ?? 'the server does not say'}`);
  const names = namesOf(answer.deployment).filter(({ action }) => action === 'delete');
  const odd = names.find(({ name }) => !NAME.test(name));
  if (odd === undefined) return names;
  throw new AppError('internal', `cannot use the name of a ${odd.kind}: the server sent ${JSON.stringify(odd.name)}`);
}

/** Folders as Tinybird's command line names them. */
function foldersOf(pipes: readonly PipeInfo[]): ReadonlyMap<string, string> {
  const byType: Readonly<Record<string, string>> = {
    endpoint: 'endpoints',
    materialized: 'materializations',
    copy: 'copies',
    sink: 'sinks',
  };
  return new Map(pipes.map(({ name, type }) => [name, byType[type ?? ''] ?? 'pipes']));
}

function readPresent(sentAs: string, text: string): LocalResource {
  try {
    return { file: sentAs, sentAs, text, resource: parseDataFile(text, { file: sentAs }).resource };
  } catch (cause) {
    if (!(cause instanceof DataFileError)) throw cause;
    throw new AppError('internal', `cannot read what the server says of ${sentAs}: ${cause.message}`, { cause });
  }
}

/** The files together with everything of the workspace that none of them describes. */
export async function beside(workspace: Workspace, files: Project): Promise<Project> {
  const given = new Set(files.resources.map(({ resource }) => resource.name));
  const others = (await presentProject(workspace)).filter(({ resource }) => !given.has(resource.name));
  const taken = new Set(others.map(({ sentAs }) => sentAs));
  const own = files.resources.map((local) =>
    taken.has(local.sentAs) ? { ...local, sentAs: `pushed/${local.sentAs}` } : local,
  );
  return { ...files, resources: [...own, ...others] };
}
