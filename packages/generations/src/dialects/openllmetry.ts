/**
 * OpenLLMetry (Traceloop): up to version 0.5x OpenTelemetry's names of v1.36 and before with `llm.*` beside them, and messages flattened
 * as `gen_ai.prompt.N.role`; since then the names of v1.37 without `llm.request.type`, known by the scope. Properties of an association carry
 * user and session. LiteLLM's callback for OpenTelemetry writes the old names, flags as `True` and `False`, and a cost.
 *
 * Source: genai-conventions, section 1 ("Who maps what"); OpenLLMetry's semantic conventions (names); spans of OpenLLMetry 0.62 and
 * LiteLLM 1.106 (e2e/interop-genai.e2e.ts).
 */

import { field, flag, isOneOf, list, number, prefix, read, text, type Dialect } from '../source.ts';
import { MODALITY_OF_OPERATION, OPERATION } from '../words.ts';
import { COMPLETIONS, MODEL_OPERATIONS, OTEL_COLUMNS, PROMPTS } from './otel.ts';

/** Instrumentations of it, by their scope; OpenTelemetry's own have other names. */
const SCOPES = [
  'openai.v0',
  'openai.v1',
  'anthropic',
  'bedrock',
  'cohere',
  'google_generativeai',
  'groq',
  'mistralai',
  'ollama',
  'replicate',
  'sagemaker',
  'together',
  'watsonx',
  'writer',
].map((name) => `opentelemetry.instrumentation.${name}`);

export const OPENLLMETRY: Dialect = {
  name: 'openllmetry',
  over: 'span',
  when: [
    [isOneOf(text('llm.request.type'), 'chat', 'completion', 'embedding', 'rerank')],
    [isOneOf(text('gen_ai.operation.name'), ...MODEL_OPERATIONS), isOneOf(field('scope_name'), ...SCOPES)],
  ],
  counting: { dialect: 'otel', cacheRead: true, cacheWrite: true, reasoning: true, media: true },
  columns: {
    ...OTEL_COLUMNS,
    operation: [...OTEL_COLUMNS.operation, read(text('llm.request.type'), { words: OPERATION })],
    modality: [...OTEL_COLUMNS.modality, read(text('llm.request.type'), { words: MODALITY_OF_OPERATION })],
    total_tokens: [number('llm.usage.total_tokens'), ...OTEL_COLUMNS.total_tokens],
    reasoning_tokens: [...OTEL_COLUMNS.reasoning_tokens, number('llm.usage.reasoning_tokens')],
    streaming: [
      flag('llm.is_streaming'),
      read(text('llm.is_streaming'), { words: { words: { true: 'true', false: 'false' }, open: false } }),
      ...OTEL_COLUMNS.streaming,
    ],
    finish_reason: [
      text('gen_ai.completion.0.finish_reason'),
      text('llm.response.finish_reason'),
      ...OTEL_COLUMNS.finish_reason,
    ],
    user_id: [text('traceloop.association.properties.user_id'), text('llm.user'), ...OTEL_COLUMNS.user_id],
    session_id: [text('traceloop.association.properties.session_id'), ...OTEL_COLUMNS.session_id],
    conversation_id: [...OTEL_COLUMNS.conversation_id, text('traceloop.association.properties.chat_id')],
    call_id: [text('litellm.call_id')],
    prompt: [list(PROMPTS), ...OTEL_COLUMNS.prompt],
    completion: [list(COMPLETIONS), ...OTEL_COLUMNS.completion],
    metadata: [prefix('traceloop.association.properties.')],
  },
};
