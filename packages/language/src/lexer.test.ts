/** The lexer by itself: tokens, refusals with positions, and that no text makes it hang or throw anything but an AppError. */

import { AppError } from '@glasshouse/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { identifierFault, MAX_SQL_LENGTH, tokenize } from './lexer.ts';

const texts = (sql: string): string[] => tokenize(sql).map((token) => token.text);

describe('tokenize', () => {
  it('leaves out comments and white space, also nested comments', () => {
    expect(texts('SELECT /* a /* b */ c */ 1 -- x\n, 2 # y\n, 3 #! z\n, 4 // w\n')).toEqual([
      'SELECT',
      '1',
      ',',
      '2',
      ',',
      '3',
      ',',
      '4',
    ]);
  });

  it('keeps a string whole with escapes and doubled quotes', () => {
    expect(tokenize("'it''s \\' ; -- x'")).toMatchObject([{ kind: 'string', value: "it's \\' ; -- x" }]);
  });

  it('turns a heredoc into an ordinary string', () => {
    expect(texts("$a$it's \\ $b$ x$a$")).toEqual(["'it\\'s \\\\ $b$ x'"]);
  });

  it('unquotes identifiers', () => {
    expect(tokenize('`a``b` "c d"')).toMatchObject([
      { kind: 'quoted', value: 'a`b' },
      { kind: 'quoted', value: 'c d' },
    ]);
  });

  it('reads numbers, parameters and operators', () => {
    expect(texts("1.5e-3+0xFF {a:DateTime64(3, 'UTC')}::x")).toEqual([
      '1.5e-3',
      '+',
      '0xFF',
      "{a:DateTime64(3, 'UTC')}",
      ':',
      ':',
      'x',
    ]);
  });

  it.each([
    ["SELECT 'x", 'position 8'],
    ['SELECT 1 /* x', 'position 10'],
    ['SELECT `x', 'position 8'],
    ['SELECT $x$ y', 'position 8'],
    ['SELECT a$b', 'position 8'],
    ['SELECT \0', 'position 8'],
    ['SELECT “x”', 'position 8'],
    ['SELECT `a\nb`', 'position 8'],
    ['SELECT {x}', 'position 8'],
    ["SELECT x'4\\'", 'position 8'],
  ])('refuses %j at its position', (sql, position) => {
    expect(() => tokenize(sql)).toThrow(position);
  });

  it('refuses text over the limit', () => {
    expect(() => tokenize(' '.repeat(MAX_SQL_LENGTH + 1))).toThrow(AppError);
  });

  it('ends on any text, throws nothing but AppError, and its tokens cover the text in order', () => {
    const pieces = fc.constantFrom(
      'SELECT',
      "'",
      '"',
      '`',
      '\\',
      '/*',
      '*/',
      '--',
      '\n',
      '$',
      '$a$',
      '{',
      '}',
      ':',
      ';',
      '#',
      ' ',
      'x',
      '1',
      '\0',
      '“',
      "x'",
    );
    const sql = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(fc.oneof(pieces, fc.string())).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(sql, (text) => {
        const tokens = tokensOrRefusal(text);
        const edges = tokens.flatMap((token) => [token.start, token.end]);
        expect(edges).toEqual(edges.toSorted((a, b) => a - b));
        expect(tokens.every((token) => token.end > token.start && token.end <= text.length)).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });
});

describe('identifierFault', () => {
  it.each(['a\nb', 'a\\b', 'a (alias b', 'a (children 2)', 'x\u0085', 'x\u2029'])('finds fault with %j', (name) => {
    expect(identifierFault(name)).toBeDefined();
  });

  it.each(['a', 'p95 (ms)', 'k8s.pod.name', 'größe', 'a`b'])('accepts %j', (name) => {
    expect(identifierFault(name)).toBeUndefined();
  });
});

function tokensOrRefusal(text: string): ReturnType<typeof tokenize> {
  try {
    return tokenize(text);
  } catch (error) {
    expect(error).toBeInstanceOf(AppError);
    return [];
  }
}
