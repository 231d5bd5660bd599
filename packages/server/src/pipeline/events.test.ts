import { describe, expect, it } from 'vitest';
import { EventsReader } from './events.ts';
import type { EventsBody } from './events.ts';
import type { BodyRules } from './redactor.ts';

const target = { tenant: 't', dataSource: 'first', importId: 'a', filter: '' };
const later = { ...target, dataSource: 'second', importId: 'b' };

function bodyOf(first: string, second: string, rules?: Pick<BodyRules, 'events'>): EventsBody {
  const bytes = Buffer.from(`${first}\n${second}`);
  const buffer = new SharedArrayBuffer(bytes.length + 64);
  new Uint8Array(buffer).set(bytes);
  const from = Buffer.byteLength(first) + 1;
  return {
    ...{ ...target, later: { ...later, from }, coding: 'identity', buffer, length: bytes.length },
    ...(rules === undefined ? {} : { rules: rules as BodyRules }),
  };
}

const reader = (): EventsReader =>
  new EventsReader({ maxBodyBytes: 1e7, retentionMs: undefined, maxAheadMs: 0, now: () => 1e12 });

describe('events of one body for two data sources', () => {
  it('are all in the block, whatever each begins with', () => {
    const events = reader();
    expect(events.decode(bodyOf('{"a":1}\n{"a":"é"}', '[{"b":1},\n{"b":2}]')).accepted).toBe(4);
    expect(events.block.rows).toBe(4);
  });

  it('are not in it at all if some of them cannot be read', () => {
    const events = reader();
    events.decode(bodyOf('{"a":1}', '{"b":1}'));
    let calls = 0;
    const rules = {
      events: (bytes: Uint8Array): Uint8Array => {
        if (++calls === 2) throw new Error('no');
        return bytes;
      },
    };
    expect(() => events.decode(bodyOf('{"a":2}', '{"b":2}', rules))).toThrow('no');
    expect([calls, events.block.rows]).toEqual([2, 2]);
  });

  it('are redacted each by themselves', () => {
    const seen: string[] = [];
    const rules = {
      events: (bytes: Uint8Array): Uint8Array => {
        seen.push(Buffer.from(bytes).toString());
        return Buffer.from('{"hidden":true}');
      },
    };
    expect(reader().decode(bodyOf('{"a":1}', '{"b":1}', rules)).accepted).toBe(2);
    expect(seen).toEqual(['{"a":1}\n', '{"b":1}']);
  });
});
