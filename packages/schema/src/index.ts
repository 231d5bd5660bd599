export { SPANS } from './spans.ts';
export { FACT_DATABASE, SEGMENT_COLUMN } from './table.ts';
export type { Column, DerivedColumn, FactTable, Index, Projection } from './table.ts';
