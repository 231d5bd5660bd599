/** `prices reprice`: the server prices again what is stored; here is the asking, and following the run to its end. */

import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '@glasshouse/model';
import { SERVER_OPTIONS, TENANT_OPTION } from '../args.ts';
import type { Arguments } from '../args.ts';
import type { Client } from '../client.ts';
import type { Command, Context } from '../command.ts';
import { UsageError } from '../errors.ts';
import { countText } from '../output.ts';
import { clientOf } from '../target.ts';
import { MORE, PRICES } from './prices-text.ts';

const PATH = `${PRICES}/repricings`;
const POLL_MS = 300;

interface Sum {
  readonly generations: number;
  readonly changed: number;
  readonly found: number;
  readonly lost: number;
  readonly before: string;
  readonly after: string;
}

interface Run extends Sum {
  readonly id: string;
  readonly tenant: string | null;
  readonly by: string;
  readonly status: 'cancelled' | 'done' | 'error' | 'working';
  readonly dryRun: boolean;
  readonly since: string;
  readonly until: string;
  readonly fromVersions: readonly string[];
  readonly toVersion: string;
  readonly progress: number;
  readonly error: string;
  readonly startedAt: string;
  readonly models: readonly (Sum & { readonly provider: string; readonly model: string })[];
}

export const reprice: Command = {
  name: 'prices reprice',
  summary: 'price again what is stored, by the present prices',
  usage: '--since DAY',
  description: [
    'Calculates the cost of every stored generation since DAY with the present prices and writes what differs, exactly; shows how many ' +
      'change and the sum before and after. --dry-run says the same and writes nothing. Done twice it changes nothing the second time.',
    'The server does it in the background while ingestion goes on: Ctrl-C leaves it running, a restart goes on where it was, and --list ' +
      'shows who priced what again, from which prices to which. --cancel ID ends a run; what it wrote stays.',
    'With the admin token it is about all tenants, unless --tenant names one.',
  ],
  options: {
    ...SERVER_OPTIONS,
    ...TENANT_OPTION,
    since: { type: 'string', value: 'DAY', description: 'From this day or time in UTC on (needed)' },
    until: { type: 'string', value: 'DAY', description: 'Before this day or time in UTC (default: all since)' },
    'dry-run': { type: 'boolean', description: 'Say what would change, and change nothing' },
    detach: { type: 'boolean', description: 'Do not wait for the end' },
    list: { type: 'boolean', description: 'List the runs so far' },
    follow: { type: 'string', value: 'ID', description: 'Wait for a run that was started before' },
    cancel: { type: 'string', value: 'ID', description: 'End a run' },
  },
  positionals: 0,
  examples: [
    { command: 'glasshouse prices reprice --since 2026-11-01 --dry-run', what: 'what would change' },
    {
      command: 'glasshouse prices reprice --since 2026-11-01 --until 2026-11-15 --tenant acme',
      what: 'two weeks of a tenant',
    },
    { command: 'glasshouse prices reprice --list', what: 'the record of all runs' },
  ],
  more: MORE,
  run: async (context, args) => {
    const client = clientOf(context, args);
    if (args.flag('list')) return list(context, args, client);
    const cancelled = args.text('cancel');
    if (cancelled !== undefined) {
      const run = await client.json<Run>('DELETE', `${PATH}?id=${encodeURIComponent(cancelled)}`);
      if (args.flag('json')) context.output.json(run);
      else context.output.line(`Run ${run.id} is ${run.status}.`);
      return 0;
    }
    const run = await begin(args, client);
    return args.flag('detach') ? tell(context, args, run) : tell(context, args, await follow(context, client, run));
  },
};

function begin(args: Arguments, client: Client): Promise<Run> {
  const id = args.text('follow');
  if (id !== undefined) return client.json<Run>('GET', `${PATH}?id=${encodeURIComponent(id)}`);
  const [since, until] = [args.text('since'), args.text('until')];
  if (since === undefined)
    throw new UsageError(
      'cannot reprice without --since: say from which day on',
      'see `glasshouse prices reprice --help`',
    );
  return client.json<Run>('POST', PATH, {
    since,
    ...(until === undefined ? {} : { until }),
    dryRun: args.flag('dry-run'),
  });
}

async function follow({ output, now }: Context, client: Client, begun: Run): Promise<Run> {
  const progress = output.progress(now);
  let run = begun;
  try {
    while (run.status === 'working') {
      progress.update(
        `Pricing again: ${Math.floor(run.progress)}%, ${countText(run.changed)} of ${countText(run.generations)} change`,
      );
      await sleep(POLL_MS);
      run = await client.json<Run>('GET', `${PATH}?id=${encodeURIComponent(run.id)}`);
    }
  } finally {
    progress.end();
  }
  return run;
}

function tell({ output }: Context, args: Arguments, run: Run): number {
  if (args.flag('json')) output.json(run);
  else if (run.status === 'working')
    output.line(`Run ${run.id} is under way; \`glasshouse prices reprice --follow ${run.id}\` waits for it.`);
  else if (run.status === 'done') {
    const verb = run.dryRun ? 'would change' : 'changed';
    output.line(
      `${countText(run.changed)} of ${countText(run.generations)} generations ${verb}, from $${run.before} to $${run.after}.`,
    );
    output.pairs([
      ['Get a cost', countText(run.found)],
      ['Lose theirs', countText(run.lost)],
      ['Prices', `${run.fromVersions.join(', ') || 'unchanged'} → ${run.toVersion}`],
      ['Run', run.id],
    ]);
    if (run.models.length > 0) {
      output.line();
      output.table(
        [
          { title: 'Provider' },
          { title: 'Model' },
          { title: 'Changed', align: 'right' },
          { title: 'Before', align: 'right' },
          { title: 'After', align: 'right' },
        ],
        run.models.map(({ provider, model, changed, before, after }) => [
          provider,
          model,
          countText(changed),
          `$${before}`,
          `$${after}`,
        ]),
      );
    }
  } else
    throw new AppError(
      'internal',
      `cannot finish run ${run.id}: it is ${run.status}${run.error === '' ? '' : `: ${run.error}`}`,
    );
  return run.status === 'done' || run.status === 'working' ? 0 : 1;
}

async function list({ output }: Context, args: Arguments, client: Client): Promise<number> {
  const answer = await client.json<{ readonly repricings: readonly Run[] }>('GET', PATH);
  if (args.flag('json')) output.json(answer);
  else if (answer.repricings.length === 0) output.line('Nothing was priced again so far.');
  else
    output.table(
      [
        { title: 'Id' },
        { title: 'Started' },
        { title: 'By' },
        { title: 'Tenant' },
        { title: 'State' },
        { title: 'Changed', align: 'right' },
        { title: 'Before', align: 'right' },
        { title: 'After', align: 'right' },
      ],
      answer.repricings.map((run) => [
        run.id,
        run.startedAt.slice(0, 16).replace('T', ' '),
        run.by,
        run.tenant ?? 'all',
        run.dryRun ? `${run.status}, dry` : run.status,
        countText(run.changed),
        `$${run.before}`,
        `$${run.after}`,
      ]),
    );
  return 0;
}
