/**
 * The ingest worker: decodes requests into blocks and commits them to the log. It is a thread of its own, and its file
 * operations are synchronous, so that neither the listeners' event loop nor the thread pool can delay an acknowledgement.
 *
 * Group commit without a timer: whatever arrived while the last commit was syncing is decoded and committed together.
 */

import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { invariant, toAppError } from '@glasshouse/model';
import { Log } from '../wal/log.ts';
import { Decoder } from './decode.ts';
import type { Answer, FromWorker, ToWorker, WorkerOptions } from './messages.ts';

/** Decoded bytes after which a commit starts although more requests wait: bounds the time that the first one waits. */
const COMMIT_BYTES = 8 << 20;

invariant(parentPort !== null, 'the ingest worker was started outside of a worker thread');
run(parentPort, workerData as WorkerOptions);

function run(port: NonNullable<typeof parentPort>, options: WorkerOptions): void {
  const now = (): number => Date.now();
  const log = new Log({ ...options, now });
  const decoder = new Decoder({ ...options, now });
  let answers: Answer[] = [];
  let pendingBytes = 0;

  const post = (message: FromWorker, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);

  const handle = (message: ToWorker): void => {
    switch (message.kind) {
      case 'request':
        answers.push(decodeOne(decoder, message));
        pendingBytes += message.length;
        return;
      case 'seal':
        commit();
        log.seal();
        return;
      case 'stop':
        commit();
        log.seal();
        announceSealed();
        post({ kind: 'stopped' });
        port.close();
        return;
    }
  };

  const commit = (): void => {
    if (answers.length === 0) return;
    const startedAt = performance.now();
    let bytes = 0;
    let outcome = answers;
    try {
      bytes = log.commit(decoder.blocks);
    } catch (error) {
      outcome = answers.map((answer) => unstored(answer, error));
    }
    for (const block of decoder.blocks) block.reset();
    answers = [];
    pendingBytes = 0;
    const syncMs = performance.now() - startedAt;
    post(
      { kind: 'committed', answers: outcome, openRows: log.openRows, bytes, syncMs },
      outcome.map((answer) => answer.buffer),
    );
  };

  const announceSealed = (): void => {
    const segments = log.takeSealed();
    if (segments.length > 0) post({ kind: 'sealed', segments, openRows: log.openRows });
  };

  port.on('message', (first: ToWorker) => {
    handle(first);
    for (;;) {
      if (pendingBytes >= COMMIT_BYTES) commit();
      const next = receiveMessageOnPort(port) as { message: ToWorker } | undefined;
      if (next === undefined) break;
      handle(next.message);
    }
    commit();
    announceSealed();
  });
}

function decodeOne(decoder: Decoder, message: Extract<ToWorker, { kind: 'request' }>): Answer {
  const { id, buffer } = message;
  try {
    return { id, buffer, ...decoder.decode(message) };
  } catch (error) {
    const { code, message: text } = toAppError(error);
    return { id, buffer, accepted: 0, rejected: 0, reasons: [], message: '', error: { code, message: text } };
  }
}

/** The answer to a request whose commit failed: nothing of it was stored, and it should come again. */
function unstored(answer: Answer, error: unknown): Answer {
  if (answer.error !== undefined) return answer;
  const why = (error as NodeJS.ErrnoException).code === 'ENOSPC' ? 'the disk is full' : toAppError(error).message;
  return { ...answer, accepted: 0, error: { code: 'unavailable', message: `cannot store the request: ${why}` } };
}
