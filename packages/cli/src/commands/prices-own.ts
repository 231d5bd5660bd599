/** Prices and names of a tenant's own: recorded, listed, revoked. Entries are never changed, so the history stays. */

import { SERVER_OPTIONS, TENANT_OPTION } from '../args.ts';
import type { Arguments } from '../args.ts';
import type { Command } from '../command.ts';
import { UsageError } from '../errors.ts';
import { clientOf } from '../target.ts';
import { conditionsText, modelOf, MORE, PRICES, pricesText } from './prices-text.ts';
import type { PriceRow } from './prices-text.ts';

const PATH = `${PRICES}/overrides`;
const OPTIONS = {
  ...SERVER_OPTIONS,
  ...TENANT_OPTION,
};
const NOTE_OPTION = { note: { type: 'string', value: 'TEXT', description: 'Why, for the history' } } as const;

interface Entry {
  readonly id: string;
  readonly recordedAt: string;
  readonly by?: string;
  readonly note?: string;
  readonly row?: Omit<PriceRow, 'isInForce' | 'layer' | 'steps'>;
  readonly alias?: {
    readonly provider: string;
    readonly name: string;
    readonly as: { readonly provider: string; readonly model: string };
  };
  readonly revokes?: string;
  readonly isInForce: boolean;
}

export const set: Command = {
  name: 'prices set',
  summary: 'record a price that the tenant negotiated',
  usage: 'PROVIDER/MODEL KIND=DOLLARS…',
  description: [
    "Records a price of the tenant's own, which goes before every other. MODEL may have * for any characters. Prices are dollars for " +
      'a million tokens (input, output, cacheRead, cacheWrite, reasoning, inputAudio, …), for one image (images), for an hour ' +
      '(audioMs, videoMs), for a million characters (characters), for a thousand pages (pages) or searches (searches).',
    'What is recorded is never changed: record another and revoke this one. Generations that come from now on have the new price; ' +
      '`glasshouse prices reprice` gives it to those that are stored.',
    'Takes the admin token, or the admin token of the workspace.',
  ],
  options: {
    ...OPTIONS,
    ...NOTE_OPTION,
    from: { type: 'string', value: 'DAY', description: 'First day or time in UTC on which it applies (default: ever)' },
    until: { type: 'string', value: 'DAY', description: 'First day or time on which it applies no more' },
    tier: { type: 'string', value: 'NAME', description: 'standard, batch, flex or priority (default: standard)' },
    size: { type: 'string', value: 'SIZE', description: 'Of images and videos, such as 1024x1024' },
    quality: { type: 'string', value: 'NAME', description: 'Of images, such as hd' },
    above: { type: 'string', value: 'TOKENS', description: 'Only for requests with more tokens of input than this' },
  },
  positionals: 40,
  examples: [
    { command: 'glasshouse prices set openai/gpt-4o input=2.00 cacheRead=1.00 output=8.00', what: 'a discount' },
    {
      command: 'glasshouse prices set "azure/prod-*" input=0 output=0 --from 2026-12-01',
      what: 'capacity that is paid for',
    },
    { command: 'glasshouse prices set openai/gpt-image-1 images=0.03 --size 1024x1024 --quality low', what: 'images' },
  ],
  more: MORE,
  run: async (context, args) => {
    const [name, ...pairs] = args.positionals;
    const { provider, model } = modelOf(name, 'prices set');
    const body = {
      provider,
      models: [model],
      prices: pricesOf(pairs),
      ...given(args, 'from', 'until', 'note'),
      ...whenOf(args),
    };
    const entry = await clientOf(context, args).json<Entry>('POST', PATH, body);
    if (args.flag('json')) context.output.json(entry);
    else {
      context.output.line(`Recorded ${entry.id}: ${provider}/${model} costs ${pricesText(entry.row?.prices ?? {})}.`);
      context.output.note(
        'Stored generations keep their cost; `glasshouse prices reprice --since DAY --dry-run` says what would change.',
      );
    }
    return 0;
  },
};

export const setAlias: Command = {
  name: 'prices alias',
  summary: "record which model a name of the tenant's own stands for",
  usage: 'PROVIDER/NAME PROVIDER/MODEL',
  description: [
    'Says that NAME, such as that of a deployment, is MODEL as far as prices go. Takes the admin token, or that of the workspace.',
  ],
  options: { ...OPTIONS, ...NOTE_OPTION },
  positionals: 2,
  examples: [
    { command: 'glasshouse prices alias azure/prod-chat openai/gpt-4o', what: 'a deployment at Azure' },
    { command: 'glasshouse prices alias acme/fast google/gemini-2.5-flash --note router', what: 'a name of your own' },
  ],
  more: MORE,
  run: async (context, args) => {
    const own = modelOf(args.positionals[0], 'prices alias');
    const as = modelOf(args.positionals[1], 'prices alias');
    const body = { alias: { provider: own.provider, name: own.model, as }, ...given(args, 'note') };
    const entry = await clientOf(context, args).json<Entry>('POST', PATH, body);
    if (args.flag('json')) context.output.json(entry);
    else context.output.line(`Recorded ${entry.id}: ${own.provider}/${own.model} is ${as.provider}/${as.model}.`);
    return 0;
  },
};

export const overrides: Command = {
  name: 'prices overrides',
  summary: "list the tenant's own prices and names, with their history",
  usage: '',
  description: [
    "Lists what was recorded and revoked, the newest first, with who did it and when. What is in force has the state 'in force'.",
  ],
  options: OPTIONS,
  positionals: 0,
  examples: [
    { command: 'glasshouse prices overrides', what: 'your own' },
    { command: 'glasshouse prices overrides --tenant acme --json', what: 'of a tenant, for a program' },
  ],
  more: MORE,
  run: async (context, args) => {
    const { output } = context;
    const answer = await clientOf(context, args).json<{ readonly overrides: readonly Entry[] }>('GET', PATH);
    if (args.flag('json')) output.json(answer);
    else if (answer.overrides.length === 0) output.line('No prices of its own; `glasshouse prices set` records one.');
    else
      output.table(
        ['Id', 'Recorded', 'By', 'State', 'What', 'Note'].map((title) => ({ title })),
        answer.overrides.map((entry) => [
          entry.id,
          entry.recordedAt.slice(0, 16).replace('T', ' '),
          entry.by ?? '',
          entry.isInForce ? 'in force' : entry.revokes === undefined ? 'revoked' : '',
          whatOf(entry),
          entry.note ?? '',
        ]),
      );
    return 0;
  },
};

export const revoke: Command = {
  name: 'prices revoke',
  summary: "end a price or name of the tenant's own",
  usage: 'ID',
  description: [
    'Ends an entry: generations that come from now on go by what is next, and the entry stays in the history. Takes the admin token, ' +
      'or that of the workspace.',
  ],
  options: { ...OPTIONS, ...NOTE_OPTION },
  positionals: 1,
  examples: [
    { command: 'glasshouse prices revoke 3f9c21d07a54', what: 'an entry, by its id' },
    { command: 'glasshouse prices revoke 3f9c21d07a54 --note "contract ended"', what: 'with the reason' },
  ],
  more: MORE,
  run: async (context, args) => {
    const [id] = args.positionals;
    if (id === undefined)
      throw new UsageError('cannot revoke a price: give its id', '`glasshouse prices overrides` shows the ids');
    const query = new URLSearchParams({ id, ...given(args, 'note') });
    const entry = await clientOf(context, args).json<Entry>('DELETE', `${PATH}?${query.toString()}`);
    if (args.flag('json')) context.output.json(entry);
    else context.output.line(`Revoked ${id}.`);
    return 0;
  },
};

function pricesOf(pairs: readonly string[]): Record<string, string> {
  if (pairs.length === 0)
    throw new UsageError(
      'cannot set a price: say what it is, as in input=2.50 output=10',
      'see `glasshouse prices set --help`',
    );
  return Object.fromEntries(
    pairs.map((pair) => {
      const [, kind, price] = /^([A-Za-z0-9]+)=(\d+(?:\.\d+)?)$/.exec(pair) ?? [];
      if (kind === undefined || price === undefined)
        throw new UsageError(`cannot read ${pair}: write a kind and dollars, such as input=2.50`);
      return [kind, price];
    }),
  );
}

function whenOf(args: Arguments): object {
  const when = {
    ...given(args, 'tier', 'size', 'quality'),
    ...(args.text('above') === undefined ? {} : { contextAbove: args.whole('above', 0) }),
  };
  return Object.keys(when).length === 0 ? {} : { when };
}

/** The options that were given. */
function given(args: Arguments, ...names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = args.text(name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

function whatOf({ row, alias, revokes }: Entry): string {
  if (row !== undefined) {
    const conditions = conditionsText(row);
    return `${row.provider}/${row.models.join(' ')}: ${pricesText(row.prices)}${conditions === '' ? '' : ` (${conditions})`}`;
  }
  if (alias !== undefined) return `${alias.provider}/${alias.name} is ${alias.as.provider}/${alias.as.model}`;
  return `revokes ${revokes ?? ''}`;
}
