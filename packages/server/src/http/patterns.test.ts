import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isPattern, Patterns } from './patterns.ts';

const routes = [
  '/v0/pipes/:name',
  '/v0/pipes/:name.json',
  '/v0/pipes/:name.csv',
  '/v0/pipes/:name/nodes/:id',
  '/v0/pipes/:name.tar.json',
  '/v0/pipes/openapi.json/:x',
  '/v0/:kind/all',
  '/v0/pipes/:name/copy',
].map((path) => ({ path }));

function found(path: string): [string, unknown] | undefined {
  const match = new Patterns(routes).find(path, () => true);
  return match === undefined ? undefined : [match.route.path, match.params];
}

describe('a path with named parts', () => {
  it.each<[string, string | undefined, Readonly<Record<string, string>>]>([
    ['/v0/pipes/a', '/v0/pipes/:name', { name: 'a' }],
    ['/v0/pipes/a.json', '/v0/pipes/:name.json', { name: 'a' }],
    ['/v0/pipes/a.tar.json', '/v0/pipes/:name.tar.json', { name: 'a' }],
    ['/v0/pipes/a.xml', '/v0/pipes/:name', { name: 'a.xml' }],
    ['/v0/pipes/a/copy', '/v0/pipes/:name/copy', { name: 'a' }],
    ['/v0/pipes/a/nodes/b', '/v0/pipes/:name/nodes/:id', { name: 'a', id: 'b' }],
    ['/v0/pipes/a%20b%2Fc', '/v0/pipes/:name', { name: 'a b/c' }],
    ['/v0/pipes/all', '/v0/pipes/:name', { name: 'all' }],
    ['/v0/others/all', '/v0/:kind/all', { kind: 'others' }],
    ['/v0/pipes/__proto__', '/v0/pipes/:name', { name: '__proto__' }],
  ])('%s is %s', (path, pattern, params) => {
    expect(found(path)).toEqual([pattern, params]);
  });

  it.each(['/v0/pipes', '/v0/pipes/', '/v0/pipes/a/b', '/v0/pipes/%zz', '/v0/pipes/%80', '', '/', '//'])(
    '%s is none',
    (path) => {
      expect(found(path)).toBeUndefined();
    },
  );

  it('is found whatever the order of the patterns', () => {
    for (const list of [routes, routes.toReversed()]) {
      expect(new Patterns(list).find('/v0/pipes/x.tar.json', () => true)?.route.path).toBe('/v0/pipes/:name.tar.json');
    }
  });

  it('names nothing that is not wanted', () => {
    expect(new Patterns(routes).find('/v0/pipes/a.json', ({ path }) => !path.endsWith('.json'))?.route.path).toBe(
      '/v0/pipes/:name',
    );
    expect(new Patterns(routes).all('/v0/pipes/a.json').map(({ path }) => path)).toEqual([
      '/v0/pipes/:name.json',
      '/v0/pipes/:name',
    ]);
  });

  it('takes whatever a client sends', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 60 }), (text) => {
        const match = new Patterns(routes).find(`/v0/pipes/${text}`, () => true);
        if (match !== undefined) for (const value of Object.values(match.params)) expect(value).not.toBe('');
      }),
      { numRuns: 500, seed: 1 },
    );
  });
});

it('knows a pattern from an exact path', () => {
  expect([isPattern('/v0/pipes/:name'), isPattern('/v0/sql'), isPattern('/a:b')]).toEqual([true, false, false]);
});
