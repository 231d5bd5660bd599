import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteBuffer } from './buffer.ts';
import { LowCardinalityColumn } from './low-cardinality.ts';
import { readNative } from './native-reference.ts';
import type { NativeValue } from './native-reference.ts';
import { encodeText, sourceOf } from './text.ts';

/** The values of the column, read back from a block of one column. */
function valuesOf(column: LowCardinalityColumn): readonly NativeValue[] {
  const head = new ByteBuffer();
  head.varint(1);
  head.varint(column.count);
  for (const text of ['c', 'LowCardinality(String)']) {
    head.varint(text.length);
    for (const byte of encodeText(text)) head.varint(byte);
  }
  const pieces = [head.written()];
  column.writePrefix(pieces);
  column.writeData(pieces);
  return readNative(Buffer.concat(pieces)).columns.get('c') ?? [];
}

function append(column: LowCardinalityColumn, values: readonly string[]): void {
  for (const value of values) column.appendString(value);
}

const numbered = (count: number, prefix = 'value'): string[] =>
  Array.from({ length: count }, (_, nth) => `${prefix} ${nth}`);

describe('LowCardinalityColumn', () => {
  it.each([1, 255, 256, 257, 65_535, 65_536, 65_537, 150_000])('holds %i distinct values', (count) => {
    const column = new LowCardinalityColumn({ count: 0 });
    const values = [...numbered(count), ...numbered(3), ''];
    append(column, values);
    expect(valuesOf(column)).toEqual(values);
  });

  it.each([256, 65_536])('takes back the values that made its indexes wider (%i)', (edge) => {
    const column = new LowCardinalityColumn({ count: 0 });
    const kept = numbered(edge - 1);
    append(column, kept);
    column.mark();
    append(column, numbered(10, 'undone'));
    column.rollback();
    expect(valuesOf(column)).toEqual(kept);
    append(column, numbered(10, 'later'));
    expect(valuesOf(column)).toEqual([...kept, ...numbered(10, 'later')]);
    column.reset();
    append(column, ['later 3', 'value 1']);
    expect(valuesOf(column)).toEqual(['later 3', 'value 1']);
  });

  it('starts its interner afresh after too many values, and stays right', () => {
    const column = new LowCardinalityColumn({ count: 0 });
    for (let round = 0; round < 3; round++) {
      const values = [...numbered(140_000, `round ${round}`), 'common', ''];
      append(column, values);
      expect(valuesOf(column)).toEqual(values);
      column.reset();
      append(column, ['common', 'round 0 7', 'common', `round ${round} 139999`]);
      expect(valuesOf(column)).toEqual(['common', 'round 0 7', 'common', `round ${round} 139999`]);
      column.reset();
    }
  });

  it('starts its interner afresh after too many bytes, and stays right', () => {
    const column = new LowCardinalityColumn({ count: 0 });
    for (let round = 0; round < 4; round++) {
      const values = Array.from({ length: 9 }, (_, nth) => `${round} ${nth} `.padEnd(2 << 20, 'é'));
      append(column, [...values, 'short']);
      expect(valuesOf(column)).toEqual([...values, 'short']);
      column.reset();
    }
  });

  it('tells values apart that share length, beginning, middle and end', () => {
    const column = new LowCardinalityColumn({ count: 0 });
    const values = Array.from({ length: 60_000 }, (_, nth) => {
      const id = String(nth).padStart(8, '0');
      return `GET /api/v1/${id}/accounts/by-name/and-number/summary/export`;
    });
    for (let round = 0; round < 2; round++) {
      append(column, values);
      expect(valuesOf(column)).toEqual(values);
      column.reset();
    }
  });

  it('keeps a value of a megabyte and the empty one', () => {
    const column = new LowCardinalityColumn({ count: 0 });
    const values = ['', 'x'.repeat(1 << 20), '', `${'x'.repeat((1 << 20) - 1)}y`, 'x'.repeat(1 << 20)];
    append(column, values);
    expect(valuesOf(column)).toEqual(values);
  });

  it('repairs what is not UTF-8, in short and in long values, and counts it', () => {
    const repairs = { count: 0 };
    const column = new LowCardinalityColumn(repairs);
    const bad = [Buffer.from([0xff]), Buffer.from('a\xc3'), Buffer.from([0xed, 0xa0, 0x80]), Buffer.alloc(500, 0x80)];
    bad[1] = Buffer.concat([Buffer.from('a'), Buffer.from([0xc3])]);
    const good = ['\ufffd', 'a\ufffd', '\ufffd\ufffd\ufffd', '\ufffd'.repeat(500)];
    for (let round = 0; round < 2; round++)
      for (const bytes of bad) column.appendText(sourceOf(bytes), 0, bytes.length);
    append(column, good);
    expect(valuesOf(column)).toEqual([...good, ...good, ...good]);
    expect(repairs.count).toBe(8);
  });

  it('repeats values and runs of values', () => {
    const run = fc.record({
      cell: fc.array(fc.constantFrom('', 'a', 'b', 'a longer one', 'é'), { maxLength: 5 }),
      times: fc.nat({ max: 300 }),
      fresh: fc.nat({ max: 300 }),
    });
    fc.assert(
      fc.property(fc.array(run, { maxLength: 6 }), (runs) => {
        const column = new LowCardinalityColumn({ count: 0 });
        const model: string[] = [];
        for (const { cell, times, fresh } of runs) {
          append(column, numbered(fresh));
          model.push(...numbered(fresh));
          column.repeatCell(
            cell.map((value) => column.localOfString(value)),
            times,
          );
          for (let time = 0; time < times; time++) model.push(...cell);
          column.repeat(column.localOfString('one'), times);
          for (let time = 0; time < times; time++) model.push('one');
        }
        expect(column.count).toBe(model.length);
        if (model.length > 0) expect(valuesOf(column)).toEqual(model);
      }),
      { numRuns: 200 },
    );
  });
});
