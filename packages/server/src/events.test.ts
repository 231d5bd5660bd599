/** What the log says of a mirror that does not work: once, and then not for every segment. */

import pino from 'pino';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { mirrorLog } from './events.ts';

let written: Readonly<Record<string, unknown>>[];
let tell: ReturnType<typeof mirrorLog>;

beforeEach(() => {
  vi.useFakeTimers();
  written = [];
  const write = (line: string): void => void written.push(JSON.parse(line) as Readonly<Record<string, unknown>>);
  tell = mirrorLog(pino({ base: null, timestamp: false }, { write }));
});

afterEach(() => {
  vi.useRealTimers();
});

/** Tells something every second for so many. */
function everySecond(seconds: number, event: () => Parameters<typeof tell>[0]): void {
  for (let second = 0; second < seconds; second++) {
    tell(event());
    vi.advanceTimersByTime(1_000);
  }
}

it('says once a minute at most that it does not run', () => {
  everySecond(121, () => ({ kind: 'lost', reason: 'EACCES' }));
  const line = { level: 50, reason: 'EACCES', msg: 'the mirror does not run, will start it again' };
  expect(written).toEqual([line, line, line]);
});

it('says how many segments it missed since it last did', () => {
  let id = 0n;
  everySecond(61, () => ({ kind: 'missed', id: ++id, reason: `no room for ${id}` }));
  const line = { level: 50, msg: 'segments are not mirrored' };
  expect(written).toEqual([
    { ...line, segments: 1, reason: 'no room for 1' },
    { ...line, segments: 60, reason: 'no room for 61' },
  ]);
});

it('says of each tenant how many events were dropped since it last did', () => {
  everySecond(61, () => ({ kind: 'dropped', tenant: 'acme', lines: 10 }));
  tell({ kind: 'dropped', tenant: 'shop', lines: 1 });
  expect(written.map(({ tenant, lines }) => [tenant, lines])).toEqual([
    ['acme', 10],
    ['acme', 600],
    ['shop', 1],
  ]);
});
