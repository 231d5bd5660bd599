/** How statements aggregate, read off the trees of the real engine. */

import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aggregationOf, type Aggregation } from './aggregation.ts';
import { EXPLAIN_TREE, parseResolved } from './resolved.ts';

interface Engine {
  query(sql: string, format: string): string;
  cleanup(): void;
}

let directory: string;
let engine: Engine;

beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'aggregation-'));
  const chdb: unknown = createRequire(import.meta.url)('chdb');
  engine = new (chdb as { Session: new (directory: string) => Engine }).Session(directory);
  engine.query('CREATE DATABASE acme', 'TSVRaw');
  engine.query('USE acme', 'TSVRaw');
  engine.query(
    'CREATE TABLE t (at DateTime64(3), k String, n UInt32) ENGINE MergeTree PARTITION BY toYYYYMM(at) ORDER BY at',
    'TSVRaw',
  );
});

afterAll(() => {
  engine.cleanup();
  rmSync(directory, { recursive: true, force: true });
});

function of(sql: string): Aggregation {
  return aggregationOf(parseResolved(engine.query(`${EXPLAIN_TREE}${sql}`, 'TSVRaw')));
}

describe('a statement needs rows', () => {
  it.each([
    'SELECT sum(n) FROM t',
    'SELECT count(), avg(n) FROM t WHERE at > now()',
    'SELECT k, uniq(n) AS u FROM t GROUP BY k HAVING u > 1',
    'SELECT max(s) + sum(s) FROM (SELECT sum(n) AS s FROM t GROUP BY k)',
    'SELECT k FROM t GROUP BY k ORDER BY sum(n)',
    'SELECT sum(n) AS x FROM t UNION ALL SELECT sumIf(n, n > 1) FROM t',
  ])('where it adds up what rows say: %s', (sql) => {
    expect(of(sql).needsRows).toBe(true);
  });

  it.each([
    'SELECT count() FROM t',
    'SELECT count() FROM t WHERE at > now()',
    'SELECT min(at), max(at) FROM t',
    'SELECT toYYYYMM(at) AS m, count() FROM t GROUP BY m',
    'SELECT toYYYYMM(at) AS m FROM t GROUP BY m',
    'SELECT sum(n), (SELECT count() FROM t) FROM t GROUP BY k',
    'SELECT sum(n) FROM t UNION ALL SELECT count() FROM t',
    'SELECT k, n FROM t',
  ])('not where a part of it may be known without, or nothing is aggregated: %s', (sql) => {
    expect(of(sql).needsRows).toBe(false);
  });
});

describe('a statement is grouped by time', () => {
  it.each([
    'SELECT toStartOfMinute(at) AS m, count(), countIf(n > 5), avg(n), quantile(0.95)(n) FROM t GROUP BY m ORDER BY m',
    "SELECT toStartOfHour(at), sum(n) FROM t WHERE k = 'a' GROUP BY 1",
    'WITH f AS (SELECT at, n FROM t WHERE n > 1) SELECT toDate(at) AS d, max(n) FROM f GROUP BY d',
    'SELECT toStartOfDay(at) AS d FROM t GROUP BY d',
  ])('where a span of it is the only key: %s', (sql) => {
    expect(of(sql).byTime).toBe(true);
  });

  it.each([
    'SELECT sum(n) FROM t',
    'SELECT at, n FROM t',
    'SELECT at, sum(n) FROM t GROUP BY at',
    'SELECT toStartOfSecond(at) AS s, sum(n) FROM t GROUP BY s',
    'SELECT toStartOfMinute(at) AS m, k, sum(n) FROM t GROUP BY m, k',
    'SELECT k, toStartOfMinute(at) AS m, sum(n) FROM t GROUP BY ALL',
    'SELECT toStartOfMinute(at) AS m, uniq(k) FROM t GROUP BY m',
    'SELECT toStartOfMinute(at) AS m, groupArray(k) FROM t GROUP BY m',
    'SELECT toStartOfMinute(at + 1) AS m, sum(n) FROM t GROUP BY m',
    'SELECT avg(s) FROM (SELECT toStartOfMinute(at) AS m, sum(n) AS s FROM t GROUP BY m)',
  ])('not where groups may be small or many, or heavy to put together: %s', (sql) => {
    expect(of(sql).byTime).toBe(false);
  });
});
