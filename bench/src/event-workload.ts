/**
 * JSON events for the data platform: what a web shop's tracking sends, about 600 bytes a line, 512 lines a request, into a data
 * source of 15 columns. Ids, times and numbers are new in every request; names repeat as they do in real life.
 */

import { Random } from './random.ts';
import { makeVocabulary } from './vocabulary.ts';
import type { Template } from './workload.ts';
import { HEADROOM, ITEMS_PER_REQUEST, VOCABULARY_SEED } from './workload.ts';

export const EVENTS_TABLE = 'bench_events';

/** The schema as the API takes it. */
export const EVENTS_SCHEMA = [
  'timestamp DateTime64(3) `json:$.timestamp`',
  'event_id String `json:$.event_id`',
  'session_id String `json:$.session.id`',
  'user_id String `json:$.user.id`',
  'event_type LowCardinality(String) `json:$.type`',
  'page String `json:$.context.page`',
  "referrer LowCardinality(String) `json:$.context.referrer` DEFAULT ''",
  'country LowCardinality(String) `json:$.user.country`',
  'device LowCardinality(String) `json:$.context.device`',
  'duration_ms UInt32 `json:$.duration_ms`',
  'amount Float64 `json:$.amount` DEFAULT 0',
  'status UInt16 `json:$.status`',
  'is_bot Bool `json:$.is_bot`',
  'tags Array(String) `json:$.tags[:]`',
  'properties String `json:$.properties`',
].join(', ');

const TYPES = ['page_view', 'click', 'add_to_cart', 'checkout', 'search'] as const;
const COUNTRIES = ['DE', 'ES', 'FR', 'US', 'IN', 'BR'] as const;
const DEVICES = ['desktop', 'mobile', 'tablet'] as const;
const REFERRERS = ['https://www.example.com/', 'https://news.example.org/today', ''] as const;

/** Characters that stand for digits that are new in every request: hexadecimal and decimal. */
export const HEX_MARK = '\u0001';
export const DIGIT_MARK = '\u0002';
const HEX_DIGITS = Buffer.from('0123456789abcdef');
const ZERO = 0x30;

type Words = readonly [string, ...string[]];

export function makeEventTemplates(count: number, seed: number): Template[] {
  return makeLineTemplates(count, seed, line);
}

/** Requests of lines, in which the marks become new digits with every send. */
export function makeLineTemplates(
  count: number,
  seed: number,
  lineOf: (words: Words, random: Random) => string,
): Template[] {
  const words = makeVocabulary(new Random(VOCABULARY_SEED)).words;
  const random = new Random(seed);
  return Array.from({ length: count }, () => makeLineTemplate(random, () => lineOf(words, random)));
}

function makeLineTemplate(random: Random, next: () => string): Template {
  const lines = Array.from({ length: ITEMS_PER_REQUEST }, next).join('\n');
  const buffer = Buffer.alloc(HEADROOM + lines.length);
  buffer.write(lines, HEADROOM, 'latin1');
  const hex = placesOf(buffer, HEX_MARK);
  const digits = placesOf(buffer, DIGIT_MARK);
  return {
    buffer,
    bodyStart: HEADROOM,
    items: ITEMS_PER_REQUEST,
    firstTraceId: () => '',
    refresh: () => {
      for (let at = 0; at < hex.length; at += 8) {
        let word = random.uint32();
        for (let nth = at; nth < at + 8 && nth < hex.length; nth++, word >>>= 4) {
          buffer[hex[nth] as number] = HEX_DIGITS[word & 15] as number;
        }
      }
      for (const place of digits) buffer[place] = ZERO + random.below(10);
    },
  };
}

function placesOf(buffer: Buffer, mark: string): Uint32Array {
  const places: number[] = [];
  const code = mark.charCodeAt(0);
  for (let at = buffer.indexOf(code); at >= 0; at = buffer.indexOf(code, at + 1)) places.push(at);
  return Uint32Array.from(places);
}

function line(words: Words, random: Random): string {
  const hex = (length: number): string => HEX_MARK.repeat(length);
  const digits = (length: number): string => DIGIT_MARK.repeat(length);
  const day = new Date().toISOString().slice(0, 11);
  const text = Array.from({ length: 14 }, () => words[random.below(400)]).join(' ');
  return JSON.stringify({
    timestamp: `${day}1${digits(1)}:1${digits(1)}:2${digits(1)}.${digits(3)}Z`,
    event_id: `${hex(8)}-${hex(4)}-${hex(4)}-${hex(4)}-${hex(12)}`,
    type: random.pick(TYPES),
    session: { id: hex(24), started: `${day}00:00:00Z` },
    user: { id: `u-${digits(6)}`, country: random.pick(COUNTRIES), plan: 'free' },
    context: {
      page: `/shop/${words[random.below(200)]}/${digits(4)}`,
      referrer: random.pick(REFERRERS),
      device: random.pick(DEVICES),
      locale: 'en-US',
    },
    duration_ms: 1_000,
    amount: 12.5,
    status: random.pick([200, 200, 200, 304, 404]),
    is_bot: random.below(20) === 0,
    tags: [words[random.below(50)], words[random.below(50)]],
    properties: { query: text, position: 3 },
  })
    .replaceAll('\\u0001', HEX_MARK)
    .replaceAll('\\u0002', DIGIT_MARK)
    .replace('"duration_ms":1000', `"duration_ms":1${digits(3)}`)
    .replace('"amount":12.5', `"amount":1${digits(1)}.${digits(2)}`);
}
