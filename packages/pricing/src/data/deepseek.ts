/**
 * DeepSeek's flash model, which the library's data has not yet: half price outside of its peak hours.
 *
 * Must stay true: days of the week are no conditions here, so weekends are billed as if they had peaks too. That is too much
 * rather than too little.
 */

import type { Prices } from '../kinds.ts';
import type { Fact } from './facts.ts';

const PEAK: Prices = { input: '0.3', cacheRead: '0.006', output: '1.2' };

/** Dollars per million tokens; hours in UTC. */
export const DEEPSEEK_FLASH: readonly Fact[] = [
  ['deepseek-flash', {}, { input: '0.15', cacheRead: '0.003', output: '0.6' }],
  ['deepseek-flash', { hours: { from: '01:00', until: '04:00' } }, PEAK],
  ['deepseek-flash', { hours: { from: '06:00', until: '10:00' } }, PEAK],
];
