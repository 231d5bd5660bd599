/**
 * The fact table of generations: one row per call of a model, whoever reports it. Its columns beyond the row's place and id are
 * those of the generations room.
 */

import { GENERATION_COLUMNS } from '@glasshouse/generations';
import { GENERATION_PROJECTIONS } from './generation-projections.ts';
import { PLACEMENT_COLUMNS, TIME, TIME_CODEC } from './columns.ts';
import type { Column, FactTable } from './table.ts';

const REPORTED: readonly Column[] = GENERATION_COLUMNS.filter(({ kind }) => kind !== 'placed').map(
  ({ name, type, unit, comment }) =>
    name === 'time'
      ? { name, type: TIME, codec: TIME_CODEC, comment }
      : { name, type, comment: unit === '' ? comment : `${comment}, ${unit}` },
);

export const GENERATIONS: FactTable = {
  name: 'generations',
  comment: 'One row per call of a model',
  columns: [
    ...PLACEMENT_COLUMNS,
    { name: 'generation_id', type: 'UUID', comment: 'Id of the row, UUIDv7' },
    {
      name: 'duplicate',
      type: 'Bool',
      comment: 'Another row reports the same call already: left out of every sum and of the view',
    },
    ...REPORTED,
  ],
  derived: [],
  indexes: [
    { name: 'generation_id', expression: 'generation_id', type: 'minmax', granularity: 1 },
    { name: 'trace_id', expression: 'trace_id', type: 'bloom_filter(0.01)', granularity: 1 },
    { name: 'user_id', expression: 'user_id', type: 'bloom_filter(0.01)', granularity: 1 },
  ],
  projections: GENERATION_PROJECTIONS,
  projectedByMerges: true,
  partitionBy: 'toDate(time)',
  orderBy: ['tenant_id', 'project_id', 'environment', 'toStartOfHour(time)', 'model_requested', 'time'],
  ttlFrom: 'toDateTime(time)',
  settings: {},
};
