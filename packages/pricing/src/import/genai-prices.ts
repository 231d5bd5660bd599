/**
 * The price data of `@pydantic/genai-prices` as rows of our table: from the package, and from newer copies of its data file.
 *
 * Must stay true: a price that can't be expressed exactly here is left out and said so, so that its model has no cost rather than
 * a wrong one. Whatever the text is, this returns or throws an AppError.
 */

import { AppError, messageOf } from '@glasshouse/model';
import { PER, type Kind } from '../kinds.ts';
import { divideHalfUp, formatDecimal, parseDecimal, UNIT_SCALE } from '../money.ts';
import { checkRow, type Conditions, type PriceRow, type Source } from '../row.ts';
import { decimalText, isRecord, list, optionalText, text, type Imported } from './json.ts';

/** Their keys, ours, and by how many units theirs are. */
const KEYS: Readonly<Record<string, readonly [Kind, number]>> = {
  input_mtok: ['input', 1_000_000],
  output_mtok: ['output', 1_000_000],
  cache_read_mtok: ['cacheRead', 1_000_000],
  cache_write_mtok: ['cacheWrite', 1_000_000],
  cache_write_5m_mtok: ['cacheWrite', 1_000_000],
  cache_write_1h_mtok: ['cacheWrite1h', 1_000_000],
  input_audio_mtok: ['inputAudio', 1_000_000],
  cache_audio_read_mtok: ['cacheReadAudio', 1_000_000],
  output_audio_mtok: ['outputAudio', 1_000_000],
  input_image_mtok: ['inputImage', 1_000_000],
  cache_image_read_mtok: ['cacheReadImage', 1_000_000],
  output_image_mtok: ['outputImage', 1_000_000],
  input_video_mtok: ['inputVideo', 1_000_000],
  output_video_mtok: ['outputVideo', 1_000_000],
  output_reasoning_mtok: ['reasoning', 1_000_000],
  output_citation_mtok: ['citation', 1_000_000],
  audio_hours: ['audioMs', 3_600_000],
  web_searches_kcount: ['searches', 1_000],
  storage_searches_kcount: ['storageSearches', 1_000],
  requests_kcount: ['requests', 1_000],
  input_document_kpages: ['pages', 1_000],
  input_annotated_document_kpages: ['annotatedPages', 1_000],
};
/** Keys that say again what another key says. */
const REPEATED = new Set(['input_audio_hours']);
/** Providers whose audio never costs what text costs: a model of theirs without a price of audio has none. */
const AUDIO_APART: ReadonlySet<string> = new Set(['openai', 'azure', 'openrouter']);
const AUDIO = ['inputAudio', 'cacheReadAudio', 'outputAudio'] as const;
/** Models that the library bills for ten seconds of audio at least, in its code. */
const TEN_SECONDS: ReadonlySet<string> = new Set(['groq/whisper-large-v3', 'groq/whisper-large-v3-turbo']);

/** The rows of their data file: a list of providers. Throws if the text is not one. */
export function importGenaiPrices(providers: unknown, source: Source): Imported {
  const rows: PriceRow[] = [];
  const skipped: string[] = [];
  for (const provider of list(providers, 'providers')) {
    if (!isRecord(provider)) throw new AppError('bad_request', 'cannot read PROVIDERS: one of them is no object');
    const id = text(provider['id'], 'provider.id');
    const urls = provider['pricing_urls'];
    const url = Array.isArray(urls) ? optionalText(urls[0]) : undefined;
    const from: Source = url === undefined ? source : { ...source, url };
    for (const [rank, model] of list(provider['models'], `models of ${id}`).entries()) {
      try {
        rows.push(...modelRows(id, model, rank, from));
      } catch (error) {
        const name = isRecord(model) ? (optionalText(model['id']) ?? '?') : '?';
        skipped.push(`${id}/${name}: ${messageOf(error)}`);
      }
    }
  }
  return { rows, skipped };
}

function modelRows(provider: string, model: unknown, rank: number, source: Source): PriceRow[] {
  if (!isRecord(model)) throw new AppError('bad_request', 'cannot read MODEL: it is no object');
  const id = text(model['id'], 'model.id');
  const models = patternsOf(model['match'], 0);
  const { prices } = model;
  const variants = Array.isArray(prices) ? prices : [{ prices }];
  const rows: PriceRow[] = [];
  let since: string | undefined;
  for (const [position, variant] of variants.entries()) {
    if (!isRecord(variant)) throw new AppError('bad_request', 'cannot read PRICES: a variant is no object');
    const { constraint } = variant;
    const hours = hoursOf(constraint);
    // Prices by the hour that follow a date begin on that date too.
    if (isRecord(constraint) && constraint['start_date'] !== undefined)
      since = text(constraint['start_date'], 'start_date');
    for (const [contextAbove, plain] of byContext(variant['prices'])) {
      const key = `${provider}/${id}`;
      const unpriced = AUDIO_APART.has(provider) ? AUDIO.filter((kind) => plain[kind] === undefined) : [];
      const when: Conditions = {
        ...(contextAbove === undefined ? {} : { contextAbove }),
        ...(hours === undefined ? {} : { hours }),
      };
      rows.push(
        checkRow({
          id: `${key}#${position}${contextAbove === undefined ? '' : `>${contextAbove}`}`,
          provider,
          models,
          ...(since === undefined ? {} : { from: since }),
          ...(Object.keys(when).length === 0 ? {} : { when }),
          prices: plain,
          ...(unpriced.length === 0 ? {} : { unpriced }),
          ...(TEN_SECONDS.has(key) ? { minimum: { audioMs: 10_000 } } : {}),
          currency: 'USD',
          source,
          rank,
        }),
      );
    }
  }
  return rows;
}

function hoursOf(constraint: unknown): Conditions['hours'] {
  if (constraint === undefined) return undefined;
  if (!isRecord(constraint)) throw new AppError('bad_request', 'cannot read CONSTRAINT: it is no object');
  if (constraint['start_time'] === undefined) {
    if (constraint['start_date'] !== undefined) return undefined;
    throw new AppError('bad_request', 'cannot read CONSTRAINT: it is neither a date nor a time of day');
  }
  return { from: clock(constraint['start_time']), until: clock(constraint['end_time']) };
}

/** `00:30:00Z` as `00:30`; other zones and seconds are refused, because nobody uses them. */
function clock(value: unknown): string {
  const match = /^(\d{2}:\d{2}):00(?:\.0+)?Z$/.exec(text(value, 'time'));
  if (match?.[1] === undefined)
    throw new AppError('bad_request', `cannot read TIME=${String(value)}: it is not HH:MM:00Z`);
  return match[1];
}

/** Prices up to the first step of the context, and above each. Above a step, what has no step costs what it did. */
function byContext(prices: unknown): [number | undefined, Record<string, string>][] {
  if (!isRecord(prices)) throw new AppError('bad_request', 'cannot read PRICES: they are no object');
  const steps = new Set<number>();
  for (const price of Object.values(prices)) {
    if (!isRecord(price)) continue;
    for (const tier of list(price['tiers'], 'tiers')) {
      const start = isRecord(tier) ? tier['start'] : undefined;
      if (typeof start !== 'number') throw new AppError('bad_request', 'cannot read TIERS: one has no start');
      steps.add(start);
    }
  }
  const result: [number | undefined, Record<string, string>][] = [];
  for (const step of [undefined, ...[...steps].toSorted((a, b) => a - b)]) {
    const plain: Record<string, string> = {};
    for (const [key, price] of Object.entries(prices)) {
      if (REPEATED.has(key)) continue;
      const known = Object.hasOwn(KEYS, key) ? KEYS[key] : undefined;
      if (known === undefined)
        throw new AppError('bad_request', `cannot read PRICE=${key}: nothing of that kind is priced here`);
      plain[known[0]] = scaled(decimalText(at(price, step), key), known);
    }
    result.push([step, plain]);
  }
  return result;
}

/** Their price in our units; theirs are ours for every key that there is, and a key that differs is scaled exactly. */
function scaled(price: string, [kind, per]: readonly [Kind, number]): string {
  if (PER[kind] === per) return price;
  const value = parseDecimal(price, UNIT_SCALE) ?? 0n;
  return formatDecimal(divideHalfUp(value * BigInt(PER[kind]), BigInt(per)), UNIT_SCALE);
}

function at(price: unknown, step: number | undefined): unknown {
  if (!isRecord(price)) return price;
  let value = price['base'];
  for (const tier of list(price['tiers'], 'tiers')) {
    if (isRecord(tier) && step !== undefined && typeof tier['start'] === 'number' && tier['start'] <= step) {
      value = tier['price'];
    }
  }
  return value;
}

/** Their tree of conditions as patterns of ours, one of which has to match. */
function patternsOf(match: unknown, depth: number): string[] {
  if (!isRecord(match) || depth > 8) throw new AppError('bad_request', 'cannot read MATCH: it is no condition');
  if (Array.isArray(match['or'])) return match['or'].flatMap((part) => patternsOf(part, depth + 1));
  if (Array.isArray(match['and'])) {
    return [`/^${match['and'].map((part) => `(?=${alternatives(part, depth + 1)})`).join('')}/`];
  }
  const [operator = '', operand] = Object.entries(match)[0] ?? [];
  const value = text(operand, 'match');
  // A star of a name would be read as ours.
  const literal = value.includes('*') ? undefined : value;
  switch (operator) {
    case 'equals':
      return [literal ?? `/^${escaped(value)}$/`];
    case 'starts_with':
      return [literal === undefined ? `/^${escaped(value)}/` : `${literal}*`];
    case 'ends_with':
      return [literal === undefined ? `/${escaped(value)}$/` : `*${literal}`];
    case 'contains':
      return [literal === undefined ? `/${escaped(value)}/` : `*${literal}*`];
    case 'regex':
      return [`/${value}/`];
    default:
      throw new AppError('bad_request', `cannot read MATCH: ${operator} is no condition`);
  }
}

/** A condition as a regular expression for a look-ahead from the beginning. */
function alternatives(match: unknown, depth: number): string {
  return patternsOf(match, depth)
    .map((pattern) => {
      if (pattern.startsWith('/')) {
        const inner = pattern.slice(1, -1);
        return inner.startsWith('^') ? inner.slice(1) : `.*${inner}`;
      }
      return `${pattern.split('*').map(escaped).join('.*')}$`;
    })
    .map((expression) => `(?:${expression})`)
    .join('|');
}

function escaped(value: string): string {
  return value.replaceAll(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`);
}
