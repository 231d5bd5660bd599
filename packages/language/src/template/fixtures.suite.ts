/**
 * Pipes of the kinds that producers of `llm_events` deploy (usage, counters, messages with vector search, dimensions, costs, earnings) and
 * the roll-ups of an event store: the same parameters, functions and habits of writing, with tables to run them on.
 */

import type { Pipe, PipeNode, PipeType } from '@glasshouse/model';

const node = (name: string, sql: string, type: PipeType = 'default'): PipeNode => ({ name, sql, type, settings: {} });

const pipe = (name: string, ...nodes: readonly PipeNode[]): Pipe => ({
  kind: 'pipe',
  name,
  nodes,
  tokens: [{ name: 'read_pipes', scope: 'READ' }],
  tags: [],
});

export const TABLES: readonly string[] = [
  'CREATE DATABASE acme',
  'USE acme',
  `CREATE TABLE llm_events (timestamp DateTime, organization String, project String, environment String, chat_id String, user String,
   username String, referrer String, message_id String, model LowCardinality(String), provider LowCardinality(String),
   prompt_tokens UInt16, completion_tokens UInt16, total_tokens UInt16, response_time Float32, duration Float32, cost Float32,
   exception String, response_status LowCardinality(String), messages Array(Map(String, String)), response_choices Array(String),
   embedding Array(Float32)) ENGINE = MergeTree ORDER BY timestamp`,
  `INSERT INTO llm_events SELECT now() - toIntervalHour(number), ['acme', 'globex'][number % 2 + 1], ['api', 'chat', 'it''s'][number % 3 + 1], 'prod',
   concat('c', toString(number % 4)), ['ann', 'bob'][number % 2 + 1], ['ann', 'bob'][number % 2 + 1], 'site', toString(number), ['small', 'large'][number % 2 + 1], 'openai', 10, 20, 30, 0.5, 1.5, 0.25,
   if(number % 5 = 0, 'boom', ''), if(number % 5 = 0, 'error', 'success'), [map('role', 'user', 'content', 'hello')], ['hi'], [number, 1, 2] FROM numbers(48)`,
  'CREATE TABLE generation_event (user_id String, api_key_client_id String, start_time DateTime, total_price Float64, dev_price Float64, response_status UInt16, model String) ENGINE = MergeTree ORDER BY start_time',
  "INSERT INTO generation_event SELECT concat('u', toString(number % 3)), concat('app', toString(number % 2)), now() - toIntervalSecond(1) - toIntervalMinute(number), 2, 1, if(number % 4 = 0, 500, 200), 'm' FROM numbers(40)",
  'CREATE TABLE d1_apikey (id String, name String, synced_at DateTime) ENGINE = MergeTree ORDER BY id',
  "INSERT INTO d1_apikey VALUES ('app0', 'First', 1), ('app0', 'First', 2), ('app1', '', 2)",
  `CREATE TABLE canonical_events (tenant_id String, project_id String, environment Enum8('dev' = 1, 'prod' = 2), timestamp DateTime64(3), event_type String,
   attributes_json String) ENGINE = MergeTree ORDER BY timestamp`,
  `INSERT INTO canonical_events VALUES ('t', 'p', 'prod', now64(3), 'llm_call', '{"llm_call":{"cost":0.5,"model":"m","latency_ms":120}}')`,
];

const FILTERS = ['organization', 'project', 'environment', 'provider', 'user', 'model']
  .map(
    (name) =>
      `    {% if defined(${name}) and ${name} != [''] %}\n        AND ${name} in {{Array(${name})}}\n    {% end %}`,
  )
  .join('\n');

const PERIOD = `
    {% if defined(start_date) %} AND timestamp >= {{ DateTime(start_date) }}
    {% else %} AND timestamp >= now() - interval 7 day
    {% end %}
    {% if defined(end_date) %} AND timestamp < {{DateTime(end_date)}} {% end %}`;

export const LLM_USAGE = pipe(
  'llm_usage',
  node(
    'endpoint',
    `    %
    {% if defined(column_name) and column_name not in ['organization', 'project', 'environment', 'provider', 'user', 'model'] %}
        {{ error('column_name must name a dimension') }}
    {% end %}
    SELECT
        toDate(timestamp) as date,
        {% if defined(column_name) %}
            toString({{column(column_name, 'model')}}) as category,
        {% end %}
        count() as total_requests,
        countIf(exception != '') as total_errors,
        sum(cost) as total_cost,
    FROM llm_events
    WHERE 1
${FILTERS}
${PERIOD}
    GROUP BY
    {% if defined(column_name) %}
    category,
    {% end %}
    date
    order by date ASC
`,
    'endpoint',
  ),
);

export const GENERIC_COUNTER = pipe(
  'generic_counter',
  node(
    'count_attributes',
    `%
    {% if not defined(dimension) %}
        {{ error('give a dimension to count by') }}
    {% end %}
    {% if defined(dimension) and dimension not in ['organization', 'project', 'environment', 'provider', 'user', 'model'] %}
        {{ error('no such dimension to count by') }}
    {% end %}
    SELECT
        toString({{column(dimension, 'organization')}}) as category,
        count() as count,
        sum(cost) as total_cost,
        {% if defined(with_errors) %} countIf(exception != '') as errors {% end %}
    FROM llm_events
    WHERE 1=1
${FILTERS}
    {% if defined(start_date) and defined(end_date) %}
        AND timestamp >= {{DateTime(start_date, '2000-01-01 00:00:00')}}
        AND timestamp <= {{DateTime(end_date, '2100-01-01 00:00:00')}}
    {% end %}
    GROUP BY {{column(dimension, 'organization')}}
    ORDER BY count DESC, {{column(dimension, 'organization')}}
`,
    'endpoint',
  ),
);

export const LLM_MESSAGES = pipe(
  'llm_messages',
  node(
    'llm_messages_node',
    `    %
    {% if defined(embedding) %}
        with cosineDistance(embedding, {{ Array(embedding, 'Float32') }}) as far
    {% end %}
    SELECT
        timestamp, organization, user, chat_id, message_id, cost
        {% if defined(embedding) %}
            , far
        {% else %}
            , 0 as far
        {% end %}
        {% if defined(chat_id) %}
            , messages, response_choices
        {% else %}
            , [] as messages, [] as response_choices
        {% end %}
    FROM llm_events
    WHERE 1
        {% if defined(organization) and organization != [''] %} AND organization IN {{Array(organization)}} {% end %}
        {% if defined(chat_id) and chat_id != [''] %} AND chat_id IN {{Array(chat_id)}} {% end %}
        {% if defined(message_id) %} AND message_id = {{String(message_id, '')}} {% end %}
${PERIOD}
        {% if defined(embedding) %}
        AND cosineDistance(embedding, {{ Array(embedding, 'Float32') }}) < {{ Float64(similarity_threshold, 0.3) }}
        and response_status != 'error'
        {% end %}
    {% if defined(embedding) %}
      ORDER BY far ASC
    {% else %}
        ORDER BY timestamp DESC
    {% end %}
    LIMIT {{Int32(limit, 200)}}
`,
    'endpoint',
  ),
);

export const LLM_DIMENSIONS = pipe(
  'llm_dimensions',
  node(
    'llm_dimensions_node',
    `%
    SELECT
        groupUniqArray(organization) as organizations,
        groupUniqArray(model) as model
      FROM
      (
        SELECT organization, model
        FROM
        llm_events WHERE timestamp > now() - interval '1 month'
        {% if defined(organization) and organization != '' %}
            AND organization = {{String(organization, '')}}
        {% end %}
      )
`,
    'endpoint',
  ),
);

export const GET_LLM_COSTS = pipe(
  'get_llm_costs',
  node(
    'endpoint',
    `    %
    SELECT sum(cost) as total_cost, count() as request_count
    FROM llm_events
    WHERE 1=1
    {% if defined(username) and username != "" %}
        AND user = {{String(username)}}
    {% end %}
`,
    'endpoint',
  ),
);

const costOf = (name: string, start: string): Pipe =>
  pipe(
    name,
    node(
      `${name}_node`,
      `    %
    SELECT sum(cost) as total_cost, count() AS requests
    FROM llm_events
    WHERE timestamp >= ${start}
    {% if defined(user) %} AND user = {{ String(user, 'default_user') }} {% else %} AND user = 'default_user' {% end %};
`,
      'endpoint',
    ),
  );

export const COST_DAY = costOf('cost_day', 'toStartOfDay(now())');
export const COST_WEEK = costOf('cost_week', 'now() - INTERVAL 7 DAY');
export const COST_MONTH = costOf('cost_month', "now() - interval '1 month'");

export const DAILY_COST = pipe(
  'daily_cost_7d',
  node(
    'daily_cost_7d_node',
    `    %
    WITH days AS (
        SELECT toStartOfDay(now() - INTERVAL number DAY) as day
        FROM numbers(7)
    ),
    spent AS (
        SELECT toStartOfDay(timestamp) as day, sum(cost) as total_cost
        FROM llm_events
        WHERE 1=1 {% if defined(user) %} AND user = {{String(user, 'default_user')}} {% end %}
        GROUP BY day
    )
    SELECT days.day as day, coalesce(spent.total_cost, 0) as cost
    FROM days
    LEFT JOIN spent ON days.day = spent.day
    ORDER BY day ASC
`,
    'endpoint',
  ),
);

export const HOURLY_COST = pipe(
  'hourly_cost_24h',
  node('hours', 'SELECT toStartOfHour(now() - toIntervalHour(number)) AS hour FROM numbers(24)'),
  node(
    'costs',
    `%
    SELECT toStartOfHour(timestamp) AS hour, sum(cost) AS cost FROM llm_events
    WHERE 1 {% if defined(user) %} AND user = {{ String(user) }} {% end %}
    GROUP BY hour -- one row per hour that has any`,
  ),
  node(
    'hourly_cost_24h_node',
    'SELECT hours.hour, costs.cost FROM hours LEFT JOIN costs USING hour ORDER BY hour;',
    'endpoint',
  ),
);

export const HOURLY_TOKENS = pipe(
  'hourly_token_usage',
  node(
    'hourly_token_usage_node',
    `    %
    SELECT toStartOfHour(timestamp) as hour, referrer, sum(prompt_tokens) + sum(completion_tokens) as tokens
    FROM llm_events
    WHERE 1 = 1
        {% if defined(username) %} AND user = {{ String(username, 'anyone') }} {% else %} AND user = 'anyone' {% end %}
${PERIOD}
        {% if defined(referrer) and referrer != [''] %} AND referrer IN {{ Array(referrer) }} {% end %}
    GROUP BY hour, referrer
    ORDER BY hour ASC, tokens DESC`,
    'endpoint',
  ),
);

export const MODEL_HEALTH = pipe(
  'model_health',
  node(
    'model_health_stats',
    `    %
    SELECT
        model,
        -- This isn't what the model's vendor says: \`model\` is the caller's name for it, and a caller can't know better.
        countIf(response_status >= 200 AND response_status < 300) as ok,
        count() as total
    FROM generation_event
    WHERE start_time >= now() - interval {{Int32(minutes, 60)}} minute
    GROUP BY model
    ORDER BY total DESC
`,
    'endpoint',
  ),
);

export const DEVELOPER_EARNINGS = pipe(
  'developer_earnings',
  node(
    'labels',
    `%\n SELECT id AS app_key_id, coalesce(nullIf(name, ''), id) AS app_name FROM d1_apikey WHERE synced_at = (SELECT max(synced_at) FROM d1_apikey)`,
  ),
  node(
    'earning_events',
    `%
    SELECT ge.api_key_client_id AS app_key_id, ge.start_time AS start_time, ge.total_price - ge.dev_price AS earned, al.app_name AS app_name, ge.user_id AS user_id
    FROM generation_event ge
    INNER JOIN labels al ON ge.api_key_client_id = al.app_key_id
    WHERE ge.total_price > ge.dev_price
    {% if defined(since) %} AND ge.start_time >= {{DateTime(since)}} {% end %}
    {% if defined(api_key_ids) %} AND ge.api_key_client_id IN {{Array(api_key_ids, 'String')}} {% end %}`,
  ),
  node(
    'by_period',
    `%
    SELECT if({{String(grain, 'day')}} = 'hour', formatDateTime(toStartOfHour(start_time), '%F %T'), formatDateTime(toStartOfDay(start_time), '%F')) AS date,
      app_key_id, count() AS requests, sum(earned) AS earned FROM earning_events GROUP BY date, app_key_id`,
  ),
  node(
    'by_app',
    "SELECT '' AS date, app_key_id, count() AS requests, sum(earned) AS earned FROM earning_events GROUP BY app_key_id",
  ),
  node(
    'overall',
    "SELECT '' AS date, '' AS app_key_id, count() AS requests, sum(earned) AS earned FROM earning_events",
  ),
  node(
    'earnings',
    'SELECT * FROM by_period\nUNION ALL\nSELECT * FROM by_app\nUNION ALL\nSELECT * FROM overall\n',
    'endpoint',
  ),
);

export const COST_BY_MODEL = pipe(
  'cost_daily_by_model',
  node(
    'cost_daily',
    `SELECT
tenant_id,
toDate(timestamp) AS day,
JSONExtractString(attributes_json, 'llm_call', 'model') AS model,
sumState(toFloat64OrNull(JSONExtractRaw(attributes_json, 'llm_call', 'cost'))) AS cost,
countState(1) AS calls
FROM canonical_events
WHERE event_type = 'llm_call'
GROUP BY tenant_id, day, model
`,
    'materialized',
  ),
);

export const PIPES: readonly Pipe[] = [
  LLM_USAGE,
  GENERIC_COUNTER,
  LLM_MESSAGES,
  LLM_DIMENSIONS,
  GET_LLM_COSTS,
  COST_DAY,
  COST_WEEK,
  COST_MONTH,
  DAILY_COST,
  HOURLY_COST,
  HOURLY_TOKENS,
  MODEL_HEALTH,
  DEVELOPER_EARNINGS,
  COST_BY_MODEL,
];
