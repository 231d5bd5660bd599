/**
 * Calls of models added up by day: what questions over weeks are answered from. The engine keeps them with the parts of the table, so
 * they follow every change of it (new prices, retention, backups), and takes them by itself wherever a question asks for no more than
 * they hold. Several of them, because money, latency and users have different keys; one for all would hardly be smaller than the rows.
 *
 * Must stay true: an expression is taken from here only where a question spells it in the same way, so who asks uses these constants.
 * What is added up was reported once (`duplicate` is a key), and belongs to one tenant (so is `tenant_id`). No expression fails,
 * whatever a row holds: a merge would, for everybody, and questions with it are kept from here (the query door, ADR 0028).
 * A definition that changes gets another name, because parts keep the files of the former one.
 */

import type { Projection } from './table.ts';

/** Where every call belongs; the tenant's filter and that of the view `generations` are on these. */
const PLACE = ['tenant_id', 'project_id', 'environment', 'duplicate', 'toDate(time)', 'project_name'] as const;
const WHAT = ['service_name', 'modality', 'provider', 'model_requested', 'model_used'] as const;

/** Dialects whose input does not contain what was read from or written to a cache (the rules of the pricing room). */
export const CACHE_BESIDE_INPUT: readonly string[] = ['anthropic', 'bedrock', 'langfuse', 'pollinations'];

const none = (...columns: readonly string[]): string =>
  columns.map((column) => `ifNull(${column}, 0) = 0`).join(' AND ');
/** Tokens written to a cache; some clients report only how long they live. */
const WRITTEN =
  'greatest(ifNull(cache_write_tokens, 0), ifNull(cache_write_5m_tokens, 0) + ifNull(cache_write_1h_tokens, 0))';
const BESIDE = `usage_dialect IN (${CACHE_BESIDE_INPUT.map((name) => `'${name}'`).join(', ')})`;
/** Costs of several kinds; adding them in a row could overflow, the aggregate function cannot. */
const costs = (...kinds: readonly string[]): string =>
  `sumArray([${kinds.map((kind) => `cost_parts['${kind}']`).join(', ')}])`;
const CACHED = `ifNull(cache_read_tokens, 0) + ${WRITTEN}`;
/** Input that no cache had anything to do with, in calls of nothing but text that were charged for some: what a token of it costs. */
const IS_PLAIN = `cost_parts['input'] > 0 AND ${none('input_audio_tokens', 'input_image_tokens')} AND input_tokens > if(${BESIDE}, 0, ${CACHED})`;
const PLAIN_TOKENS = `input_tokens - if(${BESIDE}, 0, ${CACHED})`;

/** What questions ask for, by the names of results. */
export const GENERATION_SUMS = {
  calls: 'count()',
  errors: "countIf(status = 'error')",
  cost: 'sum(cost)',
  input_tokens: 'sum(input_tokens)',
  output_tokens: 'sum(output_tokens)',
  images: 'sum(images)',
  cached_tokens: 'sum(cache_read_tokens)',
  written_tokens: `sum(${WRITTEN})`,
  cached_cost: costs('cacheRead', 'cacheReadAudio', 'cacheReadImage'),
  written_cost: costs('cacheWrite', 'cacheWrite1h'),
  plain_tokens: `sumIf(${PLAIN_TOKENS}, ${IS_PLAIN})`,
  plain_cost: `sumIf(cost_parts['input'], ${IS_PLAIN})`,
  compared: 'countIf(isNotNull(cost) AND isNotNull(client_cost))',
  compared_cost: 'sumIf(cost, isNotNull(client_cost))',
  compared_client_cost: 'sumIf(client_cost, isNotNull(cost))',
  latency: 'quantilesDDState(0.01, 0.5, 0.9, 0.95, 0.99)(latency_ms)',
  first_token: 'quantilesDDState(0.01, 0.5, 0.9, 0.95, 0.99)(time_to_first_token_ms)',
} as const;

export type GenerationSum = keyof typeof GENERATION_SUMS;

function projection(name: string, keys: readonly string[], sums: readonly GenerationSum[]): Projection {
  const list = keys.join(', ');
  return {
    name,
    query: `SELECT ${list}, ${sums.map((sum) => GENERATION_SUMS[sum]).join(', ')} GROUP BY ${list}`,
  };
}

const LATENCIES = ['latency', 'first_token'] as const;
const OF_USERS = ['calls', 'errors', 'cost', 'input_tokens', 'output_tokens', 'images'] as const;

/** In the order in which they are preferred where they are of the same size. */
export const GENERATION_PROJECTIONS: readonly Projection[] = [
  // Each row has a state for each sum, which takes longer to read than the sum itself: half as many rows are twice as fast.
  projection('user_totals_daily', ['tenant_id', 'duplicate', 'toDate(time)', 'user_id'], OF_USERS),
  projection(
    'money_daily',
    [...PLACE, ...WHAT, 'tier', 'price_row'],
    (Object.keys(GENERATION_SUMS) as GenerationSum[]).filter((sum) => !LATENCIES.some((other) => other === sum)),
  ),
  projection('latency_daily', [...PLACE, ...WHAT], ['calls', ...LATENCIES]),
  projection('users_daily', [...PLACE, 'user_id'], OF_USERS),
];
