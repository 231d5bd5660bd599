/**
 * From what a client reports to quantities that don't overlap. Totals contain parts or stand beside them, depending on who counts;
 * that is data (`rules.ts`), and here is the subtraction.
 *
 * Must stay true: no token is in two quantities; no quantity is negative; if the parts are more than a total that is said to
 * contain them, the numbers themselves say that it doesn't, and are added.
 */

import { MEASURE_OF, type Kind, type Measure, type Quantities } from './kinds.ts';
import { MAX_COUNT } from './tokens.ts';

/** What a client reports of one generation. All are counts that aren't negative; absent means not reported, hence none. */
export interface Usage {
  readonly inputTokens?: number | undefined;
  readonly cacheReadTokens?: number | undefined;
  /** Tokens written to the cache, whatever their time to live, if that is all that is known. */
  readonly cacheWriteTokens?: number | undefined;
  readonly cacheWrite5mTokens?: number | undefined;
  readonly cacheWrite1hTokens?: number | undefined;
  readonly inputAudioTokens?: number | undefined;
  /** Cached audio; part of `cacheReadTokens`, and of `inputAudioTokens` where that contains cached tokens. */
  readonly cacheReadAudioTokens?: number | undefined;
  readonly inputImageTokens?: number | undefined;
  readonly cacheReadImageTokens?: number | undefined;
  readonly inputVideoTokens?: number | undefined;
  /** Tokens of tools' results that the provider feeds back into the model; never part of `inputTokens`. */
  readonly toolTokens?: number | undefined;
  readonly outputTokens?: number | undefined;
  readonly reasoningTokens?: number | undefined;
  readonly outputAudioTokens?: number | undefined;
  readonly outputImageTokens?: number | undefined;
  readonly outputVideoTokens?: number | undefined;
  readonly citationTokens?: number | undefined;
  /** All tokens, by the client's own sum. */
  readonly totalTokens?: number | undefined;
  readonly images?: number | undefined;
  readonly pixels?: number | undefined;
  readonly audioMs?: number | undefined;
  readonly videoMs?: number | undefined;
  readonly characters?: number | undefined;
  readonly pages?: number | undefined;
  readonly annotatedPages?: number | undefined;
  readonly searches?: number | undefined;
  readonly storageSearches?: number | undefined;
}

export type UsageField = keyof Usage;

/** Which totals contain which parts. */
export interface Containment {
  /** Whether `inputTokens` contains tokens read from the cache. */
  readonly cacheRead: boolean;
  /** Whether `inputTokens` contains tokens written to the cache. */
  readonly cacheWrite: boolean;
  /** Whether `outputTokens` contains tokens of thinking. */
  readonly reasoning: boolean;
  /** Whether the totals contain tokens of audio, images and video. */
  readonly media: boolean;
}

/** The quantities of a usage, and what was concluded on the way. */
export interface Split {
  readonly quantities: Quantities;
  /** Tokens that went in, of all kinds: what tiers by the length of the context go by. */
  readonly context: number;
  readonly measure: Measure;
  /** Whether the client reported anything: counts of 0 cost 0, and no counts cost nobody knows what. */
  readonly reported: boolean;
  /** Where the numbers contradicted the rule, in words; empty if they didn't. */
  readonly notes: readonly string[];
}

/** The first count of a usage that is none, as `field=value is no count`; undefined if all are whole, not negative and not absurd. */
export function faultOf(usage: Usage): string | undefined {
  // Not Object.entries: this runs for every generation.
  for (const field in usage) {
    const value = usage[field as UsageField];
    if (value !== undefined && (!Number.isSafeInteger(value) || value < 0 || value > MAX_COUNT)) {
      return `${field}=${value} is no count`;
    }
  }
  return undefined;
}

/** The quantities of a usage whose counts are whole and not negative (see `faultOf`). */
export function splitUsage(usage: Usage, rule: Containment): Split {
  const notes: string[] = [];
  const quantities: Quantities = {};
  const put = (kind: Kind, count: number): void => {
    if (count > 0) quantities[kind] = count;
  };

  const writes = cacheWrites(usage);
  const cached = cachedMedia(usage, notes);
  const media = sum(usage.inputAudioTokens, usage.inputImageTokens, usage.inputVideoTokens);
  // Media that a total contains is counted with its cached part, as is the total itself.
  const freshAudio = Math.max(0, (usage.inputAudioTokens ?? 0) - (rule.cacheRead ? cached.audio : 0));
  const freshImage = Math.max(0, (usage.inputImageTokens ?? 0) - (rule.cacheRead ? cached.image : 0));
  const freshVideo = usage.inputVideoTokens ?? 0;
  const total = (usage.inputTokens ?? 0) + (usage.toolTokens ?? 0);

  const contains = disproved(usage, rule, writes, media, notes);
  const inside =
    (contains.cacheRead ? cached.all : 0) +
    (contains.cacheWrite ? writes.short + writes.long : 0) +
    (contains.media ? freshAudio + freshImage + freshVideo : 0);
  let rest = total - inside;
  if (rest < 0) {
    notes.push(`the parts of the input are ${inside}, more than its total of ${total}: added, not subtracted`);
    rest = total;
  }
  put('input', rest);
  put('cacheRead', cached.text);
  put('cacheReadAudio', cached.audio);
  put('cacheReadImage', cached.image);
  put('cacheWrite', writes.short);
  put('cacheWrite1h', writes.long);
  put('inputAudio', freshAudio);
  put('inputImage', freshImage);
  put('inputVideo', freshVideo);
  const context = rest + cached.all + writes.short + writes.long + freshAudio + freshImage + freshVideo;

  splitOutput(usage, contains, put, notes);
  for (const kind of ['images', 'pixels', 'audioMs', 'videoMs', 'characters', 'pages', 'annotatedPages'] as const) {
    put(kind, usage[kind] ?? 0);
  }
  put('searches', usage.searches ?? 0);
  put('storageSearches', usage.storageSearches ?? 0);
  return { quantities, context, measure: measureOf(quantities), reported: isReported(usage), notes };
}

function splitOutput(
  usage: Usage,
  contains: Containment,
  put: (kind: Kind, count: number) => void,
  notes: string[],
): void {
  const reasoning = usage.reasoningTokens ?? 0;
  const media = sum(usage.outputAudioTokens, usage.outputImageTokens, usage.outputVideoTokens);
  const citation = usage.citationTokens ?? 0;
  const total = usage.outputTokens ?? 0;
  const inside = (contains.reasoning ? reasoning : 0) + (contains.media ? media : 0);
  let rest = total - inside;
  if (rest < 0) {
    notes.push(`the parts of the output are ${inside}, more than its total of ${total}: added, not subtracted`);
    rest = total;
  }
  put('output', rest);
  put('reasoning', reasoning);
  put('outputAudio', usage.outputAudioTokens ?? 0);
  put('outputImage', usage.outputImageTokens ?? 0);
  put('outputVideo', usage.outputVideoTokens ?? 0);
  put('citation', citation);
}

/** Writes by their time to live. What is not said to live for an hour lives for five minutes, the default. */
function cacheWrites(usage: Usage): { short: number; long: number } {
  const long = usage.cacheWrite1hTokens ?? 0;
  const split = (usage.cacheWrite5mTokens ?? 0) + long;
  const all = Math.max(usage.cacheWriteTokens ?? 0, split);
  return { short: all - long, long };
}

/** Cached tokens by what they are. `all` contains the media, and is at least what the media are. */
function cachedMedia(usage: Usage, notes: string[]): { all: number; text: number; audio: number; image: number } {
  const audio = usage.cacheReadAudioTokens ?? 0;
  const image = usage.cacheReadImageTokens ?? 0;
  const reported = usage.cacheReadTokens ?? 0;
  const all = Math.max(reported, audio + image);
  if (all > reported && reported > 0)
    notes.push(`cached audio and images are ${all}, more than the ${reported} cached`);
  return { all, text: all - audio - image, audio, image };
}

/**
 * The rule, unless the client's own sum of all tokens disproves it: if the parts have to be added to reach it, they are beside
 * the totals.
 */
function disproved(
  usage: Usage,
  rule: Containment,
  writes: { short: number; long: number },
  media: number,
  notes: string[],
): Containment {
  const { totalTokens: total, inputTokens: input, outputTokens: output } = usage;
  if (total === undefined || input === undefined || output === undefined) return rule;
  const extra = total - input - output;
  if (extra <= 0) return rule;
  const reasoning = usage.reasoningTokens ?? 0;
  const cache = sum(usage.cacheReadTokens, writes.short, writes.long);
  const inOutput = rule.reasoning ? reasoning : 0;
  const inInput =
    (rule.cacheRead ? (usage.cacheReadTokens ?? 0) : 0) + (rule.cacheWrite ? writes.short + writes.long : 0);
  // Only an exact match says so; any other difference has a reason that the numbers don't tell.
  if (reasoning > 0 && inOutput > 0 && extra === reasoning) {
    notes.push(`the total of ${total} has ${reasoning} tokens of thinking on top of the output`);
    return { ...rule, reasoning: false };
  }
  if (cache > 0 && inInput === cache && extra === cache) {
    notes.push(`the total of ${total} has ${cache} cached tokens on top of the input`);
    return { ...rule, cacheRead: false, cacheWrite: false };
  }
  if (cache > 0 && inInput === cache && inOutput > 0 && extra === cache + reasoning) {
    notes.push(
      `the total of ${total} has ${cache} cached tokens and ${reasoning} of thinking on top of input and output`,
    );
    return { ...rule, cacheRead: false, cacheWrite: false, reasoning: false };
  }
  if (media > 0 && rule.media && extra === media) {
    notes.push(`the total of ${total} has ${media} tokens of media on top of the input`);
    return { ...rule, media: false };
  }
  return rule;
}

/** The measure by which a generation is billed: by what came out, if the client knows its tokens, else by what it counted. */
function measureOf(quantities: Quantities): Measure {
  const out = quantities.output ?? quantities.outputImage ?? quantities.outputAudio ?? quantities.outputVideo;
  if (out !== undefined || quantities.reasoning !== undefined) return 'tokens';
  if (quantities.images !== undefined || quantities.pixels !== undefined) return 'images';
  if (quantities.videoMs !== undefined) return 'video';
  if (quantities.pages !== undefined || quantities.annotatedPages !== undefined) return 'pages';
  for (const kind in quantities) if (MEASURE_OF[kind as Kind] === 'tokens') return 'tokens';
  if (quantities.audioMs !== undefined) return 'audio';
  if (quantities.characters !== undefined) return 'characters';
  return 'tokens';
}

function isReported(usage: Usage): boolean {
  for (const field in usage) if (usage[field as UsageField] !== undefined) return true;
  return false;
}

function sum(...counts: readonly (number | undefined)[]): number {
  let total = 0;
  for (const count of counts) total += count ?? 0;
  return total;
}
