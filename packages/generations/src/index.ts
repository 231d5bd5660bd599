/**
 * Generations room: what a generation is, and how every client's way of reporting one becomes the same row. Pure: no engine, no
 * network; the tables are data, and what leaves here is SQL text.
 */

export { GENERATION_COLUMNS, MAPPED_COLUMNS, placeOf } from './columns.ts';
export type { ColumnKind, GenerationColumn } from './columns.ts';
export type { Condition, Counting, Dialect, JsonPath, Origin, Source, SpanField } from './source.ts';
export { askedKeys } from './keys.ts';
export type { AskedKeys } from './keys.ts';
export { dialectOf, LINE_DIALECTS, readGeneration, SPAN_DIALECTS } from './dialects.ts';
export { LineSlots } from './line-slots.ts';
export { SpanSlots } from './span-slots.ts';
export type { AttributeSlots, EventSlots, PathNode } from './layout.ts';
export { Instant, keptValues, plainValues, TextRange } from './packed.ts';
export type { PackedValue, PackedValues } from './packed.ts';
export { readRow, recognises } from './read.ts';
export type { GenerationRecord, GenerationRow, GenerationValues, RowValue, SpanRecord } from './read.ts';
export {
  compileDialect,
  GENERATION_SETTINGS,
  markerKeys,
  mayBeGeneration,
  recognitionOf,
  selectGenerations,
} from './compile.ts';
export type { CompiledDialect } from './compile.ts';
export { usageOf, usageOfValues } from './usage-of.ts';
