/**
 * Endpoints of pollinations' dashboards about what its users spend, under its names: the same parameters, the same columns. Days and
 * hours are those of UTC, and each has a row, also one in which nothing was spent.
 */

import { callsBetween, filteredBy } from './calls.ts';

const USER = filteredBy('user');

/** Cost by hour or day, from the start on for so many of them. */
function spent(what: string, unit: 'day' | 'hour', start: string, count: string): string {
  const [floor, step] = unit === 'day' ? ['toStartOfDay', 'toIntervalDay'] : ['toStartOfHour', 'toIntervalHour'];
  return `DESCRIPTION >
    ${what}. Of one user, or of all together.

NODE endpoint
SQL >
    %
    WITH ${start} AS begin, ${count} AS size
    SELECT ${unit}, toFloat64(sum(cost)) AS total_cost
    FROM (
      SELECT begin + ${step}(number) AS ${unit}, toDecimal128(0, 12) AS cost FROM numbers(size)
      UNION ALL
      SELECT ${floor}(timestamp) AS ${unit}, cost
      FROM ${callsBetween('begin', `begin + ${step}(size)`, ['timestamp', 'user', 'cost'])} AS calls
      WHERE 1
        ${USER}
    )
    GROUP BY ${unit}
    ORDER BY ${unit}

TYPE endpoint
`;
}

const midnight = (day: string): string => `toDateTime(${day}, 'UTC')`;
const given = (name: string, value: string, otherwise: string): string =>
  `{% if defined(${name}) %} ${value} {% else %} ${otherwise} {% end %}`;

const DAY = given(
  'date',
  "toDate({{ Date(date, description='Day, YYYY-MM-DD; today if left out') }})",
  "toDate(now('UTC'))",
);
const WEEK_TEXT = "{{ String(isoWeek, description='Week of ISO 8601, such as 2025-W31; this one if left out') }}";
/** The fourth of January is always in the first week. */
const WEEK = given(
  'isoWeek',
  `toMonday(toDate(concat(substring(${WEEK_TEXT}, 1, 4), '-01-04'))) + toIntervalWeek(toUInt8(substring(${WEEK_TEXT}, 7)) - 1)`,
  "toMonday(toDate(now('UTC')))",
);
const MONTH = given(
  'ym',
  "toDate(concat({{ String(ym, description='Month, YYYY-MM; this one if left out') }}, '-01'))",
  "toStartOfMonth(toDate(now('UTC')))",
);

const totals = `DESCRIPTION >
    What was spent so far, and in how many requests. Of one user, or of all together.

NODE endpoint
SQL >
    %
    SELECT toFloat64(sum(cost)) AS total_cost, count() AS request_count
    FROM ${callsBetween('toDateTime(0)', 'now() + INTERVAL 1 DAY', ['user', 'cost'])} AS calls
    WHERE 1
      {% if defined(username) and username != '' %} AND user = {{ String(username, description='User') }} {% end %}

TYPE endpoint
`;

const tokens = `DESCRIPTION >
    Tokens, cost and requests by hour and referrer, for six days unless told otherwise. Of one user, or of all together.

NODE endpoint
SQL >
    %
    SELECT
      toStartOfHour(timestamp) AS hour,
      referrer,
      sum(prompt_tokens) AS usage_prompt_tokens,
      sum(completion_tokens) AS usage_completion_tokens,
      usage_prompt_tokens + usage_completion_tokens AS total_tokens,
      toFloat64(sum(cost)) AS total_costs,
      count() AS total_requests
    FROM ${callsBetween(
      given(
        'start_date',
        "toDateTime({{ DateTime(start_date, description='From when, UTC') }}, 'UTC')",
        'now() - INTERVAL 6 DAY',
      ),
      `${given('end_date', "toDateTime({{ DateTime(end_date, description='Until when, UTC') }}, 'UTC')", 'now()')} + INTERVAL 1 SECOND`,
      [
        'timestamp',
        'referrer',
        'user',
        'organization',
        'project',
        'environment',
        'model',
        'prompt_tokens',
        'completion_tokens',
        'cost',
      ],
    )} AS calls
    WHERE 1
      {% if defined(username) and username != '' %} AND user = {{ String(username, description='User') }} {% end %}
      ${filteredBy('organization', 'project', 'environment', 'model', 'referrer')}
    GROUP BY hour, referrer
    ORDER BY hour, total_costs DESC, referrer

TYPE endpoint
`;

export const COST_PIPES: Readonly<Record<string, string>> = {
  get_llm_costs: totals,
  cost_day: spent('What a day cost, by hour', 'hour', midnight(DAY), '24'),
  cost_week: spent('What a week cost, by day, from Monday on', 'day', midnight(WEEK), '7'),
  cost_month: spent(
    'What a month cost, by day',
    'day',
    midnight(MONTH),
    "dateDiff('day', begin, begin + toIntervalMonth(1))",
  ),
  daily_cost_7d: spent(
    'What the last seven days cost, by day, today included',
    'day',
    "toStartOfDay(now('UTC')) - toIntervalDay(6)",
    '7',
  ),
  hourly_cost_24h: spent(
    'What the last 24 hours cost, by hour, the present one included',
    'hour',
    "toStartOfHour(now('UTC')) - toIntervalHour(23)",
    '24',
  ),
  hourly_token_usage: tokens,
};
