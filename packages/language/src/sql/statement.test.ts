/** Taking a statement apart: what is sent on, what is found in the tokens, and which requests the caller answers itself. */

import { AppError } from '@glasshouse/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { tenantPolicy } from './policy.ts';
import { classify } from './request.ts';
import { checkParameters, splitStatement, type Statement } from './statement.ts';

const policy = tenantPolicy('acme');

describe('splitStatement', () => {
  it.each([
    ['SELECT 1 FORMAT JSON;', 'SELECT 1', 'JSON'],
    ['select count() from t format `CSV` ;;', 'select count() from t', 'CSV'],
    ['SELECT a AS format FORMAT TSV', 'SELECT a AS format', 'TSV'],
    ['SELECT format', 'SELECT format', undefined],
    ['SELECT * FROM format x', 'SELECT * FROM format x', undefined],
    ["SELECT 'FORMAT JSON'", "SELECT 'FORMAT JSON'", undefined],
    ['SELECT 1, format x', 'SELECT 1, format x', undefined],
  ])('of %j keeps %j and the format %s', (sql, kept, format) => {
    expect(splitStatement(sql)).toMatchObject({ sql: kept, format });
  });

  it('blanks comments so that positions in engine errors stay true', () => {
    expect(splitStatement('SELECT /* x\n */ 1 -- y\n, 2').sql).toBe('SELECT     \n    1     \n, 2');
  });

  it('puts a space between a word and a string that touches it', () => {
    expect(splitStatement("SELECT a IN('x')AND b LIKE'y'").sql).toBe("SELECT a IN('x')AND b LIKE 'y'");
  });

  it.each(['', ' ; ', '-- x', 'SELECT 1; SELECT 2'])('refuses %j', (sql) => {
    expect(() => splitStatement(sql)).toThrow(AppError);
  });

  it('says where the second statement starts', () => {
    expect(() => splitStatement('SELECT 1; SELECT 2')).toThrow('position 9');
  });

  it('finds the names of common table expressions, but not of windows', () => {
    const statement = splitStatement(
      'WITH RECURSIVE a AS (SELECT 1), `b c` AS MATERIALIZED ((SELECT 2)), d (x, y) AS (WITH e AS (SELECT 3) SELECT 4) SELECT sum(x) OVER w FROM d WINDOW w AS (ORDER BY x)',
    );
    expect(statement.ctes).toEqual([
      { name: 'a', recursive: true },
      { name: 'b c', recursive: true },
      { name: 'd', recursive: true },
      { name: 'e', recursive: false },
    ]);
    expect(statement.ctesInOrder).toBe(true);
  });

  it.each(['(', '[', 'f(', '(SELECT * FROM ', 'WITH a AS ('])(
    'refuses %s without end, and does not read it for each level',
    (part) => {
      expect(() => splitStatement(`SELECT ${part.repeat(10_000)}`)).toThrow('nested more than 1000 levels deep');
      expect(splitStatement(`SELECT ${'('.repeat(900)}1${')'.repeat(900)}`).kind).toBe('SELECT');
    },
  );

  it('knows a recursive name that follows a subquery with a WITH clause of its own', () => {
    const { ctes } = splitStatement(
      'WITH RECURSIVE a AS (WITH b AS (SELECT 1) SELECT * FROM b), c AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM c WHERE n < 3) SELECT * FROM (WITH d AS (SELECT 2) SELECT * FROM d), c',
    );
    expect(ctes.map(({ name, recursive }) => [name, recursive])).toEqual([
      ['a', true],
      ['b', false],
      ['c', true],
      ['d', false],
    ]);
  });

  it('finds the functions of APPLY and says so when one is written in another way', () => {
    expect(
      splitStatement("SELECT * APPLY f, * APPLY(g), * APPLY(h(0.5), 'p'), * APPLY(x -> x), * APPLY(k(y))").applied,
    ).toEqual(['f', 'g', 'h', undefined, undefined]);
  });

  it('lists parameters', () => {
    expect(splitStatement('SELECT {a:String}, { b : Array(Int8) }').parameters).toEqual([
      { name: 'a', type: 'String' },
      { name: 'b', type: 'Array(Int8)' },
    ]);
  });

  it('throws nothing but AppError, and what it keeps reads the same again', () => {
    const words =
      'SELECT WITH FROM AS RECURSIVE APPLY ( ) , * . x "y" `z` \'s\' 1 ; FORMAT JSON -- /* */ {p:String} $$h$$ UNION IN $ \n'.split(
        ' ',
      );
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...words, '\n'), { maxLength: 40 }),
        fc.constantFrom('', ' '),
        (parts, separator) => {
          const statement = statementOrRefusal(parts.join(separator));
          if (statement === undefined) return;
          const again = splitStatement(`${statement.sql} `);
          expect(again.tokens.map((token) => token.text)).toEqual(
            (again.format === undefined ? statement.tokens : statement.tokens.slice(0, -2)).map((token) => token.text),
          );
        },
      ),
      { numRuns: 3000 },
    );
  });
});

describe('checkParameters', () => {
  const statement = splitStatement('SELECT {c:Identifier}, {s:String}');

  it('accepts a plain name and any string', () => {
    expect(() => checkParameters(statement, { c: 'my column', s: "x'\n" })).not.toThrow();
  });

  it.each(['a.b', 'a`b', 'a\nb', '/etc/passwd', '', 'a (alias b)', 'a\\b'])('refuses the identifier %j', (c) => {
    expect(() => checkParameters(statement, { c, s: '' })).toThrow(AppError);
  });

  it('refuses a missing value, also when the object inherits one', () => {
    expect(() => checkParameters(statement, { c: 'a' })).toThrow('parameter s has no value');
    expect(() => checkParameters(splitStatement('SELECT {toString:String}'), {})).toThrow(AppError);
  });
});

describe('classify', () => {
  it.each([
    ['SELECT 1', { type: 'select' }],
    ['(SELECT 1)', { type: 'select' }],
    ['with x as (select 1) select * from x', { type: 'select' }],
    ['FROM spans SELECT a', { type: 'select' }],
    ['SHOW DATABASES', { type: 'show_databases' }],
    ['SHOW TABLES', { type: 'show_tables' }],
    ['show tables from acme', { type: 'show_tables' }],
    ['DESCRIBE TABLE spans', { type: 'describe', table: { database: 'acme', table: 'spans' } }],
    ['DESC `acme`."my table" FORMAT JSON', { type: 'describe', table: { database: 'acme', table: 'my table' } }],
    ['EXISTS TABLE acme.spans', { type: 'exists', table: { database: 'acme', table: 'spans' } }],
    ['SHOW CREATE TABLE spans', { type: 'show_create', table: { database: 'acme', table: 'spans' } }],
  ])('sorts %j', (sql, request) => {
    expect(classify(splitStatement(sql), policy)).toEqual(request);
  });

  it.each([
    'SHOW TABLES FROM other',
    'DESCRIBE other.x',
    'DESCRIBE a.b.c',
    'DESCRIBE TABLE',
    'SHOW TABLES LIKE 1',
    'SHOW',
    'DESC f(1)',
  ])('refuses %j', (sql) => {
    expect(() => classify(splitStatement(sql), policy)).toThrow(AppError);
  });
});

describe('tenantPolicy', () => {
  it.each(['default', 'system', 'INFORMATION_SCHEMA', 'a.b', 'a b', ''])(
    'does not take %j for a tenant',
    (database) => {
      expect(() => tenantPolicy(database)).toThrow('BUG');
    },
  );
});

function statementOrRefusal(sql: string): Statement | undefined {
  try {
    return splitStatement(sql);
  } catch (error) {
    expect(error).toBeInstanceOf(AppError);
    return undefined;
  }
}
