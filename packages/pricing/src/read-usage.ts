/**
 * The usage of a provider's answer, of a convention's attributes or of a client's event, as `Usage`: names only, no arithmetic.
 * One table serves all, because the names of different dialects don't collide; what they contain is the rule's matter.
 *
 * Must stay true: whatever the value is, this returns. What is no count is not reported; nothing becomes 0 that was not 0.
 */

import type { Usage, UsageField } from './usage.ts';

/**
 * Where a field may stand, the first that is there wins. `/` goes into an object; dots are part of a name, because attributes
 * of conventions are flat.
 */
const PATHS: Readonly<Partial<Record<UsageField, readonly string[]>>> = {
  inputTokens: [
    'prompt_tokens',
    'input_tokens',
    'inputTokens',
    'promptTokenCount',
    'promptTokens',
    'gen_ai.usage.input_tokens',
    'gen_ai.usage.prompt_tokens',
    'llm.token_count.prompt',
    'ai.usage.promptTokens',
    'ai.usage.inputTokens',
    'token_count_prompt_text',
  ],
  outputTokens: [
    'completion_tokens',
    'output_tokens',
    'outputTokens',
    'candidatesTokenCount',
    'completionTokens',
    'gen_ai.usage.output_tokens',
    'gen_ai.usage.completion_tokens',
    'llm.token_count.completion',
    'ai.usage.completionTokens',
    'ai.usage.outputTokens',
    'token_count_completion_text',
  ],
  totalTokens: ['total_tokens', 'totalTokens', 'totalTokenCount', 'llm.token_count.total'],
  cacheReadTokens: [
    'prompt_tokens_details/cached_tokens',
    'input_tokens_details/cached_tokens',
    'input_token_details/cached_tokens',
    'cache_read_input_tokens',
    'cacheReadInputTokens',
    'cachedContentTokenCount',
    'cachedInputTokens',
    'prompt_cache_hit_tokens',
    'cached_tokens',
    'gen_ai.usage.cache_read.input_tokens',
    'gen_ai.usage.cache_read_input_tokens',
    'llm.token_count.prompt_details.cache_read',
    'ai.usage.cachedInputTokens',
    'token_count_prompt_cached',
  ],
  cacheWriteTokens: [
    'cache_creation_input_tokens',
    'cacheWriteInputTokens',
    'prompt_tokens_details/cache_write_tokens',
    'input_tokens_details/cache_write_tokens',
    'prompt_tokens_details/cache_creation_tokens',
    'gen_ai.usage.cache_creation.input_tokens',
    'gen_ai.usage.cache_creation_input_tokens',
    'llm.token_count.prompt_details.cache_write',
  ],
  cacheWrite5mTokens: ['cache_creation/ephemeral_5m_input_tokens'],
  cacheWrite1hTokens: ['cache_creation/ephemeral_1h_input_tokens'],
  inputAudioTokens: [
    'prompt_tokens_details/audio_tokens',
    'input_token_details/audio_tokens',
    'input_tokens_details/audio_tokens',
    'gen_ai.usage.audio.input_tokens',
    'llm.token_count.prompt_details.audio',
    'token_count_prompt_audio',
  ],
  cacheReadAudioTokens: ['input_token_details/cached_tokens_details/audio_tokens'],
  inputImageTokens: [
    'input_tokens_details/image_tokens',
    'input_token_details/image_tokens',
    'prompt_tokens_details/image_tokens',
    'gen_ai.usage.image.input_tokens',
  ],
  cacheReadImageTokens: [
    'input_token_details/cached_tokens_details/image_tokens',
    'input_tokens_details/cached_tokens_details/image_tokens',
  ],
  toolTokens: ['toolUsePromptTokenCount'],
  reasoningTokens: [
    'completion_tokens_details/reasoning_tokens',
    'output_tokens_details/reasoning_tokens',
    'output_tokens_details/thinking_tokens',
    'thoughtsTokenCount',
    'reasoningTokens',
    'gen_ai.usage.reasoning.output_tokens',
    'llm.token_count.completion_details.reasoning',
    'ai.usage.reasoningTokens',
  ],
  outputAudioTokens: [
    'completion_tokens_details/audio_tokens',
    'output_token_details/audio_tokens',
    'output_tokens_details/audio_tokens',
    'gen_ai.usage.audio.output_tokens',
    'llm.token_count.completion_details.audio',
    'token_count_completion_audio',
  ],
  outputImageTokens: ['output_tokens_details/image_tokens', 'completion_tokens_details/image_tokens'],
  citationTokens: ['citation_tokens'],
  images: ['images', 'num_images', 'n_images'],
  characters: ['characters', 'input_characters'],
  pages: ['pages_processed'],
  searches: [
    'server_tool_use/web_search_requests',
    'num_search_queries',
    'web_search_requests',
    'gen_ai.usage.web_search_requests',
  ],
};
/** Of seconds, which may have a fraction. */
const SECONDS: Readonly<Partial<Record<UsageField, readonly string[]>>> = {
  audioMs: ['seconds', 'audio_seconds', 'prompt_audio_seconds'],
  videoMs: ['video_seconds'],
};
/** Lists of `{modality, tokenCount}`. */
const BY_MODALITY: readonly (readonly [list: string, fields: Readonly<Record<string, UsageField>>])[] = [
  ['promptTokensDetails', { AUDIO: 'inputAudioTokens', IMAGE: 'inputImageTokens', VIDEO: 'inputVideoTokens' }],
  ['cacheTokensDetails', { AUDIO: 'cacheReadAudioTokens', IMAGE: 'cacheReadImageTokens' }],
  ['candidatesTokensDetails', { AUDIO: 'outputAudioTokens', IMAGE: 'outputImageTokens', VIDEO: 'outputVideoTokens' }],
];

/** The usage that a value reports; empty if it reports none. */
export function readUsage(raw: unknown): Usage {
  const usage: Partial<Record<UsageField, number>> = {};
  if (typeof raw !== 'object' || raw === null) return usage;
  for (const [field, paths] of Object.entries(PATHS) as [UsageField, readonly string[]][]) {
    const count = firstCount(raw, paths);
    if (count !== undefined && Number.isSafeInteger(count)) usage[field] = count;
  }
  for (const [field, paths] of Object.entries(SECONDS) as [UsageField, readonly string[]][]) {
    const seconds = firstCount(raw, paths);
    const ms = seconds === undefined ? Number.NaN : Math.round(seconds * 1_000);
    if (Number.isSafeInteger(ms)) usage[field] = ms;
  }
  for (const [list, fields] of BY_MODALITY) readModalities(valueAt(raw, list), fields, usage);
  return usage;
}

function firstCount(raw: object, paths: readonly string[]): number | undefined {
  for (const path of paths) {
    const value = valueAt(raw, path);
    // Some clients write counts as texts, because their JSON has no whole numbers of 64 bits.
    const count = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
    if (typeof count === 'number' && Number.isFinite(count) && count >= 0) return count;
  }
  return undefined;
}

function valueAt(raw: object, path: string): unknown {
  let value: unknown = raw;
  for (const name of path.split('/')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

function readModalities(
  list: unknown,
  fields: Readonly<Record<string, UsageField>>,
  usage: Partial<Record<UsageField, number>>,
): void {
  if (!Array.isArray(list)) return;
  for (const entry of list as unknown[]) {
    if (typeof entry !== 'object' || entry === null) continue;
    const { modality, tokenCount } = entry as { modality?: unknown; tokenCount?: unknown };
    // Documents are billed as the images of their pages.
    const name = modality === 'DOCUMENT' ? 'IMAGE' : String(modality);
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (field === undefined || typeof tokenCount !== 'number' || !Number.isSafeInteger(tokenCount) || tokenCount < 0)
      continue;
    usage[field] = (usage[field] ?? 0) + tokenCount;
  }
}
