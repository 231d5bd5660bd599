import { GENERATIONS } from './generations.ts';
import { LOGS } from './logs.ts';
import { METRIC_TABLES } from './metrics.ts';
import { SPANS } from './spans.ts';
import type { FactTable } from './table.ts';

export { OPTIONAL_TRACE_ID_HEX } from './columns.ts';
export { EVENTS } from './events.ts';
export { CACHE_BESIDE_INPUT, GENERATION_PROJECTIONS, GENERATION_SUMS } from './generation-projections.ts';
export type { GenerationSum } from './generation-projections.ts';
export { GENERATIONS } from './generations.ts';
export { LOGS } from './logs.ts';
export {
  METRIC_TABLES,
  METRICS_EXPONENTIAL_HISTOGRAM,
  METRICS_GAUGE,
  METRICS_HISTOGRAM,
  METRICS_SUM,
  METRICS_SUMMARY,
} from './metrics.ts';
export { SPANS } from './spans.ts';
export { FACT_DATABASE, SEGMENT_COLUMN } from './table.ts';
export type { Column, DerivedColumn, FactTable, Index, Projection } from './table.ts';

/** Every fact table. */
export const FACT_TABLES: readonly FactTable[] = [SPANS, LOGS, ...METRIC_TABLES, GENERATIONS];
