/**
 * Calls of models as plain data: what was asked, what came back, what it took and what it costs. The dialects write the same calls
 * each in its own words (`dialects.ts`).
 */

export interface Conversation {
  readonly title: string;
  readonly operation: 'chat' | 'embeddings';
  readonly provider: string;
  readonly requested: string;
  readonly used: string;
  /** Tokens; those of the cache and of thinking are parts of the totals. */
  readonly input?: number;
  readonly cached?: number;
  readonly output?: number;
  readonly reasoning?: number;
  readonly latencyMs: number;
  /** Only of streams. */
  readonly firstTokenMs?: number;
  readonly finish: string;
  readonly prompt: string;
  readonly answer: string;
  /** Name of a tool that is asked for. */
  readonly tool?: string;
  /** Message of the error that it ended with. */
  readonly error?: string;
}

/** Dollars for a million tokens: input, cached input, output. */
const PRICES: Readonly<Record<string, readonly [input: number, cached: number, output: number]>> = {
  'gpt-5': [1.25, 0.125, 10],
  'gpt-4o': [2.5, 1.25, 10],
  'gpt-4o-mini': [0.15, 0.075, 0.6],
  'o3-mini': [1.1, 0.55, 4.4],
  'text-embedding-3-small': [0.02, 0.02, 0],
  'text-embedding-3-large': [0.13, 0.13, 0],
};

type Some = Partial<Conversation>;

function chat(
  title: string,
  requested: string,
  used: string,
  input: number,
  output: number,
  more: Some = {},
): Conversation {
  const common = { operation: 'chat', provider: 'openai', finish: 'stop', latencyMs: 1500, prompt: title } as const;
  return { title, requested, used, input, output, answer: `about ${title}`, ...common, ...more };
}

const STREAM = { firstTokenMs: 250 };
const REFUSED: Some = { finish: '', answer: '' };

function refused(title: string, model: string, error: string, more: Some = {}): Conversation {
  const { input: _, output: __, ...call } = chat(title, model, '', 0, 0, { ...REFUSED, error, ...more });
  return call;
}

function embedding(title: string, model: string, input: number): Conversation {
  return {
    ...{ title, operation: 'embeddings', provider: 'openai', requested: model, used: model, input, latencyMs: 80 },
    ...{ finish: '', prompt: title, answer: '' },
  };
}

export const CONVERSATIONS: readonly Conversation[] = [
  chat('a short question', 'gpt-5', 'gpt-5-2025-08-07', 12, 7),
  chat('a long question', 'gpt-5', 'gpt-5-2025-08-07', 100_000, 900),
  chat('a cached question', 'gpt-5', 'gpt-5-2025-08-07', 2_048, 128, { cached: 1_920 }),
  chat('a question all of which is cached', 'gpt-4o', 'gpt-4o-2024-08-06', 1_024, 20, { cached: 1_024 }),
  chat('a thought', 'o3-mini', 'o3-mini-2025-01-31', 40, 900, { reasoning: 832 }),
  chat('a cached thought', 'gpt-5', 'gpt-5-2025-08-07', 4_096, 700, { cached: 4_000, reasoning: 640 }),
  chat('a stream', 'gpt-4o-mini', 'gpt-4o-mini-2024-07-18', 20, 30, STREAM),
  chat('a cached stream of thoughts', 'gpt-5', 'gpt-5-2025-08-07', 3_000, 500, {
    ...STREAM,
    cached: 2_000,
    reasoning: 300,
  }),
  chat('a stream that was slow to begin', 'gpt-4o', 'gpt-4o-2024-08-06', 15, 400, {
    latencyMs: 30_000,
    firstTokenMs: 12_000,
  }),
  chat('a tool', 'gpt-4o', 'gpt-4o-2024-08-06', 90, 18, { tool: 'weather', finish: 'tool_calls', answer: '' }),
  chat('a tool in a stream', 'gpt-4o-mini', 'gpt-4o-mini-2024-07-18', 90, 18, {
    ...STREAM,
    tool: 'weather',
    finish: 'tool_calls',
    answer: '',
  }),
  chat('an answer that was too long', 'gpt-4o-mini', 'gpt-4o-mini-2024-07-18', 25, 4_096, { finish: 'length' }),
  chat('an answer without a word', 'gpt-4o-mini', 'gpt-4o-mini-2024-07-18', 25, 0, { answer: '' }),
  chat('ünïcode ☃ 😀 "quoted" \\ and\nlines', 'gpt-4o-mini', 'gpt-4o-mini-2024-07-18', 31, 9),
  chat('a model that nobody knows', 'nobody-1', 'nobody-1-2030', 10, 10, { provider: 'nobody' }),
  refused('a question too many', 'gpt-4o-mini', 'the rate limit is reached', { latencyMs: 5 }),
  refused('a stream that broke off', 'gpt-5', 'the connection was lost', { firstTokenMs: 100 }),
  embedding('one text', 'text-embedding-3-small', 9),
  embedding('a book', 'text-embedding-3-large', 8_191),
  chat('the last question', 'gpt-4o', 'gpt-4o-2024-08-06', 1, 1, { latencyMs: 1 }),
];

/** What tokens cost in dollars, as the engine writes it; null where there is no price or no usage. */
export function costOf(requested: string, input: number | undefined, cached = 0, output = 0): string | null {
  const [forInput, forCached, forOutput] = PRICES[requested] ?? [];
  if (input === undefined || forInput === undefined || forCached === undefined || forOutput === undefined) return null;
  // In 1e-9 dollars all of it is whole.
  const thousandths = (price: number): number => Math.round(price * 1_000);
  const nano =
    (input - cached) * thousandths(forInput) + cached * thousandths(forCached) + output * thousandths(forOutput);
  const digits = String(nano).padStart(10, '0');
  return `${digits.slice(0, -9)}.${digits.slice(-9)}`.replace(/[.]?0+$/, '');
}
