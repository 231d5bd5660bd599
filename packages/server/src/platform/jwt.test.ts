import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NewJwt } from './jwt.ts';
import { claimedWorkspace, jwtScope, looksLikeJwt, rpsOf, signJwt, verifyJwt } from './jwt.ts';

const BOUNDED = { seed: 20_261_122, numRuns: 2_000 };
const SECRET = 'p.the-admin-token';
const NOW = 1_800_000_000;
const JWT: NewJwt = {
  workspaceId: 'w-1',
  name: 'dash',
  expiresAt: NOW + 60,
  issuedAt: NOW,
  scopes: [
    { type: 'PIPES:READ', resource: 'p', fixedParams: { org: 'x' } },
    { type: 'DATASOURCES:READ', resource: 'd', filter: "a = 'ä'" },
  ],
  rps: 5,
};

describe('a JWT', () => {
  it('says after the check what it was made of', () => {
    const text = signJwt(JWT, SECRET);
    expect(claimedWorkspace(text)).toBe('w-1');
    const { issuedAt: _, ...claims } = JWT;
    expect(verifyJwt(text, ['another', SECRET], NOW)).toEqual(claims);
  });

  it('is that of clients: made by hand it is taken too', () => {
    const text = sign({
      workspace_id: 'w',
      name: 'n',
      exp: NOW + 1,
      scopes: [{ type: 'PIPES:READ', resource: 'p' }],
      host: 'x',
    });
    expect(verifyJwt(text, [SECRET], NOW)).toEqual({
      workspaceId: 'w',
      name: 'n',
      expiresAt: NOW + 1,
      scopes: [{ type: 'PIPES:READ', resource: 'p' }],
      rps: undefined,
    });
  });

  it('may be a few seconds off', () => {
    const text = signJwt({ ...JWT, issuedAt: NOW + 4, expiresAt: NOW - 4 }, SECRET);
    expect(verifyJwt(text, [SECRET], NOW).name).toBe('dash');
  });

  const good = { workspace_id: 'w', name: 'n', exp: NOW + 60, scopes: [{ type: 'PIPES:READ', resource: 'p' }] };
  it.each<[string, string, string]>([
    ['another key', sign(good, {}, 'p.another'), 'signature'],
    ['an empty key', sign(good, {}, ''), 'signature'],
    ['alg none', `${part({ alg: 'none' })}.${part(good)}.`, 'not a JWT'],
    ['alg none and a signature', `${part({ alg: 'none' })}.${part(good)}.AAAA`, 'HS256'],
    ['alg None', sign(good, { alg: 'None' }), 'HS256'],
    ['alg HS512', sign(good, { alg: 'HS512' }), 'HS256'],
    ['alg RS256', sign(good, { alg: 'RS256' }), 'HS256'],
    ['a list of algs', sign(good, { alg: ['HS256'] }), 'HS256'],
    ['critical headers', sign(good, { crit: ['b64'], b64: false }), 'critical'],
    ['no signature', sign(good).replace(/[^.]*$/u, ''), 'not a JWT'],
    ['a signature with padding', `${sign(good)}=`, 'not a JWT'],
    [
      'a payload that was changed',
      sign(good).replace(/\.[^.]*\./u, `.${part({ ...good, name: 'admin' })}.`),
      'signature',
    ],
    ['a payload that is a list', sign([good]), 'JSON object'],
    ['a payload that is no JSON', signText('AAAA'), 'JSON object'],
    ['no workspace', sign({ ...good, workspace_id: undefined }), 'workspace_id'],
    ['no name', sign({ ...good, name: '' }), 'name'],
    ['no exp', sign({ ...good, exp: undefined }), 'exp'],
    ['exp as a text', sign({ ...good, exp: String(NOW + 60) }), 'exp'],
    ['exp in milliseconds', sign({ ...good, exp: (NOW + 60) * 1000 }), 'exp'],
    ['exp in the past', sign({ ...good, exp: NOW - 5 }), 'expired'],
    ['nbf in the future', sign({ ...good, nbf: NOW + 6 }), 'not valid before'],
    ['iat in the future', sign({ ...good, iat: NOW + 6 }), 'not valid before'],
    ['nbf that is no time', sign({ ...good, nbf: 'soon' }), 'no time'],
    ['no scopes', sign({ ...good, scopes: undefined }), 'scopes'],
    ['an empty list of scopes', sign({ ...good, scopes: [] }), 'scopes'],
    ['ADMIN', sign({ ...good, scopes: [{ type: 'ADMIN' }] }), 'only PIPES:READ'],
    [
      'a scope to append',
      sign({ ...good, scopes: [{ type: 'DATASOURCES:APPEND', resource: 'a' }] }),
      'only PIPES:READ',
    ],
    ['a scope in one line', sign({ ...good, scopes: ['PIPES:READ:p'] }), 'object'],
    ['every pipe', sign({ ...good, scopes: [{ type: 'PIPES:READ', resource: '*' }] }), 'resource'],
    ['a bad limit', sign({ ...good, limits: { rps: 0 } }), 'rps'],
    [
      'fixed parameters of a data source',
      sign({ ...good, scopes: [{ type: 'DATASOURCES:READ', resource: 'd', fixed_params: {} }] }),
      'fixed_params',
    ],
    ['nothing', '', 'not a JWT'],
    ['too much', `eyJ${'a'.repeat(20_000)}.a.a`, 'not a JWT'],
  ])('with %s is refused', (_, text, message) => {
    expect(() => verifyJwt(text, [SECRET], NOW)).toThrow(expect.objectContaining({ code: 'unauthenticated' }));
    expect(() => verifyJwt(text, [SECRET], NOW)).toThrow(message);
  });

  it('is refused after any change of a character', () => {
    const text = signJwt(JWT, SECRET);
    const place = fc.integer({ min: 0, max: text.length - 1 });
    fc.assert(
      fc.property(place, fc.constantFrom(...Array.from('AZaz09-_.= ')), (at, char) => {
        const changed = text.slice(0, at) + char + text.slice(at + 1);
        if (changed === text) return;
        expect(() => verifyJwt(changed, [SECRET], NOW)).toThrow(expect.objectContaining({ code: 'unauthenticated' }));
      }),
      BOUNDED,
    );
  });

  it('is refused in order, whatever its claims are', () => {
    const claims = fc.oneof(
      fc.jsonValue(),
      fc.record({
        workspace_id: fc.string(),
        name: fc.string(),
        exp: fc.constant(NOW + 9),
        scopes: fc.jsonValue(),
        limits: fc.jsonValue(),
      }),
    );
    fc.assert(
      fc.property(claims, fc.option(fc.jsonValue()), (payload, header) => {
        const text = sign(payload, typeof header === 'object' && header !== null ? header : {});
        try {
          verifyJwt(text, [SECRET], NOW);
        } catch (error) {
          expect(error).toMatchObject({ code: 'unauthenticated' });
        }
      }),
      BOUNDED,
    );
  });
});

describe('parts of a request for one', () => {
  it('are read, or refused as a bad request', () => {
    expect(jwtScope({ type: 'PIPES:READ', resource: 'p', fixed_params: { a: 1 } })).toEqual({
      type: 'PIPES:READ',
      resource: 'p',
      fixedParams: { a: 1 },
    });
    expect([rpsOf(undefined), rpsOf({}), rpsOf({ rps: 2.5 })]).toEqual([undefined, undefined, 2.5]);
    for (const bad of [null, 'x', { type: 'PIPES:READ' }, { type: 'PIPES:READ', resource: 'a b' }])
      expect(() => jwtScope(bad)).toThrow(expect.objectContaining({ code: 'bad_request' }));
    for (const bad of [5, { rps: -1 }, { rps: '5' }, { rps: Number.NaN }])
      expect(() => rpsOf(bad)).toThrow(expect.objectContaining({ code: 'bad_request' }));
    expect([looksLikeJwt('p.a.b'), looksLikeJwt('eyJ'), looksLikeJwt('eyJ.a.b')]).toEqual([false, false, true]);
  });
});

function part(value: unknown): string {
  return Buffer.from(JSON.stringify(value) ?? '').toString('base64url');
}

function sign(payload: unknown, header: object = {}, secret = SECRET): string {
  return signText(part(payload), header, secret);
}

function signText(payload: string, header: object = {}, secret = SECRET): string {
  const text = `${part({ alg: 'HS256', typ: 'JWT', ...header })}.${payload}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}
