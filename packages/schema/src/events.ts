/**
 * Events on their way to data sources: the rows of the log that the engine maps to columns. This is a layout of the log and
 * of the staging table that a segment is loaded into, not a fact table; nothing is kept in it.
 */

import { LC } from './columns.ts';
import type { Column } from './table.ts';
import { SEGMENT_COLUMN } from './table.ts';

export const EVENTS: { readonly name: string; readonly columns: readonly Column[] } = {
  name: 'events',
  columns: [
    { name: SEGMENT_COLUMN, type: 'LowCardinality(UInt64)', comment: 'Id of the WAL segment that brought the row' },
    { name: 'tenant_id', type: LC, comment: 'Tenant' },
    { name: 'datasource_id', type: LC, comment: 'Id of the data source' },
    { name: 'import_id', type: LC, comment: 'Id of the request' },
    {
      name: 'filter',
      type: LC,
      comment: "Condition of the sender's token on the rows that it may write; empty for none",
    },
    { name: 'received_at', type: "DateTime64(3, 'UTC')", comment: 'When the request came' },
    { name: 'line', type: 'String', comment: 'The event as it was sent' },
  ],
};
