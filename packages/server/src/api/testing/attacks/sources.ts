/** Attacks by data sources and rows: definitions in parameters, conditions, events, and the filters of tokens that only send. */

import { INJECTIONS } from '../../../query/testing/attacks.ts';
import type { Attack, Victim } from './attack.ts';
import { form, json, one, sql } from './attack.ts';

export function sourceAttacks(victim: Victim): readonly Attack[] {
  const { database, source, sourceId, column, tenant } = victim;
  const t = `${database}.${source}`;
  const schemas = [
    `a String DEFAULT (SELECT any(${column}) FROM ${t})`,
    `a String) ENGINE = Memory AS SELECT * FROM ${t} --`,
    'a String CODEC(NONE)) ENGINE = Log --',
    `a String, CONSTRAINT c CHECK (SELECT count() FROM ${t}) > 0`,
    `a String, PROJECTION p (SELECT * FROM ${t})`,
    `a Enum8('x' = 1) DEFAULT getSetting('log_comment')`,
    `a AggregateFunction(sum, UInt8) DEFAULT file('token-key')`,
    `a String TTL now() + (SELECT 1 FROM ${t})`,
    `_segment UInt64`,
  ];
  const conditions = [
    `k IN (SELECT k FROM ${t})`,
    `1) OR (SELECT count() FROM ${t}) > 0 OR (1`,
    `throwIf((SELECT any(${column}) FROM ${t}) != '')`,
    `dictGet('${t}', 'a', 1) = 1`,
    `file('token-key') = ''`,
    `1 SETTINGS mutations_sync = 0`,
    `1; DROP TABLE ${t}`,
    `1 /*`,
    `1 --`,
    `name = '\\' OR 1 = 1 --`,
    `hasColumnInTable('${database}', '${source}', '${column}')`,
    `_partition_id = '' OR k IN ${t}`,
  ];
  const names = [source, sourceId, t, `../${source}`, `${source}%00`, `${source}\``, `${tenant}/${source}`];
  return [
    ...schemas.map((schema, index) =>
      one('data sources', form('POST /v0/datasources', { name: `made_${index}`, schema }), 'refused'),
    ),
    ...schemas
      .slice(0, 6)
      .map((schema) =>
        one('data sources', form('POST /v0/datasources/mine/alter', { schema, dry: 'true' }), 'refused'),
      ),
    one(
      'data sources',
      form('POST /v0/datasources/mine/alter', { sql: `ALTER TABLE ${t} DROP COLUMN ${column}` }),
      'refused',
    ),
    one(
      'data sources',
      form('POST /v0/datasources/mine/alter', { sql: `ALTER TABLE mine ATTACH PARTITION ALL FROM ${t}` }),
      'refused',
    ),
    one(
      'data sources',
      form('POST /v0/datasources/mine/alter', {
        sql: `ALTER TABLE mine ADD COLUMN z String DEFAULT (SELECT 1 FROM ${t})`,
      }),
      'refused',
    ),
    one('data sources', form('PUT /v0/datasources/mine', { name: t }), 'refused'),
    one('data sources', form('PUT /v0/datasources/mine', { name: `../${tenant}/x` }), 'refused'),
    ...[
      'merge',
      'Distributed',
      'File',
      'URL',
      'Dictionary',
      'Join',
      'Buffer',
      "Merge('x', 'y')",
      'EmbeddedRocksDB',
      'Executable',
    ].map((engine) =>
      one('data sources', form('POST /v0/datasources', { name: 'made_x', schema: 'a String', engine }), 'refused'),
    ),
    ...conditions.flatMap((condition) => [
      one(
        'conditions',
        form('POST /v0/datasources/mine/delete', { delete_condition: condition, dry_run: 'true' }),
        'refused',
      ),
      one(
        'conditions',
        form('POST /v1/datasources/mine/delete', { delete_condition: condition, dry_run: 'true' }),
        'refused',
      ),
      one('conditions', {
        request: `POST /v0/datasources?name=mine&mode=replace&format=ndjson&replace_condition=${encodeURIComponent(condition)}`,
        body: '{"k":1}',
        as: 'admin',
      }),
      one(
        'conditions',
        json('POST /v0/tokens', {
          name: 'bad',
          scopes: [{ type: 'DATASOURCES:READ', resource: 'mine', filter: condition }],
        }),
      ),
    ]),
    // What is new to the workspace is made in it, and nowhere else.
    ...names.map((name) =>
      one(
        'events',
        { request: `POST /v0/events?name=${encodeURIComponent(name)}&wait=true`, body: '{"k":666}', as: 'writer_all' },
        'refused',
      ),
    ),
    ...names.map((name) =>
      one(
        'events',
        { request: `POST /v0/events?name=${encodeURIComponent(name)}&wait=true`, body: '{"k":666}', as: 'key' },
        'refused',
      ),
    ),
    ...written(),
  ];
}

/** Rows past the filter of who sends them: they may end in the quarantine, which such a token does not read. */
function written(): readonly Attack[] {
  const rows = [
    '{"k":900,"name":"w","tenant_id":"z"}',
    '{"k":901,"name":"w","tenant_id":"a","tenant_id":"z"}',
    '{"k":902,"name":"w","tenant_id":"z","tenant_id":"a"}',
    '{"k":903,"name":"w","tenant_id":"A"}',
    '{"k":904,"name":"w","tenant_id":" a"}',
    '{"k":905,"name":"w","tenant_id":"a\\u0000z"}',
    '{"k":906,"name":"w","tenant_id":["a"]}',
    '{"k":907,"name":"w","tenant_id":null}',
    '{"k":908,"name":"w"}',
    '{"k":909,"name":"w","TENANT_ID":"a"}',
    '{"k":910,"name":"w","tenant_id":{"a":"a"}}',
    '{"k":911,"name":"w","tenant_\\u0069d":"z","tenant_id":"a"}',
  ];
  const texts = INJECTIONS.map((text, index) => JSON.stringify({ k: 920 + index, name: 'w', tenant_id: text }));
  const looks = ['SELECT * FROM mine', 'SELECT * FROM mine_quarantine', 'SELECT count() FROM mine_quarantine'];
  return [
    ...rows.map((body) => one('write filters', { request: 'POST /v0/events?name=mine&wait=true', body, as: 'writer' })),
    one('write filters', { request: 'POST /v0/events?name=mine&wait=true', body: texts.join('\n'), as: 'writer' }),
    one('write filters', {
      request: 'POST /v0/datasources?name=mine&mode=append&format=ndjson',
      body: rows.join('\n'),
      as: 'writer',
    }),
    one('write filters', {
      request: 'POST /v1/datasources/mine/append?format=ndjson',
      body: rows.join('\n'),
      as: 'writer',
    }),
    one('write filters', {
      request: 'POST /v0/datasources?name=mine&mode=append&format=csv',
      body: '950,w,z\n951,w,"a\n952,w,z',
      as: 'writer',
    }),
    one(
      'write filters',
      { request: 'POST /v0/datasources?name=mine&mode=replace&format=ndjson', body: rows[0] as string, as: 'writer' },
      'refused',
    ),
    one('write filters', { request: 'POST /v0/datasources/mine/truncate', as: 'writer' }, 'refused'),
    one('write filters', form('POST /v0/datasources/mine/delete', { delete_condition: '1' }, 'writer'), 'refused'),
    one('write filters', { request: 'DELETE /v0/datasources/mine?force=true', as: 'writer' }, 'refused'),
    ...looks.flatMap((text) =>
      (['writer', 'filtered', 'jwt_filtered'] as const).map((who) => one('quarantine', sql(text, who))),
    ),
    ...looks
      .slice(1)
      .map((text) =>
        one('quarantine', sql(text.replace('mine_quarantine', '`mine_quarantine` AS mine'), 'filtered'), 'refused'),
      ),
    one('quarantine', { request: 'POST /v0/datasources/mine_quarantine/truncate', as: 'filtered' }, 'refused'),
    one('quarantine', { request: '/v0/datasources/mine_quarantine', as: 'filtered' }, 'refused'),
    one('quarantine', { request: '/v0/datasources/mine', as: 'filtered' }),
    one('quarantine', sql('SELECT * FROM mine AS m, mine_quarantine AS q', 'filtered'), 'refused'),
  ];
}
