/**
 * What is counted and priced: the kinds of quantities of a generation, which never overlap, with the unit that their prices are
 * for. A separate file because usage, prices, costs and the engine's columns all speak of the same list.
 *
 * Must stay true: kinds are disjoint. A token that was read from a cache is `cacheRead` and not `input` too; whoever counts a
 * thing twice bills it twice.
 */

/** Units that a price of a kind is for, as providers write it: tokens by the million, images one by one, audio by the hour. */
export const PER = {
  /** Input tokens that are none of the kinds below: text, and whatever the provider bills as text. */
  input: 1_000_000,
  /** Input tokens read from the provider's cache. */
  cacheRead: 1_000_000,
  /** Input tokens written to the provider's cache, kept for five minutes, or for as long as the provider's only choice is. */
  cacheWrite: 1_000_000,
  /** Input tokens written to the provider's cache, kept for an hour. */
  cacheWrite1h: 1_000_000,
  inputAudio: 1_000_000,
  cacheReadAudio: 1_000_000,
  inputImage: 1_000_000,
  cacheReadImage: 1_000_000,
  inputVideo: 1_000_000,
  /** Output tokens that are none of the kinds below. */
  output: 1_000_000,
  /** Output tokens of thinking. */
  reasoning: 1_000_000,
  outputAudio: 1_000_000,
  outputImage: 1_000_000,
  outputVideo: 1_000_000,
  /** Output tokens of citations. */
  citation: 1_000_000,
  /** Images made. */
  images: 1,
  /** Pixels of images made. */
  pixels: 1_000_000,
  /** Milliseconds of audio heard or spoken; the price is by the hour. */
  audioMs: 3_600_000,
  /** Milliseconds of video made; the price is by the hour. */
  videoMs: 3_600_000,
  /** Characters spoken or translated. */
  characters: 1_000_000,
  /** Pages of documents read. */
  pages: 1_000,
  /** Pages of documents read with annotations; a page is one of both kinds, not both. */
  annotatedPages: 1_000,
  /** Searches of the web that the provider made. */
  searches: 1_000,
  /** Searches of the provider's file store. */
  storageSearches: 1_000,
  /** The request itself. */
  requests: 1_000,
} as const;

export type Kind = keyof typeof PER;

export const KINDS = Object.keys(PER) as readonly Kind[];

export function isKind(name: string): name is Kind {
  return Object.hasOwn(PER, name);
}

/** How much of each kind a generation took; a kind that is absent is 0. Whole numbers. */
export type Quantities = Partial<Record<Kind, number>>;

/** Prices in dollars for `PER` units, as decimal texts. */
export type Prices = Readonly<Partial<Record<Kind, string>>>;

/**
 * What a generation is measured in. Providers bill one generation by one measure; where a client reports several (an image's
 * tokens, and that it is one image), only one of them is on the bill.
 */
export type Measure = 'tokens' | 'images' | 'audio' | 'video' | 'characters' | 'pages';

/** The measure of a kind; undefined for what is billed on top of any measure. */
export const MEASURE_OF: Readonly<Record<Kind, Measure | undefined>> = {
  input: 'tokens',
  cacheRead: 'tokens',
  cacheWrite: 'tokens',
  cacheWrite1h: 'tokens',
  inputAudio: 'tokens',
  cacheReadAudio: 'tokens',
  inputImage: 'tokens',
  cacheReadImage: 'tokens',
  inputVideo: 'tokens',
  output: 'tokens',
  reasoning: 'tokens',
  outputAudio: 'tokens',
  outputImage: 'tokens',
  outputVideo: 'tokens',
  citation: 'tokens',
  images: 'images',
  pixels: 'images',
  audioMs: 'audio',
  videoMs: 'video',
  characters: 'characters',
  pages: 'pages',
  annotatedPages: 'pages',
  searches: undefined,
  storageSearches: undefined,
  requests: undefined,
};

/**
 * Whose price a kind has where it has none of its own, in this order: what a provider doesn't list apart it bills as the whole
 * that it is a part of. A kind that is not here has its own price or none.
 */
const PRICED_AS: Readonly<Partial<Record<Kind, readonly Kind[]>>> = {
  cacheRead: ['input'],
  cacheWrite: ['input'],
  // Not `cacheWrite`: whoever charges for writes charges more for an hour, and a guess would be too low.
  cacheWrite1h: ['input'],
  inputAudio: ['input'],
  cacheReadAudio: ['inputAudio', 'cacheRead', 'input'],
  inputImage: ['input'],
  cacheReadImage: ['inputImage', 'cacheRead', 'input'],
  inputVideo: ['input'],
  reasoning: ['output'],
  outputAudio: ['output'],
  outputImage: ['output'],
  outputVideo: ['output'],
  citation: ['output'],
};

/** The kind whose price `kind` has in these prices; undefined if there is none. */
export function pricedAs(kind: Kind, prices: Readonly<Partial<Record<Kind, unknown>>>): Kind | undefined {
  if (prices[kind] !== undefined) return kind;
  if (kind === 'cacheWrite1h' && prices.cacheWrite !== undefined) return undefined;
  return PRICED_AS[kind]?.find((other) => prices[other] !== undefined);
}
