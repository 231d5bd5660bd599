/**
 * OpenLLMetry (Traceloop): OpenTelemetry's names of v1.36 and before with `llm.*` beside them, and messages flattened as
 * `gen_ai.prompt.N.role`. Properties of an association carry user and session.
 *
 * Source: genai-conventions, section 1 ("Who maps what"); OpenLLMetry's semantic conventions (names).
 */

import { flag, isOneOf, list, number, prefix, read, text, type Dialect } from '../source.ts';
import { MODALITY_OF_OPERATION, OPERATION } from '../words.ts';
import { OTEL_COLUMNS } from './otel.ts';

export const OPENLLMETRY: Dialect = {
  name: 'openllmetry',
  over: 'span',
  when: [[isOneOf(text('llm.request.type'), 'chat', 'completion', 'embedding', 'rerank')]],
  counting: { dialect: 'otel', cacheRead: true, cacheWrite: true, reasoning: true, media: true },
  columns: {
    ...OTEL_COLUMNS,
    operation: [...OTEL_COLUMNS.operation, read(text('llm.request.type'), { words: OPERATION })],
    modality: [...OTEL_COLUMNS.modality, read(text('llm.request.type'), { words: MODALITY_OF_OPERATION })],
    total_tokens: [number('llm.usage.total_tokens'), ...OTEL_COLUMNS.total_tokens],
    reasoning_tokens: [...OTEL_COLUMNS.reasoning_tokens, number('llm.usage.reasoning_tokens')],
    streaming: [flag('llm.is_streaming'), ...OTEL_COLUMNS.streaming],
    finish_reason: [
      text('gen_ai.completion.0.finish_reason'),
      text('llm.response.finish_reason'),
      ...OTEL_COLUMNS.finish_reason,
    ],
    user_id: [text('traceloop.association.properties.user_id'), text('llm.user'), ...OTEL_COLUMNS.user_id],
    session_id: [text('traceloop.association.properties.session_id'), ...OTEL_COLUMNS.session_id],
    conversation_id: [...OTEL_COLUMNS.conversation_id, text('traceloop.association.properties.chat_id')],
    prompt: [list('gen_ai.prompt', 'role', 'content'), ...OTEL_COLUMNS.prompt],
    completion: [list('gen_ai.completion', 'role', 'content'), ...OTEL_COLUMNS.completion],
    metadata: [prefix('traceloop.association.properties.')],
  },
};
