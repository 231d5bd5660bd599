/**
 * The record of requests to endpoints: a row for each, written like any event into a data source of the workspace, so that it is
 * durable, and queried like any other. Rows are collected for some seconds, because one write for many costs as much as for one.
 *
 * Must stay true: recording never fails a request nor keeps it waiting, and takes bounded memory; what did not fit is counted. No
 * token is in a row: addresses lose theirs, and of parameters only the beginning is kept.
 */

import { randomUUID } from 'node:crypto';
import { OPERATIONS, PIPE_STATS_RT } from './usage-names.ts';

/** One request to an endpoint. */
export interface EndpointUse {
  readonly tenant: string;
  readonly pipe: { readonly id: string; readonly name: string };
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly durationMs: number;
  readonly method: string;
  /** Path and query string as they came. */
  readonly url: string;
  readonly status: number;
  readonly error: string | undefined;
  /** Rows of the result, where it is known. */
  readonly rows: number | undefined;
  /** Bytes of the answer, before it is packed. */
  readonly bytes: number;
  readonly readRows: number;
  readonly readBytes: number;
  readonly tokenId: string;
  readonly tokenName: string;
  readonly parameters: ReadonlyMap<string, unknown>;
  readonly userAgent: string | undefined;
}

/** Something that was done to a data source. */
export interface Operation {
  readonly tenant: string;
  /** Such as `copy`, `populateview`, `sink`. */
  readonly type: string;
  readonly dataSource: { readonly id: string; readonly name: string };
  readonly pipe: { readonly id: string; readonly name: string };
  readonly jobId: string;
  readonly startedAt: number;
  readonly durationMs: number;
  readonly rows: number;
  readonly error: string | undefined;
}

export interface UsageLog {
  record(use: EndpointUse): void;
}

export interface UsageOptions {
  /** Appends NDJSON to a data source of the workspace. Resolves when it is durable; rejects if it could not be taken. */
  readonly append: (tenant: string, dataSource: string, lines: string) => Promise<void>;
  /** Milliseconds between two writes. */
  readonly everyMs?: number;
}

interface Collected {
  lines: string[];
  bytes: number;
}

const EVERY_MS = 3_000;
/** More than this waits for no timer. */
const FULL_LINES = 2_000;
const MAX_BYTES = 8 << 20;
const MAX_TEXT = 1_000;
const MAX_PARAMETERS = 50;

export class Usage implements UsageLog {
  /** Rows that were given up because they could not be written. */
  dropped = 0;
  private readonly options: UsageOptions;
  private readonly timer: NodeJS.Timeout;
  private waiting = new Map<string, Collected>();
  private bytes = 0;
  private lines = 0;
  private writing: Promise<void> | undefined;

  constructor(options: UsageOptions) {
    this.options = options;
    this.timer = setInterval(() => void this.flush(), options.everyMs ?? EVERY_MS);
    this.timer.unref();
  }

  record(use: EndpointUse): void {
    this.add(use.tenant, PIPE_STATS_RT, rowOf(use));
  }

  /** Records what was done to a data source. */
  operation(operation: Operation): void {
    const { tenant, type, dataSource, pipe, jobId, startedAt, durationMs, rows, error } = operation;
    this.add(tenant, OPERATIONS, {
      timestamp: timeOf(startedAt),
      event_type: type,
      datasource_id: dataSource.id,
      datasource_name: dataSource.name,
      pipe_id: pipe.id,
      pipe_name: pipe.name,
      job_id: jobId,
      elapsed_time: durationMs / 1000,
      rows,
      result: error === undefined ? 'ok' : 'error',
      error: error === undefined ? null : error.slice(0, MAX_TEXT),
    });
  }

  /** Writes what was collected. Never rejects. */
  async flush(): Promise<void> {
    while (this.writing !== undefined) await this.writing;
    if (this.lines === 0) return;
    const taken = this.waiting;
    this.waiting = new Map();
    this.bytes = 0;
    this.lines = 0;
    this.writing = this.write(taken).finally(() => (this.writing = undefined));
    await this.writing;
  }

  /** Writes what there is for the last time. */
  async close(): Promise<void> {
    clearInterval(this.timer);
    await this.flush();
  }

  private add(tenant: string, dataSource: string, row: object): void {
    const line = JSON.stringify(row);
    if (this.bytes + line.length > MAX_BYTES) {
      this.dropped++;
      return;
    }
    const key = `${tenant}\n${dataSource}`;
    const collected = this.waiting.get(key) ?? { lines: [], bytes: 0 };
    this.waiting.set(key, collected);
    collected.lines.push(line);
    collected.bytes += line.length;
    this.bytes += line.length;
    if (++this.lines === FULL_LINES) void this.flush();
  }

  private async write(taken: ReadonlyMap<string, Collected>): Promise<void> {
    for (const [key, { lines }] of taken) {
      const [tenant = '', dataSource = ''] = key.split('\n');
      try {
        await this.options.append(tenant, dataSource, `${lines.join('\n')}\n`);
      } catch {
        this.dropped += lines.length;
      }
    }
  }
}

/** The row of a request, in the columns of Tinybird's data source of this name and some more. */
function rowOf(use: EndpointUse): object {
  return {
    start_datetime: timeOf(use.startedAt),
    pipe_id: use.pipe.id,
    pipe_name: use.pipe.name,
    duration: use.durationMs / 1000,
    duration_ms: use.durationMs,
    read_bytes: use.readBytes,
    read_rows: use.readRows,
    result_rows: use.rows ?? 0,
    result_bytes: use.bytes,
    url: withoutSecrets(use.url).slice(0, MAX_TEXT),
    error: use.error === undefined ? 0 : 1,
    error_message: use.error === undefined ? null : use.error.slice(0, MAX_TEXT),
    request_id: randomUUID(),
    token: use.tokenId,
    token_name: use.tokenName,
    status_code: use.status,
    method: use.method,
    parameters: parametersOf(use.parameters),
    user_agent: use.userAgent === undefined ? null : use.userAgent.slice(0, MAX_TEXT),
  };
}

/** The address without the values of parameters that hold a token. */
export function withoutSecrets(url: string): string {
  return url.replaceAll(/([?&](?:token|password)=)[^&#]*/giu, '$1***');
}

function parametersOf(values: ReadonlyMap<string, unknown>): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const [name, value] of [...values].slice(0, MAX_PARAMETERS)) {
    const text = typeof value === 'string' ? value : JSON.stringify(value, (_, inner: unknown) => textOfBig(inner));
    texts[name.slice(0, MAX_TEXT)] = text.slice(0, MAX_TEXT);
  }
  return texts;
}

function textOfBig(value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}

/** UTC, with milliseconds. */
function timeOf(at: number): string {
  return new Date(at).toISOString().replace('T', ' ').replace('Z', '');
}
