/**
 * What only the embedded engine promises: the reader's walls, secrets, one process per directory, restarts, and that no
 * engine outlives its server. Separate from `engine.test.ts`, which also runs against other servers.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { createClient, ClickHouseError, ClickHouseLogLevel, type ClickHouseClient } from '@clickhouse/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAgent } from './agent.ts';
import type { Credential } from './request.ts';
import { startEngine, type Engine, type EngineEvent } from './supervisor.ts';

const root = mkdtempSync(join(tmpdir(), 'glasshouse-embedded-'));
const options = (name: string) => ({
  dataDir: join(root, name),
  backupDir: join(root, `${name}-backup`),
  maxMemoryBytes: 1024 ** 3,
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

function connect(engine: Engine, { user, password }: Credential): ClickHouseClient {
  return createClient({
    url: engine.url,
    username: user,
    password,
    http_agent: createAgent(engine),
    log: { level: ClickHouseLogLevel.OFF },
  });
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return error instanceof ClickHouseError ? error.code : `no exception: ${String(error)}`;
}

describe('the embedded engine', () => {
  let engine: Engine;
  let writer: ClickHouseClient;
  let reader: ClickHouseClient;

  beforeAll(async () => {
    engine = await startEngine(options('walls'));
    writer = connect(engine, engine.credentials.writer);
    reader = connect(engine, engine.credentials.reader);
    await writer.command({ query: 'CREATE TABLE facts (a UInt64) ENGINE = MergeTree ORDER BY a' });
  });

  afterAll(async () => {
    await writer.close();
    await reader.close();
    await engine.stop();
  });

  const read = async (query: string, clickhouse_settings: Record<string, string> = {}): Promise<unknown[]> =>
    (await reader.query({ query, format: 'JSONEachRow', clickhouse_settings })).json();

  it.each([
    'INSERT INTO facts VALUES (1)',
    'INSERT INTO facts SELECT 1',
    "INSERT INTO facts FROM INFILE '/etc/passwd' FORMAT CSV",
    'WITH 1 AS a INSERT INTO facts SELECT a',
    'CREATE TABLE other (a UInt8) ENGINE = Memory',
    'CREATE TEMPORARY TABLE other (a UInt8)',
    'DROP TABLE facts',
    'ALTER TABLE facts DELETE WHERE 1',
    'TRUNCATE TABLE facts',
    'OPTIMIZE TABLE facts',
    'KILL QUERY WHERE 1',
    'SYSTEM FLUSH LOGS',
    "BACKUP TABLE facts TO File('/tmp/x')",
    'SET max_threads = 1',
    'SET readonly = 0',
    'USE system',
    'SELECT 1 SETTINGS readonly = 0',
    "SELECT 1 SETTINGS max_memory_usage = '0'",
  ])('refuses a reader: %s', async (query) => {
    expect(await codeOf(reader.command({ query }))).toBe('164');
  });

  it.each([
    "SELECT * FROM file('/etc/passwd', 'LineAsString')",
    "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a String')",
    "SELECT * FROM s3('http://127.0.0.1:1/bucket/key.csv', NOSIGN, 'CSV', 'a String')",
    "SELECT * FROM remote('127.0.0.1:1', 'system.one')",
  ])('lets nobody reach outside: %s', async (query) => {
    expect(['164', '497']).toContain(await codeOf(reader.query({ query })));
    expect(await codeOf(writer.query({ query }))).toBe('497');
  });

  it.each([
    ["SELECT 1 INTO OUTFILE 'PATH'", '358'],
    ["SELECT 1 INTO /* x */ OUTFILE 'PATH' TRUNCATE FORMAT CSV", '358'],
    ["SELECT 1 into\noutfile 'PATH'", '358'],
    ["(SELECT 1 INTO OUTFILE 'PATH')", '358'],
    ["SELECT '\\'' INTO OUTFILE 'PATH' -- '", '358'],
    ["SELECT $$ ' $$ INTO OUTFILE 'PATH' -- '", '358'],
    ['SELECT ‘ " ’ INTO OUTFILE \'PATH\' -- "', '358'],
    ["SELECT 1 /* INTO OUTFILE 'PATH'", '62'],
    ["SELECT 1 // '\n INTO OUTFILE 'PATH' // '", '358'],
    ["SELECT 1 # '\n INTO OUTFILE 'PATH' # '", '358'],
    ["SELECT 1; SELECT 2 INTO OUTFILE 'PATH'", '62'],
    ["SELECT $a b$ ' $a b$ INTO OUTFILE 'PATH' -- '", '62'],
    ["SELECT 1\\G SELECT 2 INTO OUTFILE 'PATH'", '62'],
    ["SELECT 1 \0 INTO OUTFILE 'PATH'", '62'],
  ])("never writes a file of the client's choice: %s", async (query, code) => {
    const path = join(root, 'chosen-by-client');
    for (const client of [reader, writer])
      expect(await codeOf(client.command({ query: query.replaceAll('PATH', path) }))).toBe(code);
    expect(existsSync(path)).toBe(false);
  });

  it.each(['Parquet', 'Arrow'])(
    'writes %s on one thread, because its threads may wait for each other for ever',
    async (format) => {
      const setting = `output_format_${format.toLowerCase()}_parallel_encoding`;
      const sql = `SELECT getSetting('${setting}') AS value, number FROM numbers(5000)`;
      const { stream } = await reader.exec({
        query: `${sql} FORMAT ${format}`,
        clickhouse_settings: { max_block_size: '500' },
      });
      expect((await buffer(stream)).length).toBeGreaterThan(5_000);
      const result = await reader.query({ query: `${sql} LIMIT 1`, format: 'JSONEachRow' });
      expect(await result.json<{ value: unknown }>()).toMatchObject([{ value: false }]);
    },
  );

  it('holds a reader to the limits of the engine, and to stricter ones', async () => {
    const ask =
      "SELECT getSetting('max_memory_usage') AS m, getSetting('max_execution_time') AS t, getSetting('readonly') AS r";
    const [own] = (await read(ask)) as { m: number; t: number; r: number }[];
    expect(own).toMatchObject({ m: 1024 ** 3 / 2, t: 60, r: 1 });
    expect(await read(ask, { max_memory_usage: '0', max_execution_time: '100000', readonly: '0' })).toEqual([own]);
    expect(await read(ask, { max_memory_usage: '1000000', max_execution_time: '5' })).toEqual([
      { m: 1_000_000, t: 5, r: 1 },
    ]);
  });

  it('gives a query its threads while it is alone, and its share of them beside others', async () => {
    const THREADS = "SELECT getSetting('max_threads') AS t, getSetting('output_format_parallel_formatting') AS f";
    const asked = { max_threads: '2' };
    expect(await read(THREADS, asked)).toEqual([{ t: 2, f: true }]);
    const beside = read('SELECT sleep(2)', asked);
    await expect
      .poll(() => read("SELECT count() AS n FROM system.processes WHERE query LIKE 'SELECT sleep(2)%'"))
      .toEqual([{ n: 1 }]);
    expect(await read(THREADS, asked)).toEqual([{ t: 1, f: false }]);
    expect(await read(THREADS, { ...asked, output_format_parallel_formatting: '1' })).toEqual([{ t: 1, f: true }]);
    await beside;
    expect(await read(THREADS, asked)).toEqual([{ t: 2, f: true }]);
  });

  describe('a session of the reader', () => {
    const COMMENT = "SELECT getSetting('log_comment') AS c";
    /** What names the session that a request runs in. */
    const markOf = async (settings: Record<string, string>): Promise<string> => {
      const [row] = (await read(COMMENT, settings)) as { c: string }[];
      return /^(session-\S+)\n/u.exec(row?.c ?? '')?.[1] ?? 'none';
    };

    it('is used again by a request in the same state', async () => {
      const settings = { log_comment: 'tenant=a', max_threads: '1' };
      const mark = await markOf(settings);
      expect(mark).toMatch(/^session-[\da-f-]{36}$/u);
      for (let round = 0; round < 5; round += 1) expect(await markOf(settings)).toBe(mark);
    });

    it.each<[string, Record<string, string>]>([
      ['tenant', { log_comment: 'tenant=c', max_threads: '1' }],
      ['setting', { log_comment: 'tenant=b', max_threads: '2' }],
      ['number of settings', { log_comment: 'tenant=b', max_threads: '1', max_block_size: '77' }],
      ['filter', { log_comment: 'tenant=b', max_threads: '1', additional_table_filters: "{'facts':'a = 1'}" }],
    ])('is not used by a request with another %s', async (_, other) => {
      const mark = await markOf({ log_comment: 'tenant=b', max_threads: '1' });
      expect(await markOf(other)).not.toBe(mark);
      expect(await read("SELECT getSetting('max_threads') AS t", other)).toEqual([{ t: Number(other['max_threads']) }]);
    });

    it('is not shared by two at once', async () => {
      const settings = { log_comment: 'tenant=d' };
      const marks = await Promise.all(
        Array.from({ length: 4 }, async () => {
          const rows = await read(`${COMMENT}, sleep(0.2)`, settings);
          return (rows[0] as { c: string }).c;
        }),
      );
      expect(new Set(marks).size).toBeGreaterThan(1);
    });

    it('is not used again after a failure', async () => {
      const settings = { log_comment: 'tenant=e' };
      const mark = await markOf(settings);
      expect(await codeOf(read('SELECT throwIf(1)', settings))).toBe('395');
      expect(await markOf(settings)).not.toBe(mark);
    });

    it('is not used again after its statement was cancelled', async () => {
      const settings = { log_comment: 'tenant=f' };
      const mark = await markOf(settings);
      const controller = new AbortController();
      const slow = reader.query({
        query: 'SELECT sum(sipHash64(number)) FROM numbers(1000000000000)',
        clickhouse_settings: settings,
        abort_signal: controller.signal,
      });
      const gone = codeOf(slow);
      const running = async (): Promise<unknown[]> =>
        (
          await writer.query({
            query: "SELECT 1 FROM system.processes WHERE endsWith(Settings['log_comment'], 'tenant=f')",
            format: 'JSONEachRow',
          })
        ).json();
      await expect.poll(running).toHaveLength(1);
      controller.abort();
      expect(await gone).toContain('aborted');
      await expect.poll(running, { timeout: 10_000 }).toHaveLength(0);
      expect(await markOf(settings)).not.toBe(mark);
    });

    it('is not one of a request with parameters', async () => {
      const ask = async (n: number): Promise<unknown> =>
        (
          await reader.query({
            query: "SELECT {n:UInt8} AS n, startsWith(getSetting('log_comment'), 'session-') AS kept",
            query_params: { n },
            format: 'JSONEachRow',
          })
        ).json();
      expect(await ask(1)).toEqual([{ n: 1, kept: 0 }]);
      expect(await ask(2)).toEqual([{ n: 2, kept: 0 }]);
      expect(await codeOf(read('SELECT {n:UInt8} AS n'))).toBe('456');
    });
  });

  it('says a wrong secret in the form of the interface', async () => {
    const stranger = connect(engine, { user: 'writer', password: engine.credentials.reader.password });
    expect(await codeOf(stranger.query({ query: 'SELECT 1' }))).toBe('516');
    await stranger.close();
  });

  it('loads a file by path for the writer', async () => {
    const path = join(root, 'facts.csv');
    writeFileSync(path, '10\n11\n12\n');
    const result = await writer.command({
      query: `INSERT INTO facts (a) FROM INFILE '${path}' COMPRESSION 'none' FORMAT CSV`,
    });
    expect(result.summary?.written_rows).toBe('3');
    expect(await read('SELECT sum(a) AS s FROM facts')).toEqual([{ s: 33 }]);
  });

  it('leaves no spool file behind and names none in an error', async () => {
    const bad = writer.insert({ table: 'facts', values: [{ a: 'x' }], format: 'JSONEachRow' });
    await expect(bad).rejects.not.toThrow(/spool/);
    await expect(bad).rejects.toThrow(/request body|Cannot parse/);
    expect(readdirSync(join(root, 'walls', 'spool'))).toEqual([]);
  });

  it("finds a running query of the writer's by the id that it chose", async () => {
    const slow = codeOf(
      writer.query({ query: 'SELECT sum(sipHash64(number)) FROM numbers(1000000000000)', query_id: 'chosen-id' }),
    );
    const kill = "KILL QUERY WHERE startsWith(Settings['log_comment'], 'chosen-id\\n') ASYNC";
    await expect
      .poll(
        async () =>
          (
            await (
              await writer.query({
                query: "SELECT 1 FROM system.processes WHERE startsWith(Settings['log_comment'], 'chosen-id\\n')",
                format: 'JSONEachRow',
              })
            ).json()
          ).length,
      )
      .toBe(1);
    for (const client of [reader, writer])
      expect(await codeOf(client.query({ query: 'SELECT 1', query_id: 'chosen-id' }))).toBe('216');
    await writer.command({ query: kill });
    expect(await slow).toBe('394');
  });

  it('quotes only what the client wrote in a syntax error', async () => {
    for (const query of ['SELECT 1 +', 'SELECT ) FORMAT CSV', 'SELECT (1', 'SHOW TABLES FRO x']) {
      await expect(reader.exec({ query })).rejects.not.toThrow(/result-|TRUNCATE|TabSeparated/);
    }
  });

  it('answers on after a format that does not exist', async () => {
    for (let round = 0; round < 5; round += 1) {
      expect(await codeOf(reader.query({ query: 'SELECT 1 FORMAT NoSuchFormat', format: 'CSV' }))).not.toBe('');
      expect(await codeOf(reader.exec({ query: 'SELECT 1 FORMAT NoSuchFormat' }))).toBe('73');
    }
    expect(await read('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('keeps no system log tables', async () => {
    expect(await read("SELECT name FROM system.tables WHERE database = 'system' AND name LIKE '%\\\\_log'")).toEqual(
      [],
    );
  });

  it('backs up and restores within its folder', async () => {
    const path = join(root, 'walls-backup', 'one');
    await writer.command({ query: `BACKUP TABLE facts TO File('${path}')` });
    await writer.command({ query: `RESTORE TABLE facts AS restored FROM File('${path}')` });
    expect(await read('SELECT sum(a) AS s FROM restored')).toEqual([{ s: 33 }]);
    expect(
      await codeOf(writer.command({ query: "BACKUP TABLE facts TO File('/etc/glasshouse-not-allowed')" })),
    ).not.toMatch(/^no exception/);
  });
});

describe('the supervisor', () => {
  it('restarts a killed engine at the same address with the data it had', async () => {
    const events: EngineEvent[] = [];
    const engine = await startEngine({ ...options('killed'), onEvent: (event) => events.push(event) });
    const states: string[] = [];
    engine.onState((state) => states.push(state));
    const client = connect(engine, engine.credentials.writer);
    try {
      await client.command({ query: 'CREATE TABLE kept (a UInt64) ENGINE = MergeTree ORDER BY a' });
      await client.insert({ table: 'kept', values: [{ a: 5 }], format: 'JSONEachRow' });
      const first = engine.pid();
      process.kill(first ?? 0, 'SIGKILL');
      await expect.poll(() => engine.state(), { timeout: 5_000 }).not.toBe('ready');
      await expect.poll(() => engine.state(), { timeout: 20_000 }).toBe('ready');
      expect(engine.pid()).not.toBe(first);
      expect(states).toEqual(['down', 'starting', 'ready']);
      expect(await (await client.query({ query: 'SELECT a FROM kept', format: 'JSONEachRow' })).json()).toEqual([
        { a: 5 },
      ]);
      expect(events.map(({ type }) => type)).toEqual(['ready', 'exited', 'restarting', 'ready']);
    } finally {
      await client.close();
      await engine.stop();
    }
    expect(engine.state()).toBe('down');
    expect(existsSync(engine.socketPath)).toBe(false);
  });

  it('says clearly that another process has the directory', async () => {
    const first = await startEngine(options('taken'));
    try {
      const second = startEngine(options('taken'));
      await expect(second).rejects.toMatchObject({ code: 'conflict' });
      await expect(second).rejects.toThrow(/^cannot open dataDir=.*: another engine process \(pid \d+\) is using it$/);
    } finally {
      await first.stop();
    }
  });

  it('lets no engine outlive a killed server, and lets the next server start at once', async () => {
    const script = `
      import { startEngine } from ${JSON.stringify(fileURLToPath(new URL('./supervisor.ts', import.meta.url)))};
      const engine = await startEngine(${JSON.stringify(options('orphan'))});
      console.log(JSON.stringify({ pid: engine.pid(), socketPath: engine.socketPath }));
      setInterval(() => {}, 1000);`;
    const server = spawn(process.execPath, ['--conditions=source', '--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const line = await new Promise<string>((resolve) => server.stdout.setEncoding('utf8').once('data', resolve));
    const { pid, socketPath } = JSON.parse(line) as { pid: number; socketPath: string };
    server.kill('SIGKILL');
    const next = await startEngine(options('orphan'));
    await next.stop();
    await expect.poll(() => isAlive(pid), { timeout: 5_000 }).toBe(false);
    expect(existsSync(socketPath)).toBe(false);
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
