import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { withoutServiceDatabase } from './usage-names.ts';
import type { EndpointUse } from './usage.ts';
import { Usage, withoutSecrets } from './usage.ts';

const opened: Usage[] = [];
afterEach(async () => {
  for (const usage of opened.splice(0)) await usage.close();
});

const use = (values: Partial<EndpointUse> = {}): EndpointUse => ({
  tenant: 'acme',
  pipe: { id: 't_1', name: 'top' },
  startedAt: Date.parse('2026-01-02T03:04:05.678Z'),
  durationMs: 12.5,
  method: 'GET',
  url: '/v0/pipes/top.json?a=1&token=p.secret',
  status: 200,
  error: undefined,
  rows: 3,
  bytes: 100,
  readRows: 5,
  readBytes: 50,
  tokenId: 'id',
  tokenName: 'reader',
  parameters: new Map<string, unknown>([['a', '1']]),
  userAgent: undefined,
  ...values,
});

interface Written {
  readonly tenant: string;
  readonly source: string;
  readonly rows: Record<string, unknown>[];
}

function open(fails: () => boolean = () => false): { usage: Usage; written: Written[] } {
  const written: Written[] = [];
  const usage = new Usage({
    append: (tenant, source, lines) => {
      if (fails()) return Promise.reject(new Error('no room'));
      const rows = lines
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>);
      written.push({ tenant, source, rows });
      return Promise.resolve();
    },
    everyMs: 3_600_000,
  });
  opened.push(usage);
  return { usage, written };
}

describe('the record of requests', () => {
  it('is one write for each workspace and data source', async () => {
    const { usage, written } = open();
    usage.record(use());
    usage.record(use({ tenant: 'other' }));
    usage.record(use({ status: 400, error: 'no' }));
    await usage.flush();
    expect(written.map(({ tenant, source, rows }) => [tenant, source, rows.length])).toEqual([
      ['acme', 'pipe_stats_rt', 2],
      ['other', 'pipe_stats_rt', 1],
    ]);
    expect(written[0]?.rows[0]).toMatchObject({
      start_datetime: '2026-01-02 03:04:05.678',
      pipe_name: 'top',
      duration: 0.0125,
      url: '/v0/pipes/top.json?a=1&token=***',
      parameters: { a: '1' },
      error: 0,
    });
    expect(written[0]?.rows[1]).toMatchObject({ error: 1, error_message: 'no', status_code: 400 });
  });

  it('keeps values that are no text, short', async () => {
    const { usage, written } = open();
    const parameters = new Map<string, unknown>([
      ['list', ['a', 1]],
      ['big', 12345678901234567890n],
      ['long', 'x'.repeat(5_000)],
    ]);
    usage.record(use({ parameters }));
    await usage.flush();
    const kept = written[0]?.rows[0]?.['parameters'] as Record<string, string>;
    expect(kept).toMatchObject({ list: '["a",1]', big: '"12345678901234567890"' });
    expect(kept['long']).toHaveLength(1_000);
  });

  it('takes bounded memory, and counts what it gave up', async () => {
    const { usage, written } = open(() => true);
    const parameters = new Map(Array.from({ length: 50 }, (_, index) => [`p${index}`, 'x'.repeat(1_000)] as const));
    for (let index = 0; index < 300; index++) usage.record(use({ parameters }));
    await usage.flush();
    expect(usage.dropped).toBe(300);
    expect(written).toEqual([]);
  });

  it('writes down the rest when it is closed', async () => {
    const { usage, written } = open();
    usage.record(use());
    await usage.close();
    expect(written).toHaveLength(1);
  });
});

describe('an address', () => {
  it('loses every secret, and nothing else', () => {
    expect(withoutSecrets('/x?token=p.a.b&a=1&TOKEN=c&password=d')).toBe('/x?token=***&a=1&TOKEN=***&password=***');
    expect(withoutSecrets('/x?mytoken=1')).toBe('/x?mytoken=1');
  });
});

describe('the database of service data sources', () => {
  it.each([
    ['SELECT * FROM tinybird.pipe_stats_rt', 'SELECT * FROM pipe_stats_rt'],
    ['SELECT tinybird.pipe_stats.date FROM tinybird.pipe_stats', 'SELECT pipe_stats.date FROM pipe_stats'],
    ['SELECT * FROM `tinybird`.`pipe_stats_rt` AS t', 'SELECT * FROM `pipe_stats_rt` AS t'],
    [
      "SELECT 'tinybird.pipe_stats_rt' -- tinybird.pipe_stats",
      "SELECT 'tinybird.pipe_stats_rt' -- tinybird.pipe_stats",
    ],
    ['SELECT * FROM tinybird.other', 'SELECT * FROM tinybird.other'],
    ['SELECT x.tinybird.pipe_stats FROM t', 'SELECT x.tinybird.pipe_stats FROM t'],
    ["SELECT 'tinybird", "SELECT 'tinybird"],
  ])('is left out of %s', (sql, expected) => {
    expect(withoutServiceDatabase(sql)).toBe(expected);
  });

  it('changes no other text', () => {
    const pieces = fc.constantFrom(
      'tinybird',
      '.',
      'pipe_stats',
      "'",
      '`',
      ' ',
      '--',
      '/*',
      '*/',
      'SELECT',
      '\\',
      '\n',
    );
    fc.assert(
      fc.property(fc.array(pieces), (parts) => {
        const sql = parts.join('');
        const changed = withoutServiceDatabase(sql);
        if (changed !== sql) expect(changed.length).toBeLessThan(sql.length);
      }),
      { seed: 7, numRuns: 3_000 },
    );
  });
});
