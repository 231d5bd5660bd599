import { describe, expect, test } from 'vitest';
import { Locks } from './locks.ts';
import { failure } from './testing/stand.ts';

function until(): { promise: Promise<void>; end: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { promise, end: resolve };
}

describe('closed locks', () => {
  test('let nothing begin, wait for what runs, and open again', async () => {
    const locks = new Locks();
    const [move, copy] = [until(), until()];
    const running = [
      locks.exclusively('a', 'a move', () => move.promise),
      locks.sharing('b', 'a copy', () => copy.promise),
    ];
    let isClosed = false;
    const closing = locks.close('a restore', 10_000).then((open) => {
      isClosed = true;
      return open;
    });
    const refused = await failure(() => locks.sharing('b', 'another copy', () => Promise.resolve()));
    expect(refused).toMatchObject({ code: 'unavailable', retryAfterSeconds: 5 });
    expect(refused.message).toBe('cannot start another copy: a restore is under way; try again when it is done');
    move.end();
    await running[0];
    expect(isClosed).toBe(false);
    copy.end();
    const open = await closing;
    expect(await failure(() => locks.exclusively('c', 'a move', () => Promise.resolve()))).toMatchObject({
      code: 'unavailable',
    });
    open();
    expect(await locks.exclusively('c', 'a move', () => Promise.resolve(1))).toBe(1);
    (await locks.close('a restore', 10))();
  });

  test('are refused, and open, when something takes too long', async () => {
    const locks = new Locks();
    const move = until();
    const running = locks.exclusively('a', 'a move of its rows', () => move.promise);
    const refused = await failure(() => locks.close('a restore', 50));
    expect(refused.code).toBe('conflict');
    expect(refused.message).toBe(
      'cannot start a restore: a move of its rows is under way for longer than 0.05 s; try again when it is done',
    );
    expect(await locks.sharing('b', 'a copy', () => Promise.resolve(1))).toBe(1);
    move.end();
    await running;
  });

  test('are closed by one only', async () => {
    const locks = new Locks();
    const open = await locks.close('a restore', 50);
    expect((await failure(() => locks.close('a reset', 50))).message).toContain('a restore is under way');
    open();
  });
});

test('a key is shared by operations of one name only', async () => {
  const locks = new Locks();
  const copy = until();
  const running = locks.sharing('a', 'a copy', () => copy.promise);
  expect(await locks.sharing('a', 'a copy', () => Promise.resolve(1))).toBe(1);
  const refused = await failure(() => locks.sharingAll(['b', 'a'], 'a population', () => Promise.resolve()));
  expect(refused).toMatchObject({ code: 'conflict' });
  expect(await locks.exclusively('b', 'a move', () => Promise.resolve(1))).toBe(1);
  copy.end();
  await running;
  expect(await locks.sharingAll(['b', 'a'], 'a population', () => Promise.resolve(1))).toBe(1);
});
