import { describe, expect, it } from 'vitest';
import { Crowd } from './crowd.ts';

const clock = { now: 0 };
const crowd = (): Crowd => {
  clock.now = 0;
  return new Crowd(() => clock.now);
};

describe('a crowd', () => {
  it('is none where one comes after the other, however fast', () => {
    const counted = crowd();
    for (let round = 0; round < 1_000; round += 1) {
      counted.note(1);
      clock.now += 9;
      counted.note(0);
      clock.now += 1;
    }
    expect(counted.mean).toBe(0);
  });

  it('is as many as were beside one over the last moments', () => {
    const counted = crowd();
    for (let round = 0; round < 1_000; round += 1) {
      counted.note(3);
      clock.now += 5;
      counted.note(1);
      clock.now += 5;
    }
    expect(counted.mean).toBeCloseTo(1, 1);
  });

  it('is forgotten', () => {
    const counted = crowd();
    counted.note(5);
    clock.now += 60_000;
    expect(counted.mean).toBeCloseTo(4, 5);
    counted.note(0);
    clock.now += 60_000;
    expect(counted.mean).toBeCloseTo(0, 5);
  });
});
