/** The mirror from a segment of the log to a destination that behaves well, badly, and worse; without a thread. */

import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EventsReader } from '../pipeline/events.ts';
import { Log } from '../wal/log.ts';
import type { SegmentInfo } from '../wal/segment.ts';
import type { PlannedSource } from './chosen.ts';
import { chosenOf } from './chosen.ts';
import type { Destination } from './courier.ts';
import type { FromOutbox } from './messages.ts';
import { Outbox } from './outbox.ts';
import { Poster, retryAfterMs } from './post.ts';
import { Queue } from './queue.ts';

interface Received {
  readonly name: string;
  readonly batch: string;
  readonly token: string;
  readonly lines: readonly string[];
}

let directory: string;
let server: Server;
let received: Received[];
let answer: (response: ServerResponse, one: Received) => void;
let opened: Outbox[];
let told: FromOutbox[];
let log: Log;
let posters: Poster[];
const TOKEN = 'p.token-of-the-destination';

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'glasshouse-mirror-'));
  mkdirSync(join(directory, 'wal'));
  [received, opened, told, posters] = [[], [], [], []];
  answer = (response) => response.writeHead(202).end('{"successful_rows":1,"quarantined_rows":0}');
  server = createServer((request, response) => {
    void buffer(request).then((body) => {
      const one = {
        name: new URL(request.url ?? '', 'http://x').searchParams.get('name') ?? '',
        batch: String(request.headers['x-glasshouse-batch']),
        token: String(request.headers.authorization),
        lines: body.toString().trimEnd().split('\n'),
      };
      received.push(one);
      answer(response, one);
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
  for (const outbox of opened) await outbox.stop();
  for (const poster of posters) poster.close();
  server.closeAllConnections();
  server.close();
  rmSync(directory, { recursive: true, force: true });
});

const portOf = (): number => (server.address() as AddressInfo).port;

function open(position = 0n, allow = `127.0.0.1:${portOf()}`): Outbox {
  const reach = { allow: new Set([allow]), setting: 'GLASSHOUSE_MIRROR_ALLOW' };
  const poster = new Poster({ reach, maxMs: 5_000, now: Date.now });
  posters.push(poster);
  const outbox = new Outbox({
    directory,
    position,
    installation: '0123456789abcdef',
    reserveBytes: 0,
    post: poster.post,
    now: Date.now,
    random: () => 0,
    tell: (message) => told.push(message),
  });
  opened.push(outbox);
  return outbox;
}

function destination(change: Partial<Destination> = {}): Destination {
  return {
    tenant: 'acme',
    url: `http://127.0.0.1:${portOf()}`,
    token: TOKEN,
    limitBytes: 1 << 30,
    paused: false,
    ...change,
  };
}

/** A segment with these events of data sources. */
async function segmentOf(
  bodies: readonly {
    readonly id: string;
    readonly body: string;
    readonly filter?: string;
    readonly importId?: string;
  }[],
): Promise<SegmentInfo> {
  const reader = new EventsReader({ maxBodyBytes: 1e7, retentionMs: undefined, maxAheadMs: 1e9, now: Date.now });
  for (const { id, body, filter = '', importId = 'i' } of bodies) {
    const bytes = Buffer.from(body);
    const shared = new SharedArrayBuffer(bytes.length + 64);
    Buffer.from(shared).set(bytes);
    reader.decode({
      tenant: 'acme',
      dataSource: id,
      importId,
      filter,
      coding: 'identity',
      buffer: shared,
      length: bytes.length,
    });
  }
  await log.commit([reader.block]);
  log.seal();
  const [segment] = log.takeSealed();
  if (segment === undefined) throw new Error('no segment');
  return segment;
}

const SOURCE: PlannedSource = { tenant: 'acme', name: 'events', percent: 100, key: '' };
const lines = (from: number, count: number): string =>
  Array.from({ length: count }, (_, index) => `{"n":${from + index}}\n`).join('');
const arrive = (outbox: Outbox, { id, path }: SegmentInfo, plan: Record<string, PlannedSource> = { a: SOURCE }): void =>
  outbox.handle({ kind: 'arrived', segment: { id, path, plan: Object.entries(plan) } });
const sent = (): string[] => received.flatMap((one) => one.lines);
const statusOf = (outbox: Outbox) => outbox.statuses()[0];

describe('what of a segment goes', () => {
  it('is in batches of one data source each, in order and of bounded size', async () => {
    const { path, id } = await segmentOf([
      { id: 'a', body: lines(0, 5) },
      { id: 'b', body: lines(100, 2) },
      { id: 'a', body: lines(5, 3) },
      { id: 'c', body: lines(200, 2) },
    ]);
    const plan = new Map([
      ['a', SOURCE],
      ['b', { ...SOURCE, name: 'others', tenant: 'shop' }],
    ]);
    const { batches } = chosenOf(path, id, plan, 30);
    expect(batches.get('acme')?.map(({ lines: count }) => count)).toEqual([3, 3, 2]);
    expect(
      batches
        .get('acme')
        ?.map(({ body }) => body.toString())
        .join(''),
    ).toBe(lines(0, 8));
    expect(batches.get('shop')).toMatchObject([{ source: 'others', lines: 2 }]);
  });

  it('is a share by a key, the same each time', async () => {
    const body = Array.from({ length: 200 }, (_, index) => `{"user":"u${index % 20}","n":${index}}\n`).join('');
    const { path, id } = await segmentOf([{ id: 'a', body }]);
    const chosen = (percent: number): string =>
      (chosenOf(path, id, new Map([['a', { ...SOURCE, percent, key: 'user' }]])).batches.get('acme') ?? [])
        .map((batch) => batch.body.toString())
        .join('');
    const users = new Set(chosen(30).match(/u\d+/gu));
    expect(users.size).toBeGreaterThan(0);
    expect(users.size).toBeLessThan(20);
    expect(chosen(30).trimEnd().split('\n')).toHaveLength(users.size * 10);
    expect(chosen(30)).toBe(chosen(30));
  });

  it('is without lines of tokens with a write filter, which are counted', async () => {
    const { path, id } = await segmentOf([
      { id: 'a', body: lines(0, 2), filter: 'n < 1' },
      { id: 'a', body: lines(2, 1) },
    ]);
    const { batches, filtered } = chosenOf(path, id, new Map([['a', SOURCE]]));
    expect(batches.get('acme')).toMatchObject([{ lines: 1 }]);
    expect(filtered.get('acme')).toBe(2);
  });

  it('is without what another mirror brought', async () => {
    const { path, id } = await segmentOf([
      { id: 'a', body: lines(0, 2), importId: 'batch-mirror.0123456789abcdef.x.1.0-owner' },
      { id: 'a', body: lines(2, 1), importId: 'batch-mine-owner' },
    ]);
    const { batches } = chosenOf(path, id, new Map([['a', SOURCE]]));
    expect(batches.get('acme')?.map(({ body }) => body.toString())).toEqual(['{"n":2}\n']);
  });

  it('has an event that was sent over several lines in one', async () => {
    const { path, id } = await segmentOf([{ id: 'a', body: '{\n "n": 1,\r\n "t": "x y"\n}' }]);
    const [batch] = chosenOf(path, id, new Map([['a', SOURCE]])).batches.get('acme') ?? [];
    expect(batch?.body.toString().split('\n')).toHaveLength(2);
    expect(JSON.parse(batch?.body.toString() ?? '')).toEqual({ n: 1, t: 'x y' });
  });
});

describe('a mirror', () => {
  it('sends all, each batch under a name of its own', async () => {
    const outbox = open();
    outbox.handle({ kind: 'destinations', destinations: [destination()] });
    arrive(outbox, await segmentOf([{ id: 'a', body: lines(0, 3) }]));
    arrive(outbox, await segmentOf([{ id: 'a', body: lines(3, 2) }]));
    await expect.poll(sent).toHaveLength(5);
    expect(sent().join('\n')).toBe(lines(0, 5).trimEnd());
    expect(received.map(({ name }) => name)).toEqual(['events', 'events']);
    expect(new Set(received.map(({ batch }) => batch)).size).toBe(2);
    expect(received[0]?.batch).toMatch(/^[\w.:-]{1,128}$/u);
    expect(received[0]?.token).toBe(`Bearer ${TOKEN}`);
    await expect.poll(() => statusOf(outbox)).toMatchObject({ sentLines: 5, queuedLines: 0, fault: undefined });
  });

  it('sends again under the same name what was answered with 503, 429 or not at all', async () => {
    const answers = [
      (response: ServerResponse) => response.writeHead(503).end(),
      (response: ServerResponse) => response.writeHead(429, { 'retry-after': '0' }).end(`${TOKEN} is too fast`),
      (response: ServerResponse) => response.destroy(),
    ];
    const good = answer;
    answer = (response, one) => (answers.shift() ?? good)(response, one);
    const outbox = open();
    outbox.handle({ kind: 'destinations', destinations: [destination()] });
    arrive(outbox, await segmentOf([{ id: 'a', body: lines(0, 1) }]));
    await expect.poll(() => statusOf(outbox)?.fault?.reason, { timeout: 10_000 }).toBe('[token] is too fast');
    await expect.poll(() => statusOf(outbox)?.sentLines, { timeout: 10_000 }).toBe(1);
    expect(received).toHaveLength(4);
    expect(new Set(received.map(({ batch }) => batch)).size).toBe(1);
    expect(statusOf(outbox)).toMatchObject({ retries: 3, deadBatches: 0 });
  });

  it.each([400, 403, 404, 413])('puts aside what is answered with %i, and goes on', async (status) => {
    answer = (response, { lines: [first] }) =>
      response.writeHead(first === '{"n":0}' ? status : 202).end(`no: ${TOKEN}`);
    const outbox = open();
    outbox.handle({ kind: 'destinations', destinations: [destination()] });
    arrive(outbox, await segmentOf([{ id: 'a', body: lines(0, 2) }]));
    arrive(outbox, await segmentOf([{ id: 'a', body: lines(2, 1) }]));
    await expect.poll(() => statusOf(outbox)?.sentLines).toBe(1);
    expect(statusOf(outbox)).toMatchObject({ deadBatches: 1, deadQueuedLines: 2, deadLines: 2 });
    expect(told.find(({ kind }) => kind === 'dead')).toMatchObject({
      tenant: 'acme',
      source: 'events',
      fault: { status, reason: 'no: [token]' },
    });
    answer = (response) => response.writeHead(202).end();
    outbox.handle({ kind: 'retry', tenant: 'acme' });
    await expect.poll(() => statusOf(outbox)?.deadBatches).toBe(0);
    expect(received.at(-1)).toEqual(received[0]);
  });

  it('waits on disk while it is paused, and across a restart', async () => {
    const first = open();
    first.handle({ kind: 'destinations', destinations: [destination({ paused: true })] });
    const segment = await segmentOf([{ id: 'a', body: lines(0, 4) }]);
    arrive(first, segment);
    await expect.poll(() => told.some(({ kind }) => kind === 'read')).toBe(true);
    expect(statusOf(first)).toMatchObject({ queuedLines: 4, sentLines: 0 });
    await first.stop();
    const second = open(segment.id);
    second.handle({ kind: 'destinations', destinations: [destination()] });
    await expect.poll(sent).toHaveLength(4);
  });

  it('reads a segment again whose position was not written, and sends it once', async () => {
    const segment = await segmentOf([{ id: 'a', body: lines(0, 4) }]);
    // As a crash leaves it: the queue has the segment, with other lines, and the position is before it.
    const queue = new Queue(join(directory, 'queues', 'acme'), 1 << 30);
    queue.add(segment.id, [{ source: 'events', lines: 1, body: Buffer.from('{"n":9}\n') }], 0);
    const outbox = open();
    outbox.handle({ kind: 'destinations', destinations: [destination()] });
    arrive(outbox, segment);
    await expect.poll(() => statusOf(outbox)?.sentLines).toBe(4);
    expect(sent().join('\n')).toBe(lines(0, 4).trimEnd());
  });

  it('drops the oldest over its limit, counts and tells it', async () => {
    const outbox = open();
    outbox.handle({ kind: 'destinations', destinations: [destination({ paused: true, limitBytes: 200 })] });
    for (let number = 0; number < 10; number++) arrive(outbox, await segmentOf([{ id: 'a', body: lines(number, 1) }]));
    await expect.poll(() => told.filter(({ kind }) => kind === 'read').length).toBe(10);
    const status = statusOf(outbox);
    expect(status?.queuedBytes).toBeLessThanOrEqual(200);
    expect((status?.dropped.limit ?? 0) + (status?.queuedLines ?? 0)).toBe(10);
    await expect.poll(() => told.some(({ kind }) => kind === 'dropped')).toBe(true);
    outbox.handle({ kind: 'destinations', destinations: [destination()] });
    await expect.poll(() => sent().at(-1)).toBe('{"n":9}');
  });

  it('is gone with what waits when it is removed', async () => {
    const outbox = open();
    outbox.handle({ kind: 'destinations', destinations: [destination({ paused: true })] });
    arrive(outbox, await segmentOf([{ id: 'a', body: lines(0, 1) }]));
    await expect.poll(() => statusOf(outbox)?.queuedLines).toBe(1);
    outbox.handle({ kind: 'destinations', destinations: [] });
    expect(outbox.statuses()).toEqual([]);
    expect(readdirSync(join(directory, 'queues'))).toEqual([]);
  });

  it('sends nothing to an address that is not public unless it is allowed', async () => {
    const outbox = open(0n, 'elsewhere:80');
    outbox.handle({ kind: 'destinations', destinations: [destination()] });
    arrive(outbox, await segmentOf([{ id: 'a', body: lines(0, 1) }]));
    await expect.poll(() => statusOf(outbox)?.fault?.reason).toMatch(/not public.*GLASSHOUSE_MIRROR_ALLOW/u);
    expect(received).toEqual([]);
    expect(statusOf(outbox)?.queuedLines).toBe(1);
  });

  it('does not follow redirects, and keeps what waits', async () => {
    answer = (response) => response.writeHead(308, { location: 'http://169.254.169.254/' }).end();
    const outbox = open();
    outbox.handle({ kind: 'destinations', destinations: [destination()] });
    arrive(outbox, await segmentOf([{ id: 'a', body: lines(0, 1) }]));
    await expect.poll(() => statusOf(outbox)?.fault).toMatchObject({ status: 308 });
    expect(statusOf(outbox)?.queuedLines).toBe(1);
  });

  it('sends each batch once while nothing can be noted, as on a full disk', async () => {
    const outbox = open();
    outbox.handle({ kind: 'destinations', destinations: [destination()] });
    mkdirSync(join(directory, 'queues', 'acme', 'sent.json', 'in the way'), { recursive: true });
    const plan = { a: SOURCE, b: { ...SOURCE, name: 'others' } };
    arrive(outbox, await segmentOf(['a', 'b'].map((id) => ({ id, body: lines(0, 1) }))), plan);
    arrive(outbox, await segmentOf([{ id: 'a', body: lines(1, 1) }]), plan);
    await expect.poll(() => statusOf(outbox)).toMatchObject({ sentLines: 3, queuedLines: 0 });
    expect(received.map(({ name }) => name)).toEqual(['events', 'others', 'events']);
  });

  it('gives up what it can neither send nor put aside, counts it, and goes on', async () => {
    answer = (response, { lines: [first] }) => response.writeHead(first === '{"n":0}' ? 400 : 202).end();
    const outbox = open();
    outbox.handle({ kind: 'destinations', destinations: [destination()] });
    const segment = await segmentOf([{ id: 'a', body: lines(0, 2) }]);
    const name = `${segment.id.toString(16).padStart(16, '0')}-0.2.dead`;
    mkdirSync(join(directory, 'queues', 'acme', 'dead', `${name}.new`));
    arrive(outbox, segment);
    arrive(outbox, await segmentOf([{ id: 'a', body: lines(2, 1) }]));
    await expect.poll(() => statusOf(outbox)?.sentLines).toBe(1);
    expect(statusOf(outbox)).toMatchObject({ deadBatches: 0, dropped: { disk: 2 } });
  });

  it('gives up a segment when the position cannot be written, tells it, and goes on', async () => {
    const outbox = open();
    outbox.handle({ kind: 'destinations', destinations: [destination()] });
    mkdirSync(join(directory, 'position.tmp'));
    const segment = await segmentOf([{ id: 'a', body: lines(0, 1) }]);
    arrive(outbox, segment);
    await expect
      .poll(() => told.find(({ kind }) => kind === 'unread'), { timeout: 10_000 })
      .toMatchObject({ id: segment.id, reason: expect.stringContaining('EISDIR') as unknown });
    rmSync(join(directory, 'position.tmp'), { recursive: true });
    arrive(outbox, await segmentOf([{ id: 'a', body: lines(1, 1) }]));
    await expect.poll(() => sent().at(-1)).toBe('{"n":1}');
    expect(new Set(sent()).size).toBe(sent().length);
  });

  it('gives up a segment that cannot be read, and goes on', async () => {
    const outbox = open();
    outbox.handle({ kind: 'destinations', destinations: [destination()] });
    outbox.handle({ kind: 'arrived', segment: { id: 1n, path: join(directory, 'none.gz'), plan: [['a', SOURCE]] } });
    arrive(outbox, await segmentOf([{ id: 'a', body: lines(0, 1) }]));
    await expect.poll(sent, { timeout: 10_000 }).toHaveLength(1);
    expect(told).toContainEqual(expect.objectContaining({ kind: 'unread', id: 1n }));
  });
});

describe('a queue', () => {
  it.each([
    '',
    'no header',
    '{"source":"a"}\n',
    '{"source":"a","lines":1,"bytes":99}\nshort',
    '{"source":"a","lines":1,"bytes":-5}\n',
  ])('drops and counts a file that is none: %j', (content) => {
    const path = join(directory, 'q');
    mkdirSync(path);
    writeFileSync(join(path, '0000000000000001.7.batches'), content);
    writeFileSync(join(path, 'sent.json'), content);
    const queue = new Queue(path, 1 << 20);
    expect(queue.next(9n)).toBeUndefined();
    expect(queue.dropped.damaged).toBe(content === '' ? 0 : 7);
    expect(queue.lines).toBe(0);
  });

  it('goes on behind the batch that was sent last', () => {
    const path = join(directory, 'q');
    const first = new Queue(path, 1 << 20);
    const batches = ['one\n', 'two\n', 'three\n'].map((text) => ({ source: 'a', lines: 1, body: Buffer.from(text) }));
    first.add(7n, batches, 0);
    const one = first.next(7n);
    if (one === undefined) throw new Error('no batch');
    first.done(one);
    const two = new Queue(path, 1 << 20).next(7n);
    expect(two).toMatchObject({ number: 1, body: Buffer.from('two\n') });
    expect(first.next(6n)).toBeUndefined();
  });
});

describe('Retry-After', () => {
  it.each([
    ['2', 2_000],
    ['Sun, 22 Nov 2026 00:00:10 GMT', 10_000],
    ['Sun, 22 Nov 2020 00:00:00 GMT', 0],
    ['999999999', 3_600_000],
    ['soon', undefined],
  ])('is read: %s', (text, expected) => {
    expect(retryAfterMs({ 'retry-after': text }, Date.parse('2026-11-22T00:00:00Z'))).toBe(expected);
  });
});
