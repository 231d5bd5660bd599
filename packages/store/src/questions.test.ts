import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Engine } from '@glasshouse/engine';
import { startEngine } from '@glasshouse/engine';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { paramSettings, Questions } from './questions.ts';
import { embeddedTarget } from './target.ts';

const OPTIONS = { maxConnections: 4, timeoutMs: 60_000 };
const dir = mkdtempSync(join(tmpdir(), 'glasshouse-questions-'));
let engine: Engine;
let questions: Questions;

beforeAll(async () => {
  engine = await startEngine({ dataDir: join(dir, 'engine'), backupDir: join(dir, 'backup'), maxMemoryBytes: 1 << 30 });
  const target = embeddedTarget(engine);
  questions = new Questions(target, target.reader, OPTIONS);
});

afterAll(async () => {
  questions.close();
  await engine.stop();
  rmSync(dir, { recursive: true, force: true });
});

type Search = Readonly<Record<string, string | number>>;

async function answer(sql: string, search: Search = {}, signal?: AbortSignal): Promise<string> {
  const stream = await questions.ask({ sql, search: { default_format: 'TSVRaw', ...search }, signal });
  return text(stream);
}

describe('a question', () => {
  it('is answered with the bytes of the engine and its headers', async () => {
    const stream = await questions.ask({
      sql: "SELECT 'ä\u{1F600}'",
      search: { default_format: 'TSVRaw', query_id: 'mine' },
      signal: undefined,
    });
    expect(stream.headers['x-clickhouse-query-id']).toBe('mine');
    expect(await text(stream)).toBe('ä\u{1F600}\n');
  });

  it.each(["a'b", 'a\\b', 'tab\tline\nreturn\r', 'nul\0', '&x=1#?%20+', 'ä\u{1F600}', ''])(
    'brings the value %j as it is',
    async (value) => {
      const search = { ...paramSettings({ v: value }), log_comment: value };
      const sql =
        "SELECT hex({v:String}), hex(substring(getSetting('log_comment'), position(getSetting('log_comment'), '\\n') + 1))";
      const hex = Buffer.from(value).toString('hex').toUpperCase();
      expect(await answer(sql, search)).toBe(`${hex}\t${hex}\n`);
    },
  );

  it('replaces half of a character, which has no place in an address', async () => {
    expect(await answer('SELECT {v:String}', paramSettings({ v: 'a\ud800' }))).toBe('a\ufffd\n');
  });

  it.each([
    ['SELECT nothing', '47', 'UNKNOWN_IDENTIFIER'],
    ['SELECT 1 +', '62', 'SYNTAX_ERROR'],
    ['DROP DATABASE system', '164', 'READONLY'],
  ])('rejects with the exception of the engine: %s', async (sql, code, type) => {
    await expect(answer(sql)).rejects.toMatchObject({ code, type });
  });

  it('is not asked when it was given up before', async () => {
    await expect(answer('SELECT 1', {}, AbortSignal.abort())).rejects.toThrow('aborted');
  });

  it('ends at the engine when it is given up', async () => {
    const controller = new AbortController();
    const slow = answer('SELECT sum(sipHash64(number)) FROM numbers(1000000000000)', {}, controller.signal);
    const running = (): Promise<string> =>
      answer("SELECT count() FROM system.processes WHERE query LIKE 'SELECT sum(sipHash64%'");
    await expect.poll(running).toBe('1\n');
    controller.abort();
    await expect(slow).rejects.toThrow('aborted');
    await expect.poll(running, { timeout: 10_000 }).toBe('0\n');
  });

  it('leaves no listener at a signal that outlives it', async () => {
    const { signal } = new AbortController();
    let listeners = 0;
    const counting = new Proxy(signal, {
      get: (target, name): unknown => {
        if (name === 'addEventListener') return () => void listeners++;
        if (name === 'removeEventListener') return () => void listeners--;
        return Reflect.get(target, name, target) as unknown;
      },
    });
    await answer('SELECT 1', {}, counting);
    await expect(answer('SELECT nothing', {}, counting)).rejects.toMatchObject({ code: '47' });
    expect(listeners).toBe(0);
  });

  it('rejects where nobody listens', async () => {
    const target = { ...embeddedTarget(engine), makeAgent: undefined, url: 'http://[::1]:9' };
    const nobody = new Questions(target, target.reader, OPTIONS);
    await expect(nobody.ask({ sql: 'SELECT 1', search: {}, signal: undefined })).rejects.toMatchObject({
      code: expect.stringMatching(/^E(?:CONNREFUSED|ADDRNOTAVAIL)$/u) as string,
    });
    nobody.close();
  });
});
