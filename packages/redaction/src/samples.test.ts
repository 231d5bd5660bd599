import { describe, expect, it } from 'vitest';
import { PRESETS } from './policy.ts';
import type { Policy } from './policy.ts';
import { Rules } from './rules.ts';
import * as samples from './samples.suite.ts';
import { redactText } from './text.ts';

const ALL: Policy = { ...PRESETS.off, redact: PRESETS.strict.redact };
const rules = new Rules(ALL, Buffer.alloc(32, 1));

/** Surroundings in which a value is written. */
const FRAMES: readonly ((value: string) => string)[] = [
  (value) => value,
  (value) => `say ${value}, then go.`,
  (value) => `(${value})`,
  (value) => JSON.stringify({ a: { b: [value] } }),
  (value) => JSON.stringify({ text: `first line\n${value}\nlast` }),
  (value) => JSON.stringify({ text: JSON.stringify({ inner: `x\t${value}` }) }),
  (value) => `{"text":"\\u00e9t\\u00e9 ${JSON.stringify(value).slice(1, -1)}"}`,
  (value) => `漢字 ${value} é`,
];

const CLASSES: readonly (readonly [string, readonly string[]])[] = [
  ['secret', [...samples.SECRETS, ...samples.PRIVATE_KEYS]],
  ['card', samples.CARDS],
  ['email', samples.EMAILS],
  ['phone', samples.PHONES],
  ['iban', samples.IBANS],
  ['ssn', samples.SSNS],
  ['ip', samples.IPS],
];

describe('what has to go', () => {
  for (const [what, values] of CLASSES) {
    it.each(values)(`replaces ${what} %#: %s`, (value) => {
      for (const frame of FRAMES) {
        const text = frame(value);
        const out = redactText(text, rules);
        expect(out, text).toContain(`[redacted:${what}]`);
        // The letter of an escape may stand before an address: of it nothing but that is known.
        expect(out, text).not.toContain(value);
        expect(redactText(out, rules)).toBe(out);
        if (isJson(text)) expect(() => JSON.parse(out) as unknown, out).not.toThrow();
      }
    });
  }

  it.each(samples.ASSIGNED_SECRETS)('replaces the secret of %s', (text, secret) => {
    for (const frame of FRAMES) {
      const out = redactText(frame(text), rules);
      expect(out).not.toContain(secret);
      expect(redactText(out, rules)).toBe(out);
    }
  });
});

describe('what has to stay', () => {
  it.each(samples.LOOK_ALIKES)('leaves %s', (value) => {
    const keepsIps = new Rules({ ...ALL, redact: ALL.redact.filter((one) => one !== 'ip') }, Buffer.alloc(32, 1));
    for (const frame of FRAMES)
      expect(redactText(frame(value), value.includes('version 1') ? keepsIps : rules)).toBe(frame(value));
  });
});

function isJson(text: string): boolean {
  try {
    return typeof JSON.parse(text) === 'object';
  } catch {
    return false;
  }
}
