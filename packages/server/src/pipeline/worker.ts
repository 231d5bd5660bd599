/**
 * The ingest worker: decodes requests into blocks and commits them to the log. It is a thread of its own, and its file
 * operations are synchronous, so that neither the listeners' event loop nor the thread pool can delay an acknowledgement.
 *
 * Group commit without a timer: whatever arrived while the last commit was syncing is decoded and committed together.
 */

import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { collectAtRest, invariant, messageOf, toAppError } from '@glasshouse/model';
import { GENERATIONS } from '@glasshouse/schema';
import { Log } from '../wal/log.ts';
import type { Answer, FromWorker, RequestMessage, ToWorker, WorkerOptions } from './messages.ts';
import { Readers } from './readers.ts';

/** Decoded bytes after which a commit starts although more requests wait: bounds the time that the first one waits. */
const COMMIT_BYTES = 8 << 20;
/** Days that the blocks may span before they are committed: keeps one sender's old data from filling others' frames. */
const COMMIT_DAYS = 100;

invariant(parentPort !== null, 'the ingest worker was started outside of a worker thread');
run(parentPort, workerData as WorkerOptions);
collectAtRest();

/** A request that is decoded and waits for its commit. */
interface Pending {
  readonly answer: Answer;
  /** Tables that it has rows for. */
  readonly tables: readonly string[];
}

function run(port: NonNullable<typeof parentPort>, options: WorkerOptions): void {
  const now = (): number => Date.now();
  const log = new Log({ ...options, now });
  const readers = new Readers({ ...options, now });
  let pending: Pending[] = [];
  let pendingBytes = 0;

  /** Buffers of the main thread, by id. */
  const bodies = new Map<number, SharedArrayBuffer>();

  const post = (message: FromWorker): void => port.postMessage(message);

  const handle = (message: ToWorker): void => {
    switch (message.kind) {
      case 'request':
        if (readers.days > COMMIT_DAYS) commit();
        if (message.buffer !== undefined) bodies.set(message.body, message.buffer);
        pending.push(decodeOne(readers, message, bodies.get(message.body)));
        pendingBytes += message.length;
        return;
      case 'forget':
        bodies.delete(message.body);
        return;
      case 'policies':
        readers.redactor.take(message.redaction);
        return;
      case 'prices':
        readers.price(message.known);
        return;
      case 'calls':
        readers.remember(message.calls);
        return;
      case 'seal':
        commit();
        log.seal();
        return;
      case 'settle':
        commit();
        settle(message.skipTo);
        return;
      case 'stop':
        commit();
        log.close();
        announceSealed();
        post({ kind: 'stopped' });
        port.close();
        return;
    }
  };

  const commit = (): void => {
    if (pending.length === 0) return;
    const startedAt = performance.now();
    const { bytes, failures, segments } = log.commit(readers.blocks);
    const spent = readers.committed(failures);
    for (const block of readers.blocks) block.reset();
    const answers = pending.map((one) => outcomeOf(one, failures, segments));
    const [failed] = failures.entries();
    const failure = failed === undefined ? {} : { failure: `${failed[0]}: ${messageOf(failed[1])}` };
    pending = [];
    pendingBytes = 0;
    const syncMs = performance.now() - startedAt;
    post({ kind: 'committed', answers, openRows: log.openRows, bytes, syncMs, spent, ...failure });
  };

  const settle = (skipTo: bigint | undefined): void => {
    let answer: Extract<FromWorker, { kind: 'settled' }>;
    try {
      answer = { kind: 'settled', skipped: skipTo !== undefined && log.skipIds(skipTo) };
    } catch (error) {
      answer = { kind: 'settled', skipped: false, error: messageOf(error) };
    }
    log.seal();
    announceSealed();
    post(answer);
  };

  const announceSealed = (): void => {
    const segments = log.takeSealed();
    if (segments.length > 0) post({ kind: 'sealed', segments, openRows: log.openRows });
  };

  port.on('message', (first: ToWorker) => {
    handle(first);
    for (;;) {
      if (pendingBytes >= COMMIT_BYTES) commit();
      const next = receiveMessageOnPort(port);
      if (next === undefined) break;
      handle(next.message as ToWorker);
    }
    commit();
    announceSealed();
  });
}

function decodeOne(readers: Readers, message: RequestMessage, buffer: SharedArrayBuffer | undefined): Pending {
  const { id } = message;
  const before = readers.blocks.map((block) => block.rows);
  try {
    invariant(buffer, `no buffer ${message.body}`);
    const answer = { id, ...readers.decode(message.request, buffer, message.length) };
    const touched = readers.blocks.filter((block, index) => block.rows !== before[index]);
    return { answer, tables: touched.map((block) => block.table.name) };
  } catch (error) {
    const { code, message: text } = toAppError(error);
    const refused = { id, accepted: 0, rejected: 0, reasons: [], message: '', error: { code, message: text } };
    return { answer: refused, tables: [] };
  }
}

/**
 * The answer after the commit. A request with rows for a table that failed is to be sent again. If it has rows for other
 * tables too (only metrics do), those are stored already, and sending it again stores them twice: doubled points of a few
 * tables, at the moment that a disk fills up, are better than lost ones of another.
 */
function outcomeOf(
  { answer, tables }: Pending,
  failures: ReadonlyMap<string, unknown>,
  segments: ReadonlyMap<string, bigint>,
): Answer {
  const failed = tables.find((table) => failures.has(table));
  if (failed === undefined) {
    // Generations are made besides, unless nothing else is.
    const own = tables.length === 1 ? tables : tables.filter((table) => table !== GENERATIONS.name);
    const segment = own.length === 1 ? segments.get(own[0] as string) : undefined;
    return segment === undefined ? answer : { ...answer, segment };
  }
  const error = failures.get(failed);
  const isFull = (error as NodeJS.ErrnoException).code === 'ENOSPC';
  const why = isFull ? 'the disk is full' : messageOf(error);
  return { ...answer, accepted: 0, error: { code: 'unavailable', message: `cannot store the request: ${why}` } };
}
