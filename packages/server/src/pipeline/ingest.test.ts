import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { AppError, DEFAULT_PLACEMENT } from '@glasshouse/model';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { recoverSegments } from '../wal/recover.ts';
import type { SegmentInfo } from '../wal/segment.ts';
import { Ingest } from './ingest.ts';
import type { BodyBuffer, IngestResult } from './sink.ts';

let directory: string;
let ingest: Ingest;
let sealed: SegmentInfo[];
let unstored: string[];
let lost: unknown[];
let unknown: string[];

beforeEach(() => {
  directory = join(mkdtempSync(join(tmpdir(), 'glasshouse-ingest-')), 'wal');
  mkdirSync(directory);
  [sealed, unstored, lost, unknown] = [[], [], [], []];
  ingest = new Ingest(
    {
      directory,
      node: 1,
      maxBodyBytes: 1 << 20,
      maxJsonBytes: 20 << 20,
      maxSegmentRows: 1_000_000,
      maxSegmentBytes: 1 << 30,
      retentionMs: undefined,
      maxAheadMs: 86_400_000,
      maxInflightBytes: 1 << 20,
    },
    { ready: () => Promise.resolve() },
    {
      onSealed: (segments) => sealed.push(...segments),
      onSpent: () => undefined,
      onUnknown: (reason) => unknown.push(reason),
      onUnstored: (reason) => unstored.push(reason),
      onLost: (cause) => {
        lost.push(cause);
        sealed.push(...recoverSegments(directory, new Set(sealed.map(({ path }) => path))).segments);
      },
      onReplaced: () => undefined,
    },
  );
});
afterEach(async () => {
  await ingest.stop();
  rmSync(join(directory, '..'), { recursive: true, force: true });
});

/** Sends one call of a model. */
function sendCall(id: string): Promise<IngestResult> {
  const now = new Date().toISOString();
  const response = { id, usage: { prompt_tokens: 10, completion_tokens: 1 } };
  const body = bodyOf(JSON.stringify({ start_time: now, end_time: now, model: 'gpt-5', provider: 'openai', response }));
  return ingest.accept({ signal: 'calls', coding: 'identity', tenant: 'acme', body });
}

/** Sends one gauge point and one sum point; or one log record. */
function send(signal: 'metrics' | 'logs'): Promise<IngestResult> {
  const timeUnixNano = String(BigInt(Date.now()) * 1_000_000n);
  const dataPoints = [{ timeUnixNano, asDouble: 1 }];
  const metrics = [
    { name: 'a', gauge: { dataPoints } },
    { name: 'b', sum: { dataPoints, aggregationTemporality: 2 } },
  ];
  const plain =
    signal === 'metrics'
      ? { resourceMetrics: [{ scopeMetrics: [{ metrics }] }] }
      : { resourceLogs: [{ scopeLogs: [{ logRecords: [{ timeUnixNano, body: { stringValue: 'x' } }] }] }] };
  const body = bodyOf(JSON.stringify(plain));
  return ingest.accept({ signal, format: 'json', coding: 'identity', placement: DEFAULT_PLACEMENT, body });
}

function bodyOf(text: string): BodyBuffer {
  const bytes = Buffer.from(text);
  const body = ingest.lend(bytes.length);
  new Uint8Array(body.buffer).set(bytes);
  body.length = bytes.length;
  return body;
}

function rowsByTable(): Record<string, number> {
  const rows: Record<string, number> = {};
  for (const segment of sealed) rows[segment.table] = (rows[segment.table] ?? 0) + segment.rows;
  return rows;
}

describe('the sink', () => {
  test('gives ids above those that it is told to skip, and seals what has others', async () => {
    await send('logs');
    const far = BigInt(Date.now() - Date.UTC(2020) + 86_400_000) << 23n;
    expect(await ingest.skipIds(far)).toBe(true);
    expect(sealed.map(({ table, id }) => [table, id < far])).toEqual([['logs', true]]);
    await send('logs');
    expect(await ingest.skipIds(far)).toBe(false);
    ingest.seal();
    await expect.poll(() => sealed.length).toBe(2);
    expect(sealed[1]?.id).toBeGreaterThan(far);
    await ingest.stop();
    await expect(ingest.skipIds(far)).rejects.toMatchObject({ code: 'unavailable' });
  });

  test('has everything accepted in sealed segments when it has stopped', async () => {
    const results = await Promise.all([send('metrics'), send('logs'), send('logs')]);
    expect(results.map(({ accepted }) => accepted)).toEqual([2, 1, 1]);
    const last = send('logs');
    await ingest.stop();
    expect((await last).accepted).toBe(1);
    expect(rowsByTable()).toEqual({ logs: 3, metrics_gauge: 1, metrics_sum: 1 });
    expect(recoverSegments(directory).segments.length).toBe(3);
  });

  test('takes nothing after it was told to stop', async () => {
    const stopping = ingest.stop();
    await expect(send('logs')).rejects.toMatchObject({ code: 'unavailable' });
    await expect(ingest.ready(1)).rejects.toBeInstanceOf(AppError);
    await stopping;
    expect(readdirSync(directory)).toEqual([]);
  });

  test('refuses what it cannot write, names why, and writes again when it can', async () => {
    await send('logs');
    rmSync(directory, { recursive: true });
    // The segment of logs is open and can still be written; those of metrics cannot be made.
    const [metrics, logs] = await Promise.allSettled([send('metrics'), send('logs')]);
    expect(metrics).toMatchObject({ status: 'rejected', reason: { code: 'unavailable', retryAfterSeconds: 5 } });
    expect(logs).toMatchObject({ status: 'fulfilled', value: { accepted: 1 } });
    expect(unstored[0]).toContain('ENOENT');
    expect(ingest.counts.failedCommits).toBeGreaterThan(0);
    mkdirSync(directory);
    expect((await send('metrics')).accepted).toBe(2);
  });
});

describe('requests with calls, after a start', () => {
  test('wait until the calls of before it are told, while others pass', async () => {
    const done: string[] = [];
    const calls = ['chatcmpl-0123456789', 'chatcmpl-9876543210'].map(async (id) => {
      const result = await sendCall(id);
      done.push(id);
      return result;
    });
    expect((await send('logs')).accepted).toBe(1);
    ingest.remember([['acme', 'chatcmpl-0123456789', null, '', '', 'llm_events', '']], false);
    expect((await send('logs')).accepted).toBe(1);
    expect(done).toEqual([]);
    ingest.remember([], true);
    expect((await Promise.all(calls)).map(({ accepted }) => accepted)).toEqual([1, 1]);
    expect((await sendCall('chatcmpl-0123456789')).accepted).toBe(1);
    expect(unknown).toEqual([]);
    await ingest.stop();
    expect(rowsByTable()).toEqual({ logs: 2, generations: 3 });
  });

  test('wait no longer when they take half of the room', async () => {
    const calls = Array.from({ length: 9 }, (_, nth) => sendCall(`chatcmpl-0123456789-${nth}`));
    expect((await Promise.all(calls)).map(({ accepted }) => accepted)).toEqual(calls.map(() => 1));
    expect(unknown).toEqual([expect.stringContaining('no room')]);
  });

  test('are stored when the server is stopped meanwhile', async () => {
    const call = sendCall('chatcmpl-0123456789');
    await send('logs');
    await ingest.stop();
    expect((await call).accepted).toBe(1);
    expect(rowsByTable()).toEqual({ logs: 1, generations: 1 });
  });

  test('that are malformed are refused at once', async () => {
    const body = bodyOf('');
    const refused = ingest.accept({ signal: 'calls', coding: 'gzip', tenant: 'acme', body });
    await expect(refused).rejects.toMatchObject({ code: 'bad_request' });
  });
});

describe('a worker that ends by itself', () => {
  test('is replaced; what it had acknowledged is recovered', async () => {
    await send('logs');
    await (Reflect.get(ingest, 'worker') as Worker).terminate();
    expect(rowsByTable()).toEqual({ logs: 1 });
    expect(lost.length).toBe(1);
    await expect(send('logs')).rejects.toMatchObject({ code: 'unavailable', retryAfterSeconds: 1 });
    await expect
      .poll(
        () =>
          ingest.ready(1).then(
            () => true,
            () => false,
          ),
        { timeout: 10_000 },
      )
      .toBe(true);
    await send('logs');
    await ingest.stop();
    expect(rowsByTable()).toEqual({ logs: 2 });
    expect(new Set(sealed.map(({ id }) => id)).size).toBe(2);
  });

  test('leaves no request without an answer', async () => {
    const all = Array.from({ length: 20 }, () => send('logs'));
    const ending = (Reflect.get(ingest, 'worker') as Worker).terminate();
    const results = await Promise.allSettled(all);
    await ending;
    const acked = results.filter(({ status }) => status === 'fulfilled').length;
    expect(rowsByTable()['logs'] ?? 0).toBeGreaterThanOrEqual(acked);
    await ingest.stop();
  });
});
