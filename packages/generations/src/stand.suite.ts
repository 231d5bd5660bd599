/**
 * A real engine with a table of spans and one of lines, for the tests of the mapping: records go in, and come out as the rows that
 * the compiled SQL makes of them, in the form in which `readRow` gives them.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClickHouseLogLevel, createClient, type ClickHouseClient, type ClickHouseSettings } from '@clickhouse/client';
import { createAgent, startEngine, type Engine } from '@glasshouse/engine';
import { MAPPED_COLUMNS } from './columns.ts';
import { GENERATION_SETTINGS, selectGenerations } from './compile.ts';
import type { GenerationRecord, GenerationRow, RowValue, SpanRecord } from './read.ts';
import type { Dialect } from './source.ts';

export class Stand {
  readonly #dir: string;
  readonly #engine: Engine;
  readonly #client: ClickHouseClient;

  private constructor(dir: string, engine: Engine) {
    this.#dir = dir;
    this.#engine = engine;
    this.#client = createClient({
      url: engine.url,
      username: engine.credentials.writer.user,
      password: engine.credentials.writer.password,
      http_agent: createAgent(engine),
      request_timeout: 120_000,
      log: { level: ClickHouseLogLevel.OFF },
      clickhouse_settings: GENERATION_SETTINGS as unknown as ClickHouseSettings,
    });
  }

  static async open(): Promise<Stand> {
    const dir = mkdtempSync(join(tmpdir(), 'glasshouse-generations-'));
    const engine = await startEngine({
      dataDir: join(dir, 'engine'),
      backupDir: join(dir, 'backup'),
      maxMemoryBytes: 2 * 1024 ** 3,
    });
    return new Stand(dir, engine);
  }

  async close(): Promise<void> {
    await this.#client.close();
    await this.#engine.stop();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  async command(query: string): Promise<void> {
    await this.#client.command({ query });
  }

  async query<T>(query: string): Promise<T[]> {
    const result = await this.#client.query({
      query,
      format: 'JSONEachRow',
      clickhouse_settings: { output_format_json_quote_64bit_integers: 1, output_format_json_quote_decimals: 1 },
    });
    return result.json<T>();
  }

  /** Fills the table `lines` or `spans` anew; records get numbers from 0. */
  async load(over: Dialect['over'], records: readonly GenerationRecord[]): Promise<void> {
    const table = over === 'line' ? 'lines' : 'spans';
    await this.command(`DROP TABLE IF EXISTS ${table} SYNC`);
    await this.command(`CREATE TABLE ${table} (${over === 'line' ? LINE_TABLE : SPAN_TABLE}) ENGINE = Memory`);
    const values = records.map((record, n) => (typeof record === 'string' ? { n, line: record } : spanRow(n, record)));
    await this.#client.insert({ table, values, format: 'JSONEachRow' });
  }

  /** The rows that the SQL of a dialect makes of what is loaded, by number. */
  async rows(dialect: Dialect): Promise<Map<number, GenerationRow>> {
    const table = dialect.over === 'line' ? 'lines' : 'spans';
    const columns = MAPPED_COLUMNS.map(({ name, kind }) =>
      kind === 'time'
        ? `toUnixTimestamp64Nano(g.${name}) AS ${name}`
        : kind === 'money'
          ? `toString(g.${name}) AS ${name}`
          : `g.${name} AS ${name}`,
    );
    const found = await this.query<Record<string, unknown> & { n: number }>(
      `SELECT g.n AS n, ${columns.join(', ')} FROM (${selectGenerations(dialect, table, ['n'])}) AS g`,
    );
    return new Map(found.map((row) => [row.n, rowOf(row)]));
  }
}

const LINE_TABLE = 'n UInt32, line String';
const LC = 'LowCardinality(String)';
/** The columns of the table of spans that sources read, with their types. */
const SPAN_TABLE = [
  'n UInt32',
  "timestamp DateTime64(9, 'UTC')",
  'duration_ns UInt64',
  'trace_id FixedString(16)',
  'span_id FixedString(8)',
  'parent_span_id FixedString(8)',
  `name ${LC}`,
  'status_code UInt8',
  `status_message ${LC}`,
  `scope_name ${LC}`,
  `resource_attributes ${LC}`,
  'http_status_code UInt16',
  `attributes_string Map(${LC}, String)`,
  `attributes_int Map(${LC}, Int64)`,
  `attributes_double Map(${LC}, Float64)`,
  `attributes_bool Map(${LC}, Bool)`,
  `attributes_json Map(${LC}, String)`,
  `\`events.name\` Array(${LC})`,
  '`events.attributes` Array(String)',
  "`events.timestamp` Array(DateTime64(9, 'UTC'))",
].join(', ');

function spanRow(n: number, { fields, string, int, double, bool, json, events = [] }: SpanRecord): object {
  const ns = BigInt(fields.timestamp ?? '0');
  const bytes = (hex: string | undefined): string => Buffer.from(hex ?? '', 'hex').toString('latin1');
  return {
    n,
    timestamp: dateTime(ns),
    duration_ns: fields.duration_ns ?? '0',
    // Tests use ids of bytes below 128, which are their own characters.
    trace_id: bytes(fields.trace_id),
    span_id: bytes(fields.span_id),
    parent_span_id: bytes(fields.parent_span_id),
    name: fields.name ?? '',
    status_code: Number(fields.status_code ?? '0'),
    status_message: fields.status_message ?? '',
    scope_name: fields.scope_name ?? '',
    resource_attributes: fields.resource_attributes ?? '',
    http_status_code: Number(fields.http_status_code ?? '0'),
    attributes_string: string ?? {},
    attributes_int: int ?? {},
    attributes_double: double ?? {},
    attributes_bool: bool ?? {},
    attributes_json: json ?? {},
    'events.name': events.map(({ name }) => name),
    'events.attributes': events.map(({ attributes }) => attributes),
    'events.timestamp': events.map(({ time = 0n }) => dateTime(time)),
  };
}

/** Nanoseconds since 1970 as the engine takes them. */
function dateTime(ns: bigint): string {
  const seconds = new Date(Number(ns / 1_000_000n)).toISOString().slice(0, 19).replace('T', ' ');
  return `${seconds}.${String(ns % 1_000_000_000n).padStart(9, '0')}`;
}

function rowOf(found: Readonly<Record<string, unknown>>): GenerationRow {
  const row: Record<string, RowValue> = {};
  for (const { name, kind } of MAPPED_COLUMNS) {
    const value = (found[name] ?? null) as RowValue;
    if (value !== null && kind === 'count') row[name] = Number(value);
    else if (value !== null && kind === 'money') row[name] = picodollars(String(value));
    else row[name] = kind === 'json' && typeof value === 'string' ? canonical(value) : value;
  }
  return row;
}

function picodollars(amount: string): string {
  const [whole = '', fraction = ''] = amount.split('.');
  return BigInt(whole + fraction.padEnd(12, '0')).toString();
}

/** The same JSON as the same text, whatever its order and escapes; another text as it is. */
export function canonical(text: string): string {
  if (!/^\s*[[{]/.test(text)) return text;
  try {
    return JSON.stringify(sorted(JSON.parse(text)));
  } catch {
    return text;
  }
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}

/** A row with its JSON in canonical form, to be compared. */
export function comparable(row: GenerationRow): GenerationRow {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => {
      const isJson = MAPPED_COLUMNS.some((column) => column.name === name && column.kind === 'json');
      return [name, isJson && typeof value === 'string' ? canonical(value) : value];
    }),
  );
}
