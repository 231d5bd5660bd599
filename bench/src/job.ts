/**
 * What the load generator is told and what it reports, and how to start one. A process of its own, so that its work is not
 * counted as the server's, and the server's pauses do not stop the clock that measures them.
 */

import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Summary } from './histogram.ts';
import type { Signal } from './workload.ts';

export interface LoadJob {
  readonly port: number;
  readonly signal: Signal | 'alone' | 'endpoint' | 'events' | 'generations';
  /** Of the signal `endpoint`: what to GET, one after the other, from the first again after the last. */
  readonly paths?: readonly string[];
  readonly connections: number;
  /** Items per second to offer; undefined sends as soon as the last answer is there. */
  readonly rate?: number;
  /** Ends after this time, or after this many requests, whichever comes first. */
  readonly seconds?: number;
  readonly requests?: number;
  readonly seed: number;
  /** Different requests to start from. */
  readonly templates: number;
  /** Spreads the items' times evenly from this to that many milliseconds before now; 0 is now. Needs `requests`. */
  readonly spreadMs?: number;
  /** How many trace ids to report, drawn evenly from what was sent. */
  readonly sampleTraces?: number;
}

export interface LoadReport {
  readonly seconds: number;
  /** Items in requests that were taken. */
  readonly accepted: number;
  readonly requests: number;
  readonly bytes: number;
  /** Answers by status; `error` counts broken connections, `partial` answers 200 with something in them. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Requests that were sent more than 5 ms after their time because no connection was free. Open loop only. */
  readonly late: number;
  /** Milliseconds from when a request was to be sent until its answer was there. */
  readonly latency: Summary;
  /** Processor time of the generator itself. */
  readonly cpuSeconds: number;
  readonly traceIds: readonly string[];
}

export type FromLoad =
  | { readonly type: 'begun' }
  | { readonly type: 'report'; readonly report: LoadReport }
  | { readonly type: 'failed'; readonly reason: string };

/** A generator at work: `begun` resolves when the first request goes out. */
export interface RunningLoad {
  readonly begun: Promise<void>;
  readonly report: Promise<LoadReport>;
}

/** Starts a generator. */
export function startLoad(job: LoadJob): RunningLoad {
  const child = fork(fileURLToPath(new URL('./load.ts', import.meta.url)), {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const begun = Promise.withResolvers<void>();
  const report = Promise.withResolvers<LoadReport>();
  const fail = (reason: string): void => {
    const error = new Error(`cannot generate load: ${reason}`);
    begun.reject(error);
    report.reject(error);
  };
  // Whoever waits for one of the two hears of a failure; the other must not end the process.
  begun.promise.catch(() => undefined);
  report.promise.catch(() => undefined);
  child.on('message', (message: FromLoad) => {
    if (message.type === 'begun') begun.resolve();
    else if (message.type === 'report') report.resolve(message.report);
    else fail(message.reason);
  });
  child.on('exit', (code, signal) => fail(`the generator ended with ${code ?? signal}`));
  child.send(job);
  return { begun: begun.promise, report: report.promise };
}

/** Runs a generator to its end. */
export function runLoad(job: LoadJob): Promise<LoadReport> {
  return startLoad(job).report;
}
