import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeFrame, isIntact, MAX_DAYS, readHeader } from './frame.ts';
import { scanFrames } from './scan.ts';

const SEGMENT = 0x0123_4567_89ab_cdefn;

interface Frame {
  readonly block: Uint8Array;
  readonly rows: number;
  readonly days: ReadonlyMap<number, number>;
}

const blocks = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  // Around the length of a stored deflate block, and several of them.
  fc
    .integer({ min: -2, max: 2 })
    .chain((off) => fc.integer({ min: 1, max: 3 }).map((times) => pattern(65_535 * times + off))),
  // Bytes that look like the beginning of a frame.
  fc.integer({ min: 0, max: 40 }).map((times) => Buffer.from('1f8b08041f8b'.repeat(times), 'hex')),
);

const frames: fc.Arbitrary<Frame> = fc.record({
  block: blocks,
  rows: fc.nat(),
  days: fc.array(fc.tuple(fc.nat({ max: 2 ** 32 - 1 }), fc.nat()), { maxLength: 5 }).map((pairs) => new Map(pairs)),
});

function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 31) & 0xff);
}

function segmentOf(all: readonly Frame[]): Buffer {
  const parts = all.flatMap(({ block, rows, days }, sequence) => {
    // In pieces, as a block has them.
    const middle = Math.floor(block.length / 3);
    const pieces = [block.subarray(0, middle), block.subarray(middle)];
    return encodeFrame(pieces, rows, days, { segment: SEGMENT, sequence }).parts;
  });
  return Buffer.concat(parts);
}

function scan(bytes: Uint8Array, segment = SEGMENT): ReturnType<typeof scanFrames> {
  return scanFrames((position, length) => bytes.subarray(position, position + length), bytes.length, segment);
}

describe('a segment of frames', () => {
  test('reads back as it was written, also as a gzip file', () => {
    fc.assert(
      fc.property(fc.array(frames, { maxLength: 4 }), (all) => {
        const bytes = segmentOf(all);
        const found = scan(bytes);
        expect(found.gaps).toEqual([]);
        expect(found.frames.map(({ rows, days, sequence }) => ({ rows, days, sequence }))).toEqual(
          all.map(({ rows, days }, sequence) => ({ rows, days, sequence })),
        );
        if (all.length > 0) expect(gunzipSync(bytes).equals(Buffer.concat(all.map(({ block }) => block)))).toBe(true);
      }),
    );
  });

  test.each([0, 1, 65_534, 65_535, 65_536, 131_069, 131_070, 131_071])('holds a block of %i bytes', (length) => {
    const block = pattern(length);
    const bytes = segmentOf([{ block, rows: 7, days: new Map([[20_000, 7]]) }]);
    expect(scan(bytes)).toMatchObject({ frames: [{ offset: 0, length: bytes.length, rows: 7 }], gaps: [] });
    expect(gunzipSync(bytes).equals(block)).toBe(true);
  });

  test('holds as many days as a frame may have', () => {
    const days = new Map(Array.from({ length: MAX_DAYS }, (_, day) => [day, day + 1] as const));
    const bytes = segmentOf([{ block: pattern(10), rows: 1, days }]);
    expect(scan(bytes).frames[0]?.days).toEqual(days);
    expect(gunzipSync(bytes).length).toBe(10);
  });

  test('is not taken for another segment', () => {
    const bytes = segmentOf([{ block: pattern(100), rows: 1, days: new Map() }]);
    expect(scan(bytes, SEGMENT + 1n)).toMatchObject({ frames: [], gaps: [{ kind: 'damaged' }] });
  });
});

describe('damage', () => {
  const damaged = fc.tuple(fc.array(frames, { minLength: 1, maxLength: 3 }), fc.nat(), fc.nat({ max: 7 }));

  test('of any single bit is found, and costs only the frame that it is in', () => {
    fc.assert(
      fc.property(damaged, ([all, where, bit]) => {
        const bytes = segmentOf(all);
        const whole = scan(bytes).frames;
        const at = where % bytes.length;
        bytes[at] = (bytes[at] as number) ^ (1 << bit);
        const found = scan(bytes);
        expect(found.frames).toEqual(whole.filter(({ offset, length }) => at < offset || at >= offset + length));
        expect(found.gaps.reduce((sum, gap) => sum + gap.length, 0)).toBeGreaterThan(0);
      }),
      { numRuns: 300 },
    );
  });

  test('of every bit of a small frame is found', () => {
    const bytes = segmentOf([{ block: pattern(20), rows: 3, days: new Map([[20_000, 3]]) }]);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const copy = Buffer.from(bytes);
      copy[bit >> 3] = (copy[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(scan(copy).frames, `bit ${bit}`).toEqual([]);
    }
  });

  test('by a cut is an unfinished write, and costs only the frame that was cut', () => {
    fc.assert(
      fc.property(fc.array(frames, { minLength: 1, maxLength: 3 }), fc.nat(), (all, where) => {
        const bytes = segmentOf(all);
        const whole = scan(bytes).frames;
        const size = where % bytes.length;
        const found = scan(bytes.subarray(0, size));
        expect(found.frames).toEqual(whole.filter(({ offset, length }) => offset + length <= size));
        expect(found.gaps.every(({ kind }) => kind === 'torn')).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  test('by zeros after the end is an unfinished write', () => {
    fc.assert(
      fc.property(fc.array(frames, { maxLength: 3 }), fc.integer({ min: 1, max: 10_000 }), (all, zeros) => {
        const found = scan(Buffer.concat([segmentOf(all), Buffer.alloc(zeros)]));
        expect(found.frames.length).toBe(all.length);
        expect(found.gaps).toEqual([{ offset: segmentOf(all).length, length: zeros, kind: 'torn', rows: undefined }]);
      }),
    );
  });

  test('by zeros over the end of a frame is found', () => {
    const bytes = segmentOf([{ block: pattern(9_000), rows: 3, days: new Map() }]);
    bytes.fill(0, bytes.length - 4_096);
    expect(scan(bytes)).toMatchObject({ frames: [], gaps: [{ kind: 'damaged', rows: 3 }] });
  });

  test('in a header leaves the rows unknown, and the frames behind it readable', () => {
    const all = [1, 2, 3].map((rows) => ({ block: pattern(2_000_000), rows, days: new Map([[1, rows]]) }));
    const bytes = segmentOf(all);
    const second = scan(bytes).frames[1]?.offset ?? 0;
    bytes.fill(0xff, second, second + 10);
    expect(scan(bytes)).toMatchObject({
      frames: [{ sequence: 0 }, { sequence: 2, rows: 3 }],
      gaps: [{ offset: second, kind: 'damaged', rows: undefined }],
    });
  });

  test('does not bring a frame to light that stood inside a block', () => {
    const other = encodeFrame([pattern(50)], 99, new Map(), { segment: SEGMENT + 1n, sequence: 0 }).parts;
    const bytes = segmentOf([{ block: Buffer.concat(other), rows: 1, days: new Map() }]);
    bytes[0] = 0;
    expect(scan(bytes).frames).toEqual([]);
  });
});

test('reads a header without reading its block', () => {
  const bytes = segmentOf([{ block: pattern(1_000), rows: 5, days: new Map([[3, 5]]) }]);
  let most = 0;
  const read = (position: number, length: number): Uint8Array => {
    most = Math.max(most, length);
    return bytes.subarray(position, position + length);
  };
  const header = readHeader(read, 0, SEGMENT);
  expect(header).toMatchObject({ rows: 5, length: bytes.length });
  expect(most).toBeLessThan(100);
  expect(header !== undefined && isIntact(read, header)).toBe(true);
});

test('a segment that is damaged all over is read once and not again for each frame', () => {
  const all = Array.from({ length: 400 }, (_, rows) => ({
    block: pattern(5_000),
    rows,
    days: new Map<number, number>(),
  }));
  const bytes = segmentOf(all);
  for (const { offset, length } of scan(bytes).frames) bytes[offset + length - 1] = 0xff;
  let readBytes = 0;
  const found = scanFrames(
    (position, length) => {
      const part = bytes.subarray(position, position + length);
      readBytes += part.length;
      return part;
    },
    bytes.length,
    SEGMENT,
  );
  expect(found.gaps.length).toBe(400);
  expect(readBytes).toBeLessThan(3 * bytes.length);
});
