/**
 * Vercel AI SDK. Each call has an outer span (`ai.generateText`) with the sum of its steps, and one span per request inside
 * (`…doGenerate`, `…doStream`, `…doEmbed`): only those are generations. Cached and thinking tokens are parts of the totals. Names of
 * versions 3 to 6; `gen_ai.*` stands beside them and comes second, because it has less. From version 7 its spans are OpenTelemetry's.
 *
 * Source: genai-conventions, section 1 ("Who maps what"); ai-sdk.dev, "Telemetry: collected data" (names).
 */

import { isOneOf, number, prefix, read, structure, text, type Dialect, constant } from '../source.ts';
import { MODALITY_OF_OPERATION, OPERATION } from '../words.ts';
import { OTEL_COLUMNS } from './otel.ts';

const OPERATION_ID = text('ai.operationId');
const PROVIDER = 'ai.response.providerMetadata';

export const VERCEL: Dialect = {
  name: 'vercel',
  over: 'span',
  when: [
    [
      isOneOf(
        OPERATION_ID,
        'ai.generateText.doGenerate',
        'ai.streamText.doStream',
        'ai.generateObject.doGenerate',
        'ai.streamObject.doStream',
        'ai.embed.doEmbed',
        'ai.embedMany.doEmbed',
      ),
    ],
  ],
  counting: { dialect: 'vercel', cacheRead: true, cacheWrite: true, reasoning: true, media: true },
  columns: {
    ...OTEL_COLUMNS,
    operation: [read(OPERATION_ID, { words: OPERATION })],
    modality: [read(OPERATION_ID, { words: MODALITY_OF_OPERATION })],
    provider: [text('ai.model.provider'), ...OTEL_COLUMNS.provider],
    model_requested: [text('ai.model.id'), ...OTEL_COLUMNS.model_requested],
    model_used: [text('ai.response.model'), ...OTEL_COLUMNS.model_used],
    input_tokens: [
      number('ai.usage.inputTokens'),
      number('ai.usage.promptTokens'),
      number('ai.usage.tokens'),
      ...OTEL_COLUMNS.input_tokens,
    ],
    cache_read_tokens: [
      number('ai.usage.cachedInputTokens'),
      number('ai.usage.inputTokenDetails.cacheReadTokens'),
      ...OTEL_COLUMNS.cache_read_tokens,
    ],
    cache_write_tokens: [
      number('ai.usage.inputTokenDetails.cacheWriteTokens'),
      ...OTEL_COLUMNS.cache_write_tokens,
      structure(PROVIDER, 'anthropic', 'cacheCreationInputTokens'),
    ],
    output_tokens: [
      number('ai.usage.outputTokens'),
      number('ai.usage.completionTokens'),
      ...OTEL_COLUMNS.output_tokens,
    ],
    reasoning_tokens: [
      number('ai.usage.reasoningTokens'),
      number('ai.usage.outputTokenDetails.reasoningTokens'),
      ...OTEL_COLUMNS.reasoning_tokens,
    ],
    total_tokens: [number('ai.usage.totalTokens'), ...OTEL_COLUMNS.total_tokens],
    time_to_first_token_ms: [
      number('ai.response.msToFirstChunk'),
      number('ai.stream.msToFirstChunk'),
      ...OTEL_COLUMNS.time_to_first_token_ms,
    ],
    streaming: [
      read(OPERATION_ID, {
        words: { words: { 'ai.streamtext.dostream': 'true', 'ai.streamobject.dostream': 'true' }, open: false },
      }),
      constant('false'),
    ],
    finish_reason: [text('ai.response.finishReason'), ...OTEL_COLUMNS.finish_reason],
    user_id: [text('ai.telemetry.metadata.userId'), ...OTEL_COLUMNS.user_id],
    session_id: [text('ai.telemetry.metadata.sessionId'), ...OTEL_COLUMNS.session_id],
    tier: [structure(PROVIDER, 'openai', 'serviceTier'), ...OTEL_COLUMNS.tier],
    response_id: [text('ai.response.id'), ...OTEL_COLUMNS.response_id],
    prompt: [
      structure('ai.prompt.messages'),
      structure('ai.prompt'),
      structure('ai.value'),
      structure('ai.values'),
      ...OTEL_COLUMNS.prompt,
    ],
    completion: [
      text('ai.response.text'),
      text('ai.response.object'),
      text('ai.result.text'),
      ...OTEL_COLUMNS.completion,
    ],
    tool_calls: [
      read(structure('ai.response.toolCalls'), 'calls'),
      read(structure('ai.result.toolCalls'), 'calls'),
      ...OTEL_COLUMNS.tool_calls,
    ],
    metadata: [prefix('ai.telemetry.metadata.')],
  },
};
