/** `source`: data sources are switched on and off, and let in by percent. */

import type { Arguments } from '../args.ts';
import { SERVER_OPTIONS } from '../args.ts';
import type { Client } from '../client.ts';
import type { Command, Context } from '../command.ts';
import { UsageError } from '../errors.ts';
import { clientOf } from '../target.ts';

const PATH = '/api/v1/sources';
const HINT = 'see `glasshouse source --help`';

interface Source {
  readonly tenant: string;
  readonly name: string;
  readonly enabled: boolean;
  readonly percent: number;
  readonly mirrorPercent: number | null;
  readonly key: string;
  readonly leftOut: { readonly requests: number; readonly events: number };
}

export const source: Command = {
  name: 'source',
  summary: 'switch a data source on and off, or let in a share of its events',
  usage: 'show|set NAME|remove NAME',
  description: [
    'set switches a data source off or on, or takes a percentage of its events only. Which ones is decided by a hash of the field --key, ' +
      'or of the whole event: the same user, or the same event, is always chosen alike, and more percent add to those that are in already.',
    'It holds at once. Events that are left out are answered as taken, with a warning, so that nobody fails or sends again. remove lets ' +
      'everything in again. set and remove need the admin token.',
  ],
  options: {
    ...SERVER_OPTIONS,
    tenant: { type: 'string', value: 'NAME', description: 'Whose data source (set, remove: default)' },
    on: { type: 'boolean', description: 'set: take events' },
    off: { type: 'boolean', description: 'set: take no events' },
    percent: { type: 'string', value: 'NUMBER', description: 'set: share of the events that is taken (100)' },
    'mirror-percent': {
      type: 'string',
      value: 'NUMBER',
      description: 'set: share that goes to the mirror (default: as the mirror says)',
    },
    key: {
      type: 'string',
      value: 'FIELD',
      description: 'set: field that decides, such as metadata.user (whole event)',
    },
  },
  positionals: 2,
  examples: [
    {
      command: 'glasshouse source set image_events --percent 10 --key user_id',
      what: 'events of a tenth of the users',
    },
    { command: 'glasshouse source set image_events --off', what: 'take nothing more, at once' },
    { command: 'glasshouse source show', what: 'what is set, and how much was left out' },
  ],
  more: 'docs/guides/roll-out.md',
  run: (context, args) => {
    const [verb, name] = args.positionals;
    // Here --tenant says whose data source it is, not for whom to act.
    const client = clientOf(context, args.without('tenant'));
    if (verb === 'show' || verb === undefined) return show(context, args, client);
    if (verb === 'set') return set(context, args, client, named(verb, name));
    if (verb === 'remove') return remove(context, args, client, named(verb, name));
    throw new UsageError(`cannot use source ${verb}: give show, set or remove`, HINT);
  },
};

function named(verb: string, name: string | undefined): string {
  if (name === undefined) throw new UsageError(`cannot ${verb} without a data source: give its name`, HINT);
  return name;
}

async function show({ output }: Context, args: Arguments, client: Client): Promise<number> {
  const tenant = args.text('tenant');
  const query = tenant === undefined ? '' : `?tenant=${encodeURIComponent(tenant)}`;
  const { sources } = await client.json<{ readonly sources: readonly Source[] }>('GET', PATH + query);
  const shown =
    args.positionals[1] === undefined ? sources : sources.filter(({ name }) => name === args.positionals[1]);
  if (args.flag('json')) output.json({ sources: shown });
  else if (shown.length === 0) output.line('Nothing is set: all events are taken.');
  else {
    output.table(
      ['Tenant', 'Data source', 'State', 'Percent', 'Mirrored', 'Key', 'Left out'].map((title) => ({ title })),
      shown.map(({ tenant: owner, name, enabled, percent, mirrorPercent, key, leftOut }) => [
        owner,
        name,
        enabled ? 'on' : 'off',
        String(percent),
        mirrorPercent === null ? '-' : String(mirrorPercent),
        key || '-',
        `${leftOut.events} events, ${leftOut.requests} requests`,
      ]),
    );
  }
  return 0;
}

async function set({ output }: Context, args: Arguments, client: Client, name: string): Promise<number> {
  if (args.flag('on') && args.flag('off')) throw new UsageError('cannot switch on and off: give one', HINT);
  const made = await client.json<Source>('PUT', PATH, {
    tenant: args.text('tenant'),
    name,
    ...(args.flag('on') ? { enabled: true } : args.flag('off') ? { enabled: false } : {}),
    ...(args.text('percent') === undefined ? {} : { percent: args.share('percent') }),
    ...(args.text('mirror-percent') === undefined ? {} : { mirrorPercent: args.share('mirror-percent') }),
    key: args.text('key'),
  });
  if (args.flag('json')) output.json(made);
  else output.line(`${made.name} of tenant ${made.tenant} ${made.enabled ? `takes ${made.percent} %` : 'is off'}.`);
  return 0;
}

async function remove({ output }: Context, args: Arguments, client: Client, name: string): Promise<number> {
  const query = new URLSearchParams({ name });
  const tenant = args.text('tenant');
  if (tenant !== undefined) query.set('tenant', tenant);
  await client.answer(`${PATH}?${query.toString()}`, { method: 'DELETE' });
  if (args.flag('json')) output.json({ removed: true });
  else output.line(`${name} takes all events.`);
  return 0;
}
