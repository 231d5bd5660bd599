/**
 * Costs that were checked by hand: what a client reports, the sum with the prices of a public list, and the dollars that it comes
 * to. One list, which JavaScript's and the engine's arithmetic have to agree with.
 *
 * Must stay true: the prices in `work` are those of the source, not of the table that is tested. `expect` is `work`, worked out;
 * a test does that too, with whole numbers.
 */

import type { Case } from './case.suite.ts';
import { ANTHROPIC_CASES } from './cases-anthropic.suite.ts';
import { GOOGLE_CASES } from './cases-google.suite.ts';
import { IMAGES_CASES } from './cases-images.suite.ts';
import { OPENAI_CASES } from './cases-openai.suite.ts';
import { OTHERS_CASES } from './cases-others.suite.ts';
import type { Generation } from './pricer.ts';
import { readUsage } from './read-usage.ts';

export const CASES = (): readonly Case[] => [
  ...OPENAI_CASES,
  ...IMAGES_CASES,
  ...ANTHROPIC_CASES,
  ...GOOGLE_CASES,
  ...OTHERS_CASES,
];

/** A case as the generation that is priced. */
export function generationOf(given: Case): Generation {
  const { provider, model, usage, dialect, tier, size, quality } = given;
  return {
    at: Date.parse(given.at ?? '2026-11-01T12:00:00Z'),
    provider,
    model,
    usage: readUsage(usage),
    ...(dialect === undefined ? {} : { dialect }),
    ...(tier === undefined ? {} : { tier }),
    ...(size === undefined ? {} : { size }),
    ...(quality === undefined ? {} : { quality }),
  };
}
