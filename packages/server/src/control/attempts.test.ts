import { describe, expect, it } from 'vitest';
import { Attempts } from './attempts.ts';
import { Passwords } from './passwords.ts';

describe('attempts', () => {
  it('are refused after the most of any name, until the time is over', () => {
    let now = 0;
    const attempts = new Attempts(() => now, 1_000);
    const counted = [
      { name: 'a', most: 2 },
      { name: 'b', most: 5 },
    ];
    attempts.take('try', counted);
    attempts.take('try', counted);
    expect(() => attempts.take('try', counted)).toThrow('too many attempts');
    // What was refused counts under none.
    for (let time = 0; time < 3; time++) attempts.take('try', [{ name: 'b', most: 5 }]);
    expect(() => attempts.take('try', [{ name: 'b', most: 5 }])).toThrow('too many attempts');
    now = 1_000;
    attempts.take('try', counted);
  });

  it('are taken back that were no guess', () => {
    const attempts = new Attempts(() => 0, 1_000);
    const counted = [{ name: 'a', most: 1 }];
    attempts.take('try', counted);
    expect(() => attempts.take('try', counted)).toThrow('too many attempts');
    attempts.forgive(counted);
    attempts.take('try', counted);
  });

  it('under ever new names are refused at a bound, and known names go on', () => {
    const attempts = new Attempts(() => 0, 1_000);
    for (let name = 0; name < 50_000; name++) attempts.take('try', [{ name: String(name), most: 2 }]);
    expect(() => attempts.take('try', [{ name: 'new', most: 2 }])).toThrow('too many attempts');
    attempts.take('try', [{ name: '7', most: 2 }]);
  });
});

describe('passwords', () => {
  const passwords = new Passwords();

  it('match what was made of them, and nothing else does', async () => {
    const kept = await passwords.hash('Café au lait');
    expect(kept).toMatch(/^scrypt\$15\$8\$3\$/u);
    expect(kept).not.toBe(await passwords.hash('Café au lait'));
    expect(await passwords.matches('Cafe\u0301 au lait', kept)).toBe(true);
    for (const [password, of] of [
      ['cafe au lait', kept],
      ['', kept],
      ['Café au lait', undefined],
      ['Café au lait', ''],
      ['Café au lait', kept.replace('$3$', '$2$')],
    ] as const)
      expect(await passwords.matches(password, of)).toBe(false);
  });

  it('are refused when too many wait', async () => {
    const outcomes = await Promise.allSettled(Array.from({ length: 40 }, () => passwords.matches('x', undefined)));
    expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(40 - 2 - 32);
  });
});
