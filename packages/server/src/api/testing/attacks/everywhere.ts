/** Attacks by what every workspace has: its data source of events, the pipes over it and over all calls, and what migrates it. */

import { builtInPipes } from '../../../platform/built-in-pipes.ts';
import { INJECTIONS } from '../../../query/testing/attacks.ts';
import type { Attack, Victim, Who } from './attack.ts';
import { clickhouse, form, JSON_TYPE, NARROW, one, sql } from './attack.ts';

const NAMES = builtInPipes().map(({ name }) => name);
const EVENTS = ['text_events_mv', 'image_events_mv'];
/** Parameters of published dashboards. */
const PARAMETERS = [
  'column_name',
  'dimension',
  'model',
  'user',
  'username',
  'chat_id',
  'message_id',
  'embedding',
  'similarity_threshold',
  'limit',
  'start_date',
  'end_date',
  'date',
  'isoWeek',
  'ym',
];

/** Fails on rows of the victim, if it meets them. */
const PROBES = [
  "throwIf(toString(tuple(*)) LIKE '%Zq7x%') = 0",
  "intDiv(1, toString(tuple(*)) NOT LIKE '%Zq7x%') = 1",
  "CAST(if(toString(tuple(*)) LIKE '%Zq7x%', 'x', '1'), 'UInt8') = 1",
];

export function everywhereAttacks({ database, tenant, source, column }: Victim): readonly Attack[] {
  const t = `${database}.${source}`;
  const foreign = [
    `${database}.llm_events`,
    `${database}.text_events_mv`,
    `${database}.generations`,
    `\`${database}\`.llm_events_quarantine`,
    'glasshouse.generations',
  ];
  const path = (name: string, parameters: Readonly<Record<string, string>>): string =>
    `/v0/pipes/${name}.json?${new URLSearchParams({ dimension: 'model', ...parameters }).toString()}`;
  const narrow = [...NARROW].filter((who): who is Who => !who.startsWith('sdk'));
  return [
    ...NAMES.flatMap((name, index) => [
      ...PARAMETERS.flatMap((parameter, at) =>
        [0, 1].map((way) =>
          one('built-in pipes', {
            request: path(name, {
              [parameter]: INJECTIONS[(index + at + way * 7) % INJECTIONS.length] as string,
              ...(parameter === 'embedding' ? { chat_id: 'x' } : {}),
            }),
            as: way === 0 ? 'admin' : 'key',
          }),
        ),
      ),
      ...PROBES.map((probe) =>
        one(
          'built-in pipes',
          { request: path(name, { q: `SELECT count() FROM _ WHERE ${probe}` }), as: 'admin' },
          'works',
        ),
      ),
      ...foreign.map((table) =>
        one('built-in pipes', { request: path(name, { q: `SELECT * FROM _, ${table}` }), as: 'admin' }, 'refused'),
      ),
      ...narrow.map((as) => one('built-in pipes', { request: path(name, {}), as }, 'refused')),
      one('built-in pipes', sql(`SELECT * FROM ${name}`, 'filtered', index), 'refused'),
      one('built-in pipes', sql(`SELECT * FROM ${name} AS mine`, 'jwt_filtered', index), 'refused'),
      one('built-in pipes', {
        request: `POST /v0/pipes/${name}.json`,
        body: JSON.stringify({
          dimension: 'model',
          embedding: [`1]) OR (SELECT count() FROM ${t}) > 0 --`],
          user: [t],
        }),
        headers: JSON_TYPE,
        as: 'admin',
      }),
      one('built-in pipes', {
        request: `/v0/pipes/${name}.json?dimension=model`,
        as: 'key',
        headers: { 'x-glasshouse-tenant': tenant },
      }),
    ]),
    ...EVENTS.flatMap((name, index) => [
      ...foreign.flatMap((table) => [
        one('pipes on 8123', clickhouse(`SELECT * FROM ${name} AS a, ${table} AS b`), 'refused'),
        one('pipes on 8123', clickhouse(`WITH ${name} AS (SELECT * FROM ${table}) SELECT * FROM ${name}`), 'refused'),
        one('pipes on 8123', clickhouse(`SELECT * FROM ${name} WHERE user IN (SELECT user FROM ${table})`), 'refused'),
      ]),
      ...PROBES.map((probe) => one('pipes on 8123', clickhouse(`SELECT count() FROM ${name} WHERE ${probe}`), 'works')),
      one('pipes on 8123', clickhouse(`SELECT * FROM ${name}`, '', { 'x-glasshouse-tenant': tenant }), 'refused'),
      one('pipes on 8123', clickhouse(`SELECT * FROM ${name}`, `?database=${database}`), 'refused'),
      one('pipes on 8123', clickhouse(`SELECT * FROM ${database}.${name}`), 'refused'),
      one('pipes on 8123', clickhouse(`% SELECT * FROM ${name} WHERE user = {{ tb_secret('KEY') }}`), 'refused'),
      one('pipes on 8123', clickhouse(`SELECT {x:Identifier} FROM ${name}`, `?param_x=${t}.${column}`), 'refused'),
      one('pipes on 8123', clickhouse(`SELECT * FROM {x:Identifier}, ${name}`, `?param_x=${t}`), 'refused'),
      ...narrow.map((as) => one('pipes on 8123', { ...clickhouse(`SELECT * FROM ${name}`), as }, 'refused')),
      one('pipes on 8123', sql(`SELECT * FROM ${name}, llm_events`, 'filtered', index), 'refused'),
    ]),
    ...[
      `ALTER TABLE ${database}.llm_events ADD COLUMN IF NOT EXISTS event_type String DEFAULT 'text_generation'`,
      `ALTER TABLE ${t} DROP COLUMN ${column}`,
      `ALTER TABLE llm_events ADD COLUMN x String DEFAULT (SELECT any(${column}) FROM ${t})`,
      `ALTER TABLE llm_events ADD COLUMN x String ALIAS dictGet('${t}', '${column}', 1)`,
      `ALTER TABLE llm_events ATTACH PARTITION ALL FROM ${database}.llm_events`,
      `ALTER TABLE llm_events ADD COLUMN x String DEFAULT file('token-key')`,
      `ALTER TABLE llm_events RENAME TO ${database}.stolen`,
    ].flatMap((statement) => [
      one('migrations', form('POST /v0/datasources/llm_events/alter', { sql: statement, dry: 'true' })),
      ...narrow.map((as) =>
        one('migrations', form('POST /v0/datasources/llm_events/alter', { sql: statement }, as), 'refused'),
      ),
    ]),
  ];
}
