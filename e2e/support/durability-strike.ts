/** Kills: of either process at any moment, or exactly where the engine renames a part into place or the log is synced. */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import type { KillableServer } from './durability-server.ts';

export const TARGETS = ['server', 'rename', 'commit', 'rename', 'engine', 'rename', 'both', 'commit'] as const;
export type Target = (typeof TARGETS)[number];

/** Adds to a tally. */
export type Count = (what: string) => void;

/** How long a trap may wait for its system call before an ordinary kill takes its place. */
const TRAP_MS = 4_000;

const hasTrace = spawnSync('strace', ['-V']).status === 0;

/** What a trap waits for: who makes which system calls. */
const TRAPS = {
  rename: { victim: 'engine', calls: 'rename,renameat,renameat2' },
  commit: { victim: 'server', calls: 'fdatasync' },
} as const;

/** Kills a process where one of its threads enters the `nth` of such calls from now, or after a while if none does. */
async function trap(server: KillableServer, name: keyof typeof TRAPS, nth: number, count: Count): Promise<void> {
  const { victim, calls } = TRAPS[name];
  const pid = victim === 'engine' ? server.enginePid : server.pid;
  const inject = `inject=${calls}:signal=SIGKILL:when=${nth}`;
  const options = ['-f', '-qq', '-o', '/dev/null', '-e', `trace=${calls}`, '-e', inject, '-p', String(pid)];
  const tracer = spawn('strace', options, { stdio: 'ignore' });
  // It may be there but not be allowed to look at other processes; then it fails at once.
  const ended = once(tracer, 'exit').then(([code]) => (code === 0 ? 'caught' : 'failed'));
  const how = await Promise.race([ended, pause(TRAP_MS, 'late')]);
  const instead = how === 'late' ? 'that nothing entered' : 'that strace could not set';
  count(how === 'caught' ? `kills at a ${name}` : `kills after a trap for a ${name} ${instead}`);
  if (how !== 'caught') server.signal(victim, 'SIGKILL');
  tracer.kill('SIGKILL');
  await ended;
}

/** Kills what the round is about and says whether the server is among it. */
export async function strike(server: KillableServer, target: Target, count: Count): Promise<boolean> {
  const isTrap = target === 'rename' || target === 'commit';
  if (isTrap && hasTrace) {
    // Counted by thread: an insert renames its parts, one for each day, in one thread.
    await trap(server, target, 1 + Math.floor(Math.random() * (target === 'rename' ? 2 : 20)), count);
    return target === 'commit';
  }
  const hitsEngine = target === 'engine' || target === 'both' || target === 'rename';
  const hitsServer = target === 'server' || target === 'both' || target === 'commit';
  if (hitsEngine) server.signal('engine', 'SIGKILL');
  if (hitsServer) server.signal('server', 'SIGKILL');
  count(isTrap ? `kills at random instead of at a ${target}, for want of strace` : `kills of ${target}`);
  return hitsServer;
}
