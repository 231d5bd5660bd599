/**
 * Observa's events of type `llm_call` and `embedding`, as its SDK sends them (`attributes`, an object) and as its server stores
 * them (`attributes_json`, the text of it). What is inside is under the name of the event's type. Other types are no generations.
 *
 * Source: wire-compat, section 5.3 and 5.5 (the frame, `model` and `cost`); the other names inside are unverified.
 */

import { isOneOf, line, read, type Dialect, type Source } from '../source.ts';
import { MODALITY_OF_OPERATION, OPERATION } from '../words.ts';

const TYPE = line('event_type');
const inside = (...keys: readonly string[]): readonly Source[] =>
  keys.flatMap((key) =>
    ['attributes', 'attributes_json'].flatMap((place) => [line(place, 'llm_call', key), line(place, 'embedding', key)]),
  );

export const OBSERVA: Dialect = {
  name: 'observa',
  over: 'line',
  when: [[isOneOf(TYPE, 'llm_call', 'embedding')]],
  counting: { dialect: 'openai', cacheRead: true, cacheWrite: true, reasoning: true, media: true },
  columns: {
    time: [line('timestamp')],
    event_type: [TYPE],
    operation: [read(TYPE, { words: OPERATION })],
    modality: [read(TYPE, { words: MODALITY_OF_OPERATION })],
    project_name: [line('project_id')],
    deployment_environment: [line('environment')],
    provider: inside('provider'),
    model_requested: inside('model'),
    model_used: inside('response_model'),
    input_tokens: inside('input_tokens', 'prompt_tokens'),
    cache_read_tokens: inside('cache_read_tokens', 'cached_tokens'),
    cache_write_tokens: inside('cache_write_tokens', 'cache_creation_tokens'),
    output_tokens: inside('output_tokens', 'completion_tokens'),
    reasoning_tokens: inside('reasoning_tokens'),
    total_tokens: inside('total_tokens'),
    latency_ms: inside('latency_ms'),
    time_to_first_token_ms: inside('time_to_first_token_ms'),
    streaming: inside('streaming'),
    http_status: inside('status_code'),
    error_message: inside('error'),
    finish_reason: inside('finish_reason'),
    user_id: [line('user_id')],
    session_id: [line('session_id')],
    conversation_id: [line('conversation_id')],
    trace_id: [line('trace_id')],
    span_id: [line('span_id')],
    parent_span_id: [line('parent_span_id')],
    response_id: inside('response_id'),
    prompt: inside('input_messages', 'input'),
    completion: inside('output_messages', 'output'),
    tool_calls: inside('tool_calls').map((source) => read(source, 'calls')),
    client_cost: inside('cost'),
  },
};
