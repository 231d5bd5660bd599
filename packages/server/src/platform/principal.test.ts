import { describe, expect, it } from 'vitest';
import { demand, principalOf } from './principal.ts';
import type { WorkspacePrincipal } from './principal.ts';
import type { TokenScope } from './scopes.ts';

const events = { name: 'events', id: 't_1', columns: ['tenant_id', 'n'] };

describe('who has a scope', () => {
  it('may do that, by name and by id, and nothing else', () => {
    for (const resource of ['events', 't_1']) {
      const principal = of({ type: 'DATASOURCES:READ', resource });
      expect(principal.may('DATASOURCES:READ', events)).toBe(true);
      expect(principal.may('DATASOURCES:READ')).toBe(true);
      expect(principal.may('DATASOURCES:READ', { name: 'other', id: 't_2' })).toBe(false);
      for (const action of [
        'DATASOURCES:APPEND',
        'DATASOURCES:DROP',
        'PIPES:READ',
        'TOKENS',
        'ADMIN',
        'DATASOURCES:CREATE',
      ] as const)
        expect(principal.may(action, events)).toBe(false);
    }
  });

  it('may do everything with ADMIN', () => {
    for (const type of ['ADMIN', 'ADMIN_USER'] as const) {
      const principal = of({ type });
      expect([principal.isAdmin, principal.may('TOKENS'), principal.may('PIPES:DROP', { name: 'p' })]).toEqual([
        true,
        true,
        true,
      ]);
      expect([principal.readFilter(events), principal.writeFilter(events)]).toEqual([undefined, undefined]);
    }
  });

  it('may read the quarantine of what they may read without a filter', () => {
    const quarantine = { name: 'events_quarantine', columns: ['tenant_id'] };
    expect(of({ type: 'DATASOURCES:READ', resource: 'events' }).may('DATASOURCES:READ', quarantine)).toBe(true);
    const filtered = of({ type: 'DATASOURCES:READ', resource: 'events', filter: 'n = 1', columns: ['n'] });
    expect(filtered.may('DATASOURCES:READ', quarantine)).toBe(false);
    expect(filtered.readFilter(quarantine)).toBe('0');
    expect(of({ type: 'DATASOURCES:APPEND', resource: 'events' }).may('DATASOURCES:APPEND', quarantine)).toBe(false);
  });

  it('is told by demand what is missing', () => {
    expect(() => demand(of({ type: 'TOKENS' }), 'PIPES:READ', { name: 'p' })).toThrow('no scope PIPES:READ:p');
    expect(() => demand(of({ type: 'TOKENS' }), 'ADMIN')).toThrow('no scope ADMIN');
  });
});

describe('filters', () => {
  it('of several scopes let through what any of them does', () => {
    const both = of(
      { type: 'DATASOURCES:READ', resource: 'events', filter: 'n = 1' },
      { type: 'DATASOURCES:READ', resource: 'events', filter: 'n = 2' },
    );
    expect(both.readFilter(events)).toBe('(n = 1) OR (n = 2)');
    const wide = of(
      { type: 'DATASOURCES:READ', resource: 'events', filter: 'n = 1' },
      { type: 'DATASOURCES:READ', resource: 't_1' },
    );
    expect(wide.readFilter(events)).toBeUndefined();
  });

  it('let nothing through where there is no scope', () => {
    expect(of({ type: 'TOKENS' }).readFilter(events)).toBe('0');
    expect(of({ type: 'TOKENS' }).writeFilter(events)).toBe('0');
    expect(of({ type: 'TOKENS' }).pipeFilter({ name: 'p' })).toBe('0');
  });

  it('for every data source reach those that have the columns', () => {
    const principal = of({
      type: 'DATASOURCES:APPEND',
      resource: '*',
      filter: 'tenant_id = 1',
      columns: ['tenant_id'],
    });
    expect(principal.writeFilter(events)).toBe('(tenant_id = 1)');
    expect(principal.may('DATASOURCES:APPEND', { name: 'other', columns: ['a'] })).toBe(false);
    expect(principal.may('DATASOURCES:APPEND', { name: 'other' })).toBe(false);
  });

  it('of what a wider scope includes are none', () => {
    const filtered: TokenScope = { type: 'DATASOURCES:APPEND', resource: 'events', filter: 'n = 1' };
    expect(of(filtered, { type: 'DATASOURCES:CREATE' }).writeFilter(events)).toBeUndefined();
    expect(of({ ...filtered, type: 'PIPES:READ' }, { type: 'WORKSPACE:READ_ALL' }).pipeFilter(events)).toBeUndefined();
  });
});

describe('fixed parameters', () => {
  it('are those of the pipe, and cannot reach a prototype', () => {
    const fixedParams = JSON.parse('{"org": "x", "__proto__": {"polluted": true}}') as Record<string, unknown>;
    const principal = of({ type: 'PIPES:READ', resource: 'p', fixedParams });
    expect(Object.keys(principal.fixedParams({ name: 'p' }))).toEqual(['org', '__proto__']);
    expect((principal.fixedParams({ name: 'p' }) as { polluted?: boolean }).polluted).toBeUndefined();
    expect(principal.fixedParams({ name: 'q' })).toEqual({});
  });
});

function of(...scopes: readonly TokenScope[]): WorkspacePrincipal {
  return principalOf({ tenant: 'acme', tokenId: 'id', name: 'name', kind: 'token', scopes });
}
