/** Expressions of users that throw for some rows: on the real engine, with the insert that would have failed. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mapEvents } from './events.ts';
import { isolateFaults } from './isolate.ts';
import { dataSource, Stage } from './stage.suite.ts';
import type { DataSource } from '@glasshouse/model';

let stage: Stage;

beforeAll(async () => {
  stage = await Stage.open();
});

afterAll(async () => stage.close());

const names = { staging: 'staging', where: `datasource_id = 'd'` };

/** Isolates and inserts; tells how many queries that took. */
async function deliver(source: DataSource, lines: readonly string[], maxProbes?: number) {
  await stage.prepare(source, lines);
  let queries = 0;
  const barred = await isolateFaults({
    names,
    map: (ranges) => mapEvents(source, { barred: ranges }),
    ask: async (sql) => {
      queries += 1;
      return (await stage.rows<Record<string, string | number>>(sql))[0];
    },
    isOfRow: () => true,
    ...(maxProbes === undefined ? {} : { maxProbes }),
  });
  const outcome = await stage.insert(mapEvents(source, { barred }));
  return { ...outcome, barred, queries };
}

const lines = Array.from({ length: 1000 }, (_, n) => `{"n":${n},"text":"${[17, 503, 998].includes(n) ? 'x' : n}"}`);
const faulty = ['x', 'x', 'x'];

describe('an expression that throws for some rows', () => {
  const columns = [
    ['n', 'UInt32'],
    ['text', 'String'],
  ] as const;

  it.each<[string, DataSource]>([
    ['a default', dataSource([...columns, ['d', 'UInt32', '$.d', 'toUInt32(text)']])],
    [
      'a computed column',
      dataSource([
        { name: 'n', type: 'UInt32' },
        { name: 'text', type: 'String' },
        { name: 'm', type: 'UInt32', kind: 'MATERIALIZED', expression: 'toUInt32(text)' },
      ]),
    ],
    ['the partition key', dataSource(columns, { partitionKey: 'intDiv(toUInt32(text), 1000)' })],
    ['the sorting key', dataSource(columns, { sortingKey: 'toUInt32(text)' })],
    [
      'the TTL',
      dataSource([...columns, ['t', 'DateTime', '$.t', 'now()']], {
        ttl: 't + toIntervalYear(50) + toIntervalDay(toUInt32(text)) DELETE',
      }),
    ],
  ])('as %s, costs those rows only', async (_what, source) => {
    const { good, bad, barred, queries } = await deliver(source, lines);
    expect(good).toHaveLength(997);
    expect(bad.map((row) => row['text'])).toEqual(faulty);
    expect(bad[0]?.['c__error_column']).toEqual(['c__line']);
    expect(String(bad[0]?.['c__error'])).toMatch(/^the row cannot be computed: .*Cannot parse/);
    expect(barred).toHaveLength(3);
    expect(queries).toBeLessThan(120);
  });

  it('is not asked of rows that do not need it', async () => {
    const source = dataSource([
      ['n', 'UInt32'],
      ['text', 'String'],
      ['d', 'UInt32', '$.n', 'toUInt32(text)'],
    ]);
    const { good, barred, queries } = await deliver(source, lines);
    expect({ rows: good.length, barred, queries }).toEqual({ rows: 1000, barred: [], queries: 1 });
  });
});

describe('an expression that throws for every row', () => {
  it('costs all of them, after a bounded number of queries', async () => {
    const source = dataSource([
      ['n', 'UInt32'],
      ['d', 'UInt32', '$.d', `toUInt32(concat('x', toString(n)))`],
    ]);
    const { good, bad, queries } = await deliver(source, lines, 20);
    expect({ good: good.length, bad: bad.length }).toEqual({ good: 0, bad: 1000 });
    expect(queries).toBeLessThan(60);
  });
});

it('throws on what is no fault of a row', async () => {
  const source = dataSource([['n', 'UInt32']]);
  const gone = new Error('connection refused');
  const isolating = isolateFaults({
    names,
    map: (barred) => mapEvents(source, { barred }),
    ask: () => Promise.reject(gone),
    isOfRow: (error) => error !== gone,
  });
  await expect(isolating).rejects.toBe(gone);
});
