/**
 * One whole project with everything that data files can say, deployed with Tinybird's own command line: every engine,
 * materializations, copies, a sink, endpoints with every function of the templates. Rows go in, exact numbers come out;
 * then it is deployed again, unchanged and changed: a million rows move while more come in. And the data files of the source
 * documents, to the letter.
 */

import { cp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Row, Server } from './support/server.ts';
import { showLogsOfFailures, startServer } from './support/server.ts';
import { send, startStream } from './support/stream.ts';
import type { TinybirdCli } from './support/tinybird-cli.ts';
import { tinybirdCli } from './support/tinybird-cli.ts';
import { INSTALL_MS } from './support/toolbox.ts';
import type { Workspace } from './support/workspace.ts';
import {
  call,
  endpointRows,
  expectRows,
  localWorkspace,
  postEvents,
  PROJECTS,
  rowsOf,
  tokenNamed,
} from './support/workspace.ts';

let server: Server;
let workspace: Workspace;
let tb: TinybirdCli;

beforeAll(async () => {
  server = await startServer();
  workspace = await localWorkspace(server);
  const before = ['--cloud', '--host', workspace.url, '--token', workspace.token];
  tb = await tinybirdCli({ client: 'tb-forward', project: 'complete', before });
}, INSTALL_MS);

afterAll(async () => {
  await tb?.close();
  await server?.stop();
});
showLogsOfFailures(() => server);

const deploy = (...more: readonly string[]): Promise<string> => tb.run('deploy', '--wait', '--auto', ...more);

interface Trip {
  readonly id: string;
  readonly at: string;
  readonly from: string;
  readonly to?: string;
  readonly rider?: { readonly id: string; readonly plan: string };
  readonly cents?: number;
  readonly km?: number;
  readonly more?: object;
}

const trip = ({ id, at, from, to, rider, cents, km, more }: Trip): object => ({
  trip: { id, started_at: at },
  from,
  to,
  rider,
  ...(cents === undefined ? {} : { fare: { cents } }),
  distance: km,
  ...more,
});
const ann = { id: 'ann', plan: 'member' };
const bob = { id: 'bob', plan: 'casual' };
const tour = { electric: true, tags: ['tour', 'sun'], stops: [{ name: 'lake', minutes: '10' }], meta: { lock: 7 } };
const TRIPS: readonly object[] = [
  trip({ id: 't1', at: '2026-01-05T08:10:00.000Z', from: 'north', to: 'south', rider: ann, cents: 150, km: 2.5 }),
  trip({
    id: 't2',
    at: '2026-01-05T08:40:00.250Z',
    from: 'north',
    to: 'east',
    rider: bob,
    cents: 300,
    km: 5,
    more: tour,
  }),
  trip({ id: 't3', at: '2026-01-05 09:00:00', from: 'south', to: 'north', rider: ann, cents: 0, km: 1.2 }),
  trip({ id: 't4', at: '2026-01-06T08:05:00Z', from: 'north', rider: ann, cents: 150, km: 3.75 }),
  trip({ id: 't5', at: '2026-01-06T10:00:00.500', from: 'east', to: 'east', cents: 500, km: 12.5 }),
  trip({ id: 't6', at: '2026-02-01T00:00:00Z', from: 'south', to: 'east', rider: bob, cents: 250, km: 0 }),
];
/** In a second request, so that aggregates have to be merged. */
const LATER: readonly object[] = [
  trip({ id: 't7', at: '2026-02-01T23:59:59.999Z', from: 'south', to: 'north', rider: ann, cents: 175, km: 0.9 }),
  trip({ id: 't8', at: '2026-01-05T08:59:59.999Z', from: 'north', to: 'north', rider: ann, cents: 25, km: 0.5 }),
];

describe('the project', () => {
  it('is valid, and all of it is live after a deployment', async () => {
    expect(await tb.run('deploy', '--check')).toContain('Deployment is valid');
    expect(await deploy()).toMatch(/Deployment #\d+ is live/);
    const names = async (folder: string): Promise<string[]> =>
      (await readdir(join(tb.folder, folder))).map((file) => file.replace(/\.\w+$/, ''));
    const sources = JSON.parse((await call(workspace, 'GET /v0/datasources')).text) as { datasources: Row[] };
    expect(sources.datasources.map(({ name }) => name).toSorted()).toEqual((await names('datasources')).toSorted());
    const pipes = JSON.parse((await call(workspace, 'GET /v0/pipes')).text) as { pipes: Row[] };
    const types = new Map(pipes.pipes.map(({ name, type }) => [name, type]));
    const expected = new Map([['trips_clean', 'default']]);
    for (const [folder, type] of Object.entries({
      endpoints: 'endpoint',
      materializations: 'materialized',
      copies: 'copy',
      sinks: 'sink',
    })) {
      for (const name of await names(folder)) if (!expected.has(name)) expected.set(name, type);
    }
    expect(types).toEqual(expected);
  });

  it('is not deployed again if nothing changed', async () => {
    expect(await deploy()).toContain('Not deploying. No changes.');
  });
});

describe('rows', () => {
  it('come in with the token of the data file, mapped to columns', async () => {
    const sender = { ...workspace, token: (await tokenNamed(workspace, 'trips_ingest')).token };
    const unfit = trip({ id: 't9', at: '2026-01-05T08:10:00Z', from: 'north' });
    expect(await postEvents(sender, 'trips', [...TRIPS, unfit])).toEqual({ successful_rows: 6, quarantined_rows: 1 });
    expect(await postEvents(sender, 'trips', LATER)).toEqual({ successful_rows: 2, quarantined_rows: 0 });
    expect((await call(sender, 'POST /v0/sql', { body: 'SELECT 1 FROM trips' })).status).toBe(403);
    await expectRows(workspace, "SELECT * FROM trips WHERE trip_id = 't2'", [
      {
        trip_id: 't2',
        started_at: '2026-01-05 08:40:00.250',
        ended_at: null,
        from_station: 'north',
        to_station: 'east',
        rider: 'bob',
        plan: 'casual',
        cents: 300,
        distance_km: 5,
        electric: true,
        tags: ['tour', 'sun'],
        stops: [{ name: 'lake', minutes: '10' }],
        meta: expect.any(String) as unknown,
        raw: expect.any(String) as unknown,
      },
    ]);
    const [row] = await rowsOf(workspace, "SELECT meta, raw FROM trips WHERE trip_id = 't2'");
    expect(JSON.parse(row?.['meta'] as string)).toEqual({ lock: 7 });
    expect(JSON.parse(row?.['raw'] as string)).toEqual(TRIPS[1]);
    const defaults = 'SELECT rider, plan, electric, tags, stops, meta, to_station FROM trips WHERE trip_id';
    const plain = { electric: false, tags: [], stops: [], meta: '{}' };
    await expectRows(workspace, `${defaults} IN ('t4', 't5') ORDER BY trip_id`, [
      { ...plain, rider: 'ann', plan: 'member', to_station: null },
      { ...plain, rider: 'anonymous', plan: 'casual', to_station: 'east' },
    ]);
    const quarantined = 'SELECT trip_id, c__error_column FROM trips_quarantine';
    await expectRows(workspace, quarantined, [{ trip_id: 't9', c__error_column: ['distance_km'] }]);
  });

  it('are aggregated as they come', async () => {
    const hours =
      'SELECT toString(station) AS station, hour, countMerge(trips) AS trips, sumMerge(cents) AS cents, ' +
      'uniqExactMerge(riders) AS riders, max(longest_km) AS km FROM station_hours GROUP BY station, hour ORDER BY hour';
    await expectRows(workspace, hours, [
      { station: 'north', hour: '2026-01-05 08:00:00', trips: 3, cents: 475, riders: 2, km: 5 },
      { station: 'south', hour: '2026-01-05 09:00:00', trips: 1, cents: 0, riders: 1, km: 1.2 },
      { station: 'north', hour: '2026-01-06 08:00:00', trips: 1, cents: 150, riders: 1, km: 3.75 },
      { station: 'east', hour: '2026-01-06 10:00:00', trips: 1, cents: 500, riders: 1, km: 12.5 },
      { station: 'south', hour: '2026-02-01 23:00:00', trips: 1, cents: 175, riders: 1, km: 0.9 },
    ]);
    const days =
      'SELECT plan, day, sum(rides) AS rides, sum(cents) AS cents FROM plan_days GROUP BY plan, day ORDER BY day, plan';
    await expectRows(workspace, days, [
      { plan: 'casual', day: '2026-01-05', rides: 1, cents: 300 },
      { plan: 'member', day: '2026-01-05', rides: 3, cents: 175 },
      { plan: 'casual', day: '2026-01-06', rides: 1, cents: 500 },
      { plan: 'member', day: '2026-01-06', rides: 1, cents: 150 },
      { plan: 'casual', day: '2026-02-01', rides: 1, cents: 250 },
      { plan: 'member', day: '2026-02-01', rides: 1, cents: 175 },
    ]);
  });

  it('replace, collapse and vanish, as the engine of their data source has it', async () => {
    const station = (name: string, version: number, more = {}): object => ({
      station: 'north',
      name,
      docks: 10,
      version,
      ...more,
    });
    await postEvents(workspace, 'stations', [station('North', 2), station('Nord', 1)]);
    await postEvents(workspace, 'stations', [
      { station: 'old', name: 'Closed', docks: 1, version: 1 },
      { station: 'old', name: 'Closed', docks: 1, version: 2, deleted: 1 },
      { station: 'south', name: 'South', docks: 70_000, version: 1 },
      { station: 'south', name: 'South', docks: 20, version: 1 },
    ]);
    await expectRows(workspace, 'SELECT station, name, docks FROM stations FINAL ORDER BY station', [
      { station: 'north', name: 'North', docks: 10 },
      { station: 'south', name: 'South', docks: 20 },
    ]);
    await postEvents(workspace, 'balances', [{ station: 'north', bikes: 5, sign: 1 }]);
    await postEvents(workspace, 'balances', [
      { station: 'north', bikes: 5, sign: -1 },
      { station: 'north', bikes: 3, sign: 1 },
    ]);
    await expectRows(workspace, 'SELECT station, bikes, sign FROM balances FINAL', [
      { station: 'north', bikes: 3, sign: 1 },
    ]);
    await postEvents(workspace, 'leases', [
      { lease: 1, state: 'open', sign: -1, revision: 1 },
      { lease: 1, state: 'ended', sign: 1, revision: 2 },
    ]);
    await postEvents(workspace, 'leases', [{ lease: 1, state: 'open', sign: 1, revision: 1 }]);
    await expectRows(workspace, 'SELECT lease, state, revision FROM leases FINAL', [
      { lease: 1, state: 'ended', revision: 2 },
    ]);
  });

  it('of an inbox that keeps nothing go where they count', async () => {
    const sender = { ...workspace, token: (await tokenNamed(workspace, 'inbox_append')).token };
    await postEvents(sender, 'inbox', [
      { at: '2026-01-05 12:00:00', kind: 'incident', body: { station: 'north', level: 2 } },
      { at: '2026-01-05 12:00:01', kind: 'chatter', body: { station: 'south', level: 9 } },
    ]);
    await expectRows(workspace, 'SELECT * FROM incidents', [{ at: '2026-01-05 12:00:00', station: 'north', level: 2 }]);
    await expectRows(workspace, 'SELECT count() AS rows FROM inbox', [{ rows: 0 }]);
  });

  it('reach a data source whose file somebody wrote by hand', async () => {
    await postEvents(workspace, 'rates', [
      { currency: 'CHF', rate: 0.95, since: '2026-01-01' },
      { currency: 'EUR', since: '2026-01-01' },
    ]);
    await expectRows(workspace, 'SELECT * FROM rates ORDER BY currency', [
      { currency: 'CHF', rate: 0.95, since: '2026-01-01' },
      { currency: 'EUR', rate: 1, since: '2026-01-01' },
    ]);
  });
});

describe('copies', () => {
  it('replace what was there, with parameters', async () => {
    await tb.run('copy', 'run', 'snapshot_copy', '--wait');
    const snapshot = 'SELECT station, trips, cents FROM snapshot ORDER BY station';
    await expectRows(workspace, snapshot, [
      { station: 'east', trips: 1, cents: 500 },
      { station: 'north', trips: 4, cents: 625 },
      { station: 'south', trips: 3, cents: 425 },
    ]);
    await tb.run('copy', 'run', 'snapshot_copy', '--param', 'min_cents=200', '--wait');
    await expectRows(workspace, snapshot, [
      { station: 'east', trips: 1, cents: 500 },
      { station: 'north', trips: 1, cents: 300 },
      { station: 'south', trips: 1, cents: 250 },
    ]);
  });

  it('append, those of a schedule too', async () => {
    await tb.run('copy', 'run', 'history_copy', '--wait');
    await tb.run('copy', 'run', 'history_copy', '--wait');
    await expectRows(workspace, 'SELECT day, trips, count() AS copies FROM history GROUP BY day, trips ORDER BY day', [
      { day: '2026-01-05', trips: 4, copies: 2 },
      { day: '2026-01-06', trips: 2, copies: 2 },
      { day: '2026-02-01', trips: 2, copies: 2 },
    ]);
  });
});

describe('endpoints', () => {
  const search = async (parameters: Readonly<Record<string, string>>): Promise<unknown[]> =>
    (await endpointRows(workspace, 'trips_search', { fields: 'trip_id', ...parameters })).map((row) => row['trip_id']);

  it.each<[string, Readonly<Record<string, string>>, readonly string[]]>([
    ['nothing', {}, ['t1', 't2', 't8', 't3', 't4', 't5', 't6', 't7']],
    ['a time', { from_time: '2026-01-06 08:05:00.001', until: '2026-02-01 00:00:01' }, ['t5', 't6']],
    ['a day', { day: '2026-01-06' }, ['t4', 't5']],
    ['a list', { station: 'east,south' }, ['t3', 't5', 't6', 't7']],
    ['an empty list', { station: '', limit: '2' }, ['t1', 't2']],
    ['a yes', { electric: 'true' }, ['t2']],
    ['a no', { electric: '0', day: '2026-01-05' }, ['t1', 't8', 't3']],
    ['an element', { tag: 'sun' }, ['t2']],
    ['an empty text', { tag: '', limit: '1' }, ['t1']],
    ['a number', { min_km: '3.75' }, ['t2', 't4', 't5']],
    ['two conditions in one', { plan: 'member', min_cents: '150' }, ['t1', 't4', 't7']],
    ['one of two conditions', { min_cents: '300' }, ['t2', 't5']],
    ['a branch', { kind: 'short' }, ['t8', 't3', 't6', 't7']],
    ['another branch', { kind: 'far' }, ['t2', 't5']],
    ['an order', { order_by: 'cents', descending: 'yes', limit: '3' }, ['t5', 't2', 't6']],
    ['a page', { limit: '2', offset: '3' }, ['t3', 't4']],
  ])('filter by %s', async (_name, parameters, ids) => {
    expect(await search(parameters)).toEqual(ids);
  });

  it('answer the columns that are asked for', async () => {
    const wish = { fields: 'trip_id,cents', with_rider: '1', limit: '1' };
    expect(await endpointRows(workspace, 'trips_search', wish)).toEqual([{ trip_id: 't1', cents: 150, rider: 'ann' }]);
    expect(await endpointRows(workspace, 'trips_search', { limit: '1' })).toEqual([
      { trip_id: 't1', from_station: 'north', cents: 150, distance_km: 2.5 },
    ]);
  });

  it.each<[string, Readonly<Record<string, string>>, object]>([
    [
      'an error of the pipe',
      { min_km: '-1' },
      { error: expect.stringContaining('min_km must not be negative') as unknown },
    ],
    ['an error of its own shape', { kind: 'odd' }, { error: 'kind is one of short, long, far', parameter: 'kind' }],
    ['a parameter of the wrong type', { limit: 'many' }, { error: expect.stringContaining('many') as unknown }],
    ['a column that is not there', { fields: 'nothing' }, { error: expect.stringContaining('nothing') as unknown }],
    [
      'a column that is more than a name',
      { order_by: 'cents`; DROP TABLE trips; --' },
      { error: expect.any(String) as unknown },
    ],
  ])('refuse %s with 400', async (_name, parameters, expected) => {
    const query = new URLSearchParams(parameters).toString();
    const answer = await call(workspace, `GET /v0/pipes/trips_search.json?${query}`);
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.text)).toMatchObject(expected);
  });

  it('need what is required', async () => {
    const missing = await call(workspace, 'GET /v0/pipes/required.json');
    expect(missing.status).toBe(400);
    expect((JSON.parse(missing.text) as { error: string }).error).toContain('who');
    const who = 'it\'s \\ "you"\n';
    expect(await endpointRows(workspace, 'required', { who })).toEqual([{ greeting: `hello ${who}` }]);
  });

  it('read aggregates, join, and are read with the token of their file only', async () => {
    const reader = { ...workspace, token: (await tokenNamed(workspace, 'trips_read')).token };
    expect(await endpointRows(reader, 'station_activity', { station: 'north,south' })).toEqual([
      { station: 'north', name: 'North', hour: '2026-01-05 08:00:00', trips: 3, cents: 475, riders: 2, longest_km: 5 },
      {
        station: 'north',
        name: 'North',
        hour: '2026-01-06 08:00:00',
        trips: 1,
        cents: 150,
        riders: 1,
        longest_km: 3.75,
      },
      { station: 'south', name: 'South', hour: '2026-01-05 09:00:00', trips: 1, cents: 0, riders: 1, longest_km: 1.2 },
      {
        station: 'south',
        name: 'South',
        hour: '2026-02-01 23:00:00',
        trips: 1,
        cents: 175,
        riders: 1,
        longest_km: 0.9,
      },
    ]);
    expect((await call(reader, 'GET /v0/pipes/measures.json')).status).toBe(403);
    expect(await rowsOf(reader, 'SELECT count() AS rows FROM trips')).toEqual([{ rows: 8 }]);
  });

  it('select from other pipes, with loops and variables', async () => {
    expect(await endpointRows(workspace, 'measures')).toEqual([
      { plan: 'casual', unit: 'cents', sum_cents: 800, sum_distance_km: 17.5 },
      { plan: 'member', unit: 'cents', sum_cents: 500, sum_distance_km: 8.85 },
    ]);
    expect(await endpointRows(workspace, 'measures', { measures: 'cents', euros: '1' })).toEqual([
      { plan: 'casual', unit: 'euros', sum_cents: 800 },
      { plan: 'member', unit: 'euros', sum_cents: 500 },
    ]);
  });

  const DEFAULTS = {
    text: 'none',
    i8: -8,
    i16: -16,
    i32: -32,
    i64: -64,
    i128: '-128',
    i256: '-256',
    u8: 8,
    u16: 16,
    u32: 32,
    u64: 64,
    u128: '128',
    u256: '256',
    total: 3,
    f32: 0.5,
    f64: 0.25,
    flag: 1,
    date: '2026-01-02',
    moment: '2026-01-02 03:04:05',
    exact: '2026-01-02 03:04:05.678',
    names: ['a', 'b'],
    numbers: [1, 2, 3],
    ratios: [0.5],
    k: 7,
    words: ['x', 'y'],
    days: 2,
    more_days: 4,
    hours: 30,
    minutes: 30,
    seconds: 42,
    word_count: 2,
    joined: 'x!',
    secret: 'fallback',
    rates: 2,
  };

  it('have defaults of every type', async () => {
    expect(await endpointRows(workspace, 'parameters')).toEqual([DEFAULTS]);
  });

  it('take every type from the address, from a form, and from JSON', async () => {
    const given = {
      text: 'ü&=',
      i64: '-9223372036854775808',
      i256: '-57896044618658097711785492504343953926634992332820282019728792003956564819968',
      u64: '18446744073709551615',
      f64: '1e-3',
      flag: 'false',
      date: '2024-02-29',
      moment: '2024-02-29 23:59:59',
      exact: '2024-02-29 23:59:59.999',
      names: "it's,x y",
      numbers: '-1,0',
      document: '{"k":"text"}',
      first: '2024-02-28',
      second: '2024-03-01',
    };
    const expected = {
      ...DEFAULTS,
      ...given,
      i64: -(2n ** 63n),
      u64: 2n ** 64n - 1n,
      f64: 0.001,
      flag: 0,
      names: ["it's", 'x y'],
      numbers: [-1, 0],
      k: 'text',
      days: 2,
      document: undefined,
      first: undefined,
      second: undefined,
    };
    expect(await endpointRows(workspace, 'parameters', given)).toEqual([expected]);
    const body = new URLSearchParams(given).toString();
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const posted = await call(workspace, 'POST /v0/pipes/parameters.json', { body, headers: form });
    const asText = (text: string): string => text.replace(/"statistics"[^]*/, '');
    const asked = await call(workspace, `GET /v0/pipes/parameters.json?${body}`);
    expect(asText(posted.text)).toBe(asText(asked.text));
    const json = { ...given, names: ["it's", 'x y'], numbers: [-1, 0] };
    const inJson = await call(workspace, 'POST /v0/pipes/parameters.json', {
      body: JSON.stringify(json),
      headers: { 'content-type': 'application/json' },
    });
    expect(asText(inJson.text)).toBe(asText(asked.text));
  });

  it('answer in the format of their name, and to SQL over them', async () => {
    const as = async (format: string, query = ''): Promise<string> =>
      (await call(workspace, `GET /v0/pipes/measures.${format}?measures=cents${query}`)).text;
    expect(await as('csv')).toBe('"plan","unit","sum_cents"\n"casual","cents",800\n"member","cents",500\n');
    expect(
      (await as('ndjson'))
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual([
      { plan: 'casual', unit: 'cents', sum_cents: 800 },
      { plan: 'member', unit: 'cents', sum_cents: 500 },
    ]);
    const over = `&q=${encodeURIComponent('SELECT sum(sum_cents) AS all FROM _')}`;
    expect(JSON.parse(await as('json', over))).toMatchObject({ data: [{ all: 1300 }] });
    expect((await call(workspace, 'GET /v0/pipes/openapi.json')).text).toContain('trips_search');
  });

  it('are not what copies, sinks and plain pipes are', async () => {
    for (const name of ['snapshot_copy', 'trips_archive', 'trips_clean', 'nowhere']) {
      expect([403, 404]).toContain((await call(workspace, `GET /v0/pipes/${name}.json`)).status);
    }
    expect(await rowsOf(workspace, 'SELECT count() AS rows FROM trips_clean')).toEqual([{ rows: 7 }]);
  });
});

describe('a change of the schema', () => {
  const ROWS = 1_000_000;
  const BATCH = 100_000;
  const START = Date.parse('2020-01-01T00:00:00Z');
  /** A reading that both schemas can take; each has a second and a value that tell it from the others. */
  const reading = (sensor: string, number: number): object => {
    const millivolts = number % 5_000;
    const at = new Date(START + number * 1_000).toISOString();
    return { sensor, at, millivolts, volts: millivolts / 1_000 };
  };
  /** What there is of a sensor: rows, different rows, and how far they are from what they have to be. */
  const state = (sensor: string, value: string): string =>
    `SELECT count() AS rows, uniqExact(at) AS different, countIf(${value} != (toUnixTimestamp(at) - ${START / 1_000}) % 5000) AS wrong ` +
    `FROM readings WHERE sensor = '${sensor}'`;
  let streamed = 0;

  it('comes upon a million rows', async () => {
    await postEvents(workspace, 'readings', [
      { sensor: 'a', at: '2026-01-01 00:00:00', millivolts: 3700 },
      { sensor: 'b', at: '2026-01-01 00:00:01', millivolts: -5 },
    ]);
    for (let from = 0; from < ROWS; from += BATCH) {
      const rows = Array.from({ length: BATCH }, (_, index) => JSON.stringify(reading('m', from + index)));
      await send(workspace, 'readings', rows.join('\n'));
    }
    await expectRows(workspace, state('m', 'millivolts'), [{ rows: ROWS, different: ROWS, wrong: 0 }]);
  });

  it('moves them by the query of the data file while more come in', async () => {
    await cp(join(PROJECTS, 'complete-changed'), tb.folder, { recursive: true });
    const stream = startStream(workspace, 'readings', 10, (number) => reading('s', number));
    await expect.poll(() => stream.sent).toBeGreaterThan(0);
    const before = stream.sent;
    const output = await deploy();
    const after = stream.sent;
    expect(output).toMatch(/modified[^]*readings[^]*datasource/);
    expect(output).toMatch(/Deployment #\d+ is live/);
    expect(after).toBeGreaterThan(before);
    await expect.poll(() => stream.sent).toBeGreaterThan(after);
    streamed = await stream.stop();
  });

  it('loses none of them and has none twice', async () => {
    const value = 'round(volts * 1000)';
    await expectRows(workspace, state('s', value), [{ rows: streamed, different: streamed, wrong: 0 }]);
    await expectRows(workspace, state('m', value), [{ rows: ROWS, different: ROWS, wrong: 0 }]);
    // Of the stream some came before the change and were moved, and some after it.
    await expectRows(workspace, "SELECT DISTINCT source FROM readings WHERE sensor = 's' ORDER BY source", [
      { source: 'migrated' },
      { source: 'unknown' },
    ]);
    await expectRows(workspace, "SELECT DISTINCT source FROM readings WHERE sensor = 'm'", [{ source: 'migrated' }]);
    await expectRows(workspace, 'SELECT count() AS rows FROM readings_quarantine', [{ rows: 0 }]);
  });

  it('leaves rows of the new schema where they belong, and everything else as it was', async () => {
    await postEvents(workspace, 'readings', [{ sensor: 'c', at: '2026-01-01T00:00:02.500Z', volts: 3.3 }]);
    await expectRows(workspace, "SELECT * FROM readings WHERE sensor IN ('a', 'b', 'c') ORDER BY at", [
      { sensor: 'a', at: '2026-01-01 00:00:00.000', volts: 3.7, source: 'migrated' },
      { sensor: 'b', at: '2026-01-01 00:00:01.000', volts: -0.005, source: 'migrated' },
      { sensor: 'c', at: '2026-01-01 00:00:02.500', volts: 3.3, source: 'unknown' },
    ]);
    expect(await rowsOf(workspace, 'SELECT count() AS rows, sum(cents) AS cents FROM trips')).toEqual([
      { rows: 8, cents: 1550 },
    ]);
    expect(await endpointRows(workspace, 'measures', { measures: 'cents' })).toHaveLength(2);
  });

  it('is done once', async () => {
    expect(await deploy()).toContain('Not deploying. No changes.');
  });
});

describe('the data files of the source documents', () => {
  beforeAll(async () => {
    await rm(tb.folder, { recursive: true });
    for (const seed of ['000', '001']) await cp(join(PROJECTS, 'seeds', seed), tb.folder, { recursive: true });
  });

  it('deploy as they are', async () => {
    expect(await deploy('--allow-destructive-operations')).toMatch(/Deployment #\d+ is live/);
    expect(await deploy()).toContain('Not deploying. No changes.');
  });

  it('take a trace, with columns that have no path and one that is computed', async () => {
    const trace = {
      tenant_id: 'acme',
      project_id: 'chat',
      environment: 'prod',
      timestamp: new Date().toISOString(),
      trace_id: '0af7651916cd43dd8448eb211c80319c',
      span_id: 'b7ad6b7169203331',
      query: 'What is it?',
      model: 'gpt-4o',
      metadata_json: '{"a":1}',
      response: 'This.',
      response_length: 5,
      tokens_prompt: 10,
      tokens_total: 15,
      latency_ms: 1200,
      status: 200,
      headers_json: '{}',
    };
    const second = { ...trace, span_id: 'c', latency_ms: 800, tokens_total: null };
    expect(await postEvents(workspace, 'traces', [trace, second])).toEqual({
      successful_rows: 2,
      quarantined_rows: 0,
    });
    // The query with which the document verifies its set-up.
    const query = `
      SELECT tenant_id, project_id, count(*) as trace_count, avg(latency_ms) as avg_latency, sum(tokens_total) as total_tokens
      FROM traces
      WHERE tenant_id = 'acme' AND date >= today() - 1
      GROUP BY tenant_id, project_id`;
    await expectRows(workspace, query, [
      { tenant_id: 'acme', project_id: 'chat', trace_count: 2, avg_latency: 1000, total_tokens: 15 },
    ]);
    const columns =
      'toString(environment) AS environment, parent_span_id, tokens_completion, date = toDate(timestamp) AS same';
    await expectRows(workspace, `SELECT ${columns} FROM traces WHERE span_id = 'c'`, [
      { environment: 'prod', parent_span_id: null, tokens_completion: null, same: 1 },
    ]);
  });
});
