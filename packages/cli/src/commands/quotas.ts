/** `quotas`: how much tenants and their projects may send, store and spend. */

import type { Arguments } from '../args.ts';
import { SERVER_OPTIONS } from '../args.ts';
import type { Client } from '../client.ts';
import type { Command, Context } from '../command.ts';
import { UsageError } from '../errors.ts';
import type { Output } from '../output.ts';
import { clientOf } from '../target.ts';

const PATH = '/api/v1/quotas';

/** Options by the limits that they set. */
const LIMITS = {
  eventsPerSecond: 'events-per-second',
  bytesPerDay: 'bytes-per-day',
  storedBytes: 'stored-bytes',
  spendPerDay: 'spend-per-day',
} as const;

type Kind = keyof typeof LIMITS;
const KINDS = Object.keys(LIMITS) as readonly Kind[];

interface State {
  readonly tenant: string;
  readonly project: string;
  readonly limits: Readonly<Partial<Record<Kind, number>>>;
  readonly warnAt: number | null;
  readonly use: Readonly<Record<Kind, number>>;
  readonly warnings: readonly string[];
}

export const quotas: Command = {
  name: 'quotas',
  summary: 'limit what tenants send, store and spend',
  usage: 'show|set|remove',
  description: [
    'show lists limits and use. set gives a tenant, or a project of it, limits; what is not named stays, and none takes a limit away. ' +
      'remove takes all limits away. Over a limit requests are refused before they are read, and senders come again.',
    'set and remove need the admin token; show works with any key, for its own tenant.',
  ],
  options: {
    ...SERVER_OPTIONS,
    tenant: { type: 'string', value: 'NAME', description: 'Whose quota (set, remove: needed)' },
    project: { type: 'string', value: 'NAME', description: 'Of this project, not of the tenant as a whole' },
    'events-per-second': { type: 'string', value: 'COUNT', description: 'set: rows that are taken in a second' },
    'bytes-per-day': {
      type: 'string',
      value: 'COUNT',
      description: 'set: bytes that are taken in a day of UTC, as sent',
    },
    'stored-bytes': { type: 'string', value: 'COUNT', description: 'set: bytes on disk, measured now and then' },
    'spend-per-day': {
      type: 'string',
      value: 'DOLLARS',
      description: 'set: what calls of models cost in a day of UTC',
    },
    'warn-at': { type: 'string', value: 'PERCENT', description: 'set: share from which on there are warnings (80)' },
  },
  positionals: 1,
  examples: [
    { command: 'glasshouse quotas set --tenant acme --bytes-per-day 5000000000', what: 'limit a tenant' },
    { command: 'glasshouse quotas set --tenant acme --project shop --events-per-second 500', what: 'limit a project' },
    { command: 'glasshouse quotas show', what: 'who uses how much' },
  ],
  more: 'docs/guides/audit-and-quotas.md',
  run: (context, args) => {
    const [verb] = args.positionals;
    // Here --tenant says whose quota it is, not for whom to act.
    const client = clientOf(context, args.without('tenant'));
    if (verb === 'show' || verb === undefined) return show(context, args, client);
    if (verb === 'set') return set(context, args, client);
    if (verb === 'remove') return remove(context, args, client);
    throw new UsageError(`cannot use quotas ${verb}: give show, set or remove`, 'see `glasshouse quotas --help`');
  },
};

async function show({ output }: Context, args: Arguments, client: Client): Promise<number> {
  const { quotas: states } = await client.json<{ readonly quotas: readonly State[] }>(
    'GET',
    `${PATH}?${ownerOf(args)}`,
  );
  if (args.flag('json')) output.json({ quotas: states });
  else print(output, states);
  return 0;
}

async function set({ output }: Context, args: Arguments, client: Client): Promise<number> {
  const warnAt = args.text('warn-at');
  const state = await client.json<State>('PUT', PATH, {
    tenant: tenantOf(args),
    project: args.text('project'),
    ...Object.fromEntries(KINDS.flatMap((kind) => limitOf(args, kind))),
    ...(warnAt === undefined ? {} : { warnAt: numberOf('warn-at', warnAt) / 100 }),
  });
  if (args.flag('json')) output.json(state);
  else print(output, [state]);
  return 0;
}

async function remove({ output }: Context, args: Arguments, client: Client): Promise<number> {
  tenantOf(args);
  const state = await client.json<State>('DELETE', `${PATH}?${ownerOf(args)}`);
  if (args.flag('json')) output.json(state);
  else output.line(`${nameOf(state)} has no quota any more.`);
  return 0;
}

function print(output: Output, states: readonly State[]): void {
  if (states.length === 0) {
    output.line('Nobody has sent anything, and there are no quotas.');
    return;
  }
  output.table(
    ['Tenant', 'Rows/s', 'Bytes/day', 'Stored bytes', 'Spend/day', 'Near'].map((title) => ({ title })),
    states.map((state) => [
      nameOf(state),
      ...KINDS.map((kind) => `${Math.round(state.use[kind] * 100) / 100} of ${state.limits[kind] ?? 'any'}`),
      state.warnings.join(', '),
    ]),
  );
}

function nameOf({ tenant, project }: State): string {
  return project === '' ? tenant : `${tenant}/${project}`;
}

function ownerOf(args: Arguments): string {
  const query = new URLSearchParams();
  for (const name of ['tenant', 'project']) {
    const value = args.text(name);
    if (value !== undefined) query.set(name, value);
  }
  return query.toString();
}

function tenantOf(args: Arguments): string {
  const tenant = args.text('tenant');
  if (tenant !== undefined) return tenant;
  throw new UsageError('cannot tell whose quota is meant: give --tenant', 'see `glasshouse quotas --help`');
}

function limitOf(args: Arguments, kind: Kind): [Kind, number | null][] {
  const text = args.text(LIMITS[kind]);
  if (text === undefined) return [];
  return [[kind, text === 'none' ? null : numberOf(LIMITS[kind], text)]];
}

function numberOf(option: string, text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value)) return value;
  throw new UsageError(`cannot use --${option} ${text}: it must be a number`, 'see `glasshouse quotas --help`');
}
