/**
 * Memory that the start of a thread leaves behind: some 5 to 20 MB of modules' sources and of what was made while they were loaded,
 * which nothing would collect without traffic. Every thread has a heap of its own.
 */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** The first moment is that of a start without data; until the second what the first users need is made. */
const AT_REST_MS = [1_000, 6_000];

type Collect = (options: { type: 'major'; execution: 'async'; flavor: 'last-resort' }) => void;

/** Collects this thread's heap in the first seconds from now, and gives its memory back. */
export function collectAtRest(): void {
  for (const ms of AT_REST_MS) setTimeout(collect, ms).unref();
}

function collect(): void {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as Collect;
  gc({ type: 'major', execution: 'async', flavor: 'last-resort' });
}
