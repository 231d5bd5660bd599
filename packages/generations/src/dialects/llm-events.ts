/**
 * `llm_events`: the events of the AI analytics template and of the early tracker of text.pollinations.ai, for texts and images;
 * and those of the plan for one tracker of both services, which name their `event_type` and may have no more than the columns of
 * its schema. The usage is the provider's, as OpenAI counts it. The units of `duration` differ between senders, so latency is the
 * difference of the two times, or `llm_api_duration_ms`; who sends neither follows the plan, where `duration` is in milliseconds.
 *
 * Source: wire-compat, section 3, event A; seed 002, phase 2.
 */

import { between, has, isOneOf, lacks, line, read, type Dialect } from '../source.ts';
import { MODALITY_OF_OPERATION, OPERATION, STATUS } from '../words.ts';
import { USAGE_COLUMNS } from './usage.ts';

const CALL = line('call_type');
const TYPE = line('event_type');

export const LLM_EVENTS: Dialect = {
  name: 'llm_events',
  over: 'line',
  when: [
    [
      has(line('model')),
      has(line('start_time')),
      lacks(line('standard_logging_object_id')),
      lacks(line('standard_logging_object_hidden_params')),
      lacks(line('model_requested')),
    ],
    [isOneOf(TYPE, 'text_generation', 'image_generation'), has(line('model')), lacks(line('model_requested'))],
  ],
  counting: { dialect: 'openai', cacheRead: true, cacheWrite: true, reasoning: true, media: true },
  columns: {
    ...USAGE_COLUMNS,
    input_tokens: [...USAGE_COLUMNS.input_tokens, line('prompt_tokens')],
    output_tokens: [...USAGE_COLUMNS.output_tokens, line('completion_tokens')],
    total_tokens: [...USAGE_COLUMNS.total_tokens, line('total_tokens')],
    time: [line('start_time'), line('timestamp'), line('end_time')],
    organization: [line('proxy_metadata', 'organization')],
    project_name: [line('proxy_metadata', 'project')],
    deployment_environment: [line('proxy_metadata', 'environment')],
    event_type: [TYPE, line('log_event_type')],
    operation: [read(CALL, { words: OPERATION }), read(TYPE, { words: OPERATION })],
    modality: [read(CALL, { words: MODALITY_OF_OPERATION }), read(TYPE, { words: MODALITY_OF_OPERATION })],
    provider: [line('provider')],
    model_requested: [line('model')],
    model_used: [line('response', 'model')],
    images: [line('num_images')],
    image_width: [line('image_width')],
    image_height: [line('image_height')],
    image_quality: [line('image_quality')],
    latency_ms: [between(line('start_time'), line('end_time')), line('llm_api_duration_ms'), line('duration')],
    streaming: [line('stream')],
    cache_hit: [line('cache_hit')],
    status: [read(line('standard_logging_object_status'), { words: STATUS }), read(line('status'), { words: STATUS })],
    error_message: [line('exception'), line('error', 'message'), line('error')],
    finish_reason: [line('response', 'choices', 0, 'finish_reason')],
    user_id: [line('user'), line('user_id'), line('username')],
    conversation_id: [line('proxy_metadata', 'chat_id')],
    tier: [line('tier'), line('response', 'service_tier')],
    referrer: [line('referrer')],
    call_id: [line('message_id'), line('id')],
    response_id: [line('response', 'id')],
    prompt: [line('messages')],
    completion: [line('response', 'choices', 0, 'message', 'content')],
    tool_calls: [read(line('response', 'choices', 0, 'message', 'tool_calls'), 'calls')],
    metadata: [line('proxy_metadata')],
    client_cost: [line('cost')],
  },
};
