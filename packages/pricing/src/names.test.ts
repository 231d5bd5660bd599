import { describe, expect, it } from 'vitest';
import { nameCandidates, normaliseProvider, providerOfModel } from './names.ts';
import { matcher, patternFault } from './pattern.ts';

const names = (provider: string, model: string): string[] =>
  nameCandidates(provider, model).map((candidate) => `${candidate.provider} ${candidate.model}`);

describe('nameCandidates', () => {
  it.each([
    ['openai', 'gpt-4o-2024-08-06', 'openai gpt-4o'],
    ['azure_openai', 'gpt-35-turbo-16k', 'openai gpt-3.5-turbo-16k'],
    ['azure', 'azure/gpt-4.1', 'openai gpt-4.1'],
    ['aws.bedrock', 'us.anthropic.claude-sonnet-4-5-20250929-v1:0', 'anthropic claude-sonnet-4-5-20250929'],
    ['bedrock', 'arn:aws:bedrock:eu-west-1:1:inference-profile/eu.amazon.nova-pro-v1:0', 'aws amazon.nova-pro'],
    ['gcp.vertex_ai', 'publishers/anthropic/models/claude-sonnet-4@20250514', 'anthropic claude-sonnet-4-20250514'],
    ['', 'openai/gpt-4o', 'openai gpt-4o'],
    ['litellm', 'mistral/mistral-large-2512', 'mistral mistral-large-2512'],
    ['openrouter', 'openai/gpt-4o-mini', 'openai gpt-4o-mini'],
    ['', 'claude-opus-4-5', 'anthropic claude-opus-4-5'],
    ['mistral', 'codestral-latest', 'mistral codestral'],
  ])('finds %s %s as %s', (provider, model, name) => {
    expect(names(provider, model)).toContain(name);
  });

  it('looks the name as it came up first, whatever it is', () => {
    expect(names('azure', 'GPT-4o')[0]).toBe('azure gpt-4o');
    expect(names('openrouter', 'meta-llama/llama-3.3-70b-instruct')[0]).toBe(
      'openrouter meta-llama/llama-3.3-70b-instruct',
    );
  });

  it('never takes a free variant for the one that is paid', () => {
    expect(names('openrouter', 'openai/gpt-oss-20b:free')).toEqual(['openrouter openai/gpt-oss-20b:free']);
  });

  it('says what it did', () => {
    const last = nameCandidates('azure', 'gpt-35-turbo').at(-1);
    expect(last?.steps).toEqual(['Azure writes 35 for 3.5', "azure has no row: openai's list price"]);
  });

  it('yields nothing for nothing, and little for anything', () => {
    expect(names('', '')).toEqual([]);
    expect(names('acme', 'x'.repeat(10_000))[0]?.length).toBeLessThan(300);
  });
});

describe('providers', () => {
  it('have one name each', () => {
    for (const name of ['vertex_ai', 'gemini', 'GCP.Gemini', 'google']) expect(normaliseProvider(name)).toBe('google');
    expect(normaliseProvider('My Own')).toBe('my-own');
    expect(normaliseProvider('my.chat.own')).toBe('my.chat.own');
    expect(providerOfModel('o3-mini')).toBe('openai');
    expect(providerOfModel('o9')).toBeUndefined();
  });
});

describe('providers with the interface behind', () => {
  it.each([
    ['openai.embedding', 'openai'],
    ['openai.chat', 'openai'],
    ['anthropic.messages', 'anthropic'],
    ['google.vertex.chat', 'google'],
    ['vertex.anthropic.messages', 'google'],
    ['xai.chat', 'x-ai'],
    ['cohere.textEmbedding', 'cohere'],
    ['my.own.image', 'my.own'],
  ])('%s is %s', (name, provider) => {
    expect(normaliseProvider(name)).toBe(provider);
  });
});

describe('patterns', () => {
  it.each([
    ['gpt-4o', 'gpt-4o', true],
    ['gpt-4o', 'gpt-4o-mini', false],
    ['gpt-4o*', 'gpt-4o-mini', true],
    ['*-mini', 'gpt-4o-mini', true],
    ['a*b*c', 'a-b-b-c', true],
    ['a*b*c', 'acb', false],
    ['ab*ba', 'aba', false],
    ['*', '', true],
    [String.raw`/^gpt-\d+$/`, 'GPT-5', true],
  ])('%s and %s: %s', (pattern, name, fits) => {
    expect(matcher(pattern).matches(name.toLowerCase())).toBe(fits);
  });

  it('rank names before globs, and long globs before short ones', () => {
    const ranks = ['gpt-4o', 'gpt-4o*', 'gpt*', '/gpt/'].map((pattern) => matcher(pattern).rank);
    expect(ranks.toSorted((a, b) => a - b)).toEqual(ranks);
  });

  it('take no time for a glob that nearly matches', () => {
    expect(matcher('*a'.repeat(400)).matches('a'.repeat(256))).toBe(false);
  });

  it.each(['', '   ', 7, '/(/', 'x'.repeat(2_000)])('refuse %s', (pattern) => {
    expect(patternFault(pattern)).toBeDefined();
  });
});
