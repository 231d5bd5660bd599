/**
 * What waits for a tenant's destination, on disk: a file for each segment, `SEGMENT.LINES.batches`, with the batches one after the
 * other; a note of how far the first is sent; and the batches that were refused, with their reasons.
 *
 * Must stay true: a file is whole or not there. Its size is bounded: over the limit the oldest go, and are counted. What is in no
 * shape to be read is dropped and counted, never in the way.
 */

import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { syncDirectory } from '../wal/segment.ts';
import type { Batch } from './chosen.ts';

/** A file of the queue. */
export interface Queued {
  readonly segment: bigint;
  readonly lines: number;
  readonly bytes: number;
  /** When it was written, in ms since 1970. */
  readonly at: number;
  readonly path: string;
}

/** The batch that is to be sent next. */
export interface Next extends Batch {
  readonly segment: bigint;
  /** Place in its file, from 0. */
  readonly number: number;
  /** Where the one after it begins. */
  readonly end: number;
  readonly isLast: boolean;
}

/** Why a batch was put aside. */
export interface Refusal {
  readonly status: number;
  readonly reason: string;
  readonly at: string;
}

interface Note {
  readonly segment: string;
  readonly number: number;
  readonly offset: number;
}

const FILE = /^([0-9a-f]{16})\.(\d{1,15})\.batches$/u;
const DEAD = /^([0-9a-f]{16})-(\d{1,9})\.(\d{1,15})\.dead$/u;
const MAX_HEADER = 1_024;
/** Dead letters may take this part of the limit. */
const DEAD_SHARE = 4;

export class Queue {
  /** Lines that were given up for lack of room, or because they could not be read. */
  readonly dropped = { limit: 0, disk: 0, damaged: 0, dead: 0 };
  limitBytes: number;
  private readonly directory: string;
  private readonly deadDirectory: string;
  private files: Queued[];
  private note: Note = { segment: '', number: 0, offset: 0 };

  constructor(directory: string, limitBytes: number) {
    this.directory = directory;
    this.deadDirectory = join(directory, 'dead');
    this.limitBytes = limitBytes;
    mkdirSync(this.deadDirectory, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(directory)) if (name.endsWith('.new')) rmSync(join(directory, name));
    this.files = readdirSync(directory)
      .flatMap((name) => {
        const match = FILE.exec(name);
        if (match === null) return [];
        const path = join(directory, name);
        const { size, mtimeMs } = statSync(path);
        return [{ segment: BigInt(`0x${match[1]}`), lines: Number(match[2]), bytes: size, at: mtimeMs, path }];
      })
      .toSorted((a, b) => (a.segment < b.segment ? -1 : 1));
    this.note = this.readNote();
  }

  get bytes(): number {
    return this.files.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Lines that wait; of the file that is being sent all. */
  get lines(): number {
    return this.files.reduce((sum, { lines }) => sum + lines, 0);
  }

  /** When the oldest was written, in ms since 1970. */
  get oldestAt(): number | undefined {
    return this.files[0]?.at;
  }

  /** Writes the batches of a segment; again if they are there. It is durable then. */
  add(segment: bigint, batches: readonly Batch[], now: number): void {
    // One of a former attempt may have other lines, hence another name.
    for (const { path } of this.files.filter((file) => file.segment === segment)) rmSync(path, { force: true });
    this.files = this.files.filter((file) => file.segment !== segment);
    const lines = batches.reduce((sum, batch) => sum + batch.lines, 0);
    const path = join(this.directory, `${segment.toString(16).padStart(16, '0')}.${lines}.batches`);
    const bytes = writeWhole(
      path,
      batches.flatMap(({ source, lines: count, body }) => [
        Buffer.from(`${JSON.stringify({ source, lines: count, bytes: body.length })}\n`),
        body,
      ]),
    );
    syncDirectory(this.directory);
    this.files.push({ segment, lines, bytes, at: now, path });
    this.files.sort((a, b) => (a.segment < b.segment ? -1 : 1));
    while (this.files.length > 1 && this.bytes > this.limitBytes) this.dropOldest('limit');
  }

  /** Gives the oldest file up. Returns false if there is none. */
  dropOldest(reason: 'damaged' | 'disk' | 'limit'): boolean {
    const [oldest] = this.files;
    if (oldest === undefined) return false;
    this.dropped[reason] += oldest.lines;
    this.remove(oldest);
    return true;
  }

  /** The next batch of a segment up to `position`; undefined if there is none. Drops what cannot be read. */
  next(position: bigint): Next | undefined {
    for (;;) {
      const [file] = this.files;
      if (file === undefined || file.segment > position) return undefined;
      const isNoted = this.note.segment === file.segment.toString();
      const found = readBatch(file, isNoted ? this.note.offset : 0);
      if (found === 'end') this.remove(file);
      else if (found === undefined) this.dropOldest('damaged');
      else return { ...found, segment: file.segment, number: isNoted ? this.note.number : 0 };
    }
  }

  /** Notes that a batch is done with: sent, or put aside. One that was dropped meanwhile is no harm. */
  done({ segment, number, end, isLast }: Next): void {
    const file = this.files.find((one) => one.segment === segment);
    if (file === undefined) return;
    if (isLast) {
      this.remove(file);
      return;
    }
    this.note = { segment: segment.toString(), number: number + 1, offset: end };
    const path = join(this.directory, 'sent.json');
    try {
      writeFileSync(`${path}.tmp`, JSON.stringify(this.note), { mode: 0o600 });
      renameSync(`${path}.tmp`, path);
    } catch {
      // A full disk. It is known here; after a crash it is sent again, as after one before the note.
      rmSync(`${path}.tmp`, { force: true, recursive: true });
    }
  }

  /** Puts a batch aside that the destination will not have; gives it up if there is no room for that. */
  bury({ segment, number, source, lines, body }: Next, refusal: Refusal): void {
    const name = `${segment.toString(16).padStart(16, '0')}-${number}.${lines}.dead`;
    const header = Buffer.from(`${JSON.stringify({ source, lines, bytes: body.length, ...refusal })}\n`);
    try {
      writeWhole(join(this.deadDirectory, name), [header, body]);
      syncDirectory(this.deadDirectory);
    } catch {
      this.dropped.disk += lines;
      return;
    }
    const dead = this.deadFiles();
    let bytes = dead.reduce((sum, one) => sum + one.bytes, 0);
    for (const one of dead.slice(0, -1)) {
      if (bytes <= this.limitBytes / DEAD_SHARE) break;
      rmSync(one.path, { force: true });
      bytes -= one.bytes;
      this.dropped.dead += one.lines;
    }
  }

  /** Batches that were put aside. */
  dead(): { readonly batches: number; readonly lines: number } {
    const files = this.deadFiles();
    return { batches: files.length, lines: files.reduce((sum, { lines }) => sum + lines, 0) };
  }

  /** Files of the batches that were put aside, the oldest first. */
  deadPaths(): readonly string[] {
    return this.deadFiles().map(({ path }) => path);
  }

  /** A batch that was put aside, to be sent again under its name; undefined, and dropped, if it cannot be read. */
  readDead(path: string): Next | undefined {
    const file = this.deadFiles().find((one) => one.path === path);
    if (file === undefined) return undefined;
    const { segment, number, lines } = file;
    const found = readBatch(file, 0);
    if (found !== undefined && found !== 'end') return { ...found, segment, number };
    this.dropped.damaged += lines;
    this.forgetDead(path);
    return undefined;
  }

  forgetDead(path: string): void {
    rmSync(path, { force: true });
  }

  /** Removes everything. */
  clear(): void {
    this.files = [];
    rmSync(this.directory, { recursive: true, force: true });
  }

  private deadFiles(): { path: string; segment: bigint; number: number; lines: number; bytes: number }[] {
    return readdirSync(this.deadDirectory)
      .toSorted()
      .flatMap((name) => {
        const match = DEAD.exec(name);
        if (match === null) return [];
        const path = join(this.deadDirectory, name);
        const [segment, number, lines] = [BigInt(`0x${match[1]}`), Number(match[2]), Number(match[3])];
        return [{ path, segment, number, lines, bytes: statSync(path).size }];
      });
  }

  private remove(file: Queued): void {
    this.files = this.files.filter((one) => one !== file);
    rmSync(file.path, { force: true });
  }

  private readNote(): Note {
    try {
      const { segment, number, offset } = JSON.parse(readFileSync(join(this.directory, 'sent.json'), 'utf8')) as Note;
      if (typeof segment === 'string' && Number.isSafeInteger(number) && Number.isSafeInteger(offset) && offset >= 0)
        return { segment, number, offset };
    } catch {
      // Nothing of the first file is known to be sent.
    }
    return { segment: '', number: 0, offset: 0 };
  }
}

type Found = Batch & { readonly end: number; readonly isLast: boolean };

/** The batch at an offset; `end` behind the last, undefined for what is none. */
function readBatch({ path, bytes }: Pick<Queued, 'bytes' | 'path'>, offset: number): Found | 'end' | undefined {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch {
    return undefined;
  }
  try {
    if (offset === bytes) return 'end';
    const head = Buffer.alloc(MAX_HEADER);
    const text = head.subarray(0, readSync(fd, head, 0, MAX_HEADER, offset));
    const newline = text.indexOf('\n');
    if (newline < 0) return undefined;
    const header = JSON.parse(text.toString('utf8', 0, newline)) as Readonly<Record<string, unknown>>;
    const { source, lines, bytes: length } = header;
    const start = offset + newline + 1;
    if (typeof source !== 'string' || typeof lines !== 'number' || !Number.isSafeInteger(length)) return undefined;
    const end = start + (length as number);
    if (end < start || end > bytes) return undefined;
    const body = Buffer.alloc(end - start);
    if (readSync(fd, body, 0, body.length, start) < body.length) return undefined;
    return { source, lines, body, end, isLast: end === bytes };
  } catch {
    return undefined;
  } finally {
    closeSync(fd);
  }
}

/** Writes a file that appears whole and is synced; its directory is not. Returns its size. */
function writeWhole(path: string, parts: readonly Uint8Array[]): number {
  const draft = `${path}.new`;
  const fd = openSync(draft, 'w', 0o600);
  let bytes = 0;
  try {
    for (const part of parts)
      for (let written = 0; written < part.length;) {
        const count = writeSync(fd, part, written, part.length - written);
        written += count;
        bytes += count;
      }
    fsyncSync(fd);
  } catch (error) {
    // On a full disk it takes the room that others need.
    rmSync(draft, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
  renameSync(draft, path);
  return bytes;
}
