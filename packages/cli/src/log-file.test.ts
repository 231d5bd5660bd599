/** The log: rotation, the end of it, and lines as a person reads them. */

import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { logPath, openLog, readLog, readyEvent, reasonIn, showLine, tailLines } from './log-file.ts';

let dataDir: string;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'glasshouse-log-'));
});

afterEach(() => {
  rmSync(dataDir, { recursive: true });
});

describe('openLog', () => {
  test('moves a large log aside and keeps three', () => {
    for (const text of ['one', 'two', 'three', 'four', 'five']) {
      closeSync(openLog(dataDir, 2).fd);
      writeFileSync(logPath(dataDir), text);
    }
    const names = ['', '.1', '.2', '.3'].map((suffix) => readFileSync(logPath(dataDir) + suffix, 'utf8'));
    expect(names).toEqual(['five', 'four', 'three', 'two']);
    expect(existsSync(`${logPath(dataDir)}.4`)).toBe(false);
  });

  test('goes on with a small one, and is its owner’s alone', () => {
    writeFileSync(logPath(dataDir), 'before\n', { mode: 0o644 });
    const { fd, offset } = openLog(dataDir);
    closeSync(fd);
    expect(offset).toBe(7);
    expect(statSync(logPath(dataDir)).mode & 0o777).toBe(0o600);
  });
});

test('reads on from where it was, and from the beginning of a new file', () => {
  appendFileSync(logPath(dataDir), 'first\n');
  const { end } = readLog(dataDir, 0);
  appendFileSync(logPath(dataDir), 'second\n');
  expect(readLog(dataDir, end).text).toBe('second\n');
  writeFileSync(logPath(dataDir), 'new\n');
  expect(readLog(dataDir, 13).text).toBe('new\n');
});

test('takes the last lines', () => {
  appendFileSync(logPath(dataDir), 'a\nb\nc\n');
  expect([tailLines(dataDir, 2), tailLines(dataDir, 0), tailLines(dataDir, 9, 4)]).toEqual([['b', 'c'], [], ['c']]);
});

test('finds what a start said about its listeners', () => {
  appendFileSync(
    logPath(dataDir),
    '{"level":40,"listener":"otlp-http","msg":"cannot listen on 127.0.0.1:4318"}\n{"level":30,"listeners":[{"name":"main","port":3000}],"msg":"ready"}\n',
  );
  expect(readyEvent(dataDir, 0)).toEqual({
    listeners: [{ name: 'main', port: 3000 }],
    skipped: ['cannot listen on 127.0.0.1:4318'],
  });
});

describe('reasonIn', () => {
  test('takes the fatal line', () => {
    expect(reasonIn(['{"level":60,"msg":"the port is taken"}', 'more'])).toEqual({
      text: 'the port is taken',
      told: true,
    });
  });

  test('takes the message of an exception', () => {
    expect(reasonIn(['  x', 'SyntaxError: no such export', '    at y'])).toEqual({
      text: 'no such export',
      told: false,
    });
  });

  test('knows nothing of other lines', () => {
    expect(reasonIn(['{"level":30,"msg":"ready"}'])).toBeUndefined();
  });
});

test('shows a line with time, level, message and fields, and no escape sequence', () => {
  const line = JSON.stringify({
    level: 40,
    time: 0,
    pid: 1,
    hostname: 'h',
    name: 'n',
    msg: 'a\u001b[2J',
    err: { message: 'why' },
    rows: 3,
  });
  expect(showLine(line)).toBe(String.raw`1970-01-01 00:00:00.000 WARN  a\x1b[2J err=why rows=3`);
  expect(showLine('plain \u0007')).toBe(String.raw`plain \x07`);
});
