/** Where a statement ends, and where in it an error is. */

import { describe, expect, test } from 'vitest';
import { errorPlace, namesFormat, splitStatements } from './statements.ts';

describe('splitStatements', () => {
  test.each([
    ['SELECT 1; SELECT 2', ['SELECT 1'], ' SELECT 2'],
    ["SELECT ';', ';;' ;", ["SELECT ';', ';;'"], ''],
    [String.raw`SELECT 'it\'s; here';`, [String.raw`SELECT 'it\'s; here'`], ''],
    ["SELECT 'it''s; here';", ["SELECT 'it''s; here'"], ''],
    ['SELECT `a;b`, "c;d";', ['SELECT `a;b`, "c;d"'], ''],
    ['SELECT 1 -- not; here\n;', ['SELECT 1 -- not; here'], ''],
    ['SELECT /* ; */ 1;', ['SELECT /* ; */ 1'], ''],
    ['SELECT $x$ ; $x$;', ['SELECT $x$ ; $x$'], ''],
    [';;\n; -- nothing\n', [], ''],
    ["SELECT 'open ;", [], "SELECT 'open ;"],
  ])('splits %j', (text, complete, rest) => {
    expect(splitStatements(text)).toEqual({ complete, rest });
  });
});

describe('namesFormat', () => {
  test('finds a FORMAT clause at the end', () => {
    expect(
      ['SELECT 1 FORMAT CSV', 'select 1\nformat JSONEachRow -- x', 'SELECT 1 FORMAT CSV ;'].map(namesFormat),
    ).toEqual([true, true, true]);
  });

  test('is not misled by texts and columns', () => {
    expect(["SELECT 'format csv'", 'SELECT format FROM t', 'SELECT format(a, b) FROM t'].map(namesFormat)).toEqual([
      false,
      false,
      false,
    ]);
  });
});

describe('errorPlace', () => {
  test('points at a position', () => {
    expect(errorPlace('SELECT 1 FROM FROM x', 'Syntax error: failed at position 20 (x): x. Expected …')).toBe(
      `  SELECT 1 FROM FROM x\n  ${' '.repeat(19)}^`,
    );
  });

  test('points into the right line', () => {
    expect(errorPlace('SELECT 1,\n  2 FRM x', 'failed at position 15 (FRM) (line 2, col 5): FRM x')).toBe(
      '    2 FRM x\n      ^',
    );
  });

  test('finds the token where the position counts more than the statement', () => {
    expect(errorPlace('SELECT 1 FROM FROM x', 'failed at position 32 (x): x')).toBe(
      `  SELECT 1 FROM FROM x\n  ${' '.repeat(19)}^`,
    );
  });

  test.each(['no place', 'failed at position 900 (zzz): y', 'failed at position 40 (1): two of them'])(
    'says nothing for %j',
    (message) => {
      expect(errorPlace('SELECT 1, 1', message)).toBeUndefined();
    },
  );
});
