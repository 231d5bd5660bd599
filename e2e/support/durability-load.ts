/**
 * A load whose every batch can be found again by its number, and of which it is remembered which batches were acknowledged.
 * The check compares that with what SQL says.
 *
 * Must stay true: a batch is sent once, so it may be stored once at most, acknowledged or not.
 */

import { Agent, request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import type { KillableServer } from './durability-server.ts';

/** What became of a batch, as its sender knows it. */
type Fate = 'acked' | 'refused' | 'unknown';

/** What is sent, and how it is found again. */
export interface Kind {
  readonly path: string;
  readonly contentType: string;
  /** The body of a batch of so many items. */
  encode(number: number, items: number): Buffer;
  /** SELECT of `batch` (its number, in hex), `count` (rows of it) and `items` (different ones among them). */
  readonly sql: string;
}

interface Batch {
  readonly items: number;
  fate: Fate;
}

/** What the table holds, compared with what was sent. */
export interface Verdict {
  readonly acked: number;
  readonly refused: number;
  readonly unknown: number;
  /** Acknowledged batches of which nothing is there. */
  readonly lost: number;
  /** Batches of which an item is there more than once. */
  readonly doubled: number;
  /** Batches of which some items are there and some are not. */
  readonly partial: number;
  /** Batches that were not acknowledged, but are there. */
  readonly storedUnacked: number;
  /** Batches that nobody sent. */
  readonly strange: number;
}

const CONNECTIONS = 6;

export class Load {
  /** How often each status was answered; 0 stands for no answer. */
  readonly statuses = new Map<number, number>();
  readonly #kind: Kind;
  readonly #batches: Batch[] = [];
  #running: Promise<unknown> | undefined;
  #isStopping = false;

  constructor(kind: Kind) {
    this.#kind = kind;
  }

  /** Sends to the server until `stop`, each connection one request at a time with `pauseMs` between. */
  start(server: KillableServer, pauseMs: number, mostItems = 512): void {
    this.#isStopping = false;
    const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
    const workers = Array.from({ length: CONNECTIONS }, async () => {
      while (!this.#isStopping) {
        await this.#sendOne(server.port, agent, mostItems);
        await pause(pauseMs * 2 * Math.random());
      }
    });
    this.#running = Promise.all(workers).finally(() => agent.destroy());
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#running;
  }

  /** Batches acknowledged up to now. */
  get acked(): number {
    return this.#batches.filter(({ fate }) => fate === 'acked').length;
  }

  async #sendOne(port: number, agent: Agent, mostItems: number): Promise<void> {
    const items = Math.min(64, mostItems) + Math.floor(Math.random() * (mostItems - Math.min(64, mostItems) + 1));
    const batch: Batch = { items, fate: 'unknown' };
    const number = this.#batches.push(batch) - 1;
    const status = await post(port, agent, this.#kind, this.#kind.encode(number, items));
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
    if (status === 200 || status === 202) batch.fate = 'acked';
    else if (status !== 0) batch.fate = 'refused';
    // A server that is gone refuses connections at once; there is nothing to gain from asking it all the time.
    if (status === 0) await pause(20);
  }

  /** Compares everything that was ever sent with what the server answers. */
  async verify(server: KillableServer): Promise<Verdict> {
    const rows = await server.sql<{ batch: string; count: number; items: number }>(this.#kind.sql);
    const found = new Map(rows.map((row) => [Number.parseInt(row.batch, 16), row]));
    const verdict = { acked: 0, refused: 0, unknown: 0, lost: 0, doubled: 0, partial: 0, storedUnacked: 0, strange: 0 };
    for (const [number, { items, fate }] of this.#batches.entries()) {
      const row = found.get(number);
      found.delete(number);
      verdict[fate]++;
      if (row === undefined) {
        if (fate === 'acked') verdict.lost++;
        continue;
      }
      if (fate !== 'acked') verdict.storedUnacked++;
      if (row.count > row.items) verdict.doubled++;
      if (row.items < items) verdict.partial++;
    }
    return { ...verdict, strange: found.size };
  }
}

/** Resolves with the status, or 0 if there was no answer. */
function post(port: number, agent: Agent, { path, contentType }: Kind, body: Buffer): Promise<number> {
  return new Promise((resolve) => {
    const headers = { 'Content-Type': contentType, 'Content-Length': body.length };
    const options = { host: '127.0.0.1', port, path, method: 'POST', agent, headers, timeout: 30_000 };
    const outgoing = request(options, (response) => {
      response.on('error', () => resolve(0));
      response.on('end', () => resolve(response.statusCode ?? 0));
      response.resume();
    });
    outgoing.on('timeout', () => outgoing.destroy());
    outgoing.on('error', () => resolve(0));
    outgoing.end(body);
  });
}
