/**
 * Langfuse's SDKs from version 3, which send spans: `langfuse.observation.*` with usage and cost as JSON texts. The keys of the usage
 * exclude each other: `input` is what is left without `input_cached_tokens`. A time may be written as JSON, quotes included.
 *
 * Source: genai-conventions, section 1 ("Who maps what"); langfuse.com, "OpenTelemetry: property mapping" (names).
 */

import { between, field, isOneOf, prefix, read, structure, text, type Dialect } from '../source.ts';
import { MODALITY_OF_OPERATION, OPERATION } from '../words.ts';
import { OTEL_COLUMNS } from './otel.ts';
import { SPAN } from './span.ts';

const TYPE = text('langfuse.observation.type');
const usage = (key: string) => structure('langfuse.observation.usage_details', key);

export const LANGFUSE: Dialect = {
  name: 'langfuse',
  over: 'span',
  when: [[isOneOf(TYPE, 'generation', 'embedding')]],
  counting: { dialect: 'langfuse', cacheRead: false, cacheWrite: false, reasoning: false, media: false },
  columns: {
    ...OTEL_COLUMNS,
    operation: [read(TYPE, { words: OPERATION })],
    modality: [read(TYPE, { words: MODALITY_OF_OPERATION })],
    model_requested: [...OTEL_COLUMNS.model_requested, text('langfuse.observation.model.name')],
    model_used: [...OTEL_COLUMNS.model_used, text('langfuse.observation.model.name')],
    input_tokens: [usage('input'), usage('prompt_tokens'), usage('input_tokens')],
    cache_read_tokens: [usage('input_cached_tokens'), usage('cache_read_input_tokens'), usage('input_cache_read')],
    cache_write_tokens: [usage('input_cache_creation'), usage('cache_creation_input_tokens')],
    cache_write_5m_tokens: [usage('input_cache_creation_5m')],
    cache_write_1h_tokens: [usage('input_cache_creation_1h')],
    output_tokens: [usage('output'), usage('completion_tokens'), usage('output_tokens')],
    reasoning_tokens: [usage('output_reasoning_tokens'), usage('output_reasoning')],
    total_tokens: [usage('total'), usage('total_tokens')],
    input_audio_tokens: [usage('input_audio_tokens'), usage('input_audio')],
    output_audio_tokens: [usage('output_audio_tokens'), usage('output_audio')],
    input_image_tokens: [usage('input_image_tokens'), usage('input_image')],
    output_image_tokens: [usage('output_image_tokens'), usage('output_image')],
    time_to_first_token_ms: [
      between(field('timestamp', 'nanoseconds'), text('langfuse.observation.completion_start_time')),
      ...SPAN.time_to_first_token_ms,
    ],
    streaming: [structure('langfuse.observation.model.parameters', 'stream'), ...OTEL_COLUMNS.streaming],
    status: [
      read(text('langfuse.observation.level'), { words: { words: { error: 'error' }, open: false } }),
      ...OTEL_COLUMNS.status,
    ],
    error_message: [text('langfuse.observation.status_message'), ...OTEL_COLUMNS.error_message],
    user_id: [text('langfuse.user.id'), ...OTEL_COLUMNS.user_id],
    session_id: [text('langfuse.session.id'), ...OTEL_COLUMNS.session_id],
    deployment_environment: [text('langfuse.environment'), ...OTEL_COLUMNS.deployment_environment],
    prompt: [structure('langfuse.observation.input'), ...OTEL_COLUMNS.prompt],
    completion: [structure('langfuse.observation.output'), ...OTEL_COLUMNS.completion],
    tool_calls: [
      read(structure('langfuse.observation.output', 'tool_calls'), 'calls'),
      read(structure('langfuse.observation.output', 0, 'tool_calls'), 'calls'),
      ...OTEL_COLUMNS.tool_calls,
    ],
    metadata: [structure('langfuse.observation.metadata'), prefix('langfuse.observation.metadata.')],
    tags: [structure('langfuse.trace.tags')],
    client_cost: [structure('langfuse.observation.cost_details', 'total')],
  },
};
