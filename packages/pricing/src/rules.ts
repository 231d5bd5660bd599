/**
 * Who counts what, as data: which totals contain which parts, by the dialect in which a usage is reported, and where needed by
 * provider. Cached tokens counted twice, and tokens of thinking counted twice, are the two commonest faults of cost reports; both
 * come from assuming one rule for all.
 *
 * Must stay true: a rule names where it was read. The more specific rule wins: dialect and provider before dialect alone.
 */

import type { Containment } from './usage.ts';

/** How a usage is reported: the shape of a provider's own answer, or that of a convention or a library in between. */
export const DIALECTS = [
  'openai',
  'anthropic',
  'gemini',
  'bedrock',
  'otel',
  'openinference',
  'litellm',
  'vercel',
  'langfuse',
  'pollinations',
  'openrouter',
  'cohere',
] as const;
export type Dialect = (typeof DIALECTS)[number];

const BY_NAME = new Map<string, Dialect>(DIALECTS.map((dialect) => [dialect, dialect]));

export interface UsageRule extends Containment {
  readonly dialect: Dialect;
  /** Provider for which the rule differs from that of the dialect. */
  readonly provider?: string;
  /** Where it was read. */
  readonly source: string;
}

const ALL_INSIDE: Containment = { cacheRead: true, cacheWrite: true, reasoning: true, media: true };

export const USAGE_RULES: readonly UsageRule[] = [
  {
    ...ALL_INSIDE,
    dialect: 'openai',
    source:
      '@pydantic/genai-prices 0.1.8, extractors of openai: the details are parts of prompt_tokens and completion_tokens',
  },
  {
    ...ALL_INSIDE,
    dialect: 'anthropic',
    cacheRead: false,
    cacheWrite: false,
    source:
      '@pydantic/genai-prices 0.1.8, extractors of anthropic: cache reads and writes are added to input_tokens; thinking is part ' +
      'of output_tokens',
  },
  {
    ...ALL_INSIDE,
    dialect: 'gemini',
    reasoning: false,
    source:
      '@pydantic/genai-prices 0.1.8, extractors of google: cachedContentTokenCount is part of promptTokenCount; thoughts and tool ' +
      'use are added',
  },
  {
    ...ALL_INSIDE,
    dialect: 'bedrock',
    cacheRead: false,
    cacheWrite: false,
    source:
      '@pydantic/genai-prices 0.1.8, extractors of aws: cacheReadInputTokens and cacheWriteInputTokens are added to inputTokens',
  },
  {
    ...ALL_INSIDE,
    dialect: 'otel',
    source: 'OpenTelemetry GenAI conventions 1.42.0-dev: cached values SHOULD be included in gen_ai.usage.input_tokens',
  },
  {
    ...ALL_INSIDE,
    dialect: 'openinference',
    source: 'OpenInference conventions: llm.token_count.prompt_details and completion_details break the counts down',
  },
  {
    ...ALL_INSIDE,
    dialect: 'litellm',
    source:
      'https://github.com/Aider-AI/aider/issues/5516: prompt_tokens measured with litellm 1.83.9 contain cache reads and writes',
  },
  {
    ...ALL_INSIDE,
    dialect: 'vercel',
    source:
      'https://github.com/latitude-dev/latitude-llm/pull/4051: cachedInputTokens and reasoningTokens are parts of the totals',
  },
  {
    // Its usage details are said to be exclusive: every key is added.
    cacheRead: false,
    cacheWrite: false,
    reasoning: false,
    media: false,
    dialect: 'langfuse',
    source: 'https://github.com/strelov1/freehire/pull/2639: the buckets of usageDetails exclude each other',
  },
  {
    cacheRead: false,
    cacheWrite: false,
    reasoning: false,
    media: false,
    dialect: 'pollinations',
    source:
      'the events of text.pollinations.ai: token_count_prompt_text is what is left without audio and cached tokens',
  },
  {
    ...ALL_INSIDE,
    dialect: 'openrouter',
    source:
      '@pydantic/genai-prices 0.1.8, extractors of openrouter: the details are parts of prompt_tokens and completion_tokens',
  },
  {
    ...ALL_INSIDE,
    dialect: 'cohere',
    source: '@pydantic/genai-prices 0.1.8, extractors of cohere: totals without parts',
  },
];

/** The dialect in which a provider itself answers; all others answer as OpenAI does. */
const NATIVE: Readonly<Record<string, Dialect>> = {
  anthropic: 'anthropic',
  google: 'gemini',
  aws: 'bedrock',
  cohere: 'cohere',
  openrouter: 'openrouter',
};

/** The dialect of a provider's own answers. */
export function nativeDialect(provider: string): Dialect {
  return Object.hasOwn(NATIVE, provider) ? (NATIVE[provider] as Dialect) : 'openai';
}

/** The dialect of a name; undefined if there is none of that name. */
export function dialectOf(name: string): Dialect | undefined {
  return BY_NAME.get(name);
}

/** The rule for a usage of a dialect and provider; without a dialect that of the provider's own answers. */
export function usageRule(
  dialect: Dialect | undefined,
  provider: string,
  rules: readonly UsageRule[] = USAGE_RULES,
): UsageRule {
  const name = dialect ?? nativeDialect(provider);
  const fitting = rules.filter((rule) => rule.dialect === name);
  const rule =
    fitting.find((candidate) => candidate.provider === provider) ?? fitting.find(({ provider: p }) => p === undefined);
  return rule ?? (USAGE_RULES[0] as UsageRule);
}
