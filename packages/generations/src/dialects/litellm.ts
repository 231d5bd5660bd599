/**
 * The events of the Tinybird Python SDK's handler for LiteLLM. `response` is an object, or sometimes the text of one; times are
 * local, without a zone; `cache_hit` is null where it isn't known. What the caller gives as metadata is in `proxy_metadata`. Calls
 * that fail before an answer are never sent.
 *
 * Source: wire-compat, section 2.5; seed 001, "Logging from Litellm".
 */

import { between, has, line, read, type Dialect } from '../source.ts';
import { MODALITY_OF_OPERATION, OPERATION, STATUS } from '../words.ts';
import { USAGE_COLUMNS } from './usage.ts';

const CALL = line('call_type');

export const LITELLM: Dialect = {
  name: 'litellm',
  over: 'line',
  when: [
    [has(line('model')), has(line('standard_logging_object_id'))],
    [has(line('model')), has(line('standard_logging_object_hidden_params'))],
  ],
  counting: { dialect: 'litellm', cacheRead: true, cacheWrite: true, reasoning: true, media: true },
  columns: {
    ...USAGE_COLUMNS,
    time: [line('start_time')],
    organization: [line('proxy_metadata', 'organization')],
    project_name: [line('proxy_metadata', 'project')],
    deployment_environment: [line('proxy_metadata', 'environment')],
    event_type: [line('log_event_type')],
    operation: [read(CALL, { words: OPERATION })],
    modality: [read(CALL, { words: MODALITY_OF_OPERATION })],
    provider: [line('provider')],
    model_requested: [line('model')],
    model_used: [line('response', 'model')],
    latency_ms: [
      between(line('start_time'), line('end_time')),
      line('llm_api_duration_ms'),
      read(line('duration'), 'seconds'),
    ],
    streaming: [line('stream')],
    cache_hit: [line('cache_hit')],
    status: [read(line('standard_logging_object_status'), { words: STATUS })],
    error_message: [line('exception')],
    finish_reason: [line('response', 'choices', 0, 'finish_reason')],
    user_id: [line('user')],
    conversation_id: [line('proxy_metadata', 'chat_id')],
    tier: [line('response', 'service_tier')],
    call_id: [line('standard_logging_object_id'), line('id')],
    response_id: [line('response', 'id')],
    prompt: [line('messages')],
    completion: [line('response', 'choices', 0, 'message', 'content')],
    tool_calls: [read(line('response', 'choices', 0, 'message', 'tool_calls'), 'calls')],
    metadata: [line('proxy_metadata')],
    client_cost: [line('cost')],
  },
};
