/**
 * All dialects. The order is that of precedence: a span or an event that several recognise is a generation of the first, because
 * the more special one says more about the same call.
 */

import { LANGFUSE } from './dialects/langfuse.ts';
import { LITELLM } from './dialects/litellm.ts';
import { LLM_EVENTS } from './dialects/llm-events.ts';
import { OBSERVA } from './dialects/observa.ts';
import { OPENINFERENCE } from './dialects/openinference.ts';
import { OPENLLMETRY } from './dialects/openllmetry.ts';
import { OTEL } from './dialects/otel.ts';
import { PYDANTIC } from './dialects/pydantic.ts';
import { TEXT_EVENTS } from './dialects/text-events.ts';
import { TRACES } from './dialects/traces.ts';
import { VERCEL } from './dialects/vercel.ts';
import { readFirst, recognises, type GenerationRecord, type GenerationValues } from './read.ts';
import type { Dialect } from './source.ts';

/** Over the table of spans, in the order of precedence. */
export const SPAN_DIALECTS: readonly Dialect[] = [LANGFUSE, OPENINFERENCE, VERCEL, PYDANTIC, OPENLLMETRY, OTEL];
/** Over lines of JSON, in the order of precedence. */
export const LINE_DIALECTS: readonly Dialect[] = [OBSERVA, LITELLM, TEXT_EVENTS, LLM_EVENTS, TRACES];

/** The dialect of a record; undefined if it is no generation. */
export function dialectOf(record: GenerationRecord): Dialect | undefined {
  return (typeof record === 'string' ? LINE_DIALECTS : SPAN_DIALECTS).find((dialect) => recognises(dialect, record));
}

/** The values of a record's row; undefined if it is no generation. */
export function readGeneration(record: GenerationRecord): GenerationValues | undefined {
  return readFirst(typeof record === 'string' ? LINE_DIALECTS : SPAN_DIALECTS, record);
}
