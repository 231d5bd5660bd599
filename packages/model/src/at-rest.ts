/**
 * Memory that the start of a thread leaves behind: some 5 to 20 MB of modules' sources and of what was made while they were loaded,
 * which nothing would collect without traffic. Every thread has a heap of its own.
 */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const AT_REST_MS = 1_000;

/** Collects this thread's heap once, a moment from now, and gives its memory back. */
export function collectAtRest(): void {
  setTimeout(() => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as (options: {
      type: 'major';
      execution: 'async';
      flavor: 'last-resort';
    }) => void;
    collect({ type: 'major', execution: 'async', flavor: 'last-resort' });
  }, AT_REST_MS).unref();
}
