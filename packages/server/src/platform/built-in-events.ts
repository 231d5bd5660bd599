/**
 * The data sources of the events of text and image services: `llm_events` for both, told apart by `event_type`, and `text_events` and
 * `image_events` for who sends them apart. Their columns are those of the plan for one tracker of pollinations' services, and those that
 * their trackers and Tinybird's template of an LLM tracker send.
 *
 * Must stay true: a row of any of these senders fits. What one of them says in another place is the default of the other's column, and
 * no default needs a column that needs it.
 */

import type { DataSource, DataSourceColumn } from '@glasshouse/model';
import { column, dataSource } from './built-in-columns.ts';

/** A count in the provider's own answer, as OpenAI writes it. */
const usage = (name: string): string => `JSONExtractUInt(response, 'usage', '${name}')`;

/** What both services send; `eventType` and `model` are what stands there where an event says nothing. */
const both = (eventType: string, model = "''"): readonly DataSourceColumn[] => [
  column('call_type', 'LowCardinality(String)', "''"),
  column('event_type', 'String', eventType),
  column('start_time', 'Nullable(DateTime64(3))'),
  column('end_time', 'Nullable(DateTime64(3))'),
  column('timestamp', 'DateTime64(3)', 'coalesce(end_time, start_time, now64(3))'),
  column('model', 'LowCardinality(String)', model),
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
];

/** The answer stands first: the counts may be in it. */
const RESPONSE = column('response', 'String', "''");

/** Counts of texts; `prompt` and `completion` are what stands there where an event has no such count. */
const tokens = (prompt: string, completion: string): readonly DataSourceColumn[] => [
  column('prompt_tokens', 'UInt64', prompt),
  column('completion_tokens', 'UInt64', completion),
  column('total_tokens', 'UInt64', `greatest(${usage('total_tokens')}, prompt_tokens + completion_tokens)`),
];

const IMAGES: readonly DataSourceColumn[] = [
  column('image_width', 'UInt16', '0'),
  column('image_height', 'UInt16', '0'),
  column('num_images', 'UInt8', '0'),
];

/** What Tinybird's template keeps besides. */
const TEMPLATE: readonly DataSourceColumn[] = [
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
];

/** Those of the template that an image does not have. */
const OF_TEXTS: ReadonlySet<string> = new Set(['embedding', 'messages', 'response_choices', 'stream']);

/** Tokens by their kinds, which exclude each other, as the tracker of texts counts them. */
const KINDS = [
  'prompt_text',
  'prompt_audio',
  'prompt_cached',
  'completion_text',
  'completion_audio',
  'completion_reasoning',
];
const countOf = (side: string): string =>
  KINDS.filter((kind) => kind.startsWith(side))
    .map((kind) => `token_count_${kind}`)
    .join(' + ');

const ENGINE: DataSource['engine'] = {
  name: 'MergeTree',
  partitionKey: 'toYYYYMM(timestamp)',
  sortingKey: 'event_type, timestamp, model',
};

/** Both events at once: `SELECT … FROM llm_events` reads texts and images, `text_events_mv` and `image_events_mv` one of them. */
export const LLM_EVENTS: DataSource = dataSource({
  name: 'llm_events',
  description: 'Generations of texts and images, as their services report them',
  columns: [
    // The early tracker says it of images in this way only.
    ...both("if(call_type = 'image_generation', 'image_generation', 'text_generation')"),
    RESPONSE,
    ...tokens(usage('prompt_tokens'), usage('completion_tokens')),
    ...IMAGES,
    ...TEMPLATE,
  ],
  engine: ENGINE,
});

/** Of the tracker that tells the model which was asked for from the one that answered, and of who sends to `llm_events` otherwise. */
export const TEXT_EVENTS: DataSource = dataSource({
  name: 'text_events',
  description: 'Generations of texts, as their service reports them',
  columns: [
    column('model_requested', 'LowCardinality(String)', "''"),
    column('model_used', 'Nullable(String)'),
    ...both("'text_generation'", 'model_requested'),
    RESPONSE,
    ...KINDS.map((kind) => column(`token_count_${kind}`, 'UInt64', '0')),
    ...tokens(
      `greatest(${usage('prompt_tokens')}, ${countOf('prompt')})`,
      `greatest(${usage('completion_tokens')}, ${countOf('completion')})`,
    ),
    // Dollars for a million tokens.
    ...KINDS.map((kind) => column(`token_price_${kind}`, 'Float64', '0')),
    column('cache_exact_hit', 'Bool', 'false'),
    column('cache_threshold', 'Float64', '0'),
    column('cache_similarity', 'Float64', '0'),
    column('cache_key', 'String', "''"),
    ...TEMPLATE,
  ],
  engine: ENGINE,
});

export const IMAGE_EVENTS: DataSource = dataSource({
  name: 'image_events',
  description: 'Generations of images, as their service reports them',
  columns: [
    ...both("'image_generation'"),
    RESPONSE,
    ...IMAGES,
    column('image_quality', 'LowCardinality(String)', "''"),
    ...TEMPLATE.filter(({ name }) => !OF_TEXTS.has(name)),
  ],
  engine: ENGINE,
});
