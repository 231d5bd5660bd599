import { EVENTS } from '@glasshouse/schema';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Block } from './block.ts';
import { FixedColumn, StringColumn } from './column.ts';
import { ConstantColumn } from './constant-column.ts';
import { LowCardinalityColumn } from './low-cardinality.ts';
import { readTexts } from './read.ts';

interface Event {
  readonly tenant: string;
  readonly line: string;
}

const TEXTS = EVENTS.columns.filter(({ type }) => type === 'LowCardinality(String)').map(({ name }) => name);

function blockOf(events: readonly Event[]): Buffer {
  const block = new Block(EVENTS);
  for (const { tenant, line } of events) {
    block.column('_segment', ConstantColumn).appendDefault();
    for (const name of TEXTS) block.column(name, LowCardinalityColumn).appendString(`${name} ${tenant}`);
    block.column('received_at', FixedColumn).appendHalves(1, 2);
    block.column('line', StringColumn).appendString(line);
    block.rows++;
  }
  return Buffer.concat(block.pieces());
}

const events = fc.array(fc.record({ tenant: fc.string({ unit: 'binary' }), line: fc.string({ unit: 'binary' }) }), {
  maxLength: 300,
});

describe('reading texts of a block', () => {
  it('gives what was written', () => {
    fc.assert(
      fc.property(events, fc.nat(20), (written, before) => {
        const bytes = Buffer.concat([Buffer.alloc(before, 0xff), blockOf(written)]);
        const { rows, texts, end } = readTexts(bytes, before);
        expect(end).toBe(bytes.length);
        expect(rows).toBe(written.length);
        for (const [row, { tenant, line }] of written.entries()) {
          expect(texts.get('line')?.at(row).toString() ?? '').toBe(line);
          for (const name of TEXTS) expect(texts.get(name)?.at(row).toString()).toBe(`${name} ${tenant}`);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('gives wide dictionaries', () => {
    const written = Array.from({ length: 70_000 }, (_, number) => ({ tenant: `t${number}`, line: '' }));
    const { texts } = readTexts(blockOf(written));
    expect(texts.get('tenant_id')?.at(69_999).toString()).toBe('tenant_id t69999');
  });

  it('ends with a value or an error, whatever the bytes are', () => {
    const whole = blockOf(
      Array.from({ length: 9 }, (_, number) => ({ tenant: `t${number % 3}`, line: `{"n":${number}}` })),
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 8 }),
        fc.nat(whole.length),
        (harm, cut) => {
          const bytes = Buffer.from(whole.subarray(0, cut));
          for (const [at, value] of harm) if (at < bytes.length) bytes[at] = value;
          try {
            const { rows, texts } = readTexts(bytes);
            for (const column of texts.values()) for (let row = 0; row < rows; row++) column.at(row);
          } catch (error) {
            expect(String(error)).toMatch(/cannot read the block/u);
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
