/** Google's prices of the Gemini API by service tier and length of the context. The standard tier is in the library's layer. */

import type { Fact } from './facts.ts';

/** Dollars per million tokens. */
export const GEMINI_TIERS: readonly Fact[] = [
  ['deep-research-max-preview-04-2026 deep-research-preview-04-2026', { tier: 'batch' }, { input: '1', output: '6' }],
  [
    'gemini-2.5-flash',
    { tier: 'batch', unpriced: 'cacheReadAudio' },
    { input: '0.15', cacheRead: '0.03', inputAudio: '0.5', output: '1.25' },
  ],
  [
    'gemini-2.5-flash',
    { tier: 'flex', unpriced: 'cacheReadAudio inputAudio' },
    { input: '0.15', cacheRead: '0.03', output: '1.25' },
  ],
  [
    'gemini-2.5-flash',
    { tier: 'priority', unpriced: 'cacheReadAudio' },
    { input: '0.54', cacheRead: '0.054', inputAudio: '1.8', output: '4.5' },
  ],
  [
    'gemini-2.5-flash-lite',
    { tier: 'batch', unpriced: 'cacheReadAudio' },
    { input: '0.05', cacheRead: '0.01', inputAudio: '0.15', output: '0.2' },
  ],
  [
    'gemini-2.5-flash-lite',
    { tier: 'flex', unpriced: 'cacheReadAudio inputAudio' },
    { input: '0.05', cacheRead: '0.01', output: '0.2' },
  ],
  [
    'gemini-2.5-flash-lite',
    { tier: 'priority', unpriced: 'cacheReadAudio' },
    { input: '0.18', cacheRead: '0.018', inputAudio: '0.54', output: '0.72' },
  ],
  ['gemini-2.5-flash-preview-tts', { tier: 'batch', unpriced: 'outputAudio' }, { input: '0.25', output: '5' }],
  ['gemini-2.5-pro', { tier: 'batch', contextUpTo: 200_000 }, { input: '0.625', cacheRead: '0.125', output: '5' }],
  ['gemini-2.5-pro', { tier: 'flex', contextUpTo: 200_000 }, { input: '0.625', cacheRead: '0.125', output: '5' }],
  ['gemini-2.5-pro', { tier: 'priority' }, { input: '2.25', cacheRead: '0.225', output: '18' }],
  ['gemini-2.5-pro', { tier: 'priority', contextAbove: 200_000 }, { input: '4.5', cacheRead: '0.45', output: '27' }],
  ['gemini-2.5-pro-preview-tts', { tier: 'batch', unpriced: 'inputAudio outputAudio' }, { input: '0.5', output: '10' }],
  [
    'gemini-3-flash-preview',
    { tier: 'batch', unpriced: 'cacheReadAudio' },
    { input: '0.25', cacheRead: '0.05', inputAudio: '0.5', output: '1.5' },
  ],
  [
    'gemini-3-flash-preview',
    { tier: 'flex', unpriced: 'cacheReadAudio inputAudio' },
    { input: '0.25', cacheRead: '0.05', output: '1.5' },
  ],
  [
    'gemini-3-flash-preview',
    { tier: 'priority', unpriced: 'cacheReadAudio' },
    { input: '0.9', cacheRead: '0.09', inputAudio: '1.8', output: '5.4' },
  ],
  ['gemini-3-pro-image', { tier: 'batch', contextUpTo: 200_000 }, { input: '1', output: '6', outputImage: '60' }],
  [
    'gemini-3-pro-image gemini-3-pro-image-preview',
    { tier: 'flex', contextUpTo: 200_000, unpriced: 'outputImage' },
    { input: '1', output: '6' },
  ],
  [
    'gemini-3-pro-image gemini-3-pro-image-preview',
    { tier: 'priority', contextUpTo: 200_000, unpriced: 'outputImage' },
    { input: '3.6', output: '21.6' },
  ],
  [
    'gemini-3-pro-image-preview',
    { tier: 'batch', contextUpTo: 200_000, unpriced: 'outputImage' },
    { input: '1', output: '6' },
  ],
  ['gemini-3.1-flash-image', { tier: 'batch' }, { input: '0.25', output: '1.5', outputImage: '30' }],
  ['gemini-3.1-flash-image-preview', { tier: 'batch', unpriced: 'outputImage' }, { input: '0.25', output: '1.5' }],
  [
    'gemini-3.1-flash-lite gemini-3.1-flash-lite-preview',
    { tier: 'batch', unpriced: 'cacheReadAudio' },
    { input: '0.125', cacheRead: '0.0125', inputAudio: '0.25', output: '0.75' },
  ],
  [
    'gemini-3.1-flash-lite gemini-3.1-flash-lite-preview',
    { tier: 'flex', unpriced: 'cacheReadAudio inputAudio' },
    { input: '0.125', cacheRead: '0.0125', output: '0.75' },
  ],
  [
    'gemini-3.1-flash-lite',
    { tier: 'priority', unpriced: 'cacheReadAudio' },
    { input: '0.45', cacheRead: '0.045', inputAudio: '0.9', output: '2.7' },
  ],
  ['gemini-3.1-flash-lite-image', { tier: 'batch', unpriced: 'outputImage' }, { input: '0.125', output: '0.75' }],
  [
    'gemini-3.1-flash-lite-preview',
    { tier: 'priority', unpriced: 'cacheReadAudio inputAudio' },
    { input: '0.45', cacheRead: '0.045', output: '2.7' },
  ],
  ['gemini-3.1-flash-tts-preview', { tier: 'batch', unpriced: 'outputAudio' }, { input: '0.5', output: '10' }],
  [
    'gemini-3.1-pro-preview gemini-3.1-pro-preview-customtools',
    { tier: 'batch', contextUpTo: 200_000 },
    { input: '1', cacheRead: '0.2', output: '6' },
  ],
  [
    'gemini-3.1-pro-preview gemini-3.1-pro-preview-customtools gemini-pro-latest',
    { tier: 'flex', contextUpTo: 200_000 },
    { input: '1', cacheRead: '0.2', output: '6' },
  ],
  [
    'gemini-3.1-pro-preview gemini-3.1-pro-preview-customtools gemini-pro-latest',
    { tier: 'priority' },
    { input: '3.6', cacheRead: '0.36', output: '21.6' },
  ],
  [
    'gemini-3.1-pro-preview gemini-3.1-pro-preview-customtools gemini-pro-latest',
    { tier: 'priority', contextAbove: 200_000 },
    { input: '7.2', cacheRead: '0.72', output: '32.4' },
  ],
  ['gemini-3.5-flash', { tier: 'batch' }, { input: '0.75', cacheRead: '0.075', output: '4.5' }],
  ['gemini-3.5-flash', { tier: 'flex' }, { input: '0.75', cacheRead: '0.08', output: '4.5' }],
  ['gemini-3.5-flash', { tier: 'priority' }, { input: '2.7', cacheRead: '0.27', output: '16.2' }],
  ['gemini-3.5-flash-lite', { tier: 'batch' }, { input: '0.15', cacheRead: '0.02', output: '1.25' }],
  [
    'gemini-3.5-flash-lite gemini-flash-lite-latest',
    { tier: 'flex' },
    { input: '0.15', cacheRead: '0.02', output: '1.25' },
  ],
  [
    'gemini-3.5-flash-lite gemini-flash-lite-latest',
    { tier: 'priority' },
    { input: '0.54', cacheRead: '0.05', output: '4.5' },
  ],
  [
    'gemini-3.6-flash gemini-3.7-flash gemini-3.8-flash',
    { tier: 'batch' },
    { input: '0.375', cacheRead: '0.0375', output: '1.875' },
  ],
  [
    'gemini-3.6-flash gemini-3.7-flash gemini-3.8-flash gemini-flash-latest',
    { tier: 'flex' },
    { input: '0.375', cacheRead: '0.0375', output: '1.875' },
  ],
  [
    'gemini-3.6-flash gemini-3.7-flash gemini-3.8-flash gemini-flash-latest',
    { tier: 'priority' },
    { input: '1.35', cacheRead: '0.135', output: '6.75' },
  ],
  [
    'gemini-3.8-flash-lite-tts',
    { tier: 'batch', unpriced: 'outputAudio' },
    { input: '0.25', cacheRead: '0.0625', output: '3' },
  ],
  [
    'gemini-3.8-flash-lite-tts',
    { tier: 'flex', unpriced: 'outputAudio' },
    { input: '0.25', cacheRead: '0.025', output: '3' },
  ],
  [
    'gemini-3.8-flash-lite-tts',
    { tier: 'priority', unpriced: 'outputAudio' },
    { input: '0.9', cacheRead: '0.225', output: '10.8' },
  ],
  [
    'gemini-3.8-flash-tts',
    { tier: 'batch', unpriced: 'outputAudio' },
    { input: '0.25', cacheRead: '0.0625', output: '4.5' },
  ],
  [
    'gemini-3.8-flash-tts',
    { tier: 'flex', unpriced: 'outputAudio' },
    { input: '0.25', cacheRead: '0.025', output: '4.5' },
  ],
  [
    'gemini-3.8-flash-tts',
    { tier: 'priority', unpriced: 'outputAudio' },
    { input: '0.9', cacheRead: '0.225', output: '16.2' },
  ],
  ['gemini-4-argon', { tier: 'batch' }, { input: '1', cacheRead: '0.05', output: '5' }],
  ['gemini-4-argon', { tier: 'flex' }, { input: '1', cacheRead: '0.05', output: '5' }],
  ['gemini-4-argon', { tier: 'priority' }, { input: '3.6', cacheRead: '0.18', output: '18' }],
  [
    'gemini-embedding-2 gemini-embedding-2-preview',
    { tier: 'batch' },
    { input: '0.1', inputAudio: '3.25', inputImage: '0.225', inputVideo: '6' },
  ],
  ['gemini-flash-latest', { tier: 'batch' }, { input: '0.375', output: '1.875' }],
  ['gemini-flash-lite-latest', { tier: 'batch' }, { input: '0.15', output: '1.25' }],
  ['gemini-nano-banana-2.1', { tier: 'batch', unpriced: 'outputImage' }, { input: '0.75', output: '3.75' }],
  ['gemini-pro-latest', { tier: 'batch', contextUpTo: 200_000 }, { input: '1', output: '6' }],
  ['gemini-robotics-er-2-preview', { tier: 'batch' }, { input: '0.5', cacheRead: '0.05', output: '2.5' }],
  ['nano-banana-pro-preview', { tier: 'batch', unpriced: 'outputImage' }, { input: '1', output: '6' }],
  ['nano-banana-pro-preview', { tier: 'flex', unpriced: 'outputImage' }, { input: '1', output: '6' }],
  ['nano-banana-pro-preview', { tier: 'priority', unpriced: 'outputImage' }, { input: '3.6', output: '21.6' }],
];
