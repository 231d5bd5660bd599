/** Rows as a whole on the real engine: paths, defaults, lines that are no rows, write filters, and what the quarantine keeps of them. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mapEvents } from './events.ts';
import { ARRIVAL, dataSource, Stage, type Row } from './stage.suite.ts';

let stage: Stage;

beforeAll(async () => {
  stage = await Stage.open();
});

afterAll(async () => stage.close());

/** Names of the columns that a row of the quarantine has errors for. */
const errors = (row: Row | undefined): unknown => row?.['c__error_column'];

describe('a JSON path', () => {
  it('reaches into objects, arrays and the whole row', async () => {
    const source = dataSource([
      ['a', 'String', '$.a', `'none'`],
      ['ab', 'String', '$.a.b', `'none'`],
      ['abc', 'UInt8', '$.a.b.c', '0'],
      ['all', 'Array(String)', '$.list[:]', '[]'],
      ['same', 'Array(String)', '$.list', '[]'],
      ['each', 'Array(Nullable(UInt8))', '$.objects[:].n', '[]'],
      ['inner', 'Array(Array(String))', '$.objects[:].tags[:]', '[]'],
      ['deep', 'Array(String)', '$.deep.er[:].x.y', '[]'],
      ['row', 'String', '$'],
    ]);
    const line =
      '{"a": {"b": {"c":5} }, "list":["x","y"], "objects":[{"n":1,"tags":["p","q"]},{"n":null},{"tags":[]}], "deep":{"er":[{"x":{"y":"z"}}]}}';
    const { good, bad } = await stage.run(source, [line, '{}']);
    expect(bad).toEqual([]);
    expect(good).toEqual([
      {
        a: '{"b": {"c":5} }',
        ab: '{"c":5}',
        abc: 5,
        all: ['x', 'y'],
        same: ['x', 'y'],
        each: [1, null, null],
        inner: [['p', 'q'], [], []],
        deep: ['z'],
        row: line,
      },
      { a: 'none', ab: 'none', abc: 0, all: [], same: [], each: [], inner: [], deep: [], row: '{}' },
    ]);
  });

  it('is the key of the column by default', async () => {
    const { good } = await stage.run(dataSource([['a.b', 'String']]), ['{"a.b":"x","a":{"b":"y"}}']);
    expect(good).toEqual([{ 'a.b': 'x' }]);
  });

  it.each([
    ['dots', 'k.e.y', `$['k.e.y']`],
    ['dots, in double quotes', 'k.e.y', `$."k.e.y"`],
    ['quotes', `a'b"c`, undefined],
    ['backticks', 'a`b', '$.a`b'],
    ['a backslash', 'a\\b', undefined],
    ['letters of other scripts', 'ключ-鍵-🔑', '$.ключ-鍵-🔑'],
    ['spaces', 'a key', '$.a key'],
    ['brackets', 'a[:]b', `$["a[:]b"]`],
    ['the name of an alias', 'm__json', '$.m__json'],
    ['a quote that would end a literal', `'), 1) --`, undefined],
    ['a line break', 'a\nb', undefined],
  ])('finds a key with %s', async (_what, key, path) => {
    const quoted = path ?? `$['${key.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}']`;
    const columns = [
      ['c', 'String', quoted],
      ['n', 'Array(String)', `$.nested${quoted.slice(1)}`, '[]'],
    ] as const;
    const lines = [`{${JSON.stringify(key)}:1.50,"nested":{${JSON.stringify(key)}:["x"]}}`];
    const { good, bad } = await stage.run(dataSource(columns), lines);
    expect({ good, bad }).toEqual({ good: [{ c: '1.50', n: ['x'] }], bad: [] });
  });

  it('is missing where an array or a scalar stands in the place of an object', async () => {
    const source = dataSource([
      ['n', 'UInt8'],
      ['b', 'String', '$.a.b', `'none'`],
      ['c', 'String', '$.a.c', `'none'`],
      ['l', 'Array(String)', '$.a.l', `['none']`],
    ]);
    const values = [
      '["x","y",["z"]]',
      '[null,"x","y"]',
      '[]',
      '5',
      '"x"',
      'null',
      '{"b":"x"}',
      '[ null, "x"]',
      '[{"b":"x"}]',
    ];
    const { good } = await stage.run(
      source,
      values.map((value, n) => `{"n":${n},"a":${value}}`),
    );
    const none = { b: 'none', c: 'none', l: ['none'] };
    expect(good).toEqual(values.map((_, n) => ({ n, ...none, ...(n === 6 ? { b: 'x' } : {}) })));
  });

  it('takes the first of two equal keys', async () => {
    const { good } = await stage.run(dataSource([['a', 'UInt8']]), ['{"a":1,"a":2}', '{"a":3,"A":4}']);
    expect(good).toEqual([{ a: 1 }, { a: 3 }]);
  });

  it('keeps the text of a number where the key stands in the line more than once', async () => {
    const source = dataSource([
      ['v', 'String', '$.v'],
      ['d', 'Decimal(38, 20)', '$.d'],
    ]);
    const lines = [
      '{"o":{"v":1.1},"v":1.10,"d":0.1234567890123456789}',
      '{"v" : 1.10, "o":{"d":5}, "d" : 0.1234567890123456789}',
      '{"\\u0076":1.10,"d":0.1234567890123456789,"x":"\\"v\\":9"}',
      '{"v":\t1.10\t,"d":\r0.1234567890123456789\r}',
      '{"o":{"v":"1.10"},"v":"1.1","d":"0.1234567890123456789"}',
    ];
    const { good } = await stage.run(source, lines);
    expect(good.map(({ v }) => v)).toEqual(['1.10', '1.10', '1.10', '1.10', '1.1']);
    expect(new Set(good.map(({ d }) => d))).toEqual(new Set(['0.1234567890123456789']));
  });

  it('keeps an object in a text as it is written, and not what stands behind the same key elsewhere', async () => {
    const source = dataSource([
      ['v', 'String', '$.v', `'none'`],
      ['o', 'String', '$.o', `'none'`],
      ['inner', 'String', '$.o.k', `'none'`],
    ]);
    const lines = [
      '{"v":{"a" : [1, 1.10], "s":"x  y"}}',
      '{"v": [ {"b":"\\u00e9"} , 1e2 ] }',
      '{"\\u0076":{"a": 1.10},"x":{"v":{"a":2}}}',
      '{"x":{"v":"\\"v\\":{}"},"v":{"a": "b"}}',
      '{"o":"{\\"k\\":{\\"a\\": 1.10}}","x":{"k":{"a":2}}}',
      '{"o":"{\\"k\\":12}"}',
    ];
    const { good } = await stage.run(source, lines);
    expect(good.map(({ v }) => v)).toEqual([
      '{"a" : [1, 1.10], "s":"x  y"}',
      '[ {"b":"\\u00e9"} , 1e2 ]',
      '{"a":1.10}',
      '{"a":"b"}',
      'none',
      'none',
    ]);
    expect(good.map(({ inner }) => inner)).toEqual(['none', 'none', 'none', 'none', '{"a":1.1}', '12']);
  });
});

describe('a default', () => {
  it('counts when the key is missing and when it is null', async () => {
    const source = dataSource([
      ['s', 'String', '$.s', `'unknown'`],
      ['n', 'UInt16', '$.n', '7'],
      ['f', 'Float32', '$.f', '-1.5'],
      ['b', 'Bool', '$.b', 'true'],
      ['l', 'LowCardinality(String)', '$.l', `upper('x')`],
      ['o', 'Nullable(String)', '$.o', `'was null'`],
      ['a', 'Array(String)', '$.a[:]', `['p']`],
      ['m', 'Array(Map(String, String))', '$.m[:]', '[]'],
      ['t', 'DateTime', '$.t', `'2020-01-01 00:00:00'`],
    ]);
    const nulls = '{"s":null,"n":null,"f":null,"b":null,"l":null,"o":null,"a":null,"m":null,"t":null}';
    const { good, bad } = await stage.run(source, ['{}', nulls]);
    const expected = {
      s: 'unknown',
      n: 7,
      f: -1.5,
      b: true,
      l: 'X',
      o: 'was null',
      a: ['p'],
      m: [],
      t: '2020-01-01 00:00:00',
    };
    expect({ good, bad }).toEqual({ good: [expected, expected], bad: [] });
  });

  it('does not hide a value that does not fit', async () => {
    const source = dataSource([
      ['n', 'UInt16', '$.n', '0'],
      ['a', 'Array(String)', '$.a[:]', '[]'],
    ]);
    const { good, bad } = await stage.run(source, ['{"n":70000}', '{"a":"x"}']);
    expect(good).toEqual([]);
    expect(bad.map(errors)).toEqual([['n'], ['a']]);
  });

  it('may name other columns, in any order and through computed ones', async () => {
    const source = dataSource([
      ['total', 'UInt32', '$.total', 'prompt + completion'],
      ['day', 'Date', '$.day', 'toDate(at)'],
      ['at', 'DateTime', '$.at', `'2025-01-02 03:04:05'`],
      ['prompt', 'UInt32', '$.p', '1'],
      ['completion', 'UInt32', '$.c', 'prompt * 2'],
      { name: 'twice', type: 'UInt64', kind: 'ALIAS', expression: 'total * 2' },
      ['quad', 'UInt64', '$.q', 'twice * 2'],
      { name: 'hidden', type: 'String', kind: 'MATERIALIZED', expression: 'upper(label)' },
      ['label', 'String', '$.label', 'concat(toString(total), raw)'],
      { name: 'raw', type: 'String', kind: 'EPHEMERAL', expression: `'!'` },
    ]);
    const { good, bad } = await stage.run(source, [
      '{"p":10,"at":"2025-05-06T07:08:09Z","hidden":"no","twice":1,"raw":"?"}',
      '{}',
    ]);
    expect(bad).toEqual([]);
    expect(good).toEqual([
      {
        total: 30,
        day: '2025-05-06',
        at: '2025-05-06 07:08:09',
        prompt: 10,
        completion: 20,
        quad: '120',
        label: '30?',
      },
      { total: 3, day: '2025-01-02', at: '2025-01-02 03:04:05', prompt: 1, completion: 2, quad: '12', label: '3!' },
    ]);
    expect(await stage.rows('SELECT hidden, twice FROM source ORDER BY total')).toEqual([
      { hidden: '3!', twice: 6 },
      { hidden: '30?', twice: 60 },
    ]);
  });

  it('is the moment of arrival for now() and today()', async () => {
    const source = dataSource([
      ['a', 'DateTime', '$.a', 'now()'],
      ['b', 'DateTime64(3)', '$.b', 'now64(3)'],
      ['c', 'Date', '$.c', 'today() - 1'],
      ['d', 'String', '$.d', `concat('now()', toString(NOW()))`],
    ]);
    const { good } = await stage.run(source, ['{}']);
    expect(good).toEqual([{ a: '2025-03-04 05:06:07', b: ARRIVAL, c: '2025-03-03', d: 'now()2025-03-04 05:06:07' }]);
  });

  it('leaves a column without one to the quarantine, text or not', async () => {
    const source = dataSource([
      ['n', 'UInt8'],
      ['s', 'String'],
      ['o', 'Nullable(String)'],
    ]);
    const { good, bad } = await stage.run(source, ['{"n":1,"s":""}', '{"n":1}', '{"s":"x"}', '{"n":null,"s":null}']);
    expect(good).toEqual([{ n: 1, s: '', o: null }]);
    expect(bad.map(errors)).toEqual([['s'], ['n'], ['n', 's']]);
    expect(bad[1]?.['c__error']).toEqual([
      `value '' on column 'n' is not UInt8: $.n is missing or null, and the column has no DEFAULT`,
    ]);
  });
});

describe('a line', () => {
  const source = dataSource([
    ['a', 'String', '$.a', `''`],
    ['n', 'UInt8', '$.n', '0'],
  ]);

  it.each<[string, string | Uint8Array, string]>([
    ['empty', '', 'the line is empty'],
    ['of spaces', ' \t ', 'the line is empty'],
    ['not JSON', 'a,b', 'the line is not JSON, or nested too deeply'],
    ['cut short', '{"a":"x', 'the line is not JSON, or nested too deeply'],
    ['two objects', '{"a":"x"}{"a":"y"}', 'the line is not JSON, or nested too deeply'],
    ['with something behind it', '{"a":"x"} x', 'the line is not JSON, or nested too deeply'],
    ['an array', '["x",1]', 'the line is JSON but not an object'],
    ['an array of one object', '[{"a":"x"}]', 'the line is JSON but not an object'],
    ['a number', '5', 'the line is JSON but not an object'],
    ['a string', '"{}"', 'the line is JSON but not an object'],
    ['null', 'null', 'the line is JSON but not an object'],
    ['with a number as key', '{1:2}', 'the line is not JSON, or nested too deeply'],
    ['with a long number as key', '{12345678901234567890:2}', 'the line is not JSON, or nested too deeply'],
    ['with leading zeros', '{"n":01}', 'the line is not JSON, or nested too deeply'],
    [
      'with leading zeros beside a long number',
      '{"n":01,"m":12345678901234567890123}',
      'the line is not JSON, or nested too deeply',
    ],
    ['with a plus', '{"n":+1}', 'the line is not JSON, or nested too deeply'],
    ['with a raw control character', '{"a":"\u0001"}', 'the line is not JSON, or nested too deeply'],
    ['with a raw U+0002 in a key', '{"\u0002":1}', 'the line is not JSON, or nested too deeply'],
    ['with single quotes', `{'a':'x'}`, 'the line is not JSON, or nested too deeply'],
    ['with a comma at the end', '{"a":"x",}', 'the line is not JSON, or nested too deeply'],
    ['not UTF-8', Buffer.from('{"a":"\xff\xfe"}', 'latin1'), 'the line is not valid UTF-8'],
    [
      '10,000 levels deep',
      `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`,
      'the line is not JSON, or nested too deeply',
    ],
    [
      '10,000 arrays deep',
      `{"a":${'['.repeat(10_000)}${']'.repeat(10_000)}}`,
      'the line is not JSON, or nested too deeply',
    ],
  ])('%s is kept whole in the quarantine', async (_what, line, reason) => {
    const { good, bad } = await stage.run(source, [line, '{"a":"good"}']);
    expect(good).toEqual([{ a: 'good', n: 0 }]);
    expect(bad).toHaveLength(1);
    expect(bad[0]).toMatchObject({ c__error_column: ['c__line'], c__error: [reason], c__import_id: 'import-1' });
    const [kept] = await stage.rows<{ text: string }>('SELECT hex(c__line) AS text FROM source_quarantine');
    expect(kept?.text).toBe(Buffer.from(line).toString('hex').toUpperCase());
  });

  it('may have white space around it, a byte order mark, and a long number beside others', async () => {
    const lines = ['  {"a":"x"} \r', '\ufeff{"a":"x"}', '{"a":"x","n":1.0,"z":12345678901234567890123,"y":[1e999]}'];
    const { good, bad } = await stage.run(source, lines);
    expect({ good, bad }).toEqual({
      good: [
        { a: 'x', n: 0 },
        { a: 'x', n: 0 },
        { a: 'x', n: 1 },
      ],
      bad: [],
    });
  });

  it('may be as deep as the parser goes', async () => {
    const deep = `${'{"a":'.repeat(1000)}1${'}'.repeat(1000)}`;
    const { good } = await stage.run(source, [deep]);
    expect(good).toEqual([{ a: deep.slice(5, -1), n: 0 }]);
  });

  it('may have 10 MB', async () => {
    const text = 'x'.repeat(10_000_000);
    const lines = [
      `{"a":"${text}"}`,
      `{"a":"${text}","n":300}`,
      `{"a":"${text}","n":12345678901234567890123}`,
      `{"a":"${text}`,
    ];
    await stage.run(source, lines);
    expect(await stage.rows('SELECT length(a) AS size FROM source')).toEqual([{ size: 10_000_000 }]);
    expect(await stage.rows('SELECT sum(length(c__line)) AS size FROM source_quarantine')).toEqual([
      { size: lines.slice(1).reduce((sum, line) => sum + line.length, 0) },
    ]);
  }, 120_000);
});

describe('the quarantine', () => {
  it('keeps the text of every value, and says what is wrong with which', async () => {
    const source = dataSource([
      ['id', 'UInt64', '$.id'],
      ['cost', 'Decimal(9, 2)', '$.cost'],
      ['tags', 'Array(String)', '$.tags[:]'],
      ['o', 'Map(String, UInt8)', '$.o'],
      ['c__error', 'String', '$.e', `''`],
      { name: 'm', type: 'String', kind: 'MATERIALIZED', expression: 'toString(id)' },
    ]);
    const line = '{"id":-1,"cost":1.10,"tags":["a", 1.50],"o":{"x":300},"e":"mine"}';
    const { bad, mapping } = await stage.run(source, [line]);
    expect(mapping.columns).toEqual(['id', 'cost', 'tags', 'o', 'c__error']);
    expect(bad).toEqual([
      {
        id: '-1',
        cost: '1.10',
        tags: '["a",1.50]',
        o: '{"x":300}',
        c__error_: 'mine',
        c__error_column: ['id', 'o'],
        c__error: [
          `value '-1' on column 'id' is not UInt64 (a whole number from 0 to 18446744073709551615)`,
          `value '{"x":300}' on column 'o' is not Map(String, UInt8)`,
        ],
        c__import_id: 'import-1',
        insertion_date: '2025-03-04 05:06:07',
        c__line: line,
      },
    ]);
    expect(await stage.rows('SELECT _segment FROM source_quarantine')).toEqual([{ _segment: 7 }]);
  });

  it('shows the beginning of a long value', async () => {
    const { bad } = await stage.run(dataSource([['n', 'UInt8']]), [`{"n":"${'é'.repeat(500)}"}`]);
    expect(bad[0]?.['c__error']).toEqual([
      `value '${'é'.repeat(100)}…' on column 'n' is not UInt8 (a whole number from 0 to 255)`,
    ]);
    expect(bad[0]?.['n']).toBe('é'.repeat(500));
  });
});

describe('a write filter', () => {
  const source = dataSource([
    ['tenant_id', 'String', '$.tenant'],
    ['n', 'UInt8', '$.n', '5'],
  ]);
  const filters = [`tenant_id = 't1'`, `n > 3 AND tenant_id != 'it\\'s'`, 'nullIf(n, 5) = 4'];

  it('keeps rows outside of it from the data source', async () => {
    const lines = [
      { line: '{"tenant":"t1"}', filter: filters[0] ?? '' },
      { line: '{"tenant":"t2"}', filter: filters[0] ?? '' },
      { line: '{"tenant":"t3","n":4}', filter: filters[1] ?? '' },
      { line: '{"tenant":"t4","n":2}', filter: filters[1] ?? '' },
      { line: `{"tenant":"it's"}`, filter: filters[1] ?? '' },
      { line: '{"tenant":"t5","n":5}', filter: filters[2] ?? '' },
      { line: '{"tenant":"t6","n":1}' },
      { line: '{"tenant":"t7"}', filter: 'one that nobody judged' },
    ];
    const { good, bad } = await stage.run(source, lines, { filters });
    expect(good.map((row) => row['tenant_id'])).toEqual(['t1', 't3', 't6']);
    expect(bad.map((row) => row['tenant_id'])).toEqual(['t2', 't4', `it's`, 't5', 't7']);
    expect(bad[0]).toMatchObject({
      c__error_column: ['c__line'],
      c__error: [`the row is outside the write filter of its token: tenant_id = 't1'`],
    });
  });
});

describe('the statements', () => {
  const source = dataSource(
    [
      ['at', 'DateTime', '$.at'],
      ['k', 'String', '$.k'],
    ],
    { partitionKey: 'toYYYYMM(at)', sortingKey: 'k' },
  );
  const lines = [
    '{"at":"2025-01-05","k":"a"}',
    '{"at":"2025-02-05","k":"b"}',
    '{"at":"2025-02-06","k":"c"}',
    '{"at":"x","k":"d"}',
  ];
  const names = { staging: 'staging', where: `datasource_id = 'd'` };

  it('count lines and rows that fit, and rows by partition', async () => {
    const mapping = await stage.prepare(source, lines);
    expect(await stage.rows(mapping.count(names))).toEqual([{ lines: 4, good: 3 }]);
    expect(await stage.rows(mapping.partitions(names))).toEqual([
      { partition: '202501', rows: 1 },
      { partition: '202502', rows: 2 },
    ]);
  });

  it.each([
    'toYYYYMM(at)',
    'toDate(at)',
    '(toYYYYMM(at), k)',
    'tuple(k)',
    '(k)',
    'tuple()',
    '(toDate(at), cityHash64(k, 1) % 3)',
    'toStartOfHour(at)',
    'month',
  ])('name partitions as the engine does, by %s', async (partitionKey) => {
    const keyed = dataSource(
      [
        ['at', 'DateTime', '$.at', 'now()'],
        ['k', 'LowCardinality(String)', '$.k'],
        { name: 'month', type: 'UInt32', kind: 'MATERIALIZED', expression: 'toYYYYMM(at)' },
      ],
      { partitionKey },
    );
    const mapping = await stage.prepare(keyed, [...lines.slice(0, 3), `{"k":"it's"}`, '{"k":"","at":1735689600}']);
    await stage.command(mapping.insertGood({ ...names, target: 'source', segment: '9' }));
    expect(await stage.rows(mapping.partitions(names))).toEqual(
      await stage.rows(
        'SELECT _partition_id AS partition, count() AS rows FROM source GROUP BY partition ORDER BY partition',
      ),
    );
  });

  it('insert some of the partitions', async () => {
    const mapping = await stage.prepare(source, lines);
    const only = `partitionID(toYYYYMM(at)) IN ('202502')`;
    await stage.command(mapping.insertGood({ ...names, target: 'source', segment: '9', only }));
    expect(await stage.rows('SELECT k, _partition_id AS p, _segment FROM source ORDER BY k')).toEqual([
      { k: 'b', p: '202502', _segment: 9 },
      { k: 'c', p: '202502', _segment: 9 },
    ]);
  });

  it('take nothing that belongs to another data source', async () => {
    const mapping = await stage.prepare(source, lines);
    expect(await stage.rows(mapping.count({ ...names, where: `datasource_id = 'other'` }))).toEqual([
      { lines: 0, good: 0 },
    ]);
  });

  it.each([
    ['an unknown type', dataSource([['a', 'UInt8(']])],
    ['a broken path', dataSource([['a', 'String', '$.a[0]']])],
    ['an array as the whole row', dataSource([['a', 'Array(String)', '$']])],
    ['elements that are no array', dataSource([['a', 'String', '$.a[:].b']])],
    ['elements of elements in one array', dataSource([['a', 'Array(String)', '$.a[:].b[:]']])],
    ['a nested table', dataSource([['a', 'Nested(b String)']])],
    ['a subquery as default', dataSource([['a', 'String', '$.a', '(SELECT 1)']])],
    ['an expression that closes too much', dataSource([['a', 'String', '$.a', '1), (2']])],
    ['a name that is reserved', dataSource([['m__json', 'String']])],
    ['seven levels', dataSource([['a', `${'Array('.repeat(8)}String${')'.repeat(8)}`]])],
  ])('refuse a schema with %s', (_what, broken) => {
    expect(() => mapEvents(broken)).toThrow(/^cannot (?:map|read|use) /);
  });
});
