/** `push`: single data files into a workspace, which keeps everything else. */

import { SERVER_OPTIONS, TENANT_OPTION } from '../args.ts';
import type { Command } from '../command.ts';
import { UsageError } from '../errors.ts';
import { readFiles } from '../platform/project.ts';
import { RELEASE_EXITS, RELEASE_OPTIONS, release } from '../platform/release.ts';
import { beside } from '../platform/present.ts';
import { Workspace } from '../platform/workspace.ts';
import { clientOf } from '../target.ts';

export const push: Command = {
  name: 'push',
  summary: 'add or change single data sources and pipes',
  usage: 'FILE…',
  description: [
    'Deploys the given .datasource and .pipe files and leaves everything else of the workspace alone. All of them take effect ' +
      'together, or none; several that depend on each other may be given in any order.',
    'It is a deployment like that of `glasshouse deploy`: with the same plan, the same questions, and a way back.',
  ],
  options: { ...SERVER_OPTIONS, ...TENANT_OPTION, ...RELEASE_OPTIONS },
  positionals: Number.POSITIVE_INFINITY,
  examples: [
    { command: 'glasshouse push datasources/visits.datasource', what: 'make a data source, or change it' },
    { command: 'glasshouse push datasources/*.datasource pipes/top_pages.pipe', what: 'several at once' },
    { command: 'glasshouse push --check pipes/top_pages.pipe', what: 'only look' },
  ],
  more: '`glasshouse deploy --help`, docs/reference/data-files.md',
  exits: RELEASE_EXITS,
  run: async (context, args) => {
    const paths = args.positionals;
    if (paths.length === 0)
      throw new UsageError('cannot push: give one data file or more', '`glasshouse deploy DIR` takes a whole folder');
    const wrong = paths.find((path) => !/\.(?:datasource|pipe)$/u.test(path));
    if (wrong !== undefined) {
      throw new UsageError(
        `cannot push file=${wrong}: it is no .datasource and no .pipe`,
        '`glasshouse deploy DIR` takes a folder, `glasshouse datasource append NAME FILE` takes rows',
      );
    }
    const workspace = new Workspace(clientOf(context, args));
    const files = readFiles(paths);
    const project = files.problems.length > 0 ? files : await beside(workspace, files);
    return release({ context, args, workspace, project });
  },
};
