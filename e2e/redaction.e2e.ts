/**
 * Redaction before data is durable: under the strict preset, planted secrets and personal data reach neither the log nor the
 * tables, by whatever way and in whatever coding they came. The files are searched while the log holds them (the server was
 * killed right behind the acknowledgement), and again after the store took them.
 */

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import grpc from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { answerOf, post, postJson } from './support/http.ts';
import { attribute, jsonSpan, jsonTraces, logRecord, request, span } from './support/payloads.ts';
import { nested } from './support/protobuf.ts';
import type { Server } from './support/server.ts';
import { showLogsOfFailures, startServer } from './support/server.ts';
import { localWorkspace } from './support/workspace.ts';

const DRAWN = 'a8Kd03mZq7Lw5XbT2vNc9RfYh4GjS6pEuQ1oWiB';
/** Put together here, so that the file itself holds no secret. */
const SECRETS = [
  ['sk', 'proj', DRAWN].join('-'),
  ['sk', 'ant', 'api03', DRAWN].join('-'),
  ['AKIA', 'IOSFODNN7EXAMPL3'].join(''),
  ['ghp', DRAWN.slice(0, 36)].join('_'),
  ['xoxb', '123456789012', DRAWN.slice(0, 24)].join('-'),
  `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.${DRAWN}`,
  'MIIEpAIBAAKCAQEAplantedkeymaterial',
  'hunter2planted',
];
const PERSONAL = [
  'alice.planted@example.com',
  '4111 1111 1111 1111',
  '5555555555554444',
  'DE89370400440532013000',
  '123-45-6789',
  '203.0.113.77',
  '+14155552671',
  '+44 20 7946 0958',
  '(415) 555-2671',
  '415-555-2672',
  '415.555.2673',
  '0049 151 12345678',
  '0151 12345679',
  '06 12 34 56 78',
  '020 7946 0959',
  '+91 98765 43210',
  '98765 43211',
  '030/9018201',
];
const PROMPT = 'the planted prompt about a lighthouse';
const COMPLETION = 'the planted completion about a harbour';
const USER = 'planted-user-4711';
const PLANTED = [...SECRETS, ...PERSONAL, PROMPT, COMPLETION, USER];
/** Must be found, or the search is blind. */
const KEPT = 'plain-marker-of-the-search';

const TEXT = [
  KEPT,
  ...SECRETS.slice(0, 6),
  `-----BEGIN RSA PRIVATE KEY-----\n${SECRETS[6]}\n-----END RSA PRIVATE KEY-----`,
  `postgres://app:${SECRETS[7]}@db.example.com/app`,
  ...PERSONAL,
].join(', ');
const MESSAGES = JSON.stringify([{ role: 'user', content: PROMPT }]);

const SPAN = span({
  name: `call ${TEXT}`,
  attributes: [
    attribute('note', TEXT),
    attribute('gen_ai.input.messages', MESSAGES),
    attribute('gen_ai.completion.0.content', COMPLETION),
    attribute('input.value', PROMPT),
    attribute('user.id', USER),
    attribute('db.password', SECRETS[7] ?? ''),
    attribute('list', nested(5, nested(1, nested(1, TEXT)))),
    attribute('raw', nested(7, Buffer.from(TEXT))),
  ],
});
const EVENT = {
  marker: KEPT,
  text: TEXT,
  prompt: PROMPT,
  output: { text: COMPLETION },
  user_id: USER,
  card: 5555555555554444,
  nested: JSON.stringify({ messages: [{ content: PROMPT }], mail: PERSONAL[0] }),
  password: SECRETS[7],
};
/** As other encoders write it. */
const ESCAPED = `{"marker":"${KEPT}","mail":"alice.planted\\u0040example.com","url":"https:\\/\\/app:${SECRETS[7]}@host","q":"to=alice.planted%40example.com"}`;

let dataDir: string;
let server: Server;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'glasshouse-redaction-'));
  // Segments stay open for longer than the test takes to kill the server.
  server = await startServer({ dataDir, env: { GLASSHOUSE_SEAL_MS: '60000' } });
  const answer = await fetch(`${server.url}/api/v1/redaction`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${server.adminToken}` },
    body: JSON.stringify({ preset: 'strict' }),
  });
  expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining('"strict"')]);
});

afterAll(async () => {
  await server?.stop();
  await rm(dataDir, { recursive: true, force: true });
});
showLogsOfFailures(() => server);

it('keeps planted secrets and personal data out of the log', async () => {
  const { url } = server;
  const body = request('redaction', [SPAN]);
  const json = jsonTraces('redaction-json', [
    jsonSpan({
      name: TEXT,
      attributes: [
        { key: 'note', value: { stringValue: TEXT } },
        { key: 'gen_ai.prompt', value: { stringValue: PROMPT } },
        { key: 'user_id', value: { stringValue: USER } },
        { key: 'number', value: { intValue: '5555555555554444' } },
      ],
      events: [
        { name: TEXT, timeUnixNano: '1', attributes: [{ key: 'exception.message', value: { stringValue: TEXT } }] },
      ],
      status: { message: TEXT },
    }),
  ]);
  const answers = [
    await post(`${url}/v1/traces`, body),
    await post(`${url}/v1/traces`, gzipSync(body), { 'content-encoding': 'gzip' }),
    await postJson(`${url}/v1/traces`, json),
    await post(`${url}/v1/logs`, request('redaction', [logRecord(TEXT), logRecord(JSON.stringify(EVENT))])),
    await events('redacted', [JSON.stringify(EVENT), ESCAPED, `not json ${TEXT}`].join('\n')),
    await events('redacted', gzipSync(JSON.stringify([EVENT, EVENT])), { 'content-encoding': 'gzip' }),
    await events('redacted', zstdCompressSync(JSON.stringify(EVENT, null, 2)), { 'content-encoding': 'zstd' }),
  ];
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 202, 202, 202]);
  expect(await overGrpc(body)).toBe(grpc.status.OK);
  await server.kill();
  search({ expectKept: true });
});

it('says nothing of a body that it refuses, and does not store it', async () => {
  server = await startServer({ dataDir });
  const broken = Buffer.concat([request('redaction', [SPAN]), Buffer.from([0x0a, 0x7f])]);
  const answers = [
    await post(`${server.url}/v1/traces`, broken),
    await postJson(`${server.url}/v1/traces`, `{"resourceSpans": ${PROMPT}`),
  ];
  for (const { status, text } of answers) {
    expect(status).toBe(400);
    for (const planted of PLANTED) expect(text).not.toContain(planted);
  }
});

it('keeps them out of the tables', async () => {
  await server.rows('SELECT 1 FROM spans', 4);
  await server.rows('SELECT 1 FROM redacted', 1);
  // The number of a card becomes a text, which does not fit into the column that was made for it.
  await server.rows('SELECT 1 FROM redacted_quarantine', 7);
  const tables = await server
    .sql(
      `SELECT database, name FROM system.tables WHERE name NOT LIKE '.%' AND database NOT IN ('system', 'INFORMATION_SCHEMA', 'information_schema')`,
    )
    .catch(() => []);
  const names = new Set([
    'spans',
    'logs',
    'generations',
    'redacted',
    'redacted_quarantine',
    ...tables.map(({ name }) => String(name)),
  ]);
  let found = 0;
  for (const name of names) {
    const rows = await server.sql(`SELECT * FROM ${name}`).catch(() => undefined);
    if (rows === undefined) continue;
    const text = JSON.stringify(rows, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
    for (const planted of PLANTED) expect(text.includes(planted), `${planted} in ${name}`).toBe(false);
    if (text.includes(KEPT)) found++;
  }
  expect(found).toBeGreaterThanOrEqual(3);
  search({ expectKept: false });
});

it('shows and removes policies, to administrators only', async () => {
  const admin = { authorization: `Bearer ${server.adminToken}` };
  const shown = (await (await fetch(`${server.url}/api/v1/redaction`, { headers: admin })).json()) as object;
  expect(shown).toMatchObject({ policies: [{ tenant: 'default', project: '', environment: '', preset: 'strict' }] });
  const { token } = await localWorkspace(server);
  const refused = await fetch(`${server.url}/api/v1/redaction`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${token}` },
    body: '{"preset":"off"}',
  });
  expect(refused.status).toBe(403);
  const removed = await fetch(`${server.url}/api/v1/redaction`, { method: 'DELETE', headers: admin });
  expect(removed.status).toBe(204);
});

/** Looks into every file of the data directory. Frames of the log and blocks of parts hold texts as they are, where they are short. */
function search({ expectKept }: { readonly expectKept: boolean }): void {
  let found = 0;
  for (const path of filesOf(dataDir)) {
    const bytes = readFileSync(path);
    if (bytes.includes(KEPT)) found++;
    for (const planted of PLANTED) {
      for (const form of [
        planted,
        JSON.stringify(planted).slice(1, -1),
        planted.replace('@', '%40'),
        planted.replace('@', '\\u0040'),
      ]) {
        expect(bytes.includes(form), `${form} in ${path}`).toBe(false);
      }
    }
  }
  if (expectKept) expect(found, 'files with what is kept').toBeGreaterThanOrEqual(2);
}

function filesOf(directory: string): string[] {
  return readdirSync(directory).flatMap((name) => {
    const path = join(directory, name);
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined) return [];
    return stat.isDirectory() ? filesOf(path) : stat.isFile() ? [path] : [];
  });
}

async function events(name: string, body: Uint8Array | string, headers: Readonly<Record<string, string>> = {}) {
  const { token } = await localWorkspace(server);
  return answerOf(
    await fetch(`${server.url}/v0/events?name=${name}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, ...headers },
      body: body as Uint8Array<ArrayBuffer> | string,
    }),
  );
}

function overGrpc(body: Buffer): Promise<number> {
  const client = new grpc.Client(`127.0.0.1:${server.ports.main}`, grpc.credentials.createInsecure());
  return new Promise((resolve) => {
    client.makeUnaryRequest(
      '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
      (bytes: Buffer) => bytes,
      (bytes: Buffer) => bytes,
      body,
      (error) => {
        client.close();
        resolve(error?.code ?? grpc.status.OK);
      },
    );
  });
}
