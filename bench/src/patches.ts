/**
 * The places in an encoded request whose content is drawn anew before every send: ids, times, and every attribute that
 * differs from span to span in real life. What is left as it was is what repeats in real life too: names, routes, resources.
 *
 * Must stay true: a patch never changes a length, and a request costs little more than copying it, because this runs while
 * the server is being measured on the same cores.
 */

import type { Random } from './random.ts';

/** Where a span keeps what every send changes; -1 where it has none. Indexes are positions in the request. */
export interface SpanPlaces {
  traceIdAt: number;
  spanIdAt: number;
  parentIdAt: number;
  startAt: number;
  endAt: number;
  eventAt: number;
  readonly trace: number;
  readonly parent: number;
  /** Nanoseconds from the request's time to the start, and from the start to the end; both below 2^32. */
  readonly offsetNs: number;
  readonly durationNs: number;
}

const SPAN_FIELDS = 10;
const JITTER_NS = 0x3_ffff;
const SPACE = 0x20;

interface Places {
  readonly spans: Int32Array;
  readonly traces: number;
  /** Offsets of four digits, of one digit, of four hexadecimal digits. */
  readonly quads: Int32Array;
  readonly singles: Int32Array;
  readonly hexQuads: Int32Array;
  /** Pairs of offset and length. */
  readonly texts: Int32Array;
  readonly varints: Int32Array;
  readonly doubles: Int32Array;
}

export class Patches {
  private readonly spans: SpanPlaces[] = [];
  private readonly quads: number[] = [];
  private readonly singles: number[] = [];
  private readonly hexQuads: number[] = [];
  private readonly texts: number[] = [];
  private readonly varints: number[] = [];
  private readonly doubles: number[] = [];

  span(places: SpanPlaces): void {
    this.spans.push(places);
  }

  /** Registers the runs of `#` (a decimal digit) and of `@@@@` (four hexadecimal digits) of a pattern written at `offset`. */
  pattern(offset: number, pattern: string): void {
    for (const { 0: run, index } of pattern.matchAll(/####|#|@@@@/g)) {
      const list = run === '#' ? this.singles : run === '####' ? this.quads : this.hexQuads;
      list.push(offset + index);
    }
  }

  text(offset: number, length: number): void {
    this.texts.push(offset, length);
  }

  /** A varint of `length` bytes, 2 to 4. */
  varint(offset: number, length: number): void {
    this.varints.push(offset, length);
  }

  double(offset: number): void {
    this.doubles.push(offset);
  }

  compile(tables: Tables): Patcher {
    const fields = this.spans.flatMap((span) => [
      span.traceIdAt,
      span.spanIdAt,
      span.parentIdAt,
      span.startAt,
      span.endAt,
      span.eventAt,
      span.trace,
      span.parent,
      span.offsetNs,
      span.durationNs,
    ]);
    const places: Places = {
      // Nanoseconds may be above 2^31: kept as the same 32 bits, read back unsigned.
      spans: Int32Array.from(fields, (value) => value | 0),
      traces: this.spans.reduce((most, span) => Math.max(most, span.trace + 1), 0),
      quads: Int32Array.from(this.quads),
      singles: Int32Array.from(this.singles),
      hexQuads: Int32Array.from(this.hexQuads),
      texts: Int32Array.from(this.texts),
      varints: Int32Array.from(this.varints),
      doubles: Int32Array.from(this.doubles),
    };
    return new Patcher(places, tables);
  }
}

/** What all requests share. */
export interface Tables {
  /** Four characters as one little-endian word, by number. */
  readonly decimal: Int32Array;
  readonly hexadecimal: Int32Array;
  /** Random words, read from a random place and combined with a random key: cheaper than drawing each of them. */
  readonly noise: Int32Array;
  readonly corpus: Buffer;
}

const NOISE_WORDS = 1 << 20;

export function makeTables(corpus: Buffer, random: Random): Tables {
  const table = (size: number, base: number): Int32Array =>
    Int32Array.from({ length: size }, (_, value) => Buffer.from(value.toString(base).padStart(4, '0')).readInt32LE());
  const noise = Int32Array.from({ length: NOISE_WORDS }, () => random.uint32());
  return { decimal: table(10_000, 10), hexadecimal: table(65_536, 16), noise, corpus };
}

export class Patcher {
  private readonly places: Places;
  private readonly tables: Tables;
  /** Random words that a request takes: three a span, four a trace, then one for every other place. */
  private readonly words: number;
  // Of the request being written: where its words begin, and their key.
  private start = 0;
  private key = 0;

  constructor(places: Places, tables: Tables) {
    this.places = places;
    this.tables = tables;
    const { spans, traces, quads, singles, hexQuads, varints, doubles } = places;
    const others = quads.length + singles.length + hexQuads.length + varints.length + doubles.length;
    this.words = (spans.length / SPAN_FIELDS) * 3 + traces * 4 + others;
  }

  /** Makes the request in `target` one that was never sent; its first span starts at about `timeNs` (Unix nanoseconds). */
  apply(target: Buffer, view: DataView, random: Random, timeNs: bigint): void {
    this.start = random.below(this.tables.noise.length - this.words);
    this.key = random.uint32();
    this.writeSpans(view, Number(timeNs & 0xffff_ffffn), Number(timeNs >> 32n));
    this.writeDigits(view);
    this.writeNumbers(view);
    const { texts } = this.places;
    for (let index = 0; index < texts.length; index += 2) {
      writeText(target, texts[index] ?? 0, texts[index + 1] ?? 0, this.tables.corpus, random);
    }
  }

  /** Trace id of the first span as it was last written, in hex. */
  firstTraceId(target: Buffer): string {
    const at = this.places.spans[0] ?? 0;
    return target.toString('hex', at, at + 16);
  }

  private writeSpans(view: DataView, baseLow: number, baseHigh: number): void {
    const { start: spanWords, key } = this;
    const { noise } = this.tables;
    const { spans } = this.places;
    const traceWords = spanWords + (spans.length / SPAN_FIELDS) * 3;
    for (let word = spanWords, at = 0; at < spans.length; word += 3, at += SPAN_FIELDS) {
      const traceIdAt = spans[at] ?? 0;
      const trace = traceWords + (spans[at + 6] ?? 0) * 4;
      view.setInt32(traceIdAt, (noise[trace] ?? 0) ^ key, true);
      view.setInt32(traceIdAt + 4, (noise[trace + 1] ?? 0) ^ key, true);
      view.setInt32(traceIdAt + 8, (noise[trace + 2] ?? 0) ^ key, true);
      view.setInt32(traceIdAt + 12, (noise[trace + 3] ?? 0) ^ key, true);
      const spanIdAt = spans[at + 1] ?? 0;
      view.setInt32(spanIdAt, (noise[word] ?? 0) ^ key, true);
      view.setInt32(spanIdAt + 4, (noise[word + 1] ?? 0) ^ key, true);
      const parentIdAt = spans[at + 2] ?? 0;
      if (parentIdAt >= 0) {
        const parent = spanWords + (spans[at + 7] ?? 0) * 3;
        view.setInt32(parentIdAt, (noise[parent] ?? 0) ^ key, true);
        view.setInt32(parentIdAt + 4, (noise[parent + 1] ?? 0) ^ key, true);
      }
      const jitter = (noise[word + 2] ?? 0) ^ key;
      const start = baseLow + (spans[at + 8] ?? 0) + (jitter & JITTER_NS);
      const duration = ((spans[at + 9] ?? 0) >>> 0) + ((jitter >>> 8) & JITTER_NS);
      writeTime(view, spans[at + 3] ?? 0, start, baseHigh);
      writeTime(view, spans[at + 4] ?? 0, start + duration, baseHigh);
      const eventAt = spans[at + 5] ?? 0;
      if (eventAt >= 0) writeTime(view, eventAt, start + (duration >>> 1), baseHigh);
    }
  }

  private writeDigits(view: DataView): void {
    const { key } = this;
    const { decimal, hexadecimal, noise } = this.tables;
    const { spans, traces, quads, singles, hexQuads } = this.places;
    let word = this.start + (spans.length / SPAN_FIELDS) * 3 + traces * 4;
    for (let index = 0; index < quads.length; index++) {
      const value = Math.imul(((noise[word++] ?? 0) ^ key) & 0xffff, 10_000) >>> 16;
      view.setInt32(quads[index] ?? 0, decimal[value] ?? 0, true);
    }
    for (let index = 0; index < singles.length; index++) {
      view.setUint8(singles[index] ?? 0, 0x30 + (((((noise[word++] ?? 0) ^ key) & 0xffff) * 10) >>> 16));
    }
    for (let index = 0; index < hexQuads.length; index++) {
      view.setInt32(hexQuads[index] ?? 0, hexadecimal[((noise[word++] ?? 0) ^ key) & 0xffff] ?? 0, true);
    }
  }

  private writeNumbers(view: DataView): void {
    const { key } = this;
    const { noise } = this.tables;
    const { varints, doubles } = this.places;
    let word = this.start + this.words - varints.length - doubles.length;
    for (let index = 0; index < doubles.length; index++) {
      view.setInt32((doubles[index] ?? 0) + 2, (noise[word++] ?? 0) ^ key, true);
    }
    for (let index = 0; index < varints.length; index += 2) {
      writeVarint(view, varints[index] ?? 0, varints[index + 1] ?? 0, (noise[word++] ?? 0) ^ key);
    }
  }
}

/** `low` may be above 2^32: the carry goes into `high`. */
function writeTime(view: DataView, at: number, low: number, high: number): void {
  if (low < 0x1_0000_0000) {
    view.setUint32(at, low, true);
    view.setUint32(at + 4, high, true);
  } else {
    const carry = low < 0x2_0000_0000 ? 1 : 2;
    view.setUint32(at, low - carry * 0x1_0000_0000, true);
    view.setUint32(at + 4, high + carry, true);
  }
}

/** Copies whole words from the corpus; what is left of the last one is blanked. */
function writeText(target: Buffer, at: number, length: number, corpus: Buffer, random: Random): void {
  let from = random.below(corpus.length - length - 64);
  while (corpus[from] !== SPACE) from++;
  from++;
  corpus.copy(target, at, from, from + length);
  if (corpus[from + length] !== SPACE) {
    for (let end = at + length - 1; end > at && target[end] !== SPACE; end--) target[end] = SPACE;
  }
}

/** Small values are more likely than large ones, as token counts and sizes are. */
function writeVarint(view: DataView, at: number, length: number, word: number): void {
  view.setUint8(at, (word & 127) | 128);
  if (length > 2) view.setUint8(at + 1, ((word >>> 7) & 127) | 128);
  if (length > 3) view.setUint8(at + 2, ((word >>> 14) & 127) | 128);
  const high = (word >>> 21) & (word >>> 25) & 127;
  view.setUint8(at + length - 1, high === 0 ? 1 : high);
}
