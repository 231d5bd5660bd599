/** Values of a caller in templates: whatever they are, they arrive as values, or are refused. A generated list, on the real engine. */

import { afterAll, beforeAll, expect, it } from 'vitest';
import { column, dataSource } from '../../platform/testing/stand.ts';
import { endpointRoutes } from './endpoint.ts';
import type { PipeStand } from './testing/pipes.ts';
import { openPipes, TENANT } from './testing/pipes.ts';

let stand: PipeStand;

const SECRET = 'the-password-of-the-tests';

/** How values stand in templates: each shows the value, or rows that it picks. */
const PLACES: Readonly<Record<string, string>> = {
  text: 'SELECT {{ String(v) }} AS got',
  plain: 'SELECT {{ v }} AS got',
  list: 'SELECT {{ Array(v) }} AS got',
  condition: "SELECT page AS got FROM visits WHERE page = {{ String(v, '') }}",
  among: 'SELECT page AS got FROM visits WHERE page IN {{ Array(v) }}',
  set: 'SELECT page AS got FROM visits WHERE {{ sql_and(page=String(v)) }}',
  column: "SELECT toString({{ column(v, 'page') }}) AS got FROM visits",
  columns: "SELECT {{ columns(v, 'page') }} FROM visits",
  table: 'SELECT count() AS got FROM {{ TABLE(v) }}',
  number: 'SELECT {{ Int32(v) }} AS got',
  big: 'SELECT {{ UInt256(v) }} AS got',
  float: 'SELECT {{ Float64(v) }} AS got',
  date: 'SELECT {{ DateTime(v) }} AS got',
  joined: "SELECT {{ String('a' + v) }} AS got",
  inside: "SELECT concat('x', {{ String(v) }}) AS got",
  commented: 'SELECT 1 AS got -- {{ String(v) }}',
};

const STARTS = [
  '',
  "'",
  '"',
  '`',
  "\\'",
  '\\',
  "''",
  ')',
  "')",
  '`)',
  ']',
  "']",
  '}}',
  '%}',
  '*/',
  '\n',
  "'\n",
  '\0',
  '1',
  '1)',
];
const MIDDLES = [
  ' UNION ALL SELECT k FROM secrets',
  ' OR 1=1',
  ', (SELECT k FROM secrets)',
  '; SELECT k FROM secrets',
  ' FROM secrets',
  '{{ k }}',
  '{k:String}',
  '$$ secrets $$',
];
const ENDS = ['', ' --', ' #', ' /*', "'", '`', "('"];

const values = STARTS.flatMap((start) => MIDDLES.flatMap((middle) => ENDS.map((end) => start + middle + end)));

beforeAll(async () => {
  stand = await openPipes(endpointRoutes);
  const { registry } = stand.platform;
  await registry.createDataSource(
    TENANT,
    dataSource('visits', { columns: [column('page', 'String')], engine: { name: 'MergeTree', sortingKey: 'page' } }),
  );
  await registry.createDataSource(TENANT, dataSource('secrets'));
  await stand.rows('visits', "(page) VALUES ('home')");
  await stand.rows('secrets', `(k, n) VALUES ('${SECRET}', 1)`);
  for (const [name, sql] of Object.entries(PLACES)) await stand.put(name, `%\n${sql}`);
});

afterAll(() => stand.close());

it.each(Object.keys(PLACES))(
  'as %s arrive as values, or are refused',
  async (place) => {
    // Every value in some place, every place with a spread of values.
    const step = place === 'text' || place === 'condition' ? 7 : 37;
    for (let index = place.length; index < values.length; index += step) {
      const v = values[index] as string;
      const { status, text } = await stand.call(`/v0/pipes/${place}.json`, {
        method: 'POST',
        body: JSON.stringify({ v }),
        headers: { 'content-type': 'application/json' },
      });
      expect(text, JSON.stringify({ place, v })).not.toContain(SECRET);
      expect([200, 400, 403, 404], JSON.stringify({ place, v, text })).toContain(status);
      if (status === 200 && (place === 'text' || place === 'plain')) {
        expect((JSON.parse(text) as { data: unknown }).data).toEqual([{ got: v }]);
      }
      if (status === 200 && ['condition', 'set'].includes(place)) expect(text).toContain('"rows": 0');
    }
    expect(stand.faults).toEqual([]);
  },
  120_000,
);
