/**
 * Generations of a real server: calls written down once and sent in every dialect over its real transport are the same rows with
 * the same cost; a call that is reported twice is one; and a server that is killed loses and doubles none.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { credentials, makeGenericClientConstructor } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKey } from './support/admin.ts';
import type { Conversation } from './support/conversations.ts';
import { CONVERSATIONS, costOf } from './support/conversations.ts';
import type { Attributes, Dialect, Report } from './support/dialects.ts';
import { DIALECTS, TOOL_CALL } from './support/dialects.ts';
import type { Kind } from './support/durability-load.ts';
import { Load } from './support/durability-load.ts';
import { KillableServer } from './support/durability-server.ts';
import { post, postJson } from './support/http.ts';
import { double, fixed64, nested, varint } from './support/protobuf.ts';
import type { Row, Server } from './support/server.ts';
import { showLogsOfFailures, startServer } from './support/server.ts';

/** Of the first call; the others follow each other by a minute. */
const BEGUN_MS = Date.now() - 3_600_000;
const KILLS = 2;
/** Batches of each kind that are acknowledged before a kill. */
const ACKED = 5;

let server: Server;
let apiKey: string;

beforeAll(async () => {
  server = await startServer();
  const wanted = { tenantId: 'observed', projectId: 'chat', environment: 'prod' };
  const answer = await postJson(`${server.url}/api/v1/auth/tokens`, JSON.stringify(wanted));
  ({ apiKey } = JSON.parse(answer.text) as { apiKey: string });
});

afterAll(() => server?.stop());
showLogsOfFailures(() => server);

/** A span of a call: its identity and times, its attributes, and how it ended. */
interface Sent {
  readonly report: Report;
  readonly call: Conversation;
  readonly attributes: Attributes;
  /** Name of the event that tells of the first token. */
  readonly firstToken?: string | undefined;
}

/** When the first token came, in nanoseconds since 1970; undefined if nothing tells of it. */
function firstTokenNs({ report, call, firstToken }: Sent): bigint | undefined {
  if (firstToken === undefined || call.firstTokenMs === undefined) return undefined;
  return BigInt(report.startMs + call.firstTokenMs) * 1_000_000n;
}

function reportOf(way: string, nth: number): Report {
  const digits = Buffer.from(`${way} ${nth}`).toString('hex');
  return {
    startMs: BEGUN_MS + nth * 60_000,
    traceId: digits.padEnd(32, '1').slice(-32),
    spanId: (nth + 1).toString(16).padStart(4, '0') + digits.padEnd(12, '2').slice(0, 12),
    responseId: `chatcmpl-${way}-${String(nth).padStart(8, '0')}`,
    callId: `call-${way}-${nth}`,
  };
}

/** ExportTraceServiceRequest in protobuf. */
function protobufOf(project: string, scope: string, sent: readonly Sent[]): Buffer {
  const anyValue = (value: Exclude<Attributes[string], undefined>): Buffer => {
    if (typeof value === 'string') return nested(1, value);
    if (typeof value === 'boolean') return varint(2, value ? 1 : 0);
    if (typeof value !== 'number') return nested(5, ...value.map((item) => nested(1, nested(1, item))));
    return Number.isInteger(value) ? varint(3, value) : double(4, value);
  };
  const pair = (key: string, value: Attributes[string]): Buffer =>
    value === undefined ? Buffer.alloc(0) : nested(9, nested(1, key), nested(2, anyValue(value)));
  const event = (item: Sent): Buffer => {
    const at = firstTokenNs(item);
    return at === undefined ? Buffer.alloc(0) : nested(11, fixed64(1, at), nested(2, item.firstToken ?? ''));
  };
  const spans = sent.map((item) => {
    const { report, call, attributes } = item;
    return nested(
      2,
      nested(1, Buffer.from(report.traceId, 'hex')),
      nested(2, Buffer.from(report.spanId, 'hex')),
      nested(5, call.title),
      fixed64(7, BigInt(report.startMs) * 1_000_000n),
      fixed64(8, BigInt(report.startMs + call.latencyMs) * 1_000_000n),
      ...Object.entries(attributes).map(([key, value]) => pair(key, value)),
      event(item),
      call.error === undefined ? Buffer.alloc(0) : nested(15, nested(2, call.error), varint(3, 2)),
    );
  });
  const resource = nested(1, nested(1, nested(1, 'project.name'), nested(2, nested(1, project))));
  return nested(1, resource, nested(2, nested(1, nested(1, scope)), ...spans));
}

/** The same in JSON. */
function jsonOf(project: string, scope: string, sent: readonly Sent[]): string {
  const anyValue = (value: Exclude<Attributes[string], undefined>): object => {
    if (typeof value === 'string') return { stringValue: value };
    if (typeof value === 'boolean') return { boolValue: value };
    if (typeof value !== 'number') return { arrayValue: { values: value.map((item) => ({ stringValue: item })) } };
    return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value };
  };
  const spans = sent.map(({ report: { traceId, spanId, startMs }, call, attributes }) => ({
    traceId,
    spanId,
    name: call.title,
    startTimeUnixNano: `${startMs}000000`,
    endTimeUnixNano: `${startMs + call.latencyMs}000000`,
    attributes: Object.entries(attributes).flatMap(([key, value]) =>
      value === undefined ? [] : [{ key, value: anyValue(value) }],
    ),
    ...(call.error === undefined ? {} : { status: { code: 2, message: call.error } }),
  }));
  const resource = { attributes: [{ key: 'project.name', value: { stringValue: project } }] };
  return JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ scope: { name: scope }, spans }] }] });
}

const SERVICE = {
  export: {
    path: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
    requestStream: false,
    responseStream: false,
    requestSerialize: (bytes: Buffer) => bytes,
    requestDeserialize: (bytes: Buffer) => bytes,
    responseSerialize: (bytes: Buffer) => bytes,
    responseDeserialize: (bytes: Buffer) => bytes,
  },
};

async function exportByGrpc(port: number, body: Buffer): Promise<void> {
  const client = new (makeGenericClientConstructor(SERVICE, 'TraceService'))(
    `127.0.0.1:${port}`,
    credentials.createInsecure(),
  );
  try {
    await new Promise<void>((resolve, reject) => {
      client['export']?.(body, (error: Error | null) => (error === null ? resolve() : reject(error)));
    });
  } finally {
    client.close();
  }
}

type Transport = 'events' | 'grpc' | 'json' | 'observa' | 'protobuf';

/** How a dialect travels: the words and the way. */
interface Way {
  readonly title: string;
  readonly dialect: Dialect;
  readonly transport: Transport;
}

const WAYS: readonly Way[] = DIALECTS.flatMap((dialect) => {
  const transports: readonly Transport[] =
    'span' in dialect
      ? dialect.name === 'otel'
        ? ['protobuf', 'json', 'grpc']
        : ['protobuf']
      : [dialect.source === 'observa' ? 'observa' : 'events'];
  return transports.map((transport) => ({ title: `${dialect.name} by ${transport}`, dialect, transport }));
});

async function send({ dialect, transport, title }: Way, calls: readonly Conversation[]): Promise<void> {
  const reports = calls.map((call) => [call, reportOf(title, CONVERSATIONS.indexOf(call))] as const);
  if ('span' in dialect) {
    const { firstToken } = dialect;
    const sent = reports.map(([call, report]) => ({
      call,
      report,
      attributes: dialect.span(call, report),
      firstToken,
    }));
    const url = `http://127.0.0.1:${server.ports.otlpHttp}/v1/traces`;
    if (transport === 'grpc') await exportByGrpc(server.ports.otlpGrpc, protobufOf(title, dialect.scope, sent));
    else {
      const answer =
        transport === 'json'
          ? await postJson(url, jsonOf(title, dialect.scope, sent))
          : await post(url, protobufOf(title, dialect.scope, sent));
      expect(answer.status).toBe(200);
    }
    return;
  }
  const lines = reports.map(([call, report]) => dialect.line(call, report));
  if (transport === 'observa') {
    const frame = { tenant_id: 'observed', project_id: 'chat', environment: 'prod', parent_span_id: null };
    const body = JSON.stringify(lines.map((line) => ({ ...frame, ...line })));
    const answer = await postJson(`${server.url}/api/v1/events/ingest`, body, { authorization: `Bearer ${apiKey}` });
    expect([answer.status, answer.text]).toEqual([200, expect.stringContaining('success')]);
    return;
  }
  const body = lines.map((line) => JSON.stringify(line)).join('\n');
  const answer = await postJson(`${server.url}/v0/events?name=${dialect.source}&wait=true`, body);
  expect([answer.status, answer.text]).toEqual([200, expect.stringContaining('"quarantined_rows":0')]);
}

const COLUMNS = `toUnixTimestamp64Milli(time) AS at, operation, provider, model_requested AS requested, model_used AS used,
  toInt64(input_tokens) AS input, toInt64(cache_read_tokens) AS cached, toInt64(output_tokens) AS output,
  toInt64(reasoning_tokens) AS reasoning, latency_ms AS latency, time_to_first_token_ms AS firstToken,
  toUInt8(streaming) AS streaming, status, finish_reason AS finish, response_id AS responseId, prompt, completion AS answer, tool_calls AS calls,
  error_message AS error, toString(cost) AS cost`;

/** Calls of tools, in the one form that every dialect becomes. */
function callsOf({ tool }: Conversation): string {
  return tool === undefined ? '' : JSON.stringify([{ id: TOOL_CALL.id, name: tool, arguments: TOOL_CALL.arguments }]);
}

/** The row that a call has to be in a dialect. */
function expectedRow(call: Conversation, { dialect, title }: Way): Row {
  const { lacks, exclusive = [] } = dialect;
  const report = reportOf(title, CONVERSATIONS.indexOf(call));
  const apart = (part: 'cached' | 'reasoning'): number => (exclusive.includes(part) ? (call[part] ?? 0) : 0);
  const has = <T>(fact: (typeof lacks)[number], value: T, otherwise: T): T =>
    lacks.includes(fact) ? otherwise : value;
  const cached = has('cached', call.cached, undefined);
  const provider =
    dialect.name === 'vercel' ? `${call.provider}.${call.operation === 'chat' ? 'chat' : 'embedding'}` : call.provider;
  // OpenInference has one name for both models; who has none for the one that answered says nothing of it.
  const used = dialect.name === 'openinference' && call.used === '' ? call.requested : call.used;
  const isUsedLost = dialect.name === 'openinference' && call.operation === 'embeddings';
  return {
    at: report.startMs,
    operation: call.operation,
    provider: has('provider', provider, ''),
    requested: call.requested,
    used: isUsedLost ? '' : has('used', used, dialect.name === 'langfuse' ? call.requested : ''),
    input: call.input === undefined ? null : call.input - apart('cached'),
    cached: cached ?? null,
    output: call.output === undefined ? null : call.output - apart('reasoning'),
    reasoning: has('reasoning', call.reasoning, undefined) ?? null,
    latency: call.latencyMs,
    firstToken: has('firstToken', call.firstTokenMs, undefined) ?? null,
    streaming: has('streaming', call.firstTokenMs === undefined ? 0 : 1, null),
    status: has('status', call.error === undefined ? 'ok' : 'error', ''),
    finish: has('finish', call.finish, ''),
    responseId: has('responseId', report.responseId, ''),
    prompt: has('prompt', expect.stringContaining(JSON.stringify(call.prompt).slice(1, 5)) as unknown, ''),
    answer:
      call.answer === ''
        ? expect.anything()
        : has('answer', expect.stringContaining(JSON.stringify(call.answer).slice(1, 5)) as unknown, ''),
    calls: has('calls', callsOf(call), ''),
    error: dialect.name === 'traces' ? '' : (call.error ?? ''),
    cost: costOf(call.requested, call.input, cached, call.output),
  };
}

describe.each(WAYS)('$title', (way) => {
  const calls = CONVERSATIONS.filter(({ operation }) => way.dialect.operations.includes(operation));

  it('makes of each call the row that it is, with its cost', async () => {
    await send(way, calls);
    const { name } = way.dialect;
    const where = 'span' in way.dialect ? `project_name = '${way.title}'` : `dialect = '${name}'`;
    const query = `SELECT ${COLUMNS} FROM generations WHERE ${where} ORDER BY time`;
    const ask = async (): Promise<readonly Row[]> => {
      if (way.transport !== 'observa') return server.sql(query);
      const headers = { authorization: `Bearer ${server.adminToken}`, 'x-glasshouse-tenant': 'observed' };
      const answer = await fetch(`${server.url}/v0/sql`, { method: 'POST', headers, body: query });
      return ((await answer.json()) as { data?: readonly Row[] }).data ?? [];
    };
    await expect.poll(async () => (await ask()).length, { timeout: 30_000, interval: 50 }).toBe(calls.length);
    expect(await ask()).toEqual(calls.map((call) => expectedRow(call, way)));
  });
});

it('makes of images the row that they are, with their price by size and quality', async () => {
  const image = {
    start_time: new Date(BEGUN_MS).toISOString(),
    end_time: new Date(BEGUN_MS + 9_000).toISOString(),
    event_type: 'image_generation',
    provider: 'openai',
    model: 'dall-e-3',
    message_id: 'two-images',
    num_images: 2,
    image_width: 1024,
    image_height: 1024,
    image_quality: 'hd',
    status: 'success',
  };
  await postJson(`${server.url}/v0/events?name=image_events&wait=true`, JSON.stringify(image));
  const columns = 'operation, modality, toInt64(images) AS images, latency_ms, status, toString(cost) AS cost';
  expect(await server.rows(`SELECT ${columns} FROM generations WHERE call_id = 'two-images'`, 1)).toEqual([
    { operation: 'image_generation', modality: 'image', images: 2, latency_ms: 9_000, status: 'ok', cost: '0.16' },
  ]);
});

it('makes one row of a call that came as a span, as an event, and again', async () => {
  const [call] = CONVERSATIONS as [Conversation, ...Conversation[]];
  const otel = WAYS.find(({ transport }) => transport === 'grpc');
  const events = WAYS.find(({ dialect }) => dialect.name === 'llm_events');
  if (otel === undefined || events === undefined || !('line' in events.dialect)) throw new Error('no such ways');
  const report = reportOf('twice', 0);
  const line = JSON.stringify(events.dialect.line(call, { ...report, callId: 'first' }));
  const again = JSON.stringify(events.dialect.line(call, { ...report, callId: 'second' }));
  const attributes = 'span' in otel.dialect ? otel.dialect.span(call, report) : {};
  await exportByGrpc(server.ports.otlpGrpc, protobufOf('twice', 'test', [{ call, report, attributes }]));
  for (const body of [line, again]) await postJson(`${server.url}/v0/events?name=llm_events&wait=true`, body);
  const last = { ...report, responseId: 'chatcmpl-the-one-behind', spanId: '00000000000000ff', callId: 'third' };
  await postJson(`${server.url}/v0/events?name=llm_events&wait=true`, JSON.stringify(events.dialect.line(call, last)));
  const query = (id: string): string =>
    `SELECT dialect, count() AS rows FROM generations WHERE response_id = '${id}' GROUP BY dialect`;
  expect(await server.rows(query(last.responseId), 1)).toEqual([{ dialect: 'llm_events', rows: 1 }]);
  expect(await server.rows(query(report.responseId), 1)).toEqual([{ dialect: 'otel', rows: 1 }]);
});

it('puts what a key sends where the key belongs, whatever the lines say', async () => {
  const placement = { tenant: 'default', project: 'shop', environment: 'test' };
  const { key } = await createKey(server, { name: 'sender', ...placement, scopes: ['ingest'] });
  const headers = { authorization: `Bearer ${key}` };
  const line = (id: string): string =>
    JSON.stringify({
      start_time: new Date(BEGUN_MS).toISOString(),
      model: 'gpt-5',
      message_id: id,
      proxy_metadata: { project: 'victim', environment: 'prod' },
    });
  await postJson(`${server.url}/v0/events?name=llm_events&wait=true`, line('by key'), headers);
  const body = new FormData();
  body.set('ndjson', new Blob([line('in a file')]), 'calls.ndjson');
  const url = `${server.url}/v0/datasources?name=llm_events&mode=append&format=ndjson`;
  expect((await fetch(url, { method: 'POST', headers, body })).status).toBe(200);
  await postJson(`${server.url}/v0/events?name=llm_events&wait=true`, line('by nobody'));
  const query = `SELECT call_id, project_id, environment, project_name FROM generations
    WHERE project_name = 'victim' ORDER BY call_id`;
  const own = { project_id: 'shop', environment: 'test', project_name: 'victim' };
  expect(await server.rows(query, 3)).toEqual([
    { call_id: 'by key', ...own },
    { call_id: 'by nobody', ...own, project_id: 'victim', environment: 'prod' },
    { call_id: 'in a file', ...own },
  ]);
});

it('makes one row of a call whose span comes after a kill -9 and a restart', { timeout: 120_000 }, async () => {
  const [call] = CONVERSATIONS as [Conversation, ...Conversation[]];
  const find = (name: string): Dialect | undefined => DIALECTS.find((dialect) => dialect.name === name);
  const [asEvent, asSpan] = [find('llm_events'), find('otel')];
  if (asEvent === undefined || !('line' in asEvent) || asSpan === undefined || !('span' in asSpan))
    throw new Error('no such dialects');
  const report = (nth: number): Report => ({ ...reportOf('restart', nth), startMs: Date.now() });
  const dataDir = await mkdtemp(join(tmpdir(), 'glasshouse-restart-generations-'));
  let victim = await KillableServer.start(dataDir, { GLASSHOUSE_LOG_LEVEL: 'info' });
  const sendEvent = async (nth: number, query = ''): Promise<void> => {
    const line = JSON.stringify(asEvent.line(call, report(nth)));
    const answer = await postJson(`${victim.url}/v0/events?name=llm_events${query}`, line);
    expect([answer.status, answer.text]).toEqual([query === '' ? 202 : 200, expect.anything()]);
  };
  const restart = async (env: Readonly<Record<string, string>>): Promise<void> => {
    victim.signal('server', 'SIGKILL');
    await victim.exited();
    victim = await KillableServer.start(dataDir, { GLASSHOUSE_LOG_LEVEL: 'info', ...env });
  };
  try {
    await sendEvent(0, '&wait=true');
    await victim.drained();
    // The second call is in the log only when its server is killed.
    await restart({ GLASSHOUSE_SEAL_MS: '60000' });
    await sendEvent(1);
    await restart({});
    // At once: spans with calls wait until the calls of before are known.
    const sent = [0, 1, 2].map((nth) => ({ call, report: report(nth), attributes: asSpan.span(call, report(nth)) }));
    expect((await post(`${victim.url}/v1/traces`, protobufOf('restart', 'test', sent))).status).toBe(200);
    const query =
      "SELECT response_id AS id, dialect FROM generations WHERE response_id LIKE 'chatcmpl-restart-%' ORDER BY id";
    await expect.poll(() => victim.logs(), { timeout: 30_000 }).toMatch(/"calls":2,"msg":"knows the calls/);
    expect(victim.logs()).not.toContain('waited no longer');
    await expect.poll(async () => (await victim.sql(query)).length, { timeout: 30_000 }).toBe(3);
    expect(await victim.sql(query)).toEqual([
      { id: report(0).responseId, dialect: 'llm_events' },
      { id: report(1).responseId, dialect: 'llm_events' },
      { id: report(2).responseId, dialect: 'otel' },
    ]);
  } finally {
    await victim.end();
    await rm(dataDir, { recursive: true, force: true });
  }
});

describe('under kill -9', () => {
  const found = (where: string, batch: string): string =>
    `SELECT ${batch} AS batch, toUInt32(count()) AS count, toUInt32(uniqExact(response_id)) AS items
     FROM generations WHERE ${where} GROUP BY batch`;
  const [call] = CONVERSATIONS as [Conversation, ...Conversation[]];
  const reports = (way: string, batch: number, items: number): Report[] =>
    Array.from({ length: items }, (_, item) => ({
      ...reportOf(way, item),
      startMs: Date.now(),
      spanId: batch.toString(16).padStart(8, '0') + (item + 1).toString(16).padStart(8, '0'),
      responseId: `chatcmpl-${way}-${batch}-${item}-0123456789`,
      callId: `${way} ${batch} ${item}`,
    }));
  const kindOf = (name: string): Dialect | undefined => DIALECTS.find((dialect) => dialect.name === name);
  const events: Kind = {
    path: '/v0/events?name=llm_events',
    contentType: 'application/x-ndjson',
    encode: (batch, items) => {
      const dialect = kindOf('llm_events');
      const lines = reports('event', batch, items).map((report) =>
        JSON.stringify({
          ...(dialect !== undefined && 'line' in dialect ? dialect.line(call, report) : {}),
          user: batch.toString(16),
        }),
      );
      return Buffer.from(lines.join('\n'));
    },
    sql: found("dialect = 'llm_events' AND referrer = ''", 'user_id'),
  };
  /** Kept as generations only. */
  const alone: Kind = {
    path: '/v0/events?name=generations',
    contentType: 'application/x-ndjson',
    encode: (batch, items) => {
      const dialect = kindOf('llm_events');
      const lines = reports('alone', batch, items).map((report) =>
        JSON.stringify({
          ...(dialect !== undefined && 'line' in dialect ? dialect.line(call, report) : {}),
          user: batch.toString(16),
          referrer: 'alone',
        }),
      );
      return Buffer.from(lines.join('\n'));
    },
    sql: found("dialect = 'llm_events' AND referrer = 'alone'", 'user_id'),
  };
  const spans: Kind = {
    path: '/v1/traces',
    contentType: 'application/x-protobuf',
    encode: (batch, items) => {
      const dialect = kindOf('otel');
      const sent = reports('span', batch, items).map((report) => ({
        call,
        report,
        attributes: dialect !== undefined && 'span' in dialect ? dialect.span(call, report) : {},
      }));
      return protobufOf('kill', 'test', sent);
    },
    sql: found("dialect = 'otel'", 'substring(span_id, 1, 8)'),
  };

  it('none that was acknowledged is lost, and none is there twice', { timeout: 120_000 }, async ({ annotate }) => {
    const env = { GLASSHOUSE_SEAL_MS: '50', GLASSHOUSE_LOG_LEVEL: 'info' };
    const dataDir = await mkdtemp(join(tmpdir(), 'glasshouse-kill-generations-'));
    const loads = [new Load(events), new Load(spans), new Load(alone)];
    let victim = await KillableServer.start(dataDir, env);
    try {
      await postJson(`${victim.url}/v0/events?name=llm_events`, '{"none":1}');
      for (let round = 0; round < KILLS; round++) {
        for (const load of loads) load.start(victim, 20, 128);
        const before = loads.map(({ acked }) => acked);
        await expect
          .poll(() => loads.every(({ acked }, index) => acked >= (before[index] ?? 0) + ACKED), {
            timeout: 30_000,
            interval: 20,
          })
          .toBe(true);
        await pause(Math.random() * 1_000);
        victim.signal('server', 'SIGKILL');
        await victim.exited();
        for (const load of loads) await load.stop();
        victim = await KillableServer.start(dataDir, env);
        await victim.drained();
        for (const load of loads) {
          const verdict = await load.verify(victim);
          expect(verdict, victim.logs()).toMatchObject({ lost: 0, doubled: 0, partial: 0, strange: 0 });
          expect(verdict.acked).toBeGreaterThan(0);
        }
      }
      const verdicts = [];
      for (const load of loads) verdicts.push(await load.verify(victim));
      await annotate(JSON.stringify(verdicts));
    } finally {
      await victim.end();
      await rm(dataDir, { recursive: true, force: true });
    }
  });
});
