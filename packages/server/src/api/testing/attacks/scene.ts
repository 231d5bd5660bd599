/**
 * Where the attacks happen: one server with two workspaces. The victim has one of everything, with the secret mark in every value;
 * the attacker has credentials of every kind, some of which must not see all of its own workspace.
 */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { TestServer } from '../../tinybird/testing/server.ts';
import { startTestServer } from '../../tinybird/testing/server.ts';
import type { Step, Victim, Who } from './attack.ts';
import { HIDDEN, PRIVATE, SECRET } from './attack.ts';
import type { Attacker } from './credentials.ts';
import { PAGE, PASSWORD } from './accounts.ts';
import { PROJECT as SDK_PROJECT } from './observa.ts';
import { TEMPLATES } from './templates.ts';

export const ATTACKER = 'acme';
const VICTIM = 'zeta_4f7a';
const SOURCE = 'vault_4f7a';
const TARGET = 'made_4f7a';
/** The longest that anything may take on a machine that is busy. */
const WAIT_MS = 90_000;

export interface Scene {
  readonly server: TestServer;
  readonly attacker: Attacker;
  readonly victim: Victim;
  /** Requests that reached the server which only answers on this machine. */
  readonly reached: readonly string[];
  send(step: Step): Promise<Reply>;
  /** Everything that the victim has, as text: before and after the attacks it must be the same. */
  possessions(): Promise<string>;
  /** All rows that the attacker has. */
  plunder(): Promise<string>;
  close(): Promise<void>;
}

export interface Reply {
  readonly status: number;
  readonly headers: string;
  readonly text: string;
}

const PROJECT: Readonly<Record<string, string>> = {
  [`${SOURCE}.datasource`]: `DESCRIPTION >\n    ${SECRET}\n\nSCHEMA >\n    \`k\` UInt64 \`json:$.k\`,\n    \`column_4f7a\` String \`json:$.column_4f7a\`\n\nENGINE "MergeTree"\nENGINE_SORTING_KEY "k"\n`,
  [`${TARGET}.datasource`]:
    'SCHEMA >\n    `k` UInt64,\n    `column_4f7a` String\n\nENGINE "MergeTree"\nENGINE_SORTING_KEY "k"\n',
  'page_4f7a.pipe': `TOKEN "reader ${SECRET}" READ\n\nNODE n\nSQL >\n    %\n    SELECT *, '${SECRET}' AS said FROM ${SOURCE} WHERE k != {{ UInt64(v, 99) }}\nTYPE endpoint\n`,
  'fill_4f7a.pipe': `NODE n\nSQL >\n    SELECT k, column_4f7a FROM ${SOURCE}\nTYPE materialized\nDATASOURCE ${TARGET}\n`,
  'copy_4f7a.pipe': `NODE n\nSQL >\n    SELECT k, column_4f7a FROM ${SOURCE}\nTYPE copy\nTARGET_DATASOURCE ${TARGET}\n`,
};

export async function openScene(): Promise<Scene> {
  const reached: string[] = [];
  const only = createServer((request, response) => {
    reached.push(request.url ?? '');
    response.end(`{"k":1,"name":"${SECRET}"}`);
  });
  await new Promise<void>((resolve) => {
    only.listen(0, '127.0.0.1', resolve);
  });
  const hidden = `127.0.0.1:${(only.address() as AddressInfo).port}`;
  const server = await startTestServer({ GLASSHOUSE_AUTH: 'keys', GLASSHOUSE_EVENTS_REQUESTS_PER_SECOND: '100000' });
  const close = async (): Promise<void> => {
    await server.close();
    only.closeAllConnections();
    await new Promise((resolve) => only.close(resolve));
  };
  try {
    return { ...(await furnish(server, hidden)), server, reached, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Makes the workspaces, and what is in them. */
async function furnish(server: TestServer, hidden: string): Promise<Omit<Scene, 'close' | 'reached' | 'server'>> {
  const made = new Builder(server);
  const acme = await made.workspace(ATTACKER);
  const zeta = await made.workspace(VICTIM);
  const victim = { ...(await made.victim(zeta)), hidden, ports: [Number(new URL(server.base).port), server.port] };
  const secrets = await made.attacker(acme);
  const attacker = { workspace: acme.id, secret: acme.token, jwt: secrets.get('jwt') ?? '' };
  return {
    attacker,
    victim,
    send: (step) => send(server, step, secrets),
    possessions: () => possessions(made, zeta.token),
    plunder: () => plunder(made, acme.token),
  };
}

async function send(server: TestServer, step: Step, secrets: ReadonlyMap<Who, string>): Promise<Reply> {
  const [, method = 'GET', path = step.request] = /^([A-Z]+) (.*)$/su.exec(step.request) ?? [];
  const secret = step.secret ?? secrets.get(step.as ?? 'none');
  const auth: Record<string, string> = secret === undefined ? {} : { authorization: `Bearer ${secret}` };
  const base = step.isClickhouse === true ? `http://127.0.0.1:${server.clickhousePort}` : server.base;
  const { body } = step;
  const response = await fetch(base + path, {
    method,
    headers: { ...auth, ...step.headers },
    redirect: 'manual',
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : new Uint8Array(body) }),
  });
  return { status: response.status, headers: JSON.stringify([...response.headers]), text: await response.text() };
}

/** A workspace as it is made. */
interface Made {
  readonly id: string;
  readonly token: string;
}

class Builder {
  readonly server: TestServer;

  constructor(server: TestServer) {
    this.server = server;
  }

  async call(token: string, request: string, body?: RequestInit['body']): Promise<Readonly<Record<string, unknown>>> {
    const { status, text, json } = await this.server.call(request, { token, ...(body === undefined ? {} : { body }) });
    if (status >= 300) throw new Error(`cannot set the scene: ${request}: ${status} ${text}`);
    return json;
  }

  async workspace(name: string): Promise<Made> {
    return (await this.call(this.server.admin, `POST /v1/workspaces?name=${name}`)) as unknown as Made;
  }

  async rows(token: string, sql: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
    return (await this.call(token, 'POST /v0/sql', sql))['data'] as readonly Readonly<Record<string, unknown>>[];
  }

  /** Rows of spans past OTLP, in the same parts as those of others. */
  private async spans(tenant: string, name: string): Promise<void> {
    const key = await this.key(tenant, ['ingest']);
    const now = `${Date.now()}000000`;
    const ids = { traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8), startTimeUnixNano: now, endTimeUnixNano: now };
    const spans = [1, 2, 3].map((n) => ({ ...ids, name: name === '' ? String(n) : `${name}-${n}` }));
    const resource = { attributes: [{ key: 'service.name', value: { stringValue: name === '' ? '1' : name } }] };
    const { status, text } = await this.server.call('POST /v1/traces', {
      token: key,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans }] }] }),
    });
    if (status !== 200) throw new Error(`cannot send spans: ${status} ${text}`);
  }

  private async key(tenant: string, scopes: readonly string[]): Promise<string> {
    const { json } = await this.server.call('POST /api/v1/admin/keys', {
      body: JSON.stringify({ name: 'k', tenant, scopes }),
    });
    return String(json['key']);
  }

  /** A key of Observa's SDK, through a token if there is one. */
  private async sdkKey(
    tenantId: string,
    tinybirdToken = '',
  ): Promise<{ readonly apiKey: string; readonly keyId: string }> {
    const { json, text } = await this.server.call('POST /api/v1/auth/tokens', {
      body: JSON.stringify({ tenantId, projectId: SDK_PROJECT, environment: 'dev', tinybirdToken }),
      headers: { 'content-type': 'application/json' },
    });
    if (json['apiKey'] === undefined) throw new Error(`cannot make a key: ${text}`);
    return json as { apiKey: string; keyId: string };
  }

  /** A key that begins with `sk_` or `pk_`. */
  private async apiKey(tenant: string, fields: object): Promise<{ readonly secret: string; readonly id: string }> {
    const body = JSON.stringify({ name: 'k', projectId: SDK_PROJECT, ...fields });
    const made = await this.call(this.server.admin, `POST /api/v1/tenants/${tenant}/api-keys`, body);
    return { secret: String(made['apiKey']), id: String((made['keyRecord'] as Record<string, unknown>)['id']) };
  }

  /** Somebody who signed up, and has a tenant of their own. */
  private async account(name: string): Promise<{ readonly email: string; readonly session: string }> {
    const email = `${name}@example.com`;
    const body = JSON.stringify({ email, password: PASSWORD, companyName: name });
    const made = await this.call(this.server.admin, 'POST /api/v1/auth/signup', body);
    return { email, session: String(made['sessionToken']) };
  }

  /** A trace with the secret in it. */
  private async observed(token: string): Promise<void> {
    const whose = { tenantId: VICTIM, projectId: SDK_PROJECT, environment: 'dev' };
    const trace = { traceId: SECRET, spanId: SECRET, timestamp: new Date().toISOString(), latencyMs: 1 };
    await this.call(
      token,
      'POST /api/v1/traces/ingest',
      JSON.stringify({ ...whose, ...trace, query: SECRET, response: SECRET }),
    );
  }

  /** Calls of models, of texts and of images, with the mark in every column. */
  private async calls(token: string, mark: string): Promise<void> {
    const call = (event_type: string, id: string): string =>
      JSON.stringify({
        ...{ event_type, id, model: mark, provider: mark, user: mark, tier: mark, referrer: mark, exception: mark },
        ...{ start_time: new Date().toISOString(), end_time: new Date().toISOString(), cost: 1, embedding: [1, 2] },
        messages: [{ role: 'user', content: mark }],
        response: { id, usage: { prompt_tokens: 1, completion_tokens: 1 }, choices: [{ message: { content: mark } }] },
        proxy_metadata: { organization: mark, project: mark, environment: mark, chat_id: mark },
      });
    const lines = [call('text_generation', `${mark}-1`), call('image_generation', `${mark}-2`)];
    await this.call(token, 'POST /v0/events?name=llm_events&wait=true', lines.join('\n'));
    const known = async (): Promise<unknown> =>
      (await this.rows(token, 'SELECT count() AS n FROM generations'))[0]?.['n'];
    await this.until(async () => Number(await known()) >= 2);
  }

  async victim({ id, token }: Made): Promise<Omit<Victim, 'hidden' | 'ports'>> {
    const form = new FormData();
    for (const [name, text] of Object.entries(PROJECT)) form.append('data_project://', new Blob([text]), name);
    const { deployment } = await this.call(token, 'POST /v1/deploy?auto_promote=true', form);
    const deployed = String((deployment as Readonly<Record<string, unknown>>)['id']);
    await this.until(async () => {
      const shown = (await this.call(token, `/v1/deployments/${deployed}`))['deployment'];
      return (shown as Readonly<Record<string, unknown>>)['live'] === true;
    });
    const lines = [1, 2, 3].map((k) => JSON.stringify({ k, column_4f7a: `${SECRET}-${k}` }));
    await this.call(token, `POST /v0/events?name=${SOURCE}&wait=true`, [...lines, `{"k":"${SECRET}"}`].join('\n'));
    const { job } = await this.call(token, 'POST /v0/pipes/copy_4f7a/copy');
    const jobId = String((job as Readonly<Record<string, unknown>>)['id']);
    const jobs = async (): Promise<boolean> => (await this.call(token, `/v0/jobs/${jobId}`))['status'] === 'done';
    await this.until(jobs);
    // The data sources about the use of a workspace are made a moment after it.
    await this.until(async () => (await this.rows(token, "SHOW TABLES LIKE 'pipe_stats'")).length > 0);
    await this.call(token, `/v0/pipes/page_4f7a.json?v=1&note=${SECRET}`);
    await this.until(async () => (await this.rows(token, 'SELECT count() AS n FROM pipe_stats'))[0]?.['n'] !== 0);
    await this.call(token, 'POST /v0/variables', new URLSearchParams({ name: 'salt_4f7a', value: SECRET }));
    const kept = await this.call(token, `POST /v0/tokens?name=${SECRET}&scope=DATASOURCES:READ:${SOURCE}`);
    await this.call(
      token,
      'POST /v0/pipes',
      JSON.stringify({
        name: 'sink_4f7a',
        nodes: [{ name: 'n', sql: `SELECT * FROM ${SOURCE}`, type: 'sink', export_bucket_uri: 'file://out' }],
      }),
    );
    const sunk = (await this.call(token, 'POST /v0/pipes/sink_4f7a/sink'))['job'] as Readonly<Record<string, unknown>>;
    await this.until(async () => (await this.call(token, `/v0/jobs/${String(sunk['id'])}`))['status'] === 'done');
    const logged = async (): Promise<unknown> =>
      (await this.rows(token, 'SELECT count() AS n FROM datasources_ops_log'))[0]?.['n'];
    await this.until(async () => Number(await logged()) >= 2);
    await this.spans(VICTIM, SECRET);
    await this.spans(ATTACKER, '');
    const sdk = await this.sdkKey(VICTIM);
    await this.observed(sdk.apiKey);
    const observed = async (): Promise<unknown> =>
      (await this.rows(token, 'SELECT count() AS n FROM traces'))[0]?.['n'];
    await this.until(async () => (await observed()) === 1);
    await this.calls(token, SECRET);
    const idOf = async (path: string): Promise<string> => String((await this.call(token, path))['id']);
    return {
      tenant: VICTIM,
      database: `tenant_${VICTIM}`,
      workspace: id,
      source: SOURCE,
      sourceId: await idOf(`/v0/datasources/${SOURCE}`),
      target: TARGET,
      column: 'column_4f7a',
      pipe: 'page_4f7a',
      pipeId: await idOf('/v0/pipes/page_4f7a'),
      copy: 'copy_4f7a',
      sink: 'sink_4f7a',
      token: 'reader of the victim',
      tokenId: String(kept['id']),
      job: jobId,
      deployment: deployed,
      sdkKey: sdk.keyId,
      apiKey: (await this.apiKey(VICTIM, {})).id,
      account: (await this.account('of-the-victim')).email,
      variable: 'salt_4f7a',
    };
  }

  /** The attacker's workspace; resolves with the secrets of its credentials. */
  async attacker({ token }: Made): Promise<ReadonlyMap<Who, string>> {
    const source = (name: string, schema: string): Promise<unknown> =>
      this.call(
        token,
        'POST /v0/datasources',
        new URLSearchParams({ name, schema, engine: 'MergeTree', engine_sorting_key: 'k' }),
      );
    await source('mine', '`k` UInt64 `json:$.k`, `name` String `json:$.name`, `tenant_id` String `json:$.tenant_id`');
    await source(PRIVATE, '`k` UInt64 `json:$.k`, `name` String `json:$.name`');
    await source('filled', "`k` UInt64 `json:$.k`, `name` String `json:$.name` DEFAULT ''");
    const events = (name: string, rows: readonly object[]): Promise<unknown> =>
      this.call(token, `POST /v0/events?name=${name}&wait=true`, rows.map((row) => JSON.stringify(row)).join('\n'));
    await events('mine', [
      ...[1, 2, 3].map((k) => ({ k, name: String(k), tenant_id: 'a' })),
      ...[4, 5, 6].map((k) => ({ k, name: `${HIDDEN}-${k}`, tenant_id: 'z' })),
      { k: `${HIDDEN}-7`, name: HIDDEN, tenant_id: 'z' },
    ]);
    await this.call(token, 'POST /v0/variables', new URLSearchParams({ name: 'KEY', value: HIDDEN }));
    await events(PRIVATE, [{ k: 1, name: HIDDEN }]);
    await this.calls(token, HIDDEN);
    const pipe = (name: string, ...nodes: readonly string[]): Promise<unknown> => {
      const list = nodes.map((sql, index) => ({
        name: index === nodes.length - 1 ? 'n' : 'inner',
        sql,
        type: index === nodes.length - 1 ? 'endpoint' : 'standard',
      }));
      return this.call(token, 'POST /v0/pipes', JSON.stringify({ name, nodes: list }));
    };
    await pipe('open_page', "SELECT k, name FROM mine WHERE tenant_id = 'a'");
    await pipe('only_private', `SELECT * FROM ${PRIVATE}`);
    await pipe(`of_${PRIVATE}`, 'SELECT * FROM mine');
    await pipe('fixed', 'SELECT * FROM mine', "% SELECT * FROM inner WHERE tenant_id = {{ String(org, 'a') }}");
    await pipe('free', "% SELECT * FROM mine WHERE tenant_id = {{ String(org, 'z') }}");
    for (const [name, sql] of Object.entries(TEMPLATES)) await pipe(name, `%\n${sql}`);
    const fixed = async (name: string, ...scopes: readonly string[]): Promise<string> => {
      const query = new URLSearchParams([['name', name], ...scopes.map((scope): [string, string] => ['scope', scope])]);
      return String((await this.call(token, `POST /v0/tokens?${query.toString()}`))['token']);
    };
    const jwt = async (name: string, ...scopes: readonly object[]): Promise<string> =>
      String(
        (
          await this.call(
            token,
            'POST /v0/tokens',
            JSON.stringify({ name, expiration_time: Math.floor(Date.now() / 1000) + 3_600, scopes }),
          )
        )['token'],
      );
    const open = { type: 'PIPES:READ', resource: 'open_page' };
    const or = (
      await this.call(
        token,
        'POST /v0/tokens',
        new URLSearchParams({ name: 'or', permission: 'read', scope: "tenant_id = 'a'" }),
      )
    )['token'];
    return new Map<Who, string>([
      ['admin', token],
      ['key', await this.key(ATTACKER, ['query'])],
      ['filtered', await fixed('filtered', "DATASOURCES:READ:mine:tenant_id = 'a'")],
      ['filtered_or', String(or)],
      ['jwt', await jwt('jwt', open)],
      [
        'jwt_filtered',
        await jwt('jwt_filtered', { type: 'DATASOURCES:READ', resource: 'mine', filter: "tenant_id = 'a'" }),
      ],
      [
        'jwt_fixed',
        await jwt('jwt_fixed', open, { type: 'PIPES:READ', resource: 'fixed', fixed_params: { org: 'a' } }),
      ],
      [
        'caller',
        await fixed('caller', ...['open_page', ...Object.keys(TEMPLATES)].map((name) => `PIPES:READ:${name}`)),
      ],
      ['writer', await fixed('writer', "DATASOURCES:APPEND:mine:tenant_id = 'a'")],
      ['writer_all', await fixed('writer_all', 'DATASOURCES:APPEND:mine')],
      ['sdk', (await this.sdkKey(ATTACKER)).apiKey],
      ['session', (await this.account('of-the-attacker')).session],
      ['server_key', (await this.apiKey(ATTACKER, { scopes: { ingest: true, query: true } })).secret],
      ['page_key', (await this.apiKey(ATTACKER, { keyPrefix: 'pk_', allowedOrigins: [PAGE] })).secret],
      [
        'sdk_through',
        (await this.sdkKey(ATTACKER, await fixed('sdk_writer', `DATASOURCES:APPEND:traces:tenant_id = '${ATTACKER}'`)))
          .apiKey,
      ],
    ]);
  }

  async until(isTrue: () => Promise<boolean>): Promise<void> {
    for (const end = Date.now() + WAIT_MS; !(await isTrue()); await pause(50)) {
      if (Date.now() > end) throw new Error(`cannot set the scene: it takes too long; ${this.server.faults.join('')}`);
    }
  }
}

async function possessions(made: Builder, token: string): Promise<string> {
  const tables = (await made.rows(token, 'SHOW TABLES')).map(({ name }) => String(name));
  const texts = [
    '/v0/datasources',
    '/v0/pipes',
    '/v0/tokens',
    '/v0/jobs',
    '/v1/deployments',
    '/v0/workspace',
    '/v0/variables',
  ].map(async (path) => (await made.server.call(path, { token })).text);
  const rows = tables.map(async (table) => {
    const found = await made.rows(token, `SELECT * FROM \`${table}\``);
    return [table, found.map((row) => JSON.stringify(row)).toSorted()];
  });
  const keys = await made.server.call(`/api/v1/auth/tokens?tenantId=${VICTIM}`);
  const apiKeys = await made.server.call(`/api/v1/tenants/${VICTIM}/api-keys`);
  return JSON.stringify([await Promise.all(rows), await Promise.all(texts), keys.text, apiKeys.text]);
}

async function plunder(made: Builder, token: string): Promise<string> {
  const tables = (await made.rows(token, 'SHOW TABLES')).map(({ name }) => String(name));
  const found: unknown[] = [];
  for (const table of tables) found.push(table, await made.rows(token, `SELECT * FROM \`${table}\` LIMIT 100000`));
  return JSON.stringify(found);
}
