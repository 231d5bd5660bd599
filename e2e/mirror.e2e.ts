/**
 * The mirror's contract: while the second destination is away, slow or refuses, nobody who sends notices; what was acknowledged is at
 * the second destination afterwards, whatever was killed: at least once, and exactly once where that is another Glasshouse.
 *
 * GLASSHOUSE_MIRROR_DOWN_SECONDS sets how long it is away; a few seconds by default.
 */

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fillDisk, smallDisk } from './support/disk.ts';
import { EVENTS, prepareEvents } from './support/durability-events.ts';
import { Load } from './support/durability-load.ts';
import { KillableServer } from './support/durability-server.ts';
import { ADMIN, control, EventsDouble, freePort, mirrored, mirrorStatus } from './support/mirror.ts';

const DOWN_MS = Number(process.env['GLASSHOUSE_MIRROR_DOWN_SECONDS'] ?? 3) * 1_000;
const TOKEN = 'p.planted-token-of-the-destination';
const NOTHING = { lost: 0, doubled: 0, partial: 0, strange: 0, refused: 0 };

let folders: string[];
let servers: KillableServer[];
let double: EventsDouble;
let unmount: (() => void) | undefined;

beforeEach(async () => {
  [folders, servers] = [[], []];
  double = new EventsDouble(await freePort());
});

afterEach(async () => {
  for (const server of servers) await server.end();
  await double.close();
  unmount?.();
  unmount = undefined;
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'glasshouse-mirror-'));
  folders.push(made);
  return made;
}

async function start(dataDir: string, env: Record<string, string> = {}): Promise<KillableServer> {
  const server = await KillableServer.start(dataDir, {
    GLASSHOUSE_SEAL_MS: '50',
    GLASSHOUSE_ADMIN_TOKEN: ADMIN,
    ...env,
  });
  servers.push(server);
  return server;
}

const toDouble = (): Record<string, string> => ({ GLASSHOUSE_MIRROR_ALLOW: `127.0.0.1:${double.port}` });

/** Every line of a data source and of its quarantine, as it was sent: what was acknowledged, and nothing else. */
async function stored(server: KillableServer): Promise<number> {
  const [row] = await server.sql<{ n: number }>(
    'SELECT toUInt32((SELECT count() FROM kill_events) + (SELECT count() FROM kill_events_quarantine)) AS n',
  );
  return row?.n ?? -1;
}

describe('a mirror', () => {
  it(
    'costs nothing while its destination is away, and catches up, also over a kill',
    { timeout: 180_000 + DOWN_MS },
    async () => {
      const dataDir = await folder();
      let server = await start(dataDir, toDouble());
      await prepareEvents(server);
      await control(server.url, 'PUT /api/v1/mirror', { body: { url: double.url, token: TOKEN } });
      const load = new Load(EVENTS);
      load.start(server, 20);
      await pause(DOWN_MS / 2);
      await expect.poll(async () => (await mirrorStatus(server.url))?.lastError?.reason).toMatch(/ECONNREFUSED/u);
      expect([...load.statuses.keys()]).toEqual([202]);
      server.signal('server', 'SIGKILL');
      await server.exited();
      await load.stop();
      server = await start(dataDir, toDouble());
      load.start(server, 20);
      await pause(DOWN_MS / 2);
      await double.open();
      await load.stop();
      expect([...load.statuses.keys()].filter((status) => status !== 202 && status !== 0)).toEqual([]);
      await server.drained();
      expect(await load.verify(server), server.logs()).toMatchObject(NOTHING);
      await expect.poll(() => double.lines.size, { timeout: 120_000 }).toBe(await stored(server));
      await mirrored(server.url);
      expect([...double.tokens]).toEqual([`Bearer ${TOKEN}`]);
      expect([...double.names]).toEqual(['kill_events']);
      expect(await mirrorStatus(server.url)).toMatchObject({ deadBatches: 0, exactlyOnce: false, lastError: null });
      // Nothing of it is left on the disk.
      await expect.poll(() => readdir(join(dataDir, 'mirror/inbox'))).toEqual([]);
    },
  );

  it('to another server is exact, whichever of both is killed', { timeout: 240_000 }, async () => {
    const [firstDir, secondDir] = [await folder(), await folder()];
    const port = await freePort();
    const fixed = { GLASSHOUSE_PORT: String(port) };
    const allowed = { GLASSHOUSE_MIRROR_ALLOW: `127.0.0.1:${port}` };
    let second = await start(secondDir, fixed);
    let first = await start(firstDir, allowed);
    await prepareEvents(first);
    await prepareEvents(second);
    const { workspace_admin_token: token } = await control<{ workspace_admin_token: string }>(
      second.url,
      'GET /tokens',
    );
    await control(first.url, 'PUT /api/v1/mirror', { body: { url: second.url, token } });
    const load = new Load(EVENTS);
    for (const which of ['second', 'first', 'both']) {
      load.start(first, 20);
      await pause(500 + Math.random() * 1_000);
      const hit = which === 'first' ? [first] : which === 'second' ? [second] : [first, second];
      for (const server of hit) server.signal('server', 'SIGKILL');
      for (const server of hit) await server.exited();
      if (which === 'second') await pause(500);
      await load.stop();
      if (hit.includes(second)) second = await start(secondDir, fixed);
      if (hit.includes(first)) first = await start(firstDir, allowed);
    }
    await first.drained();
    expect(await load.verify(first), first.logs()).toMatchObject(NOTHING);
    await mirrored(first.url, 120_000);
    await second.drained();
    const verdict = await load.verify(second);
    expect(verdict, second.logs()).toMatchObject(NOTHING);
    expect(verdict.acked).toBeGreaterThan(0);
    expect(await stored(second)).toBe(await stored(first));
    expect(await mirrorStatus(first.url)).toMatchObject({ exactlyOnce: true, deadBatches: 0 });
  });

  it('whose disk is full holds nobody up, says what it drops, and recovers', { timeout: 120_000 }, async () => {
    const dataDir = await folder();
    const disk = join(dataDir, 'mirror');
    // More than the margin at which queues give way.
    unmount = smallDisk(disk, 300);
    const server = await start(dataDir, { ...toDouble(), GLASSHOUSE_DISK_RESERVE: '0' });
    await prepareEvents(server);
    await control(server.url, 'PUT /api/v1/mirror', { body: { url: double.url, token: TOKEN } });
    const load = new Load(EVENTS);
    load.start(server, 20);
    await expect
      .poll(async () => (await mirrorStatus(server.url))?.queuedLines, { timeout: 30_000 })
      .toBeGreaterThan(0);
    let free = fillDisk(disk);
    // What is given up makes room, which is taken too.
    const end = Date.now() + DOWN_MS;
    while (Date.now() < end) {
      const before = load.acked;
      await expect.poll(() => load.acked, { timeout: 10_000 }).toBeGreaterThan(before);
      free = fillDisk(disk);
    }
    await expect
      .poll(async () => (await mirrorStatus(server.url))?.dropped['disk'], { timeout: 30_000 })
      .toBeGreaterThan(0);
    await expect.poll(() => server.metric('mirror_missed_segments_total'), { timeout: 30_000 }).toBeGreaterThan(0);
    await load.stop();
    expect([...load.statuses.keys()]).toEqual([202]);
    const logs = server.logs();
    expect(logs).toContain('dropped events that waited for a mirror: its room is full');
    expect(logs.match(/segments are not mirrored/gu)).toHaveLength(1);
    free();
    await double.open();
    const { workspace_admin_token: own } = await control<{ workspace_admin_token: string }>(server.url, 'GET /tokens');
    const line = '{"batch":4294967295,"item":1,"at":"2026-01-01 00:00:00","text":"afterwards"}';
    await fetch(`${server.url}/v0/events?name=kill_counts`, {
      method: 'POST',
      headers: { authorization: `Bearer ${own}` },
      body: line,
    });
    await expect.poll(() => double.lines.get(line), { timeout: 30_000 }).toBe(1);
    await mirrored(server.url);
    expect(server.isRunning).toBe(true);
    await server.drained();
    expect(await load.verify(server), server.logs()).toMatchObject(NOTHING);
    expect(server.logs()).not.toContain('the mirror does not run');
    for (const times of double.lines.values()) expect(times).toBe(1);
  });

  it('shows its token nowhere, and records its changes', async () => {
    const dataDir = await folder();
    const server = await start(dataDir, toDouble());
    await double.open();
    double.refusal = { status: 403, text: `no token ${TOKEN}` };
    await control(server.url, 'PUT /api/v1/mirror', { body: { url: `${double.url}/v0/events`, token: TOKEN } });
    await control(server.url, 'PUT /api/v1/mirror', { body: { percent: 100 } });
    const { workspace_admin_token: own } = await control<{ workspace_admin_token: string }>(server.url, 'GET /tokens');
    await fetch(`${server.url}/v0/events?name=planted&wait=true`, {
      method: 'POST',
      headers: { authorization: `Bearer ${own}` },
      body: '{"n":1}',
    });
    await expect.poll(async () => (await mirrorStatus(server.url))?.deadBatches).toBe(1);
    double.refusal = undefined;
    const listed = JSON.stringify(await control(server.url, 'GET /api/v1/mirror'));
    const recorded = await control<{ entries: readonly { action: string; before: unknown; after: unknown }[] }>(
      server.url,
      'GET /api/v1/audit?action=mirror.set',
    );
    expect(recorded.entries).toMatchObject([
      { action: 'mirror.set', before: { percent: 100 }, after: { percent: 100, url: double.url } },
      { action: 'mirror.set', before: null, after: { url: double.url } },
    ]);
    for (const text of [listed, JSON.stringify(recorded), server.logs()]) expect(text).not.toContain(TOKEN);
    // In the store it is sealed; its files are compressed and would show nothing.
    for (const top of (await readdir(dataDir)).filter((name) => name !== 'engine')) {
      const path = join(dataDir, top);
      const names = await readdir(path, { recursive: true }).catch(() => ['']);
      for (const name of names) {
        const content = await readFile(join(path, name), 'latin1').catch(() => '');
        expect(content.includes(TOKEN), join(top, name)).toBe(false);
      }
    }
    expect(await control(server.url, 'POST /api/v1/mirror/retry')).toEqual({ batches: 1 });
    await expect.poll(() => double.lines.size).toBe(1);
    await control(server.url, 'DELETE /api/v1/mirror');
    await expect.poll(() => readdir(join(dataDir, 'mirror/queues'))).toEqual([]);
  });

  it('sends what redaction left', async () => {
    const server = await start(await folder(), toDouble());
    await double.open();
    await control(server.url, 'PUT /api/v1/redaction', { body: { preset: 'strict' } });
    await control(server.url, 'PUT /api/v1/mirror', { body: { url: double.url, token: TOKEN } });
    const { workspace_admin_token: own } = await control<{ workspace_admin_token: string }>(server.url, 'GET /tokens');
    await fetch(`${server.url}/v0/events?name=planted`, {
      method: 'POST',
      headers: { authorization: `Bearer ${own}` },
      body: '{"n":1,"contact":"alice.planted@example.com"}',
    });
    await expect.poll(() => double.lines.size).toBe(1);
    expect([...double.lines.keys()][0]).toContain('[redacted:email]');
  });
});
