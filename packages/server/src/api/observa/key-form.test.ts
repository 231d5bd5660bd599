import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toAppError } from '@glasshouse/model';
import type { ApiKey } from '../../control/keys.ts';

import { allowsPage, fromRecord, nameOf, parsePrefixed, readOrigins } from './key-form.ts';

const record = (name: string): ApiKey => ({
  ...{ id: 'aaaaaaaaaaaa', name, placement: { tenant: 't', project: 'p', environment: 'dev' }, scopes: ['ingest'] },
  ...{ createdAt: new Date(0), expiresAt: undefined, revokedAt: undefined },
});

describe('the name of a record', () => {
  it('says what was to be known of the key', () => {
    const host = fc.domain();
    const traits = fc.record({
      kind: fc.constantFrom('sk_', 'pk_'),
      label: fc.string({ minLength: 1, maxLength: 100 }).filter((text) => !/[\n\r\u2028\u2029]/u.test(text)),
      isOfAnyEnvironment: fc.boolean(),
      origins: fc.array(host, { maxLength: 5 }),
    });
    fc.assert(
      fc.property(traits, (wanted) => {
        expect(fromRecord(record(nameOf({ ...wanted, through: undefined })))).toMatchObject(wanted);
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  it('is of another kind of key whenever it says something else', () => {
    const others = ['', 'checkout', 'observability', 'observa:sk_', 'observa:gh_ any - x', 'observa a', 'Observa'];
    expect(others.filter((name) => fromRecord(record(name)) !== undefined)).toEqual([]);
  });
});

describe('any text', () => {
  it('is a secret of the form, or none', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[sp]k_[a-z0-9]{11,13}_[\w-]{42,44}$/u)), (text) => {
        const found = parsePrefixed(text);
        if (found !== undefined) expect([text.length, found.secret]).toEqual([59, text]);
      }),
      { seed: 2, numRuns: 2_000 },
    );
  });

  it('is an origin of a page that is at an allowed host or below it, or is refused', () => {
    const origins = readOrigins(['https://app.example.com']);
    const part = fc.constantFrom(
      'app',
      '.example.com',
      '.',
      '@',
      '/',
      ':',
      'https://',
      'evil',
      '#',
      '?',
      '%2e',
      '\\',
      ' ',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(part, { maxLength: 10 }).map((all) => all.join('')),
        ),
        (origin) => {
          if (!allowsPage({ kind: 'pk_', origins }, { origin })) return;
          expect(new URL(origin).host).toMatch(/^(?:.+\.)?app\.example\.com$/u);
        },
      ),
      { seed: 3, numRuns: 5_000 },
    );
  });

  it('is a list of hosts, or refused', () => {
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), fc.array(fc.oneof(fc.domain(), fc.webUrl(), fc.string()))), (value) => {
        try {
          for (const host of readOrigins(value)) expect(host).toMatch(/^[a-z0-9.:-]+$/u);
        } catch (error) {
          expect(toAppError(error).code).toBe('bad_request');
        }
      }),
      { seed: 4, numRuns: 2_000 },
    );
  });
});
