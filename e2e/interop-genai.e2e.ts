/**
 * Instrumentations of language models, unmodified, against the built server: the usual clients for JavaScript and Python call a
 * local provider, whole, in pieces, with tools, in vain, and for embeddings. Each call has to become one generation with its
 * usage and its price. What an instrumentation does not send is not there, and is written down here.
 */

import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ModelProvider } from './support/model-provider.ts';
import { ANSWER, modelProvider } from './support/model-provider.ts';
import { nodeEnvironment } from './support/node-environment.ts';
import { pythonEnvironment } from './support/python-environment.ts';
import type { Row, Server } from './support/server.ts';
import { showLogsOfFailures, startServer } from './support/server.ts';
import { INSTALL_MS, runProgram } from './support/toolbox.ts';

const PROGRAM = join(import.meta.dirname, 'interop/genai/calls.py');
const RUN_MS = 120_000;

interface Client {
  readonly title: string;
  /** Of the client's resource, by which its generations are found. */
  readonly project: string;
  /** A program of the folder `interop/genai`, with its arguments, or a kind of calls of the one in Python. */
  readonly run: { readonly js: readonly string[] } | { readonly python: string };
  readonly ended: Readonly<Record<string, unknown>>;
  /** Of all of its generations. */
  readonly all: Row;
  /** The generations, in the order of the calls. */
  readonly rows: readonly Row[];
}

const { text } = ANSWER;
const ENDED = { whole: text, stream: text, tools: 'weather', failure: 'BadRequestError', embedding: 1 };
/** 80 tokens at 15 cents for a million, 20 at half of that, and 50 at 60. */
const COST = '0.0000435';
/** The same where nobody says that tokens were cached. */
const COST_UNCACHED = '0.000045';
const EMBEDDING_COST = '0.00000018';

const USED = { status: 'ok', input: 100, cached: 20, output: 50, reasoning: 10, cost: COST };
const UNDETAILED = { ...USED, cached: null, reasoning: null, cost: COST_UNCACHED };
const UNUSED = { input: null, cached: null, output: null, reasoning: null, cost: null };
const FAILED = { ...UNUSED, status: 'error', error_class: 'BadRequestError', model_used: '', answered: 0 };
const EMBEDDED = {
  ...UNUSED,
  status: 'ok',
  operation: 'embeddings',
  model_requested: 'text-embedding-3-small',
  input: 9,
  cost: EMBEDDING_COST,
};
const CHAT = { operation: 'chat', model_requested: 'gpt-4o-mini', model_used: 'gpt-4o-mini-2024-07-18' };

const CLIENTS: readonly Client[] = [
  {
    title: 'OpenAI for JavaScript with the instrumentation of OpenTelemetry',
    project: 'js-otel',
    run: { js: ['openai.cjs', 'otel'] },
    ended: ENDED,
    // It tells neither of cached tokens nor of streams, and of messages only as log records.
    all: { dialect: 'otel', provider: 'openai', streaming: null, asked: 0 },
    rows: [
      { ...CHAT, ...UNDETAILED, finish_reason: 'stop', answered: 1 },
      { ...CHAT, ...UNDETAILED, finish_reason: 'stop', answered: 1 },
      { ...CHAT, ...UNDETAILED, finish_reason: 'tool_calls', answered: 1 },
      { ...CHAT, ...FAILED },
      EMBEDDED,
    ],
  },
  {
    title: 'OpenAI for JavaScript with OpenInference',
    project: 'js-openinference',
    run: { js: ['openai.cjs', 'openinference'] },
    ended: { ...ENDED, responses: text },
    all: { dialect: 'openinference', provider: 'openai' },
    rows: [
      { ...CHAT, ...USED, finish_reason: 'stop', answered: 1, asked: 1 },
      // A stream has no usage with it, and only the name that was asked for.
      { ...CHAT, ...UNUSED, model_used: 'gpt-4o-mini', status: 'ok', streaming: 1, answered: 0, asked: 1 },
      { ...CHAT, ...USED, finish_reason: 'tool_calls', answered: 1, called: 1 },
      // The span of a call that fails is never ended.
      { ...EMBEDDED, input: null, cost: null },
      { ...CHAT, ...USED, answered: 1, asked: 1, said: 1 },
    ],
  },
  ...(['6', '7'] as const).map((version): Client => {
    // The seventh version writes the names of OpenTelemetry.
    const isOld = version === '6';
    const usage = isOld ? USED : { ...USED, reasoning: null };
    const failed = { ...FAILED, error_class: 'AI_APICallError' };
    return {
      title: `Vercel AI SDK ${version}`,
      project: `js-vercel-${version}`,
      run: { js: ['vercel.mjs', version] },
      ended: { ...ENDED, failure: 'AI_APICallError', embedding: 2, responses: text },
      all: isOld ? { dialect: 'vercel', user_id: 'user-7', session_id: 'session-7' } : { dialect: 'otel' },
      rows: [
        { ...CHAT, ...usage, finish_reason: 'stop', streaming: isOld ? 0 : null, answered: 1, asked: 1 },
        {
          ...CHAT,
          ...usage,
          finish_reason: 'stop',
          streaming: 1,
          first_token: 1,
          answered: 1,
          asked: 1,
        },
        { ...CHAT, ...usage, finish_reason: 'tool-calls', first_token: null, answered: 1, called: 1 },
        { ...CHAT, ...failed, asked: 1 },
        { ...CHAT, ...usage, finish_reason: 'stop', tier: isOld ? 'default' : '', answered: 1, asked: 1 },
        EMBEDDED,
      ],
    };
  }),
  {
    title: 'OpenAI for Python with OpenLLMetry',
    project: 'py-openllmetry',
    run: { python: 'openllmetry' },
    ended: { ...ENDED, responses: text },
    all: { dialect: 'openllmetry', provider: 'openai' },
    rows: [
      { ...CHAT, ...USED, finish_reason: 'stop', streaming: 0, tier: 'default', answered: 1, asked: 1 },
      {
        ...CHAT,
        ...USED,
        reasoning: null,
        finish_reason: 'stop',
        streaming: 1,
        first_token: 1,
        answered: 1,
        asked: 1,
      },
      { ...CHAT, ...USED, finish_reason: 'tool_call', streaming: 0, answered: 1, asked: 1, called: 1 },
      { ...CHAT, ...FAILED, streaming: 0, asked: 1 },
      { ...EMBEDDED, cached: 0 },
      { ...CHAT, ...USED, finish_reason: 'stop', streaming: 0, answered: 1, asked: 1 },
    ],
  },
  {
    title: 'OpenAI for Python with OpenInference',
    project: 'py-openinference',
    run: { python: 'openinference' },
    ended: { ...ENDED, responses: text },
    all: { dialect: 'openinference', provider: 'openai' },
    rows: [
      { ...CHAT, ...USED, finish_reason: 'stop', tier: 'default', answered: 1, asked: 1 },
      { ...CHAT, ...USED, finish_reason: 'stop', streaming: 1, first_token: 1, answered: 1, asked: 1 },
      { ...CHAT, ...USED, finish_reason: 'tool_calls', answered: 1, called: 1, asked: 1 },
      { ...CHAT, ...FAILED, error_class: 'openai.BadRequestError', asked: 1 },
      EMBEDDED,
      // Its input is counted from one, its output is in parts.
      { ...CHAT, ...USED, answered: 1, asked: 1, said: 1 },
    ],
  },
  {
    title: "OpenAI for Python with OpenTelemetry's own instrumentation",
    project: 'py-otel',
    run: { python: 'otel' },
    ended: { ...ENDED, responses: text },
    all: { dialect: 'otel', provider: 'openai', asked: 0 },
    rows: [
      { ...CHAT, ...UNDETAILED, finish_reason: 'stop', tier: 'default', answered: 1 },
      { ...CHAT, ...UNDETAILED, answered: 1 },
      { ...CHAT, ...UNDETAILED, finish_reason: 'tool_calls', answered: 1 },
      { ...CHAT, ...FAILED },
      EMBEDDED,
    ],
  },
  {
    title: "Anthropic for Python, whose SDK and OpenLLMetry's instrumentation tell of the same calls",
    project: 'py-anthropic',
    run: { python: 'anthropic' },
    ended: { whole: text, stream: text, tools: 'weather', failure: 'BadRequestError' },
    all: { provider: 'anthropic', operation: 'chat', model_requested: 'claude-sonnet-4-5' },
    rows: [
      ...[
        { finish_reason: 'end_turn' },
        { finish_reason: 'end_turn', streaming: 1, first_token: 1 },
        { finish_reason: 'tool_use' },
      ].map((row) => ({
        ...row,
        model_used: 'claude-sonnet-4-5',
        status: 'ok',
        http_status: 200,
        input: 100,
        cached: 30,
        written: 10,
        output: 50,
        // 60, 30 and 10 tokens at $3, $0.30 and $3.75 for a million, and 50 at $15.
        cost: '0.0009765',
        answered: 1,
      })),
      // Nothing tells that these two are one: there is no answer that had an id, and they are in two traces.
      { ...FAILED, dialect: 'openllmetry' },
      { ...FAILED, dialect: 'otel', error_class: 'invalid_request_error', http_status: 400 },
    ],
  },
  {
    title: 'LiteLLM with its own callback for OpenTelemetry',
    project: 'py-litellm',
    run: { python: 'litellm' },
    ended: { whole: text, stream: text, tools: 'weather', failure: 'BadRequestError' },
    all: { dialect: 'openllmetry', user_id: 'user-7', asked: 0 },
    rows: [
      // It writes the details of the usage as Python does, which nobody can read; its own cost knows them.
      { ...CHAT, ...UNDETAILED, streaming: 0, tier: 'default', client_cost: COST, answered: 1 },
      { ...CHAT, ...UNDETAILED, model_used: 'gpt-4o-mini', streaming: 1, client_cost: COST, answered: 1 },
      { ...CHAT, ...UNDETAILED, streaming: 0, client_cost: COST, answered: 1 },
      { ...CHAT, ...FAILED, streaming: 0, answered: 1 },
    ],
  },
];

const COLUMNS = `dialect, operation, provider, model_requested, model_used, toInt64(input_tokens) AS input,
  toInt64(cache_read_tokens) AS cached, toInt64(cache_write_tokens) AS written, toInt64(output_tokens) AS output,
  toInt64(reasoning_tokens) AS reasoning, toUInt8(streaming) AS streaming, time_to_first_token_ms > 20 AS first_token, status,
  http_status, error_class, finish_reason, tier, user_id, session_id, toString(cost) AS cost, toString(client_cost) AS client_cost,
  length(response_id) > 20 AS answered, prompt != '' AS asked,
  prompt LIKE '%"user"%responses%' AND completion LIKE '%[{"type":"%text","text":"Hello there"}]%' AS said,
  JSONExtractString(tool_calls, 1, 'name') = 'weather' AND JSONExtractString(tool_calls, 1, 'arguments') = '{"city":"Berlin"}' AS called`;

/** Embeddings last. */
const ORDER = "operation = 'embeddings', time";

let server: Server;
let model: ModelProvider;
let folder: string;
let python: string;

beforeAll(async () => {
  [server, model, folder, python] = await Promise.all([
    startServer(),
    modelProvider(),
    nodeEnvironment('genai'),
    pythonEnvironment('genai').then((programs) => join(programs, 'python')),
  ]);
}, INSTALL_MS);

afterAll(async () => {
  await model?.close();
  await server?.stop();
});
showLogsOfFailures(() => server);

async function runClient({ run }: Client): Promise<unknown> {
  const otlp = `http://127.0.0.1:${server.ports.otlpHttp}`;
  const [program, args] =
    'js' in run
      ? [process.execPath, [join(folder, run.js[0] ?? ''), ...run.js.slice(1)]]
      : [python, [PROGRAM, run.python]];
  const output = await runProgram(program, [...args, otlp, model.url], { timeoutMs: RUN_MS });
  return JSON.parse(output.trim().split('\n').at(-1) ?? '');
}

describe.each(CLIENTS)('$title', (client) => {
  it('reports each call once, with what it took and what it cost', { timeout: RUN_MS }, async () => {
    expect(await runClient(client)).toEqual(client.ended);
    const query = `SELECT ${COLUMNS} FROM generations WHERE project_name = '${client.project}' ORDER BY ${ORDER}`;
    const rows = await server.rows(query, client.rows.length);
    const [calls = [], embeddings = []] = [false, true].map((isLast) =>
      client.rows.filter((row) => (row['operation'] === 'embeddings') === isLast),
    );
    expect(rows).toMatchObject([...calls, ...embeddings].map((row) => ({ ...client.all, ...row })));
  });
});
