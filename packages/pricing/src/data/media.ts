/**
 * Prices of what is not billed by tokens, or not by tokens only: images by size and quality, speech by character, transcription
 * and video by time.
 *
 * Must stay true: a size or quality that a list doesn't name has no price. The nearest one is somebody else's.
 */

import type { Fact } from './facts.ts';

/** Sizes and qualities of one model, as rows of a list: dollars for one image. */
function sized(models: string, prices: Readonly<Record<string, Readonly<Record<string, string>>>>): Fact[] {
  return Object.entries(prices).flatMap(([quality, bySize]) =>
    Object.entries(bySize).map(([size, images]): Fact => [models, { size, quality }, { images }]),
  );
}

const square = (images: string, portrait: string, landscape = portrait): Readonly<Record<string, string>> => ({
  '1024x1024': images,
  '1024x1536': portrait,
  '1536x1024': landscape,
});

/** OpenAI's images, where the client knows their number only. With tokens, the library's rows bill them by tokens. */
export const OPENAI_IMAGES: readonly Fact[] = [
  ...sized('gpt-image-1', {
    low: square('0.011', '0.016'),
    medium: square('0.042', '0.063'),
    high: square('0.167', '0.25'),
  }),
  ...sized('gpt-image-1.5 gpt-image-1.5-2025-12-16', {
    low: square('0.009', '0.013'),
    medium: square('0.034', '0.05'),
    high: square('0.133', '0.2'),
  }),
];
export const OPENAI_IMAGES_MINI: readonly Fact[] = sized('gpt-image-1-mini', {
  low: square('0.005', '0.006'),
  medium: square('0.011', '0.015'),
  high: square('0.036', '0.052'),
});

/** What OpenAI charged for DALL-E. A list that has 0.02 for standard portrait images is wrong by three quarters. */
export const OPENAI_DALLE: readonly Fact[] = [
  ...sized('dall-e-3', {
    standard: { '1024x1024': '0.04', '1024x1792': '0.08', '1792x1024': '0.08' },
    hd: { '1024x1024': '0.08', '1024x1792': '0.12', '1792x1024': '0.12' },
  }),
];
/** DALL-E 2 has one quality. */
export const OPENAI_DALLE_2: readonly Fact[] = [
  ['dall-e-2', { size: '256x256' }, { images: '0.016' }],
  ['dall-e-2', { size: '512x512' }, { images: '0.018' }],
  ['dall-e-2', { size: '1024x1024' }, { images: '0.02' }],
];

/** Azure's DALL-E 3, which its list has by the pixel: dollars for a million pixels. */
export const AZURE_IMAGES: readonly Fact[] = [
  ['dall-e-3', { size: '1024x1024', quality: 'standard' }, { pixels: '0.0419617' }],
  ['dall-e-3', { size: '1024x1792', quality: 'standard' }, { pixels: '0.0479562' }],
  ['dall-e-3', { size: '1792x1024', quality: 'standard' }, { pixels: '0.0479562' }],
  ['dall-e-3', { size: '1024x1024', quality: 'hd' }, { pixels: '0.0839233' }],
  ['dall-e-3', { size: '1024x1792', quality: 'hd' }, { pixels: '0.0719343' }],
  ['dall-e-3', { size: '1792x1024', quality: 'hd' }, { pixels: '0.0719343' }],
];
export const AZURE_FLUX: readonly Fact[] = [
  ['flux.2-pro', {}, { images: '0.04' }],
  ['flux-1.1-pro', {}, { images: '0.04' }],
];

/** Google's images, where the client knows their number only. */
export const GOOGLE_IMAGES: readonly Fact[] = [
  ['gemini-2.5-flash-image', {}, { images: '0.039' }],
  ['gemini-3-pro-image gemini-3-pro-image-preview', {}, { images: '0.134' }],
  ['gemini-3.1-flash-image gemini-3.1-flash-image-preview', {}, { images: '0.0672' }],
  ['gemini-3.1-flash-lite-image', {}, { images: '0.0336' }],
  ['imagen-3.0-fast-generate-001', {}, { images: '0.02' }],
  ['imagen-3.0-generate-001', {}, { images: '0.04' }],
];
/** Dollars for an hour; Google lists seconds: 0.05, 0.10, 0.40. */
export const GOOGLE_VIDEO: readonly Fact[] = [
  ['veo-3.1-generate-preview veo-3.1-generate-001', { size: '720p' }, { videoMs: '1440' }],
  ['veo-3.1-generate-preview veo-3.1-generate-001', { size: '1080p' }, { videoMs: '1440' }],
  ['veo-3.1-generate-preview veo-3.1-generate-001', { size: '4k' }, { videoMs: '2160' }],
  ['veo-3.1-fast-generate-preview veo-3.1-fast-generate-001', { size: '720p' }, { videoMs: '360' }],
  ['veo-3.1-fast-generate-preview veo-3.1-fast-generate-001', { size: '1080p' }, { videoMs: '432' }],
  ['veo-3.1-fast-generate-preview veo-3.1-fast-generate-001', { size: '4k' }, { videoMs: '1080' }],
];

/** Black Forest Labs' own service. */
export const BFL_IMAGES: readonly Fact[] = [
  ['flux-pro-1.1', {}, { images: '0.04' }],
  ['flux-pro-1.1-ultra', {}, { images: '0.06' }],
  ['flux-pro', {}, { images: '0.05' }],
  ['flux-dev', {}, { images: '0.025' }],
  ['flux-kontext-pro', {}, { images: '0.04' }],
  ['flux-kontext-max', {}, { images: '0.08' }],
  ['flux-pro-1.0-fill flux-pro-1.0-expand', {}, { images: '0.05' }],
];

/** xAI's images. */
export const XAI_IMAGES: readonly Fact[] = [
  ['grok-imagine-image grok-imagine-image-2026-03-02', {}, { images: '0.02' }],
  ['grok-imagine-image-quality grok-imagine-image-quality-latest grok-imagine-image-pro', {}, { images: '0.05' }],
];

/** OpenAI's speech and video: dollars for a million characters, and for an hour where the list has seconds (0.10, 0.30, 0.50). */
export const OPENAI_MEDIA: readonly Fact[] = [
  ['tts-1 tts-1-1106', {}, { characters: '15' }],
  ['tts-1-hd tts-1-hd-1106', {}, { characters: '30' }],
  ['gpt-4o-mini-tts', {}, { input: '0.6', output: '12', outputAudio: '12' }],
  ['sora-2', {}, { videoMs: '360' }],
  ['sora-2-pro', {}, { videoMs: '1080' }],
  ['sora-2-pro-high-res', {}, { videoMs: '1800' }],
];

/** Previews with audio, whose audio the library's data has no prices of. */
export const OPENAI_AUDIO_PREVIEWS: readonly Fact[] = [
  ['gpt-4o-audio-preview-2024-10-01', {}, { input: '2.5', inputAudio: '100', output: '10', outputAudio: '200' }],
  ['gpt-4o-audio-preview-2024-12-17', {}, { input: '2.5', inputAudio: '40', output: '10', outputAudio: '80' }],
  ['gpt-4o-mini-audio-preview-2024-12-17', {}, { input: '0.15', inputAudio: '10', output: '0.6', outputAudio: '20' }],
];

/** A generation service's list for its users: dollars for one final image. */
export const POLLINATIONS_IMAGES: readonly Fact[] = [
  ['gptimage', {}, { images: '0.04' }],
  ['dreamshaper', {}, { images: '0.01' }],
  ['flux', {}, { images: '0.005' }],
];
