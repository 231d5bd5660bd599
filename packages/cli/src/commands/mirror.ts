/** `mirror`: events of a tenant go to a second destination too. */

import { readFileSync } from 'node:fs';
import { messageOf } from '@glasshouse/model';
import type { Arguments } from '../args.ts';
import { SERVER_OPTIONS } from '../args.ts';
import type { Client } from '../client.ts';
import type { Command, Context } from '../command.ts';
import { UsageError } from '../errors.ts';
import { clientOf } from '../target.ts';

const PATH = '/api/v1/mirror';
const HINT = 'see `glasshouse mirror --help`';

interface Status {
  readonly sentLines: number;
  readonly sentBatches: number;
  readonly refusedRows: number;
  readonly queuedBytes: number;
  readonly queuedLines: number;
  readonly oldestAt: string | null;
  readonly deadBatches: number;
  readonly deadQueuedLines: number;
  readonly dropped: Readonly<Record<string, number>>;
  readonly filteredLines: number;
  readonly retries: number;
  readonly exactlyOnce: boolean | null;
  readonly nextAttemptAt: string | null;
  readonly lastError: { readonly at: string; readonly status: number; readonly reason: string } | null;
}

interface Mirror {
  readonly tenant: string;
  readonly url: string;
  readonly sources: readonly string[];
  readonly percent: number;
  readonly limitBytes: number;
  readonly paused: boolean;
  readonly tokenSetAt: string;
  readonly status: Status | null;
}

export const mirror: Command = {
  name: 'mirror',
  summary: "send a tenant's events to a second server too",
  usage: 'show|status|set|remove|retry',
  description: [
    'set names the server, which is one of Tinybird or another Glasshouse, and a token of it that may append. Events that are taken from ' +
      'then on go there too, from a queue on disk: while that server is away they wait, and nobody who sends notices. What is not given stays.',
    'show lists the mirrors, status says how they stand. retry sends again what that server refused. remove takes a mirror away, and ' +
      'what waits for it. set, remove and retry need the admin token.',
  ],
  options: {
    ...SERVER_OPTIONS,
    tenant: { type: 'string', value: 'NAME', description: 'Whose mirror (set, remove, retry: default)' },
    to: { type: 'string', value: 'URL', description: 'set: the other server, such as https://api.tinybird.co' },
    'to-token-file': { type: 'string', value: 'FILE', description: 'set: file with a token of the other server' },
    source: {
      type: 'string',
      value: 'NAME',
      multiple: true,
      description: 'set: data sources that are mirrored; * for all (default: all)',
    },
    percent: { type: 'string', value: 'NUMBER', description: 'set: share of the events that is mirrored (100)' },
    'limit-mib': { type: 'string', value: 'NUMBER', description: 'set: MiB that may wait on disk (1024)' },
    pause: { type: 'boolean', description: 'set: collect, and send nothing' },
    resume: { type: 'boolean', description: 'set: send again' },
  },
  positionals: 1,
  examples: [
    {
      command: 'glasshouse mirror set --to https://api.tinybird.co --to-token-file tinybird.token --percent 10',
      what: 'a tenth of the events goes to Tinybird too',
    },
    { command: 'glasshouse mirror status', what: 'what was sent, what waits, what went wrong' },
    { command: 'glasshouse mirror retry', what: 'send what was refused, once the reason is gone' },
  ],
  more: 'docs/guides/roll-out.md',
  run: (context, args) => {
    const [verb] = args.positionals;
    // Here --tenant says whose mirror it is, not for whom to act.
    const client = clientOf(context, args.without('tenant'));
    switch (verb) {
      case undefined:
      case 'show':
      case 'status':
        return show(context, args, client, verb === 'status');
      case 'set':
        return set(context, args, client);
      case 'remove':
        return remove(context, args, client);
      case 'retry':
        return retry(context, args, client);
      default:
        throw new UsageError(`cannot use mirror ${verb}: give show, status, set, remove or retry`, HINT);
    }
  },
};

async function show({ output }: Context, args: Arguments, client: Client, isStatus: boolean): Promise<number> {
  const { mirrors } = await client.json<{ readonly mirrors: readonly Mirror[] }>('GET', PATH + queryOf(args));
  if (args.flag('json')) output.json({ mirrors });
  else if (mirrors.length === 0) output.line('No mirrors: events stay on this server.');
  else if (isStatus) for (const one of mirrors) for (const line of statusLines(one)) output.line(line);
  else {
    output.table(
      ['Tenant', 'To', 'Data sources', 'Percent', 'Limit', 'State'].map((title) => ({ title })),
      mirrors.map(({ tenant, url, sources, percent, limitBytes, paused }) => [
        tenant,
        url,
        sources.join(',') || '*',
        String(percent),
        `${Math.round(limitBytes / 2 ** 20)} MiB`,
        paused ? 'paused' : 'on',
      ]),
    );
  }
  return 0;
}

function statusLines({ tenant, url, paused, status }: Mirror): string[] {
  const head = `${tenant} to ${url}${paused ? ' (paused)' : ''}`;
  if (status === null) return [head, '  nothing is known yet'];
  const dropped = Object.entries(status.dropped).filter(([, lines]) => lines > 0);
  const { lastError, exactlyOnce } = status;
  const once = exactlyOnce === null ? '' : exactlyOnce ? ', exactly once' : ', at least once';
  return [
    head,
    `  sent       ${status.sentLines} events in ${status.sentBatches} batches${once}; ${status.retries} attempts failed`,
    `  waiting    ${status.queuedLines} events, ${status.queuedBytes} bytes${status.oldestAt === null ? '' : `, since ${status.oldestAt}`}`,
    `  put aside  ${status.deadQueuedLines} events in ${status.deadBatches} batches`,
    ...(status.refusedRows > 0 ? [`  quarantine ${status.refusedRows} events did not fit there`] : []),
    ...(status.filteredLines > 0 ? [`  left out   ${status.filteredLines} events of tokens with a write filter`] : []),
    ...(dropped.length > 0 ? [`  dropped    ${dropped.map(([why, lines]) => `${lines} (${why})`).join(', ')}`] : []),
    ...(lastError === null
      ? []
      : [`  error      ${lastError.at} ${lastError.status === 0 ? '' : `${lastError.status} `}${lastError.reason}`]),
    ...(status.nextAttemptAt === null ? [] : [`  next       ${status.nextAttemptAt}`]),
  ];
}

async function set({ output }: Context, args: Arguments, client: Client): Promise<number> {
  const sources = args.list('source');
  if (args.flag('pause') && args.flag('resume')) throw new UsageError('cannot pause and resume: give one', HINT);
  const file = args.text('to-token-file');
  const made = await client.json<Mirror>('PUT', PATH, {
    tenant: args.text('tenant'),
    url: args.text('to'),
    ...(file === undefined ? {} : { token: tokenIn(file) }),
    ...(sources.length === 0 ? {} : { sources: sources.filter((name) => name !== '*') }),
    ...(args.text('percent') === undefined ? {} : { percent: args.share('percent') }),
    ...(args.text('limit-mib') === undefined ? {} : { limitBytes: args.whole('limit-mib', 1) * 2 ** 20 }),
    ...(args.flag('pause') ? { paused: true } : args.flag('resume') ? { paused: false } : {}),
  });
  if (args.flag('json')) output.json(made);
  else
    output.line(`Events of tenant ${made.tenant} go to ${made.url} too${made.paused ? ', once it is resumed' : ''}.`);
  return 0;
}

function tokenIn(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new UsageError(`cannot read --to-token-file=${file}: ${messageOf(cause)}`, HINT);
  }
}

async function remove({ output }: Context, args: Arguments, client: Client): Promise<number> {
  await client.answer(PATH + queryOf(args), { method: 'DELETE' });
  if (args.flag('json')) output.json({ removed: true });
  else output.line('Removed the mirror.');
  return 0;
}

async function retry({ output }: Context, args: Arguments, client: Client): Promise<number> {
  const { batches } = await client.json<{ readonly batches: number }>('POST', `${PATH}/retry${queryOf(args)}`);
  if (args.flag('json')) output.json({ batches });
  else output.line(batches === 0 ? 'Nothing was put aside.' : `Sending ${batches} batches again.`);
  return 0;
}

function queryOf(args: Arguments): string {
  const tenant = args.text('tenant');
  return tenant === undefined ? '' : `?tenant=${encodeURIComponent(tenant)}`;
}
