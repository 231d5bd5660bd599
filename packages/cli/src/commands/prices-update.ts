/** `prices update`: a newer list of prices from a file, in front of what is shipped. Nothing is fetched from the network. */

import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { AppError, messageOf } from '@glasshouse/model';
import { SERVER_OPTIONS } from '../args.ts';
import type { Command } from '../command.ts';
import { UsageError } from '../errors.ts';
import { countText } from '../output.ts';
import { clientOf } from '../target.ts';
import { MORE, PRICES } from './prices-text.ts';

const PATH = `${PRICES}/lists`;
/** What could not be read of a list is shown up to this many lines. */
const SHOWN = 20;

interface List {
  readonly id: string;
  readonly name: string;
  readonly format: string;
  readonly rows: number;
  readonly skipped: number;
  readonly importedAt: string;
  readonly by: string;
  readonly isInForce: boolean;
  readonly source: { readonly date: string };
  readonly left?: readonly string[];
}

export const update: Command = {
  name: 'prices update',
  summary: 'import a newer list of prices from a file; list or remove what was imported',
  usage: '[FILE]',
  description: [
    'Reads a JSON file and puts its prices in front of those that are shipped. Four formats are told apart by their looks: the data of ' +
      "@pydantic/genai-prices (prices/data.json), LiteLLM's model_prices_and_context_window.json, a list availableModels with pricing " +
      'by model (dollars for a million tokens), and an object imageModelPricing (dollars for an image). The last two need --provider ' +
      'where they name none.',
    'A list replaces the one of the same name. What of it cannot be priced exactly is left out and said. Without FILE it lists what ' +
      'was imported; --remove NAME takes a list out. Takes the admin token.',
  ],
  options: {
    ...SERVER_OPTIONS,
    name: { type: 'string', value: 'NAME', description: "Name of the list (default: the file's)" },
    format: { type: 'string', value: 'NAME', description: 'genai-prices, litellm, available-models or image-models' },
    provider: { type: 'string', value: 'NAME', description: 'Provider of a list that names none' },
    only: {
      type: 'string',
      value: 'NAME',
      multiple: true,
      description: 'Take only these providers; several by repetition',
    },
    date: { type: 'string', value: 'DAY', description: 'Day on which the list was read (default: today)' },
    source: { type: 'string', value: 'URL', description: 'Where it was read, for explanations' },
    remove: { type: 'string', value: 'NAME', description: 'Take out the list of this name' },
  },
  positionals: 1,
  examples: [
    {
      command: 'glasshouse prices update model_prices_and_context_window.json --name litellm --only mistral',
      what: "a provider of LiteLLM's list",
    },
    { command: 'glasshouse prices update models.json --provider pollinations', what: 'a list of one provider' },
    { command: 'glasshouse prices update', what: 'what was imported' },
  ],
  more: MORE,
  run: async (context, args) => {
    const { output } = context;
    const client = clientOf(context, args);
    const removed = args.text('remove');
    const [file] = args.positionals;
    if (removed !== undefined) {
      if (file !== undefined) throw new UsageError('cannot both import and remove: give either FILE or --remove');
      const list = await client.json<List>('DELETE', `${PATH}?name=${encodeURIComponent(removed)}`);
      if (args.flag('json')) output.json(list);
      else output.line(`Took out the list ${removed}.`);
      return 0;
    }
    if (file === undefined) {
      const answer = await client.json<{ readonly lists: readonly List[] }>('GET', PATH);
      if (args.flag('json')) output.json(answer);
      else if (answer.lists.length === 0) output.line('No list was imported; what is shipped is in force.');
      else
        output.table(
          [
            { title: 'Name' },
            { title: 'Format' },
            { title: 'Rows', align: 'right' },
            { title: 'Of' },
            { title: 'Imported' },
            { title: 'By' },
            { title: 'State' },
          ],
          answer.lists.map((list) => [
            list.name,
            list.format,
            countText(list.rows),
            list.source.date,
            list.importedAt.slice(0, 16).replace('T', ' '),
            list.by,
            list.isInForce ? 'in force' : list.rows === 0 ? 'taken out' : 'replaced',
          ]),
        );
      return 0;
    }
    const only = args.list('only');
    const [format, provider, date, url] = ['format', 'provider', 'date', 'source'].map((name) => args.text(name));
    const list = await client.json<List>('POST', PATH, {
      name: args.text('name') ?? nameOf(file),
      content: await contentOf(file),
      ...(format === undefined ? {} : { format }),
      ...(provider === undefined ? {} : { provider }),
      ...(date === undefined ? {} : { date }),
      ...(url === undefined ? {} : { url }),
      via: basename(file),
      ...(only.length === 0 ? {} : { providers: only }),
    });
    if (args.flag('json')) output.json(list);
    else {
      output.line(`Imported ${countText(list.rows)} rows of prices as ${list.name} (${list.format}).`);
      const left = list.left ?? [];
      if (left.length > 0) output.note(`Left out, because they cannot be priced exactly (${countText(left.length)}):`);
      for (const line of left.slice(0, SHOWN)) output.note(`  ${line}`);
      if (left.length > SHOWN) output.note(`  … and ${countText(left.length - SHOWN)} more; --json has them all`);
    }
    return 0;
  },
};

async function contentOf(file: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new AppError('not_found', `cannot read FILE=${file}: ${messageOf(cause)}`, { cause });
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new AppError('bad_request', `cannot read FILE=${file}: it is no JSON: ${messageOf(cause)}`, { cause });
  }
}

/** A name that a list may have, of a file's. */
function nameOf(file: string): string {
  const name = basename(file)
    .replace(/\.json$/i, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '')
    .slice(0, 63);
  return name === '' ? 'list' : name;
}
