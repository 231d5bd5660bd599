/** The parts of an import: records, formats, mappings, times, batches, the journal. */

import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import type { Batch } from './batches.ts';
import { batchesOf } from './batches.ts';
import type { Fields, Reader } from './formats.ts';
import { BadRecord, cellsOf, csvReader, jsonReader, logReader } from './formats.ts';
import type { Journal } from './journal.ts';
import { readJournal, resume, writeJournal } from './journal.ts';
import { mapper, parseMap } from './mapping.ts';
import type { Framing, RawRecord } from './records.ts';
import { recordsOf } from './records.ts';
import { importAll } from './run.ts';
import { timeText } from './times.ts';

const RUNS = { numRuns: 300, seed: 20_261_122 };
const folder = mkdtempSync(join(tmpdir(), 'glasshouse-import-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function* cut(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield await Promise.resolve(bytes.subarray(at, at + size));
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

const LINES: Framing = { kind: 'lines' };
const QUOTED: Framing = { kind: 'quoted', quote: '"' };
const START: Framing = { kind: 'start', pattern: /^a/u };
const records = (text: string, framing: Framing, size = 7, offset = 0): Promise<RawRecord[]> =>
  all(recordsOf(cut(Buffer.from(text), size), framing, { offset, line: 1 }));

describe('records', () => {
  test('are lines with their places, whatever ends them', async () => {
    expect(await records('\ufeffone\r\n\ntwo', LINES)).toEqual([
      { start: 0, end: 8, line: 1, text: 'one' },
      { start: 8, end: 9, line: 2, text: '' },
      { start: 9, end: 12, line: 3, text: 'two' },
    ]);
  });

  test('of CSV go on until every quote is closed', async () => {
    const found = await records('a,"b\n""c"\nd\n', QUOTED);
    expect(found.map(({ text, line }) => [text, line])).toEqual([
      ['a,"b\n""c"', 1],
      ['d', 3],
    ]);
  });

  test('of a log begin where the pattern matches', async () => {
    const found = await records('x\na1\n  b\na2', START);
    expect(found.map(({ text, line }) => [text, line])).toEqual([
      ['x', 1],
      ['a1\n  b', 2],
      ['a2', 4],
    ]);
  });

  test('that are too long have a place and no text', async () => {
    const long = 'x'.repeat(4 << 20);
    const found = await records(`a\n${long}\nb\n`, LINES, 1 << 16);
    expect(found.map(({ text, end }) => [text, end])).toEqual([
      ['a', 2],
      [undefined, long.length + 3],
      ['b', long.length + 5],
    ]);
  });

  test('do not depend on the chunks, and go on from any of their ends', async () => {
    const line = fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r', 'é', ' '), maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(
        line,
        fc.constantFrom(LINES, QUOTED, START),
        fc.integer({ min: 1, max: 9 }),
        async (text, how, size) => {
          const whole = await records(text, how, 1 << 20);
          expect(await records(text, how, size)).toEqual(whole);
          let at = 0;
          for (const [index, { start, end }] of whole.entries()) {
            expect(start).toBe(at);
            at = end;
            const rest = await records(Buffer.from(text).subarray(end).toString(), how, size, end);
            expect(rest.map((one) => [one.start, one.text])).toEqual(
              whole.slice(index + 1).map((one) => [one.start, one.text]),
            );
          }
          expect(at).toBe(Buffer.byteLength(text));
        },
      ),
      { ...RUNS, numRuns: 100 },
    );
  });
});

describe('formats', () => {
  const plain = (fields: Fields | undefined): unknown => (fields === undefined ? undefined : { ...fields });

  test('combined', () => {
    const line = '127.0.0.1 - ann [10/Oct/2026:13:55:36 -0700] "GET /a?b=1 HTTP/1.1" 200 2326 "-" "curl/8 \\"x\\""';
    expect(plain(logReader('combined', undefined).read(line))).toEqual({
      remote_addr: '127.0.0.1',
      remote_user: 'ann',
      time: '10/Oct/2026:13:55:36 -0700',
      method: 'GET',
      path: '/a?b=1',
      protocol: 'HTTP/1.1',
      status: '200',
      bytes: '2326',
      user_agent: 'curl/8 \\"x\\"',
    });
  });

  test('logfmt', () => {
    expect(plain(logReader('logfmt', undefined).read('level=info msg="a \\"b\\" c" ok dur=3ms empty='))).toEqual({
      level: 'info',
      msg: 'a "b" c',
      ok: true,
      dur: '3ms',
      empty: '',
    });
  });

  test('pino: levels have names', () => {
    expect(plain(logReader('pino', undefined).read('{"level":50,"msg":"x"}'))).toEqual({ level: 'error', msg: 'x' });
  });

  test('JSON keeps every digit', () => {
    expect(JSON.stringify(jsonReader().read('{"a":12345678901234567890,"b":1.5}'))).toBe(
      '{"a":12345678901234567890,"b":1.5}',
    );
  });

  test('CSV has names for its cells, and an empty one is no value', () => {
    expect(plain(csvReader(['a', 'b', '__proto__'], ',').read('"x,""y""",,1'))).toEqual(
      Object.fromEntries([
        ['a', 'x,"y"'],
        ['__proto__', '1'],
      ]),
    );
  });

  test.each<[Reader, string, string]>([
    [jsonReader(), '[1]', 'not an object'],
    [jsonReader(), '12345678901234567890', 'not an object'],
    [jsonReader(), '{"a":', 'not JSON'],
    [csvReader(['a'], ','), 'x,y', '2 cells'],
    [csvReader(['a'], ','), '"x', 'not closed'],
    [csvReader(['a', 'b'], ','), '"x"y,z', 'behind a quoted cell'],
    [logReader('^(?<a>\\d+)$', undefined), 'x', 'does not match'],
    [logReader('logfmt', undefined), 'a "b', 'not logfmt'],
  ])('refuses %# with a reason', (reader, text, why) => {
    expect(() => reader.read(text)).toThrow(why);
  });

  test.each([
    ['(', 'Unterminated group'],
    ['^x$', 'no named group'],
  ])('refuses the pattern %s', (pattern, why) => {
    expect(() => logReader(pattern, undefined)).toThrow(why);
  });

  test('CSV is read back as it was written', () => {
    const cell = fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', 'é', ' '), maxLength: 8 });
    fc.assert(
      fc.property(fc.array(cell, { minLength: 1, maxLength: 5 }), (cells) => {
        const text = cells.map((one) => `"${one.replaceAll('"', '""')}"`).join(',');
        expect(cellsOf(text, ',')).toEqual(cells);
      }),
      RUNS,
    );
  });

  test('no text breaks a reader', () => {
    const readers = [
      jsonReader(),
      csvReader(['a', 'b'], ','),
      ...['combined', 'logfmt', 'pino'].map((one) => logReader(one, undefined)),
    ];
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.json(), fc.string({ unit: fc.constantFrom('a', '=', '"', '\\', ' ', '[', ']') })),
        (text) => {
          for (const reader of readers) {
            try {
              JSON.stringify(reader.read(text));
            } catch (error) {
              expect(error).toBeInstanceOf(BadRecord);
            }
          }
        },
      ),
      RUNS,
    );
  });
});

describe('mapping', () => {
  const row = (map: string, fields: Fields, keeps = false): unknown => ({ ...mapper(parseMap(map), keeps)(fields) });

  test('moves, renames, converts and sets', () => {
    const fields = { ts: 1_790_000_000, request: { model: 'm' }, 'a key': '7', list: [{ x: '1.5' }], raw: '{"k":1}' };
    expect(
      row(
        "at=$.ts:time, model=request.model,p='it''s, so',n=$['a key']:int,f=$.list[0].x:float,j=raw:json,none=$.no.where",
        fields,
      ),
    ).toEqual({ at: '2026-09-21T14:13:20Z', model: 'm', p: "it's, so", n: 7, f: 1.5, j: { k: 1 } });
  });

  test('keeps what it does not name only if it is asked to', () => {
    expect(row('b=a', { a: 1, c: 2 })).toEqual({ b: 1 });
    expect(row('b=a', { a: 1, c: 2 }, true)).toEqual({ b: 1, c: 2 });
  });

  test('keeps the digits of large whole numbers', () => {
    expect(row('a=x:int', { x: '12345678901234567890' })).toEqual({ a: '12345678901234567890' });
  });

  test.each([
    ['a', 'a name and ='],
    ['a=', 'a path'],
    ['a=$', 'a path'],
    ['a=x:date', 'there is no conversion :date'],
    ['a=x y', 'only a conversion or a comma'],
    ["a='x", 'a path or a text'],
    ['a=x,a=y', 'given twice'],
  ])('refuses %s', (map, why) => {
    expect(() => parseMap(map)).toThrow(why);
  });

  test.each([
    ['a=x:int', { x: '1.5' }, 'not a whole number'],
    ['a=x:float', { x: 'NaN' }, 'not a number'],
    ['a=x:time', { x: 'soon' }, 'not a time'],
    ['a=x:json', { x: '{' }, 'not JSON'],
  ])('%s of %j is a bad record', (map, fields, why) => {
    expect(() => row(map, fields)).toThrow(new BadRecord(`a: '${fields.x}' is ${why}`));
  });

  test('any text is read or refused with a hint', () => {
    const text = fc.string({
      unit: fc.constantFrom('a', '=', '$', '.', "'", '[', ']', '0', ':', ',', ' '),
      maxLength: 20,
    });
    fc.assert(
      fc.property(text, (map) => {
        try {
          mapper(parseMap(map), true)({ a: { a: [1] } });
        } catch (error) {
          expect(String(error)).toContain('cannot read --map at');
        }
      }),
      RUNS,
    );
  });
});

describe('times', () => {
  test.each([
    ['1790000000', '2026-09-21T14:13:20Z'],
    ['1790000000.25', '2026-09-21T14:13:20.250Z'],
    ['1790000000123', '2026-09-21T14:13:20.123Z'],
    ['1790000000123456', '2026-09-21T14:13:20.123456Z'],
    ['1790000000123456789', '2026-09-21T14:13:20.123456789Z'],
    ['-1', '1969-12-31T23:59:59Z'],
    ['2026-09-21', '2026-09-21T00:00:00Z'],
    ['2026-09-21T14:13:20+02:00', '2026-09-21T12:13:20Z'],
    ['2026-09-21 14:13:20,123', '2026-09-21T14:13:20.123Z'],
    ['2026/09/21 14:13:20', '2026-09-21T14:13:20Z'],
    ['2026-09-21T14:13:20.123456789Z', '2026-09-21T14:13:20.123456789Z'],
    ['21/Sep/2026:14:13:20 -0700', '2026-09-21T21:13:20Z'],
    ['Mon, 21 Sep 2026 14:13:20 GMT', '2026-09-21T14:13:20Z'],
  ])('%s', (text, time) => {
    expect(timeText(text)).toBe(time);
  });

  test.each(['', 'soon', '2026-02-30', '2026-13-01', '21/Foo/2026:00:00:00 +0000', '1e9', '123456789012345678901'])(
    '%j is none',
    (text) => {
      expect(timeText(text)).toBeUndefined();
    },
  );

  test('what Date writes is read', () => {
    const dates = fc.date({ min: new Date(0), max: new Date('9999-01-01'), noInvalidDate: true });
    fc.assert(
      fc.property(dates, (date) => {
        expect(new Date(timeText(date.toISOString()) ?? '').getTime()).toBe(date.getTime());
      }),
      RUNS,
    );
  });
});

const TEXT = Array.from({ length: 25_000 }, (_, n) => (n % 1000 === 7 ? 'bad' : JSON.stringify({ n }))).join('\n');

function batches(from = { offset: 0, line: 1, records: 0 }, limit?: number): Promise<Batch[]> {
  const found = recordsOf(cut(Buffer.from(TEXT).subarray(from.offset), 5000), LINES, from);
  return all(batchesOf(found, { reader: jsonReader(), map: (fields) => fields, limit, from }));
}

describe('batches', () => {
  test('are the same from the beginning of any of them', async () => {
    const whole = await batches();
    expect(whole.map(({ lines }) => lines)).toEqual([10_000, 10_000, 5_000]);
    expect(whole.flatMap(({ rejected }) => rejected.map(({ line }) => line)).slice(0, 2)).toEqual([8, 1008]);
    const second = await batches({ offset: whole[0]?.end ?? 0, line: whole[0]?.nextLine ?? 0, records: 10_000 });
    expect(second).toEqual(whole.slice(1));
  });

  test('end at the limit, also of what is resumed', async () => {
    const [first, second] = await batches(undefined, 10_001);
    expect([first?.lines, second?.lines]).toEqual([10_000, 1]);
    expect(await batches({ offset: first?.end ?? 0, line: 10_001, records: 10_000 }, 10_001)).toEqual([second]);
  });
});

describe('a run', () => {
  const options = (name: string): { journalPath: string; rejectedPath: string } => ({
    journalPath: join(folder, `${name}.import.json`),
    rejectedPath: join(folder, `${name}.rejected`),
  });

  function begin(name: string): { path: string; journal: Journal } {
    const path = join(folder, name);
    writeFileSync(path, TEXT);
    return { path, journal: resume(path, undefined, 'options', 1).journal };
  }

  test('that is broken off anywhere goes on with the same batches, and rejects each line once', async () => {
    for (const broken of [0, 1, 2]) {
      const name = `broken-${broken}`;
      const { path, journal } = begin(name);
      const taken = new Map<string, readonly string[]>();
      let calls = 0;
      const send = async (batch: string, rows: readonly string[]): Promise<void> => {
        if (calls++ === broken) throw new Error('killed');
        expect(taken.get(batch) ?? rows).toEqual(rows);
        taken.set(batch, rows);
        await Promise.resolve();
      };
      const common = {
        sender: { send },
        onBad: 'skip',
        onProgress: () => undefined,
        ...options(name),
      } as const;
      const from = (one: Journal): AsyncIterable<Batch> => {
        const place = { offset: one.offset, line: one.line, records: one.counts.lines };
        const found = recordsOf(cut(Buffer.from(TEXT).subarray(place.offset), 5000), LINES, place);
        return batchesOf(found, { reader: jsonReader(), map: (fields) => fields, limit: undefined, from: place });
      };
      await expect(importAll({ ...common, journal, batches: from(journal) })).rejects.toThrow('killed');
      // Written, and not yet noted when it was killed.
      appendFileSync(common.rejectedPath, 'torn');
      const again = resume(path, readJournal(common.journalPath), 'options', 2);
      expect(again.how).toBe('resumed');
      const done = await importAll({ ...common, journal: again.journal, batches: from(again.journal) });
      expect(done.counts).toEqual({ lines: 25_000, rows: 24_975, rejected: 25 });
      expect([...taken.values()].flat().length).toBe(24_975);
      const rejected = readFileSync(common.rejectedPath, 'utf8').trimEnd().split('\n');
      expect(rejected.map((line) => (JSON.parse(line) as { line: number }).line)).toEqual(
        Array.from({ length: 25 }, (_, n) => n * 1000 + 8),
      );
      expect(resume(path, readJournal(common.journalPath), 'options', 3).how).toBe('done');
    }
  });

  test('stops at a bad line if it is told to', async () => {
    const { journal } = begin('stop');
    const common = {
      sender: { send: () => Promise.resolve() },
      onProgress: () => undefined,
      ...options('stop'),
    };
    const found = batchesOf(recordsOf(cut(Buffer.from(TEXT), 5000), LINES, journal), {
      reader: jsonReader(),
      map: (fields) => fields,
      limit: undefined,
      from: { ...journal, records: 0 },
    });
    await expect(importAll({ ...common, journal, batches: found, onBad: 'stop' })).rejects.toThrow(
      'cannot import line=8',
    );
  });
});

describe('the journal', () => {
  function written(name: string, change: Partial<Journal>, text = 'a\nb\n'): { path: string; journal: Journal } {
    const path = join(folder, name);
    writeFileSync(path, text);
    const journal = { ...resume(path, undefined, 'options', 1).journal, ...change };
    writeJournal(`${path}.import.json`, journal);
    expect(readJournal(`${path}.import.json`)).toEqual(JSON.parse(JSON.stringify(journal)));
    return { path, journal };
  }

  test('goes on at the end of a file that has grown', () => {
    const { path, journal } = written('grown', { isDone: true, offset: 4 });
    appendFileSync(path, 'c\n');
    expect(resume(path, journal, 'options', 2)).toMatchObject({
      how: 'appended',
      journal: { offset: 4, isDone: false },
    });
  });

  test('does not go on with other options, another file, or after the server forgot', () => {
    const { path, journal } = written('other', {});
    expect(() => resume(path, journal, 'others', 2)).toThrow('other options');
    expect(() => resume(path, journal, 'options', 31 * 86_400_000)).toThrow('29 days');
    appendFileSync(path, 'c\n');
    expect(() => resume(path, journal, 'options', 2)).toThrow('it has changed');
    writeFileSync(path, 'x\nb\n');
    expect(() => resume(path, journal, 'options', 2)).toThrow('another beginning');
  });

  test('that is damaged is refused, whatever is in it', () => {
    const path = join(folder, 'damaged.json');
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
        writeFileSync(path, text);
        expect(() => readJournal(path)).toThrow('cannot read journal');
      }),
      { ...RUNS, numRuns: 50 },
    );
  });
});
