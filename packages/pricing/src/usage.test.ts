import { describe, expect, it } from 'vitest';
import { readUsage } from './read-usage.ts';
import { USAGE_RULES, usageRule } from './rules.ts';
import { faultOf, splitUsage } from './usage.ts';

const inside = { cacheRead: true, cacheWrite: true, reasoning: true, media: true };
const beside = { cacheRead: false, cacheWrite: false, reasoning: false, media: false };

describe('splitUsage', () => {
  it('takes cached tokens out of an input that contains them', () => {
    const { quantities, context, notes } = splitUsage(
      { inputTokens: 1_000, cacheReadTokens: 600, cacheWriteTokens: 100, outputTokens: 50, reasoningTokens: 30 },
      inside,
    );
    expect(quantities).toEqual({ input: 300, cacheRead: 600, cacheWrite: 100, output: 20, reasoning: 30 });
    expect(context).toBe(1_000);
    expect(notes).toEqual([]);
  });

  it('adds them to an input that does not', () => {
    const { quantities, context } = splitUsage({ inputTokens: 300, cacheReadTokens: 600, outputTokens: 50 }, beside);
    expect(quantities).toEqual({ input: 300, cacheRead: 600, output: 50 });
    expect(context).toBe(900);
  });

  it('adds parts that are more than the whole, and says so', () => {
    const { quantities, notes } = splitUsage(
      { inputTokens: 12, cacheReadTokens: 18_000, outputTokens: 5, reasoningTokens: 9 },
      inside,
    );
    expect(quantities).toEqual({ input: 12, cacheRead: 18_000, output: 5, reasoning: 9 });
    expect(notes).toHaveLength(2);
  });

  it("believes the client's own sum before the rule", () => {
    const usage = { inputTokens: 20_000, cacheReadTokens: 18_000, outputTokens: 500, totalTokens: 38_500 };
    const { quantities, notes } = splitUsage(usage, inside);
    expect(quantities).toEqual({ input: 20_000, cacheRead: 18_000, output: 500 });
    expect(notes[0]).toContain('on top of the input');
    const thinking = { inputTokens: 10, outputTokens: 100, reasoningTokens: 90, totalTokens: 200 };
    expect(splitUsage(thinking, inside).quantities).toEqual({ input: 10, output: 100, reasoning: 90 });
  });

  it('keeps the rule where the sum differs for a reason that it does not tell', () => {
    const usage = { inputTokens: 20_000, cacheReadTokens: 18_000, outputTokens: 500, totalTokens: 20_777 };
    expect(splitUsage(usage, inside).quantities).toEqual({ input: 2_000, cacheRead: 18_000, output: 500 });
  });

  it('counts cached audio once, which is part of the cached and of the audio', () => {
    const usage = { inputTokens: 1_000, inputAudioTokens: 600, cacheReadTokens: 500, cacheReadAudioTokens: 300 };
    const { quantities, context } = splitUsage(usage, inside);
    expect(quantities).toEqual({ input: 200, cacheRead: 200, cacheReadAudio: 300, inputAudio: 300 });
    expect(context).toBe(1_000);
  });

  it('takes writes of unknown time to live for the short ones', () => {
    const usage = { cacheWriteTokens: 100, cacheWrite1hTokens: 30, inputTokens: 0, outputTokens: 0 };
    expect(splitUsage(usage, beside).quantities).toEqual({ cacheWrite: 70, cacheWrite1h: 30 });
  });

  it('measures by what came out, then by what was counted', () => {
    expect(splitUsage({ images: 2 }, inside).measure).toBe('images');
    expect(splitUsage({ images: 2, inputTokens: 50 }, inside).measure).toBe('images');
    expect(splitUsage({ images: 2, inputTokens: 50, outputTokens: 1_056 }, inside).measure).toBe('tokens');
    expect(splitUsage({ audioMs: 2_000 }, inside).measure).toBe('audio');
    expect(splitUsage({ audioMs: 2_000, inputTokens: 20 }, inside).measure).toBe('tokens');
    expect(splitUsage({ characters: 9 }, inside).measure).toBe('characters');
    expect(splitUsage({}, inside)).toMatchObject({ reported: false, quantities: {} });
    expect(splitUsage({ inputTokens: 0 }, inside)).toMatchObject({ reported: true, quantities: {} });
  });

  it('knows what is no count', () => {
    expect(faultOf({ inputTokens: -1 })).toBe('inputTokens=-1 is no count');
    expect(faultOf({ inputTokens: 1.5 })).toBe('inputTokens=1.5 is no count');
    expect(faultOf({ inputTokens: 1e15 })).toBe('inputTokens=1000000000000000 is no count');
    expect(faultOf({ inputTokens: 0 })).toBeUndefined();
  });
});

describe('rules', () => {
  it('all say where they were read', () => {
    for (const { source } of USAGE_RULES) expect(source.length).toBeGreaterThan(20);
  });

  it('are those of the provider where no dialect is named', () => {
    expect(usageRule(undefined, 'anthropic').cacheRead).toBe(false);
    expect(usageRule(undefined, 'google').reasoning).toBe(false);
    expect(usageRule(undefined, 'aws').dialect).toBe('bedrock');
    expect(usageRule(undefined, 'groq').dialect).toBe('openai');
    expect(usageRule('otel', 'anthropic').cacheRead).toBe(true);
  });

  it('may differ by provider', () => {
    const own = { ...beside, dialect: 'litellm', provider: 'acme', source: 'a test' } as const;
    expect(usageRule('litellm', 'acme', [...USAGE_RULES, own])).toBe(own);
    expect(usageRule('litellm', 'openai', [...USAGE_RULES, own]).cacheRead).toBe(true);
  });
});

describe('readUsage', () => {
  it('reads attributes whose names have dots, and objects in objects', () => {
    expect(readUsage({ 'gen_ai.usage.input_tokens': '17', 'gen_ai.usage.output_tokens': 3 })).toEqual({
      inputTokens: 17,
      outputTokens: 3,
    });
    expect(readUsage({ cache_creation: { ephemeral_1h_input_tokens: 4 } })).toEqual({ cacheWrite1hTokens: 4 });
  });

  it('reports nothing of what is no count', () => {
    for (const value of [
      null,
      undefined,
      7,
      'x',
      [],
      {},
      { prompt_tokens: -1 },
      { prompt_tokens: 'many' },
      { seconds: Number.NaN },
    ]) {
      expect(readUsage(value)).toEqual({});
    }
  });
});
