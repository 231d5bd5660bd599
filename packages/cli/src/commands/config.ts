/** `config`: every setting with its value and where it comes from; also the generator of the reference page. */

import { SETTINGS } from '@glasshouse/server';
import type { Setting } from '@glasshouse/server';
import { DATA_OPTIONS } from '../args.ts';
import type { Command, Environment } from '../command.ts';
import { configOf, environmentOf } from '../target.ts';

const MASK = '********';

interface Row {
  readonly name: string;
  readonly value: string | null;
  readonly origin: 'default' | 'environment' | 'file';
}

export const config: Command = {
  name: 'config',
  summary: 'show the configuration and where each value comes from',
  usage: '',
  description: [
    'The server is configured by environment variables, read once at its start. This shows what a server would be started with here ' +
      'and now; secrets are masked. A secret can also be given as a file, whose path is in NAME_FILE.',
  ],
  options: {
    ...DATA_OPTIONS,
    check: { type: 'boolean', description: 'Only check; exit code 2 and every fault if something is wrong' },
    reference: { type: 'boolean', description: 'Print the reference page of all settings, in Markdown' },
  },
  positionals: 0,
  examples: [
    { command: 'glasshouse config', what: 'what a start would use' },
    { command: 'GLASSHOUSE_PORT=80000 glasshouse config --check', what: 'find faults' },
    { command: 'glasshouse config --reference > docs/reference/configuration.md', what: 'write the reference page' },
  ],
  more: 'docs/reference/configuration.md',
  run: async ({ output, env }, args) => {
    if (args.flag('reference')) {
      output.lines(referenceLines());
      return 0;
    }
    const rows = rowsOf(environmentOf(env, args), configOf(env, args));
    if (args.flag('check')) {
      if (args.flag('json')) output.json({ ok: true });
      else output.line('The configuration is good.');
    } else if (args.flag('json')) output.json(Object.fromEntries(rows.map(({ name, ...rest }) => [name, rest])));
    else {
      output.table(
        [{ title: 'Setting' }, { title: 'Value' }, { title: 'From' }],
        rows.map(({ name, value, origin }) => [
          name,
          value ?? { text: 'not set', paint: (text) => output.paint('dim', text) },
          origin,
        ]),
      );
    }
    return 0;
  },
};

function rowsOf(env: Environment, values: Readonly<Record<string, unknown>>): Row[] {
  return (Object.entries(SETTINGS) as [string, Setting<unknown>][]).map(([key, { name, secret }]) => {
    const value = values[key];
    const fromFile = secret === true && Boolean(env[`${name}_FILE`]);
    const origin = fromFile ? 'file' : env[name] ? 'environment' : 'default';
    const text = typeof value === 'string' || typeof value === 'number' ? String(value) : null;
    return { name, value: text !== null && secret === true ? MASK : text, origin };
  });
}

/** The reference page: every setting that there is, in the order in which they are declared, formatted as Prettier would. */
function referenceLines(): string[] {
  const rows = (Object.values(SETTINGS) as Setting<unknown>[]).map(({ name, defaultText, description, secret }) => {
    const twin = secret === true ? ` Secret; \`${name}_FILE\` names a file that holds it instead.` : '';
    return [`\`${name}\``, defaultText === 'none' ? 'none' : `\`${defaultText}\``, description + twin];
  });
  return [
    '# Configuration',
    '',
    'Glasshouse is configured by environment variables, which the server reads once at its start. This page is generated: change',
    '`packages/server/src/config.ts`, then run `glasshouse config --reference > docs/reference/configuration.md`.',
    '',
    '`glasshouse config` shows the values in use and `glasshouse config --check` finds faults. Sizes take the units KiB, MiB and GiB.',
    '',
    ...markdownTable(['Variable', 'Default', 'What it is'], rows),
  ];
}

function markdownTable(titles: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const cells = [titles, ...rows].map((row) => row.map((text) => text.replaceAll('|', String.raw`\|`)));
  const widths = titles.map((_, index) => Math.max(...cells.map((row) => (row[index] ?? '').length)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((text, index) => text.padEnd(widths[index] ?? 0)).join(' | ')} |`;
  const [head = [], ...body] = cells;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)];
}
