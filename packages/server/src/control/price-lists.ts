/**
 * Newer lists of prices, as somebody imports them: which format a text is of, and its rows, under ids that no other list has.
 *
 * Must stay true: a list that could not be part of a table is refused before it is kept.
 */

import { AppError, NAME_PATTERN } from '@glasshouse/model';
import type { Imported, PriceLayer, PriceRow, Source } from '@glasshouse/pricing';

/** Formats that are read; `auto` looks at what it is. */
export const LIST_FORMATS = ['genai-prices', 'litellm', 'available-models', 'image-models'] as const;
export type ListFormat = (typeof LIST_FORMATS)[number];

/** What somebody wants to import. */
export interface WantedList {
  /** Names the list: a newer one of the same name replaces it. */
  readonly name: string;
  readonly format: ListFormat | 'auto';
  /** JSON of the list. */
  readonly content: unknown;
  /** Where it was read. */
  readonly url?: string;
  readonly via?: string;
  /** Day on which it was read, `YYYY-MM-DD`. */
  readonly date: string;
  /** Of formats that may name none. */
  readonly provider?: string;
  /** Providers whose rows are taken; all of them if it is left out. */
  readonly providers?: readonly string[];
}

/** A list that was recorded, without its rows. */
export interface PriceListHead {
  readonly id: string;
  readonly name: string;
  readonly format: ListFormat | 'none';
  readonly recordedAt: string;
  readonly by: string;
  readonly source: Source;
  /** Number of rows; 0 means that the list was taken out. */
  readonly rows: number;
  readonly skipped: number;
}

const MAX_ID = 300;
const DAY = /^\d{4}-\d{2}-\d{2}$/;

/** The rows of a list. Throws `bad_request` with what is wrong. */
export async function readList(wanted: WantedList): Promise<Imported & { readonly format: ListFormat }> {
  const { name, content, url, via, date, provider = '' } = wanted;
  if (!NAME_PATTERN.test(name))
    throw new AppError(
      'bad_request',
      `cannot import LIST=${name.slice(0, 80)}: its name takes lower-case letters, digits, - and _, 63 at most`,
    );
  if (!DAY.test(date) || Number.isNaN(Date.parse(date)))
    throw new AppError('bad_request', `cannot import DATE=${date.slice(0, 40)}: write the day as 2026-01-31`);
  const format = wanted.format === 'auto' ? formatOf(content) : wanted.format;
  const source: Source = {
    ...(url === undefined ? {} : { url }),
    ...(via === undefined ? {} : { via }),
    date,
  };
  const pricing = await import('@glasshouse/pricing');
  const body = unwrapped(content, format);
  const needsProvider = format === 'image-models' || format === 'available-models';
  if (needsProvider && provider === '')
    throw new AppError('bad_request', `cannot import LIST=${name}: a list of ${format} needs a provider`);
  const { rows, skipped } =
    format === 'genai-prices'
      ? pricing.importGenaiPrices(body, source)
      : format === 'litellm'
        ? pricing.importLiteLlm(body, source, wanted.providers)
        : format === 'available-models'
          ? pricing.importAvailableModels(body, provider, source)
          : pricing.importImageModelPricing(body, provider, source);
  return { format, ...named(name, rows, skipped, wanted.providers) };
}

/** What a text is by its looks. Throws `bad_request` for what is none of them. */
function formatOf(content: unknown): ListFormat {
  if (Array.isArray(content)) {
    const first: unknown = content[0];
    if (isRecord(first) && 'models' in first) return 'genai-prices';
    if (isRecord(first) && ('pricing' in first || 'name' in first)) return 'available-models';
  } else if (isRecord(content)) {
    if (Array.isArray(content['providers'])) return 'genai-prices';
    if (Array.isArray(content['availableModels'])) return 'available-models';
    if (isRecord(content['imageModelPricing'])) return 'image-models';
    const values = Object.values(content);
    if (values.some((value) => isRecord(value) && 'litellm_provider' in value)) return 'litellm';
    if (values.length > 0 && values.every((value) => typeof value === 'number')) return 'image-models';
  }
  throw new AppError(
    'bad_request',
    `cannot tell what list this is: it looks like none of ${LIST_FORMATS.join(', ')}; name its format`,
  );
}

/** The list without the object that it may be in. */
function unwrapped(content: unknown, format: ListFormat): unknown {
  if (!isRecord(content)) return content;
  if (format === 'genai-prices') return content['providers'] ?? content;
  if (format === 'available-models') return content['availableModels'] ?? content;
  if (format === 'image-models') return content['imageModelPricing'] ?? content;
  return content;
}

/** The rows with ids that begin with the list's name: several lists may be copies of one another. */
function named(
  name: string,
  rows: readonly PriceRow[],
  skipped: readonly string[],
  providers: readonly string[] | undefined,
): Imported {
  const taken = new Map<string, PriceRow>();
  const left: string[] = [...skipped];
  for (const row of rows) {
    // No row that is shipped begins so.
    const id = `list:${name}/${row.id}`;
    if (providers !== undefined && !providers.includes(row.provider)) continue;
    if (id.length > MAX_ID) left.push(`${row.id.slice(0, 80)}…: its name is too long`);
    else if (taken.has(id)) left.push(`${row.id}: it is there twice, the first counts`);
    else taken.set(id, { ...row, id });
  }
  return { rows: [...taken.values()], skipped: left };
}

/** The layers of the lists that are in force, the newest first. */
export function layersOf(
  lists: readonly { readonly head: PriceListHead; readonly rows: readonly PriceRow[] }[],
): PriceLayer[] {
  return inForce(lists.map(({ head }) => head)).flatMap((head) => {
    const rows = lists.find((list) => list.head.id === head.id)?.rows ?? [];
    return rows.length === 0 ? [] : [{ name: layerName(head), rows }];
  });
}

/** Of each name the newest list, unless it was taken out; the newest first. */
export function inForce(heads: readonly PriceListHead[]): PriceListHead[] {
  const newest = new Map<string, PriceListHead>();
  for (const head of heads.toSorted((a, b) => (a.recordedAt < b.recordedAt ? 1 : -1)))
    if (!newest.has(head.name)) newest.set(head.name, head);
  return [...newest.values()].filter(({ rows }) => rows > 0);
}

/** What explanations call the layer of a list. */
function layerName({ name, source }: PriceListHead): string {
  return `list ${name} of ${source.date}`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
