/**
 * The layer of prices that comes with `@pydantic/genai-prices`: its data, in our rows. Its functions are not used: they calculate
 * with binary fractions and guess a provider where none is known.
 *
 * Must stay true: nothing here touches the network. The package would fetch newer data only if told to.
 */

import { findProvider } from '@pydantic/genai-prices';
import { importGenaiPrices } from './import/genai-prices.ts';
import type { Imported } from './import/json.ts';

/** Version of the package, and the day it was published. A test compares them with what is installed. */
export const LIBRARY_VERSION = '0.1.8';
const PUBLISHED = '2026-09-23';

/** The package has no list of its providers. */
export const LIBRARY_PROVIDERS: readonly string[] = [
  'anthropic',
  'arcee',
  'avian',
  'aws',
  'azure',
  'baseten',
  'cerebras',
  'cloudflare',
  'cohere',
  'cursor',
  'deepseek',
  'doubleword',
  'fireworks',
  'github-copilot',
  'google',
  'groq',
  'huggingface_cerebras',
  'huggingface_fireworks-ai',
  'huggingface_groq',
  'huggingface_hyperbolic',
  'huggingface_nebius',
  'huggingface_novita',
  'huggingface_nscale',
  'huggingface_ovhcloud',
  'huggingface_publicai',
  'huggingface_sambanova',
  'huggingface_together',
  'minimax',
  'mistral',
  'modal',
  'moonshotai',
  'novita',
  'openai',
  'openrouter',
  'ovhcloud',
  'perplexity',
  'quicksilverpro',
  'together',
  'typesafe',
  'voyageai',
  'x-ai',
  'zai',
  'zhipuai',
];

/** The rows of the package. */
export function libraryRows(): Imported {
  const providers = LIBRARY_PROVIDERS.map((providerId) => findProvider({ providerId })).filter(
    (provider, place) => provider?.id === LIBRARY_PROVIDERS[place],
  );
  return importGenaiPrices(providers, { via: `@pydantic/genai-prices ${LIBRARY_VERSION}`, date: PUBLISHED });
}
