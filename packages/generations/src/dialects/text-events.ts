/**
 * `text_events` of pollinations: the model that was asked for and the one that answered, and counts that exclude each other (the
 * text of the prompt is what is left without audio and cached tokens). Prompt and answer are not sent. Prices stand beside the
 * counts; the cost is what the client made of them.
 *
 * Source: wire-compat, section 3, event B.
 */

import { between, constant, has, line, read, type Dialect } from '../source.ts';
import { STATUS } from '../words.ts';

export const TEXT_EVENTS: Dialect = {
  name: 'text_events',
  over: 'line',
  when: [[has(line('model_requested')), has(line('start_time'))]],
  counting: { dialect: 'pollinations', cacheRead: false, cacheWrite: false, reasoning: false, media: false },
  columns: {
    time: [line('start_time')],
    organization: [line('proxy_metadata', 'organization')],
    project_name: [line('proxy_metadata', 'project')],
    deployment_environment: [line('proxy_metadata', 'environment')],
    operation: [constant('chat')],
    modality: [constant('text')],
    provider: [line('provider')],
    model_requested: [line('model_requested')],
    model_used: [line('model_used')],
    input_tokens: [line('token_count_prompt_text')],
    cache_read_tokens: [line('token_count_prompt_cached')],
    input_audio_tokens: [line('token_count_prompt_audio')],
    output_tokens: [line('token_count_completion_text')],
    output_audio_tokens: [line('token_count_completion_audio')],
    reasoning_tokens: [line('token_count_completion_reasoning')],
    latency_ms: [between(line('start_time'), line('end_time'))],
    streaming: [line('stream')],
    cache_hit: [line('cache_hit'), line('cache_exact_hit')],
    status: [read(line('standard_logging_object_status'), { words: STATUS })],
    error_message: [line('exception')],
    user_id: [line('user')],
    tier: [line('tier')],
    referrer: [line('referrer')],
    call_id: [line('id')],
    metadata: [line('proxy_metadata')],
    client_cost: [line('cost')],
  },
};
