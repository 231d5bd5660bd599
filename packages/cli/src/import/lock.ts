/**
 * The lock of an import: a file beside its journal that names who is at it, so that of two commands for the same file the second
 * says so instead of writing the same journal.
 *
 * Must stay true: an importer that was killed holds up nobody, and no two that find its lock both take it. Who runs on another
 * machine cannot be looked up, and is believed to be alive.
 */

import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { AppError } from '@glasshouse/model';
import { UsageError } from '../errors.ts';
import { whyNot } from '../platform/files.ts';
import { isAlive, processMark } from '../process.ts';

interface Owner {
  readonly pid: number;
  /** What tells the process from a later one with the same number. */
  readonly mark: string;
  readonly host: string;
  /** ISO 8601. */
  readonly since: string;
}

const POLL_MS = 20;
/** Nobody needs longer to write a lock, or to remove one: after that its writer was killed at it. */
const INSTANT_MS = 2_000;

/**
 * Takes the lock of the import of `file`, whose journal is at `journal`. Returns what releases it. Rejects with `conflict` while
 * another one has it.
 */
export async function lockImport(file: string, journal: string, nowMs: number): Promise<() => void> {
  const path = `${journal}.lock`;
  const since = new Date(nowMs).toISOString();
  const mine = JSON.stringify({ pid: process.pid, mark: processMark(process.pid), host: hostname(), since });
  while (!make(path, mine)) {
    const text = read(path);
    if (text === undefined) continue;
    const owner = ownerOf(text);
    const isWritten = owner !== undefined || ageMs(path) > INSTANT_MS;
    if (owner !== undefined && (owner.host !== hostname() || isAlive(owner))) throw taken(file, path, owner);
    if (isWritten && make(`${path}.takeover`, '')) {
      // Whoever was here before may have put a lock of their own in its place.
      if (read(path) === text) rmSync(path, { force: true });
      rmSync(`${path}.takeover`, { force: true });
    } else {
      if (ageMs(`${path}.takeover`) > INSTANT_MS) rmSync(`${path}.takeover`, { force: true });
      await pause(POLL_MS);
    }
  }
  return () => {
    if (read(path) === mine) rmSync(path, { force: true });
  };
}

function taken(file: string, path: string, { pid, host, since }: Owner): AppError {
  const isHere = host === hostname();
  return new AppError(
    'conflict',
    `cannot import ${file}: another import of it is running, process ${pid}${isHere ? '' : ` on ${host}`} since ${since}; ` +
      (isHere ? 'wait for it, or stop it' : `if it is not running any more, remove ${path}`) +
      '. --journal FILE keeps another import of the file apart',
  );
}

/**
 * False if the file is there. It appears with its text, so that nobody finds it empty, but on a disk without links.
 * @throws UsageError if it cannot be made
 */
function make(path: string, text: string): boolean {
  const draft = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  try {
    writeFileSync(draft, text, { mode: 0o600, flag: 'wx' });
    return (
      isMade(() => linkSync(draft, path)) ??
      isMade(() => writeFileSync(path, text, { mode: 0o600, flag: 'wx' })) ??
      false
    );
  } catch (cause) {
    throw new UsageError(
      `cannot write lock=${path}: ${whyNot(cause)}`,
      'give --journal a place that can be written',
      cause,
    );
  } finally {
    rmSync(draft, { force: true });
  }
}

/** False if the file was there; undefined if the disk has no links. */
function isMade(act: () => void): boolean | undefined {
  try {
    act();
    return true;
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    if (code === 'EEXIST') return false;
    if (code === 'EPERM' || code === 'ENOTSUP' || code === 'ENOSYS') return undefined;
    throw cause;
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function ageMs(path: string): number {
  return Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
}

/** Undefined for what was left half written. */
function ownerOf(text: string): Owner | undefined {
  try {
    const { pid, mark, host, since } = JSON.parse(text) as Partial<Owner>;
    if (typeof pid === 'number' && typeof mark === 'string' && typeof host === 'string' && typeof since === 'string')
      return { pid, mark, host, since };
  } catch {
    // Said by the result.
  }
  return undefined;
}
