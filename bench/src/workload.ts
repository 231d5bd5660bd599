/**
 * The workload: OTLP export requests as protobuf bytes, close to what a collector of a mid-sized company forwards. A request
 * is encoded once as a template and made new in place before every send.
 *
 * Per request: 512 spans of 64 traces from three of twenty services, 20 % of them with an event of two attributes, 10 %
 * model calls with a prompt of 1 KB, 5 % failed; or 512 log records of about 100 bytes. What differs from span to span in
 * real life (ids, times, sizes, prompts, user ids) differs here; what repeats in real life repeats.
 */

import { ERRORS, SERVICES } from './catalog.ts';
import type { Service } from './catalog.ts';
import { Attributes, database, event, httpClient, httpServer, internal, modelCall, queue } from './attributes.ts';
import type { SpanShape } from './attributes.ts';
import type { Patcher, SpanPlaces, Tables } from './patches.ts';
import { makeTables, Patches } from './patches.ts';
import { Message } from './protobuf.ts';
import { Random } from './random.ts';
import { makeVocabulary } from './vocabulary.ts';

export const ITEMS_PER_REQUEST = 512;
export const RESOURCES_PER_REQUEST = 3;
export const EVENTS_PER_REQUEST = Math.round(ITEMS_PER_REQUEST * 0.2);
export const MODEL_CALLS_PER_REQUEST = Math.round(ITEMS_PER_REQUEST * 0.1);
export const ERRORS_PER_REQUEST = Math.round(ITEMS_PER_REQUEST * 0.05);
/** Log lines end in `id=` and six digits: each of a million values is rare. */
const LOG_TEXT_BYTES = 90;

const TRACES_PER_REQUEST = 64;
/** Every trace has this many spans of the first, second and third resource: eight in all. */
const SPANS_OF_RESOURCE = [3, 3, 2] as const;
/** The words are the same for every workload, so that the queries can know them. */
export const VOCABULARY_SEED = 1;

/** Free bytes before the body, for the sender's header. */
export const HEADROOM = 256;

/** `calls` are spans whose model calls are reported under the names of the conventions; those of `traces` are spans like any other. */
export type Signal = 'calls' | 'logs' | 'traces';

/** One request, encoded once. */
export interface Template {
  /** Free room, then the body. */
  readonly buffer: Buffer;
  readonly bodyStart: number;
  readonly items: number;
  /** Makes the body one that was never sent before; `timeNs` is when its first item happened. */
  refresh(timeNs: bigint): void;
  /** Trace id of the first item, in hex. */
  firstTraceId(): string;
}

/** Makes `count` different templates; equal seeds make equal ones. */
export function makeTemplates(signal: Signal, count: number, seed: number): Template[] {
  const vocabulary = makeVocabulary(new Random(VOCABULARY_SEED));
  const random = new Random(seed);
  const tables = makeTables(vocabulary.corpus, random);
  return Array.from({ length: count }, () => makeTemplate(signal, tables, random));
}

function makeTemplate(signal: Signal, tables: Tables, random: Random): Template {
  const patches = new Patches();
  const message = signal === 'logs' ? logRequest(patches, random) : traceRequest(patches, random, signal === 'calls');
  const buffer = Buffer.alloc(HEADROOM + message.length);
  message.writeTo(buffer, HEADROOM);
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
  const patcher: Patcher = patches.compile(tables);
  return {
    buffer,
    bodyStart: HEADROOM,
    items: ITEMS_PER_REQUEST,
    refresh: (timeNs) => patcher.apply(buffer, view, random, timeNs),
    firstTraceId: () => patcher.firstTraceId(buffer),
  };
}

function resource(service: Service, random: Random): Message {
  const write = new Attributes(new Patches());
  const instance = random.below(4);
  return new Message()
    .message(1, write.text('service.name', service.name))
    .message(1, write.text('service.version', service.version))
    .message(1, write.text('service.instance.id', `${service.name}-${instance}.prod.internal`))
    .message(1, write.text('deployment.environment.name', 'production'))
    .message(1, write.text('k8s.pod.name', `${service.name}-7d9c5b6f4-${instance}xk2p`))
    .message(1, write.text('telemetry.sdk.language', service.language));
}

function scope(service: Service): Message {
  return new Message().string(1, `@acme/${service.name}-instrumentation`).string(2, '1.31.0');
}

function traceRequest(patches: Patches, random: Random, namesCalls: boolean): Message {
  const events = random.subset(EVENTS_PER_REQUEST, ITEMS_PER_REQUEST);
  const modelCalls = random.subset(MODEL_CALLS_PER_REQUEST, ITEMS_PER_REQUEST);
  const errors = random.subset(ERRORS_PER_REQUEST, ITEMS_PER_REQUEST);
  const request = new Message();
  let index = 0;
  for (const spansPerTrace of SPANS_OF_RESOURCE) {
    const service = random.pick(SERVICES);
    const spans = new Message().message(1, scope(service));
    for (let trace = 0; trace < TRACES_PER_REQUEST; trace++) {
      for (let nth = 0; nth < spansPerTrace; nth++, index++) {
        const traits = {
          index,
          trace,
          entry: nth === 0,
          root: index < TRACES_PER_REQUEST * SPANS_OF_RESOURCE[0] && nth === 0,
          failed: errors.has(index),
          hasEvent: events.has(index),
          modelCall: modelCalls.has(index),
          namesCalls,
        };
        spans.message(2, span(service, traits, patches, random));
      }
    }
    request.message(1, new Message().message(1, resource(service, random)).message(2, spans));
  }
  return request;
}

interface SpanTraits {
  readonly index: number;
  readonly trace: number;
  /** The first span of its trace in this service: it serves a request. */
  readonly entry: boolean;
  readonly root: boolean;
  readonly failed: boolean;
  readonly hasEvent: boolean;
  readonly modelCall: boolean;
  readonly namesCalls: boolean;
}

function span(service: Service, traits: SpanTraits, patches: Patches, random: Random): Message {
  const write = new Attributes(patches);
  const shape = shapeOf(service, traits, write, random);
  const places: SpanPlaces = {
    traceIdAt: -1,
    spanIdAt: -1,
    parentIdAt: -1,
    startAt: -1,
    endAt: -1,
    eventAt: -1,
    trace: traits.trace,
    // Under the span before it, an entry under its trace's root; every trace begins in the first resource.
    parent: traits.entry ? traits.trace * SPANS_OF_RESOURCE[0] : traits.index - 1,
    offsetNs: random.below(900_000_000),
    durationNs: shape.durationNs,
  };
  const message = new Message();
  message.bytes(1, Buffer.alloc(16), (offset) => (places.traceIdAt = offset));
  message.bytes(2, Buffer.alloc(8), (offset) => (places.spanIdAt = offset));
  if (!traits.root) message.bytes(4, Buffer.alloc(8), (offset) => (places.parentIdAt = offset));
  message.string(5, shape.name).varint(6, shape.kind);
  message.fixed64(7, 0n, (offset) => (places.startAt = offset));
  message.fixed64(8, 0n, (offset) => {
    places.endAt = offset;
  });
  for (const attribute of shape.attributes) message.message(9, attribute);
  if (traits.hasEvent) {
    const happened = event(write, random, traits.failed);
    const child = new Message().fixed64(1, 0n, (offset) => (places.eventAt = offset)).string(2, happened.name);
    for (const attribute of happened.attributes) child.message(3, attribute);
    message.message(11, child);
  }
  if (traits.failed) message.message(15, new Message().string(2, random.pick(ERRORS)).varint(3, 2));
  message.fixed32(16, 1);
  patches.span(places);
  return message;
}

function shapeOf(service: Service, traits: SpanTraits, write: Attributes, random: Random): SpanShape {
  if (traits.modelCall) return modelCall(write, random, traits.namesCalls ? 'gen_ai' : 'app.ai');
  if (traits.entry) return httpServer(service, write, random, traits.failed);
  switch (random.below(8)) {
    case 0:
    case 1:
      return httpClient(service, write, random, traits.failed);
    case 2:
    case 3:
    case 4:
      return database(service, write, random);
    case 5:
      return queue(service, write, random);
    default:
      return internal(service, write, random);
  }
}

const SEVERITIES = [
  ['INFO', 9],
  ['INFO', 9],
  ['INFO', 9],
  ['DEBUG', 5],
  ['WARN', 13],
  ['ERROR', 17],
] as const;

function logRequest(patches: Patches, random: Random): Message {
  const request = new Message();
  let left = ITEMS_PER_REQUEST;
  for (let nth = RESOURCES_PER_REQUEST; nth > 0; nth--) {
    const service = random.pick(SERVICES);
    const records = new Message().message(1, scope(service));
    const count = Math.floor(left / nth);
    for (let index = 0; index < count; index++) records.message(2, logRecord(left - index, service, patches, random));
    left -= count;
    request.message(1, new Message().message(1, resource(service, random)).message(2, records));
  }
  return request;
}

function logRecord(order: number, service: Service, patches: Patches, random: Random): Message {
  const write = new Attributes(patches);
  const [severity, number] = random.pick(SEVERITIES);
  const trace = ITEMS_PER_REQUEST - order;
  const places: SpanPlaces = {
    traceIdAt: -1,
    spanIdAt: -1,
    parentIdAt: -1,
    startAt: -1,
    endAt: -1,
    eventAt: -1,
    trace,
    parent: 0,
    offsetNs: random.below(900_000_000),
    durationNs: 0,
  };
  const tail = 'id=######';
  const body = ' '.repeat(LOG_TEXT_BYTES) + ' ' + tail;
  const text = new Message().string(1, body, (offset) => {
    patches.text(offset, LOG_TEXT_BYTES);
    patches.pattern(offset + LOG_TEXT_BYTES + 1, tail);
  });
  patches.span(places);
  return new Message()
    .fixed64(1, 0n, (offset) => (places.startAt = offset))
    .varint(2, number)
    .string(3, severity)
    .message(5, text)
    .message(6, write.text('code.function.name', `${service.name}.${random.pick(service.nouns)}`))
    .message(6, write.integer('thread.id', 1 + random.below(64)))
    .bytes(9, Buffer.alloc(16), (offset) => (places.traceIdAt = offset))
    .bytes(10, Buffer.alloc(8), (offset) => (places.spanIdAt = offset))
    .fixed64(11, 0n, (offset) => (places.endAt = offset));
}
