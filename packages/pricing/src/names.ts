/**
 * Names of providers and models, as many clients write them, to those that price lists use: cloud platforms wrap a model's name
 * in regions, vendors, versions and paths.
 *
 * Must stay true: the name as it came is always looked up first, because a list may have a row for exactly that; each rewriting
 * comes after those that keep more of it, and says what it did.
 */

import { MAX_NAME_LENGTH } from './pattern.ts';

/** Providers by what clients call them; keys in lower case with `_` and blanks as `-`. */
const PROVIDER_NAMES: Readonly<Record<string, string>> = {
  'openai-chat': 'openai',
  'text-completion-openai': 'openai',
  'azure-openai': 'azure',
  'az.ai.openai': 'azure',
  'az.ai.inference': 'azure',
  'azure.ai.openai': 'azure',
  'azure.ai.inference': 'azure',
  'azure-ai': 'azure',
  'azure-text': 'azure',
  'aws.bedrock': 'aws',
  'aws-bedrock': 'aws',
  'amazon-bedrock': 'aws',
  amazon: 'aws',
  bedrock: 'aws',
  'bedrock-converse': 'aws',
  sagemaker: 'aws',
  'gcp.vertex-ai': 'google',
  'gcp.gemini': 'google',
  'gcp.gen-ai': 'google',
  'vertex-ai': 'google',
  vertexai: 'google',
  vertex: 'google',
  'vertex-ai-beta': 'google',
  gemini: 'google',
  'google-genai': 'google',
  'google-vertex': 'google',
  'google.vertex': 'google',
  'google.vertex.anthropic': 'google',
  'vertex.anthropic': 'google',
  'google-gla': 'google',
  'google.generative-ai': 'google',
  'google-generative-ai': 'google',
  'mistral-ai': 'mistral',
  mistralai: 'mistral',
  xai: 'x-ai',
  'x.ai': 'x-ai',
  grok: 'x-ai',
  'together-ai': 'together',
  togetherai: 'together',
  'fireworks-ai': 'fireworks',
  'hugging-face': 'huggingface',
  'deepseek-ai': 'deepseek',
  moonshot: 'moonshotai',
  'z-ai': 'zai',
  voyage: 'voyageai',
  'black-forest-labs': 'bfl',
  'claude-code': 'anthropic',
};

/** Which of its interfaces, as the Vercel AI SDK writes behind a provider's name: `openai.embedding`. */
const INTERFACE = /[.](?:chat|completion|embedding|image|messages|responses|speech|textembedding|transcription|video)$/;

/** The provider that a name means, as the price table calls it. An unknown name stays as it is, without its interface. */
export function normaliseProvider(name: string): string {
  const key = name
    .trim()
    .toLowerCase()
    .slice(0, MAX_NAME_LENGTH)
    .replaceAll(/[\s_]+/g, '-')
    .replace(INTERFACE, '');
  return Object.hasOwn(PROVIDER_NAMES, key) ? (PROVIDER_NAMES[key] as string) : key;
}

/** Providers by how names of their models begin, for clients that name none. */
const BY_MODEL: readonly (readonly [RegExp, string])[] = [
  [/^(gpt-|chatgpt-|o[134](-|$)|dall-e|whisper-|tts-|text-embedding-|davinci|babbage|codex-|sora-)/, 'openai'],
  [/^claude/, 'anthropic'],
  [/^(gemini|gemma-|imagen|veo-|learnlm)/, 'google'],
  [/^(mistral|ministral|codestral|devstral|magistral|pixtral|voxtral|open-mi)/, 'mistral'],
  [/^deepseek/, 'deepseek'],
  [/^(command|embed-|rerank-)/, 'cohere'],
  [/^grok/, 'x-ai'],
  [/^(sonar|pplx)/, 'perplexity'],
  [/^voyage/, 'voyageai'],
  [/^(kimi|moonshot)/, 'moonshotai'],
  [/^(anthropic|amazon|meta|cohere|mistral|ai21|stability)\./, 'aws'],
];

/** The provider that a model's name alone tells; undefined if it tells none. */
export function providerOfModel(model: string): string | undefined {
  const name = model.trim().toLowerCase();
  return BY_MODEL.find(([begins]) => begins.test(name))?.[1];
}

/**
 * Providers whose list prices another provider charges for their models, where it has no row of its own. Clouds sell at the
 * vendor's list price in their global endpoints.
 */
const SELLS_FOR: Readonly<Record<string, readonly string[]>> = {
  azure: ['openai', 'anthropic', 'mistral', 'deepseek', 'x-ai', 'cohere'],
  aws: ['anthropic', 'mistral', 'cohere', 'deepseek'],
  google: ['anthropic', 'mistral'],
};

/** A name under which a model may be found, with what was done to get there. */
export interface NameCandidate {
  readonly provider: string;
  readonly model: string;
  /** Empty for the name as it came. */
  readonly steps: readonly string[];
}

/** Names of providers that may stand in front of a model's, as `azure/gpt-4o`. */
const PREFIX = /^([a-z0-9._-]+)\/(.+)$/;
/** Providers whose own model names have slashes. */
const SLASHED = new Set([
  'openrouter',
  'together',
  'fireworks',
  'huggingface',
  'novita',
  'cloudflare',
  'groq',
  'baseten',
  'avian',
  'replicate',
  'fal-ai',
  'deepinfra',
]);
/** Providers that may stand in front of a slash; anything else there is part of the model's name. */
const KNOWN = new Set([
  ...Object.values(PROVIDER_NAMES),
  'openai',
  'anthropic',
  'deepseek',
  'cohere',
  'groq',
  'openrouter',
  'perplexity',
  'cerebras',
  'minimax',
  'novita',
  'ovhcloud',
  'avian',
  'cloudflare',
  'replicate',
  'deepinfra',
  'github-copilot',
]);

/** All names under which a model is looked up, the one that came first. */
export function nameCandidates(providerName: string, modelName: string): NameCandidate[] {
  const raw = modelName.trim().toLowerCase().slice(0, MAX_NAME_LENGTH);
  const given = normaliseProvider(providerName);
  const found = new Map<string, NameCandidate>();
  const add = (provider: string, model: string, steps: readonly string[]): NameCandidate => {
    const candidate = { provider, model, steps };
    const key = `${provider}\n${model}`;
    if (!found.has(key) && model !== '' && provider !== '') found.set(key, candidate);
    return candidate;
  };

  const starts: NameCandidate[] = [];
  if (given !== '') starts.push(add(given, raw, []));
  const prefix = PREFIX.exec(raw);
  if (prefix !== null) {
    const [, vendor = '', rest = ''] = prefix;
    const provider = normaliseProvider(vendor);
    const routed = given === '' || given === provider || given === 'litellm' || !SLASHED.has(given);
    if (KNOWN.has(provider) && (routed || given === 'openrouter') && !rest.endsWith(':free')) {
      starts.push(add(provider, rest, [`"${vendor}/" names the provider ${provider}`]));
    }
  }
  if (given === '') {
    const guessed = providerOfModel(raw);
    if (guessed !== undefined) starts.push(add(guessed, raw, [`the name is one of ${guessed}'s`]));
  }
  for (const start of starts) rewritten(start, add);

  // What a cloud has no row for costs what its vendor lists.
  for (const candidate of found.values()) {
    for (const vendor of SELLS_FOR[candidate.provider] ?? []) {
      if (providerOfModel(candidate.model) !== vendor) continue;
      add(vendor, candidate.model, [...candidate.steps, `${candidate.provider} has no row: ${vendor}'s list price`]);
    }
  }
  return [...found.values()];
}

type Add = (provider: string, model: string, steps: readonly string[]) => NameCandidate;
type Rewriting = readonly [from: RegExp, to: string, step: string];

/** Rewritings of any provider's names, in the order in which they are tried; each is applied to what the former left. */
const REWRITINGS: Readonly<Record<string, readonly Rewriting[]>> = {
  azure: [
    [/^azure\//, '', 'without "azure/"'],
    [/^gpt-35/, 'gpt-3.5', 'Azure writes 35 for 3.5'],
  ],
  aws: [
    [/^(bedrock|converse|invoke)\//, '', 'without the route'],
    [/^arn:[^:]*:bedrock:[^:]*:[^:]*:[^/]*\//, '', 'the end of the ARN'],
    [/^(us|eu|apac|global|au|jp|ca|sa|us-gov)\./, '', 'without the region'],
    [/^(anthropic|mistral|cohere|deepseek)\./, '', 'without the vendor'],
    [/(-v\d+)?(:\d+)(:\w+)?$/, '', "without Bedrock's version"],
    [/-v\d+$/, '', "without Bedrock's version"],
  ],
  google: [
    [/^.*publishers\/[^/]+\/models\//, '', "the end of Vertex's path"],
    [/^models\//, '', 'without "models/"'],
    [/@/, '-', 'Vertex writes @ before a version'],
  ],
  '*': [
    [/^ft:([^:]+):.*$/, 'ft:$1', 'a fine-tuned model by what it was made from'],
    [/-(20\d{2})-?(0[1-9]|1[0-2])-?(0[1-9]|[12]\d|3[01])$/, '', 'without the date'],
    [/-latest$/, '', 'without "-latest"'],
  ],
};

function rewritten(start: NameCandidate, add: Add): void {
  let { model } = start;
  const steps = [...start.steps];
  for (const [from, to, step] of [...(REWRITINGS[start.provider] ?? []), ...(REWRITINGS['*'] ?? [])]) {
    const next = model.replace(from, to);
    if (next === model) continue;
    model = next;
    steps.push(step);
    add(start.provider, model, [...steps]);
  }
}
