/**
 * OpenInference (Arize, Phoenix): `openinference.span.kind` says what a span is; messages are flattened as
 * `llm.input_messages.N.message.role`; details break the totals down; costs are in USD. Request and answer share one model name
 * unless the newer pair is there.
 *
 * Source: genai-conventions, section 1 ("OpenInference").
 */

import { isOneOf, list, number, prefix, read, structure, text, type Dialect } from '../source.ts';
import { MODALITY_OF_OPERATION, OPERATION } from '../words.ts';
import { SPAN } from './span.ts';

const KIND = text('openinference.span.kind');

export const OPENINFERENCE: Dialect = {
  name: 'openinference',
  over: 'span',
  when: [[isOneOf(KIND, 'LLM', 'EMBEDDING', 'RERANKER')]],
  counting: { dialect: 'openinference', cacheRead: true, cacheWrite: true, reasoning: true, media: true },
  columns: {
    ...SPAN,
    operation: [read(KIND, { words: OPERATION })],
    modality: [read(KIND, { words: MODALITY_OF_OPERATION })],
    provider: [text('llm.provider'), text('llm.system')],
    model_requested: [
      text('llm.request.model_name'),
      structure('llm.invocation_parameters', 'model'),
      text('llm.model_name'),
      text('embedding.model_name'),
      text('reranker.model_name'),
    ],
    model_used: [text('llm.response.model_name'), text('llm.model_name')],
    input_tokens: [number('llm.token_count.prompt')],
    cache_read_tokens: [number('llm.token_count.prompt_details.cache_read')],
    cache_write_tokens: [number('llm.token_count.prompt_details.cache_write')],
    output_tokens: [number('llm.token_count.completion')],
    reasoning_tokens: [number('llm.token_count.completion_details.reasoning')],
    total_tokens: [number('llm.token_count.total')],
    input_audio_tokens: [number('llm.token_count.prompt_details.audio')],
    output_audio_tokens: [number('llm.token_count.completion_details.audio')],
    streaming: [structure('llm.invocation_parameters', 'stream')],
    finish_reason: [text('llm.finish_reason')],
    // The provider's answer as it came, where the instrumentation has it whole.
    response_id: [structure('output.value', 'id')],
    tier: [structure('output.value', 'service_tier'), structure('llm.invocation_parameters', 'service_tier')],
    prompt: [list('llm.input_messages', 'message.role', 'message.content'), structure('input.value')],
    completion: [list('llm.output_messages', 'message.role', 'message.content'), structure('output.value')],
    // By their flattened names: `0.tool_call.function.name`.
    tool_calls: [prefix('llm.output_messages.0.message.tool_calls.')],
    metadata: [structure('metadata')],
    tags: [structure('tag.tags')],
    client_cost: [number('llm.cost.total')],
  },
};
