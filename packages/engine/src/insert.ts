/**
 * Runs INSERT with data: the body becomes a spool file that the engine reads itself (FROM INFILE). Separate because a body
 * of any format and size must neither pass through memory nor be re-encoded on the way.
 *
 * Must stay true: the spool file is gone when the request ends, and none survives a restart.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { decodingFailure, spool, type InsertData } from './body.ts';
import type { Summary } from './answer.ts';
import { Exception, toException } from './exception.ts';
import { cancellable, type Run } from './query.ts';
import { quoteString } from './sessions.ts';
import type { InsertStatement } from './statement.ts';

/** Empties and makes the spool folder. Call before the first request. */
export function prepareSpool(spoolDir: string): void {
  rmSync(spoolDir, { recursive: true, force: true });
  mkdirSync(spoolDir, { recursive: true, mode: 0o700 });
}

/** Spools `data`, inserts it, and says what was written. Rejects with an Exception; then nothing or whole blocks are stored. */
export async function runInsert(
  run: Run,
  statement: InsertStatement,
  data: InsertData,
  spoolDir: string,
): Promise<Summary> {
  const path = join(spoolDir, randomUUID());
  try {
    // Spooling comes before the slot: a slow sender holds no place.
    await spool(data, path, run.signal).catch((error: unknown) => {
      throw spoolFailure(error, run.signal);
    });
    const slot = await run.slots.acquire(run.signal);
    try {
      return await run.sessions.run(run.state, run, async (execute, mark) => {
        const file = `FROM INFILE ${quoteString(path)} COMPRESSION ${quoteString(data.compression ?? 'none')}`;
        const sql = `${statement.before}\n${file}\n${statement.settings}\nFORMAT ${statement.format}`;
        const result = await cancellable(run, mark, execute(sql));
        return {
          read_rows: String(result.rowsRead),
          read_bytes: String(result.bytesRead),
          written_rows: String(result.rowsRead),
          written_bytes: String(result.bytesRead),
          elapsed_ns: String(Math.round(result.elapsed * 1e9)),
        };
      });
    } finally {
      slot.release();
    }
  } catch (error) {
    throw withoutPath(toException(error), path);
  } finally {
    await rm(path, { force: true });
  }
}

function spoolFailure(error: unknown, signal: AbortSignal): Exception {
  if (signal.aborted) {
    return new Exception(394, 'QUERY_WAS_CANCELLED', 'The client went away before the data was complete', {
      cause: error,
    });
  }
  if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') {
    return new Exception(243, 'NOT_ENOUGH_SPACE', 'Cannot keep the data: no space left on device', { cause: error });
  }
  return decodingFailure(error);
}

/** Takes the spool file's name out of the engine's text: it means nothing to the client, who sent a body. */
function withoutPath(exception: Exception, path: string): Exception {
  if (!exception.message.includes(path)) return exception;
  const message = exception.message
    .replaceAll(`: (in file/uri ${path})`, '')
    .replaceAll(`While reading from: ${path}: `, '')
    .replaceAll(path, 'the request body');
  return new Exception(exception.number, exception.type, message, { cause: exception });
}
