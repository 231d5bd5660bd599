/** Where the columns of a file go in the events that a data source is read from. */

import { parsePath } from '@glasshouse/language';
import type { DataSource } from '@glasshouse/model';
import type { ColumnTarget } from './import-columns.ts';

/** The columns of a data source that a row can bring, in their order. */
export function targetsOf({ columns }: DataSource): ColumnTarget[] {
  return columns
    .filter(({ kind }) => kind !== 'MATERIALIZED' && kind !== 'ALIAS')
    .map(({ name, type, jsonPath, expression }) => ({
      name,
      keys: parsePath(jsonPath ?? `$[${JSON.stringify(name)}]`).keys,
      isNested:
        /^(?:SimpleAggregateFunction\([^,]*,\s*)?(?:Array|Map|Tuple|Nested|JSON|Object|Variant|Dynamic)\b/u.test(type),
      keepsEmpty: expression === undefined && /^(?:LowCardinality\()?(?:String|FixedString)\b/u.test(type),
    }));
}
