/** Tables: alignment, NULL, narrow terminals. */

import { describe, expect, test } from 'vitest';
import { layoutPairs, layoutTable, PLAIN_SHEET } from './table.ts';
import { textWidth } from './width.ts';

const COLUMNS = [{ title: 'service' }, { title: 'spans', align: 'right' as const, keep: true }, { title: 'note' }];

describe('layoutTable', () => {
  test('aligns texts left and numbers right, and tells NULL from a text', () => {
    const lines = layoutTable(COLUMNS, [
      ['checkout', '5', 'fine'],
      ['漢字', '12000', null],
    ]);
    expect(lines).toEqual(['service   spans  note', 'checkout      5  fine', '漢字      12000  NULL']);
  });

  test('shows line breaks and escape sequences instead of obeying them', () => {
    expect(layoutTable([{ title: 'body' }], [['a\nb\u001b[2J']])).toEqual(['body', String.raw`a\nb\x1b[2J`]);
  });

  test('cuts texts before it cuts numbers', () => {
    const lines = layoutTable(COLUMNS, [['checkout-service-of-the-shop', '1234567890123', 'x'.repeat(50)]], {
      ...PLAIN_SHEET,
      width: 45,
    });
    expect(lines.every((line) => textWidth(line) <= 45)).toBe(true);
    expect(lines[1]).toContain('1234567890123');
    expect(lines[1]).toContain('…');
  });

  test('turns to one field a line where the columns cannot fit', () => {
    const columns = Array.from({ length: 9 }, (_, index) => ({ title: `column_${index}` }));
    const lines = layoutTable(columns, [columns.map(() => 'v'.repeat(20))], { ...PLAIN_SHEET, width: 40 });
    expect(lines[0]).toBe('── row 1 ──');
    expect(lines[1]).toBe(`column_0  ${'v'.repeat(20)}`);
    expect(lines).toHaveLength(10);
  });

  test('cuts nothing where there is no width, as in a pipe', () => {
    expect(layoutTable([{ title: 'a' }], [['x'.repeat(500)]])[1]).toHaveLength(500);
  });

  test('colours after measuring', () => {
    const red = (text: string): string => `<${text}>`;
    expect(layoutTable([{ title: 'a' }, { title: 'b' }], [[{ text: 'x', paint: red }, 'y']])).toEqual([
      'a  b',
      '<x>  y',
    ]);
  });

  test('draws a rule as wide as each column', () => {
    expect(layoutTable([{ title: 'a' }, { title: 'b' }], [['xyz', '1']], { ...PLAIN_SHEET, rule: true })[1]).toBe(
      '───  ─',
    );
  });
});

test('layoutPairs aligns the values', () => {
  expect(
    layoutPairs([
      ['Log', '/x'],
      ['Web page', 'y'],
    ]),
  ).toEqual(['Log       /x', 'Web page  y']);
});
