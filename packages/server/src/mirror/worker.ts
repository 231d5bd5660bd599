/**
 * The thread of the mirror. It is one of its own because reading segments takes the processor, and nobody who sends data is to wait for
 * that; its file operations are synchronous for the same reason.
 */

import { parentPort, workerData } from 'node:worker_threads';
import { invariant } from '@glasshouse/model';
import type { FromOutbox, OutboxOptions, ToOutbox } from './messages.ts';
import { Outbox } from './outbox.ts';
import { Poster } from './post.ts';

invariant(parentPort !== null, 'the thread of the mirror was started outside of a worker thread');
const port = parentPort;
const { allow, maxMs, ...options } = workerData as OutboxOptions;
const now = (): number => Date.now();
const poster = new Poster({ reach: { allow, setting: 'GLASSHOUSE_MIRROR_ALLOW' }, maxMs, now });
const outbox = new Outbox({
  ...options,
  post: poster.post,
  now,
  random: Math.random,
  tell: (message: FromOutbox) => {
    port.postMessage(message, []);
    if (message.kind !== 'stopped') return;
    poster.close();
    port.close();
  },
});
port.on('message', (message: ToOutbox) => outbox.handle(message));
