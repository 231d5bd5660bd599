/**
 * The audit log under `kill -9`: the server is killed again and again while keys, tokens, quotas, prices and secrets are made. Nothing
 * is there that has no row, nothing was acknowledged whose row does not say so, and no row is there twice.
 *
 * GLASSHOUSE_KILL_ROUNDS sets the number of rounds; a few run by default.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ADMIN, Changes, present, recorded } from './support/durability-changes.ts';
import { KillableServer } from './support/durability-server.ts';

const ROUNDS = Number(process.env['GLASSHOUSE_KILL_ROUNDS'] ?? 5);
const ENV = { GLASSHOUSE_AUTH: 'keys', GLASSHOUSE_ADMIN_TOKEN: ADMIN, GLASSHOUSE_LOG_LEVEL: 'info' };
const AT_ONCE = 8;
const UNKNOWN = 'the server ended before it was known what came of it';

const changes = new Changes();
let dataDir: string;
let server: KillableServer;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'glasshouse-kill-audit-'));
  server = await KillableServer.start(dataDir, ENV);
  const headers = { authorization: `Bearer ${ADMIN}` };
  await fetch(`${server.url}/api/v1/admin/tenants`, { method: 'POST', headers, body: '{"name":"changed"}' });
});

afterAll(async () => {
  await server?.end();
  await rm(dataDir, { recursive: true, force: true });
});

test(
  `has a row of every change, once, over ${ROUNDS} kills`,
  { timeout: 60_000 + ROUNDS * 60_000 },
  async ({ annotate }) => {
    for (let round = 0; round < ROUNDS; round++) {
      changes.start(server, AT_ONCE);
      await pause(300 + Math.random() * 900);
      // Sometimes the engine goes first, so that rows wait for the store when the server is killed.
      if (round % 2 === 1) {
        server.signal('engine', 'SIGSTOP');
        await pause(100 + Math.random() * 300);
        server.signal('engine', 'SIGKILL');
      }
      server.signal('server', 'SIGKILL');
      await server.exited();
      await changes.stop();
      server = await KillableServer.start(dataDir, ENV);
      await server.caughtUp();
      const [there, rows] = [await present(server), await recorded(server)];
      const of = (name: string): readonly string[] =>
        rows.flatMap((row) => (row.requestId === name ? [row.outcome] : []));
      expect(
        [...there].filter((name) => of(name).length === 0),
        server.logs(),
      ).toEqual([]);
      const acknowledged = [...changes.answered].filter(([, status]) => status < 300).map(([name]) => name);
      expect(acknowledged.filter((name) => !there.has(name) || of(name).join() !== 'ok')).toEqual([]);
      expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length);
      const once = rows.map(({ requestId, action }) => `${requestId} ${action}`);
      expect(once.filter((row, index) => once.indexOf(row) !== index)).toEqual([]);
      // Nobody was told of what is only known to have begun.
      const unknown = rows.filter(({ message = '' }) => message.includes(UNKNOWN));
      expect(unknown.filter(({ requestId }) => changes.answered.has(requestId))).toEqual([]);
      expect(rows.filter(({ requestId, action }) => changes.sent.get(requestId) !== action)).toEqual([]);
      if (round === ROUNDS - 1) {
        const unacknowledged = [...there].filter((name) => !changes.answered.has(name)).length;
        await annotate(
          `${rows.length} rows of ${changes.sent.size} changes; ${acknowledged.length} acknowledged, ${unacknowledged} made and ` +
            `not acknowledged, ${unknown.length} of unknown outcome`,
        );
      }
      expect(acknowledged.length).toBeGreaterThan(0);
    }
  },
);
