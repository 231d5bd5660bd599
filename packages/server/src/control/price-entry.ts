/**
 * An entry of a tenant's prices as a request says it: a price, or a name of the tenant's own. What is not known is refused, so
 * that a misspelt condition never becomes a price without it.
 *
 * Must stay true: whatever the value is, this returns or throws `bad_request`; an id and a source are never the sender's to choose.
 */

import { AppError } from '@glasshouse/model';
import type { Conditions, ModelAlias, PriceRow } from '@glasshouse/pricing';

/** What a request asks to record. */
export interface WantedOverride {
  readonly note?: string;
  readonly row?: PriceRow;
  readonly alias?: ModelAlias;
}

/** Who records what, and when. */
export interface EntryPlace {
  readonly tenant: string;
  readonly id: string;
  readonly by: string;
  /** In milliseconds since 1970. */
  readonly at: number;
}

type Fields = Readonly<Record<string, unknown>>;

const FIELDS = new Set(['provider', 'models', 'prices', 'from', 'until', 'when', 'note', 'url', 'alias']);
const CONDITIONS = new Set(['tier', 'contextAbove', 'contextUpTo', 'size', 'quality', 'hours']);
const MAX_TEXT = 500;
const MAX_MODELS = 100;

/** The entry that the fields ask for. */
export function overrideOf(fields: Fields, place: EntryPlace): WantedOverride {
  for (const name of Object.keys(fields))
    if (!FIELDS.has(name)) throw refused(`${name.slice(0, 40)} is no field; there are ${[...FIELDS].join(', ')}`);
  const note = optionalText(fields, 'note');
  if (fields['alias'] !== undefined) {
    if (fields['prices'] !== undefined || fields['models'] !== undefined)
      throw refused('give either alias, or provider, models and prices');
    return { ...(note === undefined ? {} : { note }), alias: aliasOf(fields['alias']) };
  }
  return { ...(note === undefined ? {} : { note }), row: rowOf(fields, place) };
}

function rowOf(fields: Fields, { tenant, id, by, at }: EntryPlace): PriceRow {
  const models = fields['models'];
  if (!Array.isArray(models) || models.length === 0 || models.length > MAX_MODELS || !models.every(isText))
    throw refused(`models must be a list of 1 to ${MAX_MODELS} names, such as ["gpt-4o*"]`);
  const [from, until, url] = [optionalText(fields, 'from'), optionalText(fields, 'until'), optionalText(fields, 'url')];
  const when = conditionsOf(fields['when']);
  return {
    id: `${tenant}/${id}`,
    provider: text(fields, 'provider'),
    models,
    ...(from === undefined ? {} : { from }),
    ...(until === undefined ? {} : { until }),
    ...(when === undefined ? {} : { when }),
    prices: pricesOf(fields['prices']),
    currency: 'USD',
    source: {
      ...(url === undefined ? {} : { url }),
      via: `entered by ${by}`,
      date: new Date(at).toISOString().slice(0, 10),
    },
  };
}

function pricesOf(value: unknown): Record<string, string> {
  const prices: Record<string, string> = {};
  for (const [kind, price] of Object.entries(record(value, 'prices'))) {
    // A number of JSON is the shortest decimal that denotes it, which is what was written.
    if (typeof price !== 'string' && typeof price !== 'number')
      throw refused(`prices.${kind.slice(0, 40)} is no decimal such as "0.15"`);
    prices[kind] = String(price);
  }
  return prices;
}

function conditionsOf(value: unknown): Conditions | undefined {
  if (value === undefined) return undefined;
  const when = record(value, 'when');
  for (const name of Object.keys(when))
    if (!CONDITIONS.has(name))
      throw refused(`when.${name.slice(0, 40)} is no condition; there are ${[...CONDITIONS].join(', ')}`);
  for (const name of ['tier', 'size', 'quality'])
    if (when[name] !== undefined && !isText(when[name])) throw refused(`when.${name} is no text`);
  for (const name of ['contextAbove', 'contextUpTo'])
    if (when[name] !== undefined && typeof when[name] !== 'number') throw refused(`when.${name} is no number`);
  if (when['hours'] !== undefined) {
    const hours = record(when['hours'], 'when.hours');
    if (!isText(hours['from']) || !isText(hours['until']) || Object.keys(hours).length !== 2)
      throw refused('when.hours must be {"from": "HH:MM", "until": "HH:MM"}');
  }
  return when;
}

function aliasOf(value: unknown): ModelAlias {
  const alias = record(value, 'alias');
  const as = record(alias['as'], 'alias.as');
  return {
    provider: text(alias, 'provider'),
    name: text(alias, 'name'),
    as: { provider: text(as, 'provider'), model: text(as, 'model') },
  };
}

function record(value: unknown, what: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw refused(`${what} must be an object`);
}

function text(fields: Fields, name: string): string {
  const value = fields[name];
  if (isText(value)) return value;
  throw refused(`${name} must be a text of at most ${MAX_TEXT} characters`);
}

function optionalText(fields: Fields, name: string): string | undefined {
  return fields[name] === undefined || fields[name] === null ? undefined : text(fields, name);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.trim() !== '' && value.length <= MAX_TEXT;
}

function refused(why: string): AppError {
  return new AppError('bad_request', `cannot record the price: ${why}`);
}
