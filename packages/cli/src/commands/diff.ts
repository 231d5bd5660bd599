/**
 * `diff`: how a folder of data files differs from the workspace. Both are written in one way before they are compared, so that
 * only what they mean counts.
 */

import { diffResource, formatDataFile } from '@glasshouse/language';
import type { Change } from '@glasshouse/language';
import { AppError } from '@glasshouse/model';
import type { Arguments } from '../args.ts';
import { SERVER_OPTIONS, TENANT_OPTION } from '../args.ts';
import type { Command, Context } from '../command.ts';
import { EXIT_CODES, exitCodeOf, OwnExitError } from '../errors.ts';
import type { Output } from '../output.ts';
import { unifiedDiff } from '../platform/line-diff.ts';
import { presentProject } from '../platform/present.ts';
import type { LocalResource } from '../platform/project.ts';
import { readFolder } from '../platform/project.ts';
import { showProblems } from '../platform/show-plan.ts';
import type { ResourceKind } from '../platform/workspace.ts';
import { Workspace } from '../platform/workspace.ts';
import { clientOf } from '../target.ts';
import { printable } from '../width.ts';

const TROUBLE = 2;

export const diff: Command = {
  name: 'diff',
  summary: 'show how data files differ from the workspace',
  usage: '[DIR]',
  description: [
    'Compares the data files of DIR (default: here) with the workspace and shows what `glasshouse deploy` would change: lines with - ' +
      'are on the server, lines with + are here. Comments, blank lines and the order of directives make no difference.',
    'The exit code is that of diff: 0 if nothing differs, 1 if something does.',
  ],
  options: {
    ...SERVER_OPTIONS,
    ...TENANT_OPTION,
    summary: { type: 'boolean', short: 's', description: 'Sentences instead of lines: what changes in each' },
  },
  positionals: 1,
  examples: [
    { command: 'glasshouse diff analytics', what: 'line by line' },
    { command: 'glasshouse diff --summary', what: 'in sentences' },
    { command: 'glasshouse diff --json | jq ".differences[].name"', what: 'for a script' },
  ],
  more: '`glasshouse deploy --check`, which also says what the change costs',
  exits: '0 the same, 1 something differs, 2 wrong usage or a failure, 3 the server is not running or not reachable',
  run: async (context, args) => {
    try {
      return await compare(context, args);
    } catch (error) {
      // A script must be able to tell a difference from a failure.
      if (error instanceof AppError && exitCodeOf(error) === EXIT_CODES.failed) throw new OwnExitError(TROUBLE, error);
      throw error;
    }
  },
};

interface Difference {
  readonly state: 'changed' | 'only here' | 'only on the server';
  readonly kind: ResourceKind;
  readonly name: string;
  readonly file: string;
  readonly changes: readonly Change[];
  readonly lines: readonly string[];
}

async function compare(context: Context, args: Arguments): Promise<number> {
  const { output } = context;
  const local = readFolder(args.positionals[0] ?? '.');
  if (local.problems.length > 0) {
    if (args.flag('json'))
      output.json({ error: 'cannot compare: the data files have mistakes', problems: local.problems });
    else showProblems(output, local.problems);
    return TROUBLE;
  }
  const present = await presentProject(new Workspace(clientOf(context, args)));
  const differences = [
    ...local.resources.flatMap((own) => differenceOf(present.find(isOf(own)), own)),
    ...present.filter((other) => !local.resources.some(isOf(other))).map(onlyThere),
  ];
  if (args.flag('json')) output.json({ differences });
  else if (differences.length === 0) output.line('Nothing differs.');
  else for (const difference of differences) show(output, difference, args.flag('summary'));
  return differences.length === 0 ? EXIT_CODES.ok : EXIT_CODES.failed;
}

function isOf({ resource }: LocalResource): (other: LocalResource) => boolean {
  return (other) => other.resource.name === resource.name && other.resource.kind === resource.kind;
}

function differenceOf(remote: LocalResource | undefined, own: LocalResource): Difference[] {
  const { kind, name } = own.resource;
  const text = formatDataFile(own.resource);
  const common = { kind, name, file: own.file };
  if (remote === undefined) return [{ ...common, state: 'only here', changes: [], lines: unifiedDiff('', text) }];
  const changes = diffResource(remote.resource, own.resource);
  const lines = unifiedDiff(formatDataFile(remote.resource), text);
  return changes.length === 0 && lines.length === 0 ? [] : [{ ...common, state: 'changed', changes, lines }];
}

function onlyThere({ resource, file }: LocalResource): Difference {
  const { kind, name } = resource;
  return {
    state: 'only on the server',
    kind,
    name,
    file,
    changes: [],
    lines: unifiedDiff(formatDataFile(resource), ''),
  };
}

const COLOURS = { '+': 'green', '-': 'red', '@': 'cyan' } as const;

function show(output: Output, { state, kind, name, file, changes, lines }: Difference, inSentences: boolean): void {
  if (inSentences) {
    output.line(`${kind} ${printable(name)}: ${state}`);
    for (const { message } of changes) output.line(`  ${printable(message)}`);
    return;
  }
  const path = printable(file.replaceAll('\\', '/'));
  output.line(output.paint('bold', `--- ${state === 'only here' ? '/dev/null' : `server/${name}.${kind}`}`));
  output.line(output.paint('bold', `+++ ${state === 'only on the server' ? '/dev/null' : path}`));
  for (const line of lines) {
    const colour = COLOURS[line.charAt(0) as keyof typeof COLOURS] as (typeof COLOURS)['+'] | undefined;
    output.line(colour === undefined ? printable(line) : output.paint(colour, printable(line)));
  }
}
