/**
 * Events of a sender that does not wait for anybody: one request after the other, each repeated while the server says "later",
 * as its clients do. For tests of what must not stop while something else is done.
 *
 * Must stay true: a row counts as sent when it was acknowledged, and never before.
 */

import { setTimeout as pause } from 'node:timers/promises';
import type { Workspace } from './workspace.ts';
import { call } from './workspace.ts';

const LATER: ReadonlySet<number> = new Set([429, 503]);
const RETRY_MS = 100;
const GIVE_UP_MS = 60_000;

export interface Stream {
  /** Rows that were acknowledged so far. */
  readonly sent: number;
  /** Ends it. Resolves with the rows that were acknowledged; rejects if a request was refused for good. */
  stop(): Promise<number>;
}

/** Posts NDJSON and resolves when it is acknowledged, whether stored already or not. */
export async function send(workspace: Workspace, name: string, body: string): Promise<void> {
  const deadline = Date.now() + GIVE_UP_MS;
  for (;;) {
    const answer = await call(workspace, `POST /v0/events?name=${name}`, { body });
    if (answer.status === 202) return;
    if (!LATER.has(answer.status) || Date.now() > deadline)
      throw new Error(`cannot post to ${name}: ${answer.status} ${answer.text.slice(0, 500)}`);
    await pause(RETRY_MS);
  }
}

/** Sends `size` rows at a time, without end; `row` makes the one of a number. */
export function startStream(workspace: Workspace, name: string, size: number, row: (number: number) => object): Stream {
  let sent = 0;
  const ended = new AbortController();
  const run = async (): Promise<void> => {
    while (!ended.signal.aborted) {
      const rows = Array.from({ length: size }, (_, index) => JSON.stringify(row(sent + index)));
      await send(workspace, name, `${rows.join('\n')}\n`);
      sent += size;
    }
  };
  const running = run();
  // Whoever stops it hears of it.
  running.catch(() => undefined);
  return {
    get sent() {
      return sent;
    },
    stop: async () => {
      ended.abort();
      await running;
      return sent;
    },
  };
}
