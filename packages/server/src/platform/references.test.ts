import { describe, expect, it } from 'vitest';
import { mentions, namesIn } from './references.ts';
import { pipe } from './testing/stand.ts';

describe('names in SQL', () => {
  it.each([
    ['SELECT * FROM events', true],
    ['select a from `events` where x in other', true],
    ['SELECT * FROM "events"', true],
    ['SELECT 1 FROM a JOIN events USING k', true],
    ['SELECT 1 WHERE k IN events', true],
    ['%\nSELECT * FROM events WHERE {% if defined(x) %} a = {{String(x)}} {% end %}', true],
    ['SELECT * FROM events_quarantine', true],
    ['SELECT * FROM a,events', true],
    ["SELECT 'events'", false],
    ['SELECT 1 -- events\n', false],
    ['SELECT 1 /* FROM events */', false],
    ['SELECT events(1)', false],
    ['SELECT a.events FROM a', false],
    ['SELECT * FROM my_events', false],
    ['SELECT * FROM events2', false],
  ])('%j', (sql, uses) => {
    expect(namesIn(sql).has('events')).toBe(uses);
  });

  it('are not those of a pipe’s own nodes, but those of its targets', () => {
    const nodes = [
      { name: 'events', sql: 'SELECT 1', type: 'default' as const, settings: {} },
      { name: 'last', sql: 'SELECT * FROM events', type: 'copy' as const, settings: { TARGET_DATASOURCE: 'out' } },
    ];
    expect([mentions(pipe('p', '', { nodes }), 'events'), mentions(pipe('p', '', { nodes }), 'out')]).toEqual([
      false,
      true,
    ]);
  });
});
