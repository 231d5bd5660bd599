/** The pid file: whose it is, and when it lies. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { PidRecord } from './process.ts';
import {
  claimPidFile,
  pidPath,
  processMark,
  readPidFile,
  removePidFile,
  runningServer,
  treeMemory,
  writePidFile,
} from './process.ts';

let dataDir: string;
const own: PidRecord = {
  pid: process.pid,
  mark: processMark(process.pid),
  startedAt: '2026-01-01T00:00:00.000Z',
  version: '0.1.0',
  listeners: [{ name: 'main', host: '127.0.0.1', port: 3000 }],
};

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'glasshouse-pid-'));
});

afterEach(() => {
  rmSync(dataDir, { recursive: true });
});

describe('the pid file', () => {
  test('comes back as it was written, with the number alone in the first line, readable by its owner only', () => {
    writePidFile(dataDir, own);
    expect(readPidFile(dataDir)).toEqual(own);
    expect(readFileSync(pidPath(dataDir), 'utf8').split('\n')[0]).toBe(String(process.pid));
    expect(statSync(pidPath(dataDir)).mode & 0o777).toBe(0o600);
  });

  test('of a living process is found, and a second start is told of it', () => {
    writePidFile(dataDir, own);
    expect(runningServer(dataDir)).toEqual(own);
    expect(claimPidFile(dataDir, { ...own, version: '9' })).toEqual(own);
  });

  test('of a dead process is stale', async () => {
    const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)']);
    await once(child, 'spawn');
    const pid = child.pid ?? 0;
    writePidFile(dataDir, { ...own, pid, mark: processMark(pid) });
    expect(runningServer(dataDir)?.pid).toBe(pid);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(runningServer(dataDir)).toBeUndefined();
    expect(claimPidFile(dataDir, own)).toBeUndefined();
    expect(readPidFile(dataDir)).toEqual(own);
  });

  test('of a process whose number another one has now is stale', () => {
    writePidFile(dataDir, { ...own, mark: 'an earlier boot/12345' });
    expect(runningServer(dataDir)).toBeUndefined();
  });

  test.each(['', 'nonsense', '-1\n{}', '12\n', '12\n{'])('with %j in it is no pid file', (text) => {
    writeFileSync(pidPath(dataDir), text);
    expect(runningServer(dataDir)).toBeUndefined();
    expect(claimPidFile(dataDir, own)).toBeUndefined();
  });

  test('of another process is not removed', () => {
    writePidFile(dataDir, own);
    removePidFile(dataDir, own.pid + 1);
    expect(readPidFile(dataDir)).toEqual(own);
    removePidFile(dataDir, own.pid);
    expect(readPidFile(dataDir)).toBeUndefined();
  });
});

test('memory of a tree includes the children', async () => {
  const child = spawn(process.execPath, ['-e', 'process.stdout.write("x"); setTimeout(() => {}, 60_000)'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await once(child.stdout, 'data');
  const whole = treeMemory(process.pid);
  const part = treeMemory(child.pid ?? 0);
  child.kill('SIGKILL');
  // Only Linux says.
  expect(whole === undefined || (part !== undefined && whole > part && part > 0)).toBe(true);
});
