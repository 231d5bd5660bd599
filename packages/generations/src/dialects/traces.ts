/**
 * Rows of Observa's table `traces`: one per request, with the answer's HTTP status and headers. `metadata_json` and `headers_json` are
 * texts of JSON. There is no user, session, provider or cost in it; a conversation may be in the metadata.
 *
 * Source: seed 000, "ClickHouse Schema".
 */

import { constant, has, line, read, type Dialect } from '../source.ts';
import { HTTP_OUTCOME } from '../words.ts';

export const TRACES: Dialect = {
  name: 'traces',
  over: 'line',
  when: [
    [has(line('query')), has(line('latency_ms'))],
    [has(line('tokens_total')), has(line('latency_ms'))],
  ],
  counting: { dialect: 'openai', cacheRead: true, cacheWrite: true, reasoning: true, media: true },
  columns: {
    time: [line('timestamp')],
    project_name: [line('project_id')],
    deployment_environment: [line('environment')],
    operation: [constant('chat')],
    modality: [constant('text')],
    model_requested: [line('model')],
    input_tokens: [line('tokens_prompt')],
    output_tokens: [line('tokens_completion')],
    total_tokens: [line('tokens_total')],
    latency_ms: [line('latency_ms')],
    time_to_first_token_ms: [line('ttfb_ms')],
    status: [read(line('status'), { words: HTTP_OUTCOME })],
    http_status: [line('status')],
    finish_reason: [line('finish_reason')],
    user_id: [line('metadata_json', 'user_id'), line('metadata_json', 'userId')],
    session_id: [line('metadata_json', 'session_id'), line('metadata_json', 'sessionId')],
    conversation_id: [line('metadata_json', 'conversation_id'), line('metadata_json', 'conversationId')],
    trace_id: [line('trace_id')],
    span_id: [line('span_id')],
    parent_span_id: [line('parent_span_id')],
    response_id: [line('response_id')],
    prompt: [line('query')],
    completion: [line('response')],
    metadata: [line('metadata_json')],
  },
};
