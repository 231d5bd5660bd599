/**
 * The layer of prices of our own: what the library's data has not, or has for one tier only.
 *
 * Must stay true: a fact is here because a public list has it. Where the list itself could not be opened, the package that carries
 * it is named with its version.
 */

import type { PriceRow, Source } from '../row.ts';
import { BEDROCK_CLAUDE, CLAUDE_BATCHES, CLAUDE_OLD_BATCHES } from './claude-facts.ts';
import { DEEPSEEK_FLASH } from './deepseek.ts';
import { factRows } from './facts.ts';
import { GEMINI_TIERS } from './google-tiers.ts';
import {
  AZURE_FLUX,
  AZURE_IMAGES,
  BFL_IMAGES,
  GOOGLE_IMAGES,
  GOOGLE_VIDEO,
  OPENAI_AUDIO_PREVIEWS,
  OPENAI_DALLE,
  OPENAI_DALLE_2,
  OPENAI_IMAGES,
  OPENAI_IMAGES_MINI,
  OPENAI_MEDIA,
  POLLINATIONS_IMAGES,
  XAI_IMAGES,
} from './media.ts';
import { OPENAI_TIERS } from './openai-tiers.ts';

const READ = '2026-11-22';
const LITELLM = { via: 'litellm 1.106.2', date: READ } as const;

const listed = (url: string): Source => ({ ...LITELLM, url });

/** All rows of the layer. */
export function ownRows(): PriceRow[] {
  const openai = listed('https://developers.openai.com/api/docs/pricing');
  const google = listed('https://ai.google.dev/gemini-api/docs/pricing');
  return [
    ...factRows('openai', OPENAI_TIERS, openai),
    ...factRows('openai', OPENAI_MEDIA, openai),
    ...factRows('openai', OPENAI_AUDIO_PREVIEWS, { via: 'litellm 1.60.2', date: READ }),
    ...factRows('openai', OPENAI_IMAGES, LITELLM),
    ...factRows('openai', OPENAI_IMAGES_MINI, {
      url: 'https://developers.openai.com/de-DE/api/docs/models/gpt-image-1-mini',
      date: READ,
    }),
    // Its prices of a pixel, times the pixels, are these to the cent.
    ...factRows('openai', OPENAI_DALLE, { via: 'litellm 1.60.2', date: READ }),
    ...factRows('openai', OPENAI_DALLE_2, { via: 'litellm 1.60.2', date: READ }),
    ...factRows('azure', AZURE_IMAGES, listed('https://azure.microsoft.com/en-us/pricing/details/azure-openai/')),
    ...factRows('azure', AZURE_FLUX, LITELLM),
    ...factRows('google', GEMINI_TIERS, google),
    ...factRows('google', GOOGLE_IMAGES, google),
    ...factRows('google', GOOGLE_VIDEO, google),
    ...factRows('anthropic', CLAUDE_BATCHES, listed('https://platform.claude.com/docs/en/about-claude/pricing')),
    ...factRows('anthropic', CLAUDE_OLD_BATCHES, {
      url: 'https://docs.anthropic.com/en/docs/build-with-claude/batch-processing',
      date: READ,
    }),
    ...factRows('aws', BEDROCK_CLAUDE, listed('https://aws.amazon.com/bedrock/pricing/')),
    ...factRows('deepseek', DEEPSEEK_FLASH, {
      url: 'https://github.com/benderandrew069/deepseek-api-pricing-2026/wiki',
      date: READ,
    }),
    ...factRows('bfl', BFL_IMAGES, listed('https://bfl.ai/pricing')),
    ...factRows('x-ai', XAI_IMAGES, listed('https://docs.x.ai/docs/models')),
    ...factRows('pollinations', POLLINATIONS_IMAGES, {
      url: 'https://github.com/pollinations/pollinations/issues/2468',
      date: READ,
    }),
    // OpenRouter's names say which models are free; the library's data has them without prices.
    ...factRows('openrouter', [['*:free', {}, { input: '0', output: '0' }]], {
      via: '@pydantic/genai-prices 0.1.8',
      date: '2026-09-23',
    }),
  ];
}
