/**
 * What providers of language models serve, for the clients that report to the server under test: OpenAI's chat, responses and
 * embeddings and Anthropic's messages, whole and in pieces. Whoever sends tools is asked to call the first, and a message that
 * says `fail` is refused.
 *
 * Must stay true: every answer has an id of its own, as the providers' have, and the same usage.
 */

import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What every answer says, and what it took. Cached tokens and those of thinking are parts of their totals. */
export const ANSWER = { text: 'Hello there', input: 100, cached: 20, output: 50, thinking: 10, total: 150 };
const TOOL_ARGUMENTS = '{"city":"Berlin"}';
/** Anthropic's input is without what was read from the cache or written to it. */
const ANTHROPIC_USAGE = {
  input_tokens: 60,
  cache_read_input_tokens: 30,
  cache_creation_input_tokens: 10,
  output_tokens: 50,
};
const FIRST_PART_MS = 30;

export interface ModelProvider {
  /** Base of both interfaces, without `/v1`. */
  readonly url: string;
  close(): Promise<void>;
}

interface Wish {
  readonly model: string;
  readonly stream?: boolean;
  readonly stream_options?: { readonly include_usage?: boolean };
  readonly tools?: readonly { readonly name?: string; readonly function?: { readonly name: string } }[];
}

/** An answer: a body, or the parts of a stream, each with the name of its event if it has one. */
type Reply = object | readonly (readonly [event: string, data: object | string])[];

/** Starts the interfaces on a free port. */
export async function modelProvider(): Promise<ModelProvider> {
  let answers = 0;
  const server = createServer((request, response) => {
    void readBody(request).then(async (body) => {
      if (body.includes('fail')) {
        const error = { message: 'refused, as asked', type: 'invalid_request_error', code: 'refused', param: null };
        json(response, 400, { type: 'error', error });
        return;
      }
      const wish = JSON.parse(body) as Wish;
      const reply = replyTo(request.url ?? '', wish, (++answers).toString().padStart(24, '0'));
      if (reply === undefined) json(response, 404, { error: { message: `no such path: ${request.url}` } });
      else if (Array.isArray(reply)) await stream(response, reply as Extract<Reply, readonly unknown[]>);
      else json(response, 200, reply);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function replyTo(path: string, wish: Wish, nth: string): Reply | undefined {
  if (path.endsWith('/chat/completions')) return wish.stream === true ? chatParts(wish, nth) : chat(wish, nth);
  if (path.endsWith('/responses')) return wish.stream === true ? responseParts(wish, nth) : response(wish, nth);
  if (path.endsWith('/messages')) return wish.stream === true ? messageParts(wish, nth) : message(wish, nth);
  if (path.endsWith('/embeddings')) {
    const data = [{ object: 'embedding', index: 0, embedding: [0.25, 0.5] }];
    return { object: 'list', model: wish.model, data, usage: { prompt_tokens: 9, total_tokens: 9 } };
  }
  return undefined;
}

const CHAT_USAGE = {
  prompt_tokens: ANSWER.input,
  completion_tokens: ANSWER.output,
  total_tokens: ANSWER.total,
  prompt_tokens_details: { cached_tokens: ANSWER.cached },
  completion_tokens_details: { reasoning_tokens: ANSWER.thinking },
};
const RESPONSE_USAGE = {
  input_tokens: ANSWER.input,
  input_tokens_details: { cached_tokens: ANSWER.cached },
  output_tokens: ANSWER.output,
  output_tokens_details: { reasoning_tokens: ANSWER.thinking },
  total_tokens: ANSWER.total,
};

const toolOf = ({ tools }: Wish): string | undefined => tools?.[0]?.function?.name ?? tools?.[0]?.name;
/** The dated name with which providers answer. */
const dated = ({ model }: Wish): string => (model === 'gpt-4o-mini' ? 'gpt-4o-mini-2024-07-18' : model);

function chat(wish: Wish, nth: string): object {
  const tool = toolOf(wish);
  const call = { id: `call_${nth}`, type: 'function', function: { name: tool, arguments: TOOL_ARGUMENTS } };
  const said =
    tool === undefined
      ? { role: 'assistant', content: ANSWER.text, refusal: null }
      : { role: 'assistant', content: null, tool_calls: [call] };
  return {
    id: `chatcmpl-${nth}`,
    object: 'chat.completion',
    created: 1_760_000_000,
    model: dated(wish),
    service_tier: 'default',
    system_fingerprint: 'fp_1',
    choices: [{ index: 0, message: said, logprobs: null, finish_reason: tool === undefined ? 'stop' : 'tool_calls' }],
    usage: CHAT_USAGE,
  };
}

function chatParts(wish: Wish, nth: string): Reply {
  const tool = toolOf(wish);
  const base = { id: `chatcmpl-${nth}`, object: 'chat.completion.chunk', created: 1_760_000_000, model: dated(wish) };
  const part = (delta: object, finish_reason: string | null = null): readonly [string, object] => [
    '',
    { ...base, choices: [{ index: 0, delta, finish_reason }] },
  ];
  const call = (content: object): object => ({ tool_calls: [{ index: 0, ...content }] });
  const parts =
    tool === undefined
      ? [part({ role: 'assistant', content: 'Hello' }), part({ content: ' there' }), part({}, 'stop')]
      : [
          part({ role: 'assistant', content: null }),
          part(call({ id: `call_${nth}`, type: 'function', function: { name: tool, arguments: '' } })),
          part(call({ function: { arguments: TOOL_ARGUMENTS } })),
          part({}, 'tool_calls'),
        ];
  const usage: readonly (readonly [string, object])[] =
    wish.stream_options?.include_usage === true ? [['', { ...base, choices: [], usage: CHAT_USAGE }]] : [];
  return [...parts, ...usage, ['', '[DONE]']];
}

function response(wish: Wish, nth: string): object {
  const tool = toolOf(wish);
  const item =
    tool === undefined
      ? {
          type: 'message',
          id: `msg_${nth}`,
          status: 'completed',
          role: 'assistant',
          content: [{ type: 'output_text', text: ANSWER.text, annotations: [] }],
        }
      : {
          type: 'function_call',
          id: `fc_${nth}`,
          call_id: `call_${nth}`,
          name: tool,
          arguments: TOOL_ARGUMENTS,
          status: 'completed',
        };
  return {
    id: `resp_${nth}`,
    object: 'response',
    created_at: 1_760_000_000,
    status: 'completed',
    error: null,
    incomplete_details: null,
    instructions: null,
    model: dated(wish),
    output: [item],
    parallel_tool_calls: true,
    service_tier: 'default',
    tool_choice: 'auto',
    tools: wish.tools ?? [],
    usage: RESPONSE_USAGE,
  };
}

function responseParts(wish: Wish, nth: string): Reply {
  const whole = response({ ...wish, stream: false }, nth) as { readonly output: readonly object[] };
  const [item = {}] = whole.output;
  const empty = { ...whole, status: 'in_progress', output: [], usage: null };
  const events: object[] = [
    { type: 'response.created', response: empty },
    { type: 'response.output_item.added', output_index: 0, item: { ...item, content: [], status: 'in_progress' } },
    ...(toolOf(wish) === undefined
      ? ['Hello', ' there'].map((delta) => ({
          type: 'response.output_text.delta',
          item_id: `msg_${nth}`,
          output_index: 0,
          content_index: 0,
          delta,
        }))
      : []),
    { type: 'response.output_item.done', output_index: 0, item },
    { type: 'response.completed', response: whole },
  ];
  return events.map((event, sequence_number) => [(event as { type: string }).type, { ...event, sequence_number }]);
}

function message(wish: Wish, nth: string): object {
  const tool = toolOf(wish);
  return {
    id: `msg_${nth}`,
    type: 'message',
    role: 'assistant',
    model: wish.model,
    content: [
      tool === undefined
        ? { type: 'text', text: ANSWER.text }
        : { type: 'tool_use', id: `toolu_${nth}`, name: tool, input: JSON.parse(TOOL_ARGUMENTS) as unknown },
    ],
    stop_reason: tool === undefined ? 'end_turn' : 'tool_use',
    stop_sequence: null,
    usage: ANTHROPIC_USAGE,
  };
}

function messageParts(wish: Wish, nth: string): Reply {
  const tool = toolOf(wish);
  const block = { type: 'content_block_delta', index: 0 };
  const events: object[] = [
    {
      type: 'message_start',
      message: {
        ...message(wish, nth),
        content: [],
        stop_reason: null,
        usage: { ...ANTHROPIC_USAGE, output_tokens: 1 },
      },
    },
    {
      type: 'content_block_start',
      index: 0,
      content_block:
        tool === undefined
          ? { type: 'text', text: '' }
          : { type: 'tool_use', id: `toolu_${nth}`, name: tool, input: {} },
    },
    ...(tool === undefined
      ? ['Hello', ' there'].map((text) => ({ ...block, delta: { type: 'text_delta', text } }))
      : [{ ...block, delta: { type: 'input_json_delta', partial_json: TOOL_ARGUMENTS } }]),
    { type: 'content_block_stop', index: 0 },
    {
      type: 'message_delta',
      delta: { stop_reason: tool === undefined ? 'end_turn' : 'tool_use', stop_sequence: null },
      usage: { output_tokens: ANTHROPIC_USAGE.output_tokens },
    },
    { type: 'message_stop' },
  ];
  return events.map((event) => [(event as { type: string }).type, event]);
}

async function readBody(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request.setEncoding('utf8')) body += String(chunk);
  return body;
}

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

async function stream(response: ServerResponse, parts: Extract<Reply, readonly unknown[]>): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  // The first part takes its time, so that there is one to the first token.
  await new Promise((resolve) => setTimeout(resolve, FIRST_PART_MS));
  for (const [event, data] of parts) {
    const name = event === '' ? '' : `event: ${event}\n`;
    response.write(`${name}data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`);
  }
  response.end();
}
