/**
 * Populations under `kill -9`: while events come in, a process is killed in the middle of one, and then it is tried again, as a client
 * would. Every acknowledged event is in each target once, and so it is in what is made of a target.
 *
 * GLASSHOUSE_KILL_ROUNDS sets the number of rounds; a few run by default.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Load } from './support/durability-load.ts';
import {
  begin,
  ended,
  POPULATE,
  prepareRound,
  prepareSource,
  retry,
  sumsAstray,
} from './support/durability-populate.ts';
import { KillableServer } from './support/durability-server.ts';

const ROUNDS = Number(process.env['GLASSHOUSE_KILL_ROUNDS'] ?? 3);
const ENV = { GLASSHOUSE_AUTH: 'open', GLASSHOUSE_SEAL_MS: '50', GLASSHOUSE_LOG_LEVEL: 'info' };
/** Who is killed: when the population is under way, or at any time since it was asked for. */
const KILLS = [
  { victim: 'server', isEarly: false },
  { victim: 'server', isEarly: true },
  { victim: 'engine', isEarly: false },
] as const;
const load = new Load(POPULATE);
let dataDir: string;
let server: KillableServer;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'glasshouse-kill-populate-'));
  server = await KillableServer.start(dataDir, ENV);
  await prepareSource(server);
});

afterAll(async () => {
  await server?.end();
  await rm(dataDir, { recursive: true, force: true });
});

test(
  `populates with each event once over ${ROUNDS} kills`,
  { timeout: 30_000 + ROUNDS * 60_000 },
  async ({ annotate }) => {
    const taken: string[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const { victim, isEarly } = KILLS[round % KILLS.length] ?? KILLS[0];
      await prepareRound(server, round);
      load.start(server, 20, 128);
      await pause(1_000);
      const begun = begin(server, round).catch(() => undefined);
      if (!isEarly) await begun;
      await pause(Math.random() * (isEarly ? 2_000 : 1_000));
      server.signal(victim, 'SIGKILL');
      if (victim === 'server') {
        await server.exited();
        await load.stop();
        await begun;
        server = await KillableServer.start(dataDir, ENV);
        load.start(server, 20, 128);
      } else {
        const answer = await begun;
        if (answer !== undefined && answer.status === 200) taken.push(await ended(server, answer));
        await server.caughtUp();
      }
      const steps = await retry(server, round);
      taken.push(`${victim}${isEarly ? ' early' : ''}: ${steps.join(', ')}`);
      await load.stop();
      await server.drained();
      POPULATE.sql = `SELECT hex(batch) AS batch, toUInt32(count()) AS count, toUInt32(uniqExact(item)) AS items FROM rows_${round} GROUP BY batch`;
      const where = `round ${round + 1}: ${taken.at(-1) ?? ''}\n${server.logs()}`;
      expect(await load.verify(server), where).toMatchObject({ lost: 0, doubled: 0, partial: 0, strange: 0 });
      expect(await sumsAstray(server, round), where).toBe(0);
    }
    await annotate(JSON.stringify({ taken, ...(await load.verify(server)) }));
    expect(load.acked).toBeGreaterThan(0);
  },
);
