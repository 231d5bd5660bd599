import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { eachEvent } from './lines.ts';

function eventsOf(body: Buffer | string): string[] {
  const bytes = Buffer.from(body);
  const events: string[] = [];
  eachEvent(bytes, (start, end) => events.push(bytes.toString('utf8', start, end)));
  return events;
}

describe('the events of a body', () => {
  test.each([
    ['nothing', '', []],
    ['blank lines', ' \r\n\n\t\n', []],
    ['one object without a newline', '{"a":1}', ['{"a":1}']],
    ['lines, the last without a newline', '{"a":1}\n{"a":2}', ['{"a":1}', '{"a":2}']],
    ['CRLF, blank lines and indents', '{"a":1}\r\n\r\n  {"a":2}\r\n', ['{"a":1}', '{"a":2}']],
    ['a byte order mark', '\ufeff{"a":1}\n', ['{"a":1}']],
    ['one object over several lines', '{\n  "a": [1,\n 2]\n}\n', ['{\n  "a": [1,\n 2]\n}']],
    ['several objects over several lines', '{\n"a": 1\n}\n{\n"a": 2\n}', ['{\n"a": 1\n}', '{\n"a": 2\n}']],
    ['an array of objects', ' [{"a":"]"}, {"a":[2]} ]\n', ['{"a":"]"}', '{"a":[2]}']],
    ['an array over several lines', '[\n{"a":1},\n{"a":2}\n]', ['{"a":1}', '{"a":2}']],
    ['an empty array', '[]', []],
    ['an array of other things', '[1, "x,y" , null]', ['1', '"x,y"', 'null']],
    ['brackets and quotes in strings', '{"a":"}\\"{"}\n{"b":"\\\\"}', ['{"a":"}\\"{"}', '{"b":"\\\\"}']],
    ['a line that is cut off', '{"a":1\n{"a":2}\n', ['{"a":1', '{"a":2}']],
    ['a string that is cut off', '{"a":"x\n{"a":2}\n', ['{"a":"x', '{"a":2}']],
    ['no JSON at all', 'hello\nworld', ['hello', 'world']],
    ['an array that is cut off', '[{"a":1},\n{"a":2}', ['[{"a":1},', '{"a":2}']],
    ['an array and more', '[{"a":1}]\n{"a":2}', ['[{"a":1}]', '{"a":2}']],
    ['two commas', '[1,,2]', ['[1,,2]']],
  ])('%s', (_, body, events) => {
    expect(eventsOf(body)).toEqual(events);
  });

  test('are the values that were written, whatever is between them', () => {
    const space = fc.constantFrom('\n', '\r\n', '\n\n', ' \n\t');
    const objects = fc.array(fc.dictionary(fc.string(), fc.jsonValue()), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(objects, space, fc.constantFrom(undefined, 2), fc.boolean(), (values, gap, indent, asArray) => {
        // The first line decides, and a line that is a whole object is NDJSON.
        if (indent !== undefined) values.unshift({ first: 1 });
        const body = asArray
          ? JSON.stringify(values, null, indent)
          : values.map((value) => JSON.stringify(value, null, indent)).join(gap);
        expect(eventsOf(body).map((event) => JSON.parse(event) as unknown)).toEqual(JSON.parse(JSON.stringify(values)));
      }),
      { numRuns: 2_000, seed: 7 },
    );
  });

  test('hold every byte that is not white space, of any bytes', () => {
    const pieces = fc.constantFrom('{', '}', '[', ']', '"', '\\', ',', ':', '\n', ' ', 'a', '{"a":1}', '\u0000');
    const bodies = fc.oneof(
      fc.array(pieces, { maxLength: 30 }).map((parts) => Buffer.from(parts.join(''))),
      fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
    );
    fc.assert(
      fc.property(bodies, (body) => {
        const ranges: [number, number][] = [];
        eachEvent(body, (start, end) => ranges.push([start, end]));
        let last = 0;
        for (const [start, end] of ranges) {
          expect(start).toBeGreaterThanOrEqual(last);
          expect(end).toBeGreaterThan(start);
          last = end;
        }
        const isArray = body.toString('latin1').trimStart().startsWith('[');
        const covered = ranges.map(([start, end]) => body.toString('latin1', start, end)).join('');
        const solid = (text: string): string => text.replaceAll(/[ \t\r\n]/gu, '');
        const whole = solid(body.toString('latin1')).replace(/^\u00ef\u00bb\u00bf/u, '');
        // Of an array the brackets and commas around the elements belong to none.
        if (!isArray) expect(solid(covered)).toBe(whole);
      }),
      { numRuns: 20_000, seed: 7 },
    );
  });
});
