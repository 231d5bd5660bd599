/**
 * The text of prompts and log lines: a few thousand invented words whose frequencies follow Zipf's law, as those of a
 * natural language do, in one large corpus. A small vocabulary or a repeated text would make the disk numbers look good.
 *
 * Must stay true: only lower-case letters, spaces and full stops, so that a piece of it can stand inside a JSON string.
 */

import type { Random } from './random.ts';

const SYLLABLES =
  'ba be bi bo da de di do fa fe fi ga go ha he ka ke ki la le li lo lu ma me mi mo na ne ni no pa pe po ra re ri ro sa se si so ta te ti to ul un va ve vi wa ya za ing ion ent ers and the str pre con';
const WORDS = 4_000;
const CORPUS_BYTES = 8 << 20;

export interface Vocabulary {
  /** The most frequent word first. */
  readonly words: readonly [string, ...string[]];
  readonly corpus: Buffer;
}

export function makeVocabulary(random: Random): Vocabulary {
  const words = makeWords(random);
  return { words, corpus: makeCorpus(words, random) };
}

function makeWords(random: Random): [string, ...string[]] {
  const syllables = SYLLABLES.split(' ') as [string, ...string[]];
  const words = new Set<string>();
  while (words.size < WORDS) {
    // Frequent words are short in every language.
    const length = 1 + Math.floor(random.fraction() * Math.min(4, 1 + words.size / 60));
    words.add(Array.from({ length }, () => random.pick(syllables)).join(''));
    if (words.size < syllables.length) words.add(random.pick(syllables) + random.pick(syllables));
  }
  return [...words] as [string, ...string[]];
}

function makeCorpus(words: readonly string[], random: Random): Buffer {
  const cumulative = new Float64Array(words.length);
  let total = 0;
  for (let rank = 0; rank < words.length; rank++) cumulative[rank] = total += 1 / (rank + 2.7);
  const encoded = words.map((word) => Buffer.from(`${word} `));
  const corpus = Buffer.alloc(CORPUS_BYTES, ' ');
  for (let at = 0, sentence = 0; at < CORPUS_BYTES - 64;) {
    const word = encoded[rankOf(cumulative, random.fraction() * total)] ?? Buffer.from(' ');
    at += word.copy(corpus, at);
    sentence++;
    if (sentence > 8 && random.below(8) === 0) {
      corpus.write('. ', at - 1, 'latin1');
      at += 1;
      sentence = 0;
    }
  }
  return corpus;
}

/** The first rank whose cumulative weight is above `weight`. */
function rankOf(cumulative: Float64Array, weight: number): number {
  let [low, high] = [0, cumulative.length - 1];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((cumulative[middle] ?? 0) > weight) high = middle;
    else low = middle + 1;
  }
  return low;
}
