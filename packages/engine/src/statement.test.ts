import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Exception } from './exception.ts';
import { tokenize } from './lexer.ts';
import { isKnown, judge } from './statement.ts';

const judged = (sql: string, complete = true) => judge(Buffer.from(sql), complete);

function codeOf(sql: string): number | undefined {
  try {
    judged(sql);
    return undefined;
  } catch (error) {
    return error instanceof Exception ? error.number : -1;
  }
}

describe('judging a statement that answers with rows', () => {
  it.each([
    ['SELECT 1 FORMAT JSON', 'SELECT 1 ', 'JSON', ''],
    ['SELECT 1 FORMAT JSON SETTINGS a = 1', 'SELECT 1 ', 'JSON', ' SETTINGS a = 1'],
    ['SELECT 1 SETTINGS a = 1 FORMAT JSON;', 'SELECT 1 SETTINGS a = 1 ', 'JSON', ''],
    ['SELECT 1 SETTINGS a = 1', 'SELECT 1 SETTINGS a = 1', undefined, ''],
    ['select 1 format CSV', 'select 1 ', 'CSV', ''],
    ["SELECT format('{}', 1)", "SELECT format('{}', 1)", undefined, ''],
    ['SELECT 1 AS format', 'SELECT 1 AS format', undefined, ''],
    ['SELECT * FROM format t', 'SELECT * FROM format t', undefined, ''],
    ['SELECT a.format b', 'SELECT a.format b', undefined, ''],
    ['SELECT * FROM (SELECT 1 FORMAT CSV)', 'SELECT * FROM (SELECT 1 FORMAT CSV)', undefined, ''],
    ["SELECT 'x FORMAT CSV'", "SELECT 'x FORMAT CSV'", undefined, ''],
    ['SELECT 1 -- FORMAT CSV', 'SELECT 1 -- FORMAT CSV', undefined, ''],
    ['SELECT 1 /* mark */; -- end', 'SELECT 1 /* mark */', undefined, ''],
    ["SELECT 'é' FORMAT JSON", "SELECT 'é' ", 'JSON', ''],
  ])('splits %s', (sql, head, format, tail) => {
    expect(judged(sql)).toMatchObject({ kind: 'result', head, format, tail, reads: true });
  });

  it('tells reading from acting', () => {
    for (const sql of ['WITH 1 AS a SELECT a', '(SELECT 1)', 'SHOW TABLES', 'DESC t', 'EXPLAIN SELECT 1', 'EXISTS t']) {
      expect(judged(sql)).toMatchObject({ kind: 'result', reads: true });
    }
    for (const sql of ['KILL QUERY WHERE 1', 'BACKUP TABLE t TO Null', 'RESTORE TABLE t FROM Null', 'CHECK TABLE t']) {
      expect(judged(sql)).toMatchObject({ kind: 'result', reads: false });
    }
    expect(judged('WITH 1 AS a INSERT INTO t SELECT a')).toMatchObject({ kind: 'command' });
  });

  it('knows a command from a spelling mistake', () => {
    for (const [sql, known] of [
      ['DROP TABLE t', true],
      ['set a = 1', true],
      ['SELEC 1', false],
      ['exit', false],
    ] as const) {
      const statement = judged(sql);
      expect(statement !== undefined && isKnown(statement)).toBe(known);
    }
  });
});

describe('judging an INSERT', () => {
  it.each([
    ['INSERT INTO t FORMAT CSV\n1,2', 'INSERT INTO t ', '', 'CSV', '1,2'],
    ['INSERT INTO t FORMAT CSV \r\n\n1', 'INSERT INTO t ', '', 'CSV', '\n1'],
    [
      'insert into d.t (a, `b)`) settings x = 1 format JSONEachRow {"a":1}',
      'insert into d.t (a, `b)`) ',
      'settings x = 1 ',
      'JSONEachRow',
      '{"a":1}',
    ],
    ["INSERT INTO t VALUES (1, 'FORMAT')", 'INSERT INTO t ', '', 'Values', " (1, 'FORMAT')"],
    ["INSERT INTO t FORMAT Values (1, ''')", 'INSERT INTO t ', '', 'Values', " (1, ''')"],
    ['INSERT INTO format FORMAT CSV\n', 'INSERT INTO format ', '', 'CSV', ''],
    ['INSERT INTO TABLE values.format (a) VALUES (1)', 'INSERT INTO TABLE values.format (a) ', '', 'Values', ' (1)'],
    ['INSERT INTO t FORMAT RowBinary\n\u0000\'"`/*$$', 'INSERT INTO t ', '', 'RowBinary', '\u0000\'"`/*$$'],
  ])('finds the data of %j', (sql, before, settings, format, data) => {
    const statement = judged(sql);
    expect(statement).toMatchObject({ kind: 'insert', before, settings, format });
    if (statement?.kind === 'insert') expect(Buffer.from(sql).subarray(statement.dataStart).toString()).toBe(data);
  });

  it('waits for more of a text that is not complete', () => {
    const sql = 'INSERT INTO t (a, b) FORMAT CSV\n1,2';
    for (let length = 1; length <= sql.indexOf('\n'); length += 1)
      expect(judged(sql.slice(0, length), false)).toBeUndefined();
    expect(judged(sql, false)).toMatchObject({ kind: 'insert', format: 'CSV' });
    expect(judged('SELECT 1', false)).toBeUndefined();
  });

  it('passes INSERT SELECT and FROM INFILE on, and refuses input()', () => {
    expect(judged('INSERT INTO t SELECT 1')).toMatchObject({ kind: 'command', fromFile: false });
    expect(judged("INSERT INTO t FROM INFILE '/x' FORMAT CSV")).toMatchObject({ kind: 'command', fromFile: true });
    expect(codeOf("INSERT INTO t SELECT * FROM input('a UInt8') FORMAT CSV 1")).toBe(48);
  });
});

describe('what is refused', () => {
  it.each([
    ['', 62],
    [' -- nothing', 62],
    ['SELECT 1; SELECT 2', 62],
    ["SELECT 'open", 62],
    ['SELECT /* open', 62],
    ['SELECT $x$ open', 62],
    ["SELECT 1 INTO OUTFILE 'x'", 358],
    ["SELECT * FROM (SELECT 1 INTO OUTFILE 'x')", 358],
    ["CREATE TABLE t (a UInt8) INTO OUTFILE 'x'", 358],
    ["INSERT INTO t SELECT 1 INTO OUTFILE 'x'", 358],
  ])('refuses %j', (sql, code) => {
    expect(codeOf(sql)).toBe(code);
  });

  it('never overlooks INTO OUTFILE behind any mix of quotes and comments that closes', () => {
    const piece = fc.constantFrom(
      "'a'",
      "'\\''",
      "''''",
      '"b"',
      '`c`',
      '$$d$$',
      "$t$ ' $t$",
      "/* /* ' */ */",
      "-- '\n",
      "# '\n",
      '‘e"’',
      "“f'”",
      '1e5',
      'x',
      '(',
      ')',
      ',',
      '$',
      '#x',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        expect([62, 358]).toContain(codeOf(`SELECT ${pieces.join(' ')} INTO OUTFILE 'x'`));
      }),
    );
  });

  it('ends on any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        let last = 0;
        for (const token of tokenize(Buffer.from(bytes).toString('latin1'))) {
          expect(token.start).toBeGreaterThanOrEqual(last);
          expect(token.end).toBeGreaterThan(token.start);
          last = token.end;
        }
      }),
    );
  });
});
