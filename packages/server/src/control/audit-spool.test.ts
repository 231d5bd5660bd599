/** The spool: what is synced is read again, whatever a crash did to the end of a file. */

import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AuditSpool, lineOf, readLines } from './audit-spool.ts';

let root: string;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'glasshouse-spool-'));
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

const RUNS = { numRuns: 300, seed: 20261122 };

describe('lines', () => {
  it('are read as they were written, whatever is in them', () => {
    fc.assert(
      fc.property(fc.array(fc.dictionary(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }))), (values) => {
        const { values: read, damaged } = readLines(values.map(lineOf).join(''));
        expect([read, damaged]).toEqual([JSON.parse(JSON.stringify(values)), 0]);
      }),
      RUNS,
    );
  });

  it('that were cut anywhere leave those before them whole', () => {
    const values = ['one', 'two', 'three'].map((name) => ({ name, text: 'a\nb "c" \u{1f600}' }));
    const bytes = Buffer.from(values.map(lineOf).join(''));
    for (let length = 0; length <= bytes.length; length++) {
      const { values: read, damaged } = readLines(bytes.subarray(0, length).toString());
      expect(read).toEqual(values.slice(0, read.length));
      expect(damaged).toBeLessThanOrEqual(1);
    }
  });

  it('of anything else are counted and never thrown at', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        const { values, damaged } = readLines(text);
        expect(values).toEqual([]);
        expect(damaged).toBe(text.split('\n').filter((line) => line !== '').length);
      }),
      RUNS,
    );
  });
});

describe('files', () => {
  it('have what was appended at the same time, in order, and go when they are removed', async () => {
    const directory = join(root, 'order');
    const spool = await AuditSpool.open({ directory, maxBytes: 1 << 20 });
    await Promise.all(Array.from({ length: 100 }, (_, n) => spool.append(lineOf({ n }))));
    await spool.seal(() => lineOf({ carried: true }));
    const [path = ''] = spool.paths;
    expect(readLines(readFileSync(path, 'utf8')).values).toEqual(Array.from({ length: 100 }, (_, n) => ({ n })));
    await spool.remove(path);
    await spool.close();
    const again = await AuditSpool.open({ directory, maxBytes: 1 << 20 });
    expect(again.paths).toHaveLength(1);
    expect(readLines(readFileSync(again.paths[0] ?? '', 'utf8')).values).toEqual([{ carried: true }]);
  });

  it('of former processes are never appended to', async () => {
    const directory = join(root, 'former');
    const first = await AuditSpool.open({ directory, maxBytes: 1 << 20 });
    await first.append(lineOf({ n: 1 }));
    await first.close();
    const [path = ''] = first.paths;
    truncateSync(path, 12);
    const second = await AuditSpool.open({ directory, maxBytes: 1 << 20 });
    await second.append(lineOf({ n: 2 }));
    await second.close();
    expect(second.paths.map((each) => readLines(readFileSync(each, 'utf8')))).toEqual([
      { values: [], damaged: 1 },
      { values: [{ n: 2 }], damaged: 0 },
    ]);
  });

  it('take no more than they may, and go on when there is room again', async () => {
    const directory = join(root, 'full');
    const spool = await AuditSpool.open({ directory, maxBytes: 100 });
    await spool.append('x'.repeat(90));
    await expect(spool.append('y'.repeat(20))).rejects.toMatchObject({ code: 'unavailable', retryAfterSeconds: 5 });
    await spool.seal(() => '');
    await spool.remove(spool.paths[0] ?? '');
    await spool.append('z'.repeat(20));
    await spool.close();
  });

  it('that cannot be made refuse, and do not stay in the way', async () => {
    const directory = join(root, 'taken');
    const spool = await AuditSpool.open({ directory, maxBytes: 1 << 20 });
    writeFileSync(join(directory, '0000000001.ndjson'), '');
    await expect(spool.append(lineOf({ n: 1 }))).rejects.toMatchObject({ code: 'unavailable' });
    await spool.append(lineOf({ n: 2 }));
    await spool.close();
    expect(spool.paths).toHaveLength(1);
  });
});
