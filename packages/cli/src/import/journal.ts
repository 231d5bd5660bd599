/**
 * How far the import of a file is: a small file beside it, written anew after every batch that the server has.
 *
 * Must stay true: everything before `offset` is on the server, and its rejected lines are in the first `rejectedBytes` of their
 * file. Whatever lies behind may be there or not, and is sent again under the same names, which the server takes once.
 */

import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { UsageError } from '../errors.ts';
import { whyNot } from '../platform/files.ts';

/** What of a file tells whether it is still the same. */
export interface FileState {
  readonly bytes: number;
  readonly modifiedMs: number;
  /** SHA-256 of the first `headBytes`, in hex. */
  readonly head: string;
  readonly headBytes: number;
}

/** What was counted up to the offset. */
export interface Counts {
  readonly lines: number;
  readonly rows: number;
  readonly rejected: number;
}

export interface Journal {
  /** Of this layout and of how batches are cut: another version would cut them elsewhere. */
  readonly version: 1;
  /** What the names of its batches begin with. */
  readonly id: string;
  readonly file: FileState;
  /** Hash of what decides where rows go and how they look. */
  readonly options: string;
  /** Bytes of the text that are dealt with; of a packed file, of what is in it. */
  readonly offset: number;
  /** Number of the line at the offset. */
  readonly line: number;
  readonly counts: Counts;
  readonly rejectedBytes: number;
  /** Names of the columns that the first line of a CSV file gave. */
  readonly columns: readonly string[] | undefined;
  readonly isDone: boolean;
  /** Before this time, in ms since 1970, nothing of it was sent that may be in doubt. */
  readonly beganMs: number;
}

const HEAD_BYTES = 64 << 10;
/** The server knows the names of batches for 30 days. */
const KNOWN_DAYS = 29;

/** @throws UsageError if it cannot be read */
function stateOf(path: string, headBytes = HEAD_BYTES): FileState {
  try {
    const stat = statSync(path);
    if (!stat.isFile()) throw new Error('it is no file');
    const head = Buffer.alloc(Math.min(headBytes, stat.size));
    const descriptor = openSync(path, 'r');
    try {
      readSync(descriptor, head, 0, head.length, 0);
    } finally {
      closeSync(descriptor);
    }
    const hash = createHash('sha256').update(head).digest('hex');
    return { bytes: stat.size, modifiedMs: Math.floor(stat.mtimeMs), head: hash, headBytes: head.length };
  } catch (cause) {
    throw new UsageError(`cannot read file=${path}: ${whyNot(cause)}`, undefined, cause);
  }
}

export function optionsHash(options: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(options)).digest('hex');
}

export function newJournal(file: FileState, options: string, nowMs: number): Journal {
  return {
    version: 1,
    id: `import-${randomBytes(8).toString('hex')}`,
    file,
    options,
    offset: 0,
    line: 1,
    counts: { lines: 0, rows: 0, rejected: 0 },
    rejectedBytes: 0,
    columns: undefined,
    isDone: false,
    beganMs: nowMs,
  };
}

/** The journal at a path; undefined if there is none. @throws UsageError for one that is damaged */
export function readJournal(path: string): Journal | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw new UsageError(`cannot read journal=${path}: ${whyNot(cause)}`, undefined, cause);
  }
  try {
    const journal = JSON.parse(text) as Partial<Journal> | null;
    const isWhole = [
      journal?.offset,
      journal?.line,
      journal?.rejectedBytes,
      journal?.beganMs,
      journal?.file?.bytes,
    ].every((value) => Number.isSafeInteger(value) && Number(value) >= 0);
    if (journal?.version === 1 && isWhole && typeof journal.id === 'string' && typeof journal.counts === 'object')
      return journal as Journal;
  } catch {
    // Said below.
  }
  throw new UsageError(
    `cannot read journal=${path}: it is none of this version`,
    'finish with the version that began; --restart begins anew, and imports again what is there',
  );
}

/** Replaces the journal at once, and durably. */
export function writeJournal(path: string, journal: Journal): void {
  const next = `${path}.next`;
  const descriptor = openSync(next, 'w', 0o600);
  try {
    writeSync(descriptor, JSON.stringify(journal));
    fsyncSync(descriptor);
  } catch (error) {
    rmSync(next, { force: true });
    throw error;
  } finally {
    closeSync(descriptor);
  }
  renameSync(next, path);
}

export type Resumption = 'new' | 'resumed' | 'appended' | 'done';

/**
 * Where an import goes on. `path` is the file's, `journal` what an earlier import of it left.
 * @throws UsageError if it cannot go on exactly
 */
export function resume(
  path: string,
  journal: Journal | undefined,
  options: string,
  nowMs: number,
): { readonly how: Resumption; readonly journal: Journal } {
  if (journal === undefined) return { how: 'new', journal: newJournal(stateOf(path), options, nowMs) };
  const refuse = (why: string): never => {
    throw new UsageError(
      `cannot go on with the import of ${path}: ${why}`,
      '--restart begins anew, and imports again what is there; --journal FILE keeps another import apart',
    );
  };
  if (journal.options !== options) refuse('it began with other options, or into another place');
  const file = stateOf(path, journal.file.headBytes);
  if (file.head !== journal.file.head) refuse('it has another beginning now');
  const isSame = file.bytes === journal.file.bytes && file.modifiedMs === journal.file.modifiedMs;
  if (journal.isDone) {
    if (file.bytes === journal.file.bytes) return { how: 'done', journal };
    if (file.bytes < journal.file.bytes || path.endsWith('.gz')) refuse('it has changed since it was imported');
    if (!endsLine(path, journal.offset)) refuse('its last line was not ended when it was imported');
    return { how: 'appended', journal: { ...journal, file: stateOf(path), isDone: false, beganMs: nowMs } };
  }
  if (!isSame) refuse('it has changed since the import began');
  if (nowMs - journal.beganMs > KNOWN_DAYS * 86_400_000)
    refuse(`it began more than ${KNOWN_DAYS} days ago, and the server no longer knows what it has of it`);
  return { how: 'resumed', journal };
}

/** Whether the byte before an offset ends a line. */
function endsLine(path: string, offset: number): boolean {
  if (offset === 0) return true;
  const byte = Buffer.alloc(1);
  const descriptor = openSync(path, 'r');
  try {
    return readSync(descriptor, byte, 0, 1, offset - 1) === 1 && byte[0] === 10;
  } finally {
    closeSync(descriptor);
  }
}
