/**
 * SQL that should not do what it says: writes, reads files, runs for ever, returns more than there is memory. Each refusal
 * says why; afterwards the server answers as before, and took data all the while.
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Answer } from './support/http.ts';
import { answerOf, download, post } from './support/http.ts';
import { request, span } from './support/payloads.ts';
import type { Server } from './support/server.ts';
import { showLogsOfFailures, startServer } from './support/server.ts';

const MIB = 2 ** 20;
const RESULT_LIMIT = 64 * MIB;

let server: Server;

beforeAll(async () => {
  server = await startServer({
    env: {
      GLASSHOUSE_QUERY_MAX_SECONDS: '3',
      GLASSHOUSE_QUERY_MAX_RESULT: '64MiB',
      GLASSHOUSE_QUERY_MAX_MEMORY: '512MiB',
    },
  });
  await post(`${server.url}/v1/traces`, request('sql', [span({ name: 'kept' })]));
  await server.rows('SELECT 1 FROM spans', 1);
});

afterAll(() => server?.stop());
showLogsOfFailures(() => server);

const ask = async (query: string): Promise<Answer> =>
  answerOf(await fetch(`${server.url}/v0/sql`, { method: 'POST', body: query }));

/** On the port that speaks ClickHouse's protocol. */
const askClickhouse = async (query: string): Promise<Answer> =>
  answerOf(await fetch(`http://127.0.0.1:${server.ports.clickhouse}/`, { method: 'POST', body: query }));

async function expectUnharmed(): Promise<void> {
  expect(await server.sql('SELECT name FROM spans')).toEqual([{ name: 'kept' }]);
}

describe('a statement that writes', () => {
  it.each([
    "INSERT INTO spans (name) VALUES ('x')",
    'INSERT INTO telemetry.traces FORMAT JSONEachRow {"span_name":"x"}',
    'CREATE TABLE t (x UInt8) ENGINE = Memory',
    'CREATE VIEW v AS SELECT 1',
    'CREATE DATABASE d',
    'CREATE FUNCTION f AS x -> x',
    'DROP TABLE spans',
    'DROP DATABASE glasshouse',
    'TRUNCATE TABLE glasshouse.spans',
    'ALTER TABLE glasshouse.spans DELETE WHERE 1',
    "ALTER TABLE glasshouse.spans UPDATE name = 'x' WHERE 1",
    'DELETE FROM spans WHERE 1',
    'RENAME TABLE spans TO spam',
    'OPTIMIZE TABLE glasshouse.spans FINAL',
    'SYSTEM SHUTDOWN',
    'SYSTEM FLUSH LOGS',
    'KILL QUERY WHERE 1',
    'SET max_memory_usage = 0',
    'USE glasshouse',
    'GRANT ALL ON *.* TO default',
    "BACKUP TABLE spans TO File('/tmp/x')",
    'ATTACH TABLE spans',
    'DETACH TABLE glasshouse.spans',
    ' /* comment */ insert into spans select * from spans',
    '-- comment\nDROP TABLE spans',
    '(DROP TABLE spans)',
    'EXPLAIN DROP TABLE spans',
    'SELECT 1; DROP TABLE spans',
  ])('%s is refused, in both protocols', async (query) => {
    const answer = await ask(query);
    expect([400, 403]).toContain(answer.status);
    expect(JSON.parse(answer.text)).toEqual({
      error: expect.any(String) as unknown,
      code: expect.any(String) as unknown,
    });
    const clickhouse = await askClickhouse(query);
    expect([400, 403]).toContain(clickhouse.status);
    expect(clickhouse.text).toMatch(/^Code: \d+\. DB::Exception: .+ \([A-Z_]+\)\n$/s);
    expect(clickhouse.headers.get('x-clickhouse-exception-code')).toMatch(/^\d+$/);
    await expectUnharmed();
  });

  it('is told what this interface is for', async () => {
    expect((await ask('DROP TABLE spans')).text).toMatch(
      /cannot run DROP: this interface answers queries and changes nothing/,
    );
  });
});

describe('a statement that reads files or the network', () => {
  const PASSWD = "'/etc/passwd'";

  it.each([
    `SELECT file(${PASSWD})`,
    `SELECT file(${PASSWD}, 'none')`,
    `SELECT length(file(${PASSWD}))`,
    `SELECT * FROM file(${PASSWD}, 'LineAsString')`,
    `SELECT * FROM FILE(${PASSWD}, LineAsString, 'line String')`,
    `SELECT * FROM spans WHERE name = file(${PASSWD})`,
    `SELECT * FROM spans ORDER BY file(${PASSWD})`,
    `SELECT count() FROM spans GROUP BY file(${PASSWD})`,
    `SELECT name FROM spans HAVING file(${PASSWD}) != ''`,
    `SELECT name FROM spans LIMIT length(file(${PASSWD}))`,
    `SELECT 1 IN (SELECT line FROM file(${PASSWD}, 'LineAsString'))`,
    `WITH file(${PASSWD}) AS f SELECT f`,
    `WITH f AS (SELECT * FROM file(${PASSWD}, 'LineAsString')) SELECT * FROM f`,
    `SELECT arrayMap(x -> file(x), [${PASSWD}])`,
    `SELECT * FROM spans JOIN file(${PASSWD}, 'LineAsString') AS f ON true`,
    `SELECT * FROM view(SELECT * FROM file(${PASSWD}, 'LineAsString'))`,
    `SELECT * FROM numbers(length(file(${PASSWD})))`,
    `SELECT 1 UNION ALL SELECT length(file(${PASSWD}))`,
    `SELECT name, sum(duration_ns) OVER (PARTITION BY file(${PASSWD})) FROM spans`,
    `SELECT * FROM executable('cat /etc/passwd', 'LineAsString', 'line String')`,
    `SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')`,
    `SELECT * FROM s3('http://127.0.0.1:1/b/k', 'LineAsString')`,
    `SELECT * FROM remote('127.0.0.1:1', system.one)`,
    `SELECT * FROM mysql('127.0.0.1:1', 'd', 't', 'u', 'p')`,
    `SELECT * FROM input('x String')`,
    `SELECT * FROM format(LineAsString, file(${PASSWD}))`,
    `SELECT * FROM fileCluster('default', ${PASSWD}, 'LineAsString')`,
    `SELECT * FROM ${PASSWD}`,
    `SELECT 1 INTO OUTFILE '/tmp/glasshouse-outfile'`,
    `SELECT 1 FORMAT LineAsString INTO OUTFILE '/tmp/glasshouse-outfile'`,
    `SELECT 1 SETTINGS format_schema = ${PASSWD}`,
    `DESCRIBE TABLE file(${PASSWD}, 'LineAsString')`,
    `EXPLAIN SELECT * FROM file(${PASSWD}, 'LineAsString')`,
    `SELECT {f:Identifier}(${PASSWD})`,
    `SELECT catboostEvaluate('/etc/passwd', 1)`,
  ])('%s is refused and shows nothing', async (query) => {
    for (const answer of [await ask(query), await askClickhouse(query)]) {
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.status).toBeLessThan(500);
      expect(answer.text).not.toContain('root:');
    }
    await expectUnharmed();
  });

  it('is told which function it is', async () => {
    expect((await ask(`SELECT file(${PASSWD})`)).text).toMatch(/function file/);
  });
});

describe('a query without an end', () => {
  const ENDLESS = 'SELECT count() FROM numbers(1000000000000000) WHERE sipHash64(number) = 1';

  it('is stopped at the limit of time, and the answer says so', async () => {
    const answer = await ask(ENDLESS);
    expect(answer.status).toBe(408);
    expect(JSON.parse(answer.text)).toEqual({
      error: expect.stringMatching(/[Tt]imeout exceeded/) as unknown,
      code: 'TIMEOUT_EXCEEDED',
    });
    const clickhouse = await askClickhouse(ENDLESS);
    expect([clickhouse.status, clickhouse.headers.get('x-clickhouse-exception-code')]).toEqual([408, '159']);
    expect(clickhouse.text).toMatch(/^Code: 159\. DB::Exception: .*\(TIMEOUT_EXCEEDED\)/);
    await expectUnharmed();
  });

  it('does not keep data from being taken', async () => {
    const before = await server.metric('glasshouse_ingest_accepted_total');
    const running = Promise.all([ENDLESS, ENDLESS, ENDLESS].map(ask));
    for (let round = 0; round < 10; round++) {
      expect((await post(`${server.url}/v1/logs`, request('busy', []))).status).toBe(200);
      expect((await post(`${server.url}/v1/metrics`, Buffer.alloc(0))).status).toBe(200);
    }
    expect((await running).map(({ status }) => status)).toEqual([408, 408, 408]);
    expect(await server.metric('glasshouse_ingest_accepted_total')).toBe(before);
  });

  it('that needs too much memory is refused, and the answer says so', async () => {
    const answer = await ask('SELECT length(groupArray(toString(number))) FROM numbers(1000000000)');
    expect([answer.status, (JSON.parse(answer.text) as { code: string }).code]).toEqual([413, 'MEMORY_LIMIT_EXCEEDED']);
    await expectUnharmed();
  });
});

describe('a result that is huge', () => {
  const HUGE = 'SELECT number, toString(number) AS text FROM numbers(1000000000) FORMAT TSV';

  it('is streamed in little memory, breaks at the limit, and its end says why', async () => {
    const memory = (): Promise<number> => server.metric('glasshouse_process_resident_memory_bytes');
    const before = await memory();
    let peak = before;
    const result = await download(`${server.url}/v0/sql`, HUGE, async () => {
      peak = Math.max(peak, await memory());
    });
    // The message has no end: a client cannot take what it got for the whole result.
    expect([result.status, result.isWhole]).toEqual([200, false]);
    expect(result.length).toBeGreaterThan(RESULT_LIMIT / 4);
    expect(result.length).toBeLessThan(RESULT_LIMIT * 2);
    expect(result.tail).toMatch(/Code: 396\. DB::Exception: Limit for result exceeded, max bytes: 64\.00 MiB/);
    expect(peak - before).toBeLessThan(192 * MIB);
    await expectUnharmed();
  });

  it('is refused at once if its first block is over the limit', async () => {
    const answer = await ask("SELECT repeat('x', 1200) AS text FROM numbers(1000000)");
    expect(answer.status).toBe(413);
    // One block of this size may meet the limit of memory before that of the result.
    expect((JSON.parse(answer.text) as { code: string }).code).toMatch(
      /^(TOO_MANY_ROWS_OR_BYTES|MEMORY_LIMIT_EXCEEDED)$/,
    );
  });

  it('is dropped when the client goes away, and others are answered', async () => {
    const controller = new AbortController();
    const response = await fetch(`${server.url}/v0/sql`, {
      method: 'POST',
      body: 'SELECT number FROM numbers(3000000) FORMAT TSV',
      signal: controller.signal,
    });
    expect(response.status).toBe(200);
    controller.abort();
    await expectUnharmed();
  });

  it('within the limit arrives whole', async () => {
    const answer = await ask('SELECT number FROM numbers(3000000) FORMAT TSV');
    expect([answer.status, answer.text.length]).toEqual([200, 22_888_890]);
  });
});
