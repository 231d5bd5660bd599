/**
 * Anthropic's prices of batches, and Bedrock's of Claude with writes to the cache for an hour, which the library's layer lacks.
 *
 * Must stay true: Bedrock's names carry the region, because regions cost a tenth more than the global endpoint.
 */

import type { Fact } from './facts.ts';

/** Dollars per million tokens. Batches cost half of everything: input, output, writes and reads of the cache. */
export const CLAUDE_BATCHES: readonly Fact[] = [
  [
    'claude-fable-5 claude-mythos-5',
    { tier: 'batch' },
    { input: '5', cacheRead: '0.5', cacheWrite: '6.25', cacheWrite1h: '10', output: '25' },
  ],
  [
    'claude-fable-5-1 claude-mythos-5-1',
    { tier: 'batch' },
    { input: '5', cacheRead: '0.125', cacheWrite: '6.25', cacheWrite1h: '10', output: '25' },
  ],
  [
    'claude-haiku-4-5 claude-haiku-4-5-20251001',
    { tier: 'batch' },
    { input: '0.5', cacheRead: '0.05', cacheWrite: '0.625', cacheWrite1h: '1', output: '2.5' },
  ],
  [
    'claude-haiku-5-5',
    { tier: 'batch' },
    { input: '0.05', cacheRead: '0.005', cacheWrite: '0.0625', cacheWrite1h: '0.1', output: '0.25' },
  ],
  [
    'claude-haiku-5-5',
    { tier: 'batch', contextAbove: 100_000 },
    { input: '0.25', cacheRead: '0.025', cacheWrite: '0.3125', cacheWrite1h: '0.5', output: '1.25' },
  ],
  [
    'claude-opus-4-5 claude-opus-4-5-20251101 claude-opus-4-6-20260205 claude-opus-4-7 claude-opus-4-7-20260416 claude-opus-4-8 claude-opus-5',
    { tier: 'batch' },
    { input: '2.5', cacheRead: '0.25', cacheWrite: '3.125', cacheWrite1h: '5', output: '12.5' },
  ],
  [
    'claude-opus-4-6',
    { tier: 'batch' },
    { input: '2.5', cacheRead: '0.25', cacheWrite: '3.125', cacheWrite1h: '5', output: '12.5' },
    '2026-03-13',
  ],
  [
    'claude-opus-5-5',
    { tier: 'batch' },
    { input: '2', cacheRead: '0.1', cacheWrite: '2.5', cacheWrite1h: '4', output: '10' },
  ],
  [
    'claude-sonnet-4-5',
    { tier: 'batch', contextUpTo: 200_000 },
    { input: '1.5', cacheRead: '0.15', cacheWrite: '1.875', cacheWrite1h: '3', output: '7.5' },
  ],
  [
    'claude-sonnet-4-5-20250929',
    { tier: 'batch' },
    { input: '1.5', cacheRead: '0.15', cacheWrite: '1.875', cacheWrite1h: '3', output: '7.5' },
  ],
  [
    'claude-sonnet-4-6',
    { tier: 'batch' },
    { input: '1.5', cacheRead: '0.15', cacheWrite: '1.875', cacheWrite1h: '3', output: '7.5' },
    '2026-03-13',
  ],
  [
    'claude-sonnet-5',
    { tier: 'batch' },
    { input: '1', cacheRead: '0.1', cacheWrite: '1.25', cacheWrite1h: '2', output: '5' },
  ],
  [
    'claude-sonnet-5-5',
    { tier: 'batch' },
    { input: '1', cacheRead: '0.05', cacheWrite: '1.25', cacheWrite1h: '2', output: '5' },
  ],
];

/** Models of the page of batches that newer lists have no more. */
export const CLAUDE_OLD_BATCHES: readonly Fact[] = [
  [
    'claude-opus-4-1 claude-opus-4-1-20250805 claude-opus-4-20250514 claude-opus-4-0 claude-3-opus-20240229',
    { tier: 'batch' },
    { input: '7.5', cacheRead: '0.75', cacheWrite: '9.375', cacheWrite1h: '15', output: '37.5' },
  ],
  [
    'claude-sonnet-4-20250514 claude-sonnet-4-0 claude-3-7-sonnet-20250219 claude-3-5-sonnet-20240620 claude-3-5-sonnet-20241022',
    { tier: 'batch' },
    { input: '1.5', cacheRead: '0.15', cacheWrite: '1.875', cacheWrite1h: '3', output: '7.5' },
  ],
  [
    'claude-3-5-haiku-20241022',
    { tier: 'batch' },
    { input: '0.4', cacheRead: '0.04', cacheWrite: '0.5', cacheWrite1h: '0.8', output: '2' },
  ],
];

/** Dollars per million tokens. */
export const BEDROCK_CLAUDE: readonly Fact[] = [
  [
    'apac.anthropic.claude-fable-5 au.anthropic.claude-fable-5 eu.anthropic.claude-fable-5 us.anthropic.claude-fable-5 us.anthropic.claude-mythos-5',
    {},
    { input: '11', cacheRead: '1.1', cacheWrite: '13.75', cacheWrite1h: '22', output: '55' },
  ],
  [
    'apac.anthropic.claude-haiku-5-5 au.anthropic.claude-haiku-5-5 eu.anthropic.claude-haiku-5-5 jp.anthropic.claude-haiku-5-5 us.anthropic.claude-haiku-5-5',
    {},
    { input: '0.11', cacheRead: '0.011', cacheWrite: '0.1375', cacheWrite1h: '0.22', output: '0.55' },
  ],
  [
    'apac.anthropic.claude-haiku-5-5 au.anthropic.claude-haiku-5-5 eu.anthropic.claude-haiku-5-5 jp.anthropic.claude-haiku-5-5 us.anthropic.claude-haiku-5-5',
    { contextAbove: 100_000 },
    { input: '0.55', cacheRead: '0.055', cacheWrite: '0.6875', cacheWrite1h: '1.1', output: '2.75' },
  ],
  [
    'apac.anthropic.claude-mythos-preview au.anthropic.claude-mythos-preview us.anthropic.claude-mythos-preview',
    {},
    { input: '27.5', cacheRead: '2.75', cacheWrite: '34.375', cacheWrite1h: '55', output: '137.5' },
  ],
  [
    'apac.anthropic.claude-opus-4-7 apac.anthropic.claude-opus-4-8 apac.anthropic.claude-opus-5 au.anthropic.claude-opus-4-6-v1 au.anthropic.claude-opus-4-7 au.anthropic.claude-opus-4-8 au.anthropic.claude-opus-5 eu.anthropic.claude-opus-4-5-20251101-v1:0 eu.anthropic.claude-opus-4-6-v1 eu.anthropic.claude-opus-4-7 eu.anthropic.claude-opus-4-8 eu.anthropic.claude-opus-5 jp.anthropic.claude-opus-4-7 jp.anthropic.claude-opus-4-8 jp.anthropic.claude-opus-5 us.anthropic.claude-opus-4-5-20251101-v1:0 us.anthropic.claude-opus-4-6-v1 us.anthropic.claude-opus-4-7 us.anthropic.claude-opus-4-8 us.anthropic.claude-opus-5',
    {},
    { input: '5.5', cacheRead: '0.55', cacheWrite: '6.875', cacheWrite1h: '11', output: '27.5' },
  ],
  [
    'apac.anthropic.claude-opus-5-5 au.anthropic.claude-opus-5-5 eu.anthropic.claude-opus-5-5 jp.anthropic.claude-opus-5-5 us.anthropic.claude-opus-5-5',
    {},
    { input: '4.4', cacheRead: '0.22', cacheWrite: '5.5', cacheWrite1h: '8.8', output: '22' },
  ],
  [
    'apac.anthropic.claude-sonnet-4-6 au.anthropic.claude-sonnet-4-5-20250929-v1:0 au.anthropic.claude-sonnet-4-6 eu.anthropic.claude-sonnet-4-5-20250929-v1:0 eu.anthropic.claude-sonnet-4-6 jp.anthropic.claude-sonnet-4-5-20250929-v1:0 jp.anthropic.claude-sonnet-4-6 us.anthropic.claude-sonnet-4-5-20250929-v1:0 us.anthropic.claude-sonnet-4-6',
    {},
    { input: '3.3', cacheRead: '0.33', cacheWrite: '4.125', cacheWrite1h: '6.6', output: '16.5' },
  ],
  [
    'apac.anthropic.claude-sonnet-5 au.anthropic.claude-sonnet-5 eu.anthropic.claude-sonnet-5 jp.anthropic.claude-sonnet-5 us.anthropic.claude-sonnet-5',
    {},
    { input: '2.2', cacheRead: '0.22', cacheWrite: '2.75', cacheWrite1h: '4.4', output: '11' },
  ],
  [
    'apac.anthropic.claude-sonnet-5-5 au.anthropic.claude-sonnet-5-5 eu.anthropic.claude-sonnet-5-5 jp.anthropic.claude-sonnet-5-5 us.anthropic.claude-sonnet-5-5',
    {},
    { input: '2.2', cacheRead: '0.11', cacheWrite: '2.75', cacheWrite1h: '4.4', output: '11' },
  ],
  [
    'au.anthropic.claude-haiku-4-5-20251001-v1:0 eu.anthropic.claude-haiku-4-5-20251001-v1:0 jp.anthropic.claude-haiku-4-5-20251001-v1:0 us.anthropic.claude-haiku-4-5-20251001-v1:0',
    {},
    { input: '1.1', cacheRead: '0.11', cacheWrite: '1.375', cacheWrite1h: '2.2', output: '5.5' },
  ],
  [
    'au.anthropic.claude-sonnet-4-5-20250929-v1:0 eu.anthropic.claude-sonnet-4-5-20250929-v1:0 jp.anthropic.claude-sonnet-4-5-20250929-v1:0 us.anthropic.claude-sonnet-4-5-20250929-v1:0',
    { contextAbove: 200_000 },
    { input: '6.6', cacheRead: '0.66', cacheWrite: '8.25', cacheWrite1h: '13.2', output: '24.75' },
  ],
  [
    'eu.anthropic.claude-fable-5-1 us.anthropic.claude-fable-5-1 us.anthropic.claude-mythos-5-1',
    {},
    { input: '11', cacheRead: '0.275', cacheWrite: '13.75', cacheWrite1h: '22', output: '55' },
  ],
  [
    'global.anthropic.claude-fable-5',
    {},
    { input: '10', cacheRead: '1', cacheWrite: '12.5', cacheWrite1h: '20', output: '50' },
  ],
  [
    'global.anthropic.claude-fable-5-1 global.anthropic.claude-mythos-5-1',
    {},
    { input: '10', cacheRead: '0.25', cacheWrite: '12.5', cacheWrite1h: '20', output: '50' },
  ],
  [
    'global.anthropic.claude-haiku-4-5-20251001-v1:0',
    {},
    { input: '1', cacheRead: '0.1', cacheWrite: '1.25', cacheWrite1h: '2', output: '5' },
  ],
  [
    'global.anthropic.claude-haiku-5-5',
    {},
    { input: '0.1', cacheRead: '0.01', cacheWrite: '0.125', cacheWrite1h: '0.2', output: '0.5' },
  ],
  [
    'global.anthropic.claude-haiku-5-5',
    { contextAbove: 100_000 },
    { input: '0.5', cacheRead: '0.05', cacheWrite: '0.625', cacheWrite1h: '1', output: '2.5' },
  ],
  [
    'global.anthropic.claude-opus-4-5-20251101-v1:0 global.anthropic.claude-opus-4-6-v1 global.anthropic.claude-opus-4-7 global.anthropic.claude-opus-4-8 global.anthropic.claude-opus-5',
    {},
    { input: '5', cacheRead: '0.5', cacheWrite: '6.25', cacheWrite1h: '10', output: '25' },
  ],
  [
    'global.anthropic.claude-opus-5-5',
    {},
    { input: '4', cacheRead: '0.2', cacheWrite: '5', cacheWrite1h: '8', output: '20' },
  ],
  [
    'global.anthropic.claude-sonnet-4-5-20250929-v1:0 global.anthropic.claude-sonnet-4-6',
    {},
    { input: '3', cacheRead: '0.3', cacheWrite: '3.75', cacheWrite1h: '6', output: '15' },
  ],
  [
    'global.anthropic.claude-sonnet-4-5-20250929-v1:0',
    { contextAbove: 200_000 },
    { input: '6', cacheRead: '0.6', cacheWrite: '7.5', cacheWrite1h: '12', output: '22.5' },
  ],
  [
    'global.anthropic.claude-sonnet-5',
    {},
    { input: '2', cacheRead: '0.2', cacheWrite: '2.5', cacheWrite1h: '4', output: '10' },
  ],
  [
    'global.anthropic.claude-sonnet-5-5',
    {},
    { input: '2', cacheRead: '0.1', cacheWrite: '2.5', cacheWrite1h: '4', output: '10' },
  ],
  [
    'us-gov.anthropic.claude-fable-5-1',
    {},
    { input: '12', cacheRead: '0.3', cacheWrite: '15', cacheWrite1h: '24', output: '60' },
  ],
  [
    'us-gov.anthropic.claude-haiku-5-5',
    {},
    { input: '0.12', cacheRead: '0.012', cacheWrite: '0.15', cacheWrite1h: '0.24', output: '0.6' },
  ],
  [
    'us-gov.anthropic.claude-haiku-5-5',
    { contextAbove: 100_000 },
    { input: '0.6', cacheRead: '0.06', cacheWrite: '0.75', cacheWrite1h: '1.2', output: '3' },
  ],
  [
    'us-gov.anthropic.claude-opus-4-8 us-gov.anthropic.claude-opus-5',
    {},
    { input: '6', cacheRead: '0.6', cacheWrite: '7.5', cacheWrite1h: '12', output: '30' },
  ],
  [
    'us-gov.anthropic.claude-opus-5-5',
    {},
    { input: '4.8', cacheRead: '0.24', cacheWrite: '6', cacheWrite1h: '9.6', output: '24' },
  ],
  [
    'us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0',
    {},
    { input: '3.6', cacheRead: '0.36', cacheWrite: '4.5', cacheWrite1h: '7.2', output: '18' },
  ],
  [
    'us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0',
    { contextAbove: 200_000 },
    { input: '7.2', cacheRead: '0.72', cacheWrite: '9', cacheWrite1h: '14.4', output: '27' },
  ],
  [
    'us-gov.anthropic.claude-sonnet-5',
    {},
    { input: '2.4', cacheRead: '0.24', cacheWrite: '3', cacheWrite1h: '4.8', output: '12' },
  ],
  [
    'us-gov.anthropic.claude-sonnet-5-5',
    {},
    { input: '2.4', cacheRead: '0.12', cacheWrite: '3', cacheWrite1h: '4.8', output: '12' },
  ],
];
