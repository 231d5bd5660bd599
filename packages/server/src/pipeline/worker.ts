/**
 * The ingest worker: decodes requests into blocks and commits them to the log. It is a thread of its own, so that neither the
 * listeners' event loop nor what the server computes can delay an acknowledgement.
 *
 * Group commit without a timer: while one commit is synced the next requests are decoded. They are the next commit as soon as the disk
 * is free and no further request waits, or enough is decoded.
 *
 * Must stay true: messages take effect in the order in which they came. One commit at a time.
 */

import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { collectAtRest, invariant, messageOf, toAppError } from '@glasshouse/model';
import { FACT_TABLES, GENERATIONS } from '@glasshouse/schema';
import { Log } from '../wal/log.ts';
import type { Commit } from '../wal/log.ts';
import { CallsUnknown } from '../generations/maker.ts';
import { Held } from './held.ts';
import type { Answer, FromWorker, RequestMessage, ToWorker, WorkerOptions } from './messages.ts';
import { Readers } from './readers.ts';

/** Decoded bytes after which a commit starts although more requests wait: bounds the time that the first one waits. */
const COMMIT_BYTES = 1 << 20;
/** Decoded bytes with which the next request waits for the commit before: bounds what the blocks hold. */
const MAX_PENDING_BYTES = 8 << 20;
/** Days that the blocks may span before they are committed: keeps one sender's old data from filling others' frames. */
const COMMIT_DAYS = 100;
const FACTS = new Set(FACT_TABLES.map(({ name }) => name));

invariant(parentPort !== null, 'the ingest worker was started outside of a worker thread');
run(parentPort, workerData as WorkerOptions);
collectAtRest();

/** A request that is decoded and waits for its commit. */
interface Pending {
  readonly answer: Answer;
  /** Tables that it has rows for. */
  readonly tables: readonly string[];
  /** Why its generations are gone, if they were made beside a commit that lost those before them. */
  lost?: unknown;
}

function run(port: NonNullable<typeof parentPort>, options: WorkerOptions): void {
  const now = (): number => Date.now();
  const log = new Log({ ...options, now, gathers: FACTS });
  const readers = new Readers({ ...options, now });
  readers.areCallsUnknown = true;
  /** Buffers of the main thread, by id. */
  const bodies = new Map<number, SharedArrayBuffer>();
  /** Messages that came and were not taken yet. */
  let inbox: ToWorker[] = [];
  const held = new Held(options.maxHeldBytes, () => {
    overdue('they have waited for as long as they may');
    wake();
  });
  let pending: Pending[] = [];
  let pendingBytes = 0;
  let isSyncing = false;
  let isSealWanted = false;
  let isStepping = false;

  const post = (message: FromWorker): void => port.postMessage(message);

  /** The next message, if it may be taken now. */
  const next = (): ToWorker | undefined => {
    if (inbox.length === 0) {
      const received = receiveMessageOnPort(port);
      if (received !== undefined) inbox.push(received.message as ToWorker);
    }
    // It ends the worker, so nothing may be left waiting.
    if (inbox[0]?.kind === 'stop') release();
    const [first] = inbox;
    return first !== undefined && mayTake(first) ? first : undefined;
  };

  const mayTake = ({ kind }: ToWorker): boolean => {
    if (kind === 'request') return pendingBytes < MAX_PENDING_BYTES && readers.days <= COMMIT_DAYS;
    return (kind !== 'settle' && kind !== 'stop') || (!isSyncing && pending.length === 0);
  };

  /** Takes one message. Others follow in steps of their own, because only between them the loop hears that a sync is over. */
  const step = (): void => {
    isStepping = false;
    const message = next();
    if (message !== undefined) {
      inbox.shift();
      take(message);
    }
    if (!isSyncing && pending.length > 0 && (pendingBytes >= COMMIT_BYTES || next() === undefined)) void commit();
    if (!isSyncing && pending.length === 0) sealWanted();
    if (next() !== undefined) {
      isStepping = true;
      setImmediate(step);
    }
  };

  const take = (message: ToWorker): void => {
    switch (message.kind) {
      case 'request':
        if (message.buffer !== undefined) bodies.set(message.body, message.buffer);
        request(message);
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
        if (message.areAll) release();
        return;
      case 'seal':
        isSealWanted = true;
        return;
      case 'settle':
        settle(message.skipTo);
        return;
      case 'stop':
        log.close();
        announceSealed();
        post({ kind: 'stopped' });
        port.close();
        return;
    }
  };

  const request = (message: RequestMessage): void => {
    const body = bodies.get(message.body);
    const decoded = decodeOne(readers, message, body);
    if (decoded !== undefined) {
      pending.push(decoded);
      pendingBytes += message.length;
    } else if (!held.add(message, body?.byteLength ?? 0)) {
      inbox.unshift(message);
      overdue('there is no room for more of them');
    }
  };

  /** Requests with calls wait no longer: what is known of the calls of before the start has to do. */
  const overdue = (why: string): void => {
    release();
    post({ kind: 'overdue', why });
  };

  /** Takes the requests that wait, before all others. */
  const release = (): void => {
    readers.areCallsUnknown = false;
    inbox = [...held.take(), ...inbox];
  };

  const commit = async (): Promise<void> => {
    const startedAt = performance.now();
    const group = pending;
    pending = [];
    pendingBytes = 0;
    isSyncing = true;
    const committing = log.commit(readers.blocks);
    const spent = readers.sent();
    for (const block of readers.blocks) block.reset();
    const { bytes, failures, segments } = await committing;
    isSyncing = false;
    lose(failures);
    const answers = group.map((one) => outcomeOf(one, failures, segments));
    const [failed] = failures.entries();
    const failure = failed === undefined ? {} : { failure: `${failed[0]}: ${messageOf(failed[1])}` };
    const syncMs = performance.now() - startedAt;
    const counted = failures.has(GENERATIONS.name) ? [] : spent;
    post({ kind: 'committed', answers, openRows: log.openRows, bytes, syncMs, spent: counted, ...failure });
    sealWanted();
    wake();
  };

  const wake = (): void => {
    if (!isStepping) step();
  };

  /** What was made beside a commit that lost generations may be marked as duplicates of these: it is to be sent again too. */
  const lose = (failures: Commit['failures']): void => {
    if (!failures.has(GENERATIONS.name)) return readers.kept();
    readers.lost();
    const error = failures.get(GENERATIONS.name);
    for (const one of pending) if (one.tables.includes(GENERATIONS.name)) one.lost = error;
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

  /** Seals what is durable, if that was asked for, and tells what was sealed. */
  const sealWanted = (): void => {
    if (isSealWanted) log.seal();
    isSealWanted = false;
    announceSealed();
  };

  const announceSealed = (): void => {
    const segments = log.takeSealed();
    if (segments.length > 0) post({ kind: 'sealed', segments, openRows: log.openRows });
  };

  port.on('message', (message: ToWorker) => {
    inbox.push(message);
    wake();
  });
}

/** Undefined if it has to be known first which calls there were before the start; then nothing of the request was taken. */
function decodeOne(
  readers: Readers,
  message: RequestMessage,
  buffer: SharedArrayBuffer | undefined,
): Pending | undefined {
  const { id } = message;
  const before = readers.blocks.map((block) => block.rows);
  try {
    invariant(buffer, `no buffer ${message.body}`);
    const answer = { id, ...readers.decode(message.request, buffer, message.length) };
    const touched = readers.blocks.filter((block, index) => block.rows !== before[index]);
    return { answer, tables: touched.map((block) => block.table.name) };
  } catch (error) {
    if (error instanceof CallsUnknown) return undefined;
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
  { answer, tables, lost }: Pending,
  failures: ReadonlyMap<string, unknown>,
  segments: ReadonlyMap<string, bigint>,
): Answer {
  const failed = tables.find((table) => failures.has(table));
  if (failed === undefined && lost === undefined) {
    // Generations are made besides, unless nothing else is.
    const own = tables.length === 1 ? tables : tables.filter((table) => table !== GENERATIONS.name);
    const segment = own.length === 1 ? segments.get(own[0] as string) : undefined;
    return segment === undefined ? answer : { ...answer, segment };
  }
  const error = failed === undefined ? lost : failures.get(failed);
  const isFull = (error as NodeJS.ErrnoException).code === 'ENOSPC';
  const why = isFull ? 'the disk is full' : messageOf(error);
  return { ...answer, accepted: 0, error: { code: 'unavailable', message: `cannot store the request: ${why}` } };
}
