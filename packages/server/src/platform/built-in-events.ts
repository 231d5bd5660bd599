/**
 * The data source of the events of text and image services: one for both, told apart by `event_type`. Its columns are those of the
 * plan for one tracker of pollinations' services, and those that their early tracker and Tinybird's template of an LLM tracker send.
 *
 * Must stay true: a row of any of the three fits. What one of them says in another place is the default of the other's column, and
 * no default needs a column that needs it.
 */

import type { DataSource } from '@glasshouse/model';
import { column, dataSource } from './built-in-columns.ts';

/** A count in the provider's own answer, as OpenAI writes it. */
const usage = (name: string): string => `JSONExtractUInt(response, 'usage', '${name}')`;

/** Both events at once: `SELECT … FROM llm_events` reads texts and images, `text_events_mv` and `image_events_mv` one of them. */
export const LLM_EVENTS: DataSource = dataSource({
  name: 'llm_events',
  description: 'Generations of texts and images, as their services report them',
  columns: [
    // What both services send.
    column('call_type', 'LowCardinality(String)', "''"),
    // The early tracker says it of images in this way only.
    column('event_type', 'String', "if(call_type = 'image_generation', 'image_generation', 'text_generation')"),
    column('start_time', 'Nullable(DateTime64(3))'),
    column('end_time', 'Nullable(DateTime64(3))'),
    column('timestamp', 'DateTime64(3)', 'coalesce(end_time, start_time, now64(3))'),
    column('model', 'LowCardinality(String)', "''"),
    column('provider', 'LowCardinality(String)', "''"),
    // Milliseconds; the services measure fractions of them.
    column('duration', 'Float64', "ifNull(dateDiff('millisecond', start_time, end_time), 0)"),
    column('cost', 'Float64', '0'),
    column('response_status', 'LowCardinality(String)', "''", 'standard_logging_object_status'),
    column('exception', 'String', "''"),
    column('error', 'String', "''"),
    column(
      'status',
      "Enum8('success' = 1, 'error' = 2)",
      "if(response_status NOT IN ('', 'success') OR exception != '' OR error != '', 'error', 'success')",
    ),
    column('user', 'String', "'unknown'"),
    column('user_id', 'String', 'user'),
    column('username', 'String', "''"),
    column('tier', 'LowCardinality(String)', "''"),
    column('referrer', 'String', "''"),
    // Of texts. The answer stands first: the counts may be in it.
    column('response', 'String', "''"),
    column('prompt_tokens', 'UInt64', usage('prompt_tokens')),
    column('completion_tokens', 'UInt64', usage('completion_tokens')),
    column('total_tokens', 'UInt64', `greatest(${usage('total_tokens')}, prompt_tokens + completion_tokens)`),
    // Of images.
    column('image_width', 'UInt16', '0'),
    column('image_height', 'UInt16', '0'),
    column('num_images', 'UInt8', '0'),
    // What Tinybird's template keeps besides.
    column('organization', 'String', "''", 'proxy_metadata.organization'),
    column('project', 'String', "''", 'proxy_metadata.project'),
    column('environment', 'String', "''", 'proxy_metadata.environment'),
    column('chat_id', 'String', "''", 'proxy_metadata.chat_id'),
    column('proxy_metadata', 'String', "''"),
    column('message_id', 'String', "''"),
    column('id', 'String', "''"),
    column('messages', 'Array(Map(String, String))', '[]', 'messages[:]'),
    column('response_choices', 'Array(String)', '[]', 'response.choices[:]'),
    column('response_id', 'String', "''", 'response.id'),
    column('response_object', 'String', "''", 'response.object'),
    column('response_time', 'Float64', '0', 'standard_logging_object_response_time'),
    column('llm_api_duration_ms', 'Float64', '0'),
    column('log_event_type', 'LowCardinality(String)', "''"),
    column('stream', 'Bool', 'false'),
    column('cache_hit', 'Bool', 'false'),
    column('api_key', 'String', "''"),
    column('traceback', 'String', "''"),
    column('embedding', 'Array(Float32)', '[]', 'embedding[:]'),
  ],
  engine: { name: 'MergeTree', partitionKey: 'toYYYYMM(timestamp)', sortingKey: 'event_type, timestamp, model' },
});
