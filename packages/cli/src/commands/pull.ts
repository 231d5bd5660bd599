/**
 * `pull`: the workspace written down as data files.
 *
 * Must stay true: a file that says something else than the server is not touched without --force, and one that says the same
 * keeps its words.
 */

import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { diffResource } from '@glasshouse/language';
import { SERVER_OPTIONS, TENANT_OPTION } from '../args.ts';
import type { Command, Context } from '../command.ts';
import { EXIT_CODES } from '../errors.ts';
import { findDataFiles } from '../platform/files.ts';
import { presentProject } from '../platform/present.ts';
import type { LocalResource } from '../platform/project.ts';
import { readFolder } from '../platform/project.ts';
import { Workspace } from '../platform/workspace.ts';
import { clientOf } from '../target.ts';

export const pull: Command = {
  name: 'pull',
  summary: 'write the data sources and pipes of the workspace as files',
  usage: '[DIR]',
  description: [
    'Writes a data file for every data source and pipe to DIR (default: here): to where there is a file for it already, else to ' +
      'datasources, endpoints, materializations, copies, sinks or pipes. A file that says the same is left as it is.',
    'A file that says something else is not overwritten, but named, and the exit code is 1; `glasshouse diff` shows what differs, ' +
      'and --force overwrites it. What comes with the server, and what you have here only, is left alone.',
  ],
  options: {
    ...SERVER_OPTIONS,
    ...TENANT_OPTION,
    force: { type: 'boolean', short: 'f', description: 'Overwrite files that say something else' },
  },
  positionals: 1,
  examples: [
    { command: 'glasshouse pull analytics', what: 'into the folder analytics' },
    { command: 'glasshouse pull analytics --force', what: 'whatever is in the files' },
  ],
  more: '`glasshouse diff --help`, docs/guides/data-platform.md',
  run: async (context, args) => {
    const folder = args.positionals[0] ?? '.';
    const present = await presentProject(new Workspace(clientOf(context, args)));
    const local = existsSync(folder) ? localFiles(folder) : new Map<string, LocalFile>();
    const outcomes = present.map((remote) => {
      const there = local.get(basename(remote.sentAs));
      const state = stateOf(remote, there, args.flag('force'));
      const file = there?.file ?? join(folder, remote.sentAs);
      if (state === 'new' || state === 'changed') writeDataFile(file, remote.text, state);
      return { kind: remote.resource.kind, name: remote.resource.name, file, state };
    });
    return report(context, outcomes, args.flag('json'));
  },
};

type State = 'new' | 'changed' | 'same' | 'differs';

interface Outcome {
  readonly kind: string;
  readonly name: string;
  readonly file: string;
  readonly state: State;
}

interface LocalFile {
  readonly file: string;
  /** Undefined if the file has mistakes. */
  readonly local: LocalResource | undefined;
}

/** Data files of a folder by their names, which are those of their resources. */
function localFiles(folder: string): ReadonlyMap<string, LocalFile> {
  const { resources } = readFolder(folder);
  return new Map(
    findDataFiles(folder).dataFiles.map((path) => {
      const file = join(folder, path);
      return [basename(path), { file, local: resources.find((one) => one.file === file) }];
    }),
  );
}

function stateOf({ resource }: LocalResource, there: LocalFile | undefined, force: boolean): State {
  if (there === undefined) return 'new';
  const own = there.local?.resource;
  if (own !== undefined && own.kind === resource.kind && diffResource(own, resource).length === 0) return 'same';
  return force ? 'changed' : 'differs';
}

function writeDataFile(file: string, text: string, state: 'new' | 'changed'): void {
  mkdirSync(dirname(file), { recursive: true });
  // A file that appeared meanwhile is somebody's too.
  writeFileSync(file, text, { flag: state === 'new' ? 'wx' : 'w' });
}

function report({ output }: Context, outcomes: readonly Outcome[], json: boolean): number {
  const left = outcomes.filter(({ state }) => state === 'differs');
  if (json) output.json({ files: outcomes });
  else {
    for (const { file, state } of outcomes) {
      if (state === 'new') output.line(`${output.paint('green', '+')} ${file}`);
      else if (state === 'changed') output.line(`${output.paint('yellow', '~')} ${file}`);
      else if (state === 'differs')
        output.line(`${output.paint('red', '!')} ${file}: says something else, left as it is`);
    }
    const same = outcomes.filter(({ state }) => state === 'same').length;
    if (outcomes.length === 0) output.line('The workspace has no data sources or pipes of its own.');
    else output.line(`${outcomes.length - same - left.length} written, ${same} the same, ${left.length} left.`);
    if (left.length > 0) output.note('`glasshouse diff` shows what differs; --force overwrites.');
  }
  return left.length > 0 ? EXIT_CODES.failed : EXIT_CODES.ok;
}
