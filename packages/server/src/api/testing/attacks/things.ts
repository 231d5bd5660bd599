/** Attacks by names and ids: every route that takes one, with those of the victim, and what a workspace is told of all. */

import type { Attack, Victim } from './attack.ts';
import { form, json, one, sql } from './attack.ts';

export function thingAttacks(victim: Victim): readonly Attack[] {
  const { database, tenant, workspace, source, sourceId, pipe, pipeId, copy, sink, token, tokenId, job, deployment } =
    victim;
  const sources = [source, sourceId, `${database}.${source}`, `${tenant}.${source}`, `..%2F${tenant}%2F${source}`];
  const pipes = [pipe, pipeId, `${database}.${pipe}`, `..%2F${tenant}%2F${pipe}`, copy, sink];
  const tokens = [encodeURIComponent(token), tokenId, `..%2F${tenant}`];
  const jobs = [job, `${tenant}%2F${job}`, job.toUpperCase()];
  const workspaces = [workspace, tenant, database, `${workspace}%00`];
  const get = (surface: string, path: string): Attack => one(surface, { request: path, as: 'admin' }, 'refused');
  const act = (surface: string, request: string, fields: Readonly<Record<string, string>> = {}): Attack =>
    one(surface, form(request, fields), 'refused');
  return [
    ...sources.flatMap((which) => [
      get('data sources', `/v0/datasources/${which}`),
      get('data sources', `/v0/datasources/${which}.datasource`),
      act('data sources', `PUT /v0/datasources/${which}`, { name: 'stolen' }),
      act('data sources', `DELETE /v0/datasources/${which}?force=true`),
      act('data sources', `POST /v0/datasources/${which}/truncate`),
      act('data sources', `POST /v0/datasources/${which}_quarantine/truncate`),
      act('data sources', `POST /v0/datasources/${which}/delete`, { delete_condition: '1' }),
      act('data sources', `POST /v1/datasources/${which}/delete`, { delete_condition: '1' }),
      act('data sources', `POST /v0/datasources/${which}/alter`, { description: 'x' }),
      one(
        'data sources',
        { request: `POST /v1/datasources/${which}/append?format=ndjson`, body: '{"k":666}', as: 'admin' },
        'refused',
      ),
      one(
        'data sources',
        { request: `POST /v1/datasources/${which}/replace?format=ndjson`, body: '{"k":666}', as: 'admin' },
        'refused',
      ),
    ]),
    ...pipes.flatMap((which) => [
      get('pipes', `/v0/pipes/${which}`),
      get('pipes', `/v0/pipes/${which}.json`),
      get('pipes', `/v0/pipes/${which}.csv?q=SELECT%201`),
      get('pipes', `/v1/pipes/${which}.pipe`),
      act('pipes', `PUT /v0/pipes/${which}`, { description: 'x' }),
      act('pipes', `DELETE /v0/pipes/${which}`),
      act('pipes', `POST /v0/pipes/${which}/nodes`, { sql: 'SELECT 1' }),
      act('pipes', `DELETE /v0/pipes/${which}/nodes/n`),
      act('pipes', `POST /v0/pipes/${which}/copy`),
      act('pipes', `POST /v0/pipes/${which}/copy/pause`),
      act('pipes', `POST /v0/pipes/${which}/sink`),
      act('pipes', `POST /v0/pipes/${which}/nodes/n/population`, { truncate: 'true' }),
      one('pipes', sql(`SELECT * FROM \`${which}\``)),
    ]),
    ...tokens.flatMap((which) => [
      get('tokens', `/v0/tokens/${which}`),
      get('tokens', `/v0/tokens/${which}.token`),
      act('tokens', `PUT /v0/tokens/${which}`, { scope: 'ADMIN' }),
      act('tokens', `DELETE /v0/tokens/${which}`),
      act('tokens', `POST /v0/tokens/${which}/refresh`),
    ]),
    ...jobs.flatMap((which) => [get('jobs', `/v0/jobs/${which}`), act('jobs', `POST /v0/jobs/${which}/cancel`)]),
    ...['?kind=import', '?status=done', `?workspace_id=${workspace}`, `?tenant=${tenant}`, ''].map((query) =>
      one('jobs', { request: `/v0/jobs${query}`, as: 'admin' }),
    ),
    ...[deployment, `${tenant}%2F${deployment}`].flatMap((which) => [
      get('deployments', `/v1/deployments/${which}`),
      act('deployments', `POST /v1/deployments/${which}/set-live`),
      act('deployments', `DELETE /v1/deployments/${which}`),
    ]),
    one('deployments', { request: '/v1/deployments?include_deleted=true', as: 'admin' }),
    ...workspaces.flatMap((which) => [
      act('workspaces', `DELETE /v1/workspaces/${which}`),
      act('workspaces', `DELETE /v0/workspaces/${which}?hard_delete_confirmation=yes`),
      one('workspaces', { request: `/v0/workspaces/${which}/releases`, as: 'admin' }),
    ]),
    ...[
      '/v0/workspace',
      '/v1/workspace',
      '/v0/user/workspaces',
      '/v1/user/workspaces/',
      '/v0/environments',
      '/v0/datasources',
      '/v0/pipes',
      '/v0/tokens',
      '/v0/dependencies',
      '/v0/pipes/openapi.json',
      `/v0/pipes/openapi.json?workspace=${tenant}`,
      '/v0/regions',
      '/examples/query.http?pipe=x',
      '/',
      '/metrics',
      '/api/v1/status',
      '/ping',
      '/tokens',
    ].flatMap((request) => (['admin', 'key', 'none'] as const).map((who) => one('lists', { request, as: who }))),
    act('workspaces', 'POST /v1/workspaces', { name: tenant }),
    act('workspaces', 'POST /v1/workspaces', { name: `${tenant}x` }),
    ...[
      'GET /api/v1/admin/tenants',
      `GET /api/v1/admin/keys?tenant=${tenant}`,
      'DELETE /api/v1/admin/keys?id=x',
    ].flatMap((request) =>
      (['admin', 'key', 'none'] as const).map((who) => one('control plane', { request, as: who }, 'refused')),
    ),
    ...(['admin', 'key', 'none'] as const).map((who) =>
      one('control plane', json('POST /api/v1/admin/keys', { name: 'x', tenant, scopes: ['admin'] }, who), 'refused'),
    ),
    ...variables(victim),
    ...usage(victim),
    ...tools(victim),
  ];
}

/** Secrets: those of the victim are nobody else's, and those of the attacker's workspace are not for who reads some of it. */
function variables({ variable, tenant }: Victim): readonly Attack[] {
  const texts = [
    `% SELECT {{ tb_secret('KEY') }} AS got`,
    `% SELECT {{ tb_secret('${variable}') }} AS got`,
    `% SELECT * FROM mine WHERE name = {{ tb_secret('KEY') }} OR throwIf(1, {{ tb_secret('KEY') }})`,
    `% {% if tb_secret('KEY') != '' %} SELECT {{ tb_secret('KEY') }} {% end %}`,
    'SELECT {tb_secret_KEY:String}',
    `SELECT {tb_secret_${variable}:String}`,
  ];
  const narrow = ['filtered', 'jwt', 'jwt_filtered', 'caller', 'writer'] as const;
  return [
    ...[variable, `..%2F${tenant}%2F${variable}`].flatMap((which) => [
      one('variables', { request: `/v0/variables/${which}`, as: 'admin' }, 'refused'),
      one('variables', form(`PUT /v0/variables/${which}`, { value: 'x' }), 'refused'),
      one('variables', { request: `DELETE /v0/variables/${which}`, as: 'admin' }, 'refused'),
    ]),
    ...narrow.flatMap((who) => [
      one('variables', { request: '/v0/variables', as: who }, 'refused'),
      one('variables', { request: '/v0/variables/KEY', as: who }, 'refused'),
      one('variables', form('PUT /v0/variables/KEY', { value: 'x' }, who), 'refused'),
      ...texts.map((text, index) => one('variables', sql(text, who, index))),
      ...texts.map((text) =>
        one('variables', { request: `/v0/pipes/open_page.json?q=${encodeURIComponent(text)}`, as: who }),
      ),
    ]),
    one('variables', { request: '/v0/variables', as: 'admin' }),
    one('variables', sql(texts[1] as string), 'refused'),
    one('variables', { request: '/v0/variables', as: 'none' }, 'refused'),
  ];
}

/** The use of another workspace: its pipes, callers, addresses and errors. */
function usage({ database, tenant, pipe, pipeId, workspace }: Victim): readonly Attack[] {
  const statements = [
    'SELECT * FROM tinybird.pipe_stats_rt',
    'SELECT * FROM tinybird.pipe_stats',
    'SELECT * FROM tinybird.datasources_ops_log',
    'SELECT * FROM pipe_stats_rt',
    'SELECT * FROM organization.pipe_stats_rt',
    'SELECT * FROM `tinybird`.`pipe_stats_rt`',
    `SELECT * FROM tinybird.pipe_stats_rt WHERE pipe_id = '${pipeId}'`,
    `SELECT * FROM tinybird.pipe_stats_rt WHERE pipe_name = '${pipe}'`,
    `SELECT * FROM tinybird.pipe_stats WHERE pipe_name = '${pipe}'`,
    `SELECT * FROM ${database}.pipe_stats_rt`,
    `SELECT * FROM ${database}.pipe_stats`,
    `SELECT * FROM ${tenant}.pipe_stats_rt`,
    `SELECT * FROM tinybird.${database}.pipe_stats_rt`,
    `SELECT * FROM tinybird.pipe_stats_rt, ${database}.pipe_stats_rt AS x`,
    `SELECT * FROM tinybird.jobs_log`,
    `SELECT * FROM tinybird.workspaces_all WHERE id = '${workspace}'`,
  ];
  return [
    ...statements.flatMap((text, index) => [
      one('usage', sql(text, 'admin', index)),
      one('usage', sql(text, 'filtered', index)),
    ]),
    ...statements.slice(4).map((text, index) => one('usage', sql(text, 'key', index))),
  ];
}

/** What is asked about statements that are not run. */
function tools({ database, source, copy }: Victim): readonly Attack[] {
  const t = `${database}.${source}`;
  const texts = [
    `SELECT * FROM ${t}`,
    `% SELECT {{ TABLE('${t}') }}`,
    '(('.repeat(2_000),
    'SELECT 1; SELECT 2',
    `SELECT * FROM ${source}`,
    `SELECT '\0'`,
  ];
  return [
    ...texts.flatMap((q) => [
      one('SQL tools', form('POST /v0/sql_tables?raising=true', { q })),
      one('SQL tools', form('POST /v0/sql_format?with_clickhouse_format=true', { q })),
      one(
        'SQL tools',
        json('POST /v0/sql_replace', { q, replacements: { [t]: 'mine', [source]: `(SELECT * FROM ${t})` } }),
      ),
    ]),
    ...[copy, 'push'].map((name) =>
      one('SQL tools', { request: `/v0/pipes/${name}/nodes/n/analysis?datasource=${source}`, as: 'admin' }, 'refused'),
    ),
  ];
}
