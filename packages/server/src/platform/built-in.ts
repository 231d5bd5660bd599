/**
 * Data sources that every workspace has from the start, so that clients which expect one by its name can send at once: those
 * of Tinybird's Python SDK (LiteLLM and logging handlers), the traces of its setup guide, the events of Observa, and those of text
 * and image services.
 *
 * Must stay true: a column takes whatever those clients send. Counts and amounts are wider than in the published schemas, where
 * 70 000 tokens do not fit into 16 bits.
 */

import type { DataSource } from '@glasshouse/model';
import { QUARANTINE_SUFFIX } from '@glasshouse/model';
import { column, dataSource } from './built-in-columns.ts';
import { IMAGE_EVENTS, LLM_EVENTS, TEXT_EVENTS } from './built-in-events.ts';
import type { DataSourceEntry } from './resource-row.ts';

/** The `traces` of Tinybird's setup guide for multi-tenant applications, column by column. */
const TRACES = dataSource({
  name: 'traces',
  description: 'Requests to language models, one row each, of any number of tenants',
  columns: [
    column('tenant_id', 'String'),
    column('project_id', 'String'),
    column('environment', "Enum8('dev' = 1, 'prod' = 2)"),
    column('timestamp', 'DateTime64(3)'),
    { name: 'date', type: 'Date', kind: 'MATERIALIZED', expression: 'toDate(timestamp)' },
    column('trace_id', 'String'),
    column('span_id', 'String'),
    column('parent_span_id', 'Nullable(String)'),
    column('query', 'String'),
    column('context', 'Nullable(String)'),
    column('model', 'Nullable(String)'),
    column('metadata_json', 'String'),
    column('response', 'String'),
    column('response_length', 'UInt32'),
    column('tokens_prompt', 'Nullable(UInt32)'),
    column('tokens_completion', 'Nullable(UInt32)'),
    column('tokens_total', 'Nullable(UInt32)'),
    column('latency_ms', 'UInt32'),
    column('ttfb_ms', 'Nullable(UInt32)'),
    column('streaming_ms', 'Nullable(UInt32)'),
    column('status', 'Nullable(UInt16)'),
    column('status_text', 'Nullable(String)'),
    column('finish_reason', 'Nullable(String)'),
    column('response_id', 'Nullable(String)'),
    column('system_fingerprint', 'Nullable(String)'),
    column('headers_json', 'String'),
  ],
  engine: {
    name: 'MergeTree',
    partitionKey: 'tenant_id, toYYYYMM(date)',
    sortingKey: 'tenant_id, project_id, timestamp, trace_id',
    ttl: 'date + INTERVAL 90 DAY',
  },
});

/** What the LiteLLM handler of Tinybird's Python SDK sends. */
const LITELLM = dataSource({
  name: 'litellm',
  description: 'Calls of language models by way of LiteLLM',
  columns: [
    column('model', 'LowCardinality(String)', "'unknown'"),
    column('messages', 'Array(Map(String, String))', '[]', 'messages[:]'),
    column('user', 'String', "'unknown'"),
    column('start_time', 'DateTime', 'now()'),
    column('end_time', 'DateTime', 'now()'),
    column('id', 'String', "''"),
    column('stream', 'Boolean', 'false'),
    column('call_type', 'LowCardinality(String)', "'unknown'"),
    column('provider', 'LowCardinality(String)', "'unknown'"),
    column('api_key', 'String', "''"),
    column('log_event_type', 'LowCardinality(String)', "'unknown'"),
    column('llm_api_duration_ms', 'Float64', '0'),
    column('cache_hit', 'Boolean', 'false'),
    column('response_status', 'LowCardinality(String)', "'unknown'", 'standard_logging_object_status'),
    column('response_time', 'Float64', '0', 'standard_logging_object_response_time'),
    column('proxy_metadata', 'String', "''"),
    column('organization', 'String', "''", 'proxy_metadata.organization'),
    column('environment', 'String', "''", 'proxy_metadata.environment'),
    column('project', 'String', "''", 'proxy_metadata.project'),
    column('chat_id', 'String', "''", 'proxy_metadata.chat_id'),
    column('response', 'String', "''"),
    column('response_id', 'String', "''", 'response.id'),
    column('response_object', 'String', "'unknown'", 'response.object'),
    column('response_choices', 'Array(String)', '[]', 'response.choices[:]'),
    column('completion_tokens', 'UInt64', '0', 'response.usage.completion_tokens'),
    column('prompt_tokens', 'UInt64', '0', 'response.usage.prompt_tokens'),
    column('total_tokens', 'UInt64', '0', 'response.usage.total_tokens'),
    column('cost', 'Float64', '0'),
    column('exception', 'String', "''"),
    column('traceback', 'String', "''"),
    column('duration', 'Float64', '0'),
  ],
  engine: {
    name: 'MergeTree',
    partitionKey: 'toYYYYMM(start_time)',
    sortingKey: 'start_time, organization, project, model',
  },
});

/** What the logging handler of Tinybird's Python SDK sends. */
const TB_LOGS = dataSource({
  name: 'tb_logs',
  description: 'Log records of Python programs',
  columns: [
    // Seconds with a fraction, as Python has them.
    column('created', 'Float64', 'toUnixTimestamp64Micro(now64(6)) / 1e6'),
    {
      name: 'timestamp',
      type: 'DateTime64(6)',
      kind: 'MATERIALIZED',
      expression: 'fromUnixTimestamp64Micro(toInt64(created * 1e6))',
    },
    column('name', 'LowCardinality(String)', "''"),
    column('app_name', 'LowCardinality(String)', "''"),
    column('level', 'Int32', '0'),
    column('levelname', 'LowCardinality(String)', "''"),
    column('message', 'String', "''"),
    column('formatted_message', 'String', "''"),
    column('pathname', 'LowCardinality(String)', "''"),
    column('filename', 'LowCardinality(String)', "''"),
    column('module', 'LowCardinality(String)', "''"),
    column('lineno', 'Int64', '0'),
    column('funcName', 'LowCardinality(String)', "''"),
    column('asctime', 'String', "''"),
    column('msecs', 'Float64', '0'),
    column('relativeCreated', 'Float64', '0'),
    // Wider than 32 bits in practice: it is an address.
    column('thread', 'UInt64', '0'),
    column('threadName', 'LowCardinality(String)', "''"),
    column('process', 'UInt64', '0'),
    column('processName', 'LowCardinality(String)', "''"),
    column('exc_info', 'String', "''"),
    column('args', 'String', "''"),
    column('stack_info', 'String', "''"),
    column('extra', 'String', "''"),
  ],
  engine: {
    name: 'MergeTree',
    partitionKey: 'toYYYYMM(timestamp)',
    sortingKey: 'app_name, name, timestamp',
  },
});

/** What Observa's SDK sends, as its server keeps it. */
const CANONICAL_EVENTS = dataSource({
  name: 'canonical_events',
  description: 'Events of agents and of calls of language models, from Observa',
  columns: [
    column('tenant_id', 'String'),
    column('project_id', 'String'),
    column('environment', "Enum8('dev' = 1, 'prod' = 2)"),
    column('trace_id', 'String'),
    column('span_id', 'String'),
    column('parent_span_id', 'Nullable(String)'),
    column('timestamp', 'DateTime64(3)'),
    column('event_type', 'String'),
    column('conversation_id', 'String'),
    column('session_id', 'String'),
    column('user_id', 'String'),
    column('agent_name', 'Nullable(String)'),
    column('version', 'Nullable(String)'),
    column('route', 'Nullable(String)'),
    column('attributes_json', 'String'),
  ],
  engine: {
    name: 'MergeTree',
    partitionKey: 'toYYYYMM(timestamp)',
    sortingKey: 'tenant_id, project_id, timestamp, trace_id, span_id',
  },
});

/** In the order in which they are made. */
export const BUILT_IN: readonly DataSource[] = [
  TRACES,
  LITELLM,
  TB_LOGS,
  CANONICAL_EVENTS,
  LLM_EVENTS,
  TEXT_EVENTS,
  IMAGE_EVENTS,
];

/** Rows of tables, by name. */
export type RowCounts = ReadonlyMap<string, { readonly rows: number }>;

/** False for one that the server made and nobody has used or changed: to whoever looks, it is not there. */
export function isUsed({ builtIn, name }: DataSourceEntry, sizes: RowCounts): boolean {
  if (!builtIn) return true;
  return (sizes.get(name)?.rows ?? 0) > 0 || (sizes.get(name + QUARANTINE_SUFFIX)?.rows ?? 0) > 0;
}
