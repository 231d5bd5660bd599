/** Expressions of definitions, with the real engine's syntax tree. */

import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { AppError } from '@glasshouse/model';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAst } from './ast.ts';
import { judgeExpression, splitExpression, type ExpressionRules } from './expression.ts';

interface Engine {
  query(sql: string, format: string): string;
  cleanup(): void;
}

const chdb: unknown = createRequire(import.meta.url)('chdb');
const COLUMNS = new Set(['a', 'b', 'ts', 'tags', 'm', 'j', 'n.x', 'current_user']);
const DEFAULT: ExpressionRules = { what: 'DEFAULT of column=a', columns: COLUMNS };

let directory: string;
let engine: Engine;

beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'expression-'));
  if (typeof chdb !== 'object' || chdb === null || !('Session' in chdb) || typeof chdb.Session !== 'function')
    throw new Error('no engine');
  engine = Reflect.construct(chdb.Session, [directory]) as Engine;
});

afterAll(() => {
  engine.cleanup();
  rmSync(directory, { recursive: true, force: true });
});

describe('lets through', () => {
  it.each([
    ['1', []],
    ["'it''s'", []],
    ['now()', []],
    ['a + b * 2', ['a', 'b']],
    ['toDate(ts) + INTERVAL 90 DAY', ['ts']],
    ['toYYYYMM(ts)', ['ts']],
    ["JSONExtractString(b, 'x')", ['b']],
    ['arrayMap(x -> x + a, tags)', ['a', 'tags']],
    ['arrayFilter((x, y) -> x > y, tags, tags)', ['tags']],
    ["m['k'] IN ('x', 'y') AND a NOT IN (1, 2)", ['m', 'a']],
    ['(a, b)', ['a', 'b']],
    ['CAST(a AS Nullable(String))', ['a']],
    ['a::String', ['a']],
    ['CASE WHEN a > 1 THEN b ELSE NULL END', ['a', 'b']],
    ['j.x.y', ['j.x.y']],
    ['n.x', ['n.x']],
    ['`a` = "b"', ['a', 'b']],
    ["a BETWEEN 1 AND 2 OR b LIKE '%x%' OR NOT a", ['a', 'b']],
    ['tuple()', []],
    ['generateUUIDv4()', []],
    ['current_user', ['current_user']],
    ["if(a = '', 'x', b)", ['a', 'b']],
  ])('%s', (text, columns) => {
    expect(judge(text, DEFAULT)).toEqual(columns);
  });

  it('lists, with names only where they are meant', () => {
    expect(judge('a, toDate(ts), b', { ...DEFAULT, form: 'list' })).toEqual(['a', 'ts', 'b']);
    expect(judge('a', { ...DEFAULT, form: 'list' })).toEqual(['a']);
    const named: ExpressionRules = { ...DEFAULT, form: 'named' };
    expect(judge("SELECT a, CAST(b, 'UInt8') AS c, c + 1 AS d, * EXCEPT (m)", named)).toEqual(['a', 'b', 'm']);
    expect(judge('a AS x', named)).toEqual(['a']);
    expect(() => judge('a AS x, b', { ...DEFAULT, form: 'list' })).toThrow(
      'at position 6: it gives a part of it the name x',
    );
    expect(() => judge('toDate(a AS x)', named)).toThrow('it gives a part of it the name x');
  });

  it('conditions before their table is known, and says which columns they name', () => {
    expect(judge("tenant_id = 't1' AND toDate(when) > today() - 7", { what: 'the condition' })).toEqual([
      'tenant_id',
      'when',
    ]);
  });

  it('aggregate functions where they are meant', () => {
    expect(judge('sum(a)', { ...DEFAULT, aggregates: true })).toEqual(['a']);
    expect(() => judge('sum(a)', DEFAULT)).toThrow('aggregate function sum needs a GROUP BY');
    expect(() => judge('uniqStateIf(a, b)', DEFAULT)).toThrow('aggregate function uniqStateIf');
  });
});

describe('refuses', () => {
  it.each([
    ['', 'it is empty'],
    ['   ', 'it is empty'],
    ['a, b', 'the comma at position 2 ends it'],
    ['a) FROM glasshouse.spans --', 'without comments'],
    ['a) , (b', 'the bracket at position 2 was not opened in it'],
    ['(a', 'is not closed'],
    ['[a)', 'was not opened'],
    ['a /* x */', 'without comments'],
    ['a -- x', 'without comments'],
    ['a; DROP TABLE x', 'one statement'],
    ['a;', 'without comments, heredocs and semicolons'],
    ['$$a$$', 'without comments'],
    ['a FORMAT JSON', 'without comments'],
    ['{x:String}', 'it cannot have the parameter x'],
    ['(SELECT 1)', 'at position 2: it must not have subqueries'],
    ['a IN (SELECT k FROM glasshouse.api_keys)', 'it must not have subqueries'],
    ['EXISTS (SELECT 1)', 'it must not have subqueries'],
    ['a IN other.secret', 'the right side of IN must be values'],
    ['a IN tags', 'the right side of IN must be values'],
    ['in(a, tags)', 'the right side of IN must be values'],
    ['sum(a) OVER (ORDER BY b)', 'aggregate function sum'],
    ['row_number() OVER ()', 'row_number'],
    ["file('/etc/passwd')", 'function file'],
    ["arrayMap(file, ['/etc/passwd'])", 'file as a function'],
    ["dictGet('d', 'a', 1)", 'function dictGet'],
    ["joinGet('d', 'a', 1)", 'function joinGet'],
    ["getSetting('x')", 'function getSetting'],
    ['sleep(3)', 'function sleep'],
    ['hostName()', 'function hostName'],
    ['session_user', 'no column session_user'],
    ['nope', 'there is no column nope'],
    ['nope.x', 'there is no column nope.x'],
    ['_part', 'there is no column _part'],
    ['*', 'Asterisk'],
    ["COLUMNS('a')", 'Columns'],
    ['arrayJoin(tags)', 'makes several rows of one'],
    ['a AS x', 'name x'],
    ['a AS x + 1', ''],
    ['untuple(tuple(a, b)) FROM', ''],
    ['DISTINCT a', ''],
    ['a DESC', ''],
    ['a DEFAULT 1', ''],
    ['a CODEC(NONE)', ''],
    ['a TTL ts', ''],
    ['a SETTINGS x = 1', ''],
    ["'unclosed", ''],
    ['x -> x', ''],
    ['a“', ''],
    ['f(a)', 'function f'],
    ['s3(a)', 'function s3'],
    ['a = ANY (SELECT 1)', ''],
    [`${'('.repeat(900)}a${')'.repeat(900)}`, ''],
    ['a '.repeat(15_000), 'characters'],
  ])('%s', (text, why) => {
    expect(() => judge(text, DEFAULT)).toThrow(why);
  });

  it('what could fail on a row, where that must not be', () => {
    const filter: ExpressionRules = { what: 'the row filter', total: true };
    for (const text of [
      "a = 'x' AND b LIKE '%y%'",
      "m['a'] IN ('x')",
      'toInt64OrZero(a) > 5',
      'ts > now() - INTERVAL 1 DAY',
      '0',
      'lower(a) = b',
    ])
      expect(() => judge(text, filter)).not.toThrow();
    for (const text of [
      "throwIf(a = 'x')",
      'match(a, b)',
      'parseDateTimeBestEffort(a) > now()',
      'toUUID(a) = b',
      'rowNumberInAllBlocks() = 1',
      "dictGet('x', 'y', a) = 1",
    ])
      expect(() => judge(text, filter)).toThrow(/^cannot use the row filter/u);
    expect(() => judge('_part = 1', filter)).toThrow("_part is a column of the engine's own");
  });

  it('and says where', () => {
    expect(() => judge("a + file('/etc/passwd')", DEFAULT)).toThrow(
      'cannot use DEFAULT of column=a at position 5: it cannot use function file',
    );
  });
});

it('any text is judged or refused, and what is let through stays between its parentheses', () => {
  const part = fc.constantFrom(
    ..."a b ( ) [ ] , + - * = 1 'x' now() -- /* */ SELECT FROM AS x -> IN OVER ; :: String . ` \" $$ { } \n".split(' '),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
      const text = parts.join(' ');
      try {
        judge(text, DEFAULT);
      } catch (error) {
        // The engine's own refusal comes as it is.
        if (!(error instanceof AppError)) expect(String(error)).toContain('Syntax error');
        return;
      }
      const ast = engine.query(`EXPLAIN AST SELECT 1, (${text}), 2`, 'TSVRaw');
      expect(ast.split('\n').filter((line) => /^ {4}\S/u.test(line))).toHaveLength(3);
    }),
    { seed: 11, numRuns: 2_000 },
  );
});

function judge(text: string, rules: ExpressionRules): readonly string[] {
  const expression = splitExpression(text, rules);
  return judgeExpression(expression, parseAst(engine.query(`EXPLAIN AST ${expression.statement}`, 'TSVRaw')), rules);
}
