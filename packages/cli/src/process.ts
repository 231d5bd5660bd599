/**
 * The server's process as others see it: the pid file, whether that process still lives, and what it and its children use.
 *
 * Must stay true: a pid that the system gave to another process since is never taken for ours, because `stop` sends signals.
 */

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A listener of the running server. */
export interface Address {
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

/** What `start` writes down about the server. */
export interface PidRecord {
  readonly pid: number;
  /** What tells this process from a later one with the same number. */
  readonly mark: string;
  /** Time of the start, ISO 8601. */
  readonly startedAt: string;
  readonly version: string;
  /** Empty until the server is ready. */
  readonly listeners: readonly Address[];
}

export function pidPath(dataDir: string): string {
  return join(dataDir, 'glasshouse.pid');
}

/** The record, whether or not its process lives; undefined if there is none, or nothing readable in it. */
export function readPidFile(dataDir: string): PidRecord | undefined {
  try {
    // The number stands alone in the first line, as other tools expect of a pid file.
    const [first = '', second = ''] = readFileSync(pidPath(dataDir), 'utf8').split('\n');
    const pid = Number(first);
    if (!Number.isInteger(pid) || pid <= 0) return undefined;
    return { ...(JSON.parse(second) as Omit<PidRecord, 'pid'>), pid };
  } catch {
    return undefined;
  }
}

/** The record of a server that runs; undefined if none does. */
export function runningServer(dataDir: string): PidRecord | undefined {
  const record = readPidFile(dataDir);
  return record !== undefined && isAlive(record) ? record : undefined;
}

/** Replaces the pid file. */
export function writePidFile(dataDir: string, record: PidRecord): void {
  const draft = `${pidPath(dataDir)}.${process.pid}`;
  writeFileSync(draft, recordText(record), { mode: 0o600 });
  renameSync(draft, pidPath(dataDir));
}

/**
 * Makes the pid file for the calling process, which is about to start a server, so that of two starts only one goes on.
 * Returns the record of a running server instead if there is one. A file that a dead process left is removed.
 */
export function claimPidFile(dataDir: string, record: PidRecord): PidRecord | undefined {
  const running = runningServer(dataDir);
  if (running !== undefined) return running;
  rmSync(pidPath(dataDir), { force: true });
  try {
    writeFileSync(pidPath(dataDir), recordText(record), { mode: 0o600, flag: 'wx' });
    return undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return readPidFile(dataDir) ?? record;
  }
}

/** Removes the pid file if it is about this process; another's is left alone. */
export function removePidFile(dataDir: string, pid: number): void {
  if (readPidFile(dataDir)?.pid === pid) rmSync(pidPath(dataDir), { force: true });
}

function recordText({ pid, ...rest }: PidRecord): string {
  return `${pid}\n${JSON.stringify(rest)}\n`;
}

/** True if the process of the record lives. */
export function isAlive({ pid, mark }: Pick<PidRecord, 'pid' | 'mark'>): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it lives and belongs to somebody else.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  return processMark(pid) === mark;
}

/** The boot and the tick at which a process started; where the system doesn't say, the time as `ps` shows it. Empty for a dead one. */
export function processMark(pid: number): string {
  if (process.platform === 'linux') {
    const fields = statFields(pid);
    // A zombie has ended; only its parent hasn't asked yet.
    if (fields === undefined || fields[0] === 'Z' || fields[0] === 'X') return '';
    return `${readText('/proc/sys/kernel/random/boot_id').trim()}/${fields[19] ?? ''}`;
  }
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return '';
  }
}

/** Fields of /proc/PID/stat after the command's name: state, parent, … start time (proc_pid_stat(5)). */
function statFields(pid: number | string): string[] | undefined {
  const text = readText(`/proc/${pid}/stat`);
  return text === '' ? undefined : text.slice(text.lastIndexOf(')') + 2).split(' ');
}

/** Resident bytes of a process and all its descendants; undefined where the system doesn't say. */
export function treeMemory(pid: number): number | undefined {
  if (process.platform !== 'linux') return undefined;
  const children = new Map<string, string[]>();
  for (const name of readdirSync('/proc')) {
    const parent = /^\d+$/.test(name) ? statFields(name)?.[1] : undefined;
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), name]);
  }
  const visit = (one: string): number =>
    residentBytes(one) + (children.get(one) ?? []).reduce((total, child) => total + visit(child), 0);
  return visit(String(pid));
}

function residentBytes(pid: string): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readText(`/proc/${pid}/status`))?.[1] ?? 0) * 1024;
}

/** How many files a process may have open; undefined where the system doesn't say. */
export function fileLimit(pid: number): number | undefined {
  const text = /^Max open files\s+(\S+)/m.exec(readText(`/proc/${pid}/limits`))?.[1];
  if (text === undefined) return undefined;
  return text === 'unlimited' ? Number.POSITIVE_INFINITY : Number(text);
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
