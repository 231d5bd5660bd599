/**
 * What @clickhouse/client is used for: statements of our own, and their rows. Users' queries go by `questions.ts`; nothing above
 * the two knows HTTP.
 *
 * Must stay true: values reach the engine as parameters, never in the text of a statement.
 */

import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { createClient } from '@clickhouse/client';
import type { ClickHouseClient } from '@clickhouse/client';
import { AppError, messageOf } from '@glasshouse/model';
import type { Login, Target } from './target.ts';

export type Settings = Readonly<Record<string, string | number>>;
export type Params = Readonly<Record<string, unknown>>;

/** An exception of the engine, with its number and name (https://clickhouse.com/docs/interfaces/http#http-response-codes). */
export class StoreError extends AppError {
  /** ClickHouse's error code, such as 60; 0 if the store could not be reached. */
  readonly number: number;
  /** ClickHouse's name of it, such as UNKNOWN_TABLE. */
  readonly type: string;

  constructor(message: string, number: number, type: string, cause: unknown) {
    super(number === 0 ? 'unavailable' : 'bad_request', message, { cause });
    this.name = 'StoreError';
    this.number = number;
    this.type = type;
  }
}

export interface StatementOptions {
  readonly params?: Params;
  readonly settings?: Settings;
  readonly queryId?: string;
  readonly database?: string;
  readonly signal?: AbortSignal;
}

/** A result as the engine sends it, in the format that was asked for. */
export interface RawResult {
  readonly stream: Readable;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly queryId: string;
}

export class Client {
  private readonly client: ClickHouseClient;
  private readonly target: Target;

  constructor(
    target: Target,
    login: Login,
    options: { readonly maxConnections: number; readonly requestTimeoutMs: number },
  ) {
    this.target = target;
    this.client = createClient({
      url: target.url,
      username: login.user,
      password: login.password,
      max_open_connections: options.maxConnections,
      request_timeout: options.requestTimeoutMs,
      ...(target.makeAgent === undefined ? {} : { http_agent: target.makeAgent() }),
      keep_alive: { enabled: true, idle_socket_ttl: 2500 },
      // Errors come back as exceptions and are logged where they are handled.
      log: { level: 127 },
    });
  }

  /** True if the store answers. */
  async ping(): Promise<boolean> {
    return (await this.client.ping()).success;
  }

  /** Runs a statement without a result. */
  async command(sql: string, options: StatementOptions = {}): Promise<void> {
    await guarded(this.client.command({ query: sql, ...clientOptions(options) }));
  }

  /** Runs a query and returns its rows. 64-bit integers come as strings. */
  async rows<Row>(sql: string, options: StatementOptions = {}): Promise<Row[]> {
    const result = await guarded(this.client.query({ query: sql, format: 'JSONEachRow', ...clientOptions(options) }));
    return guarded(result.json<Row>());
  }

  /** The same piece by piece as they come, each row as the list of its values: for more rows than fit into memory. */
  async *pieces<Row extends readonly unknown[]>(sql: string, options: StatementOptions = {}): AsyncGenerator<Row[]> {
    const asked = this.client.query({ query: sql, format: 'JSONCompactEachRow', ...clientOptions(options) });
    const stream = (await guarded(asked)).stream() as AsyncIterable<readonly { json<T>(): T }[]>;
    const pieces = stream[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await guarded(pieces.next());
        if (next.done === true) return;
        yield next.value.map((row) => row.json<Row>());
      }
    } finally {
      // Ends the query at the engine, if nobody wants the rest.
      await pieces.return?.();
    }
  }

  /** Runs a query, whose text names the format or leaves it to the setting, and returns the bytes as they come. */
  async raw(sql: string, options: StatementOptions = {}): Promise<RawResult> {
    const result = await guarded(
      this.client.exec({ query: sql, decompress_response_stream: false, ...clientOptions(options) }),
    );
    return {
      stream: result.stream,
      headers: result.response_headers,
      queryId: result.query_id,
    };
  }

  /** Inserts rows given as objects. */
  async insert(table: string, rows: readonly object[], options: StatementOptions = {}): Promise<void> {
    if (rows.length === 0) return;
    await guarded(this.client.insert({ table, values: [...rows], format: 'JSONEachRow', ...clientOptions(options) }));
  }

  /** Inserts a gzip file of Native blocks, by its path if the engine can read it, else by sending it. */
  async insertFile(table: string, columns: string, path: string, settings: Settings, queryId: string): Promise<void> {
    if (this.target.readsPaths) {
      const file = path.replaceAll('\\', '\\\\').replaceAll("'", "\\'");
      const query = `INSERT INTO ${table} (${columns}) FROM INFILE '${file}' COMPRESSION 'gz' FORMAT Native`;
      await this.command(query, { settings, queryId });
      return;
    }
    const result = await guarded(
      this.client.exec({
        query: `INSERT INTO ${table} (${columns}) FORMAT Native`,
        values: createReadStream(path, { highWaterMark: 1 << 20 }),
        http_headers: { 'Content-Encoding': 'gzip' },
        query_id: queryId,
        clickhouse_settings: settings,
      }),
    );
    result.stream.resume();
  }

  async close(): Promise<void> {
    await this.client.close();
  }
}

function clientOptions(options: StatementOptions): Record<string, unknown> {
  const { params, settings, queryId, database, signal } = options;
  return {
    ...(params === undefined ? {} : { query_params: params }),
    clickhouse_settings: { ...settings, ...(database === undefined ? {} : { database }) },
    ...(queryId === undefined ? {} : { query_id: queryId }),
    ...(signal === undefined ? {} : { abort_signal: signal }),
  };
}

/** Turns the client's errors into StoreError: a ClickHouse exception keeps its number, anything else means unreachable. */
export async function guarded<T>(promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    const { code, type } = error as { code?: unknown; type?: unknown };
    if (typeof type === 'string' && typeof code === 'string' && /^\d+$/.test(code)) {
      throw new StoreError(messageOf(error), Number(code), type, error);
    }
    throw new StoreError(`cannot reach the store: ${messageOf(error)}`, 0, 'UNREACHABLE', error);
  }
}
