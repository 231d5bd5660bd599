import { splitStatement } from '@glasshouse/language';
import { describe, expect, test } from 'vitest';
import { shapeOf } from './shape.ts';

const shape = (sql: string, x = ''): string => shapeOf(splitStatement(sql), { param_x: x });

describe('the shape of a statement', () => {
  test.each([
    ["SELECT * FROM t WHERE a = 'x' AND b > 5", "SELECT * FROM t WHERE a = 'other' AND b > 17"],
    ["SELECT * FROM t WHERE (a = 'x')", "SELECT * FROM t WHERE (a = 'y')"],
    [
      'SELECT a FROM t WHERE b >= toInt64(1) ORDER BY a LIMIT 5',
      'SELECT a FROM t WHERE b >= toInt64(2) ORDER BY a LIMIT 50',
    ],
    ["SELECT * FROM t WHERE b BETWEEN '1' AND '2' AND c = 1", "SELECT * FROM t WHERE b BETWEEN '3' AND '4' AND c = 1"],
    ['SELECT * FROM t WHERE b NOT BETWEEN 1 AND 2', 'SELECT * FROM t WHERE b NOT BETWEEN 3 AND 4'],
    ["SELECT * FROM t WHERE b >= toDateTime('2026-01-01')", "SELECT * FROM t WHERE b >= toDateTime('2026-01-02')"],
    [
      "SELECT * FROM t WHERE b < toDateTime64('2026-01-01', 3) + INTERVAL 1 DAY",
      "SELECT * FROM t WHERE b < toDateTime64('2026-01-02', 3) + INTERVAL 2 DAY",
    ],
    ['SELECT a FROM t LIMIT toInt32(10)', 'SELECT a FROM t LIMIT toInt32(20)'],
    ['SELECT a FROM t WHERE b > now() - INTERVAL 1 HOUR', 'SELECT a FROM t WHERE b > now() - INTERVAL 24 HOUR'],
  ])('is the same for %s and %s', (one, other) => {
    expect(shape(one)).toBe(shape(other));
  });

  test.each([
    ["SELECT * FROM t WHERE a = 'x'", 'SELECT * FROM t WHERE a = 1'],
    ["SELECT * FROM t WHERE a = 'x'", "SELECT * FROM t WHERE b = 'x'"],
    ['SELECT a FROM t WHERE b = 1 / 2', 'SELECT a FROM t WHERE b = 0 / 2'],
    ['SELECT a FROM t WHERE b = 2 / 1', 'SELECT a FROM t WHERE b = 2 / 0'],
    ["SELECT toUInt8('1') FROM t", "SELECT toUInt8('x') FROM t"],
    ["SELECT toDateTime(b, 'UTC') FROM t", "SELECT toDateTime(b, 'Asia/Tokyo') FROM t"],
    ["SELECT toDateTime64('2026-01-01', 3) FROM t", "SELECT toDateTime64('2026-01-01', 6) FROM t"],
    ["SELECT toDate('a' || b) FROM t", "SELECT toDate('c' || b) FROM t"],
    ["SELECT `toDate`('1') FROM t", "SELECT `toDate`('2') FROM t"],
    ["SELECT a BETWEEN '1' AND '2' || b FROM t", "SELECT a BETWEEN '1' AND '3' || b FROM t"],
    ["SELECT a BETWEEN '1' || b AND 'c' FROM t", "SELECT a BETWEEN '2' || b AND 'c' FROM t"],
    ["SELECT a BETWEEN b AND '2' FROM t", "SELECT a BETWEEN b AND '3' FROM t"],
    ["SELECT a AND 'x' FROM t", "SELECT a AND 'y' FROM t"],
    ['SELECT toUInt8(1, 2) FROM t', 'SELECT toUInt8(2, 2) FROM t'],
    ["SELECT CAST(a = 'x', 'UInt8') FROM t", "SELECT CAST(a = 'x', 'Date') FROM t"],
    ["SELECT dictGet('a', b) FROM t", "SELECT dictGet('c', b) FROM t"],
    ["SELECT a = 'x' || b FROM t", "SELECT a = 'y' || b FROM t"],
    ["SELECT a = 'x' :: Date FROM t", "SELECT a = 'y' :: Date FROM t"],
    ['SELECT a FROM t WHERE b IN (1)', 'SELECT a FROM t WHERE b IN (2)'],
    ['SELECT a FROM t WHERE b = 9223372036854775807', 'SELECT a FROM t WHERE b = 99999999999999999999'],
    ["SELECT a AS x FROM t WHERE x = 'b'", "SELECT a AS y FROM t WHERE y = 'b'"],
    ['SELECT a FROM t LIMIT 1', 'SELECT a FROM t OFFSET 1'],
    ['SELECT a FROM t WHERE b > 0', 'SELECT a FROM t WHERE b > 1'],
    ['SELECT a FROM t WHERE b BETWEEN 0 AND 0', 'SELECT a FROM t WHERE b BETWEEN 0 AND 1'],
  ])('is another for %s than for %s', (one, other) => {
    expect(shape(one)).not.toBe(shape(other));
  });

  test.each([
    'SELECT a FROM t WHERE b = {x:String} AND c < 1',
    'SELECT a FROM t WHERE b IN {x:Array(String)} LIMIT 5',
    'SELECT a FROM t ORDER BY a LIMIT {x:UInt32}',
  ])('is the same for other values of the parameter of %s', (sql) => {
    expect(shape(sql, '1')).toBe(shape(sql, '2'));
  });

  test.each([
    'SELECT a FROM t WHERE b LIKE {x:String}',
    'SELECT a FROM t WHERE intDiv(b, {x:UInt8}) > 1',
    'SELECT a FROM t WHERE b > 1 / {x:UInt8}',
    'SELECT a FROM t WHERE b > {x:UInt8} / 5',
    'SELECT CAST(a, {x:String}) FROM t',
    'SELECT a FROM t WHERE {x:String}',
  ])('is another for another value of the parameter of %s', (sql) => {
    expect(shape(sql, '1')).not.toBe(shape(sql, '2'));
  });
});
