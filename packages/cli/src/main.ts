/**
 * The command line: the table of commands, and the one place where they are chosen, run and their errors shown. `run` is
 * what the bin script calls; `main` is the same without the process around it.
 */

import { messageOf } from '@glasshouse/model';
import { nearest, parseArguments } from './args.ts';
import type { Command, Context, Family } from './command.ts';
import { isFamily } from './command.ts';
import { audit } from './commands/audit.ts';
import { backup, restore } from './commands/backup.ts';
import { bench } from './commands/bench.ts';
import { config } from './commands/config.ts';
import { dashboard } from './commands/dashboard.ts';
import { datasource } from './commands/datasource.ts';
import { deploy } from './commands/deploy.ts';
import { diff } from './commands/diff.ts';
import { doctor } from './commands/doctor.ts';
import { importFile } from './commands/import.ts';
import { keys } from './commands/keys.ts';
import { logs } from './commands/logs.ts';
import { pipe } from './commands/pipe.ts';
import { prices } from './commands/prices.ts';
import { pull } from './commands/pull.ts';
import { push } from './commands/push.ts';
import { quotas } from './commands/quotas.ts';
import { mirror } from './commands/mirror.ts';
import { redaction } from './commands/redaction.ts';
import { source } from './commands/source.ts';
import { reset } from './commands/reset.ts';
import { sendTest } from './commands/send-test.ts';
import { sql } from './commands/sql.ts';
import { start } from './commands/start.ts';
import { status } from './commands/status.ts';
import { stop } from './commands/stop.ts';
import { tail } from './commands/tail.ts';
import { tenants } from './commands/tenants.ts';
import { token } from './commands/token.ts';
import { exitCodeOf, hintOf, UsageError } from './errors.ts';
import type { CommandGroup } from './help.ts';
import { printFamilyHelp, printHelp, printOverview } from './help.ts';
import { version } from './installation.ts';
import { Output } from './output.ts';

/** Every command, by what a person wants. */
export const GROUPS: readonly CommandGroup[] = [
  { title: 'Run the server', commands: [start, stop, status, logs, doctor, config] },
  { title: 'Send and ask', commands: [sendTest, importFile, sql, tail, dashboard] },
  { title: 'Roll out', commands: [source, mirror] },
  { title: 'Data sources and pipes', commands: [deploy, push, pull, diff, datasource, pipe, token] },
  { title: 'Costs', commands: [prices] },
  { title: 'Who may do what', commands: [keys, tenants, quotas, redaction, audit] },
  { title: 'Look after the data', commands: [backup, restore, reset, bench] },
];

/** Runs one command line (without `node` and the script) and resolves to its exit code. */
export async function main(argv: readonly string[], context: Context): Promise<number> {
  const json = argv.includes('--json');
  try {
    return await dispatch(argv, context);
  } catch (error) {
    if (json) context.output.json({ error: messageOf(error), hint: hintOf(error) });
    context.output.note(`glasshouse: ${messageOf(error)}`, 'red');
    const hint = hintOf(error);
    if (hint !== undefined) context.output.note(hint);
    return exitCodeOf(error);
  }
}

async function dispatch(argv: readonly string[], context: Context): Promise<number> {
  const { output } = context;
  const at = argv.findIndex((word) => !word.startsWith('-'));
  const name = argv[at];
  const rest = argv.filter((_, index) => index !== at);
  const commands = GROUPS.flatMap((group) => group.commands);
  if (name === undefined) {
    const wrong = rest.find((word) => !['--help', '-h', '--version', '-V', '--json'].includes(word));
    if (wrong !== undefined) throw new UsageError(`cannot use ${wrong}: it needs a command`, 'see `glasshouse --help`');
    if (rest.includes('--version') || rest.includes('-V')) {
      if (rest.includes('--json')) output.json({ version: version(), node: process.versions.node });
      else output.line(version());
    } else printOverview(output, GROUPS, version());
    return 0;
  }
  if (name === 'help') return dispatch(rest.includes('--help') ? rest : [...rest, '--help'], context);
  const command = commands.find((one) => one.name === name);
  if (command === undefined) {
    const near = nearest(
      name,
      commands.map((one) => one.name),
    );
    const guess = near === undefined ? '' : `; did you mean ${near}?`;
    throw new UsageError(
      `cannot run ${name}: there is no such command${guess}`,
      '`glasshouse` alone lists the commands',
    );
  }
  return isFamily(command) ? runFamily(command, rest, context) : runCommand(command, rest, context);
}

/** Chooses among the commands under one word; options may stand before the second word. */
async function runFamily(family: Family, argv: readonly string[], context: Context): Promise<number> {
  const verbs = family.members.map((one) => one.name.split(' ')[1] ?? '');
  const at = argv.findIndex((word) => verbs.includes(word));
  const member = family.members[verbs.indexOf(argv[at] ?? '')];
  if (member !== undefined)
    return runCommand(
      member,
      argv.filter((_, index) => index !== at),
      context,
    );
  const wrong = argv.find((word) => !word.startsWith('-'));
  if (wrong === undefined && (argv.includes('--help') || argv.includes('-h'))) {
    printFamilyHelp(context.output, family);
    return 0;
  }
  const near = wrong === undefined ? undefined : nearest(wrong, verbs);
  const what = wrong === undefined ? 'tell what to do' : `use ${family.name} ${wrong}`;
  const guess = near === undefined ? '' : `; did you mean ${near}?`;
  throw new UsageError(
    `cannot ${what}: give one of ${verbs.join(', ')}${guess}`,
    `see \`glasshouse ${family.name} --help\``,
  );
}

async function runCommand(command: Command, argv: readonly string[], context: Context): Promise<number> {
  const own = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv;
  if (own.includes('--help') || own.includes('-h')) {
    printHelp(context.output, command);
    return 0;
  }
  const args = parseArguments(command.name, command.options, command.positionals, argv);
  return command.run(context, args);
}

/** Runs the process's own command line and ends with its exit code. */
export async function run(): Promise<void> {
  // A reader that has seen enough, such as `head`, is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  const code = await main(process.argv.slice(2), {
    output: new Output(process.stdout, process.stderr, process.env),
    env: process.env,
    input: process.stdin,
    screen: process.stdout,
    now: Date.now,
    interruption: () => {
      const controller = new AbortController();
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => controller.abort());
      return controller.signal;
    },
  });
  process.exitCode = code;
}
