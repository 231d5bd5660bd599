/**
 * How the data file of an endpoint over the calls of models is put together: parameters, and the days that it asks for.
 *
 * Must stay true: whole days are asked for apart from what is left of the first and the last one, each sum in the very words of the
 * projections (`packages/schema/src/generation-projections.ts`), so that the engine answers days from there. Both parts together
 * are every row once.
 */

import type { GenerationSum } from '@glasshouse/schema';
import { GENERATION_SUMS } from '@glasshouse/schema';

/** What results are told apart by, by the names of columns; or what the caller chooses, with what they get without choosing. */
type Keys = { readonly names: Readonly<Record<string, string>> } | { readonly by: 'model' | 'service' };

export interface Endpoint {
  readonly description: string;
  /** Since when, where nothing is asked for. */
  readonly since: Since;
  readonly keys: Keys;
  /** What is added up; `x` comes as `x_`, and once for whole days and once for the others. */
  readonly sums: readonly GenerationSum[];
  /** Condition on the rows. */
  readonly where?: string;
  /** The question over `days`, which has keys and sums. `BY` in it stands for the names of the keys. */
  readonly sql: string;
  readonly limit: number;
}

/** A default: as SQL, in words, and whether it is always the beginning of a day. */
export interface Since {
  readonly sql: string;
  readonly words: string;
  readonly isMidnight: boolean;
}

export const MODEL = "if(model_used = '', model_requested, model_used)";
export const PROJECT = "if(project_name = '', project_id, project_name)";
const SERVICE = "if(service_name = '', modality, service_name)";

const CHOICE = "{% if String(by, 'DEFAULT', description='What to tell apart', enum=['model', 'provider', 'service'])";
const CHOSEN_KEYS = `${CHOICE} == 'service' %} ${SERVICE} AS service,
  {% elif String(by, 'DEFAULT') == 'provider' %} provider,
  {% elif String(by, 'DEFAULT') == 'model' %} provider, ${MODEL} AS model,
  {% else %} {{ error('by must be one of model, provider, service') }} {% end %}`;
const CHOSEN_NAMES = `{% if String(by, 'DEFAULT') == 'service' %} service {% elif String(by, 'DEFAULT') == 'provider' %} provider {% else %} provider, model {% end %}`;

/** Parameters by which rows are chosen. */
const FILTERS = [
  ['project', 'Project, by the name that clients give, else that of the API key', `${PROJECT} = VALUE`],
  ['environment', 'Environment of the API key', 'environment = VALUE'],
  ['provider', 'Provider', 'provider = VALUE'],
  ['model', 'Model that was asked for or that answered', '(model_requested = VALUE OR model_used = VALUE)'],
  ['service', 'Service; what came out (text, image) where none is named', `${SERVICE} = VALUE`],
  ['user', 'User', 'user_id = VALUE'],
  ['tier', 'Tier', 'tier = VALUE'],
  ['modality', 'What came out: text, embedding, image, audio, video', 'modality = VALUE'],
].map(([name = '', description = '', condition = '']) => {
  const value = `{{ String(${name}, description='${description}') }}`;
  return `  {% if defined(${name}) %} AND ${condition.replace('VALUE', value).replace('VALUE', `{{ String(${name}) }}`)} {% end %}`;
});

const WHOLE = 'toDate(time) >= first_day AND toDate(time) < last_day';
const EDGES = 'time >= since AND time < until AND (toDate(time) < first_day OR toDate(time) >= last_day)';

/** The text of the data file. */
export function dataFile(endpoint: Endpoint): string {
  const limit = `LIMIT {{ UInt32(limit, ${endpoint.limit}, description='Rows at most') }}`;
  return [
    `DESCRIPTION >\n    ${endpoint.description}\n`,
    node('whole_days', rowsOf(endpoint, WHOLE)),
    node('other_days', rowsOf(endpoint, EDGES)),
    node('days', daysOf(endpoint.since)),
    `${node('endpoint', `${endpoint.sql.trim().replaceAll('BY_KEYS', namesOf(endpoint.keys))}\n${limit}`)}\nTYPE endpoint\n`,
  ].join('\n');
}

function node(name: string, sql: string): string {
  return `NODE ${name}\nSQL >\n    %\n${sql.replaceAll(/^/gmu, '    ')}\n`;
}

/** The first day that belongs to the time asked for as a whole. */
const FIRST_DAY = 'toDate(since + INTERVAL 86399 SECOND)';
/** Of a single day the rows are asked: most of them are not added up yet. */
const NO_DAY = "toDate('2106-02-07')";

/** Both parts, or the only one that can have rows: the engine takes its time over an empty part too. */
function daysOf({ isMidnight }: Since): string {
  const [start, end] = ["start.endswith('00:00:00')", "(not defined(end) or end.endswith('00:00:00'))"];
  const both = `{% else %} SELECT * FROM whole_days UNION ALL SELECT * FROM other_days {% end %}`;
  if (isMidnight) return `{% if (not defined(start) or ${start}) and ${end} %} SELECT * FROM whole_days\n${both}`;
  return `{% if not defined(start) and not defined(end) %} SELECT * FROM other_days
{% elif defined(start) and ${start} and ${end} %} SELECT * FROM whole_days\n${both}`;
}

function rowsOf({ keys, sums, since, where }: Endpoint, time: string): string {
  const from = `From when, UTC, to the second; ${since.words} if it is left out`;
  const until = 'Until when, UTC, to the second; without an end if it is left out';
  return `WITH
  {% if defined(start) %} parseDateTimeBestEffort({{ DateTime(start, description='${from}') }}, 'UTC')
  {% else %} ${since.sql} {% end %} AS since,
  {% if defined(end) %} parseDateTimeBestEffort({{ DateTime(end, description='${until}') }}, 'UTC')
  {% else %} toDateTime('2106-02-07 00:00:00', 'UTC') {% end %} AS until,
  ${since.isMidnight ? FIRST_DAY : `{% if defined(start) %} ${FIRST_DAY} {% else %} ${NO_DAY} {% end %}`} AS first_day,
  toDate(until) AS last_day
SELECT
  ${keysOf(keys)}
  ${sums.map((sum) => `${GENERATION_SUMS[sum]} AS ${sum}_`).join(',\n  ')}
FROM telemetry.generations
WHERE ${time}${where === undefined ? '' : `\n  AND ${where}`}
${FILTERS.join('\n')}
GROUP BY ALL`;
}

function keysOf(keys: Keys): string {
  if ('by' in keys) return CHOSEN_KEYS.replaceAll('DEFAULT', keys.by);
  return Object.entries(keys.names)
    .map(([name, sql]) => `${sql === name ? name : `${sql} AS ${name}`},`)
    .join('\n  ');
}

function namesOf(keys: Keys): string {
  return 'by' in keys ? CHOSEN_NAMES.replaceAll('DEFAULT', keys.by) : Object.keys(keys.names).join(', ');
}
