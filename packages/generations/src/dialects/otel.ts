/**
 * OpenTelemetry GenAI, all its names at once: up to v1.36 (`gen_ai.system`, messages as span events, `usage.prompt_tokens`), from
 * v1.37 (`gen_ai.provider.name`, messages as attributes), and the repository of its own (1.42.0-dev: tokens by modality). New names
 * are asked first. Cached and thinking tokens are parts of the totals there. Also what OpenLIT adds in the same namespace
 * (`gen_ai.usage.cost`, image sizes, `gen_ai.server.time_to_first_token` in seconds), and what Anthropic's own SDK sends
 * (`gen_ai.usage.cache_write.input_tokens`, `anthropic.message.stop_reason`).
 *
 * Agents, tools and workflows carry the same attributes, with the sums of the calls inside them: they are no generations.
 *
 * Source: open-telemetry/semantic-conventions v1.36 to v1.42, semantic-conventions-genai 1.42.0-dev; openlit; spans of the clients
 * of the interop suite (e2e/interop-genai.e2e.ts).
 */

import {
  callsIn,
  event,
  field,
  flag,
  has,
  isNoneOf,
  isOneOf,
  lacks,
  list,
  number,
  read,
  structure,
  text,
  type Dialect,
  type FlatList,
  type Source,
} from '../source.ts';
import { MODALITY, MODALITY_OF_OPERATION, OPERATION } from '../words.ts';
import { SPAN } from './span.ts';

/** Operations that are calls of a model. */
export const MODEL_OPERATIONS = [
  'chat',
  'generate_content',
  'text_completion',
  'embeddings',
  'embedding',
  'image_generation',
  'image',
  'speech',
  'audio',
  'transcription',
  'rerank',
];

const EMBEDDINGS = 'embeddings';
/**
 * Vercel's SDK since version 7 has a span of embeddings around those of its requests, called the same, but without a usage; if it
 * failed, it is the only one. Around it there may be others, and then `nested.ts` of the server tells (the outer span has a parent, too).
 */
const OF_EMBEDDINGS = [
  isNoneOf(field('scope_name'), 'gen_ai'),
  has(field('parent_span_id')),
  has(number('gen_ai.usage.input_tokens')),
  isOneOf(field('status_code'), '2'),
];

const message = (role: string): { role: string; content: (readonly string[])[] } => ({ role, content: [['content']] });
/** Messages as events of the span, up to v1.36. */
const INPUT_EVENTS: Source = {
  origin: {
    messages: {
      'gen_ai.system.message': message('system'),
      'gen_ai.user.message': message('user'),
      'gen_ai.assistant.message': message('assistant'),
      'gen_ai.tool.message': message('tool'),
    },
  },
};
const OUTPUT_EVENTS: Source = {
  origin: {
    messages: { 'gen_ai.choice': { role: 'assistant', content: [['message', 'content'], ['message'], ['content']] } },
  },
};
/** Messages flattened into attributes, as OpenLLMetry wrote them before 0.60. */
const flat = (name: string): FlatList => ({
  list: name,
  role: 'role',
  content: 'content',
  calls: { list: 'tool_calls', fields: { id: 'id', name: 'name', arguments: 'arguments' } },
});
export const PROMPTS = flat('gen_ai.prompt');
export const COMPLETIONS = flat('gen_ai.completion');
const DETAILS = 'gen_ai.client.inference.operation.details';

export const OTEL_COLUMNS = {
  ...SPAN,
  operation: [read(text('gen_ai.operation.name'), { words: OPERATION })],
  modality: [
    read(text('gen_ai.output.type'), { words: MODALITY }),
    read(text('gen_ai.operation.name'), { words: MODALITY_OF_OPERATION }),
  ],
  provider: [text('gen_ai.provider.name'), text('gen_ai.system')],
  model_requested: [text('gen_ai.request.model')],
  model_used: [text('gen_ai.response.model')],
  input_tokens: [number('gen_ai.usage.input_tokens'), number('gen_ai.usage.prompt_tokens')],
  cache_read_tokens: [
    number('gen_ai.usage.cache_read.input_tokens'),
    number('gen_ai.usage.cache_read_input_tokens'),
    number('gen_ai.usage.input_tokens.cached'),
  ],
  cache_write_tokens: [
    number('gen_ai.usage.cache_creation.input_tokens'),
    number('gen_ai.usage.cache_creation_input_tokens'),
    number('gen_ai.usage.cache_write.input_tokens'),
    number('gen_ai.usage.cache_write_input_tokens'),
  ],
  output_tokens: [number('gen_ai.usage.output_tokens'), number('gen_ai.usage.completion_tokens')],
  reasoning_tokens: [number('gen_ai.usage.reasoning.output_tokens'), number('gen_ai.usage.reasoning_tokens')],
  total_tokens: [number('gen_ai.usage.total_tokens')],
  input_audio_tokens: [number('gen_ai.usage.audio.input_tokens')],
  input_image_tokens: [number('gen_ai.usage.image.input_tokens')],
  output_audio_tokens: [number('gen_ai.usage.audio.output_tokens')],
  searches: [number('gen_ai.usage.web_search_requests')],
  image_width: [text('gen_ai.request.image_size', 'width')],
  image_height: [text('gen_ai.request.image_size', 'height')],
  image_quality: [text('gen_ai.request.image_quality')],
  time_to_first_token_ms: [
    number('gen_ai.response.time_to_first_chunk', 'seconds'),
    number('gen_ai.client.operation.time_to_first_chunk', 'seconds'),
    number('gen_ai.server.time_to_first_token', 'seconds'),
    ...SPAN.time_to_first_token_ms,
  ],
  streaming: [
    flag('gen_ai.request.stream'),
    flag('gen_ai.request.is_stream'),
    flag('gen_ai.is_streaming'),
    // Only streams have pieces, whereas everything has a first token.
    read(number('gen_ai.response.time_to_first_chunk'), 'present'),
    read(number('gen_ai.client.operation.time_to_first_chunk'), 'present'),
    ...SPAN.streaming,
  ],
  finish_reason: [
    structure('gen_ai.response.finish_reasons', 0),
    text('gen_ai.response.finish_reasons'),
    text('anthropic.message.stop_reason'),
    structure('gen_ai.output.messages', 0, 'finish_reason'),
    event(DETAILS, 'gen_ai.output.messages', 0, 'finish_reason'),
    event('gen_ai.choice', 'finish_reason'),
  ],
  user_id: [...SPAN.user_id, text('gen_ai.user.id')],
  conversation_id: [text('gen_ai.conversation.id')],
  tier: [
    text('openai.response.service_tier'),
    text('gen_ai.openai.response.service_tier'),
    text('openai.request.service_tier'),
    text('gen_ai.openai.request.service_tier'),
  ],
  response_id: [text('gen_ai.response.id')],
  prompt: [
    structure('gen_ai.input.messages'),
    event(DETAILS, 'gen_ai.input.messages'),
    INPUT_EVENTS,
    event('gen_ai.content.prompt', 'gen_ai.prompt'),
    list(PROMPTS),
    structure('gen_ai.prompt'),
  ],
  completion: [
    structure('gen_ai.output.messages'),
    event(DETAILS, 'gen_ai.output.messages'),
    OUTPUT_EVENTS,
    event('gen_ai.content.completion', 'gen_ai.completion'),
    list(COMPLETIONS),
    structure('gen_ai.completion'),
  ],
  tool_calls: [
    read(structure('gen_ai.output.messages'), 'calls in messages'),
    read(event(DETAILS, 'gen_ai.output.messages'), 'calls in messages'),
    read(event('gen_ai.choice', 'message', 'tool_calls'), 'calls'),
    read(event('gen_ai.choice', 'tool_calls'), 'calls'),
    callsIn(COMPLETIONS),
  ],
  client_cost: [number('gen_ai.usage.cost'), number('gen_ai.cost.total_cost')],
} as const satisfies Readonly<Record<string, readonly Source[]>>;

export const OTEL: Dialect = {
  name: 'otel',
  over: 'span',
  when: [
    [isOneOf(text('gen_ai.operation.name'), ...MODEL_OPERATIONS.filter((operation) => operation !== EMBEDDINGS))],
    ...OF_EMBEDDINGS.map((condition) => [isOneOf(text('gen_ai.operation.name'), EMBEDDINGS), condition]),
    // Before v1.28 there was no name of the operation.
    [has(text('gen_ai.request.model')), lacks(text('gen_ai.operation.name'))],
  ],
  counting: { dialect: 'otel', cacheRead: true, cacheWrite: true, reasoning: true, media: true },
  columns: OTEL_COLUMNS,
};
