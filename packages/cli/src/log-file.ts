/**
 * The server's log file: where it is, how it is rotated, and how its JSON lines are read and shown to a person.
 *
 * Must stay true: the file is its owner's alone, and what it says is shown without acting on the terminal.
 */

import { closeSync, existsSync, fchmodSync, fstatSync, openSync, readSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Paint } from './output.ts';
import { printable } from './width.ts';

const ROTATE_BYTES = 16 * 2 ** 20;
const KEEP = 3;
/** The end of a log that is searched for its last lines. */
const TAIL_BYTES = 2 ** 20;

export function logPath(dataDir: string): string {
  return join(dataDir, 'glasshouse.log');
}

/** Opens the log for a new server, after moving a large one aside. `offset` is where the new server's lines begin. */
export function openLog(dataDir: string, rotateBytes = ROTATE_BYTES): { readonly fd: number; readonly offset: number } {
  const path = logPath(dataDir);
  if (existsSync(path) && statSync(path).size > rotateBytes) {
    for (let number = KEEP; number > 0; number--) {
      const from = number === 1 ? path : `${path}.${number - 1}`;
      if (existsSync(from)) renameSync(from, `${path}.${number}`);
    }
  }
  const fd = openSync(path, 'a', 0o600);
  fchmodSync(fd, 0o600);
  return { fd, offset: fstatSync(fd).size };
}

/** Text of the log from a place on, and where it ends. Empty if there is no log. */
export function readLog(dataDir: string, from: number): { readonly text: string; readonly end: number } {
  let fd: number;
  try {
    fd = openSync(logPath(dataDir), 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { text: '', end: 0 };
    throw error;
  }
  try {
    const { size } = fstatSync(fd);
    // A shorter file is a new one.
    const start = size < from ? 0 : Math.max(from, 0);
    const buffer = Buffer.alloc(size - start);
    const length = readSync(fd, buffer, 0, buffer.length, start);
    return { text: buffer.toString('utf8', 0, length), end: start + length };
  } finally {
    closeSync(fd);
  }
}

/** Size of the log in bytes; 0 if there is none. */
export function logSize(dataDir: string): number {
  return statSync(logPath(dataDir), { throwIfNoEntry: false })?.size ?? 0;
}

/** The last `count` lines, at most from `from` on. */
export function tailLines(dataDir: string, count: number, from = 0): string[] {
  const start = Math.max(from, logSize(dataDir) - TAIL_BYTES);
  const lines = readLog(dataDir, start)
    .text.split('\n')
    .filter((line) => line !== '');
  return count === 0 ? [] : lines.slice(-count);
}

interface LogLine {
  readonly level?: number;
  readonly time?: number;
  readonly msg?: string;
  readonly listeners?: readonly { readonly name: string; readonly port: number }[];
  readonly listener?: string;
}

function parseLine(line: string): Readonly<Record<string, unknown>> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as Readonly<Record<string, unknown>>;
  } catch {
    return undefined;
  }
}

/** What a server that started at `offset` logged about its listeners. */
export function readyEvent(dataDir: string, offset: number): { listeners: LogLine['listeners']; skipped: string[] } {
  const lines = readLog(dataDir, offset)
    .text.split('\n')
    .map((line) => parseLine(line) as LogLine | undefined)
    .filter((line) => line !== undefined);
  return {
    listeners: lines.find(({ msg, listeners }) => msg === 'ready' && listeners !== undefined)?.listeners,
    skipped: lines
      .filter(({ listener, msg }) => listener !== undefined && msg !== undefined)
      .map(({ msg }) => msg ?? ''),
  };
}

/** Why a server ended: what it told in a fatal line, or the message of an exception that nobody expected. */
export function reasonIn(lines: readonly string[]): { readonly text: string; readonly told: boolean } | undefined {
  for (const line of lines.toReversed()) {
    const entry = parseLine(line) as LogLine | undefined;
    if (entry?.level !== undefined && entry.level >= 60 && entry.msg !== undefined) {
      return { text: printable(entry.msg), told: true };
    }
    const exception = /^(?:\w*Error)(?: \[\w+\])?: (.+)$/.exec(line)?.[1];
    if (exception !== undefined) return { text: printable(exception), told: false };
  }
  return undefined;
}

const LEVELS: Readonly<Record<number, string>> = {
  10: 'TRACE',
  20: 'DEBUG',
  30: 'INFO',
  40: 'WARN',
  50: 'ERROR',
  60: 'FATAL',
};
const HIDDEN = new Set(['level', 'time', 'pid', 'hostname', 'name', 'msg']);

/** A line as a person reads it: time, level, message, fields. What is not JSON stays as it is. */
export function showLine(line: string, paint: Paint = (_, text) => text): string {
  const entry = parseLine(line);
  if (entry === undefined) return printable(line);
  const { level, time, msg } = entry as LogLine;
  const name = LEVELS[level ?? 30] ?? String(level);
  const colour = (level ?? 30) >= 50 ? 'red' : (level ?? 30) >= 40 ? 'yellow' : 'green';
  const fields = Object.entries(entry)
    .filter(([key]) => !HIDDEN.has(key))
    .map(([key, value]) => paint('dim', `${printable(key)}=${printable(fieldText(value))}`));
  const when = time === undefined ? '' : new Date(time).toISOString().replace('T', ' ').replace('Z', '');
  return [paint('dim', when), paint(colour, name.padEnd(5)), printable(msg ?? ''), ...fields].join(' ').trimEnd();
}

function fieldText(value: unknown): string {
  if (typeof value === 'string') return value;
  const message = (value as { readonly message?: unknown } | null)?.message;
  return typeof message === 'string' ? message : JSON.stringify(value);
}
