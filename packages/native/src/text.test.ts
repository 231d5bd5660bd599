import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteBuffer, SLACK } from './buffer.ts';
import { StringColumn } from './column.ts';
import { copyText, encodeText, repairText, sameBytes, sourceOf } from './text.ts';

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 400 }),
  fc.string({ unit: 'binary', maxLength: 100 }).map(encodeText),
  fc.string({ unit: 'binary-ascii', maxLength: 400 }).map(encodeText),
);

function isUtf8(value: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(value);
    return true;
  } catch {
    return false;
  }
}

describe('copyText', () => {
  it('copies any bytes from anywhere to anywhere and knows whether they are UTF-8', () => {
    fc.assert(
      fc.property(bytes, fc.nat({ max: 7 }), fc.nat({ max: 7 }), (value, from, to) => {
        const source = sourceOf(Buffer.concat([Buffer.alloc(from, 0xff), value, Buffer.alloc(3, 0xff)]));
        const target = new Uint8Array(to + value.length + SLACK);
        const valid = copyText(source, from, from + value.length, target, new DataView(target.buffer), to);
        expect(valid).toBe(isUtf8(value));
        expect([...target.subarray(to, to + value.length)]).toEqual([...value]);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('repairText', () => {
  it('changes nothing that is valid, and makes everything valid', () => {
    fc.assert(
      fc.property(bytes, (value) => {
        const repaired = repairText(sourceOf(value), 0, value.length);
        expect(isUtf8(repaired)).toBe(true);
        if (isUtf8(value)) expect([...repaired]).toEqual([...value]);
      }),
    );
  });

  it('keeps a byte order mark at the beginning', () => {
    const repaired = repairText(sourceOf(Uint8Array.of(0xef, 0xbb, 0xbf, 0xff)), 0, 4);
    expect(Buffer.from(repaired).toString()).toBe('\ufeff\ufffd');
  });
});

describe('sameBytes', () => {
  it('finds a difference at any place and none elsewhere', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 60 }), fc.nat(), fc.nat({ max: 5 }), (value, at, shift) => {
        const [left, right] = [sourceOf(value), sourceOf(Buffer.concat([Buffer.alloc(shift, 1), value]))];
        expect(sameBytes(left.view, 0, right.view, shift, value.length)).toBe(true);
        right.bytes[shift + (at % value.length)] = (value[at % value.length] ?? 0) ^ 0x40;
        expect(sameBytes(left.view, 0, right.view, shift, value.length)).toBe(false);
      }),
    );
  });
});

describe('StringColumn', () => {
  it('keeps texts of every length of length, up to megabytes', () => {
    const column = new StringColumn({ count: 0 });
    const lengths = [0, 1, 127, 128, 160, 161, 16_383, 16_384, 1 << 20, 3_000_000];
    for (const length of lengths) {
      const source = sourceOf(Buffer.alloc(length, 'é'));
      column.appendText(source, 0, length);
      column.appendDefault();
    }
    const expected = new ByteBuffer();
    for (const length of lengths) {
      const text = encodeText(new TextDecoder().decode(Buffer.alloc(length, 'é')));
      expected.varint(text.length);
      expected.reserve(text.length);
      expected.bytes.set(text, expected.length);
      expected.length += text.length;
      expected.varint(0);
    }
    expect(Buffer.compare(column.buffer.written(), expected.written())).toBe(0);
    expect(column.count).toBe(lengths.length * 2);
  });

  it('keeps strings of every length and alphabet', () => {
    const column = new StringColumn({ count: 0 });
    const expected = new ByteBuffer();
    const lengths = [0, 1, 42, 43, 63, 64, 65, 100, 127, 128, 5_461, 8_191, 8_192, 16_383, 16_384, 1 << 20];
    for (const unit of ['x', 'é', '漢', '😀', '\ud800', 'xxxxxxxxé']) {
      for (const length of lengths) {
        const text = unit.repeat(Math.ceil(length / unit.length));
        column.appendString(text);
        const bytes = encodeText(text);
        expected.varint(bytes.length);
        expected.reserve(bytes.length);
        expected.bytes.set(bytes, expected.length);
        expected.length += bytes.length;
      }
    }
    expect(Buffer.compare(column.buffer.written(), expected.written())).toBe(0);
    expect(column.count).toBe(lengths.length * 6);
  });
});

describe('ByteBuffer', () => {
  it('writes integers up to 2^53 as LEB128 and as 64 bits', () => {
    const value = fc.oneof(
      fc.maxSafeNat(),
      fc.constantFrom(0, 127, 128, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 2 ** 32, 2 ** 53 - 1),
    );
    fc.assert(
      fc.property(value, (number) => {
        const buffer = new ByteBuffer(1);
        buffer.varint(number);
        let read = 0n;
        for (const [index, byte] of buffer.written().entries()) read |= BigInt(byte & 0x7f) << BigInt(7 * index);
        expect(read).toBe(BigInt(number));
        buffer.length = 0;
        buffer.uint64(number);
        expect(Buffer.from(buffer.written()).readBigUInt64LE()).toBe(BigInt(number));
      }),
    );
  });
});
