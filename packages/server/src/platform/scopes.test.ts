import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AppError } from '@glasshouse/model';
import type { TokenScope } from './scopes.ts';
import { parseScope, printScope, SCOPE_TYPES, wantedScopes } from './scopes.ts';

const BOUNDED = { seed: 20_261_122, numRuns: 2_000 };

describe('a scope in one line', () => {
  it.each<[string, TokenScope]>([
    ['ADMIN', { type: 'ADMIN' }],
    ['admin', { type: 'ADMIN' }],
    ['TOKENS', { type: 'TOKENS' }],
    ['ADMIN_USER', { type: 'ADMIN_USER' }],
    ['WORKSPACE:READ_ALL', { type: 'WORKSPACE:READ_ALL' }],
    ['ORG_DATASOURCES:READ', { type: 'ORG_DATASOURCES:READ' }],
    ['DATASOURCES:CREATE', { type: 'DATASOURCES:CREATE' }],
    ['DATASOURCES:APPEND:events', { type: 'DATASOURCES:APPEND', resource: 'events' }],
    ['DATASOURCES:DROP:events', { type: 'DATASOURCES:DROP', resource: 'events' }],
    ['PIPES:READ:top_10', { type: 'PIPES:READ', resource: 'top_10' }],
    [
      "DATASOURCES:READ:events:a = 'x:y' AND b > 1",
      { type: 'DATASOURCES:READ', resource: 'events', filter: "a = 'x:y' AND b > 1" },
    ],
    ['PIPES:READ:p:a::String = 1', { type: 'PIPES:READ', resource: 'p', filter: 'a::String = 1' }],
    ["DATASOURCES:APPEND::tenant_id = 'x'", { type: 'DATASOURCES:APPEND', resource: '*', filter: "tenant_id = 'x'" }],
    [' DATASOURCES:READ:events: ', { type: 'DATASOURCES:READ', resource: 'events' }],
  ])('%s is read', (text, scope) => {
    expect(parseScope(text)).toEqual(scope);
    expect(parseScope(printScope(scope))).toEqual(scope);
  });

  it.each([
    '',
    'NOTHING',
    'DATASOURCES',
    'DATASOURCES:FLY:x',
    'DATASOURCES:READ',
    'DATASOURCES:READ:',
    'DATASOURCES:APPEND:a b',
    "DATASOURCES:APPEND:a'b",
    'PIPES:DROP:p:a = 1',
    'ADMIN:events',
    'TOKENS:x',
    'DATASOURCES:CREATE:x',
    `DATASOURCES:READ:a:${'x'.repeat(5_000)}`,
  ])('%j is refused', (text) => {
    expect(() => parseScope(text)).toThrow(AppError);
  });

  it('is what it was after it was written and read again', () => {
    const resource = fc.stringMatching(/^(?:[A-Za-z_][\w.-]{0,20}|\*)$/u);
    const filter = fc
      .string({ minLength: 1 })
      .map((text) => text.trim())
      .filter((text) => text !== '');
    fc.assert(
      fc.property(fc.constantFrom(...SCOPE_TYPES), resource, fc.option(filter), (type, named, given) => {
        const takesResource = type.split(':').length === 2 && !/CREATE|READ_ALL|ORG_/u.test(type);
        const takesFilter = takesResource && !type.endsWith('DROP');
        const scope: TokenScope = {
          type,
          ...(takesResource ? { resource: named } : {}),
          ...(takesFilter && given !== null ? { filter: given } : {}),
        };
        expect(parseScope(printScope(scope))).toEqual(scope);
      }),
      BOUNDED,
    );
  });

  it('is read or refused, whatever it is', () => {
    const pieces = fc.array(fc.oneof(fc.constantFrom(...SCOPE_TYPES, ':', '::', '*', "'", ' '), fc.string()), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(pieces, (parts) => {
        try {
          const scope = parseScope(parts.join(''));
          expect(parseScope(printScope(scope))).toEqual(scope);
        } catch (error) {
          expect(error).toMatchObject({ code: 'bad_request' });
        }
      }),
      BOUNDED,
    );
  });
});

describe('a request with permissions', () => {
  it('takes the scope for a condition on rows', () => {
    expect(wantedScopes({ permissions: ['write'], scopes: ["tenant_id = 'a:b'"] })).toEqual([
      { type: 'DATASOURCES:APPEND', resource: '*', filter: "tenant_id = 'a:b'" },
    ]);
    expect(wantedScopes({ permissions: ['read,write'], scopes: ['a = 1', 'b = 2'] })).toEqual([
      { type: 'DATASOURCES:READ', resource: '*', filter: '(a = 1) AND (b = 2)' },
      { type: 'DATASOURCES:APPEND', resource: '*', filter: '(a = 1) AND (b = 2)' },
    ]);
  });

  it('may have none, or a real scope beside it', () => {
    expect(wantedScopes({ permissions: ['admin'], scopes: [] })).toEqual([{ type: 'ADMIN' }]);
    expect(wantedScopes({ permissions: ['Write'], scopes: ['TOKENS'] })).toEqual([
      { type: 'TOKENS' },
      { type: 'DATASOURCES:APPEND', resource: '*' },
    ]);
  });

  it.each([
    [{ permissions: ['admin'], scopes: ['a = 1'] }],
    [{ permissions: ['fly'], scopes: [] }],
    [{ permissions: [], scopes: ['tenant_id = 1'] }],
    [{ scopes: [] }],
  ])('is refused for %j', (wanted) => {
    expect(() => wantedScopes(wanted)).toThrow(AppError);
  });
});
