/**
 * A real engine with a staging table, for the tests of the mapping: lines go in as bytes, and come out as rows of the data source or
 * of its quarantine.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { ClickHouseLogLevel, createClient, type ClickHouseClient, type ClickHouseSettings } from '@clickhouse/client';
import { createAgent, startEngine, type Engine } from '@glasshouse/engine';
import type { DataSource, DataSourceColumn, DataSourceEngine } from '@glasshouse/model';
import { mapEvents, MAPPING_SETTINGS, type EventMapping, type MappingOptions } from './events.ts';
import { quoteName } from './quote.ts';

/** When every line arrived, unless a test says otherwise. */
export const ARRIVAL = '2025-03-04 05:06:07.089';

export type Row = Readonly<Record<string, unknown>>;

export interface Outcome {
  readonly good: readonly Row[];
  readonly bad: readonly Row[];
  readonly mapping: EventMapping;
}

export interface StagedLine {
  readonly line: string | Uint8Array;
  readonly filter?: string;
}

export class Stage {
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
      clickhouse_settings: MAPPING_SETTINGS as unknown as ClickHouseSettings,
    });
  }

  static async open(): Promise<Stage> {
    const dir = mkdtempSync(join(tmpdir(), 'glasshouse-mapping-'));
    const engine = await startEngine({
      dataDir: join(dir, 'engine'),
      backupDir: join(dir, 'backup'),
      maxMemoryBytes: 2 * 1024 ** 3,
    });
    return new Stage(dir, engine);
  }

  async close(): Promise<void> {
    await this.#client.close();
    await this.#engine.stop();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  async command(query: string, settings: ClickHouseSettings = {}): Promise<void> {
    await this.#client.command({ query, clickhouse_settings: settings });
  }

  async rows<T = Row>(query: string, settings: ClickHouseSettings = {}): Promise<T[]> {
    const result = await this.#client.query({ query, format: 'JSONEachRow', clickhouse_settings: settings });
    return result.json<T>();
  }

  /** Makes the tables `source`, `source_quarantine` and `staging` anew, and fills the last. */
  async prepare(source: DataSource, lines: readonly (string | Uint8Array | StagedLine)[]): Promise<EventMapping> {
    const mapping = mapEvents(source);
    for (const table of ['staging', 'source', 'source_quarantine'])
      await this.command(`DROP TABLE IF EXISTS ${table} SYNC`);
    await this.command(
      `CREATE TABLE staging (tenant_id LowCardinality(String), datasource_id LowCardinality(String), ` +
        `import_id LowCardinality(String), filter LowCardinality(String), received_at DateTime64(3, 'UTC'), line String) ENGINE = Memory`,
    );
    const { engine } = source;
    const key = (words: string, text: string | undefined): string => (text === undefined ? '' : ` ${words} ${text}`);
    await this.command(
      `CREATE TABLE source (${[...source.columns.map(columnDdl), '_segment UInt64 MATERIALIZED 0'].join(', ')}) ` +
        `ENGINE = MergeTree${key('PARTITION BY', engine.partitionKey)} ORDER BY ${engine.sortingKey ?? 'tuple()'}${key('TTL', engine.ttl)}`,
    );
    const texts = mapping.quarantineColumns.map(({ name, type }) => `${quoteName(name)} ${type}`);
    await this.command(
      `CREATE TABLE source_quarantine (${[...texts, '_segment UInt64 MATERIALIZED 0'].join(', ')}) ENGINE = MergeTree ORDER BY tuple()`,
    );
    if (lines.length > 0) await this.#stage(lines);
    return mapping;
  }

  /** Maps lines into a new data source. */
  async run(
    source: DataSource,
    lines: readonly (string | Uint8Array | StagedLine)[],
    options: MappingOptions = {},
  ): Promise<Outcome> {
    await this.prepare(source, lines);
    return this.insert(mapEvents(source, options));
  }

  /** Inserts what is staged. */
  async insert(mapping: EventMapping): Promise<Outcome> {
    const names = { staging: 'staging', where: `datasource_id = 'd'`, segment: '7' };
    await this.command(mapping.insertGood({ ...names, target: 'source' }));
    await this.command(mapping.insertQuarantine({ ...names, target: 'source_quarantine' }));
    const settings = { output_format_json_quote_64bit_integers: 1, output_format_json_quote_decimals: 1 } as const;
    return {
      good: await this.rows('SELECT * FROM source', settings),
      bad: await this.rows('SELECT * FROM source_quarantine', settings),
      mapping,
    };
  }

  async #stage(lines: readonly (string | Uint8Array | StagedLine)[]): Promise<void> {
    const at = Buffer.alloc(8);
    at.writeBigInt64LE(BigInt(Date.parse(`${ARRIVAL.replace(' ', 'T')}Z`)));
    const body = lines.flatMap((entry) => {
      const staged = typeof entry === 'string' || entry instanceof Uint8Array ? { line: entry } : entry;
      const filter = 'filter' in staged ? (staged.filter ?? '') : '';
      return [...['t', 'd', 'import-1', filter].flatMap(cell), at, ...cell(staged.line)];
    });
    const result = await this.#client.exec({
      query: 'INSERT INTO staging FORMAT RowBinary',
      values: Readable.from([Buffer.concat(body)]),
    });
    result.stream.resume();
  }
}

/** A data source of columns given as `[name, type, path, default]`. */
export function dataSource(
  columns: readonly (DataSourceColumn | readonly [string, string, string?, string?])[],
  engine: Partial<DataSourceEngine> = {},
): DataSource {
  return {
    kind: 'datasource',
    name: 'source',
    columns: columns.map((column) => ('name' in column ? column : short(column))),
    engine: { name: 'MergeTree', ...engine },
    indexes: [],
    tokens: [],
    tags: [],
    sharedWith: [],
  };
}

function short([name, type, jsonPath, expression]: readonly [string, string, string?, string?]): DataSourceColumn {
  return {
    name,
    type,
    ...(jsonPath === undefined ? {} : { jsonPath }),
    ...(expression === undefined ? {} : { kind: 'DEFAULT', expression }),
  };
}

function columnDdl({ name, type, kind, expression }: DataSourceColumn): string {
  const value = expression === undefined ? (kind === 'EPHEMERAL' ? ' EPHEMERAL' : '') : ` ${kind} ${expression}`;
  return `${quoteName(name)} ${type}${value}`;
}

/** A string of RowBinary. */
function cell(text: string | Uint8Array): Buffer[] {
  const bytes = Buffer.from(text);
  const length: number[] = [];
  for (let rest = bytes.length; ; rest >>>= 7) {
    length.push(rest > 127 ? (rest & 127) | 128 : rest);
    if (rest <= 127) break;
  }
  return [Buffer.from(length), bytes];
}
