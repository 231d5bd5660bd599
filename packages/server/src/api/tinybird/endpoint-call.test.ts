import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AppError } from '@glasshouse/model';
import { callOf } from './endpoint-call.ts';

const of = (query: string, body = '', type = ''): Record<string, unknown> =>
  Object.fromEntries(callOf(new URLSearchParams(query), body, type).values);

describe('the parameters of a request', () => {
  it('are texts, and lists of what came more than once', () => {
    expect(of('a=1&b=x&b=y&c=')).toEqual({ a: '1', b: ['x', 'y'], c: '' });
  });

  it('come from a form and from JSON too, those of the address first', () => {
    expect(of('a=1', 'b=2&a=3')).toEqual({ a: ['1', '3'], b: '2' });
    expect(of('a=1', '{"a": 2, "b": [1, "x"], "c": null}', 'application/json')).toEqual({
      a: '1',
      b: [1, 'x'],
      c: null,
    });
    expect(of('', '{"a": "x"}')).toEqual({ a: 'x' });
  });

  it('leave out what is about the request', () => {
    const call = callOf(
      new URLSearchParams('token=t&q=SELECT+1&from=ts-sdk&cli_version=5&cli_version=5&__tb__semver=1&a=1'),
      '',
      '',
    );
    expect([...call.values]).toEqual([['a', '1']]);
    expect(call.over).toBe('SELECT 1');
    expect(callOf(new URLSearchParams(), '{"q": "SELECT 2"}', 'application/json').over).toBe('SELECT 2');
  });

  it('keep the digits of large numbers', () => {
    expect(
      of('', '{"a": 18446744073709551615, "b": -9223372036854775808, "c": 1.5, "d": [12345678901234567890]}'),
    ).toEqual({
      a: 18446744073709551615n,
      b: -9223372036854775808n,
      c: 1.5,
      d: [12345678901234567890n],
    });
  });

  it('have names of any kind and no effect on anything else', () => {
    const call = callOf(
      new URLSearchParams('__proto__=1&constructor=2'),
      '{"__proto__": {"x": 1}, "toString": 3}',
      'application/json',
    );
    expect(call.values.get('__proto__')).toBe('1');
    expect(call.values.get('toString')).toBe(3);
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });

  it.each(['[1]', '"x"', 'null', '{', '{"a":}', '1'])('refuses the body %s as JSON', (body) => {
    expect(() => of('', body, 'application/json; charset=utf-8')).toThrow(AppError);
  });

  it('can be anything', () => {
    const text = fc.oneof(
      fc.string(),
      fc.json(),
      fc.webQueryParameters(),
      fc.constantFrom('{', '{"a":1', 'a=%ff', '%', '&&&='),
    );
    fc.assert(
      fc.property(
        text,
        text,
        fc.constantFrom('', 'application/json', 'application/x-www-form-urlencoded'),
        (query, body, type) => {
          try {
            const { values, repeated } = callOf(new URLSearchParams(query), body, type);
            for (const name of repeated) expect(values.get(name)).toBeInstanceOf(Array);
          } catch (error) {
            expect(error).toBeInstanceOf(AppError);
          }
        },
      ),
      { seed: 7, numRuns: 3_000 },
    );
  });
});
