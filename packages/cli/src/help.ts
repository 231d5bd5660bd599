/** The help pages: one layout for all commands, so that each command only says what is its own. */

import { COMMON_OPTIONS } from './args.ts';
import type { Command, Family } from './command.ts';
import { EXIT_CODE_HELP } from './errors.ts';
import type { Output } from './output.ts';

const TEXT_WIDTH = 100;

/** Commands of the overview, by what a person wants. */
export interface CommandGroup {
  readonly title: string;
  readonly commands: readonly (Command | Family)[];
}

export function printOverview(output: Output, groups: readonly CommandGroup[], version: string): void {
  const bold = (text: string): string => output.paint('bold', text);
  output.line(`${bold('Glasshouse')} ${version}: traces, logs and metrics in; answers by SQL out.`);
  output.line();
  output.line(`${bold('Usage')}  glasshouse COMMAND [OPTIONS]`);
  const width = Math.max(...groups.flatMap(({ commands }) => commands.map(({ name }) => name.length)));
  for (const { title, commands } of groups) {
    output.line();
    output.line(bold(title));
    for (const { name, summary } of commands) output.line(`  ${name.padEnd(width)}  ${summary}`);
  }
  output.line();
  output.line(bold('First steps'));
  output.line('  glasshouse start        start the server in the background');
  output.line('  glasshouse send-test    send it something');
  output.line('  glasshouse sql          ask it');
  output.line();
  output.line('`glasshouse COMMAND --help` explains a command. Every command takes --json.');
  output.line(`Exit codes: ${EXIT_CODE_HELP}.`);
}

export function printHelp(output: Output, command: Command): void {
  const bold = (text: string): string => output.paint('bold', text);
  output.line(`${bold(`glasshouse ${command.name}`)}: ${command.summary}`);
  output.line();
  output.line(
    `${bold('Usage')}  glasshouse ${[command.name, command.usage, '[OPTIONS]'].filter((part) => part !== '').join(' ')}`,
  );
  for (const paragraph of command.description) {
    output.line();
    output.lines(wrap(paragraph, TEXT_WIDTH));
  }
  output.line();
  output.line(bold('Options'));
  const rows = Object.entries({ ...command.options, ...COMMON_OPTIONS }).map(([name, option]) => {
    const short = option.short === undefined ? '    ' : `-${option.short}, `;
    const value = option.type === 'string' ? ` ${option.value ?? 'VALUE'}` : '';
    const fallback = option.fallback === undefined ? '' : ` (default: ${option.fallback})`;
    return [`${short}--${name}${value}`, `${option.description}${fallback}`] as const;
  });
  const width = Math.max(...rows.map(([left]) => left.length));
  for (const [left, right] of rows) {
    const [first = '', ...rest] = wrap(right, TEXT_WIDTH - width - 4);
    output.line(`  ${left.padEnd(width)}  ${first}`);
    for (const line of rest) output.line(' '.repeat(width + 4) + line);
  }
  printEnd(output, command.examples, command.exits ?? EXIT_CODE_HELP, command.more);
}

/** The page of a word that has commands under it. */
export function printFamilyHelp(output: Output, family: Family): void {
  const bold = (text: string): string => output.paint('bold', text);
  output.line(`${bold(`glasshouse ${family.name}`)}: ${family.summary}`);
  output.line();
  output.line(`${bold('Usage')}  glasshouse ${family.name} COMMAND [OPTIONS]`);
  for (const paragraph of family.description) {
    output.line();
    output.lines(wrap(paragraph, TEXT_WIDTH));
  }
  output.line();
  output.line(bold('Commands'));
  const rows = family.members.map(({ name, usage, summary }) => [`${name.split(' ')[1]} ${usage}`, summary] as const);
  const width = Math.max(...rows.map(([left]) => left.length));
  for (const [left, right] of rows) output.line(`  ${left.padEnd(width)}  ${right}`);
  output.line();
  output.line(bold('Options'));
  output.line(
    `  --json, --url, --token, --tenant and more: \`glasshouse ${family.name} COMMAND --help\` explains them`,
  );
  printEnd(output, family.examples, EXIT_CODE_HELP, family.more);
}

function printEnd(output: Output, examples: Command['examples'], exits: string, more: string): void {
  output.line();
  output.line(output.paint('bold', 'Examples'));
  for (const { command: text, what } of examples) {
    output.line(`  ${output.paint('dim', `# ${what}`)}`);
    output.line(`  ${text}`);
  }
  output.line();
  output.lines(wrap(`Exit codes: ${exits}.`, TEXT_WIDTH));
  output.line(`Read on: ${more}`);
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
