/**
 * Writes the engine's configuration: the server file and the users file. Separate so that every deviation from the
 * engine's defaults stands in one place with its reason.
 *
 * Must stay true: the user has no SOURCES grants (no file, url, s3, remote table functions), and no system log table is on.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface ConfigOptions {
  /** Absolute path of the database; holds the engine's files only. */
  readonly databaseDir: string;
  /** Absolute path that BACKUP and RESTORE may use. */
  readonly backupDir: string;
  /** Where the two files go; readable by the owner only. */
  readonly configDir: string;
  /** Memory of all queries and merges together; the engine spills or refuses beyond it. */
  readonly maxMemoryBytes: number;
  readonly cores: number;
}

/** Everything but the table functions and engines that reach outside the database. */
const GRANTS =
  'GRANT SELECT, INSERT, ALTER, CREATE, DROP, TRUNCATE, OPTIMIZE, SHOW, CHECK, KILL QUERY, SYSTEM, BACKUP, INTROSPECTION ON *.*';

/**
 * By the size of a part in bytes. What is new is compressed fast, because it is merged soon and is what is asked for most; what
 * has become large stays and is worth more time. Nothing lies between: a part of middle size is merged once more, and
 * compressing it better meanwhile makes merges a fifth dearer.
 */
const COMPRESSION = [
  { atLeast: 0, method: '<method>lz4</method>' },
  { atLeast: 512 << 20, method: '<method>zstd</method><level>9</level>' },
];

const LOG_TABLES = [
  'query_log',
  'query_thread_log',
  'query_views_log',
  'query_metric_log',
  'part_log',
  'metric_log',
  'trace_log',
  'text_log',
  'error_log',
  'latency_log',
  'crash_log',
  'processors_profile_log',
  'asynchronous_metric_log',
  'asynchronous_insert_log',
  'opentelemetry_span_log',
  'session_log',
  'backup_log',
  'blob_storage_log',
  'background_schedule_pool_log',
  'transactions_info_log',
  'zookeeper_log',
  's3queue_log',
  'azure_queue_log',
  'iceberg_metadata_log',
];

/** Writes both files and returns the path of the server file, for `--config-file`. */
export function writeConfig(options: ConfigOptions): string {
  const usersFile = join(options.configDir, 'users.xml');
  const serverFile = join(options.configDir, 'server.xml');
  writeFileSync(usersFile, usersXml(), { mode: 0o600 });
  writeFileSync(serverFile, serverXml(options, usersFile), { mode: 0o600 });
  return serverFile;
}

function serverXml(options: ConfigOptions, usersFile: string): string {
  const mark = Math.max(16 << 20, Math.floor(options.maxMemoryBytes / 16));
  const tag = (name: string, value: string | number): string => `<${name}>${escapeXml(String(value))}</${name}>`;
  return [
    '<clickhouse>',
    '<logger><level>none</level></logger>',
    tag('path', `${options.databaseDir}/`),
    `<user_directories><users_xml>${tag('path', usersFile)}</users_xml></user_directories>`,
    `<backups>${tag('allowed_path', options.backupDir)}</backups>`,
    tag('max_server_memory_usage', options.maxMemoryBytes),
    tag('mark_cache_size', mark),
    tag('primary_index_cache_size', mark),
    // Used by queries that ask for it: endpoints, which read the same hours of a data source again and again.
    tag('uncompressed_cache_size', Math.floor(options.maxMemoryBytes / 32)),
    tag('query_condition_cache_size', 16 << 20),
    tag('mmap_cache_size', 64),
    // Merges yield the processor to everything that somebody waits for.
    tag('os_threads_nice_value_merge_mutate', 19),
    tag('background_pool_size', options.cores),
    tag('background_schedule_pool_size', 8),
    '<compression>',
    ...COMPRESSION.map(
      ({ atLeast, method }) => `<case>${tag('min_part_size', atLeast)}${tag('min_part_size_ratio', 0)}${method}</case>`,
    ),
    '</compression>',
    // The engine refuses a small pool unless its reserves are lowered with it.
    '<merge_tree>',
    tag('number_of_free_entries_in_pool_to_lower_max_size_of_merge', 1),
    tag('number_of_free_entries_in_pool_to_execute_mutation', 1),
    tag('number_of_free_entries_in_pool_to_execute_optimize_entire_partition', 1),
    '</merge_tree>',
    ...LOG_TABLES.map((name) => `<${name} remove="1"/>`),
    '</clickhouse>',
    '',
  ].join('\n');
}

function usersXml(): string {
  return [
    '<clickhouse>',
    '<profiles><default>',
    '</default></profiles>',
    '<quotas><default/></quotas>',
    '<users><default>',
    '<password></password>',
    '<networks><ip>::1</ip><ip>127.0.0.1</ip></networks>',
    '<profile>default</profile>',
    '<quota>default</quota>',
    `<grants><query>${GRANTS}</query></grants>`,
    '</default></users>',
    '</clickhouse>',
    '',
  ].join('\n');
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
