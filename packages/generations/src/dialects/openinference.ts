/**
 * OpenInference (Arize, Phoenix): `openinference.span.kind` says what a span is; messages are flattened as
 * `llm.input_messages.N.message.role`; details break the totals down; costs are in USD. Request and answer share one model name
 * unless the newer pair is there.
 *
 * Source: genai-conventions, section 1 ("OpenInference").
 */

import { callsIn, isOneOf, list, number, read, structure, text, type Dialect, type FlatList } from '../source.ts';
import { MODALITY_OF_OPERATION, OPERATION } from '../words.ts';
import { SPAN } from './span.ts';

const KIND = text('openinference.span.kind');

/** Messages, the numbers of which begin at one where the request's input is a text; a message in parts has no content of its own. */
const messages = (name: string): FlatList => ({
  list: name,
  role: 'message.role',
  content: 'message.content',
  parts: {
    list: 'message.contents',
    fields: { type: 'message_content.type', text: 'message_content.text', url: 'message_content.image.image.url' },
  },
  calls: {
    list: 'message.tool_calls',
    fields: { id: 'tool_call.id', name: 'tool_call.function.name', arguments: 'tool_call.function.arguments' },
  },
});
const INPUT = messages('llm.input_messages');
const OUTPUT = messages('llm.output_messages');

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
    streaming: [structure('llm.invocation_parameters', 'stream'), ...SPAN.streaming],
    finish_reason: [text('llm.finish_reason')],
    // The provider's answer as it came, where the instrumentation has it whole.
    response_id: [structure('output.value', 'id')],
    tier: [structure('output.value', 'service_tier'), structure('llm.invocation_parameters', 'service_tier')],
    prompt: [list(INPUT), structure('input.value')],
    completion: [list(OUTPUT), structure('output.value')],
    tool_calls: [callsIn(OUTPUT)],
    metadata: [structure('metadata')],
    tags: [structure('tag.tags')],
    client_cost: [number('llm.cost.total')],
  },
};
