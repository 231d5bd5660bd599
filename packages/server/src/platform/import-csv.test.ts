/** CSV to events, as it is found in the wild. */

import type { DataSource } from '@glasshouse/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AppError } from '@glasshouse/model';
import { targetsOf } from './import-targets.ts';
import type { CsvDialect } from './import-csv.ts';
import { csvRows } from './import-csv.ts';
import { jsonText } from './import-columns.ts';
import { column, dataSource } from './testing/stand.ts';

const SOURCE = dataSource('hits', {
  columns: [
    { ...column('ts', 'DateTime'), jsonPath: '$.time.at' },
    column('page', 'String'),
    { ...column('n', 'UInt32'), kind: 'DEFAULT', expression: '1' },
    { ...column('tags', 'Array(String)'), jsonPath: '$.tags[:]' },
    { ...column('day', 'Date'), kind: 'MATERIALIZED', expression: 'toDate(ts)' },
    column('note', 'Nullable(String)'),
  ],
});

async function rows(
  text: Buffer | string,
  dialect: CsvDialect = {},
  source: DataSource = SOURCE,
  chunkBytes = 1 << 20,
): Promise<unknown[]> {
  const bytes = Buffer.from(text);
  async function* chunks(): AsyncGenerator<Buffer> {
    for (let at = 0; at < bytes.length; at += chunkBytes) yield Promise.resolve(bytes.subarray(at, at + chunkBytes));
  }
  const made: unknown[] = [];
  for await (const row of csvRows(chunks(), dialect, targetsOf(source), 10_000)) made.push(JSON.parse(jsonText(row)));
  return made;
}

const one = { time: { at: '2026-01-01' }, page: 'a', n: '5', tags: ['x'], note: 'y' };

describe('CSV', () => {
  it.each<[string, string, CsvDialect]>([
    ['with a header', 'ts,page,n,tags,note\n2026-01-01,a,5,"[""x""]",y\n', {}],
    ['with a header in another order', 'note,n,page,tags,ts\ny,5,a,"[""x""]",2026-01-01', {}],
    ['without a header, by position', '2026-01-01,a,5,"[""x""]",y\n', {}],
    ['with a header of keys', 'time.at,page,n,tags,note\n2026-01-01,a,5,"[""x""]",y', {}],
    ['with semicolons', 'ts;page;n;tags;note\r\n2026-01-01;a;5;"[""x""]";y\r\n', {}],
    ['with tabs', 'ts\tpage\tn\ttags\tnote\n2026-01-01\ta\t5\t["x"]\ty', { quote: '|' }],
    ['with a delimiter that is said', "ts#page#n#tags#note\n2026-01-01#a#5#['x']#y", { delimiter: '#' }],
    ['with an escape of its own', 'ts,page,n,tags,note\n2026-01-01,a,5,"[\\"x\\"]",y', { escape: '\\' }],
    ['with line ends that are said', 'ts,page,n,tags,note;2026-01-01,a,5,"[""x""]",y;', { newLine: ';' }],
    ['with a mark and empty lines', '\uFEFFts,page,n,tags,note\n\n2026-01-01,a,5,"[""x""]",y\n\n', {}],
    ['with blanks around the names', ' ts , page ,n,tags,note\n2026-01-01,a,5,"[""x""]",y', {}],
    ['with a header that is said to be none', '2026-01-01,a,5,"[""x""]",y', { header: false }],
  ])('%s', async (_, text, dialect) => {
    expect(await rows(text, dialect)).toEqual([one]);
    expect(await rows(text, dialect, SOURCE, 3)).toEqual([one]);
  });

  it('has no value where a cell is empty, but for a text that must be one', async () => {
    expect(await rows('ts,page,n,tags,note\n2026-01-01,,,,\n2026-01-02\n')).toEqual([
      { time: { at: '2026-01-01' }, page: '' },
      { time: { at: '2026-01-02' } },
    ]);
  });

  it('may have line breaks, commas and quotes in a cell', async () => {
    expect(await rows('ts,page\n2026-01-01,"a, ""b""\nc"\n')).toEqual([
      { time: { at: '2026-01-01' }, page: 'a, "b"\nc' },
    ]);
  });

  it('keeps cells of columns that are not known under their names', async () => {
    expect(await rows('ts,page,__proto__,constructor\n2026-01-01,a,1,2')).toEqual([
      JSON.parse('{"time":{"at":"2026-01-01"},"page":"a","__proto__":"1","constructor":"2"}'),
    ]);
  });

  it('without a data source needs names', async () => {
    expect(await rows('a,b c\n1,2\n', {}, dataSource('x', { columns: [] }))).toEqual([{ a: '1', 'b c': '2' }]);
    await expect(rows('1,2\n3,4\n', {}, dataSource('x', { columns: [] }))).rejects.toMatchObject({
      code: 'bad_request',
    });
  });

  it('with a row over the limit is refused', async () => {
    await expect(rows(`ts,page\n2026-01-01,${'x'.repeat(20_000)}\n`)).rejects.toMatchObject({ code: 'too_large' });
  });

  it('that is anything ends in rows or in a refusal', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: fc.constantFrom(...',;"\n\r\\a1 \t|\u0000é'.split('')), maxLength: 200 }),
        async (text) => {
          try {
            await rows(text, {}, SOURCE, 7);
          } catch (error) {
            expect(error).toBeInstanceOf(AppError);
            expect((error as AppError).kind.httpStatus).toBeLessThan(500);
          }
        },
      ),
      { numRuns: 400, seed: 11 },
    );
  });
});
