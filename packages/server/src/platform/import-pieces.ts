/**
 * The pieces of a file, from the thread that converts it. One piece at a time: the thread waits while nobody asks.
 *
 * Must stay true: the thread ends with the iteration, however that ends, and when it takes too long or too much memory.
 */

import { once } from 'node:events';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { AppError, messageOf } from '@glasshouse/model';
import type { Conversion } from './import-convert.ts';
import type { PieceMessage } from './import-worker.ts';

/** Memory of a thread beside the buffers of what it reads. */
const HEAP_MB = 1_024;
/** A piece takes a second or less, the row group of a Parquet file some; nothing honest takes this long. */
const PIECE_MS = 120_000;

/** Pieces of NDJSON. Throws AppError: of the file, `timeout`, or `cancelled` when the signal aborts. */
export async function* piecesOf(conversion: Conversion, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  const entry = new URL(`./import-worker${extname(import.meta.url)}`, import.meta.url);
  const worker = new Worker(entry, {
    workerData: conversion,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    // Nothing of the server's settings is any business of the thread.
    env: {},
    stderr: true,
    stdout: true,
  });
  const ended = Promise.withResolvers<never>();
  worker.once('error', (error) => ended.reject(fault(error)));
  worker.once('exit', () => ended.reject(fault(new Error('the thread ended'))));
  ended.promise.catch(() => undefined);
  try {
    for (;;) {
      const message = await next(worker, ended.promise, signal);
      if (message.kind === 'end') return;
      if (message.kind === 'error') throw new AppError(message.code, message.message);
      yield message.bytes;
    }
  } finally {
    await worker.terminate();
  }
}

async function next(worker: Worker, ended: Promise<never>, signal: AbortSignal | undefined): Promise<PieceMessage> {
  const late = AbortSignal.timeout(PIECE_MS);
  const stop = signal === undefined ? late : AbortSignal.any([late, signal]);
  const arrived = once(worker, 'message', { signal: stop }) as Promise<[PieceMessage]>;
  worker.postMessage('next');
  try {
    const [message] = await Promise.race([arrived, ended]);
    return message;
  } catch (error) {
    arrived.catch(() => undefined);
    if (signal?.aborted === true)
      throw new AppError('cancelled', 'cannot finish the import: it was cancelled', { cause: error });
    if (late.aborted)
      throw new AppError('timeout', 'cannot finish the import: reading the file takes too long', { cause: error });
    throw error;
  }
}

function fault(error: unknown): AppError {
  const isFull = (error as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY';
  if (isFull)
    return new AppError('bad_request', 'cannot import the data: reading it takes too much memory', { cause: error });
  return new AppError('internal', `cannot import the data: ${messageOf(error)}`, { cause: error });
}
