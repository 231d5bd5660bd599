import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { OpenSealed, readSealed } from './import-sealed.ts';
import { Spool } from './import-spool.ts';

const directory = mkdtempSync(join(tmpdir(), 'glasshouse-sealed-'));
const spool = new Spool({ directory, maxBytes: 1 << 20, reserveBytes: 0 });
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test('what is on the disk cannot be read, and every part of it is read as it was sent', async () => {
  const cut = fc.tuple(fc.nat(3_000), fc.nat(3_000));
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 64, maxLength: 2_000 }), fc.array(cut), async (bytes, cuts) => {
      const sent = Buffer.from(bytes);
      const file = await spool.take(Readable.from([sent.subarray(0, 17), sent.subarray(17)]));
      expect(file.bytes).toBe(sent.length);
      expect(readFileSync(file.path).equals(sent)).toBe(false);
      const all: Buffer[] = [];
      for await (const chunk of readSealed(file)) all.push(chunk as Buffer);
      expect(Buffer.concat(all).equals(sent)).toBe(true);
      const open = await OpenSealed.open(file);
      for (const [from, length] of cuts)
        expect((await open.read(from, length)).equals(sent.subarray(from, from + length))).toBe(true);
      await open.close();
      await file.dispose();
    }),
    { seed: 1, numRuns: 100 },
  );
});

test('equal files are not equal on the disk', async () => {
  const [one, two] = await Promise.all([1, 2].map(() => spool.take(Readable.from([Buffer.alloc(100, 'x')]))));
  expect(readFileSync(one?.path ?? '').equals(readFileSync(two?.path ?? ''))).toBe(false);
});
