/**
 * Calls of models with the columns that dashboards of `llm_events` know, as pieces of pipes: spans and events of every dialect count
 * alike, each call once.
 *
 * Must stay true: tokens include what was read from a cache, thought or heard, also where the dialect counts these beside its
 * totals. The cost is ours, or the client's where we know no price.
 */

/** A column of the calls, read as such: the new names may hide the former. */
const g = (name: string): string => `g.${name}`;
const orZero = (name: string): string => `ifNull(${g(name)}, 0)`;

/** Dialects whose counts of input and output leave out their parts. */
const EXCLUSIVE = `${g('usage_dialect')} IN ('langfuse', 'pollinations')`;

const withParts = (total: string, ...parts: readonly string[]): string =>
  `${orZero(total)} + if(${EXCLUSIVE}, ${parts.map(orZero).join(' + ')}, 0)`;

const INPUT = withParts('input_tokens', 'cache_read_tokens', 'cache_write_tokens', 'input_audio_tokens');
const OUTPUT = withParts('output_tokens', 'reasoning_tokens', 'output_audio_tokens');

const COLUMNS = {
  timestamp: `toDateTime(${g('time')})`,
  organization: g('organization'),
  project: g('project_name'),
  environment: g('deployment_environment'),
  user: `if(${g('user_id')} = '', 'unknown', ${g('user_id')})`,
  chat_id: g('conversation_id'),
  message_id: `if(${g('call_id')} = '', toString(${g('generation_id')}), ${g('call_id')})`,
  model: `if(${g('model_requested')} = '', ${g('model_used')}, ${g('model_requested')})`,
  provider: g('provider'),
  referrer: g('referrer'),
  prompt_tokens: INPUT,
  completion_tokens: OUTPUT,
  total_tokens: `${INPUT} + ${OUTPUT}`,
  // Milliseconds.
  duration: orZero('latency_ms'),
  cost: `coalesce(${g('cost')}, ${g('client_cost')}, toDecimal128(0, 12))`,
  response_status: `if(${g('status')} = 'error', 'error', 'success')`,
  exception: g('error_message'),
  prompt: g('prompt'),
  completion: g('completion'),
} as const;

export type CallColumn = keyof typeof COLUMNS;

/** By which calls can be grouped and filtered. */
export const DIMENSIONS: readonly CallColumn[] = [
  'model',
  'provider',
  'organization',
  'project',
  'environment',
  'user',
];

/** Calls from one time until before another, as a table in brackets; both are expressions. */
export function callsBetween(from: string, until: string, columns: readonly CallColumn[]): string {
  const list = columns.map((name) => `${COLUMNS[name]} AS ${name}`).join(',\n        ');
  return `(
      SELECT
        ${list}
      FROM telemetry.generations AS g
      WHERE g.time >= ${from} AND g.time < ${until}
    )`;
}

/** Conditions for parameters of these names: several values, with commas or repeated; none where they are empty. */
export function filteredBy(...names: readonly (CallColumn | 'message_id')[]): string {
  return names
    .map(
      (name) =>
        `{% if defined(${name}) and ${name} != [''] %}
        AND ${name} IN {{ Array(${name}, 'String', description='Of these only: ${name}') }}
      {% end %}`,
    )
    .join('\n      ');
}
