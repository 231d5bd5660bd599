/** Words in which the data sources that come with the server are written. */

import type { DataSource, DataSourceColumn } from '@glasshouse/model';

/** A column that a row brings, at the path of its name unless told otherwise. */
export function column(name: string, type: string, expression?: string, path = name): DataSourceColumn {
  return { name, type, jsonPath: `$.${path}`, ...(expression === undefined ? {} : { kind: 'DEFAULT', expression }) };
}

export function dataSource(parts: Pick<DataSource, 'columns' | 'description' | 'engine' | 'name'>): DataSource {
  return { kind: 'datasource', indexes: [], tokens: [], tags: [], sharedWith: [], ...parts };
}
