import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooser } from './share.ts';

const isIn = (percent: number, line: string, key = ''): boolean =>
  chooser({ percent, key })?.(Buffer.from(line)) ?? true;

describe('a share', () => {
  it('chooses the events that it always chose', () => {
    const chosen = Array.from({ length: 40 }, (_, number) => `{"id":${number}}`).filter((line) => isIn(25, line));
    expect(chosen).toMatchInlineSnapshot(`
      [
        "{"id":1}",
        "{"id":8}",
        "{"id":10}",
        "{"id":16}",
        "{"id":18}",
        "{"id":22}",
        "{"id":26}",
        "{"id":29}",
        "{"id":36}",
        "{"id":37}",
        "{"id":39}",
      ]
    `);
  });

  it('of a key decides by it alone, whatever else is in the line and how it is written', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.integer({ min: 0, max: 99 }), (user, other, percent) => {
        const one = JSON.stringify({ meta: { user }, other });
        const two = JSON.stringify({ other: 1, meta: { z: other, user } }, undefined, 1);
        expect(isIn(percent, one, 'meta.user')).toBe(isIn(percent, two, 'meta.user'));
      }),
    );
  });

  it('is among every larger share', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 100 }), (line, a, b) => {
        if (isIn(Math.min(a, b), line)) expect(isIn(Math.max(a, b), line)).toBe(true);
      }),
    );
  });

  it('has about as many as it says', () => {
    const lines = Array.from({ length: 20_000 }, (_, number) => `{"user":"u${number}"}`);
    for (const percent of [1, 10, 50, 99]) {
      const share = lines.filter((line) => isIn(percent, line, 'user')).length / lines.length;
      expect(Math.abs(share * 100 - percent)).toBeLessThan(1.5);
    }
  });

  it('of nothing has none, of everything all', () => {
    expect(isIn(0, '{}')).toBe(false);
    expect(chooser({ percent: 100, key: 'user' })).toBeUndefined();
  });

  it.each(['no json', '{}', '{"user":null}', '{"user":{}}', '[1]', '"user"', '', '{"user":'])(
    'decides by the line where there is no key: %s',
    (line) => {
      expect(isIn(50, line, 'user')).toBe(isIn(50, line));
    },
  );
});
