/** `stop`: asks the server to end in order, and waits until it has. */

import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '@glasshouse/model';
import { DATA_OPTIONS } from '../args.ts';
import type { Command } from '../command.ts';
import { logPath } from '../log-file.ts';
import { durationText } from '../output.ts';
import { isAlive, removePidFile, runningServer } from '../process.ts';
import { dataDirOf } from '../target.ts';

const DEADLINE_MS = 30_000;
const POLL_MS = 50;

export const stop: Command = {
  name: 'stop',
  summary: 'stop the server; what it acknowledged is on disk',
  usage: '',
  description: [
    'Sends SIGTERM to the server of the data directory and waits up to 30 s. The server answers what it has begun and hands ' +
      'its log over to the store; what is left of the log is handed over at the next start. If nothing runs, that is fine too.',
  ],
  options: DATA_OPTIONS,
  positionals: 0,
  examples: [
    { command: 'glasshouse stop', what: 'stop the server of ./data' },
    { command: 'glasshouse stop --data-dir /var/lib/glasshouse', what: 'stop another one' },
  ],
  more: 'ARCHITECTURE.md, about durability',
  run: async ({ env, output, now }, args) => {
    const dataDir = dataDirOf(env, args);
    const record = runningServer(dataDir);
    if (record === undefined) {
      if (args.flag('json')) output.json({ stopped: false, running: false, dataDir });
      else output.line(`No server runs on ${dataDir}.`);
      return 0;
    }
    const { pid } = record;
    const startedMs = now();
    signal(pid);
    const progress = output.progress(now);
    try {
      while (isAlive(record)) {
        const passedMs = now() - startedMs;
        if (passedMs > DEADLINE_MS) {
          throw new AppError(
            'timeout',
            `process ${pid} has not stopped after ${durationText(DEADLINE_MS)}.\n` +
              `Look at ${logPath(dataDir)} for the reason, and wait, or end it with: kill -9 ${pid}\n` +
              'Nothing that was acknowledged is lost by that: the next start finds it in the write-ahead log.',
          );
        }
        progress.update(`Stopping process ${pid} … ${Math.floor(passedMs / 1000)} s`);
        await sleep(POLL_MS);
      }
    } finally {
      progress.end();
    }
    removePidFile(dataDir, pid);
    const tookMs = now() - startedMs;
    if (args.flag('json')) output.json({ stopped: true, running: false, pid, tookMs, dataDir });
    else output.line(`Stopped process ${pid} (${durationText(tookMs)}).`);
    return 0;
  },
};

function signal(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ESRCH') return;
    throw new AppError('forbidden', `cannot stop process=${pid}: ${(cause as Error).message}`, { cause });
  }
}
