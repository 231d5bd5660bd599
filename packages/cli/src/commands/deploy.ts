/** `deploy`: a folder of data files takes the place of what the workspace has; and the way back. */

import type { Arguments } from '../args.ts';
import { SERVER_OPTIONS, TENANT_OPTION } from '../args.ts';
import type { Command, Context } from '../command.ts';
import { UsageError } from '../errors.ts';
import { readProject } from '../platform/project.ts';
import { RELEASE_EXITS, RELEASE_OPTIONS, release } from '../platform/release.ts';
import { listDeployments, rollBack } from '../platform/rollback.ts';
import { Workspace } from '../platform/workspace.ts';
import { clientOf } from '../target.ts';

export const deploy: Command = {
  name: 'deploy',
  summary: 'make the workspace what the data files of a folder say',
  usage: '[DIR]',
  description: [
    'Reads every .datasource and .pipe file of DIR (default: here) and of the folders in it, puts the fragments that INCLUDE names ' +
      'in their place, and shows mistakes with file, line and what to write instead. Then the server makes a plan, which is shown: ' +
      'what is new (+), what changes (~) and whether that rewrites rows, what is deleted (-).',
    'The project is deployed as a whole or not at all: tables are made and filled beside those that are live, and change places ' +
      'when all of them are ready, without a gap for senders and readers. A deployment that fails, or that Ctrl-C ends, leaves ' +
      'everything as it was. Before rows or values are lost it asks; a script says --allow-destructive.',
    '--rollback returns to the deployment before, or to the one whose id is given; rows that came in since stay, and data sources ' +
      'that were deleted come back with theirs. The last five deployments are kept for that.',
  ],
  options: {
    ...SERVER_OPTIONS,
    ...TENANT_OPTION,
    ...RELEASE_OPTIONS,
    wait: { type: 'boolean', description: 'Wait until it is live, which it does anyway' },
    rollback: { type: 'boolean', description: 'Return to the deployment before; or to ID, in the place of DIR' },
    list: { type: 'boolean', description: 'List the deployments that are there' },
  },
  positionals: 1,
  examples: [
    { command: 'glasshouse deploy --check', what: 'is it right, and what would change? for a pull request' },
    { command: 'glasshouse deploy analytics', what: 'deploy the folder analytics' },
    { command: 'glasshouse deploy --allow-destructive', what: 'in a script, when the plan may delete' },
    { command: 'glasshouse deploy --list', what: 'what was deployed' },
    { command: 'glasshouse deploy --rollback', what: 'back to what was live before' },
  ],
  more: 'docs/guides/data-platform.md, docs/reference/data-files.md',
  exits: RELEASE_EXITS,
  run: async (context, args) => {
    const workspace = new Workspace(clientOf(context, args));
    const chosen = ['check', 'rollback', 'list'].filter((name) => args.flag(name));
    if (chosen.length > 1) throw new UsageError(`cannot use --${chosen.join(' and --')} together: give one of them`);
    const [given] = args.positionals;
    if (args.flag('list')) return list(context, args, workspace, given);
    if (args.flag('rollback')) return rollBack({ context, args, workspace, wanted: given });
    return release({ context, args, workspace, project: readProject(given ?? '.') });
  },
};

async function list(
  context: Context,
  args: Arguments,
  workspace: Workspace,
  given: string | undefined,
): Promise<number> {
  if (given !== undefined) throw new UsageError(`cannot use --list with ${given}: it lists all`);
  return listDeployments(context.output, workspace, args.flag('json'));
}
