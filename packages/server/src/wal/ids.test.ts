import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { IdMark } from './ids.ts';
import { openIdMark, SegmentIds } from './ids.ts';
import { parseSegmentName, segmentName } from './segment.ts';

const NOW = Date.UTC(2026, 5, 1);

function memoryMark(): IdMark & { highest: bigint; raised: number } {
  const mark = {
    highest: 0n,
    raised: 0,
    raise: (to: bigint) => {
      mark.highest = to;
      mark.raised++;
    },
  };
  return mark;
}

describe('segment ids', () => {
  test('grow, whatever the clock does and however often the server starts', () => {
    const steps = fc.array(fc.record({ skipMs: fc.integer({ min: -100_000, max: 100_000 }), restart: fc.boolean() }), {
      maxLength: 200,
    });
    fc.assert(
      fc.property(steps, fc.integer({ min: 0, max: 0xffff }), (all, node) => {
        const mark = memoryMark();
        let ids = new SegmentIds(node, mark);
        let nowMs = NOW;
        let last = 0n;
        for (const { skipMs, restart } of all) {
          nowMs += skipMs;
          if (restart) ids = new SegmentIds(node, mark);
          const id = ids.next(nowMs);
          expect(id).toBeGreaterThan(last);
          expect((id >> 7n) & 0xffffn).toBe(BigInt(node));
          last = id;
        }
      }),
    );
  });

  test('are as many as are asked for within one millisecond', () => {
    const ids = new SegmentIds(0xffff, memoryMark());
    const given = Array.from({ length: 1_000 }, () => ids.next(NOW));
    expect(new Set(given).size).toBe(1_000);
    expect(given.every((id) => ((id >> 7n) & 0xffffn) === 0xffffn && id < 2n ** 64n)).toBe(true);
  });

  test('of two nodes differ at the same moment', () => {
    const [one, two] = [new SegmentIds(1, memoryMark()), new SegmentIds(2, memoryMark())];
    const given = Array.from({ length: 300 }, () => [one.next(NOW), two.next(NOW)]).flat();
    expect(new Set(given).size).toBe(600);
  });

  test('raise the mark once a minute and not for each', () => {
    const mark = memoryMark();
    const ids = new SegmentIds(1, mark);
    for (let ms = 0; ms < 120_000; ms += 100) ids.next(NOW + ms);
    expect(mark.raised).toBe(2);
  });

  test('are above what they were told to skip, also after a restart', () => {
    for (const foreign of [0n, 5n << 7n, (1n << 60n) + 77n, (1n << 23n) - 1n]) {
      const mark = memoryMark();
      const ids = new SegmentIds(9, mark);
      const first = ids.next(NOW);
      expect(ids.skipTo(foreign)).toBe(foreign > first);
      expect(ids.skipTo(foreign)).toBe(false);
      const next = ids.next(NOW);
      expect(next > foreign && next > first).toBe(true);
      expect((next >> 7n) & 0xffffn).toBe(9n);
      const restarted = new SegmentIds(9, mark);
      expect(restarted.next(NOW)).toBeGreaterThan(next);
    }
  });

  test('go on as before when what to skip cannot be made durable', () => {
    const mark = memoryMark();
    const ids = new SegmentIds(9, mark);
    const first = ids.next(NOW);
    let isFull = true;
    const raise = mark.raise.bind(mark);
    mark.raise = (to) => {
      if (isFull) throw new Error('no space');
      raise(to);
    };
    expect(() => ids.skipTo(1n << 62n)).toThrow('no space');
    isFull = false;
    expect(ids.next(NOW)).toBe(first + 1n);
  });

  test('are not given when the mark cannot be raised', () => {
    const mark: IdMark = {
      highest: 0n,
      raise: () => {
        throw new Error('no space');
      },
    };
    const ids = new SegmentIds(1, mark);
    expect(() => ids.next(NOW)).toThrow('no space');
    expect(() => ids.next(NOW)).toThrow('no space');
  });
});

describe('the mark in a directory', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'glasshouse-ids-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  test('is what was raised last', () => {
    openIdMark(directory).raise(77n);
    openIdMark(directory).raise(99n);
    expect(openIdMark(directory).highest).toBe(99n);
    expect(readFileSync(join(directory, 'segment-ids'), 'utf8')).toBe('63\n');
  });

  test.each(['', 'garbage\n', '\0\0\0\0'])('counts the segments that are there if its file says %j', (text) => {
    writeFileSync(join(directory, 'segment-ids'), text);
    writeFileSync(join(directory, segmentName({ table: 'spans', id: 500n, repaired: false })), '');
    expect(openIdMark(directory).highest).toBe(500n);
  });
});

test('a segment name says table, id and repair', () => {
  for (const repaired of [false, true]) {
    const name = { table: 'metrics_exponential_histogram', id: 0xfedc_ba98_7654_3210n, repaired };
    expect(parseSegmentName(segmentName(name))).toEqual(name);
  }
  expect(parseSegmentName('spans.0123.gz')).toBeUndefined();
  expect(parseSegmentName('spans.0123456789abcdef.repaired.gz.new')).toBeUndefined();
});
