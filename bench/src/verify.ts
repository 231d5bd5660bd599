/**
 * Checks that the workload is what the report says it is, with a decoder that is not ours, before anything is measured.
 */

import { makeDecoders } from './otlp.ts';
import type { Span } from './otlp.ts';
import type { Template } from './workload.ts';
import {
  ERRORS_PER_REQUEST,
  EVENTS_PER_REQUEST,
  ITEMS_PER_REQUEST,
  makeTemplates,
  MODEL_CALLS_PER_REQUEST,
  RESOURCES_PER_REQUEST,
} from './workload.ts';

/** What the workload is, for the report. */
export interface WorkloadFacts {
  readonly bytesPerSpan: number;
  readonly attributesPerSpan: number;
  readonly bytesPerLog: number;
}

/** @throws Error naming the count that is wrong. */
export function verifyWorkload(): WorkloadFacts {
  const [template, calls, logs] = (['traces', 'calls', 'logs'] as const).map(
    (signal) => makeTemplates(signal, 1, 7)[0],
  );
  if (template === undefined || calls === undefined || logs === undefined)
    throw new Error('BUG: no templates were made');
  const timeNs = BigInt(Date.now()) * 1_000_000n;
  const first = spansOf(template, timeNs);
  const second = spansOf(template, timeNs);

  const ids = new Set([...first, ...second].map((span) => hex(span.spanId)));
  expectCount('distinct span ids of two sends', ids.size, 2 * ITEMS_PER_REQUEST);
  const traces = new Set([...first, ...second].map((span) => hex(span.traceId)));
  expectCount('distinct trace ids of two sends', traces.size, 128);
  for (const spans of [first, second]) checkSpans(spans, timeNs, 'app.ai');
  checkSpans(spansOf(calls, timeNs), timeNs, 'gen_ai');
  expectCount('log records', logsOf(logs, timeNs), ITEMS_PER_REQUEST);

  const attributes = first.reduce((sum, span) => sum + span.attributes.length, 0);
  return {
    bytesPerSpan: (template.buffer.length - template.bodyStart) / ITEMS_PER_REQUEST,
    attributesPerSpan: attributes / ITEMS_PER_REQUEST,
    bytesPerLog: (logs.buffer.length - logs.bodyStart) / ITEMS_PER_REQUEST,
  };
}

function spansOf(template: Template, timeNs: bigint): Span[] {
  template.refresh(timeNs);
  const request = makeDecoders().traces(bodyOf(template));
  expectCount('resources', request.resourceSpans.length, RESOURCES_PER_REQUEST);
  return request.resourceSpans.flatMap((resource) => resource.scopeSpans.flatMap((scope) => scope.spans));
}

function logsOf(template: Template, timeNs: bigint): number {
  template.refresh(timeNs);
  const request = makeDecoders().logs(bodyOf(template));
  const records = request.resourceLogs.flatMap((resource) => resource.scopeLogs.flatMap((scope) => scope.logRecords));
  const wrong = records.find((record) => !/^[a-z. ]{91}id=\d{6}$/.test(record.body.stringValue ?? ''));
  if (wrong !== undefined)
    throw new Error(`cannot trust the workload: a log line reads ${wrong.body.stringValue ?? ''}`);
  return records.length;
}

function checkSpans(spans: readonly Span[], timeNs: bigint, namespace: string): void {
  expectCount('spans', spans.length, ITEMS_PER_REQUEST);
  expectCount('spans with an event', spans.filter((span) => span.events.length === 1).length, EVENTS_PER_REQUEST);
  expectCount('failed spans', spans.filter((span) => span.status?.code === 2).length, ERRORS_PER_REQUEST);
  const prompts = spans
    .map((span) => text(span, `${namespace}.input.messages`))
    .filter((prompt) => prompt !== undefined);
  expectCount('model calls', prompts.length, MODEL_CALLS_PER_REQUEST);
  expectCount('roots', spans.filter((span) => span.parentSpanId.length === 0).length, 64);
  const known = new Set(spans.map((span) => `${hex(span.traceId)}${hex(span.spanId)}`));
  const inside = spans.filter((span) => known.has(hex(span.traceId) + hex(span.parentSpanId)));
  expectCount('spans under a parent of their trace', inside.length, ITEMS_PER_REQUEST - 64);
  for (const prompt of prompts) JSON.parse(prompt);
  for (const span of spans) {
    const [start, end] = [nanoseconds(span.startTimeUnixNano), nanoseconds(span.endTimeUnixNano)];
    if (start < timeNs || end < start || end > timeNs + 5_000_000_000n) {
      throw new Error(`cannot trust the workload: a span goes from ${start} to ${end}, the request is of ${timeNs}`);
    }
    if (/[#@]/.test(span.attributes.map((attribute) => attribute.value.stringValue ?? '').join(''))) {
      throw new Error('cannot trust the workload: a pattern was not replaced');
    }
  }
}

/** A copy: what is decoded refers to the bytes, and the template changes with the next send. */
function bodyOf(template: Template): Uint8Array {
  return Buffer.from(template.buffer.subarray(template.bodyStart));
}

function text(span: Span, key: string): string | undefined {
  return span.attributes.find((attribute) => attribute.key === key)?.value.stringValue;
}

function nanoseconds(long: { low: number; high: number }): bigint {
  return (BigInt(long.high >>> 0) << 32n) | BigInt(long.low >>> 0);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function expectCount(what: string, actual: number, expected: number): void {
  if (actual !== expected) throw new Error(`cannot trust the workload: ${what}: ${actual} instead of ${expected}`);
}
