/**
 * The load generator process: sends OTLP requests over a few connections, either each as soon as the last one was answered
 * (closed loop: how much can it take) or at fixed times whatever the answers do (open loop: how long does one wait).
 *
 * Must stay true: in an open loop the latency counts from when the request was to be sent, so that a stall of the server is
 * seen by every request that would have been sent in it.
 */

import { Connection } from './connection.ts';
import { Histogram } from './histogram.ts';
import type { FromLoad, LoadJob, LoadReport } from './job.ts';
import type { Template } from './workload.ts';
import { EVENTS_TABLE, makeEventTemplates } from './event-workload.ts';
import { GENERATIONS_TABLE, makeGenerationTemplates } from './generation-workload.ts';
import { makeTemplates } from './workload.ts';

const LATE_MS = 5;
/** A server that says no is asked again after this, as a patient client would. */
const PAUSE_MS = 100;

const PATHS: Readonly<Record<Exclude<LoadJob['signal'], 'endpoint'>, string>> = {
  traces: '/v1/traces',
  calls: '/v1/traces',
  logs: '/v1/logs',
  events: `/v0/events?name=${EVENTS_TABLE}`,
  generations: `/v0/events?name=${GENERATIONS_TABLE}`,
  alone: '/v0/events?name=generations',
};

/** Their answers have a body only if something was not taken. */
const OTLP: ReadonlySet<LoadJob['signal']> = new Set(['traces', 'calls', 'logs']);

class Load {
  private readonly job: LoadJob;
  private readonly connections: Connection[];
  private readonly idle: Connection[];
  private readonly templates: Template[];
  private readonly heads: Buffer[] = [];
  private readonly histogram = new Histogram();
  private readonly statuses: Record<string, number> = {};
  private readonly traceIds: string[] = [];
  private readonly done = Promise.withResolvers<void>();
  private readonly endMs: number;
  private sent = 0;
  private outstanding = 0;
  private accepted = 0;
  private bytes = 0;
  private late = 0;
  private startedMs = 0;
  private ended = false;

  constructor(job: LoadJob) {
    this.job = job;
    this.connections = Array.from({ length: job.connections }, () => new Connection(job.port));
    this.idle = [...this.connections];
    // A template is in use until its answer is there.
    const count = Math.max(job.templates, job.connections + 1);
    this.templates = templatesOf(job, count);
    for (const template of this.templates) this.heads.push(this.putHead(template));
    this.endMs = (job.seconds ?? Infinity) * 1000;
  }

  async run(onBegun: () => void): Promise<LoadReport> {
    await Promise.all(this.connections.map((connection) => connection.open()));
    onBegun();
    const cpu = process.cpuUsage();
    this.startedMs = performance.now();
    if (this.job.rate === undefined) for (const connection of this.connections) this.next(connection);
    else this.tick((1000 * (this.templates[0]?.items ?? 1)) / this.job.rate, 0);
    await this.done.promise;
    const seconds = (performance.now() - this.startedMs) / 1000;
    for (const connection of this.connections) connection.close();
    const { user, system } = process.cpuUsage(cpu);
    const { accepted, sent: requests, bytes, statuses, late, traceIds } = this;
    const latency = this.histogram.summary();
    return { seconds, accepted, requests, bytes, statuses, late, latency, cpuSeconds: (user + system) / 1e6, traceIds };
  }

  /** Puts the request line and headers right before the body; returns all bytes to send. */
  private putHead({ buffer, bodyStart }: Template): Buffer {
    const { signal } = this.job;
    if (signal === 'endpoint') return buffer;
    const head = Buffer.from(
      `POST ${PATHS[signal]} HTTP/1.1\r\nhost: 127.0.0.1:${this.job.port}\r\n` +
        `content-type: ${OTLP.has(signal) ? 'application/x-protobuf' : 'application/x-ndjson'}\r\n` +
        `content-length: ${buffer.length - bodyStart}\r\n\r\n`,
    );
    head.copy(buffer, bodyStart - head.length);
    return buffer.subarray(bodyStart - head.length);
  }

  /** Closed loop: the next request of this connection, or the end. */
  private next(connection: Connection): void {
    if (this.isOver()) this.settle();
    else this.send(connection, performance.now(), () => this.next(connection));
  }

  /** Open loop: sends what is due, then sleeps until the next request is. */
  private tick(intervalMs: number, due: number): void {
    if (this.isOver()) return this.settle();
    const elapsed = performance.now() - this.startedMs;
    while (due * intervalMs <= elapsed && !this.isOver()) {
      const connection = this.idle.pop();
      if (connection === undefined) break;
      const intended = this.startedMs + due * intervalMs;
      if (elapsed - due * intervalMs > LATE_MS) this.late++;
      this.send(connection, intended, () => {
        this.idle.push(connection);
        this.settle();
      });
      due++;
    }
    setTimeout(() => this.tick(intervalMs, due), Math.max(1, due * intervalMs - (performance.now() - this.startedMs)));
  }

  private isOver(): boolean {
    this.ended ||= performance.now() - this.startedMs >= this.endMs || this.sent >= (this.job.requests ?? Infinity);
    return this.ended;
  }

  private settle(): void {
    if (this.ended && this.outstanding === 0) this.done.resolve();
  }

  private send(connection: Connection, intendedMs: number, then: () => void): void {
    const template = this.templates.shift();
    const bytes = this.heads.shift();
    if (template === undefined || bytes === undefined) throw new Error('BUG: fewer templates than connections');
    template.refresh(this.timeOf(this.sent));
    this.sample(template);
    this.sent++;
    this.outstanding++;
    connection.send(bytes, (status, bodyBytes) => {
      this.histogram.record(performance.now() - intendedMs);
      this.templates.push(template);
      this.heads.push(bytes);
      this.count(status, bodyBytes, template, bytes.length);
      this.outstanding--;
      if (isTaken(status)) then();
      else setTimeout(then, PAUSE_MS);
    });
  }

  private count(status: number, bodyBytes: number, template: Template, bytes: number): void {
    const key = status === 0 ? 'error' : String(status);
    this.statuses[key] = (this.statuses[key] ?? 0) + 1;
    if (!isTaken(status)) return;
    if (bodyBytes > 0 && OTLP.has(this.job.signal)) this.statuses['partial'] = (this.statuses['partial'] ?? 0) + 1;
    this.accepted += template.items;
    this.bytes += bytes;
  }

  private timeOf(request: number): bigint {
    const { spreadMs = 0, requests = 1 } = this.job;
    const agoMs = spreadMs === 0 ? 1_000 : spreadMs * (1 - request / requests);
    return BigInt(Math.floor(Date.now() - agoMs)) * 1_000_000n;
  }

  private sample(template: Template): void {
    const { sampleTraces = 0, requests = 1 } = this.job;
    if (sampleTraces === 0 || this.sent % Math.max(1, Math.floor(requests / sampleTraces)) !== 0) return;
    this.traceIds.push(template.firstTraceId());
  }
}

function templatesOf({ signal, port, paths = [], seed }: LoadJob, count: number): Template[] {
  switch (signal) {
    case 'endpoint':
      return paths.map((path) => question(path, port));
    case 'events':
      return makeEventTemplates(count, seed);
    case 'alone':
    case 'generations':
      return makeGenerationTemplates(count, seed);
    case 'calls':
    case 'traces':
    case 'logs':
      return makeTemplates(signal, count, seed);
  }
}

/** A whole request without a body, which stays as it is. */
function question(path: string, port: number): Template {
  const buffer = Buffer.from(`GET ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n\r\n`);
  return { buffer, bodyStart: buffer.length, items: 1, refresh: () => undefined, firstTraceId: () => '' };
}

function isTaken(status: number): boolean {
  return status === 200 || status === 202;
}

function tell(message: FromLoad): void {
  process.send?.(message);
}

process.once('message', (job: LoadJob) => {
  new Load(job)
    .run(() => tell({ type: 'begun' }))
    .then(
      (report) => tell({ type: 'report', report }),
      (error: unknown) => tell({ type: 'failed', reason: String(error) }),
    )
    .finally(() => process.disconnect());
});
