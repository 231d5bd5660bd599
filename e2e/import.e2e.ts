/**
 * `glasshouse import` under `kill -9`: of the importer at random moments, and of the server while it imports. Every line is in
 * the data source, in its quarantine or among the rejected exactly once.
 *
 * GLASSHOUSE_IMPORT_MB sets the size of the file.
 */

import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync, writeSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { KillableServer } from './support/durability-server.ts';

const CLI = join(import.meta.dirname, '../packages/cli/bin/glasshouse.js');
const MEGABYTES = Number(process.env['GLASSHOUSE_IMPORT_MB'] ?? 30);
const LINE_BYTES = 230;
const LINES = Math.ceil((MEGABYTES * 1_000_000) / LINE_BYTES);
/** Of as many lines one is no JSON, and another does not fit. */
const EVERY = 1000;

let folder: string;
let port: number;
let token: string;
let server: KillableServer;

const start = (): Promise<KillableServer> =>
  KillableServer.start(join(folder, 'data'), { GLASSHOUSE_PORT: String(port), GLASSHOUSE_SEAL_MS: '50' });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'glasshouse-import-e2e-'));
  port = await freePort();
  server = await start();
  const tokens = (await (await fetch(`${server.url}/tokens`)).json()) as { readonly workspace_admin_token: string };
  token = tokens.workspace_admin_token;
  const schema =
    "n UInt32 `json:$.n`, at DateTime64(9, 'UTC') `json:$.at`, model String `json:$.model`, provider String `json:$.provider`";
  for (const name of ['killed', 'packed', 'twice']) {
    const body = new URLSearchParams({ name, format: 'ndjson', schema, engine: 'MergeTree', engine_sorting_key: 'n' });
    const made = await fetch(`${server.url}/v0/datasources`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      body,
    });
    expect(made.status, await made.text()).toBe(200);
  }
});

afterAll(async () => {
  await server.end();
  await rm(folder, { recursive: true, force: true });
});

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port: free } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return free;
}

function lineOf(n: number): string {
  if (n % EVERY === 17) return `line ${n} is broken`;
  // More digits than a number of JavaScript has.
  const ts = 1_790_000_000_000_000_000n + BigInt(n) * 1_001n;
  const text = `{"n":${n % EVERY === 33 ? '"none"' : n},"ts":${ts},"request":{"model":"model-${n % 5}"}`;
  return `${text},"pad":"${'x'.repeat(Math.max(0, LINE_BYTES - text.length - 10))}"}`;
}

function importing(
  file: string,
  dataSource: string,
): { child: ChildProcess; ended: Promise<{ code: number | null; out: string }> } {
  const map = "n=n,at=$.ts:time,model=$.request.model,provider='openai'";
  const argv = [CLI, 'import', file, '--to', dataSource, '--format', 'jsonl', '--map', map, '--json'];
  const child = spawn(process.execPath, [...argv, '--url', server.url, '--token', token], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (out += chunk.toString()));
  return { child, ended: once(child, 'close').then(() => ({ code: child.exitCode, out })) };
}

interface Journal {
  readonly offset: number;
  readonly isDone: boolean;
}

function journalOf(file: string): Journal {
  try {
    return JSON.parse(readFileSync(`${file}.import.json`, 'utf8')) as Journal;
  } catch {
    return { offset: 0, isDone: false };
  }
}

/** Resolves to whether the import got so far before it ended. */
async function reaches(file: string, offset: number, child: ChildProcess): Promise<boolean> {
  for (const until = Date.now() + 120_000; Date.now() < until; await pause(2)) {
    if (journalOf(file).offset >= offset) return true;
    if (child.exitCode !== null) return false;
  }
  return false;
}

test(
  'a file is imported exactly once, over kills of importer and server',
  { timeout: 600_000 },
  async ({ annotate }) => {
    const file = join(folder, 'calls.jsonl');
    const descriptor = openSync(file, 'w');
    for (let n = 0; n < LINES; n += EVERY) {
      const lines = Array.from({ length: Math.min(EVERY, LINES - n) }, (_, index) => `${lineOf(n + index)}\n`);
      writeSync(descriptor, lines.join(''));
    }
    closeSync(descriptor);
    const bytes = LINES * LINE_BYTES;
    const killedAt: number[] = [];
    for (const share of [0.15 + Math.random() * 0.1, 0.4 + Math.random() * 0.1]) {
      const { child, ended } = importing(file, 'killed');
      if (await reaches(file, share * bytes, child)) await pause(Math.random() * 40);
      child.kill('SIGKILL');
      const { out } = await ended;
      expect(journalOf(file).isDone, out).toBe(false);
      killedAt.push(journalOf(file).offset / bytes);
    }
    const { child, ended } = importing(file, 'killed');
    expect(await reaches(file, (0.6 + Math.random() * 0.1) * bytes, child)).toBe(true);
    await server.end();
    expect(journalOf(file).isDone).toBe(false);
    server = await start();
    const { code, out } = await ended;
    expect(code, `${out}\n${server.logs()}`).toBe(4);
    await annotate(JSON.stringify({ killedAt, bytes, ...(JSON.parse(out.slice(out.indexOf('{'))) as object) }));

    const of = (remainder: number): number[] =>
      Array.from({ length: LINES }, (_, n) => n).filter((n) => n % EVERY === remainder);
    const [broken, unfit] = [of(17), of(33)];
    await server.drained();
    const [row] = await server.sql(
      `SELECT toUInt32(count()) AS rows, toUInt32(uniqExact(n)) AS different, toUInt32(countIf(n % ${EVERY} IN (17, 33))) AS strange,
       toUInt32(countIf(toUnixTimestamp64Nano(at) != 1790000000000000000 + toInt64(n) * 1001)) AS late,
       toUInt32(countIf(model != concat('model-', toString(n % 5)) OR provider != 'openai')) AS wrong FROM killed`,
    );
    const good = LINES - broken.length - unfit.length;
    expect(row).toEqual({ rows: good, different: good, strange: 0, late: 0, wrong: 0 });
    expect(await server.sql('SELECT toUInt32(count()) AS rows FROM killed_quarantine')).toEqual([
      { rows: unfit.length },
    ]);
    const rejected = readFileSync(`${file}.rejected`, 'utf8').trimEnd().split('\n');
    expect(rejected.map((line) => (JSON.parse(line) as { line: number }).line)).toEqual(broken.map((n) => n + 1));
    expect(JSON.parse(out.slice(out.indexOf('{')))).toMatchObject({
      began: 'resumed',
      records: LINES,
      rows: LINES - broken.length,
      rejected: broken.length,
      quarantined: unfit.length,
    });

    const again = await importing(file, 'killed').ended;
    expect(JSON.parse(again.out)).toMatchObject({ began: 'done', rows: LINES - broken.length });
    expect(await server.sql('SELECT toUInt32(count()) AS rows FROM killed')).toEqual([{ rows: good }]);
  },
);

test(
  'of two importers of one file the second is refused, and says which the first is',
  { timeout: 120_000 },
  async () => {
    const file = join(folder, 'twice.jsonl');
    const lines = Array.from({ length: 900 }, (_, n) => lineOf(n + 100 * EVERY + 40));
    await writeFile(file, lines.join('\n'));
    const first = importing(file, 'twice');
    for (const until = Date.now() + 60_000; !existsSync(`${file}.import.json.lock`) && Date.now() < until;)
      await pause(1);
    first.child.kill('SIGSTOP');
    try {
      const second = await importing(file, 'twice').ended;
      expect([second.code, second.out]).toEqual([
        1,
        expect.stringContaining(`another import of it is running, process ${first.child.pid} since`) as string,
      ]);
    } finally {
      first.child.kill('SIGCONT');
    }
    const { code, out } = await first.ended;
    expect(code, out).toBe(0);
    expect(existsSync(`${file}.import.json.lock`)).toBe(false);
    expect(await server.sql('SELECT toUInt32(count()) AS rows FROM twice')).toEqual([{ rows: 900 }]);
  },
);

test('a packed file is unpacked', { timeout: 60_000 }, async () => {
  const file = join(folder, 'calls.jsonl.gz');
  const lines = Array.from({ length: 100 }, (_, n) => lineOf(n + 100));
  await writeFile(file, gzipSync(lines.join('\n')));
  const { code, out } = await importing(file, 'packed').ended;
  expect(code, out).toBe(0);
  expect(await server.sql('SELECT toUInt32(count()) AS rows FROM packed')).toEqual([{ rows: 100 }]);
});

test('a batch that is sent again under its name is known, also to the next server', { timeout: 60_000 }, async () => {
  const send = async (batch: string): Promise<string | null> => {
    const response = await fetch(`${server.url}/v0/events?name=named`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'X-Glasshouse-Batch': batch },
      body: '{"n":1}\n{"n":2}\n',
    });
    expect(response.status, await response.text()).toBe(202);
    return response.headers.get('x-glasshouse-batch');
  };
  expect([await send('a'), await send('a'), await send('b')]).toEqual(['new', 'known', 'new']);
  await server.end();
  server = await start();
  expect([await send('a'), await send('b'), await send('c')]).toEqual(['known', 'known', 'new']);
  await server.drained();
  expect(await server.sql('SELECT toUInt32(count()) AS rows FROM named')).toEqual([{ rows: 6 }]);
});
