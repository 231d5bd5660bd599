/**
 * `prices`: what models cost here, why a generation costs what it does, a tenant's own prices, newer lists, and pricing again what is
 * stored. The server does the arithmetic; amounts come and go as decimal texts.
 */

import type { Arguments } from '../args.ts';
import { SERVER_OPTIONS, TENANT_OPTION } from '../args.ts';
import type { Command, Context, Family } from '../command.ts';
import { UsageError } from '../errors.ts';
import { countText } from '../output.ts';
import { clientOf } from '../target.ts';
import { setAlias, overrides, revoke, set } from './prices-own.ts';
import { reprice } from './prices-reprice.ts';
import { update } from './prices-update.ts';
import { conditionsText, MORE, PRICES, pricesText } from './prices-text.ts';
import type { PriceRow } from './prices-text.ts';

const OPTIONS = { ...SERVER_OPTIONS, ...TENANT_OPTION };

const show: Command = {
  name: 'prices show',
  summary: 'what a model costs here, and where that was read',
  usage: '[MODEL]',
  description: [
    "Lists the rows of prices that apply to MODEL, the preferred one first: the tenant's own before imported lists, those before what " +
      'is shipped. Prices are dollars for a million tokens, for one image, for an hour of audio. Without MODEL it says which ' +
      'version of the table is in force and what it is made of.',
    'A name is tried as it is and then rewritten (regions, dates, prefixes of routers); the column Name says how.',
  ],
  options: {
    ...OPTIONS,
    provider: { type: 'string', value: 'NAME', description: 'Provider, such as openai, anthropic, azure' },
    at: { type: 'string', value: 'DAY', description: 'Day or time in UTC that the prices are of (default: now)' },
  },
  positionals: 1,
  examples: [
    { command: 'glasshouse prices show gpt-4o --provider openai', what: 'a model' },
    { command: 'glasshouse prices show claude-sonnet-4-5 --provider bedrock --json', what: 'for a script' },
    { command: 'glasshouse prices show', what: 'which table is in force' },
  ],
  more: MORE,
  run: async (context, args) => {
    const [model] = args.positionals;
    return model === undefined ? overview(context, args) : showModel(context, args, model);
  },
};

async function showModel(context: Context, args: Arguments, model: string): Promise<number> {
  const { output } = context;
  const query = new URLSearchParams({ model });
  for (const name of ['provider', 'at']) {
    const value = args.text(name);
    if (value !== undefined) query.set(name, value);
  }
  const answer = await clientOf(context, args).json<{ readonly version: string; readonly rows: readonly PriceRow[] }>(
    'GET',
    `${PRICES}/models?${query.toString()}`,
  );
  if (args.flag('json')) output.json(answer);
  else if (answer.rows.length === 0) {
    output.line(`No price is known for ${model}${args.text('provider') === undefined ? '; name its --provider' : ''}.`);
    output.line('`glasshouse prices set` records one of your own; `glasshouse prices update` imports a list.');
  } else {
    output.table(
      ['Row', 'From', 'When', 'Prices in dollars', 'Source'].map((title) => ({ title })),
      answer.rows.map((row) => [
        row.isInForce ? row.id : { text: row.id, paint: (text) => output.paint('dim', text) },
        row.layer,
        conditionsText(row),
        pricesText(row.prices),
        [row.source.url ?? row.source.via, row.source.date].filter((text) => text !== undefined).join(', '),
      ]),
    );
    for (const step of answer.rows[0]?.steps ?? []) output.note(`Name: ${step}`);
  }
  return 0;
}

interface Overview {
  readonly version: string;
  readonly layers: readonly { readonly name: string; readonly rows: number }[];
  readonly overrides: number;
}

async function overview(context: Context, args: Arguments): Promise<number> {
  const { output } = context;
  const answer = await clientOf(context, args).json<Overview>('GET', PRICES);
  if (args.flag('json')) output.json(answer);
  else {
    output.pairs([
      ['Version', answer.version],
      ['Own entries', countText(answer.overrides)],
    ]);
    output.line();
    output.table(
      [{ title: 'Layer' }, { title: 'Rows', align: 'right' }],
      answer.layers.map(({ name, rows }) => [name, countText(rows)]),
    );
  }
  return 0;
}

interface Explained {
  readonly text: string;
  readonly agrees: boolean;
}

const explain: Command = {
  name: 'prices explain',
  summary: 'why a generation costs what it does, with every step',
  usage: 'GENERATION_ID',
  description: [
    'Prints the arithmetic: what the client reported, how that was counted (which totals contain cached tokens and thinking), which row ' +
      'of prices was found and where it was read, each product, the sum, what the client itself said, and what is stored.',
    'It is calculated with the present prices. If those changed since the generation was stored, the last line says so.',
  ],
  options: OPTIONS,
  positionals: 1,
  examples: [
    {
      command: 'glasshouse prices explain 019aa3f0-1c2d-7abc-8def-0123456789ab',
      what: 'one generation, by the id in its row',
    },
    {
      command: 'glasshouse sql "SELECT generation_id, cost FROM generations ORDER BY cost DESC LIMIT 5"',
      what: 'the dearest ones',
    },
  ],
  more: MORE,
  run: async (context, args) => {
    const [id] = args.positionals;
    if (id === undefined)
      throw new UsageError(
        'cannot explain a generation: give its id',
        '`glasshouse sql "SELECT generation_id FROM generations LIMIT 5"` shows some',
      );
    const answer = await clientOf(context, args).json<Explained>(
      'GET',
      `${PRICES}/explain?id=${encodeURIComponent(id)}`,
    );
    if (args.flag('json')) context.output.json(answer);
    else context.output.line(answer.text);
    return 0;
  },
};

interface Unknown {
  readonly provider: string;
  readonly model: string;
  readonly reason: string;
  readonly generations: number;
  readonly tokens: number;
  readonly images: number;
}

const unknown: Command = {
  name: 'prices unknown',
  summary: 'models whose generations have no cost, with their volume',
  usage: '',
  description: [
    'A generation whose price nobody knows has no cost, rather than a cost of 0. This lists them by model, those with the most ' +
      'generations first, and says what is missing. `glasshouse prices set` records a price; `glasshouse prices reprice` gives it to ' +
      'what is stored.',
  ],
  options: {
    ...OPTIONS,
    since: { type: 'string', value: 'DAY', description: 'From this day or time in UTC on (default: the last 30 days)' },
    until: { type: 'string', value: 'DAY', description: 'Before this day or time in UTC' },
  },
  positionals: 0,
  examples: [
    { command: 'glasshouse prices unknown', what: 'of the last 30 days' },
    { command: 'glasshouse prices unknown --since 2026-11-01 --json', what: 'for a script' },
  ],
  more: MORE,
  run: async (context, args) => {
    const { output } = context;
    const query = new URLSearchParams();
    for (const name of ['since', 'until']) {
      const value = args.text(name);
      if (value !== undefined) query.set(name, value);
    }
    const answer = await clientOf(context, args).json<{ readonly models: readonly Unknown[] }>(
      'GET',
      `${PRICES}/unknown?${query.toString()}`,
    );
    if (args.flag('json')) output.json(answer);
    else if (answer.models.length === 0) output.line('Every generation has a cost.');
    else
      output.table(
        [
          { title: 'Provider' },
          { title: 'Model' },
          { title: 'Generations', align: 'right' },
          { title: 'Tokens', align: 'right' },
          { title: 'Images', align: 'right' },
          { title: 'Why' },
        ],
        answer.models.map(({ provider, model, generations, tokens, images, reason }) => [
          provider,
          model,
          countText(generations),
          countText(tokens),
          countText(images),
          reason,
        ]),
      );
    return 0;
  },
};

export const prices: Family = {
  name: 'prices',
  summary: 'what models cost, why a generation costs what it does, and pricing again',
  description: [
    'Every generation is priced when it comes in, exactly, by the first of: the prices that the tenant negotiated, imported lists, the ' +
      'table that is shipped. A model without a price has no cost.',
  ],
  members: [show, explain, unknown, set, setAlias, overrides, revoke, update, reprice],
  examples: [
    { command: 'glasshouse prices show gpt-4o --provider openai', what: 'what a model costs' },
    { command: 'glasshouse prices set openai/gpt-4o input=2.00 output=8.00', what: 'a price that was negotiated' },
    { command: 'glasshouse prices reprice --since 2026-11-01 --dry-run', what: 'what that would change' },
  ],
  more: MORE,
};
