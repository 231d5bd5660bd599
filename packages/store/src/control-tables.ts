/** The tables that are no facts: of the control plane, of the audit log, of the names of batches. */

import type { DdlOptions } from './ddl.ts';
import { onCluster, quoteName } from './ddl.ts';

/** Tables of the control plane: small, rewritten by newer versions of a row, read whole and cached. */
export function controlTable(name: string, columns: string, key: string): (options: DdlOptions) => string {
  return ({ database, cluster }) => {
    const engine =
      cluster === undefined
        ? 'ReplacingMergeTree(version)'
        : `ReplicatedReplacingMergeTree('/clickhouse/tables/all/${database}/${name}', '{shard}-{replica}', version)`;
    return (
      `CREATE TABLE IF NOT EXISTS ${quoteName(database)}.${quoteName(name)}${onCluster(cluster)} (${columns}, version UInt64) ` +
      `ENGINE = ${engine} ORDER BY ${key} SETTINGS fsync_after_insert = 1, fsync_part_directory = 1`
    );
  };
}

/** Days that rows of the audit log are kept if nothing else is said. */
export const AUDIT_DAYS = 400;

/**
 * What changed, and who did it. Rows are only ever added. One that is written twice, because the answer to the first insert was
 * lost, is one row to whoever reads with FINAL: both are the same to the last byte.
 */
export function auditTable({ database, cluster }: DdlOptions): string {
  const engine =
    cluster === undefined
      ? 'ReplacingMergeTree'
      : `ReplicatedReplacingMergeTree('/clickhouse/tables/all/${database}/audit_log', '{shard}-{replica}')`;
  return (
    `CREATE TABLE IF NOT EXISTS ${quoteName(database)}.audit_log${onCluster(cluster)} (
       id String, time DateTime64(3, 'UTC'), actor String, actor_name String, actor_kind LowCardinality(String),
       actor_tenant String, action LowCardinality(String), tenant_id String, project_id String, environment String,
       target String, before String, after String, remote_address String, user_agent String, request_id String,
       outcome LowCardinality(String), message String
     ) ENGINE = ${engine} PARTITION BY toYYYYMM(time) ORDER BY (tenant_id, time, id) ` +
    `TTL toDateTime(time) + toIntervalDay(${AUDIT_DAYS}) ` +
    `SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, ttl_only_drop_parts = 1`
  );
}

/** Days that the name of a batch of events is known. */
const BATCH_DAYS = 30;

/** Names of the batches of events that were stored. */
export function batchTable({ database, cluster }: DdlOptions): string {
  const engine =
    cluster === undefined
      ? 'ReplacingMergeTree'
      : `ReplicatedReplacingMergeTree('/clickhouse/tables/all/${database}/event_batches', '{shard}-{replica}')`;
  return (
    `CREATE TABLE IF NOT EXISTS ${quoteName(database)}.event_batches${onCluster(cluster)} ` +
    `(id String, stored_at DateTime64(3, 'UTC')) ENGINE = ${engine} ORDER BY id ` +
    `TTL toDateTime(stored_at) + toIntervalDay(${BATCH_DAYS}) ` +
    `SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, index_granularity = 256`
  );
}
