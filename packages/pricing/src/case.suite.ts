/**
 * What a case checked by hand is, and the public lists whose prices cases use.
 *
 * Must stay true: a list that could not be opened itself is named with the package and version that carries it.
 */

import type { Source } from './row.ts';
import type { Dialect } from './rules.ts';

export interface Case {
  readonly name: string;
  readonly provider: string;
  readonly model: string;
  /** As the client reports it. */
  readonly usage: Readonly<Record<string, unknown>>;
  /** The sum, with the prices of the source: `(quantity * price + …) / units`. */
  readonly work: string;
  /** Dollars, rounded half up to 1e-12. */
  readonly expect: string;
  readonly source: Source;
  /** When the request was made; absent is noon of 2026-11-01. */
  readonly at?: string;
  readonly dialect?: Dialect;
  readonly tier?: string;
  readonly size?: string;
  readonly quality?: string;
}

const date = '2026-11-22';
const via = 'litellm 1.106.2';

export const OPENAI: Source = { url: 'https://developers.openai.com/api/docs/pricing', via, date };
export const OPENAI_PRIORITY: Source = { url: 'https://openai.com/api-priority-processing/', date };
export const IMAGE_MINI: Source = { url: 'https://developers.openai.com/de-DE/api/docs/models/gpt-image-1-mini', date };
export const LIBRARY: Source = { via: '@pydantic/genai-prices 0.1.8', date: '2026-09-23' };
export const LITELLM: Source = { via, date };
export const LITELLM_OLD: Source = { via: 'litellm 1.60.2', date };
export const CLAUDE: Source = { url: 'https://platform.claude.com/docs/en/about-claude/pricing', date };
export const CLAUDE_BATCH: Source = {
  url: 'https://docs.anthropic.com/en/docs/build-with-claude/batch-processing',
  date,
};
export const GEMINI: Source = { url: 'https://ai.google.dev/gemini-api/docs/pricing', via, date };
export const BEDROCK: Source = { url: 'https://aws.amazon.com/bedrock/pricing/', via, date };
export const AZURE: Source = { url: 'https://azure.microsoft.com/en-us/pricing/details/azure-openai/', via, date };
export const MISTRAL: Source = { url: 'https://docs.mistral.ai/models', via, date };
export const DEEPSEEK: Source = { url: 'https://github.com/benderandrew069/deepseek-api-pricing-2026/wiki', date };
export const BFL: Source = { url: 'https://bfl.ai/pricing', via, date };
export const XAI: Source = { url: 'https://docs.x.ai/docs/models', via, date };
export const SEED: Source = { url: 'https://github.com/pollinations/pollinations/issues/2468', date };
