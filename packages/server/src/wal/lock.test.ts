import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { AppError } from '@glasshouse/model';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { DirectoryLock } from './lock.ts';
import { lockDirectory } from './lock.ts';

const QUICK = { silenceMs: 400, touchMs: 50 };
let directory: string;
let file: string;
const held: DirectoryLock[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'glasshouse-lock-'));
  file = join(directory, 'lock');
});
afterEach(() => {
  for (const lock of held.splice(0)) lock.release();
  rmSync(directory, { recursive: true });
});

async function take(): Promise<DirectoryLock> {
  const lock = await lockDirectory(directory, QUICK);
  held.push(lock);
  return lock;
}

/** A process that waits, as an owner that can be killed. */
async function lockOfOther(): Promise<{ kill: () => Promise<void> }> {
  const code = `import(${JSON.stringify(join(import.meta.dirname, 'lock.ts'))}).then(async ({ lockDirectory }) => {
    await lockDirectory(${JSON.stringify(directory)}); console.log('locked'); setInterval(() => {}, 1000); });`;
  const child = spawn(process.execPath, ['--conditions=source', '--disable-warning=ExperimentalWarning', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return {
    kill: async () => {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

test('refuses a second server, saying who has the directory', async () => {
  await take();
  const refused = await lockDirectory(directory, QUICK).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(AppError);
  expect(refused).toMatchObject({ code: 'conflict', message: expect.stringContaining(`pid ${process.pid}`) as string });
});

test('is free after its release, and leaves no file', async () => {
  (await take()).release();
  expect(existsSync(file)).toBe(false);
  await take();
});

test('is free at once when its owner was killed', async () => {
  const other = await lockOfOther();
  await expect(lockDirectory(directory, QUICK)).rejects.toThrow(/another server \(pid \d+\)/);
  await other.kill();
  await take();
  expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ pid: process.pid });
});

test('is free when another process has got the id of the owner', async () => {
  await take();
  const owner = JSON.parse(readFileSync(file, 'utf8')) as { started: string };
  writeFileSync(file, JSON.stringify({ ...owner, started: '1' }));
  await take();
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(owner);
});

test('of an owner that cannot be looked up is respected while it is touched, and free after that', async () => {
  writeFileSync(file, JSON.stringify({ pid: 1, started: '1', space: 'another container' }));
  const toucher = setInterval(() => utimesSync(file, new Date(), new Date()), 50);
  await expect(lockDirectory(directory, QUICK)).rejects.toThrow('pid 1 in another container');
  clearInterval(toucher);
  await pause(60);
  await take();
});

test('is touched by its owner', async () => {
  await take();
  utimesSync(file, new Date(0), new Date(0));
  expect(statSync(file).mtimeMs).toBe(0);
  await pause(300);
  expect(statSync(file).mtimeMs).toBeGreaterThan(0);
});

test.each(['', '{"pid":', 'null'])('that says %j is free after a while', async (text) => {
  writeFileSync(file, text);
  await take();
  expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ pid: process.pid });
});

test('that was left stale is taken by one of several, whatever else was left', async () => {
  writeFileSync(file, JSON.stringify({ pid: 2 ** 22 + 1, started: '1', space: 'unknown' }));
  writeFileSync(join(directory, 'lock.takeover'), '1');
  utimesSync(join(directory, 'lock.takeover'), new Date(0), new Date(0));
  const tries = await Promise.allSettled(Array.from({ length: 8 }, () => lockDirectory(directory, QUICK)));
  const won = tries.filter((result) => result.status === 'fulfilled');
  held.push(...won.map((result) => result.value));
  expect(won.length).toBe(1);
});

test('does not remove the lock of a successor when it is released late', async () => {
  const first = await take();
  rmSync(file);
  writeFileSync(file, 'successor');
  first.release();
  expect(readFileSync(file, 'utf8')).toBe('successor');
});
