/**
 * Endpoints over the calls of models, as data files by the names of their pipes. `docs/guides/generations.md` describes them.
 *
 * Must stay true: a call counts once, and a call of another workspace never does: both is what `telemetry.generations` shows.
 */

import type { GenerationSum } from '@glasshouse/schema';
import type { Endpoint, Since } from './generation-file.ts';
import { dataFile, MODEL, PROJECT } from './generation-file.ts';

const DAYS_30: Since = {
  sql: "toDateTime(toDate(now('UTC')) - 29, 'UTC')",
  words: 'midnight UTC 29 days ago',
  isMidnight: true,
};
const HOURS_24: Since = { sql: "now('UTC') - INTERVAL 1 DAY", words: '24 hours ago', isMidnight: false };
const MODELS = { provider: 'provider', model: MODEL } as const;
const SPENT = ['calls', 'errors', 'cost', 'input_tokens', 'output_tokens', 'images'] as const;

/** Sums of both parts. */
const total = (...sums: readonly GenerationSum[]): string => sums.map((sum) => `sum(${sum}_) AS ${sum}`).join(', ');

/** What was used and spent, by these keys, the dearest first. */
function usage(description: string, names: Readonly<Record<string, string>>): Endpoint {
  return {
    description,
    since: DAYS_30,
    keys: { names },
    sums: SPENT,
    sql: `SELECT BY_KEYS, ${total(...SPENT)}
FROM days
GROUP BY BY_KEYS
ORDER BY cost DESC NULLS LAST, calls DESC, BY_KEYS`,
    limit: 100,
  };
}

/** Percentiles of both parts. */
const percentiles = (sum: GenerationSum, prefix: string): string =>
  [50, 90, 95, 99].map((level, index) => `round(${sum}[${index + 1}], 3) AS ${prefix}p${level}_ms`).join(', ');
const merged = (sum: GenerationSum): string => `quantilesDDMerge(0.01, 0.5, 0.9, 0.95, 0.99)(${sum}_) AS ${sum}`;

const OVER_TIME = `{% if String(interval, 'day', description='What to add up: day, week (from Monday) or month', enum=['day', 'week', 'month']) == 'week' %} toStartOfWeek(day, 1)
  {% elif String(interval, 'day') == 'month' %} toStartOfMonth(day)
  {% elif String(interval, 'day') == 'day' %} day
  {% else %} {{ error('interval must be one of day, week, month') }} {% end %}`;

const ENDPOINTS: Readonly<Record<string, Endpoint>> = {
  generations_top_models: {
    ...usage('Models by what was spent on them, over text, images and whatever else they made.', {
      ...MODELS,
      modality: 'modality',
    }),
    limit: 20,
  },
  generations_usage_by_user: usage('Usage and spend of each user.', { user: 'user_id' }),
  generations_usage_by_tier: usage('Usage and spend of each tier.', { tier: 'tier' }),
  generations_usage_by_project: usage(
    'Usage and spend of each project: the one that clients name, else that of the API key.',
    { project: PROJECT, environment: 'environment' },
  ),
  generations_usage_over_time: {
    ...usage('Usage and spend by day, week or month (UTC).', { day: 'toDate(time)' }),
    sql: `SELECT ${OVER_TIME} AS period, ${total(...SPENT)}
FROM days
GROUP BY period
ORDER BY period`,
    limit: 1000,
  },
  generations_latency: {
    description:
      'Milliseconds from the request to the end of the answer, and to its first part, as percentiles; each is within 1 % of the exact one.',
    since: HOURS_24,
    keys: { by: 'model' },
    sums: ['calls', 'latency', 'first_token'],
    sql: `SELECT BY_KEYS, calls, ${percentiles('latency', '')}, ${percentiles('first_token', 'first_token_')}
FROM (
  SELECT BY_KEYS, sum(calls_) AS calls, ${merged('latency')}, ${merged('first_token')}
  FROM days
  GROUP BY BY_KEYS
)
ORDER BY calls DESC, BY_KEYS`,
    limit: 100,
  },
  generations_error_rate: {
    description: 'Calls that failed, and their share of all calls, from 0 to 1.',
    since: HOURS_24,
    keys: { by: 'service' },
    sums: ['calls', 'errors'],
    sql: `SELECT BY_KEYS, ${total('calls', 'errors')}, errors / calls AS error_rate
FROM days
GROUP BY BY_KEYS
ORDER BY error_rate DESC, calls DESC, BY_KEYS`,
    limit: 100,
  },
  generations_cache_savings: {
    description:
      'What tokens of the cache would have cost as plain input, less what they cost, in dollars. The price of plain input is what it cost on average in calls of the same model at the same price; without any the saving is null.',
    since: DAYS_30,
    keys: { names: { ...MODELS, price_row: 'price_row' } },
    sums: ['cached_tokens', 'written_tokens', 'cached_cost', 'written_cost', 'plain_tokens', 'plain_cost'],
    where: "price_row != ''",
    sql: `SELECT
  provider, model,
  sum(cached) AS cached_tokens, sum(written) AS written_tokens,
  sum(cost_of_cached) AS cached_cost, sum(cost_of_written) AS written_cost,
  if(countIf(isNull(uncached)) > 0, NULL, round(sum(uncached), 12)) AS uncached_cost,
  round(uncached_cost - toFloat64(cached_cost) - toFloat64(written_cost), 12) AS savings
FROM (
  SELECT
    provider, model, price_row,
    ifNull(sum(cached_tokens_), 0) AS cached, ifNull(sum(written_tokens_), 0) AS written,
    sum(cached_cost_) AS cost_of_cached, sum(written_cost_) AS cost_of_written,
    ifNull(sum(plain_tokens_), 0) AS plain_tokens, ifNull(toFloat64(sum(plain_cost_)), 0) AS plain_cost,
    if(plain_tokens > 0, (cached + written) * plain_cost / plain_tokens, NULL) AS uncached
  FROM days
  GROUP BY provider, model, price_row
  HAVING cached + written > 0
)
GROUP BY provider, model
ORDER BY savings DESC NULLS LAST, cached_tokens DESC, provider, model`,
    limit: 100,
  },
  generations_unpriced_models: {
    description: 'Models that no price is known of, with their volume: what the sums of costs leave out.',
    since: DAYS_30,
    keys: { names: { ...MODELS, modality: 'modality', day: 'toDate(time)' } },
    sums: ['calls', 'errors', 'input_tokens', 'output_tokens', 'images'],
    where: "price_row = ''",
    sql: `SELECT provider, model, modality, ${total('calls', 'errors', 'input_tokens', 'output_tokens', 'images')},
  min(day) AS first_day, max(day) AS last_day
FROM days
GROUP BY provider, model, modality
ORDER BY calls DESC, provider, model, modality`,
    limit: 100,
  },
  generations_cost_difference: {
    description:
      'What clients say that calls cost beside what they cost by the prices here, over calls of which both are known, the largest difference first.',
    since: DAYS_30,
    keys: { names: MODELS },
    sums: ['compared', 'compared_cost', 'compared_client_cost'],
    sql: `SELECT
  provider, model, sum(compared_) AS calls,
  sum(compared_cost_) AS cost, sum(compared_client_cost_) AS client_cost,
  round(toFloat64(client_cost) - toFloat64(cost), 9) AS difference,
  if(toFloat64(cost) = 0, NULL, toFloat64(client_cost) / toFloat64(cost)) AS ratio
FROM days
GROUP BY provider, model
HAVING calls > 0
ORDER BY abs(difference) DESC, provider, model`,
    limit: 100,
  },
};

export const GENERATION_PIPES: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(ENDPOINTS).map(([name, endpoint]) => [name, dataFile(endpoint)]),
);
