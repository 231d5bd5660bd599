/**
 * Sinks: the result of a pipe's node is written into files, on demand or by a schedule, as a job. Tinybird's settings of them are
 * `EXPORT_…` (https://www.tinybird.co/docs/forward/core-concepts/sinks).
 *
 * Must stay true: the statement was let through by the query door. All files of a run are made of the same rows. A file is put into
 * its place when it is whole.
 */

import { randomUUID } from 'node:crypto';
import { createWriteStream, mkdirSync, rmSync } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createBrotliCompress, createGzip, createZstdCompress } from 'node:zlib';
import type { PipeNode } from '@glasshouse/model';
import { AppError, messageOf } from '@glasshouse/model';
import type { DataSources, Store } from '@glasshouse/store';
import { quoteName, tenantDatabase } from '@glasshouse/store';
import type { CheckSql } from './copies.ts';
import type { Endpoints } from './endpoints.ts';
import type { CallValues } from './endpoints-templates.ts';
import { NO_VALUES } from './endpoints-templates.ts';
import type { Job, JobContext, JobFields, Jobs } from './jobs.ts';
import type { PipeEntry } from './resource-row.ts';
import type { Destination, FindConnection, MadeFile } from './sinks-destination.ts';
import { Bucket, Folder } from './sinks-destination.ts';
import type { FileTemplate } from './sinks-template.ts';
import { readFileTemplate } from './sinks-template.ts';
import type { Operation } from './usage.ts';

export interface SinksOptions {
  readonly store: Pick<Store, 'read'>;
  readonly tables: DataSources;
  readonly jobs: Jobs;
  readonly endpoints: Endpoints;
  readonly check: CheckSql;
  /** Folder for the files of sinks without a connection, and for files that are being made. */
  readonly folder: string;
  readonly connections: FindConnection;
  readonly now: () => number;
  /** Told when an export has ended. */
  readonly onEnd?: (operation: Operation) => void;
}

export interface SinkOptions {
  readonly call?: CallValues;
  /** The time that a schedule was for; undefined on demand. */
  readonly scheduledFor?: number;
}

interface Export {
  readonly entry: PipeEntry;
  readonly sql: string;
  readonly params: Readonly<Record<string, string>>;
  /** With which the statement was let through. */
  readonly judged: Readonly<Record<string, string>>;
  readonly template: FileTemplate;
  readonly destination: Destination;
  readonly format: ExportFormat;
  readonly compression: Compression;
  readonly isNew: boolean;
}

interface ExportFormat {
  readonly name: string;
  readonly ending: string;
  readonly contentType: string;
}

interface Compression {
  readonly ending: string;
  /** For texts; Parquet compresses by itself. */
  readonly pack?: () => Transform;
  readonly parquet: string;
}

const FORMATS: Readonly<Record<string, ExportFormat>> = {
  csv: { name: 'CSVWithNames', ending: '.csv', contentType: 'text/csv' },
  ndjson: { name: 'JSONEachRow', ending: '.ndjson', contentType: 'application/x-ndjson' },
  parquet: { name: 'Parquet', ending: '.parquet', contentType: 'application/vnd.apache.parquet' },
};

const COMPRESSIONS: Readonly<Record<string, Compression>> = {
  none: { ending: '', parquet: 'none' },
  gz: { ending: '.gz', pack: () => createGzip(), parquet: 'gzip' },
  gzip: { ending: '.gz', pack: () => createGzip(), parquet: 'gzip' },
  br: { ending: '.br', pack: () => createBrotliCompress(), parquet: 'brotli' },
  zst: { ending: '.zst', pack: () => createZstdCompress(), parquet: 'zstd' },
  zstd: { ending: '.zst', pack: () => createZstdCompress(), parquet: 'zstd' },
  snappy: { ending: '', parquet: 'snappy' },
  lz4: { ending: '', parquet: 'lz4' },
};

const READING = {
  max_execution_time: 3_600,
  output_format_json_quote_64bit_integers: 0,
  output_format_json_quote_64bit_floats: 0,
};
const KEY = '__file';
const MAX_FILES = 1_000;

export class Sinks {
  private readonly options: SinksOptions;

  constructor(options: SinksOptions) {
    this.options = options;
    // What a former process did not finish is of no use.
    rmSync(this.spool, { recursive: true, force: true });
  }

  /** Starts an export. Rejects with `bad_request` for a pipe that is no sink, and for settings, parameters and SQL that are wrong. */
  async start(entry: PipeEntry, { call = NO_VALUES, scheduledFor }: SinkOptions = {}): Promise<Job> {
    const { check, endpoints, jobs, now } = this.options;
    const node = sinkNodeOf(entry);
    const composed = endpoints.node(entry.tenant, entry.definition, node, call);
    const params = composed.options.params ?? {};
    const { sql, columns, settings: judged } = await check(entry.tenant, composed.sql, params);
    const named = columns.map(({ name }) => name);
    const { settings } = node;
    const template = readFileTemplate(settings['EXPORT_FILE_TEMPLATE'] ?? entry.name, named, new Date(now()));
    const strategy = (settings['EXPORT_WRITE_STRATEGY'] ?? settings['EXPORT_STRATEGY'] ?? 'new').replace(/^@/u, '');
    const job: Export = {
      entry,
      sql,
      params,
      judged,
      template,
      destination: this.destinationOf(entry.tenant, settings),
      format: chosen('EXPORT_FORMAT', settings['EXPORT_FORMAT'] ?? 'csv', FORMATS),
      compression: chosen('EXPORT_COMPRESSION', settings['EXPORT_COMPRESSION'] || 'none', COMPRESSIONS),
      isNew: strategy.toLowerCase() !== 'truncate',
    };
    const details: JobFields = {
      pipe_id: entry.id,
      pipe_name: entry.name,
      ...(scheduledFor === undefined ? {} : { scheduled_for: new Date(scheduledFor).toISOString() }),
    };
    return jobs.start(entry.tenant, 'sink', details, (context) => this.run(job, context));
  }

  private async run(wanted: Export, { job, progress, signal }: JobContext): Promise<JobFields> {
    const { now, onEnd } = this.options;
    const startedAt = now();
    const tell = (rows: number, error: string | undefined): void => {
      const { entry } = wanted;
      const durationMs = now() - startedAt;
      const dataSource = { id: '', name: '' };
      onEnd?.({
        tenant: entry.tenant,
        type: 'sink',
        dataSource,
        pipe: entry,
        jobId: job.id,
        startedAt,
        durationMs,
        rows,
        error,
      });
    };
    try {
      const result = await (wanted.template.key === undefined
        ? this.exportWhole(wanted, signal)
        : this.exportSplit(wanted, wanted.template.key, progress, signal));
      tell(result.rows ?? 0, undefined);
      return { files: result.files, ...(result.rows === undefined ? {} : { rows: result.rows }) };
    } catch (error) {
      tell(0, messageOf(error));
      throw error;
    }
  }

  /** All rows into one file, as the engine gives them. */
  private async exportWhole(wanted: Export, signal: AbortSignal): Promise<Exported> {
    const { entry, sql, params } = wanted;
    const result = await this.options.store.read(entry.tenant, sql, {
      params,
      settings: { ...wanted.judged, ...this.settingsOf(wanted) },
      signal,
    });
    return { files: [await this.write(wanted, result.stream, wanted.template.nameOf([]), signal)], rows: undefined };
  }

  /** The rows are laid down first, so that all files are made of the same. */
  private async exportSplit(
    wanted: Export,
    key: string,
    progress: (percent: number) => void,
    signal: AbortSignal,
  ): Promise<Exported> {
    const { client, building } = this.options.tables;
    const { entry, sql, params, template } = wanted;
    const table = `${quoteName(building)}.${quoteName(`sink_${randomUUID().replaceAll('-', '')}`)}`;
    await client.command(`CREATE DATABASE IF NOT EXISTS ${quoteName(building)}`);
    try {
      await client.command(
        `CREATE TABLE ${table} ENGINE = MergeTree ORDER BY tuple() AS SELECT *, ${key} AS ${KEY} FROM (\n${sql}\n)`,
        {
          database: tenantDatabase(entry.tenant),
          params,
          settings: {
            ...wanted.judged,
            allow_suspicious_low_cardinality_types: 1,
            max_execution_time: 0,
            max_insert_threads: 1,
          },
        },
      );
      const keys = await client.rows<{ key: string[]; n: string }>(
        `SELECT ${KEY} AS key, count() AS n FROM ${table} GROUP BY key ORDER BY key LIMIT ${MAX_FILES + 1}`,
      );
      if (keys.length > MAX_FILES)
        throw new AppError(
          'bad_request',
          `cannot export pipe=${entry.name}: it would take more than ${MAX_FILES} files`,
        );
      const files: string[] = [];
      let rows = 0;
      for (const { key: values, n } of keys) {
        signal.throwIfAborted();
        const { stream } = await client.raw(
          `SELECT * EXCEPT (${KEY}) FROM ${table} WHERE ${KEY} = {key:Array(String)}`,
          {
            params: { key: values },
            settings: { ...this.settingsOf(wanted), max_threads: 1 },
          },
        );
        files.push(await this.write(wanted, stream, template.nameOf(values), signal));
        rows += Number(n);
        progress((files.length / keys.length) * 99);
      }
      return { files, rows };
    } finally {
      await client.command(`DROP TABLE IF EXISTS ${table} SYNC`).catch(() => undefined);
    }
  }

  private settingsOf({ format, compression }: Export): Record<string, number | string> {
    return {
      ...READING,
      default_format: format.name,
      output_format_parquet_compression_method: compression.parquet,
    };
  }

  private async write(wanted: Export, rows: Readable, name: string, signal: AbortSignal): Promise<string> {
    const { compression, destination, format, isNew } = wanted;
    const pack = format.name === 'Parquet' ? undefined : compression.pack;
    const ending = format.ending + (pack === undefined ? '' : compression.ending);
    mkdirSync(this.spool, { recursive: true, mode: 0o700 });
    const path = join(this.spool, randomUUID());
    try {
      const file = createWriteStream(path, { mode: 0o600 });
      if (pack === undefined) await pipeline(rows, file, { signal });
      else await pipeline(rows, pack(), file, { signal });
      const made: MadeFile = { path, bytes: (await stat(path)).size, contentType: format.contentType };
      return await destination.put(withoutEnding(name, ending, format.ending), ending, made, isNew);
    } finally {
      await rm(path, { force: true });
    }
  }

  private destinationOf(tenant: string, settings: PipeNode['settings']): Destination {
    const uri = settings['EXPORT_BUCKET_URI'] ?? '';
    const name = settings['EXPORT_CONNECTION_NAME'] ?? '';
    if (settings['EXPORT_KAFKA_TOPIC'] !== undefined)
      throw new AppError(
        'bad_request',
        'cannot export to Kafka: it is not supported; write files to a folder or a bucket',
      );
    if (uri === '' || uri.startsWith('file:'))
      return new Folder(join(this.options.folder, tenant), uri.replace(/^file:\/*/u, ''));
    const [, bucket, prefix = ''] = /^(?:s3|gs):\/\/([^/]+)(?:\/(.*))?$/u.exec(uri) ?? [];
    if (bucket === undefined || !/^[\w.-]{1,255}$/u.test(bucket))
      throw new AppError(
        'bad_request',
        `cannot export to EXPORT_BUCKET_URI=${uri.slice(0, 200)}: write s3://bucket/prefix`,
      );
    const connection = this.options.connections(tenant, name);
    if (connection === undefined)
      throw new AppError(
        'bad_request',
        `cannot export by EXPORT_CONNECTION_NAME=${name.slice(0, 100)}: the operator has described no such connection in connections.json`,
      );
    if (connection.buckets !== undefined && !connection.buckets.includes(bucket))
      throw new AppError('forbidden', `cannot export to bucket=${bucket}: the connection is not for it`);
    return new Bucket(connection, bucket, prefix);
  }

  private get spool(): string {
    return join(this.options.folder, '.spool');
  }
}

interface Exported {
  /** Addresses of the files. */
  readonly files: readonly string[];
  readonly rows: number | undefined;
}

/** The node that is exported. Throws `bad_request` if the pipe has none. */
export function sinkNodeOf({ name, definition }: PipeEntry): PipeNode {
  const node = definition.nodes.find(({ type }) => type === 'sink');
  if (node !== undefined) return node;
  throw new AppError('bad_request', `cannot export pipe=${name}: none of its nodes is of TYPE sink`);
}

/** A template may have the ending already. */
function withoutEnding(name: string, ...endings: readonly string[]): string {
  const ending = endings.find((one) => name.endsWith(one));
  return ending === undefined ? name : name.slice(0, -ending.length);
}

function chosen<T>(setting: string, text: string, among: Readonly<Record<string, T>>): T {
  const found = among[text.trim().toLowerCase()];
  if (found !== undefined) return found;
  throw new AppError(
    'bad_request',
    `cannot use ${setting}=${text.slice(0, 40)}: it must be one of ${Object.keys(among).join(', ')}`,
  );
}
