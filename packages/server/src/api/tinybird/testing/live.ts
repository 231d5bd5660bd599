/** A server under load: data sources and pipes made over HTTP, and events that keep coming while something else goes on. */

import { setTimeout as pause } from 'node:timers/promises';
import type { Answer, CallOptions, TestServer } from './server.ts';

type Json = Readonly<Record<string, unknown>>;

/** Columns of the events that `sending` sends. */
export const EVENT_SCHEMA = '`id` UInt64 `json:$.id`, `k` String `json:$.k`';

interface Sending {
  /** Sends no more; then resolves with the id behind the last, when everything before it is in the table. */
  stop(): Promise<number>;
}

interface Live {
  /** Makes a data source; `engine` has fields such as `engine_sorting_key`. */
  readonly source: (name: string, schema: string, engine?: Readonly<Record<string, string>>) => Promise<void>;
  /** Makes a pipe; resolves with the answer. */
  readonly pipe: (name: string, nodes: readonly Json[], query?: string) => Promise<Json>;
  /** The job of an answer, when it has ended. */
  readonly ended: (answer: Json) => Promise<Json>;
  /** Sends events, each with the next id, a batch every few milliseconds. */
  readonly sending: (name: string, from?: number) => Sending;
}

const BATCH = 50;

/** With the token of a workspace, else as the default one's administrator. */
export function live(server: () => TestServer, token?: () => string): Live {
  const call = (request: string, options: CallOptions = {}): Promise<Answer> =>
    server().call(request, { ...(token === undefined ? {} : { token: token() }), ...options });
  return {
    source: async (name, schema, engine = {}) => {
      const body = new URLSearchParams({ name, schema, format: 'ndjson', ...engine });
      const answer = await call('POST /v0/datasources', { body });
      if (answer.status !== 200) throw new Error(`cannot make ${name}: ${answer.text}`);
    },
    pipe: async (name, nodes, query = '') => {
      const answer = await call(`POST /v0/pipes?force=true${query}`, {
        body: JSON.stringify({ name, nodes }),
        headers: { 'content-type': 'application/json' },
      });
      if (answer.status !== 200) throw new Error(`cannot make ${name}: ${answer.text}`);
      return answer.json;
    },
    ended: (answer) => server().ended(String((answer['job'] as Json)['id'])),
    sending: (name, from = 0) => {
      const sender = { on: true };
      let sent = from;
      const run = async (): Promise<void> => {
        while (sender.on) {
          const first = sent;
          sent += BATCH;
          const rows = Array.from({ length: BATCH }, (_, index) => ({ id: first + index, k: `k${index % 7}` }));
          const body = rows.map((row) => JSON.stringify(row)).join('\n');
          const { status, text } = await call(`POST /v0/events?name=${name}`, { body });
          if (status !== 202) throw new Error(`cannot send: ${status} ${text}`);
          await pause(5);
        }
      };
      const running = run();
      return {
        stop: async () => {
          sender.on = false;
          await running;
          // One more that waits for the table: what came before is there then.
          const body = JSON.stringify({ id: sent, k: 'last' });
          const { status, text } = await call(`POST /v0/events?name=${name}&wait=true`, { body });
          if (status !== 200) throw new Error(`cannot send the last event: ${status} ${text}`);
          return sent + 1;
        },
      };
    },
  };
}
