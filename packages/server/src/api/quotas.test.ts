/** Quotas of a whole server: each protocol refuses in its own words, before the body is read, and tenants see their own. */

import { randomUUID } from 'node:crypto';
import * as grpc from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Answer, TestServer } from './tinybird/testing/server.ts';
import { ADMIN, startTestServer } from './tinybird/testing/server.ts';

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer({ GLASSHOUSE_AUTH: 'keys' });
}, 60_000);

afterAll(() => server?.close());

const put = (body: object, token = ADMIN): Promise<Answer> =>
  server.call('PUT /api/v1/quotas', { token, body: JSON.stringify(body) });

async function key(tenant: string, project = 'p'): Promise<string> {
  const body = JSON.stringify({ name: 'k', tenant, project });
  return String((await server.call('POST /api/v1/admin/keys', { body })).json['key']);
}

const LOGS = JSON.stringify({
  resourceLogs: [
    {
      scopeLogs: [
        { logRecords: [1, 2, 3].map((n) => ({ timeUnixNano: `${Date.now()}000000`, body: { stringValue: `${n}` } })) },
      ],
    },
  ],
});

const send = (token: string): Promise<Answer> =>
  server.call('POST /v1/logs', { token, body: LOGS, headers: { 'content-type': 'application/json' } });

describe('over a quota', () => {
  it('OTLP over HTTP warns, then refuses with 429 and Retry-After', async () => {
    const token = await key('otlp');
    await put({ tenant: 'otlp', project: 'p', bytesPerDay: LOGS.length + 10 });
    expect((await send(token)).headers.get('x-glasshouse-quota-warning')).toBeNull();
    const { json } = await server.call('/api/v1/quotas', { token });
    expect(json['quotas']).toMatchObject([
      { tenant: 'otlp', project: '', limits: {} },
      {
        project: 'p',
        limits: { bytesPerDay: LOGS.length + 10 },
        use: { bytesPerDay: LOGS.length },
        warnings: ['bytesPerDay'],
      },
    ]);
    const warned = await send(token);
    expect([warned.status, warned.headers.get('x-glasshouse-quota-warning')]).toEqual([
      200,
      expect.stringContaining('otlp/p: 9'),
    ]);
    const refused = await send(token);
    expect([refused.status, refused.headers.get('retry-after'), refused.json['code']]).toEqual([429, '60', 8]);
    const { json: log } = await server.call('/api/v1/audit?tenant=otlp&action=quota');
    const entries = log['entries'] as readonly Readonly<Record<string, unknown>>[];
    expect(entries.map(({ action, project }) => [action, project]).toSorted()).toEqual([
      ['quota.set', 'p'],
      ['quota.warn', 'p'],
    ]);
    expect(server.faults.filter((line) => line.includes('nearly used up'))).toHaveLength(1);
    // What was taken is there.
    const rows = await server.call('POST /v0/sql', { token, body: 'SELECT count() AS n FROM logs' });
    await expect
      .poll(
        async () => (await server.call('POST /v0/sql', { token, body: 'SELECT count() AS n FROM logs' })).json['data'],
        { timeout: 15_000 },
      )
      .toEqual([{ n: 6 }]);
    expect(rows.status).toBe(200);
  });

  it('OTLP over gRPC is RESOURCE_EXHAUSTED, with when to come again', async () => {
    const token = await key('rpc');
    await put({ tenant: 'rpc', bytesPerDay: 1 });
    await send(token);
    const client = new grpc.Client(server.base.replace('http://', ''), grpc.credentials.createInsecure());
    const metadata = new grpc.Metadata();
    metadata.set('authorization', `Bearer ${token}`);
    const path = '/opentelemetry.proto.collector.logs.v1.LogsService/Export';
    const same = (bytes: Buffer): Buffer => bytes;
    const error = await new Promise<grpc.ServiceError | null>((resolve) => {
      client.makeUnaryRequest(path, same, same, Buffer.alloc(0), metadata, (failure) => resolve(failure));
    });
    client.close();
    expect(error?.code).toBe(grpc.status.RESOURCE_EXHAUSTED);
    const details = error?.metadata.get('grpc-status-details-bin')[0];
    expect(Buffer.from(details ?? '').toString('latin1')).toContain('google.rpc.RetryInfo');
  });

  it('the Events API is 429 with its headers, and keeps what it took', async () => {
    await key('events');
    const { json } = await server.call('/v0/tokens', { headers: { 'x-glasshouse-tenant': 'events' } });
    const tokens = json['tokens'] as readonly { readonly token: string; readonly name: string }[];
    const token = tokens.find(({ name }) => name === 'workspace admin token')?.token ?? '';
    await put({ tenant: 'events', eventsPerSecond: 2 });
    const event = (): Promise<Answer> =>
      server.call('POST /v0/events?name=clicks', {
        token,
        body: Array.from({ length: 30 }, (_, n) => `{"n":${n}}`).join('\n'),
      });
    expect((await event()).status).toBe(202);
    const refused = await event();
    expect([refused.status, refused.headers.get('x-ratelimit-remaining')]).toEqual([429, '0']);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(Number(refused.headers.get('x-ratelimit-reset'))).toBeGreaterThan(0);
    expect(refused.text).toContain('rows per second are limited to 2');
    await expect
      .poll(
        async () =>
          (await server.call('POST /v0/sql', { token, body: 'SELECT count() AS n FROM clicks' })).json['data'],
        { timeout: 15_000 },
      )
      .toEqual([{ n: 30 }]);
    await server.call('DELETE /api/v1/quotas?tenant=events');
    expect((await event()).status).toBe(202);
  });

  it('files warn, then are refused before they are read, and one that began is taken whole', async () => {
    await key('files');
    const headers = { 'x-glasshouse-tenant': 'files' };
    const { json } = await server.call('/v0/tokens', { headers });
    const tokens = json['tokens'] as readonly { readonly token: string; readonly name: string }[];
    const token = tokens.find(({ name }) => name === 'workspace admin token')?.token ?? '';
    const schema = new URLSearchParams({ name: 'rows', schema: '`n` UInt32 `json:$.n`' });
    const rows = (n: number): string => Array.from({ length: n }, (_, number) => `{"n":${number}}`).join('\n');
    const append = (body: string, path = 'POST /v0/datasources?name=rows&mode=append&format=ndjson'): Promise<Answer> =>
      server.call(path, { token, body, headers: { 'content-type': 'application/x-ndjson' } });
    await put({ tenant: 'files', bytesPerDay: 1_000 });
    expect((await server.call(`POST /v0/datasources?${schema.toString()}`, { token })).status).toBe(200);
    const first = await append(rows(100));
    expect([first.status, first.headers.get('x-glasshouse-quota-warning')]).toEqual([200, null]);
    const whole = await append(rows(10));
    expect([whole.status, whole.headers.get('x-glasshouse-quota-warning')]).toEqual([
      200,
      expect.stringContaining('files: 88 % of 1000 bytes per day'),
    ]);
    await append(rows(100));
    for (const path of ['POST /v0/datasources?name=rows&mode=append', 'POST /v1/datasources/rows/append']) {
      const refused = await append('x'.repeat(100), path);
      expect([refused.status, refused.text]).toEqual([
        429,
        expect.stringContaining('bytes per day are limited to 1000'),
      ]);
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    }
    const url = await append('url=http%3A%2F%2Fexample.com%2Fx.ndjson', 'POST /v0/datasources?name=rows&mode=append');
    expect(url.status).toBe(429);
    // What brings no rows is let in.
    const definition = new URLSearchParams({ name: 'others', schema: '`n` UInt32 `json:$.n`' });
    expect((await server.call(`POST /v0/datasources?${definition.toString()}`, { token })).status).toBe(200);
    const { json: shown } = await server.call('/api/v1/quotas?tenant=files');
    const bytes = rows(100).length * 2 + rows(10).length;
    expect(shown['quotas']).toMatchObject([{ use: { bytesPerDay: bytes } }]);
    const stored = await server.call('POST /v0/sql', { token, body: 'SELECT toUInt32(count()) AS n FROM rows' });
    expect(stored.json['data']).toEqual([{ n: 210 }]);
  });

  it("batches of Observa's SDK warn, and are refused", async () => {
    const wanted = JSON.stringify({ tenantId: 'watched', projectId: 'p', environment: 'dev' });
    const apiKey = String((await server.call('POST /api/v1/auth/tokens', { body: wanted })).json['apiKey']);
    await put({ tenant: 'watched', bytesPerDay: 400 });
    const event = {
      ...{ tenant_id: 'watched', project_id: 'p', environment: 'dev', event_type: 'output', attributes: {} },
      ...{ trace_id: randomUUID(), span_id: randomUUID(), timestamp: new Date().toISOString() },
    };
    const ingest = (): Promise<Answer> =>
      server.call('POST /api/v1/events/ingest', { token: apiKey, body: JSON.stringify([event]) });
    const answers = [await ingest(), await ingest(), await ingest()];
    const seen = answers.map(({ status, headers }) => [status, headers.get('x-glasshouse-quota-warning')]);
    expect(seen).toEqual([
      [200, null],
      [200, expect.stringContaining('of 400 bytes per day')],
      [429, null],
    ]);
  });

  it('a body is refused before it is read', async () => {
    const token = await key('unread');
    await put({ tenant: 'unread', bytesPerDay: 1 });
    await send(token);
    // Nobody could read this as a body of the signal.
    const refused = await server.call('POST /v1/logs', {
      token,
      body: 'x'.repeat(100),
      headers: { 'content-type': 'application/json' },
    });
    expect(refused.status).toBe(429);
  });
});

describe('quotas', () => {
  it('are shown of the own tenant only, and set by the administrator only', async () => {
    const token = await key('mine');
    await put({ tenant: 'mine', storedBytes: 1e12, warnAt: 0.5 });
    await put({ tenant: 'mine', spendPerDay: 10 });
    const { json } = await server.call('/api/v1/quotas', { token });
    expect(json['quotas']).toMatchObject([
      { tenant: 'mine', limits: { storedBytes: 1e12, spendPerDay: 10 }, warnAt: 0.5 },
    ]);
    expect((await server.call('/api/v1/quotas?tenant=otlp', { token })).status).toBe(403);
    expect((await put({ tenant: 'mine', bytesPerDay: 1 }, token)).status).toBe(403);
    expect((await server.call('DELETE /api/v1/quotas?tenant=mine', { token })).status).toBe(403);
    const all = (await server.call('/api/v1/quotas')).json['quotas'] as readonly { readonly tenant: string }[];
    expect(new Set(all.map(({ tenant }) => tenant)).size).toBeGreaterThan(2);
    expect((await put({ tenant: 'mine', spendPerDay: null })).json['limits']).toEqual({ storedBytes: 1e12 });
  });

  it.each([
    ['no tenant', { bytesPerDay: 1 }],
    ['a bad name', { tenant: 'A b', bytesPerDay: 1 }],
    ['a limit that there is not', { tenant: 'x', bytesPerHour: 1 }],
    ['a limit that is a text', { tenant: 'x', bytesPerDay: '1' }],
    ['no limit', { tenant: 'x' }],
    ['a negative limit', { tenant: 'x', bytesPerDay: -1 }],
    ['a list', []],
  ])('with %s are refused', async (_, body) => {
    expect((await put(body)).status).toBe(400);
  });
});
