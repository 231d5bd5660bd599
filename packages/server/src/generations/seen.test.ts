import { describe, expect, it } from 'vitest';
import { CallKeys } from './call-keys.ts';
import { SeenCalls } from './seen.ts';

/** Keys of one part each. */
function keys(...texts: readonly string[]): CallKeys {
  const made = new CallKeys();
  for (const text of texts) made.begin().text(text).end();
  return made;
}

/** A commit that went well. */
function commit(seen: SeenCalls): void {
  seen.send();
  seen.keep();
}

/** A commit that did not. */
function fail(seen: SeenCalls): void {
  seen.send();
  seen.lose();
}

describe('a call', () => {
  it('is seen when one of its keys comes again, before and after the commit', () => {
    const seen = new SeenCalls();
    expect(seen.see(keys('t r answer', 't s trace span'))).toBe(false);
    expect(seen.see(keys('t s trace span'))).toBe(true);
    commit(seen);
    expect(seen.see(keys('t r answer'))).toBe(true);
    expect(seen.see(keys('t r another', 't s trace span'))).toBe(true);
    expect(seen.see(keys('t r another'))).toBe(true);
  });

  it('is another with other keys, or without any', () => {
    const seen = new SeenCalls();
    seen.see(keys('t r answer'));
    commit(seen);
    expect(seen.see(keys('u r answer'))).toBe(false);
    expect(seen.see(keys('t r answe', 't r answer2', ''))).toBe(false);
    expect(seen.see(keys())).toBe(false);
    expect(seen.see(keys())).toBe(false);
  });

  it('is no duplicate of itself for having the same key twice', () => {
    expect(new SeenCalls().see(keys('t r answer', 't r answer'))).toBe(false);
  });
});

describe('a request that is refused', () => {
  it('takes back what it saw, and nothing else', () => {
    const seen = new SeenCalls();
    seen.mark();
    seen.see(keys('first'));
    seen.mark();
    seen.see(keys('second'));
    expect(seen.see(keys('first'))).toBe(true);
    seen.rollback();
    expect(seen.see(keys('second'))).toBe(false);
    seen.rollback();
    commit(seen);
    expect(seen.see(keys('first'))).toBe(true);
    expect(seen.see(keys('second'))).toBe(false);
  });

  it('takes back thousands of calls from among others, between which the memory grew', () => {
    const seen = new SeenCalls();
    const calls = (name: string, count: number): CallKeys[] =>
      Array.from({ length: count }, (_, nth) => keys(`${name} ${nth}`));
    const [kept, refused, next] = [calls('kept', 1_500), calls('refused', 6_000), calls('next', 6_000)];
    for (const call of kept) seen.see(call);
    seen.mark();
    for (const call of refused) seen.see(call);
    seen.rollback();
    expect(kept.every((call) => seen.has(call))).toBe(true);
    // What was taken back must not come up again when its place is taken.
    for (const call of next) seen.see(call);
    expect(refused.some((call) => seen.has(call))).toBe(false);
    commit(seen);
    expect(kept.every((call) => seen.see(call))).toBe(true);
  });

  it('may be taken back twice', () => {
    const seen = new SeenCalls();
    seen.mark();
    seen.see(keys('a'));
    seen.rollback();
    seen.rollback();
    expect(seen.see(keys('a'))).toBe(false);
  });
});

describe('a commit that failed', () => {
  it('forgets its calls, which come again', () => {
    const seen = new SeenCalls();
    seen.see(keys('kept'));
    commit(seen);
    seen.see(keys('lost'));
    fail(seen);
    expect(seen.see(keys('kept'))).toBe(true);
    expect(seen.see(keys('lost'))).toBe(false);
  });

  it('takes with it what was seen while it was on its way, which may be its duplicate', () => {
    const seen = new SeenCalls(4);
    seen.see(keys('kept 1', 'kept 2', 'kept 3'));
    commit(seen);
    // The last of these are beyond the half of the memory.
    seen.see(keys('lost 1', 'lost 2', 'lost 3'));
    seen.send();
    expect(seen.see(keys('lost 1'))).toBe(true);
    expect(seen.see(keys('beside'))).toBe(false);
    seen.lose();
    const has = (...texts: readonly string[]): boolean[] => texts.map((text) => seen.has(keys(text)));
    expect(has('lost 1', 'lost 2', 'lost 3', 'beside')).toEqual([false, false, false, false]);
    expect(has('kept 1', 'kept 2', 'kept 3')).toEqual([true, true, true]);
  });

  it('leaves what is seen beside one that went well', () => {
    const seen = new SeenCalls();
    seen.see(keys('first'));
    seen.send();
    seen.see(keys('beside'));
    seen.keep();
    expect(seen.see(keys('first'))).toBe(true);
    fail(seen);
    expect(seen.see(keys('first'))).toBe(true);
    expect(seen.see(keys('beside'))).toBe(false);
  });

  it('leaves nothing for a later one to take back', () => {
    const seen = new SeenCalls();
    seen.mark();
    seen.see(keys('a'));
    commit(seen);
    seen.rollback();
    expect(seen.see(keys('a'))).toBe(true);
  });
});

describe('a call of before the start', () => {
  it('is seen, whatever becomes of the request that is open', () => {
    const seen = new SeenCalls();
    seen.mark();
    seen.see(keys('open'));
    seen.remember(keys('stored'));
    seen.rollback();
    fail(seen);
    expect(seen.see(keys('stored'))).toBe(true);
    expect(seen.see(keys('open'))).toBe(false);
  });

  it('takes no room from those that came since, and goes before them', () => {
    const seen = new SeenCalls(2);
    for (const key of ['old 1', 'old 2', 'old 3']) seen.remember(keys(key));
    const has = (...texts: readonly string[]): boolean[] => texts.map((text) => seen.has(keys(text)));
    expect(has('old 1', 'old 2', 'old 3')).toEqual([true, true, false]);
    for (const key of ['new 1', 'new 2']) seen.see(keys(key));
    commit(seen);
    expect(has('old 1', 'new 1', 'new 2')).toEqual([true, true, true]);
    seen.see(keys('new 3'));
    commit(seen);
    expect(has('old 1', 'new 1', 'new 2', 'new 3')).toEqual([false, true, true, true]);
    seen.remember(keys('too late'));
    expect(has('too late', 'new 1')).toEqual([false, true]);
  });
});

/** What is known of a call, written down plainly: of requests that are open, that are on their way, and that are durable. */
class Plain {
  private durable = new Set<string>();
  private sent: string[] = [];
  private open: string[] = [];
  private marked = 0;

  has(key: string): boolean {
    return this.durable.has(key) || this.sent.includes(key) || this.open.includes(key);
  }

  see(key: string): boolean {
    const seen = this.has(key);
    this.open.push(key);
    return seen;
  }

  apply(step: Step): void {
    if (step === 'mark') this.marked = this.open.length;
    else if (step === 'rollback') this.open.length = this.marked;
    else if (step === 'remember') this.durable.add('stored');
    else if (step === 'send') [this.sent, this.open, this.marked] = [this.open, [], 0];
    else {
      if (step === 'keep') for (const key of this.sent) this.durable.add(key);
      else [this.open, this.marked] = [[], 0];
      this.sent = [];
    }
  }
}

type Step = 'keep' | 'lose' | 'mark' | 'remember' | 'rollback' | 'send';

/** Drives both through the same commits of requests of calls; returns how often the first knew a key that the other did not, and the reverse. */
function drive(seen: SeenCalls, half: number, random: () => number): { ghosts: number; forgotten: number } {
  const plain = new Plain();
  const apply = (step: Step): void => {
    if (step === 'remember') seen.remember(keys('stored'));
    else seen[step]();
    plain.apply(step);
  };
  let [ghosts, forgotten] = [0, 0];
  let isSent = false;
  for (let turn = 0; turn < 300; turn++) {
    apply('mark');
    for (let call = Math.floor(random() * 4); call > 0; call--) {
      const key = `call ${Math.floor(random() * half * 4)}`;
      const [known, expected] = [seen.see(keys(key)), plain.see(key)];
      if (known && !expected) ghosts++;
      if (!known && expected) forgotten++;
    }
    const dice = random();
    if (dice < 0.2) apply('rollback');
    else if (dice < 0.25) apply('remember');
    else if (dice < 0.6) {
      if (isSent) apply(random() < 0.7 ? 'keep' : 'lose');
      else apply('send');
      isSent = !isSent;
    }
    const asked = `call ${Math.floor(random() * half * 4)}`;
    if (seen.has(keys(asked)) && !plain.has(asked)) ghosts++;
  }
  return { ghosts, forgotten };
}

describe('any commits of any requests', () => {
  const random = (seed: number): (() => number) => {
    let state = seed;
    return () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state / 2 ** 32;
    };
  };

  it('leave known what is durable or about to be, and nothing else', () => {
    for (let seed = 1; seed <= 300; seed++)
      expect(drive(new SeenCalls(), 8, random(seed)), `seed ${seed}`).toEqual({ ghosts: 0, forgotten: 0 });
  });

  it('leave nothing known that is lost where the memory is small', () => {
    for (let seed = 1; seed <= 300; seed++)
      expect(drive(new SeenCalls(6), 6, random(seed)).ghosts, `seed ${seed}`).toBe(0);
  });
});

describe('the memory', () => {
  it('keeps the last million calls, forgets the oldest, and tells them apart', { timeout: 60_000 }, () => {
    const seen = new SeenCalls();
    const calls = 2_300_000;
    let mistaken = 0;
    for (let call = 0; call < calls; call++) {
      if (seen.see(keys(`tenant r chatcmpl-${call}`))) mistaken++;
      if (call % 10_000 === 9_999) commit(seen);
    }
    commit(seen);
    expect(mistaken).toBe(0);
    const remembered = (call: number): boolean => {
      const known = seen.see(keys(`tenant r chatcmpl-${call}`));
      fail(seen);
      return known;
    };
    const sample = (from: number, to: number): boolean[] =>
      Array.from({ length: 1_000 }, (_, index) => remembered(from + Math.floor(((to - from) * index) / 1_000)));
    expect(sample(calls - (1 << 20), calls).every(Boolean)).toBe(true);
    expect(sample(0, calls - 2 * (1 << 20)).some(Boolean)).toBe(false);
  });
});
