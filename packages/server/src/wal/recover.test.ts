import {
  appendFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { encodeFrame } from './frame.ts';
import { QUARANTINE, recoverSegments } from './recover.ts';
import { segmentName } from './segment.ts';

const DAY = 20_000;
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'glasshouse-recover-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** Writes a segment with frames of 1, 2, 3 … rows and returns its path and where its frames begin. */
function segment(id: bigint, frames: number): { path: string; starts: number[] } {
  const path = join(directory, segmentName({ table: 'spans', id, repaired: false }));
  const starts: number[] = [];
  const all: Uint8Array[] = [];
  let at = 0;
  for (let sequence = 0; sequence < frames; sequence++) {
    const rows = sequence + 1;
    const { parts, length } = encodeFrame(
      [Buffer.from(`frame ${sequence};`)],
      rows,
      new Map([[DAY + sequence, rows]]),
      { segment: id, sequence },
    );
    starts.push(at);
    at += length;
    all.push(...parts);
  }
  writeFileSync(path, Buffer.concat(all));
  return { path, starts };
}

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] as number) ^ 0x10;
  writeFileSync(path, bytes);
}

describe('recovery', () => {
  test('finds every segment in the order of their ids, with rows and days', () => {
    segment(9n, 2);
    segment(3n, 1);
    writeFileSync(join(directory, 'segment-ids'), 'ff\n');
    const { segments, torn, damaged, failed } = recoverSegments(directory);
    expect(segments).toMatchObject([
      { id: 3n, rows: 1, days: new Map([[DAY, 1]]), repaired: false },
      {
        id: 9n,
        rows: 3,
        days: new Map([
          [DAY, 1],
          [DAY + 1, 2],
        ]),
        repaired: false,
      },
    ]);
    expect([torn, damaged, failed]).toEqual([[], [], []]);
  });

  test('cuts what a write left that never finished', () => {
    const { path, starts } = segment(1n, 3);
    truncateSync(path, (starts[2] as number) + 20);
    const { segments, torn, damaged } = recoverSegments(directory);
    expect(segments).toMatchObject([{ rows: 3, bytes: starts[2] }]);
    expect(torn).toEqual([{ path, bytes: 20 }]);
    expect(damaged).toEqual([]);
    expect(gunzipSync(readFileSync(path)).toString()).toBe('frame 0;frame 1;');
  });

  test('cuts zeros that a crash of the machine left behind the end', () => {
    const { path } = segment(1n, 1);
    appendFileSync(path, Buffer.alloc(5_000));
    expect(recoverSegments(directory)).toMatchObject({
      segments: [{ rows: 1 }],
      torn: [{ bytes: 5_000 }],
      damaged: [],
    });
    expect(gunzipSync(readFileSync(path)).toString()).toBe('frame 0;');
  });

  test('removes a segment of which nothing was finished', () => {
    const { path } = segment(1n, 1);
    truncateSync(path, 30);
    segment(2n, 0);
    expect(recoverSegments(directory)).toMatchObject({ segments: [], torn: [{ path, bytes: 30 }], damaged: [] });
    expect(readdirSync(directory)).toEqual([]);
  });

  test('leaves alone what somebody else has', () => {
    const { path } = segment(1n, 1);
    expect(recoverSegments(directory, new Set([path])).segments).toEqual([]);
  });
});

describe('damage before the end', () => {
  test('costs only the damaged frame; the file as it was is put aside', () => {
    const { path, starts } = segment(7n, 3);
    flip(path, (starts[1] as number) + 70);
    const before = readFileSync(path);
    const { segments, damaged, torn } = recoverSegments(directory);
    const aside = join(directory, QUARANTINE, 'spans.0000000000000007.gz.damaged');
    expect(torn).toEqual([]);
    expect(damaged).toEqual([
      {
        path: aside,
        places: 1,
        bytes: (starts[2] as number) - (starts[1] as number),
        rows: 2,
        rowsUnknown: 0,
        rowsKept: 4,
      },
    ]);
    expect(readFileSync(aside).equals(before)).toBe(true);
    expect(segments).toMatchObject([
      {
        id: 7n,
        rows: 4,
        days: new Map([
          [DAY, 1],
          [DAY + 2, 3],
        ]),
        repaired: true,
      },
    ]);
    expect(gunzipSync(readFileSync(segments[0]?.path ?? '')).toString()).toBe('frame 0;frame 2;');
  });

  test('is still known as repaired after another start', () => {
    const { path } = segment(7n, 2);
    flip(path, 70);
    const first = recoverSegments(directory);
    expect(recoverSegments(directory)).toEqual({ ...first, damaged: [] });
  });

  test('is repaired again if the repair was interrupted at any point', () => {
    const { path } = segment(7n, 2);
    flip(path, 70);
    const before = readFileSync(path);
    const done = recoverSegments(directory);
    // The repaired file is in place and the original not yet gone; and a copy for the repaired file is half written.
    linkSync(join(directory, QUARANTINE, 'spans.0000000000000007.gz.damaged'), path);
    writeFileSync(`${done.segments[0]?.path}.new`, 'half');
    expect(recoverSegments(directory)).toEqual(done);
    expect(readdirSync(join(directory, QUARANTINE)).length).toBe(1);
    expect(readFileSync(join(directory, QUARANTINE, 'spans.0000000000000007.gz.damaged')).equals(before)).toBe(true);
  });

  test('of a repaired file is repaired as well', () => {
    const { path, starts } = segment(7n, 4);
    flip(path, 70);
    const repaired = recoverSegments(directory).segments[0]?.path ?? '';
    flip(repaired, (starts[1] as number) - (starts[0] as number) + 90);
    const { segments, damaged } = recoverSegments(directory);
    expect(damaged).toMatchObject([
      { path: join(directory, QUARANTINE, 'spans.0000000000000007.repaired.gz.damaged') },
    ]);
    expect(segments).toMatchObject([{ path: repaired, repaired: true }]);
    expect(segments[0]?.rows).toBeLessThan(9);
  });

  test('of a header does not hide the frames behind it', () => {
    const { path, starts } = segment(7n, 3);
    flip(path, (starts[1] as number) + 1);
    const { segments, damaged } = recoverSegments(directory);
    expect(damaged).toMatchObject([{ rows: 0, rowsUnknown: 1, rowsKept: 4 }]);
    expect(segments).toMatchObject([{ rows: 4 }]);
  });

  test('of everything leaves no segment, but the file', () => {
    const { path } = segment(7n, 1);
    flip(path, 70);
    expect(recoverSegments(directory)).toMatchObject({ segments: [], damaged: [{ rows: 1, rowsKept: 0 }] });
    expect(readdirSync(directory)).toEqual([QUARANTINE]);
  });

  test('never overwrites what was put aside before', () => {
    mkdirSync(join(directory, QUARANTINE));
    writeFileSync(join(directory, QUARANTINE, 'spans.0000000000000007.gz.damaged'), 'older');
    const { path } = segment(7n, 2);
    flip(path, 70);
    expect(recoverSegments(directory).damaged[0]?.path).toMatch(/damaged\.2$/);
    expect(readFileSync(join(directory, QUARANTINE, 'spans.0000000000000007.gz.damaged'), 'utf8')).toBe('older');
  });

  test('that cannot be repaired now keeps the file where it is and does not hold up the others', () => {
    writeFileSync(join(directory, QUARANTINE), 'in the way');
    const { path } = segment(7n, 2);
    flip(path, 70);
    segment(8n, 1);
    expect(recoverSegments(directory)).toMatchObject({ segments: [{ id: 8n }], failed: [{ path }] });
    expect(readdirSync(directory)).toContain('spans.0000000000000007.gz');
  });
});
