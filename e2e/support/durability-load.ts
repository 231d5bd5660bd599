/**
 * A load whose every batch can be found again: the trace ids begin with the batch's number, the spans of a batch fall on two
 * days, and it is remembered which batches were acknowledged. The check compares that with what SQL says.
 *
 * Must stay true: a batch is sent once, so it may be stored once at most, acknowledged or not.
 */

import { Agent, request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import type { KillableServer } from './durability-server.ts';

/** What became of a batch, as its sender knows it. */
type Fate = 'acked' | 'refused' | 'unknown';

interface Batch {
  readonly spans: number;
  fate: Fate;
}

/** What the table holds, compared with what was sent. */
export interface Verdict {
  readonly acked: number;
  readonly refused: number;
  readonly unknown: number;
  /** Acknowledged batches of which nothing is there. */
  readonly lost: number;
  /** Batches of which a span is there more than once. */
  readonly doubled: number;
  /** Batches of which some spans are there and some are not. */
  readonly partial: number;
  /** Batches that were not acknowledged, but are there. */
  readonly storedUnacked: number;
  /** Batches that nobody sent. */
  readonly strange: number;
}

const DAY_MS = 86_400_000;
const CONNECTIONS = 6;

export class Load {
  /** How often each status was answered; 0 stands for no answer. */
  readonly statuses = new Map<number, number>();
  readonly #batches: Batch[] = [];
  #running: Promise<unknown> | undefined;
  #isStopping = false;

  /** Sends to the server until `stop`, each connection one request at a time with `pauseMs` between. */
  start(server: KillableServer, pauseMs: number, mostSpans = 512): void {
    this.#isStopping = false;
    const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
    const workers = Array.from({ length: CONNECTIONS }, async () => {
      while (!this.#isStopping) {
        await this.#sendOne(server.port, agent, mostSpans);
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

  async #sendOne(port: number, agent: Agent, mostSpans: number): Promise<void> {
    const spans = Math.min(64, mostSpans) + Math.floor(Math.random() * (mostSpans - Math.min(64, mostSpans) + 1));
    const batch: Batch = { spans, fate: 'unknown' };
    const number = this.#batches.push(batch) - 1;
    const status = await post(port, agent, encodeBatch(number, spans));
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
    if (status === 200) batch.fate = 'acked';
    else if (status !== 0) batch.fate = 'refused';
    // A server that is gone refuses connections at once; there is nothing to gain from asking it all the time.
    if (status === 0) await pause(20);
  }

  /** Compares everything that was ever sent with what the server answers. */
  async verify(server: KillableServer): Promise<Verdict> {
    const rows = await server.sql<{ batch: string; count: number; spans: number }>(
      `SELECT substring(trace_id, 1, 16) AS batch, toUInt32(count()) AS count, toUInt32(uniqExact(span_id)) AS spans
       FROM spans WHERE service_name = 'durability' GROUP BY batch`,
    );
    const found = new Map(rows.map((row) => [Number.parseInt(row.batch, 16), row]));
    const verdict = { acked: 0, refused: 0, unknown: 0, lost: 0, doubled: 0, partial: 0, storedUnacked: 0, strange: 0 };
    for (const [number, { spans, fate }] of this.#batches.entries()) {
      const row = found.get(number);
      found.delete(number);
      verdict[fate]++;
      if (row === undefined) {
        if (fate === 'acked') verdict.lost++;
        continue;
      }
      if (fate !== 'acked') verdict.storedUnacked++;
      if (row.count > row.spans) verdict.doubled++;
      if (row.spans < spans) verdict.partial++;
    }
    return { ...verdict, strange: found.size };
  }
}

/** Resolves with the status, or 0 if there was no answer. */
function post(port: number, agent: Agent, body: Buffer): Promise<number> {
  return new Promise((resolve) => {
    const headers = { 'Content-Type': 'application/x-protobuf', 'Content-Length': body.length };
    const options = { host: '127.0.0.1', port, path: '/v1/traces', method: 'POST', agent, headers, timeout: 30_000 };
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

/** An ExportTraceServiceRequest (opentelemetry/proto/collector/trace/v1) with the spans of one batch. */
function encodeBatch(number: number, spans: number): Buffer {
  const nowMs = Date.now();
  const all = Array.from({ length: spans }, (_, index) => {
    const traceId = Buffer.alloc(16, 0x11);
    traceId.writeBigUInt64BE(BigInt(number));
    const spanId = Buffer.alloc(8);
    spanId.writeUInt32BE(index + 1, 4);
    const startMs = nowMs - (Math.random() < 0.5 ? DAY_MS : 0);
    const attribute = field(9, Buffer.concat([field(1, 'http.route'), field(2, field(1, `/route/${index % 17}`))]));
    const name = field(5, `operation ${index % 29}`);
    return field(
      2,
      Buffer.concat([field(1, traceId), field(2, spanId), name, time(7, startMs), time(8, startMs + 5), attribute]),
    );
  });
  const service = field(1, Buffer.concat([field(1, 'service.name'), field(2, field(1, 'durability'))]));
  return field(1, Buffer.concat([field(1, service), field(2, Buffer.concat(all))]));
}

function field(number: number, value: Buffer | string): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes]);
}

function time(number: number, ms: number): Buffer {
  const bytes = Buffer.alloc(9);
  bytes[0] = number * 8 + 1;
  bytes.writeBigUInt64LE(BigInt(ms) * 1_000_000n, 1);
  return bytes;
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return Buffer.from([...bytes, rest]);
}
