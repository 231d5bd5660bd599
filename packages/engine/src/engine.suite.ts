/**
 * The contract of a store: what Glasshouse relies on in any ClickHouse HTTP server, driven by the official client.
 * Separate from the tests of the embedded engine so that the same lines judge a real server too.
 *
 * Must stay true: nothing here knows which server it talks to.
 */
import {
  brotliCompressSync,
  brotliDecompressSync,
  deflateSync,
  gunzipSync,
  gzipSync,
  inflateSync,
  zstdCompressSync,
  zstdDecompressSync,
} from 'node:zlib';
import { request as httpRequest, type Agent, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { Readable } from 'node:stream';
import {
  createClient,
  ClickHouseError,
  ClickHouseLogLevel,
  TupleParam,
  type ClickHouseClient,
  type ClickHouseClientConfigOptions,
} from '@clickhouse/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

type NodeConfig = NonNullable<Parameters<typeof createClient>[0]>;

/** Where the server is and who asks. */
export interface StoreAddress {
  readonly url: string;
  readonly username: string;
  readonly password: string;
  /**
   * Makes an agent for each client: the client closes sockets that it believes idle, also under a second user of its agent.
   */
  readonly agent?: () => Agent;
}

/** A plain HTTP exchange, for what the client does not show. */
interface Exchange {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
  /** False when the connection ended before the message did. */
  readonly whole: boolean;
}

const DATABASE = 'glasshouse_contract';

/** Declares the contract tests. `address` is called once, in a hook. */
export function describeStore(name: string, address: () => Promise<StoreAddress>): void {
  describe(`${name}: a ClickHouse HTTP server`, () => {
    let target: StoreAddress;
    let plainAgent: Agent | undefined;
    let client: ClickHouseClient;

    const connect = (more: ClickHouseClientConfigOptions = {}): ClickHouseClient => {
      const config: NodeConfig = {
        url: target.url,
        username: target.username,
        password: target.password,
        log: { level: ClickHouseLogLevel.OFF },
        ...more,
      };
      return createClient(target.agent === undefined ? config : { ...config, http_agent: target.agent() });
    };
    const rows = async (query: string, query_params: Record<string, unknown> = {}): Promise<unknown[]> =>
      (await client.query({ query, query_params, format: 'JSONEachRow' })).json();
    const bytes = async (query: string): Promise<Buffer> => {
      const chunks: Buffer[] = [];
      const { stream } = await client.exec({ query });
      for await (const chunk of stream) chunks.push(chunk as Buffer);
      return Buffer.concat(chunks);
    };
    const failure = async (work: Promise<unknown>): Promise<{ code: string; type: string | undefined }> => {
      const error: unknown = await work.then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(error).toBeInstanceOf(ClickHouseError);
      const { code, type } = error as ClickHouseError;
      return { code, type };
    };
    const exchange = (path: string, body?: Buffer | string, headers: Record<string, string> = {}): Promise<Exchange> =>
      plainExchange(target, plainAgent, path, body, headers);

    beforeAll(async () => {
      target = await address();
      plainAgent = target.agent?.();
      const setup = connect();
      await setup.command({ query: `DROP DATABASE IF EXISTS ${DATABASE}` });
      await setup.command({ query: `CREATE DATABASE ${DATABASE}` });
      await setup.close();
      client = connect({ database: DATABASE });
    });

    afterAll(async () => {
      await client.command({ query: `DROP DATABASE IF EXISTS ${DATABASE}` });
      await client.close();
    });

    const table = async (columns: string, engine = 'MergeTree ORDER BY tuple()'): Promise<string> => {
      const id = `t_${Math.random().toString(36).slice(2)}`;
      await client.command({ query: `CREATE TABLE ${id} (${columns}) ENGINE = ${engine}` });
      return id;
    };

    describe('reading', () => {
      it('answers a ping and a ping that selects', async () => {
        expect((await client.ping()).success).toBe(true);
        expect((await client.ping({ select: true })).success).toBe(true);
      });

      it('gives a JSON document with meta, data, rows and statistics', async () => {
        const result = await client.query({
          query: 'SELECT number AS n, toString(number) AS s FROM numbers(3)',
          format: 'JSON',
        });
        expect(await result.json()).toMatchObject({
          meta: [
            { name: 'n', type: 'UInt64' },
            { name: 's', type: 'String' },
          ],
          data: [{ s: '0' }, { s: '1' }, { s: '2' }],
          rows: 3,
          statistics: { rows_read: 3 },
        });
      });

      it.each([
        ['TabSeparated', '1\ta\n2\tb\n'],
        ['TSVWithNames', 'n\ts\n1\ta\n2\tb\n'],
        ['CSV', '1,"a"\n2,"b"\n'],
        ['CSVWithNames', '"n","s"\n1,"a"\n2,"b"\n'],
        ['JSONEachRow', '{"n":1,"s":"a"}\n{"n":2,"s":"b"}\n'],
        ['JSONCompactEachRow', '[1, "a"]\n[2, "b"]\n'],
        ['Values', "(1,'a'),(2,'b')"],
        ['Null', ''],
      ])('writes %s', async (format, expected) => {
        expect(
          (await bytes(`SELECT * FROM values('n UInt8, s String', (1, 'a'), (2, 'b')) FORMAT ${format}`)).toString(),
        ).toBe(expected);
      });

      it('writes RowBinary, Native, Parquet and Arrow', async () => {
        const query = "SELECT toUInt16(258) AS n, 'é' AS s FORMAT";
        expect((await bytes(`${query} RowBinary`)).toString('hex')).toBe('020102c3a9');
        expect((await bytes(`${query} Native`)).toString('hex')).toBe(
          '0201016e0655496e7431360201017306537472696e6702c3a9',
        );
        expect((await bytes(`${query} Parquet`)).subarray(0, 4).toString()).toBe('PAR1');
        expect((await bytes(`${query} Arrow`)).subarray(0, 6).toString()).toBe('ARROW1');
      });

      it('uses default_format, and the FORMAT clause before it', async () => {
        expect((await exchange('/?default_format=CSV', "SELECT 1, 'a'")).body.toString()).toBe('1,"a"\n');
        expect((await exchange('/?default_format=CSV', "SELECT 1, 'a' FORMAT TSV")).body.toString()).toBe('1\ta\n');
        expect((await exchange('/', "SELECT 1, 'a'", { 'X-ClickHouse-Format': 'CSV' })).body.toString()).toBe(
          '1,"a"\n',
        );
        expect((await exchange('/', "SELECT 1, 'a'")).body.toString()).toBe('1\ta\n');
      });

      it('joins the query parameter and the body', async () => {
        expect((await exchange(`/?query=${encodeURIComponent('SELECT 1 +')}`, '2')).body.toString()).toBe('3\n');
        expect((await exchange(`/?query=${encodeURIComponent('SELECT 1 + 2')}`)).body.toString()).toBe('3\n');
      });

      it('finds FORMAT and SETTINGS behind strings, comments and here-documents', async () => {
        const query =
          "SELECT 'FORMAT CSV' AS a, $x$ FORMAT 'TSV $x$ AS b, `c` FROM (SELECT 1 AS c) /* FORMAT /* XML */ */ FORMAT JSONEachRow SETTINGS max_threads = 1 -- FORMAT CSV";
        expect((await bytes(query)).toString()).toBe('{"a":"FORMAT CSV","b":" FORMAT \'TSV ","c":1}\n');
        expect((await bytes('SELECT 1 AS format SETTINGS max_threads = 1 FORMAT CSV;')).toString()).toBe('1\n');
      });

      it('streams 200 MB without holding it', async () => {
        const result = await client.query({
          query: "SELECT number, repeat('x', 90) FROM numbers(2100000)",
          format: 'TabSeparated',
        });
        let received = 0;
        for await (const chunk of result.stream()) for (const row of chunk) received += row.text.length + 1;
        expect(received).toBeGreaterThan(200_000_000);
      });

      it('answers an empty result', async () => {
        expect(await rows('SELECT 1 WHERE 0')).toEqual([]);
        expect((await bytes('SELECT 1 WHERE 0 FORMAT CSV')).length).toBe(0);
      });

      it('answers SHOW, DESCRIBE, EXPLAIN and EXISTS', async () => {
        const name = await table('a UInt8');
        expect(await rows('SHOW TABLES')).toContainEqual({ name });
        expect(await rows(`DESCRIBE TABLE ${name}`)).toMatchObject([{ name: 'a', type: 'UInt8' }]);
        expect((await rows('EXPLAIN SELECT 1')).length).toBeGreaterThan(0);
        expect(await rows(`EXISTS TABLE ${name}`)).toEqual([{ result: 1 }]);
      });
    });

    describe('parameters and settings', () => {
      it('binds values of many types', async () => {
        const text = 'it\'s \\ a "quote"\n\ttab {x:String} \u{1f600}';
        const [row] = await rows(
          `SELECT {s:String} AS s, {list:Array(String)} AS list, {n:Nullable(Int64)} AS n, {b:Bool} AS b,
                  {at:DateTime64(3, 'UTC')} AS at, {m:Map(String, UInt8)} AS m, {f:Float64} AS f, {t:Tuple(UInt8, String)} AS t`,
          {
            s: text,
            list: [text, '', "']"],
            n: null,
            b: true,
            at: new Date('2024-05-06T07:08:09.123Z'),
            m: { "a'b": 1 },
            f: 1.5,
            t: new TupleParam([7, text]),
          },
        );
        expect(row).toEqual({
          s: text,
          list: [text, '', "']"],
          n: null,
          b: true,
          at: '2024-05-06 07:08:09.123',
          m: { "a'b": 1 },
          f: 1.5,
          t: [7, text],
        });
      });

      it('binds identifiers', async () => {
        const name = await table('`odd ``name` UInt8');
        await client.insert({ table: name, values: [{ 'odd `name': 3 }], format: 'JSONEachRow' });
        expect(
          await rows('SELECT {column:Identifier} AS v FROM {table:Identifier}', { column: 'odd `name', table: name }),
        ).toEqual([{ v: 3 }]);
      });

      it('keeps parameters of simultaneous queries apart', async () => {
        const values = Array.from({ length: 16 }, (_, index) => index);
        const answers = await Promise.all(
          values.map((value) => rows('SELECT {v:UInt32} AS v, sleep(0.02)', { v: value })),
        );
        expect(answers.map(([row]) => (row as { v: number }).v)).toEqual(values);
      });

      it('applies settings from the request and from the clause', async () => {
        const result = await client.query({
          query: "SELECT toInt64(9007199254740993) AS n, getSetting('max_block_size') = 1234 AS same",
          format: 'JSONEachRow',
          clickhouse_settings: { output_format_json_quote_64bit_integers: 1, max_block_size: '1234' },
        });
        expect(await result.json()).toEqual([{ n: '9007199254740993', same: 1 }]);
        expect(await rows("SELECT getSetting('max_block_size') = 77 AS same SETTINGS max_block_size = 77")).toEqual([
          { same: 1 },
        ]);
      });

      it('carries log_comment to its last byte', async () => {
        const comment = 'a\'b\\c "d"\nline';
        const result = await client.query({
          query: "SELECT getSetting('log_comment') AS c",
          format: 'JSONEachRow',
          clickhouse_settings: { log_comment: comment },
        });
        const [row] = await result.json<{ c: string }>();
        expect(row?.c.endsWith(comment)).toBe(true);
      });

      it('uses the database that the request names', async () => {
        expect(await rows('SELECT currentDatabase() AS d')).toEqual([{ d: DATABASE }]);
        expect(
          (await exchange('/', 'SELECT currentDatabase()', { 'X-ClickHouse-Database': 'system' })).body.toString(),
        ).toBe('system\n');
      });

      it('echoes the query id', async () => {
        const id = `contract-${Math.random()}`;
        const result = await client.query({ query: 'SELECT 1', query_id: id });
        expect(result.query_id).toBe(id);
        expect((await exchange(`/?query_id=${id}`, 'SELECT 1')).headers['x-clickhouse-query-id']).toBe(id);
      });

      it('names format, zone and server in headers', async () => {
        const { headers } = await exchange('/', 'SELECT 1 FORMAT JSON');
        expect(headers['x-clickhouse-format']).toBe('JSON');
        expect(headers['content-type']).toBe('application/json; charset=UTF-8');
        expect(headers['x-clickhouse-timezone']).toMatch(/./);
        expect(headers['x-clickhouse-server-display-name']).toMatch(/./);
        expect(headers['x-clickhouse-exception-code']).toBeUndefined();
        expect(JSON.parse(String(headers['x-clickhouse-summary']))).toHaveProperty(
          'elapsed_ns',
          expect.stringMatching(/^\d+$/),
        );
      });
    });

    describe('compression', () => {
      it('compresses answers when asked to', async () => {
        const plain = await exchange('/?enable_http_compression=1', 'SELECT number FROM numbers(1000)', {
          'Accept-Encoding': 'gzip',
        });
        expect(plain.headers['content-encoding']).toBe('gzip');
        const without = await exchange('/', 'SELECT number FROM numbers(1000)', { 'Accept-Encoding': 'gzip' });
        expect(without.headers['content-encoding']).toBeUndefined();
      });

      it.each([
        ['gzip', gzipSync, gunzipSync],
        ['deflate', deflateSync, inflateSync],
        ['br', brotliCompressSync, brotliDecompressSync],
        ['zstd', zstdCompressSync, zstdDecompressSync],
      ] as const)('reads and writes %s', async (coding, pack, unpack) => {
        const name = await table('a UInt64');
        const statement = `INSERT INTO ${DATABASE}.${name} FORMAT CSV`;
        const headers = { 'Content-Encoding': coding };
        expect((await exchange(`/?query=${encodeURIComponent(statement)}`, pack('1\n2\n'), headers)).status).toBe(200);
        expect((await exchange('/', pack(`${statement}\n3\n4\n`), headers)).status).toBe(200);
        const answer = await exchange('/?enable_http_compression=1', `SELECT sum(a) FROM ${DATABASE}.${name}`, {
          'Accept-Encoding': coding,
        });
        expect(answer.headers['content-encoding']).toBe(coding);
        expect(unpack(answer.body).toString()).toBe('10\n');
      });

      it('refuses a body that is not what its coding says', async () => {
        const name = await table('a UInt64');
        const statement = encodeURIComponent(`INSERT INTO ${DATABASE}.${name} FORMAT CSV`);
        const answer = await exchange(`/?query=${statement}`, 'no gzip at all', { 'Content-Encoding': 'gzip' });
        expect(answer.status).not.toBe(200);
        expect(answer.body.toString()).toMatch(/^Code: \d+\. DB::/);
      });

      it('works with a client that compresses both ways', async () => {
        const both = connect({ database: DATABASE, compression: { request: true, response: true } });
        try {
          const name = await table('a UInt64, b String');
          const values = Array.from({ length: 5_000 }, (_, index) => ({ a: index, b: `row ${index}` }));
          await both.insert({ table: name, values, format: 'JSONEachRow' });
          const result = await both.query({ query: `SELECT a, b FROM ${name} ORDER BY a`, format: 'JSONEachRow' });
          expect((await result.json<{ a: unknown; b: string }>()).map(({ b }) => b)).toEqual(values.map(({ b }) => b));
          await expect(failure(both.query({ query: 'SELECT nope' }))).resolves.toMatchObject({ code: '47' });
        } finally {
          await both.close();
        }
      });
    });

    describe('inserting', () => {
      const stored = async (name: string): Promise<string> =>
        (await bytes(`SELECT * FROM ${name} ORDER BY ALL FORMAT CSV`)).toString();

      it('takes JSONEachRow and counts what it wrote', async () => {
        const name = await table('a UInt64, b String, c DateTime64(9)');
        const result = await client.insert({
          table: name,
          values: [
            { a: 1, b: "it's", c: '2024-01-02 03:04:05.123456789' },
            { a: 2, b: 'line\nbreak', c: '2024-01-02 03:04:05.000000001' },
          ],
          format: 'JSONEachRow',
        });
        expect(result.summary?.written_rows).toBe('2');
        expect(await stored(name)).toBe(
          '1,"it\'s","2024-01-02 03:04:05.123456789"\n2,"line\nbreak","2024-01-02 03:04:05.000000001"\n',
        );
      });

      it('takes chosen columns and a stream of CSV', async () => {
        const name = await table("a UInt64, b String, c String DEFAULT 'dflt'");
        await client.insert({
          table: name,
          columns: ['b', 'a'],
          values: Readable.from(['"x",1\n', '"y",2\n'], { objectMode: false }),
          format: 'CSV',
        });
        expect(await stored(name)).toBe('1,"x","dflt"\n2,"y","dflt"\n');
      });

      it('takes RowBinary and Native, plain and gzipped', async () => {
        const name = await table('n UInt16, s String');
        const path = (format: string): string =>
          `/?database=${DATABASE}&query=${encodeURIComponent(`INSERT INTO ${name} (n, s) FORMAT ${format}`)}`;
        const native = Buffer.from('0201016e0655496e7431360101017306537472696e6702c3a9', 'hex');
        expect((await exchange(path('RowBinary'), Buffer.from('020102c3a9', 'hex'))).status).toBe(200);
        expect((await exchange(path('Native'), native)).status).toBe(200);
        expect((await exchange(path('Native'), gzipSync(native), { 'Content-Encoding': 'gzip' })).status).toBe(200);
        expect(await stored(name)).toBe('257,"é"\n257,"é"\n258,"é"\n');
      });

      it('takes statement and data in one body', async () => {
        const name = await table('a UInt64, b String');
        await client.command({ query: `INSERT INTO ${name} VALUES (1, 'a;--'), (1 + 1, concat('b', '''c'))` });
        await client.command({ query: `INSERT INTO ${name} (b, a) FORMAT TabSeparated\nx'y\t3\n` });
        await client.command({
          query: `INSERT INTO ${name} SETTINGS async_insert = 0 FORMAT JSONEachRow {"a":4,"b":"z"}`,
        });
        expect(await stored(name)).toBe('1,"a;--"\n2,"b\'c"\n3,"x\'y"\n4,"z"\n');
      });

      it('takes INSERT SELECT', async () => {
        const name = await table('a UInt64');
        await client.command({ query: `INSERT INTO ${name} SELECT number FROM numbers(1000)` });
        expect(await rows(`SELECT count() = 1000 AS all FROM ${name}`)).toEqual([{ all: 1 }]);
      });

      it('takes 50 MB while it comes', async () => {
        const name = await table('a UInt64, b String');
        const line = `1,"${'x'.repeat(1_000)}"\n`;
        const chunk = line.repeat(100);
        const source = Readable.from(
          (function* () {
            for (let i = 0; i < 500; i += 1) yield chunk;
          })(),
          { objectMode: false },
        );
        await client.insert({ table: name, values: source, format: 'CSV' });
        expect(await rows(`SELECT count() = 50000 AS all FROM ${name}`)).toEqual([{ all: 1 }]);
      });

      it('stores nothing of a body whose sender went away', async () => {
        const name = await table('a UInt64');
        const query = encodeURIComponent(`INSERT INTO ${DATABASE}.${name} FORMAT CSV`);
        await breakOff(target, `/?query=${query}`, '1\n'.repeat(100_000));
        await expect
          .poll(() => rows("SELECT 1 FROM system.processes WHERE query LIKE 'INSERT%'"), { timeout: 10_000 })
          .toEqual([]);
        expect(await stored(name)).toBe('');
      });

      it('takes nothing as nothing', async () => {
        const name = await table('a UInt64');
        await exchange(
          `/?database=${DATABASE}&query=${encodeURIComponent(`INSERT INTO ${name} FORMAT JSONEachRow`)}`,
          '',
        );
        expect(await stored(name)).toBe('');
      });

      it('refuses rows that do not fit and stores none of them', async () => {
        const name = await table('a UInt64');
        const bad = client.insert({ table: name, values: [{ a: 1 }, { a: 'not a number' }], format: 'JSONEachRow' });
        expect(['27', '72', '117']).toContain((await failure(bad)).code);
        expect(await stored(name)).toBe('');
      });
    });

    describe('errors', () => {
      it.each([
        ['an unknown table', 'SELECT * FROM no_such_table', '60', 'UNKNOWN_TABLE', 404],
        ['bad syntax', 'SELECT 1 +', '62', 'SYNTAX_ERROR', 400],
        ['a string that is not closed', "SELECT 'a", '62', 'SYNTAX_ERROR', 400],
        ['several statements', 'SELECT 1; SELECT 2', '62', 'SYNTAX_ERROR', 400],
        ['an unknown column', 'SELECT no_such_column', '47', 'UNKNOWN_IDENTIFIER', 404],
        ['an unknown function', 'SELECT no_such_function()', '46', 'UNKNOWN_FUNCTION', 404],
        ['an unknown format', 'SELECT 1 FORMAT NoSuchFormat', '73', 'UNKNOWN_FORMAT', 404],
        ['an unknown database', 'SELECT * FROM no_such_database.t', '81', 'UNKNOWN_DATABASE', 404],
        ['a missing parameter', 'SELECT {p:String}', '456', 'UNKNOWN_QUERY_PARAMETER', 500],
        ['a function that throws', 'SELECT throwIf(1)', '395', 'FUNCTION_THROW_IF_VALUE_IS_NON_ZERO', 500],
      ])('says %s in its own form', async (_what, query, code, type, status) => {
        const answer = await exchange('/', query);
        expect(answer.body.toString()).toMatch(
          new RegExp(`^Code: ${code}\\. DB::Exception: [\\s\\S]+\\(${type}\\) \\(version [\\d.]+[^\\n]*\\)\\n$`),
        );
        expect(answer.headers['x-clickhouse-exception-code']).toBe(code);
        expect(answer.status).toBe(status);
        expect(await failure(client.command({ query }))).toEqual({ code, type });
      });

      it('refuses an unknown setting', async () => {
        expect((await exchange('/?no_such_setting=1', 'SELECT 1')).headers['x-clickhouse-exception-code']).toBe('115');
      });

      it('refuses an unknown database in the request', async () => {
        expect((await exchange('/?database=no_such_database', 'SELECT 1')).headers['x-clickhouse-exception-code']).toBe(
          '81',
        );
      });

      it('refuses to write by GET', async () => {
        const query = encodeURIComponent(`CREATE TABLE ${DATABASE}.by_get (a UInt8) ENGINE = Memory`);
        expect((await exchange(`/?query=${query}`)).headers['x-clickhouse-exception-code']).toBe('164');
      });

      it('refuses INTO OUTFILE', async () => {
        const answer = await exchange('/', "SELECT 1 INTO/**/OUTFILE '/tmp/glasshouse-contract-outfile' FORMAT CSV");
        expect(answer.status).not.toBe(200);
      });

      it('ends a query that takes too much memory', async () => {
        const query = client.query({
          query: 'SELECT groupArray(number) FROM numbers(100000000)',
          clickhouse_settings: { max_memory_usage: '50000000' },
        });
        expect(await failure(query)).toEqual({ code: '241', type: 'MEMORY_LIMIT_EXCEEDED' });
      });

      it('ends a query that takes too long', async () => {
        const query = client.query({
          query: 'SELECT sum(sipHash64(number)) FROM numbers(1000000000000)',
          clickhouse_settings: { max_execution_time: 1 },
        });
        expect(await failure(query)).toEqual({ code: '159', type: 'TIMEOUT_EXCEEDED' });
      });

      it('breaks off a result that fails midway, and says why', async () => {
        const query = 'SELECT number, throwIf(number = 900000) FROM numbers(1000000) FORMAT CSV';
        const answer = await exchange('/?max_block_size=10000', query);
        expect(answer.status).toBe(200);
        expect(answer.whole).toBe(false);
        expect(answer.body.toString('latin1')).toContain('Code: 395. DB::Exception');
        await expect(
          (async () => {
            const result = await client.query({ query: query.replace(' FORMAT CSV', ''), format: 'JSONEachRow' });
            for await (const chunk of result.stream()) void chunk;
          })(),
        ).rejects.toThrow(/throwIf/);
      });

      it('refuses a wrong password', async () => {
        const stranger = connect({ password: 'certainly-wrong' });
        try {
          expect(['193', '194', '516']).toContain((await failure(stranger.query({ query: 'SELECT 1' }))).code);
        } finally {
          await stranger.close();
        }
      });
    });

    describe('running side by side', () => {
      const running = async (marker: string): Promise<number> => {
        const [row] = (await rows(
          'SELECT count() AS n FROM system.processes WHERE query LIKE {p:String} AND query NOT LIKE {self:String}',
          {
            p: `%${marker}%`,
            self: '%system.processes%',
          },
        )) as { n: number | string }[];
        return Number(row?.n);
      };

      const mark = (): string => `gone_${Math.random().toString(36).slice(2)}`;

      it('ends a query whose client goes away before the first row', async () => {
        const marker = mark();
        const controller = new AbortController();
        const query = client.query({
          query: `SELECT sum(sipHash64(number)) FROM numbers(1000000000000) /* ${marker} */`,
          abort_signal: controller.signal,
        });
        query.catch(() => undefined);
        await expect.poll(() => running(marker), { timeout: 10_000 }).toBe(1);
        controller.abort();
        await expect(query).rejects.toThrow(/abort/);
        await expect.poll(() => running(marker), { timeout: 10_000 }).toBe(0);
      });

      it('ends a query whose client goes away in the middle of the rows', async () => {
        const marker = mark();
        const result = await client.query({
          query: `SELECT number FROM numbers(100000000000) /* ${marker} */`,
          format: 'JSONEachRow',
        });
        const rowsOfIt = result.stream()[Symbol.asyncIterator]();
        await rowsOfIt.next();
        expect(await running(marker)).toBe(1);
        result.close();
        await expect.poll(() => running(marker), { timeout: 10_000 }).toBe(0);
      });

      it('runs 16 queries at once', async () => {
        const answers = await Promise.all(
          Array.from({ length: 16 }, (_, index) =>
            rows(`SELECT ${index} AS n, count() AS c FROM numbers(1000000) WHERE NOT ignore(sipHash64(number))`),
          ),
        );
        expect(answers.map(([row]) => (row as { n: number }).n)).toEqual(
          Array.from({ length: 16 }, (_, index) => index),
        );
      });

      it('inserts while queries run', async () => {
        const name = await table('a UInt64');
        const controller = new AbortController();
        const heavy = Array.from({ length: 4 }, () =>
          client
            .query({
              query: 'SELECT sum(sipHash64(number)) FROM numbers(1000000000000)',
              abort_signal: controller.signal,
            })
            .catch(() => undefined),
        );
        for (let index = 0; index < 10; index += 1)
          await client.insert({ table: name, values: [{ a: index }], format: 'JSONEachRow' });
        controller.abort();
        await Promise.all(heavy);
        expect(await rows(`SELECT count() = 10 AS all FROM ${name}`)).toEqual([{ all: 1 }]);
      });
    });
  });
}

function plainExchange(
  target: StoreAddress,
  agent: Agent | undefined,
  path: string,
  body: Buffer | string | undefined,
  headers: Record<string, string>,
): Promise<Exchange> {
  const url = new URL(path, target.url);
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const options = {
      method: body === undefined ? 'GET' : 'POST',
      headers,
      auth: `${target.username}:${target.password}`,
    };
    const req = send(url, agent === undefined ? options : { ...options, agent }, (res) => {
      const chunks: Buffer[] = [];
      const done = (): void =>
        resolve({
          status: res.statusCode ?? 0,
          headers: res.headers,
          body: Buffer.concat(chunks),
          whole: res.complete,
        });
      res.on('data', (chunk: Buffer) => chunks.push(chunk));
      res.on('end', done);
      res.on('error', done);
    });
    req.on('error', reject);
    req.end(body);
  });
}

/** Sends part of a chunked body and drops the connection. */
function breakOff(target: StoreAddress, path: string, part: string): Promise<void> {
  const url = new URL(path, target.url);
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  const agent = target.agent?.();
  return new Promise((resolve) => {
    const options = { method: 'POST', auth: `${target.username}:${target.password}` };
    const req = send(url, agent === undefined ? options : { ...options, agent });
    req.on('error', () => resolve());
    req.write(part, () => setTimeout(() => req.destroy(new Error('gone')), 100));
  });
}
