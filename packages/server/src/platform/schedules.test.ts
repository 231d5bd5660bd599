import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PipeEntry } from './resource-row.ts';
import type { Scheduled } from './schedules.ts';
import { cronOf, nextRun, Schedules } from './schedules.ts';
import { pipe } from './testing/stand.ts';

const START = Date.parse('2026-01-01T00:00:30Z');
const MINUTE = 60_000;

let directory: string;
let now: number;
let ran: { readonly pipe: string; readonly due: string }[];
let failed: unknown[];
let scheduled: Scheduled[];
let opened: Schedules[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'glasshouse-schedules-'));
  now = START;
  ran = [];
  failed = [];
  scheduled = [{ entry: entryOf('a'), cron: '*/5 * * * *' }];
  opened = [];
});

afterEach(() => {
  for (const schedules of opened) schedules.close();
  rmSync(directory, { recursive: true });
});

function entryOf(name: string): PipeEntry {
  const at = new Date(0);
  const rest = {
    tenant: 'acme',
    id: `t_${name}`,
    name,
    builtIn: false,
    deployment: '',
    version: 1,
    createdAt: at,
    updatedAt: at,
  };
  return { ...rest, kind: 'pipe', definition: pipe(name, 'SELECT 1') };
}

function open(run?: (entry: PipeEntry) => Promise<void>): Schedules {
  const schedules = new Schedules({
    scheduled: () => scheduled,
    run: async (entry, dueMs) => {
      ran.push({ pipe: entry.name, due: new Date(dueMs).toISOString().slice(11, 16) });
      await run?.(entry);
    },
    now: () => now,
    statePath: join(directory, 'schedules.json'),
    everyMs: 3_600_000,
    onFailed: (one) => failed.push(one),
  });
  opened.push(schedules);
  return schedules;
}

/** Lets time pass in steps of ten seconds. */
async function pass(schedules: Schedules, minutes: number): Promise<void> {
  for (const end = now + minutes * MINUTE; now < end; now += 10_000) await schedules.tick();
  await schedules.tick();
}

describe('a schedule', () => {
  it('runs at its times, each once, and not when it is made', async () => {
    const schedules = open();
    await pass(schedules, 16);
    expect(ran.map(({ due }) => due)).toEqual(['00:05', '00:10', '00:15']);
  });

  it('does not run again what ran before a restart', async () => {
    await pass(open(), 5);
    expect(ran).toHaveLength(1);
    await pass(open(), 3);
    expect(ran).toHaveLength(1);
    await pass(open(), 3);
    expect(ran.map(({ due }) => due)).toEqual(['00:05', '00:10']);
  });

  it('is noted down before it runs, so that a crash in the middle does not repeat it', async () => {
    let noted = '';
    const schedules = open(() => {
      noted = readFileSync(join(directory, 'schedules.json'), 'utf8');
      return Promise.resolve();
    });
    await pass(schedules, 5);
    expect(JSON.parse(noted)).toMatchObject({ since: { 't_a */5 * * * *': expect.any(Number) as number } });
    expect((JSON.parse(noted) as { since: Record<string, number> }).since['t_a */5 * * * *']).toBeGreaterThan(START);
  });

  it('makes up for what it missed once, however much that was', async () => {
    await pass(open(), 1);
    now += 180 * MINUTE;
    const schedules = open();
    await schedules.tick();
    expect(ran.map(({ due }) => due)).toEqual(['00:05']);
    await schedules.tick();
    expect(ran).toHaveLength(1);
    await pass(schedules, 5);
    expect(ran).toHaveLength(2);
  });

  it('waits while it is paused, also over a restart, and makes up for nothing then', async () => {
    const schedules = open();
    await schedules.tick();
    schedules.pause('t_a');
    await pass(schedules, 11);
    expect(ran).toEqual([]);
    const next = open();
    expect(next.isPaused('t_a')).toBe(true);
    next.resume('t_a');
    await pass(next, 3);
    expect(ran).toEqual([]);
    await pass(next, 4);
    expect(ran).toHaveLength(1);
  });

  it('that is another one begins now', async () => {
    const schedules = open();
    await pass(schedules, 6);
    scheduled = [{ entry: entryOf('a'), cron: '0 * * * *' }];
    await pass(schedules, 30);
    expect(ran.map(({ due }) => due)).toEqual(['00:05']);
    scheduled = [];
    await schedules.tick();
    expect(readFileSync(join(directory, 'schedules.json'), 'utf8')).not.toContain('t_a');
  });

  it('that is none, or whose run fails, keeps no other from running', async () => {
    scheduled = [
      { entry: entryOf('bad'), cron: 'every day' },
      { entry: entryOf('late'), cron: '*/5 * * * *' },
      { entry: entryOf('good'), cron: '*/5 * * * *' },
    ];
    const schedules = open((entry) => (entry.name === 'late' ? Promise.reject(new Error('busy')) : Promise.resolve()));
    await pass(schedules, 5);
    expect(ran.map((one) => one.pipe)).toEqual(['late', 'good']);
    expect(failed).toMatchObject([
      { pipe: 'bad', tenant: 'acme' },
      { pipe: 'late', reason: 'busy' },
    ]);
  });

  it('is in UTC, whatever the clocks of the place do', () => {
    const night = Date.parse('2026-03-29T00:30:00Z');
    expect(new Date(nextRun('30 1 * * *', night) ?? 0).toISOString()).toBe('2026-03-29T01:30:00.000Z');
    expect(new Date(nextRun('0 0 1 * *', night) ?? 0).toISOString()).toBe('2026-04-01T00:00:00.000Z');
  });

  it.each([undefined, '', '@on-demand', '@once', 'None', ' @ON-DEMAND '])('is none for %j', (text) => {
    expect(cronOf(text)).toBeUndefined();
  });
});
