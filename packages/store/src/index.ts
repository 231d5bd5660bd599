export type { BackupProgress, BackupResult } from './backup.ts';
export { StoreError } from './client.ts';
export type { Params, RawResult, Settings, StatementOptions } from './client.ts';
export { Store } from './store.ts';
export type { SegmentFile, StoreOptions } from './store.ts';
export { embeddedTarget, remoteTarget } from './target.ts';
export type { Target } from './target.ts';
export { CATALOG, SHARED_DATABASE, tenantDatabase, VIEWS } from './views.ts';
