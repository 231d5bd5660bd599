/** Files of JSON cut into pieces: nothing is lost, and nothing is cut in two. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eachEvent } from '../pipeline/lines.ts';
import { jsonPieces } from './import-lines.ts';

const LIMITS = { pieceBytes: 100, lineBytes: 1_000 };

async function pieces(texts: readonly (Buffer | string)[], limits = LIMITS): Promise<string[]> {
  async function* chunks(): AsyncGenerator<Buffer> {
    for (const chunk of texts) yield Promise.resolve(Buffer.from(chunk));
  }
  const made: string[] = [];
  for await (const piece of jsonPieces(chunks(), limits)) made.push(piece.toString());
  return made;
}

/** The events of a body, as the sink takes them. */
function events(text: string): string[] {
  const found: string[] = [];
  const bytes = Buffer.from(text);
  eachEvent(bytes, (start, end) => found.push(bytes.toString('utf8', start, end)));
  return found;
}

const lines = (count: number): string =>
  Array.from({ length: count }, (_, n) => `{"n":${n},"t":"${'x'.repeat(n % 40)}"}\n`).join('');

describe('NDJSON', () => {
  it('is passed on as it is, in pieces of whole lines', async () => {
    const text = lines(200);
    const made = await pieces([text]);
    expect(made.join('')).toBe(text);
    expect(made.length).toBeGreaterThan(10);
    for (const piece of made) expect([piece.endsWith('\n'), piece.length <= LIMITS.pieceBytes]).toEqual([true, true]);
  });

  it('may come in chunks of any size, with a mark, without a last line end', async () => {
    const text = `\uFEFF${lines(50).trimEnd()}`;
    expect((await pieces(text.split(''))).join('')).toBe(text.slice(1));
  });

  it('that is none in some line is passed on for the quarantine', async () => {
    const text = '{"a":1}\nnot json {[\n{"a":2}\n';
    expect((await pieces([text])).join('')).toBe(text);
  });

  it('may have a line that is longer than a piece', async () => {
    const long = `{"a":"${'y'.repeat(500)}"}\n`;
    expect((await pieces([`{"b":1}\n${long}{"c":1}\n`])).join('')).toBe(`{"b":1}\n${long}{"c":1}\n`);
  });

  it('with a line over the limit is refused', async () => {
    await expect(pieces([`{"a":"${'y'.repeat(2_000)}"}\n`])).rejects.toMatchObject({ code: 'too_large' });
    await expect(pieces([`{"a":"${'y'.repeat(200_000)}`])).rejects.toMatchObject({ code: 'too_large' });
  });

  it('of nothing is nothing', async () => {
    expect([await pieces([]), await pieces(['']), await pieces(['\n \n'])]).toEqual([[], [], ['\n \n']]);
  });
});

describe('other JSON', () => {
  it.each<[string, string, readonly string[]]>([
    ['an array', '[{"a":1}, {"a":"x,]}"},\n {"a":[1,[2]]}]', ['{"a":1}', '{"a":"x,]}"}', '{"a":[1,[2]]}']],
    ['an array of arrays and values', '[[1,2],3,"x"]', ['[1,2]', '3', '"x"']],
    ['an empty array', ' [ ] ', []],
    ['an object over lines', '{\n  "a": 1,\n  "b": "x\\"}"\n}\n', ['{   "a": 1,   "b": "x\\"}" }']],
    ['objects over lines', '{\n"a":1}\n{\n"b":\r\n2}', ['{ "a":1}', '{ "b":  2}']],
  ])('%s becomes lines', async (_, text, expected) => {
    const made = (await pieces([text]))
      .join('')
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '');
    expect(made).toEqual(expected);
    expect((await pieces(text.split(''))).join('')).toBe((await pieces([text])).join(''));
  });

  it('that never ends is in the quarantine as far as it goes', async () => {
    expect(
      (await pieces(['[{"a":1},{"b":']).then((made) => made.join(''))).split('\n').map((line) => line.trim()),
    ).toEqual(['{"a":1}', '{"b":', '']);
  });
});

describe('any file', () => {
  // A row that is a list itself is none, and the sink may take it apart once more.
  const value = fc.json({ maxDepth: 3 }).filter((text) => !text.startsWith('['));

  it('of values gives the events that a body of them has', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(value, { minLength: 1, maxLength: 20 }),
        fc.boolean(),
        fc.integer({ min: 1, max: 50 }),
        async (values, isArray, size) => {
          const text = isArray ? `[${values.join(',')}]` : values.map((one) => `{"v":${one}}`).join('\n');
          const chunks =
            Buffer.from(text)
              .toString('latin1')
              .match(new RegExp(`[^]{1,${size}}`, 'gu')) ?? [];
          const made = (
            await pieces(
              chunks.map((chunk) => Buffer.from(chunk, 'latin1')),
              { pieceBytes: 64, lineBytes: 100_000 },
            )
          ).join('');
          expect(events(made).map((one) => JSON.parse(one) as unknown)).toEqual(
            events(text).map((one) => JSON.parse(one) as unknown),
          );
        },
      ),
      { numRuns: 200, seed: 7 },
    );
  });

  it('of anything ends, and loses no line', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: fc.constantFrom(...'{}[]",:\\\n\r ax1'.split('')), maxLength: 200 }),
        async (text) => {
          const made = (await pieces([text])).join('');
          const bare = (one: string): string => one.replaceAll(/[\s,[\]]/gu, '');
          expect(bare(made)).toBe(bare(text));
        },
      ),
      { numRuns: 500, seed: 3 },
    );
  });
});
