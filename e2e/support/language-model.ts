/**
 * A language model's HTTP interface, in the shape that OpenAI gave it: the same short answer to everything, whole or in
 * pieces, and an error to whoever asks for one. The server under test never sees it; the clients that report to it do.
 */

import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What every answer says, and what it cost. */
export const MODEL_ANSWER = { text: 'Hello', usage: { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 } };
const ID = 'chatcmpl-e2e';

export interface LanguageModel {
  /** Base of the interface, up to `/v1`. */
  readonly url: string;
  close(): Promise<void>;
}

/** Starts the interface on a free port. A message that contains `fail` is refused. */
export async function languageModel(): Promise<LanguageModel> {
  const server = createServer((request, response) => {
    void readBody(request).then((body) => answer(JSON.parse(body) as Wish, response));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/v1`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

interface Wish {
  readonly model: string;
  readonly stream?: boolean;
  readonly messages: readonly { readonly content: string }[];
}

async function readBody(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request.setEncoding('utf8')) body += String(chunk);
  return body;
}

function answer({ model, stream, messages }: Wish, response: ServerResponse): void {
  const { text, usage } = MODEL_ANSWER;
  const base = { id: ID, created: 1_760_000_000, model };
  const json = (status: number, body: unknown): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
  if (messages.some(({ content }) => content.includes('fail'))) {
    json(400, { error: { message: 'refused, as asked', type: 'invalid_request_error', code: 'refused' } });
    return;
  }
  if (stream !== true) {
    const message = { role: 'assistant', content: text };
    json(200, { ...base, object: 'chat.completion', choices: [{ index: 0, message, finish_reason: 'stop' }], usage });
    return;
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const send = (part: object): void => {
    response.write(`data: ${JSON.stringify({ ...base, object: 'chat.completion.chunk', ...part })}\n\n`);
  };
  const middle = Math.ceil(text.length / 2);
  for (const content of [text.slice(0, middle), text.slice(middle)]) {
    send({ choices: [{ index: 0, delta: { role: 'assistant', content }, finish_reason: null }] });
  }
  send({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] });
  send({ choices: [], usage });
  response.end('data: [DONE]\n\n');
}
