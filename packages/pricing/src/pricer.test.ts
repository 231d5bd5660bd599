/** What must hold for any usage of any model, tried at random but always the same; and that the fast way is the exact one. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KINDS } from './kinds.ts';
import { moneyOf } from './money.ts';
import { Pricer, type Generation } from './pricer.ts';
import { DIALECTS } from './rules.ts';
import { shippedLayers, shippedTable } from './tables.ts';
import { Repricing, UnknownModels } from './tally.ts';
import type { Usage, UsageField } from './usage.ts';

const table = shippedTable();
const pricer = new Pricer(table);

const NAMES = shippedLayers()
  .flatMap(({ rows }) => rows)
  .map(({ provider, models }) => [provider, models[0] ?? ''] as const)
  .filter(([, model]) => !/[*/]/.test(model));
const FIELDS: readonly UsageField[] = [
  'inputTokens',
  'cacheReadTokens',
  'cacheWriteTokens',
  'cacheWrite5mTokens',
  'cacheWrite1hTokens',
  'inputAudioTokens',
  'cacheReadAudioTokens',
  'inputImageTokens',
  'cacheReadImageTokens',
  'inputVideoTokens',
  'toolTokens',
  'outputTokens',
  'reasoningTokens',
  'outputAudioTokens',
  'outputImageTokens',
  'outputVideoTokens',
  'citationTokens',
  'totalTokens',
  'images',
  'audioMs',
  'videoMs',
  'characters',
  'pages',
  'annotatedPages',
  'searches',
  'storageSearches',
];
const count = fc.oneof(fc.nat(5_000), fc.nat(2_000_000), fc.integer({ min: 0, max: 1e14 }));
const usages: fc.Arbitrary<Usage> = fc.dictionary(fc.constantFrom(...FIELDS), count, {
  maxKeys: 8,
  noNullPrototype: true,
});
const generations: fc.Arbitrary<Generation> = fc
  .record({
    name: fc.constantFrom(...NAMES),
    at: fc.integer({ min: Date.parse('2024-01-01'), max: Date.parse('2027-06-01') }),
    usage: usages,
    dialect: fc.constantFrom(...DIALECTS),
    tier: fc.constantFrom('standard', 'batch', 'flex', 'priority', 'scale'),
    size: fc.constantFrom('1024x1024', '1024x1792', '4k', ''),
    quality: fc.constantFrom('high', 'hd', 'standard', ''),
  })
  .map(({ name: [provider, model], ...rest }) => ({ provider, model, ...rest }));

describe('any cost', () => {
  it('is the sum of its parts, none of them negative, or says what is missing', () => {
    let known = 0;
    fc.assert(
      fc.property(generations, (generation) => {
        const { cost } = pricer.price(generation);
        const sum = cost.parts.reduce((total, { money }) => total + money, 0n);
        for (const { money, quantity } of cost.parts) expect(money >= 0n && quantity > 0).toBe(true);
        if (cost.total === undefined) expect(cost.missing.length).toBeGreaterThan(0);
        else {
          expect(cost.total).toBe(sum);
          expect(cost.missing).toEqual([]);
          known += 1;
        }
      }),
      { seed: 11, numRuns: 5_000 },
    );
    expect(known).toBeGreaterThan(500);
  });

  it('is the same the fast way, to the last digit', () => {
    fc.assert(
      fc.property(generations, (generation) => {
        const { cost, found } = pricer.price(generation);
        const fast = pricer.total(generation);
        expect(fast.money).toBe(cost.total);
        if (found.found && cost.total !== undefined) expect(fast.row).toBe(found.alternative.row.id);
        if (fast.money === undefined) expect(fast.reason.length).toBeGreaterThan(0);
      }),
      { seed: 12, numRuns: 5_000 },
    );
  });

  it('counts no token twice: what it prices is what was reported', () => {
    const parts = fc.record({
      rest: fc.nat(9_999),
      read: fc.nat(9_999),
      short: fc.nat(9_999),
      long: fc.nat(9_999),
      out: fc.nat(9_999),
      thought: fc.nat(9_999),
    });
    fc.assert(
      fc.property(parts, ({ rest, read, short, long, out, thought }) => {
        const { cost } = pricer.price({
          at: Date.parse('2026-11-01'),
          provider: 'anthropic',
          model: 'claude-opus-4-5',
          dialect: 'otel',
          usage: {
            inputTokens: rest + read + short + long,
            cacheReadTokens: read,
            cacheWrite5mTokens: short,
            cacheWrite1hTokens: long,
            outputTokens: out + thought,
            reasoningTokens: thought,
          },
        });
        // 5.00, 0.50, 6.25, 10.00 and 25.00 dollars a million
        const micro =
          BigInt(rest) * 500n +
          BigInt(read) * 50n +
          BigInt(short) * 625n +
          BigInt(long) * 1_000n +
          BigInt(out + thought) * 2_500n;
        expect(cost.total).toBe(micro * 10_000n);
      }),
      { seed: 13, numRuns: 500 },
    );
  });

  it('does not fall when more tokens are used, where usage is consistent', () => {
    const tokens = fc.record({
      cached: fc.nat(50_000),
      fresh: fc.nat(50_000),
      out: fc.nat(50_000),
      more: fc.integer({ min: 1, max: 300_000 }),
    });
    fc.assert(
      fc.property(
        fc.constantFrom(...NAMES),
        tokens,
        fc.constantFrom('cached', 'fresh', 'out'),
        ([provider, model], use, which) => {
          const of = ({ cached, fresh, out }: typeof use): bigint | undefined =>
            pricer.total({
              at: Date.parse('2026-11-01T12:00:00Z'),
              provider,
              model,
              dialect: 'otel',
              usage: { inputTokens: cached + fresh, cacheReadTokens: cached, outputTokens: out },
            }).money;
          const [before, after] = [of(use), of({ ...use, [which]: use[which] + use.more })];
          if (before !== undefined && after !== undefined) expect(after >= before).toBe(true);
        },
      ),
      { seed: 14, numRuns: 3_000 },
    );
  });

  it('is unknown for a model of no list, never 0', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string(), usages, (model, provider, usage) => {
        const name = `nobody-${model}`;
        const { money } = pricer.total({ at: 0, provider: `no-${provider}`, model: name, usage });
        expect(money).toBeUndefined();
      }),
      { seed: 15, numRuns: 1_000 },
    );
  });

  it('is unknown for counts that are none', () => {
    for (const bad of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 60]) {
      const generation = { at: 0, provider: 'openai', model: 'gpt-4o', usage: { inputTokens: bad } };
      expect(pricer.total(generation).money).toBeUndefined();
      expect(pricer.price(generation).cost.total).toBeUndefined();
    }
  });

  it('is unknown for a time that is none', () => {
    for (const at of [Number.NaN, Number.POSITIVE_INFINITY, -9e15]) {
      const generation = { at, provider: 'openai', model: 'gpt-4o', usage: { inputTokens: 1 } };
      expect(pricer.total(generation)).toMatchObject({ money: undefined, reason: `at=${at} is no time` });
      expect(pricer.price(generation).cost.total).toBeUndefined();
    }
  });

  it('does not depend on how many names were asked for before', () => {
    const fresh = new Pricer(table);
    const generation: Generation = { at: 0, provider: 'openai', model: 'gpt-4o', usage: { outputTokens: 1 } };
    const before = fresh.total(generation).money;
    for (let name = 0; name < 300; name += 1) fresh.total({ ...generation, model: `made-up-${name}` });
    expect(fresh.total(generation).money).toBe(before);
  });
});

describe('the list of our prices', () => {
  it('has a source and a day for every row, and no price below 0', () => {
    for (const { rows } of shippedLayers()) {
      for (const { id, source, prices } of rows) {
        expect(source.url ?? source.via, id).toBeTruthy();
        expect(source.date, id).toMatch(/^\d{4}-\d{2}-\d{2}$/);
        for (const [kind, price] of Object.entries(prices)) {
          expect(KINDS).toContain(kind);
          expect(moneyOf(price), `${id} ${kind}`).toBeDefined();
        }
      }
    }
  });

  it('charges more for a longer context, and less for reading a cache than for new input', () => {
    const odd: string[] = [];
    for (const { rows } of shippedLayers()) {
      for (const { id, prices } of rows) {
        const [input, read] = [Number(prices.input ?? Number.NaN), Number(prices.cacheRead ?? Number.NaN)];
        if (read > input) odd.push(id);
      }
    }
    expect(odd).toEqual([]);
  });
});

describe('tallies', () => {
  it('list unknown models with their volume, the most used first', () => {
    const unknown = new UnknownModels();
    unknown.add('acme', 'a', 'no price', { tokens: 10 });
    unknown.add('acme', 'b', 'no price', { tokens: 5, generations: 3 });
    unknown.add('acme', 'a', 'no price', { tokens: 7, images: 1 });
    expect(unknown.list()).toEqual([
      { provider: 'acme', model: 'b', reason: 'no price', generations: 3, tokens: 5, images: 0 },
      { provider: 'acme', model: 'a', reason: 'no price', generations: 2, tokens: 17, images: 1 },
    ]);
  });

  it('add up what a re-pricing changes, exactly', () => {
    const repricing = new Repricing();
    repricing.add('openai', 'gpt-4o', 100n, 100n, 5);
    repricing.add('openai', 'o3', 1_000_000_000_000n, 250_000_000_000n, 2);
    repricing.add('acme', 'new', undefined, 7n);
    repricing.add('acme', 'gone', 9n, undefined);
    expect(repricing.summary()).toBe(
      '4 of 9 generations change, from $2.000000000509 to $0.500000000507; 1 get a cost, 1 lose theirs',
    );
    expect(repricing.changes().map(({ model }) => model)).toEqual(['o3', 'gone', 'new']);
  });
});
