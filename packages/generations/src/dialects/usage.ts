/**
 * The usage of a provider's own answer inside a line, at `response.usage`, in the names of OpenAI (chat and responses) and
 * Anthropic, which don't collide. Shared by the events that carry an answer as it came.
 *
 * Source: wire-compat, section 2.5 and 3; the same names as the pricing room reads.
 */

import { line, type JsonPath, type Source } from '../source.ts';

const usage = (...path: JsonPath): Source => line('response', 'usage', ...path);

export const USAGE_COLUMNS = {
  input_tokens: [usage('prompt_tokens'), usage('input_tokens')],
  cache_read_tokens: [
    usage('prompt_tokens_details', 'cached_tokens'),
    usage('input_tokens_details', 'cached_tokens'),
    usage('cache_read_input_tokens'),
  ],
  cache_write_tokens: [
    usage('cache_creation_input_tokens'),
    usage('prompt_tokens_details', 'cache_creation_tokens'),
    usage('prompt_tokens_details', 'cache_write_tokens'),
  ],
  cache_write_5m_tokens: [usage('cache_creation', 'ephemeral_5m_input_tokens')],
  cache_write_1h_tokens: [usage('cache_creation', 'ephemeral_1h_input_tokens')],
  output_tokens: [usage('completion_tokens'), usage('output_tokens')],
  reasoning_tokens: [
    usage('completion_tokens_details', 'reasoning_tokens'),
    usage('output_tokens_details', 'reasoning_tokens'),
  ],
  total_tokens: [usage('total_tokens')],
  input_audio_tokens: [usage('prompt_tokens_details', 'audio_tokens'), usage('input_tokens_details', 'audio_tokens')],
  output_audio_tokens: [
    usage('completion_tokens_details', 'audio_tokens'),
    usage('output_tokens_details', 'audio_tokens'),
  ],
  input_image_tokens: [usage('prompt_tokens_details', 'image_tokens'), usage('input_tokens_details', 'image_tokens')],
  output_image_tokens: [
    usage('completion_tokens_details', 'image_tokens'),
    usage('output_tokens_details', 'image_tokens'),
  ],
  searches: [usage('server_tool_use', 'web_search_requests')],
} as const satisfies Readonly<Record<string, readonly Source[]>>;
