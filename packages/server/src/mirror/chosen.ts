/**
 * What of a segment of events goes to whom: its lines, by tenant and data source, in batches as a destination takes them.
 *
 * Must stay true: the same segment under the same plan gives the same batches, because each has a name by which another server takes
 * it once. A line is one line, whatever white space its sender put into it.
 */

import { readTexts } from '@glasshouse/native';
import { BATCH_PREFIX } from '@glasshouse/store';
import { chooser } from '../pipeline/share.ts';
import { eachBlock } from '../wal/blocks.ts';

/** Which lines of a data source go, and under what name. */
export interface PlannedSource {
  readonly tenant: string;
  readonly name: string;
  readonly percent: number;
  readonly key: string;
}

/** By the id of the data source. */
export type Plan = ReadonlyMap<string, PlannedSource>;

/** Lines for a data source, each with its newline. */
export interface Batch {
  readonly source: string;
  readonly lines: number;
  readonly body: Buffer;
}

export interface Chosen {
  /** Batches by tenant. */
  readonly batches: ReadonlyMap<string, readonly Batch[]>;
  /** Lines that do not go because the token of their sender has a write filter, by tenant. */
  readonly filtered: ReadonlyMap<string, number>;
}

/** What the names of batches begin with that a mirror sends. */
export const MIRROR_PREFIX = 'mirror.';
const RELAYED = Buffer.from(BATCH_PREFIX + MIRROR_PREFIX);

/** Largest body, far below what servers take; a longer line goes alone. */
const BATCH_BYTES = 4 << 20;
const NEWLINE = Buffer.from('\n');
const LINE_BREAK = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;

interface Filling {
  readonly planned: PlannedSource;
  readonly isIn: ((line: Uint8Array) => boolean) | undefined;
  parts: Buffer[];
  bytes: number;
  lines: number;
}

/** Reads a segment. Throws if it is none. */
export function chosenOf(path: string, segment: bigint, plan: Plan, batchBytes = BATCH_BYTES): Chosen {
  const batches = new Map<string, Batch[]>();
  const filtered = new Map<string, number>();
  const filling = new Map<string, Filling>();

  const finish = (one: Filling): void => {
    if (one.lines === 0) return;
    const { tenant, name } = one.planned;
    const own = batches.get(tenant) ?? [];
    own.push({ source: name, lines: one.lines, body: Buffer.concat(one.parts, one.bytes) });
    batches.set(tenant, own);
    Object.assign(one, { parts: [], bytes: 0, lines: 0 });
  };
  const fillingOf = (id: string): Filling | undefined => {
    const known = filling.get(id);
    if (known !== undefined) return known;
    const planned = plan.get(id);
    if (planned === undefined) return undefined;
    const fresh = { planned, isIn: chooser(planned), parts: [], bytes: 0, lines: 0 };
    filling.set(id, fresh);
    return fresh;
  };

  eachBlock(path, segment, (block) => {
    const { rows, texts } = readTexts(block);
    // A block in which no sender has a filter is without that column.
    const filters = texts.get('filter');
    const [ids, requests, lines] = ['datasource_id', 'import_id', 'line'].map((name) => {
      const column = texts.get(name);
      if (column === undefined) throw new Error(`cannot mirror segment=${path}: it has no column ${name}`);
      return column;
    });
    if (ids === undefined || requests === undefined || lines === undefined) return;
    let lastBytes: Buffer | undefined;
    let last: Filling | undefined;
    for (let row = 0; row < rows; row++) {
      // Values of a dictionary are the same object each time.
      const id = ids.at(row);
      if (id !== lastBytes) {
        lastBytes = id;
        last = fillingOf(id.toString('utf8'));
      }
      // What a mirror brought goes no further, or two servers that mirror to each other would never come to an end.
      if (last === undefined || requests.at(row).subarray(0, RELAYED.length).equals(RELAYED)) continue;
      const line = lines.at(row);
      if (last.isIn?.(line) === false) continue;
      if (filters !== undefined && filters.at(row).length > 0) {
        const { tenant } = last.planned;
        filtered.set(tenant, (filtered.get(tenant) ?? 0) + 1);
        continue;
      }
      if (last.bytes + line.length + 1 > batchBytes) finish(last);
      // Lines lie in the memory of their block, which the batch keeps until it is written.
      last.parts.push(inOneLine(line), NEWLINE);
      last.bytes += line.length + 1;
      last.lines++;
    }
  });
  for (const one of filling.values()) finish(one);
  return { batches, filtered };
}

/** A line break outside of a text of JSON is white space, and inside of one there is none. */
function inOneLine(line: Buffer): Buffer {
  if (!line.includes(LINE_BREAK) && !line.includes(RETURN)) return line;
  return Buffer.from(line.map((byte) => (byte === LINE_BREAK || byte === RETURN ? SPACE : byte)));
}
