/** The straightforward pipeline as a process of its own: starting it, and asking how much it has stored. */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { FromNaive, NaiveKind, ToNaive } from './naive.ts';

export interface Naive extends AsyncDisposable {
  readonly pid: number;
  readonly port: number;
  /** Ends it; resolves with the number of rows in its table. */
  stop(): Promise<number>;
}

export async function startNaive(dataDir: string, kind: NaiveKind): Promise<Naive> {
  const child = fork(fileURLToPath(new URL('./naive.ts', import.meta.url)));
  const send = (message: ToNaive): void => {
    child.send(message);
  };
  // A signal to it reaches its engine as the end of a channel.
  const kill = (): Promise<void> => {
    child.kill('SIGKILL');
    return Promise.resolve();
  };
  const receive = async (): Promise<FromNaive> => {
    const [message] = (await Promise.race([
      once(child, 'message'),
      once(child, 'exit').then(() => Promise.reject(new Error('cannot compare: the naive pipeline ended'))),
    ])) as [FromNaive];
    return message;
  };
  const ready = receive();
  send({ type: 'open', dataDir, kind });
  const message = await ready;
  if (message.type !== 'ready') throw new Error(`BUG: the naive pipeline said ${message.type} first`);
  return {
    pid: child.pid ?? 0,
    port: message.port,
    [Symbol.asyncDispose]: kill,
    stop: async () => {
      const answer = receive();
      send({ type: 'count' });
      const count = await answer;
      const exited = once(child, 'exit');
      send({ type: 'stop' });
      await exited;
      return count.type === 'rows' ? count.rows : 0;
    },
  };
}
