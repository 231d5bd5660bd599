/**
 * Populations under `kill -9`: while events come in, a process is killed in the middle of one, which goes on by itself then, whether a
 * request or a deployment began it. Every acknowledged event is in each target once, and so it is in what is made of a target.
 *
 * GLASSHOUSE_KILL_ROUNDS sets the number of rounds; a few run by default.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Deployed } from './support/durability-deploy.ts';
import { Load } from './support/durability-load.ts';
import {
  begin,
  goneOn,
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
      let steps: readonly string[];
      if (victim === 'server') {
        await server.exited();
        await load.stop();
        await begun;
        server = await KillableServer.start(dataDir, ENV);
        load.start(server, 20, 128);
        steps = await goneOn(server, round);
        expect(steps.join(), server.logs()).toMatch(/^(?:begun anew: )?done(?:,done)*$/u);
      } else {
        const answer = await begun;
        await server.caughtUp();
        // The job waits for the engine and goes on; a request that failed is asked again.
        steps = await (answer?.status === 200 ? goneOn : retry)(server, round);
        expect(steps.join(), server.logs()).not.toMatch(/error|cancelled/u);
      }
      taken.push(`${victim}${isEarly ? ' early' : ''}: ${steps.join(', ')}`);
      await load.stop();
      await server.drained();
      POPULATE.sql = `SELECT hex(batch) AS batch, toUInt32(count()) AS count, toUInt32(uniqExact(item)) AS items FROM rows_${round} GROUP BY batch`;
      const where = `round ${round + 1}: ${taken.at(-1) ?? ''}\n${server.logs()}`;
      const verdict = await load.verify(server).catch((cause: unknown) => {
        throw new Error(`${where}\n${server.logs()}`, { cause });
      });
      expect(verdict, where).toMatchObject({ lost: 0, doubled: 0, partial: 0, strange: 0 });
      expect(await sumsAstray(server, round), where).toBe(0);
    }
    await annotate(JSON.stringify({ taken, ...(await load.verify(server)) }));
    expect(load.acked).toBeGreaterThan(0);
  },
);

test(
  `goes on with what a deployment populates over ${ROUNDS} kills`,
  { timeout: 30_000 + ROUNDS * 120_000 },
  async ({ annotate }) => {
    const taken: string[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const workspace = await Deployed.make(server, `kill_deploy_${round}`);
      workspace.start(server);
      await pause(1_500);
      const begun = workspace.bring(server).catch(() => undefined);
      if (round % 2 === 0) await begun;
      await pause(Math.random() * 1_500);
      server.signal('server', 'SIGKILL');
      await server.exited();
      await Promise.all([begun, workspace.stop()]);
      server = await KillableServer.start(dataDir, ENV);
      workspace.start(server);
      const states = await workspace.settle(server, 2);
      await workspace.stop();
      await server.drained();
      taken.push(states.join());
      expect(states, server.logs()).toEqual(['done', 'done']);
      const { sent, astray } = await workspace.astray(server);
      expect([astray, sent > 0], server.logs()).toEqual([0, true]);
    }
    await annotate(taken.join('; '));
  },
);
