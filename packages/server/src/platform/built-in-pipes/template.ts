/**
 * Endpoints that dashboards of Tinybird's template of an LLM tracker read, under its names: the same parameters, the same columns.
 *
 * Must stay true: what a dashboard asks for by `embedding` is read from the events, which alone have one; everything else from all
 * calls.
 */

import { callsBetween, DIMENSIONS, filteredBy } from './calls.ts';

const ALL = DIMENSIONS.join(', ');
const LIST = DIMENSIONS.map((name) => `'${name}'`).join(', ');

/** The time that is asked for; the last days unless told otherwise. Without days, all of it. */
function period(days: number | undefined): readonly [from: string, until: string] {
  const since = days === undefined ? 'toDateTime(0)' : `now() - INTERVAL ${days} DAY`;
  const bound = (name: string, other: string, description: string): string =>
    `{% if defined(${name}) %} toDateTime({{ DateTime(${name}, description='${description}, UTC') }}, 'UTC') {% else %} ${other} {% end %}`;
  return [bound('start_date', since, 'From when'), bound('end_date', 'now() + INTERVAL 1 SECOND', 'Until when')];
}

const usage = `DESCRIPTION >
    Requests, errors, tokens, cost and latency by day, and by a dimension if column_name names one.

NODE endpoint
SQL >
    %
    {% if defined(column_name) and column_name not in [${LIST}] %}
      {{ error('column_name must be one of ${ALL}') }}
    {% end %}
    SELECT
      toDate(timestamp) AS date,
      {% if defined(column_name) %}
        toString({{ column(column_name, 'model', description='Dimension to group by: ${ALL}') }}) AS category,
      {% end %}
      count() AS total_requests,
      countIf(response_status = 'error') AS total_errors,
      sum(total_tokens) AS total_tokens,
      sum(completion_tokens) AS total_completion_tokens,
      sum(prompt_tokens) AS total_prompt_tokens,
      toFloat64(sum(cost)) AS total_cost,
      avg(duration) AS avg_duration,
      avg(duration) AS avg_response_time
    FROM ${callsBetween(...period(7), [
      'timestamp',
      ...DIMENSIONS,
      'response_status',
      'total_tokens',
      'completion_tokens',
      'prompt_tokens',
      'cost',
      'duration',
    ])} AS calls
    WHERE 1
      ${filteredBy(...DIMENSIONS)}
    GROUP BY date {% if defined(column_name) %} , category {% end %}
    ORDER BY date, total_cost DESC, total_requests DESC {% if defined(column_name) %} , category {% end %}

TYPE endpoint
`;

const counter = `DESCRIPTION >
    Requests and cost by the values of a dimension.

NODE endpoint
SQL >
    %
    {% if not defined(dimension) or dimension not in [${LIST}] %}
      {{ error('dimension must be one of ${ALL}') }}
    {% end %}
    SELECT
      toString({{ column(dimension, 'organization', description='One of ${ALL}') }}) AS category,
      count() AS count,
      toFloat64(sum(cost)) AS total_cost
    FROM ${callsBetween(...period(undefined), [...DIMENSIONS, 'cost'])} AS calls
    WHERE 1
      ${filteredBy(...DIMENSIONS)}
    GROUP BY category
    ORDER BY count DESC, category

TYPE endpoint
`;

const SHOWN = [
  'timestamp',
  'organization',
  'project',
  'environment',
  'user',
  'chat_id',
  'message_id',
  'model',
  'provider',
  'prompt_tokens',
  'completion_tokens',
  'total_tokens',
  'duration',
  'cost',
  'response_status',
  'exception',
] as const;

/** What went in as a list of messages: a text is one of the user. */
const MESSAGES = `if(
          startsWith(prompt, '['),
          JSONExtract(prompt, 'Array(Map(String, String))'),
          if(prompt = '', [], [map('role', 'user', 'content', prompt)])
        )`;
/** What came out as choices of OpenAI's answers, in JSON. */
const CHOICES = `if(
          startsWith(completion, '['),
          arrayMap(message -> concat('{"message":', message, '}'), JSONExtractArrayRaw(completion)),
          if(completion = '', [], [concat('{"message":{"role":"assistant","content":', toJSONString(completion), '}}')])
        )`;

const messages = `DESCRIPTION >
    Single calls, newest first, or by how near they are to an embedding; with what was said if chat_id asks for a chat.

NODE endpoint
SQL >
    %
    SELECT
      ${SHOWN.map((name) => (name === 'cost' ? 'toFloat64(cost) AS cost' : name)).join(', ')},
      {% if defined(embedding) %} 1 - distance AS similarity, {% else %} 0 AS similarity, {% end %}
      {% if defined(chat_id) %}
        {% if defined(embedding) %} messages, response_choices
        {% else %}
        ${MESSAGES} AS messages,
        ${CHOICES} AS response_choices
        {% end %}
      {% else %}
        CAST([], 'Array(Map(String, String))') AS messages, CAST([], 'Array(String)') AS response_choices
      {% end %}
    FROM
    {% if defined(embedding) %} (
      WITH {{ Array(embedding, 'Float32', description='Vector; what is nearest to it comes first') }} AS wanted
      SELECT
        * REPLACE (if(status = 'error', 'error', 'success') AS response_status),
        if(length(embedding) = length(wanted), cosineDistance(arrayResize(embedding, length(wanted)), wanted), 2) AS distance
      FROM llm_events
      WHERE timestamp >= ${period(undefined)[0]} AND timestamp < ${period(undefined)[1]}
        AND length(embedding) > 0 AND status != 'error'
    )
    {% else %} ${callsBetween(...period(undefined), [...SHOWN, 'prompt', 'completion'])}
    {% end %} AS calls
    WHERE 1
      ${filteredBy(...DIMENSIONS, 'chat_id', 'message_id')}
      {% if defined(embedding) %}
        AND distance <= {{ Float64(similarity_threshold, 0.5, description='Largest cosine distance') }}
      {% end %}
    ORDER BY {% if defined(embedding) %} distance, {% end %} timestamp DESC
    LIMIT {{ Int32(limit, 200, description='Rows at most') }}

TYPE endpoint
`;

const dimensions = `DESCRIPTION >
    The values of the dimensions in the last month, a list of each.

NODE endpoint
SQL >
    %
    SELECT
      groupUniqArray(organization) AS organizations,
      groupUniqArray(project) AS project,
      groupUniqArray(environment) AS environment,
      groupUniqArray(model) AS model,
      groupUniqArray(provider) AS provider
    FROM ${callsBetween('now() - INTERVAL 1 MONTH', 'now() + INTERVAL 1 DAY', DIMENSIONS)} AS calls
    WHERE 1
      ${filteredBy('organization')}

TYPE endpoint
`;

export const TEMPLATE_PIPES: Readonly<Record<string, string>> = {
  llm_usage: usage,
  generic_counter: counter,
  llm_messages: messages,
  llm_dimensions: dimensions,
};
