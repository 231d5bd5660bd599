/** Bounded fuzzing with fixed seeds: nothing throws, documents stay documents, and a second pass finds nothing. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PRESET_NAMES, PRESETS } from './policy.ts';
import { Rules } from './rules.ts';
import * as samples from './samples.suite.ts';
import { redactOtlp } from './otlp.ts';
import { redactBytes, redactEvents, redactText } from './text.ts';

const rulesOf = PRESET_NAMES.map((name) => new Rules(PRESETS[name], Buffer.alloc(32, 7)));
const RUNS = { seed: 24, numRuns: 400 };

const planted = fc.constantFrom(
  ...samples.SECRETS,
  ...samples.PRIVATE_KEYS,
  ...samples.CARDS,
  ...samples.EMAILS,
  ...samples.PHONES,
  ...samples.IBANS,
  ...samples.SSNS,
  ...samples.IPS,
  ...samples.ASSIGNED_SECRETS.map(([text]) => text),
  ...samples.LOOK_ALIKES,
);
const noise = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.constantFrom('\\', '"', '\n', '\\u0040', '\\n', '%40', ' ', ',', '\\\\', ':', '='),
);
const text = fc.array(fc.oneof(planted, noise), { maxLength: 6 }).map((parts) => parts.join(''));
const key = fc.oneof(
  fc.constantFrom(
    'user',
    'user_id',
    'prompt',
    'messages',
    'content',
    'role',
    'email',
    'phone',
    'api_key',
    'password',
    'output',
    'a',
  ),
  noise,
);
const json = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    text,
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.constantFrom(4111111111111111, 4155552671, true, null),
    text.map((inner) => JSON.stringify({ prompt: inner })),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(key, tie('value'), { maxKeys: 5 }),
  ),
})).value;

describe('texts', () => {
  it('throws for nothing, and finds nothing the second time', () => {
    fc.assert(
      fc.property(text, (one) => {
        for (const rules of rulesOf) {
          const out = redactText(one, rules);
          expect(redactText(out, rules)).toBe(out);
        }
      }),
      RUNS,
    );
  });

  it('takes any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        for (const rules of rulesOf) {
          redactBytes(bytes, rules);
          redactEvents(bytes, rules);
          for (const signal of ['traces', 'logs', 'metrics'] as const) redactOtlp(signal, bytes, rules);
        }
      }),
      RUNS,
    );
  });
});

describe('JSON', () => {
  it('stays JSON of the same form, and finds nothing the second time', () => {
    fc.assert(
      fc.property(fc.dictionary(key, json, { maxKeys: 5 }), fc.boolean(), (value, isIndented) => {
        const body = Buffer.from(JSON.stringify(value, null, isIndented ? 2 : 0));
        for (const rules of rulesOf) {
          const out = redactEvents(body, rules);
          const read = JSON.parse(Buffer.from(out).toString()) as Record<string, unknown>;
          expect(Object.keys(read).length).toBeLessThanOrEqual(Object.keys(value).length);
          expect(Buffer.from(redactEvents(out, rules)).toString()).toBe(Buffer.from(out).toString());
        }
      }),
      RUNS,
    );
  });

  it('is valid line by line when some lines are none', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.dictionary(key, json, { maxKeys: 3 }).map((one) => JSON.stringify(one)),
            text.map((one) => one.replaceAll(/[\r\n]/gu, '')),
          ),
        ),
        (lines) => {
          for (const rules of rulesOf) {
            const out = Buffer.from(redactEvents(Buffer.from(lines.join('\n')), rules)).toString();
            expect(out.split('\n')).toHaveLength(Math.max(1, lines.length));
          }
        },
      ),
      { ...RUNS, numRuns: 150 },
    );
  });
});

describe('adversarial texts', () => {
  const SIZE = 200_000;
  it.each(
    [
      'a@',
      '@',
      '1 ',
      '1',
      '4111 ',
      '+1',
      '0',
      '(1) ',
      '//',
      '://',
      'eyJa-',
      'sk-a',
      'key=',
      'password=',
      '"key":',
      '-----BEGIN PRIVATE KEY-----',
      '-----BEGIN ',
      'Bearer ',
      '\\',
      '\\u0040',
      '\\u',
      '%40',
      '::',
      'a:',
      '1.',
      '1-',
      '{',
      '[',
      '{"a":',
      '[0,\n',
      '[[],\n',
      '"\\',
      'AKIA',
      'xoxb-',
      'DE89 ',
      '\u00a0',
      '\u2013',
    ].map((unit) => [unit]),
  )('are read in time proportional to their length: %j', (unit) => {
    const bytes = Buffer.from(unit.repeat(Math.ceil(SIZE / unit.length)));
    for (const rules of rulesOf) {
      expect(redactBytes(bytes, rules)).toBeInstanceOf(Uint8Array);
      expect(redactEvents(bytes, rules)).toBeInstanceOf(Uint8Array);
    }
  });
});
