import { expect, it } from 'vitest';
import type { Registry } from './registry.ts';
import { usagePreparation } from './usage-prepare.ts';
import { USAGE_SOURCES } from './usage-sources.ts';

/** A registry that makes one data source at a time, and takes a moment for each. */
function registry(): { registry: Registry; made: string[] } {
  const had = new Set<string>();
  const making = new Set<string>();
  const made: string[] = [];
  const catalog = { hadBuiltIn: (id: string) => had.has(id), find: () => undefined, save: () => Promise.resolve() };
  const createBuiltIn = async (tenant: string, { name }: { name: string }, id: string): Promise<void> => {
    if (making.has(id)) throw new Error(`${name} is being made`);
    making.add(id);
    await new Promise((resolve) => setImmediate(resolve));
    making.delete(id);
    had.add(id);
    made.push(`${tenant}/${name}`);
  };
  return { registry: { catalog, createBuiltIn } as unknown as Registry, made };
}

it('prepares a workspace once, whoever asks at the same time, and again later', async () => {
  const { registry: one, made } = registry();
  const prepare = usagePreparation(one, Date.now);
  await Promise.all([prepare('a'), prepare('b'), prepare('a')]);
  const names = USAGE_SOURCES.map(({ name }) => name);
  expect(made.toSorted()).toEqual(['a', 'b'].flatMap((tenant) => names.map((name) => `${tenant}/${name}`)).toSorted());
  await prepare('a');
  expect(made).toHaveLength(2 * names.length);
});

it('tries again after a failure', async () => {
  const { registry: one, made } = registry();
  const createBuiltIn = one.createBuiltIn.bind(one);
  let failures = 1;
  Object.assign(one, {
    createBuiltIn: (...args: Parameters<typeof createBuiltIn>) =>
      failures-- > 0 ? Promise.reject(new Error('the store is away')) : createBuiltIn(...args),
  });
  const prepare = usagePreparation(one, Date.now);
  await expect(Promise.all([prepare('a'), prepare('a')])).rejects.toThrow('the store is away');
  await prepare('a');
  expect(made).toHaveLength(USAGE_SOURCES.length);
});
