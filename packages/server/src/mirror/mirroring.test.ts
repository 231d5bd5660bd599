/** The main thread's side of the mirror with its thread, and a folder that cannot be read. */

import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import type { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EventsReader } from '../pipeline/events.ts';
import { Log } from '../wal/log.ts';
import type { SegmentInfo } from '../wal/segment.ts';
import type { MirrorEvent } from './mirroring.ts';
import { Mirroring } from './mirroring.ts';

let directory: string;
let server: Server;
let received: string[];
let told: MirrorEvent[];
let mirroring: Mirroring | undefined;
let log: Log;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'glasshouse-mirroring-'));
  mkdirSync(join(directory, 'wal'));
  [received, told] = [[], []];
  server = createServer((request, response) => {
    void buffer(request).then((body) => {
      received.push(...body.toString().trimEnd().split('\n'));
      response.writeHead(202).end('{"successful_rows":1,"quarantined_rows":0}');
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  log = new Log({
    directory: join(directory, 'wal'),
    node: 1,
    maxSegmentRows: 1e6,
    maxSegmentBytes: 1e8,
    now: Date.now,
  });
});

afterEach(async () => {
  await mirroring?.close();
  server.closeAllConnections();
  server.close();
  rmSync(directory, { recursive: true, force: true });
});

function open(): Mirroring {
  const { port } = server.address() as AddressInfo;
  const mirror = { tenant: 'acme', url: `http://127.0.0.1:${port}`, limitBytes: 1 << 30, paused: false };
  const source = { id: 'a', name: 'events' };
  mirroring = new Mirroring({
    directory: join(directory, 'mirror'),
    allow: new Set([`127.0.0.1:${port}`]),
    maxMs: 5_000,
    reserveBytes: 0,
    mirrors: {
      isKnown: true,
      size: 1,
      list: () => [{ ...mirror, sources: [], percent: 100 }] as never,
      tokenOf: () => 'p.token',
    },
    switches: { find: () => undefined },
    catalog: { dataSources: () => [source] as never },
    onEvent: (event) => told.push(event),
  });
  return mirroring;
}

/** Hands a segment of one event over, and resolves when it is. */
async function handOver(line: string): Promise<void> {
  const reader = new EventsReader({ maxBodyBytes: 1e7, retentionMs: undefined, maxAheadMs: 1e9, now: Date.now });
  const bytes = Buffer.from(line);
  const shared = new SharedArrayBuffer(bytes.length + 64);
  Buffer.from(shared).set(bytes);
  reader.decode({
    tenant: 'acme',
    dataSource: 'a',
    importId: 'i',
    filter: '',
    coding: 'identity',
    buffer: shared,
    length: bytes.length,
  });
  await log.commit([reader.block]);
  log.seal();
  const [segment] = log.takeSealed();
  if (segment === undefined) throw new Error('no segment');
  const taken: SegmentInfo[] = [];
  const inner = {
    insert: (one: SegmentInfo) => {
      taken.push(one);
      return Promise.resolve();
    },
    complete: () => expect.unreachable(),
  };
  await mirroring?.before(inner).insert(segment);
  expect(taken).toEqual([segment]);
}

const lost = (): number => told.filter(({ kind }) => kind === 'lost').length;

/** A file stands where the folder was. */
function breakFolder(): void {
  rmSync(join(directory, 'mirror'), { recursive: true, force: true });
  writeFileSync(join(directory, 'mirror'), '');
}

const mendFolder = (): void => rmSync(join(directory, 'mirror'));

describe('a folder that cannot be read', { timeout: 20_000 }, () => {
  it('when the thread is started again holds nobody up, and is tried until it can', async () => {
    const opened = open();
    await handOver('{"n":1}');
    await expect.poll(() => received, { timeout: 10_000 }).toEqual(['{"n":1}']);
    breakFolder();
    const { worker } = opened as unknown as { worker: Worker };
    await worker.terminate();
    // Of its end, and of two starts that failed.
    await expect.poll(lost, { timeout: 10_000 }).toBe(3);
    await handOver('{"n":2}');
    expect(told.filter(({ kind }) => kind === 'missed')).toHaveLength(1);
    expect(opened.missedSegments).toBe(1);
    mendFolder();
    await expect.poll(() => readdirSync(directory), { timeout: 10_000 }).toContain('mirror');
    await expect.poll(() => readdirSync(join(directory, 'mirror')), { timeout: 10_000 }).toContain('installation');
    await handOver('{"n":3}');
    await expect.poll(() => received, { timeout: 10_000 }).toEqual(['{"n":1}', '{"n":3}']);
  });

  it('when the server starts lets it start, and is tried until it can', async () => {
    breakFolder();
    open();
    await expect.poll(lost, { timeout: 10_000 }).toBe(2);
    mendFolder();
    await expect.poll(() => readdirSync(directory), { timeout: 10_000 }).toContain('mirror');
    await expect.poll(() => readdirSync(join(directory, 'mirror')), { timeout: 10_000 }).toContain('installation');
    await handOver('{"n":4}');
    await expect.poll(() => received, { timeout: 10_000 }).toEqual(['{"n":4}']);
  });

  it('is not tried any more by a server that ends', async () => {
    breakFolder();
    await open().close();
    mirroring = undefined;
    mendFolder();
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(readdirSync(directory)).not.toContain('mirror');
    expect(lost()).toBe(1);
  });
});
