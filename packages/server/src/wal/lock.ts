/**
 * The lock on a data directory: one server at a time, because a second one would take the open segments of the first for
 * leftovers and hand them over while they are written. The embedded engine has a lock of its own; a remote store has none.
 *
 * Node has no flock, so this is a file that names its owner. Must stay true: an owner that can be looked up decides by its
 * process id and start time (ids come back, also after a reboot). One that cannot (it ran in another container) is alive
 * while it keeps touching the file.
 */

import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, readlinkSync, rmSync, statSync, utimesSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { AppError, messageOf } from '@glasshouse/model';

/** Who has the lock, as it stands in the file. */
interface Owner {
  readonly pid: number;
  /** When the process started, in whatever form the system tells it. */
  readonly started: string;
  /** Where process ids mean the same. */
  readonly space: string;
}

export interface DirectoryLock {
  /** Gives the directory free. */
  release(): void;
}

export interface LockOptions {
  /** An owner that cannot be looked up is gone when it has not touched the file for this long. */
  readonly silenceMs?: number;
  /** How often the owner touches the file. */
  readonly touchMs?: number;
}

const LOCK_FILE = 'lock';
/** Held for the instant in which a stale lock is removed, so that two servers that see it do not remove each other's. */
const TAKEOVER_FILE = 'lock.takeover';
const SILENCE_MS = 5_000;
const TOUCH_MS = 1_000;
const POLL_MS = 50;

/**
 * Takes the lock of a data directory.
 * @throws AppError `conflict` when another server has it.
 */
export async function lockDirectory(dataDir: string, options: LockOptions = {}): Promise<DirectoryLock> {
  const { silenceMs = SILENCE_MS, touchMs = TOUCH_MS } = options;
  const path = join(dataDir, LOCK_FILE);
  const mine = JSON.stringify(ownerOf(process.pid));
  while (!create(path, mine)) {
    const text = readText(path);
    const reason = text === undefined ? undefined : await whyAlive(path, text, silenceMs);
    if (reason !== undefined) {
      throw new AppError(
        'conflict',
        `cannot open dataDir=${dataDir}: ${reason} is using it. Stop that server, or give this one another GLASSHOUSE_DATA_DIR`,
      );
    }
    if (text !== undefined) await removeStale(dataDir, text, silenceMs);
  }
  const timer = setInterval(() => touch(path), touchMs);
  timer.unref();
  return {
    release: () => {
      clearInterval(timer);
      if (readText(path) === mine) rmSync(path, { force: true });
    },
  };
}

/** Makes the file with `text` in it; false if it is there already. */
function create(path: string, text: string): boolean {
  let fd: number;
  try {
    fd = openSync(path, 'wx', 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw new AppError('internal', `cannot make the lock ${path}: ${messageOf(error)}`, { cause: error });
  }
  try {
    writeSync(fd, text);
  } finally {
    closeSync(fd);
  }
  return true;
}

/** Who is using the directory, in words, or undefined if the owner in the file is gone. */
async function whyAlive(path: string, text: string, silenceMs: number): Promise<string | undefined> {
  const owner = parseOwner(text);
  if (owner !== undefined && owner.space === pidSpace()) {
    return startOf(owner.pid) === owner.started ? `another server (pid ${owner.pid})` : undefined;
  }
  // The file was touched lately, or is being written: see whether that goes on.
  const before = modifiedMs(path);
  const deadline = Date.now() + silenceMs;
  while (Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    const now = modifiedMs(path);
    if (now === undefined || readText(path) !== text) return undefined;
    if (now !== before)
      return owner === undefined ? 'another server' : `another server (pid ${owner.pid} in ${owner.space})`;
  }
  return undefined;
}

/** Removes the lock if it still says what was found stale; whoever else is at it is waited for. */
async function removeStale(dataDir: string, text: string, silenceMs: number): Promise<void> {
  const takeover = join(dataDir, TAKEOVER_FILE);
  if (!create(takeover, String(process.pid))) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    // Nobody needs it for longer than an instant: its owner was killed in that instant.
    const sinceMs = Date.now() - (modifiedMs(takeover) ?? Date.now());
    if (sinceMs > silenceMs) rmSync(takeover, { force: true });
    return;
  }
  try {
    if (readText(join(dataDir, LOCK_FILE)) === text) rmSync(join(dataDir, LOCK_FILE), { force: true });
  } finally {
    rmSync(takeover, { force: true });
  }
}

function ownerOf(pid: number): Owner {
  return { pid, started: startOf(pid) ?? 'unknown', space: pidSpace() };
}

function parseOwner(text: string): Owner | undefined {
  try {
    const { pid, started, space } = JSON.parse(text) as Partial<Owner>;
    if (typeof pid === 'number' && typeof started === 'string' && typeof space === 'string')
      return { pid, started, space };
  } catch {
    // It is being written, or was left half written.
  }
  return undefined;
}

/** What makes process ids comparable: the host, its boot, and the container's own numbering. */
function pidSpace(): string {
  if (process.platform !== 'linux') return hostname();
  const boot = readText('/proc/sys/kernel/random/boot_id')?.trim() ?? '';
  return `${hostname()} ${boot} ${readlinkSync('/proc/self/ns/pid')}`;
}

/** When the process with this id started; undefined if there is none. */
function startOf(pid: number): string | undefined {
  if (process.platform === 'linux') {
    // The name in the second field may hold anything, so fields are counted from its closing bracket: the 22nd is the start.
    const stat = readText(`/proc/${pid}/stat`);
    const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie has let go of everything and only waits for its parent.
    return fields?.[0] === 'Z' ? undefined : fields?.[19];
  }
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || undefined;
  } catch {
    return undefined;
  }
}

function touch(path: string): void {
  const now = new Date();
  try {
    utimesSync(path, now, now);
  } catch {
    // A lock that was removed by hand cannot be touched; the next touch may find it again.
  }
}

function modifiedMs(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
