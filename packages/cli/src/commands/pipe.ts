/** `pipe`: the family of commands on pipes: listing, running endpoints and copies, and who calls them. */

import type { Arguments } from '../args.ts';
import type { Command, Context, Family } from '../command.ts';
import { confirm } from '../confirm.ts';
import { EXIT_CODES } from '../errors.ts';
import type { Output } from '../output.ts';
import { minuteText, needed, WORKSPACE_OPTIONS, workspaceOf, YES_OPTION } from '../platform/command.ts';
import type { NodeInfo, ParameterInfo, PipeInfo } from '../platform/wire.ts';
import { printable } from '../width.ts';
import { copy, run, stats } from './pipe-run.ts';

const MORE = 'docs/guides/data-platform.md';

const ls: Command = {
  name: 'pipe ls',
  summary: 'list the pipes with their types',
  usage: '',
  description: [
    'Lists the pipes of the workspace. The type says what a pipe is for: endpoint answers requests, materialized fills a data source ' +
      'as rows come in, copy fills one when it is run, default only serves other pipes.',
  ],
  options: {
    ...WORKSPACE_OPTIONS,
    type: { type: 'string', value: 'NAME', description: 'Only these: endpoint, materialized, copy, sink, default' },
  },
  positionals: 0,
  examples: [
    { command: 'glasshouse pipe ls', what: 'all of them' },
    { command: 'glasshouse pipe ls --type endpoint', what: 'what applications can call' },
  ],
  more: MORE,
  run: async (context, args) => {
    const { output } = context;
    const type = args.choice('type', ['endpoint', 'materialized', 'copy', 'sink', 'default']);
    const found = (await workspaceOf(context, args).pipes()).filter(
      (pipe) => type === undefined || typeOf(pipe) === type,
    );
    if (args.flag('json')) output.json({ pipes: found });
    else if (found.length === 0) output.line('No pipes; `glasshouse push pipes/NAME.pipe` makes one.');
    else {
      output.table(
        ['Name', 'Type', 'Nodes', 'Changed', 'Description'].map((title) => ({ title })),
        found.map((pipe) => [
          pipe.name,
          typeOf(pipe),
          (pipe.nodes ?? []).map(({ name }) => name).join(', '),
          minuteText(pipe.updated_at),
          pipe.description ?? '',
        ]),
      );
    }
    return EXIT_CODES.ok;
  },
};

function typeOf({ type, endpoint }: PipeInfo): string {
  return type ?? (endpoint ? 'endpoint' : 'default');
}

const show: Command = {
  name: 'pipe show',
  summary: 'show nodes, SQL and parameters of a pipe',
  usage: 'NAME',
  description: [
    'Shows what a pipe does: its nodes with their SQL, and the parameters that it takes with their types and defaults. --file prints ' +
      'its data file instead, which `glasshouse push` takes back.',
  ],
  options: { ...WORKSPACE_OPTIONS, file: { type: 'boolean', description: 'Print the data file' } },
  positionals: 1,
  examples: [
    { command: 'glasshouse pipe show top_pages', what: 'for a person' },
    { command: 'glasshouse pipe show top_pages --file > top_pages.pipe', what: 'as a data file' },
  ],
  more: 'docs/reference/templates.md for parameters',
  run: async (context, args) => {
    const { output } = context;
    const workspace = workspaceOf(context, args);
    const name = needed(args, 'pipe show', 'the name of a pipe');
    if (args.flag('file')) {
      const text = await workspace.dataFile('pipe', name);
      if (args.flag('json')) output.json({ name, datafile: text });
      else output.line(text.trimEnd());
      return EXIT_CODES.ok;
    }
    const info = await workspace.pipe(name);
    if (args.flag('json')) output.json(info);
    else describe(output, info, workspace.client.url);
    return EXIT_CODES.ok;
  },
};

function describe(output: Output, info: PipeInfo, url: string): void {
  const nodes = info.nodes ?? [];
  const type = typeOf(info);
  const pairs: [string, string][] = [
    ['Name', info.name],
    ['Description', info.description ?? ''],
    ['Type', type],
    ['Address', type === 'endpoint' ? `${url}/v0/pipes/${info.name}.json` : ''],
  ];
  output.pairs(pairs.filter(([, value]) => value !== '').map(([name, value]) => [name, printable(value)]));
  const parameters = parametersOf(nodes);
  if (parameters.length > 0) {
    output.line();
    output.table(
      ['Parameter', 'Type', 'Default', 'Description'].map((title) => ({ title })),
      parameters.map((one) => [one.name, one.type ?? '', defaultOf(one), one.description ?? '']),
    );
  }
  for (const node of nodes) {
    output.line();
    output.line(output.paint('bold', `${printable(node.name)}${nodeType(node)}`));
    for (const line of (node.sql ?? '').trim().split('\n')) output.line(`  ${printable(line)}`);
  }
}

/** Each once: nodes may take the same one. */
function parametersOf(nodes: readonly NodeInfo[]): ParameterInfo[] {
  const byName = new Map<string, ParameterInfo>();
  for (const one of nodes.flatMap(({ params }) => params ?? [])) if (!byName.has(one.name)) byName.set(one.name, one);
  return [...byName.values()];
}

function defaultOf({ default: fallback, required }: ParameterInfo): string {
  if (fallback !== undefined && fallback !== null)
    return typeof fallback === 'string' ? fallback : JSON.stringify(fallback);
  return required === true ? '(needed)' : '';
}

function nodeType({ type, node_type }: NodeInfo): string {
  const shown = node_type ?? type ?? '';
  return ['', 'standard', 'default'].includes(shown) ? '' : ` (${shown})`;
}

const rm: Command = {
  name: 'pipe rm',
  summary: 'delete a pipe',
  usage: 'NAME',
  description: [
    'Deletes a pipe, after asking. Its endpoint answers no more; what a materialized pipe has filled stays. `glasshouse deploy` ' +
      'deletes what a project no longer has, and can bring it back.',
  ],
  options: { ...WORKSPACE_OPTIONS, ...YES_OPTION },
  positionals: 1,
  examples: [
    { command: 'glasshouse pipe rm top_pages', what: 'after asking' },
    { command: 'glasshouse pipe rm top_pages --yes', what: 'in a script' },
  ],
  more: '`glasshouse deploy --help`',
  run: async (context, args) => removePipe(context, args),
};

async function removePipe(context: Context, args: Arguments): Promise<number> {
  const { output } = context;
  const workspace = workspaceOf(context, args);
  const { name, type } = await workspace.pipe(needed(args, 'pipe rm', 'the name of a pipe'));
  const what = type === 'endpoint' ? `pipe ${name}, whose endpoint is called by others perhaps` : `pipe ${name}`;
  if (!(await confirm(context, args, `Delete ${what}?`))) return EXIT_CODES.declined;
  await workspace.remove(`/v0/pipes/${encodeURIComponent(name)}`);
  if (args.flag('json')) output.json({ deleted: name });
  else output.line(`Deleted pipe ${name}.`);
  return EXIT_CODES.ok;
}

export const pipe: Family = {
  name: 'pipe',
  summary: 'run, look at and remove pipes and their endpoints',
  description: [
    'A pipe is SQL in steps, called nodes, kept under a name. One of them may be published: as an endpoint that applications call ' +
      'with parameters, as a materialization or a copy into a data source. Pipes are made by `glasshouse push` and `deploy`.',
  ],
  members: [ls, show, run, copy, stats, rm],
  examples: [
    { command: 'glasshouse pipe run top_pages limit=5', what: 'call an endpoint' },
    { command: 'glasshouse pipe show top_pages', what: 'what it does and takes' },
    { command: 'glasshouse pipe stats', what: 'how often and how fast' },
  ],
  more: MORE,
};
