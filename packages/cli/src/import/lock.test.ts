import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { processMark } from '../process.ts';
import { lockImport } from './lock.ts';

const folder = mkdtempSync(join(tmpdir(), 'glasshouse-lock-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let number = 0;
const journal = (): string => join(folder, `${++number}.json`);
const owner = (more: object = {}): string =>
  JSON.stringify({ pid: process.pid, mark: processMark(process.pid), host: hostname(), since: 'then', ...more });

describe('the lock of an import', () => {
  test('is for one at a time, and names the other', async () => {
    const path = journal();
    const release = await lockImport('a.log', path, 0);
    await expect(lockImport('a.log', path, 0)).rejects.toThrow(
      `cannot import a.log: another import of it is running, process ${process.pid} since 1970-01-01T00:00:00.000Z; wait for it`,
    );
    release();
    expect(existsSync(`${path}.lock`)).toBe(false);
    (await lockImport('a.log', path, 0))();
  });

  test('is taken over from who was killed, by one of many', async () => {
    const killed = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)']);
    const path = journal();
    writeFileSync(`${path}.lock`, owner({ pid: killed.pid, mark: processMark(killed.pid ?? 0) }));
    await expect(lockImport('a.log', path, 0)).rejects.toThrow('another import');
    const ended = new Promise((resolve) => killed.once('exit', resolve));
    killed.kill('SIGKILL');
    await ended;
    const tried = await Promise.allSettled(Array.from({ length: 8 }, () => lockImport('a.log', path, 0)));
    expect(tried.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(existsSync(`${path}.lock.takeover`)).toBe(false);
  });

  test('of another process with the same number is none', async () => {
    const path = journal();
    writeFileSync(`${path}.lock`, owner({ mark: 'before the boot' }));
    await lockImport('a.log', path, 0);
    expect(readFileSync(`${path}.lock`, 'utf8')).not.toContain('before the boot');
  });

  test('of another machine stays, and is said how to remove', async () => {
    const path = journal();
    writeFileSync(`${path}.lock`, owner({ host: 'elsewhere' }));
    await expect(lockImport('a.log', path, 0)).rejects.toThrow(
      `on elsewhere since then; if it is not running any more, remove ${path}.lock`,
    );
  });

  test.each(['', '{"pid": 1', 'null', '7'])('that was left as %j is taken over', async (text) => {
    const path = journal();
    for (const name of ['lock', 'lock.takeover']) {
      writeFileSync(`${path}.${name}`, text);
      utimesSync(`${path}.${name}`, 1, 1);
    }
    const release = await lockImport('a.log', path, 0);
    expect(readFileSync(`${path}.lock`, 'utf8')).toContain(`"pid":${process.pid}`);
    release();
  });

  test('that cannot be written is a fault of the place', async () => {
    await expect(lockImport('a.log', join(folder, 'none', 'x.json'), 0)).rejects.toThrow('cannot write lock=');
  });
});
