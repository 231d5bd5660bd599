/**
 * Pydantic AI and Logfire: OpenTelemetry's names, details of the usage in `gen_ai.usage.details.*`, the cost as `operation.cost`, and
 * messages as a JSON text in `events` (before the attributes of v1.37). Spans of agents carry the sum of their requests and have
 * another operation, so they are no generations.
 *
 * Source: genai-conventions, section 1 ("Who maps what"); ai.pydantic.dev, "Debugging and monitoring" (names).
 */

import { field, isOneOf, number, structure, text, type Dialect } from '../source.ts';
import { MODEL_OPERATIONS, OTEL_COLUMNS } from './otel.ts';

const details = (key: string) => number(`gen_ai.usage.details.${key}`);

export const PYDANTIC: Dialect = {
  name: 'pydantic',
  over: 'span',
  when: [
    [
      isOneOf(text('gen_ai.operation.name'), ...MODEL_OPERATIONS),
      isOneOf(field('scope_name'), 'pydantic-ai', 'logfire'),
    ],
  ],
  counting: { dialect: 'otel', cacheRead: true, cacheWrite: true, reasoning: true, media: true },
  columns: {
    ...OTEL_COLUMNS,
    cache_read_tokens: [
      ...OTEL_COLUMNS.cache_read_tokens,
      details('cache_read_tokens'),
      details('cached_tokens'),
      details('cache_read_input_tokens'),
    ],
    cache_write_tokens: [
      ...OTEL_COLUMNS.cache_write_tokens,
      details('cache_write_tokens'),
      details('cache_creation_input_tokens'),
    ],
    reasoning_tokens: [...OTEL_COLUMNS.reasoning_tokens, details('reasoning_tokens')],
    input_audio_tokens: [...OTEL_COLUMNS.input_audio_tokens, details('input_audio_tokens')],
    output_audio_tokens: [...OTEL_COLUMNS.output_audio_tokens, details('output_audio_tokens')],
    prompt: [...OTEL_COLUMNS.prompt, structure('events')],
    client_cost: [number('operation.cost'), ...OTEL_COLUMNS.client_cost],
    metadata: [structure('metadata')],
  },
};
