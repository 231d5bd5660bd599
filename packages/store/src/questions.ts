/**
 * Asks over ClickHouse's HTTP interface and hands on the bytes of the answer (https://clickhouse.com/docs/interfaces/http). Beside
 * @clickhouse/client, which is made for rows: on the way of users' queries its streams around a text of some hundred bytes took as
 * much processor time as all else that is done for a small answer.
 *
 * Must stay true: what goes wrong rejects as it would from the client, with the engine's exception where there is one. A question
 * that is given up before its answer began ends at the engine; later, whoever has the stream ends it by destroying that.
 */

import type { Agent, ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { text } from 'node:stream/consumers';
import { parseError } from '@clickhouse/client';
import { nodeHttp } from '@glasshouse/model';
import type { Login, Target } from './target.ts';

interface Question {
  readonly sql: string;
  /** Settings, the database, the query's id. */
  readonly search: Readonly<Record<string, string | number>>;
  readonly signal: AbortSignal | undefined;
}

interface QuestionsOptions {
  readonly maxConnections: number;
  /** The longest time in which nothing comes, in ms. */
  readonly timeoutMs: number;
}

/** A server closes idle connections after some seconds; before that they are closed here, lest a question meets it. */
const IDLE_MS = 2_500;

export class Questions {
  private readonly begin: (options: RequestOptions) => ClientRequest;
  private readonly agent: Agent;
  private readonly options: RequestOptions;

  constructor(target: Target, { user, password }: Login, { maxConnections, timeoutMs }: QuestionsOptions) {
    const { protocol, hostname, port } = new URL(target.url);
    const isSecure = protocol === 'https:';
    const limits = { keepAlive: true, maxSockets: maxConnections, timeout: IDLE_MS };
    this.begin = isSecure ? requestHttps : nodeHttp.request;
    this.agent = target.makeAgent?.() ?? (isSecure ? new HttpsAgent(limits) : new nodeHttp.Agent(limits));
    this.options = {
      agent: this.agent,
      method: 'POST',
      // In a URL an address of IPv6 stands in brackets.
      hostname: hostname.replaceAll(/[[\]]/gu, ''),
      ...(port === '' ? {} : { port }),
      headers: { Authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` },
      timeout: timeoutMs,
    };
  }

  /** Resolves when the head of the answer is there. Rejects with an exception of the engine, or for what hinders asking. */
  ask({ sql, search, signal }: Question): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(givenUp());
      const path = `/?${Object.entries(search).map(pair).join('&')}`;
      const request = this.begin({ ...this.options, path });
      const onAbort = (): void => void request.destroy(givenUp());
      signal?.addEventListener('abort', onAbort);
      const answered = (): void => signal?.removeEventListener('abort', onAbort);
      request.on('timeout', () => request.destroy(new Error('Timeout error.')));
      request.on('error', (error) => {
        answered();
        reject(error);
      });
      request.on('response', (response) => {
        answered();
        if (response.statusCode === 200 && response.headers['x-clickhouse-exception-code'] === undefined)
          return resolve(response);
        text(response).then((said) => reject(parseError(said)), reject);
      });
      request.end(sql);
    });
  }

  /** Ends the connections. */
  close(): void {
    this.agent.destroy();
  }
}

/** Texts as values of parameters, escaped as in TSV. */
export function paramSettings(params: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(params).map(([name, value]) => [
      `param_${name}`,
      value.replaceAll(/[\\\t\n\r\0]/gu, (char) => ESCAPES[char] as string),
    ]),
  );
}

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r', '\0': '\\0' };

/** What is no text of Unicode would have no address either. */
function pair([name, value]: [string, string | number]): string {
  return `${encodeURIComponent(name)}=${encodeURIComponent(String(value).toWellFormed())}`;
}

function givenUp(): Error {
  return new Error('The user aborted a request.');
}
