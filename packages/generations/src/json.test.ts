import { describe, expect, it } from 'vitest';
import { LastingJson, OpenedJson } from './json.ts';

const padding = ' '.repeat(1 << 14);

describe.each([
  ['texts of a record', OpenedJson],
  ['texts of many records', LastingJson],
])('%s', (_, Json) => {
  it('are gone into, also where they hold texts of JSON', () => {
    const json = new Json();
    expect(json.stepInto('{"a":{"b":"[1,{\\"c\\":2}]"}}', ['a', 'b', 1, 'c'])).toBe(2);
    expect(json.stepInto('{"a":1}', ['b'])).toBeUndefined();
    expect(json.stepInto('no object', ['a'])).toBeUndefined();
    expect(json.stepInto('{"a":', ['a'])).toBeUndefined();
  });

  it('are told apart, however many there are and however long they are', () => {
    const json = new Json();
    for (const round of [1, 2]) {
      for (let text = 0; text < 600; text++) {
        expect(json.stepInto(`{"a":${text}}`, ['a']), `round ${round}`).toBe(text);
        if (text % 100 < 3) expect(json.stepInto(`{"a":"long ${text}"}${padding}`, ['a'])).toBe(`long ${text}`);
      }
    }
  });
});

it('opens a text once that comes again, a long one as long as it is the last', () => {
  const json = new LastingJson();
  const opened = (text: string): unknown => json.stepInto(text, ['a']);
  const [first, second, long, longer] = ['{"a":{}}', '{"a":[]}', `{"a":{}}${padding}`, `{"a":[]}${padding}`];
  const values = [first, second, long].map(opened);
  expect([first, second, long].map((text, at) => opened(text) === values[at])).toEqual([true, true, true]);
  opened(longer);
  expect(opened(long) === values[2]).toBe(false);
  expect(opened(first) === values[0]).toBe(true);
});
