/**
 * Processor time and memory of a process with all its children, read from /proc: the server is two processes, and both count.
 */

import { readdirSync, readFileSync } from 'node:fs';

/** Ticks per second of the times in /proc, fixed at 100 on every Linux platform. */
const TICKS = 100;
const SAMPLE_MS = 500;

export interface Usage {
  /** Processor seconds since the processes started. */
  readonly cpuSeconds: number;
  /** Resident bytes; the pages of a file, such as Node's program, count once, however many of the processes map it. */
  readonly rssBytes: number;
  /** The part of it that is not backed by files, such as the engine's library. */
  readonly anonymousBytes: number;
}

interface Stat {
  readonly parent: number;
  readonly cpuSeconds: number;
}

/** The tree's usage at this moment. */
export function usageOf(root: number): Usage {
  let [cpuSeconds, anonymousBytes, fileBytes] = [0, 0, 0];
  const files = new Map<string, number>();
  for (const [pid, stat] of treeOf(root)) {
    cpuSeconds += stat.cpuSeconds;
    const memory = memoryOf(read(`/proc/${pid}/smaps`));
    anonymousBytes += memory.anonymousBytes;
    // What two processes map of a file is the same pages as far as both have them; the larger share covers nearly all.
    for (const [file, bytes] of memory.files) files.set(file, Math.max(files.get(file) ?? 0, bytes));
  }
  for (const bytes of files.values()) fileBytes += bytes;
  return { cpuSeconds, rssBytes: anonymousBytes + fileBytes, anonymousBytes };
}

/** proc_pid_smaps(5): resident bytes of a process, anonymous ones and those of each file. */
function memoryOf(smaps: string): { anonymousBytes: number; files: ReadonlyMap<string, number> } {
  const files = new Map<string, number>();
  let anonymousBytes = 0;
  let file = '';
  let resident = 0;
  for (const line of smaps.split('\n')) {
    if (line.startsWith('Rss:')) resident = Number(line.slice(4, -3)) * 1024;
    else if (line.startsWith('Anonymous:')) {
      const anonymous = Number(line.slice(10, -3)) * 1024;
      anonymousBytes += anonymous;
      files.set(file, (files.get(file) ?? 0) + resident - anonymous);
    } else if (/^[0-9a-f]/u.test(line)) file = line.split(/\s+/u).slice(5).join(' ');
  }
  return { anonymousBytes, files };
}

/**
 * Processor seconds that everything on this machine has used since it started, with what its host took away. What is left of
 * a difference after the known processes says how much a run was disturbed.
 */
export function machineCpuSeconds(): number {
  const fields = read('/proc/stat').split('\n')[0]?.trim().split(/\s+/).slice(1).map(Number) ?? [];
  const [user = 0, nice = 0, system = 0, , , interrupts = 0, softInterrupts = 0, stolen = 0] = fields;
  return (user + nice + system + interrupts + softInterrupts + stolen) / TICKS;
}

/**
 * Watches the tree's memory until `stop`, which returns the largest size seen. Only the anonymous part is sampled, from
 * /proc/PID/status: to read a process's mappings stops it for milliseconds, which its clients would wait. What is resident
 * of files changes little and is read before and after.
 */
export function watchPeak(root: number): { stop(): number } {
  const fileBytes = (): number => {
    const { rssBytes, anonymousBytes } = usageOf(root);
    return rssBytes - anonymousBytes;
  };
  const before = fileBytes();
  let peak = anonymousBytesOf(root);
  const sample = (): void => {
    peak = Math.max(peak, anonymousBytesOf(root));
  };
  const timer = setInterval(sample, SAMPLE_MS);
  return {
    stop: () => {
      clearInterval(timer);
      sample();
      return peak + Math.max(before, fileBytes());
    },
  };
}

/** proc_pid_status(5). */
function anonymousBytesOf(root: number): number {
  let bytes = 0;
  for (const pid of treeOf(root).keys()) {
    bytes += Number(/^RssAnon:\s+(\d+) kB$/mu.exec(read(`/proc/${pid}/status`))?.[1] ?? 0) * 1024;
  }
  return bytes;
}

function treeOf(root: number): Map<number, Stat> {
  const all = new Map<number, Stat>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = statOf(Number(name));
    if (stat !== undefined) all.set(Number(name), stat);
  }
  const tree = new Map<number, Stat>();
  const add = (pid: number): void => {
    const stat = all.get(pid);
    if (stat === undefined) return;
    tree.set(pid, stat);
    for (const [child, { parent }] of all) if (parent === pid) add(child);
  };
  add(root);
  return tree;
}

/** proc_pid_stat(5): the fields behind the command, which stands in parentheses and may hold anything. */
function statOf(pid: number): Stat | undefined {
  const text = read(`/proc/${pid}/stat`);
  if (text === '') return undefined;
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const field = (number: number): number => Number(fields[number - 3]);
  // Own user and system time, and that of children that have ended.
  return { parent: field(4), cpuSeconds: (field(14) + field(15) + field(16) + field(17)) / TICKS };
}

/** Empty if the process is gone. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
