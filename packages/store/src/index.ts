export type { BackupProgress, BackupResult } from './backup.ts';
export { StoreError } from './client.ts';
export type { Params, RawResult, Settings, StatementOptions } from './client.ts';
export { planChange } from './datasource-change.ts';
export type { TableChange } from './datasource-change.ts';
export {
  checkedSettings,
  codecText,
  ENGINES,
  isAdditive,
  keepsRows,
  QUARANTINE_COLUMNS,
  quarantineColumns,
  writableColumns,
} from './datasource-ddl.ts';
export type { EngineName, QuarantineColumn } from './datasource-ddl.ts';
export { DataSources } from './datasources.ts';
export type { TablePlace, TableSize } from './datasources.ts';
export { Rebuild } from './rebuild.ts';
export type { RebuildProgress } from './rebuild.ts';
export { Store } from './store.ts';
export type { SegmentFile, StoreOptions } from './store.ts';
export { embeddedTarget, remoteTarget } from './target.ts';
export type { Target } from './target.ts';
export { CATALOG, SHARED_DATABASE, tenantDatabase, VIEWS, YIELDING_VIEWS } from './views.ts';
export { quoteName, quoteText } from './ddl.ts';
export { EventStore, linesOf, outside } from './event-store.ts';
export type { StagedLines } from './event-store.ts';
