/**
 * Attributes of the invented spans, in the names of the OpenTelemetry semantic conventions: what an HTTP server, an HTTP
 * client, a database client, a queue, a function and a model call report. About ten each, of mixed types.
 *
 * Must stay true: whatever differs from span to span in real life is registered as a patch.
 */

import type { Service } from './catalog.ts';
import { ERROR_TYPES, ERRORS, METHODS, MODELS, QUEUES, USER_AGENTS, USER_PATTERN } from './catalog.ts';
import { Message } from './protobuf.ts';
import type { Patches } from './patches.ts';
import type { Random } from './random.ts';

/** Length of a prompt's text in bytes. */
const PROMPT_BYTES = 1024;

/** A span's name, kind and attributes, before it has ids and times. */
export interface SpanShape {
  readonly name: string;
  readonly kind: number;
  readonly attributes: readonly Message[];
  /** Typical duration. */
  readonly durationNs: number;
}

const MS = 1_000_000;

/** Writes KeyValue messages and registers their patches. */
export class Attributes {
  private readonly patches: Patches;

  constructor(patches: Patches) {
    this.patches = patches;
  }

  /** A string; every `#` and `@@@@` in it become new digits with every send. */
  text(key: string, pattern: string): Message {
    return keyValue(
      key,
      new Message().string(1, pattern, (offset) => this.patches.pattern(offset, pattern)),
    );
  }

  /** Words of the corpus between two fixed strings. */
  prose(key: string, before: string, length: number, after: string): Message {
    const value = Buffer.from(before + ' '.repeat(length) + after);
    return keyValue(
      key,
      new Message().bytes(1, value, (offset) => this.patches.text(offset + Buffer.byteLength(before), length)),
    );
  }

  flag(key: string, value: boolean): Message {
    return keyValue(key, new Message().varint(2, value ? 1 : 0));
  }

  integer(key: string, value: number): Message {
    return keyValue(key, new Message().varint(3, value));
  }

  /** An integer of up to 14, 21 or 28 bits (2, 3 or 4 bytes), new with every send. */
  count(key: string, bytes: 2 | 3 | 4): Message {
    return keyValue(
      key,
      new Message().varint(3, 2 ** (7 * bytes - 1), (offset) => this.patches.varint(offset, bytes)),
    );
  }

  number(key: string, value: number): Message {
    return keyValue(
      key,
      new Message().double(4, value, (offset) => this.patches.double(offset)),
    );
  }
}

function keyValue(key: string, value: Message): Message {
  return new Message().string(1, key).message(2, value);
}

export function httpServer(service: Service, write: Attributes, random: Random, failed: boolean): SpanShape {
  const method = random.pick(METHODS);
  const noun = random.pick(service.nouns);
  const route = `/api/v2/${noun}/{id}`;
  return {
    name: `${method} ${route}`,
    kind: 2,
    durationNs: 5 * MS + random.below(120 * MS),
    attributes: [
      write.text('http.request.method', method),
      write.text('http.route', route),
      write.text('url.path', `/api/v2/${noun}/########`),
      write.text('url.scheme', 'https'),
      write.integer('http.response.status_code', failed ? 503 : random.pick([200, 200, 200, 201, 304, 404])),
      write.text('server.address', `${service.name}.internal`),
      write.integer('server.port', 8443),
      write.text('client.address', 'fd00:8::@@@@:@@@@'),
      write.text('user_agent.original', random.pick(USER_AGENTS)),
      write.text('user.id', USER_PATTERN),
      write.text('session.id', '@@@@@@@@@@@@@@@@'),
      write.count('http.response.body.size', 3),
      write.flag('app.authenticated', random.below(10) > 0),
      write.number('app.queue_ms', random.fraction() * 8),
    ],
  };
}

export function httpClient(service: Service, write: Attributes, random: Random, failed: boolean): SpanShape {
  const method = random.pick(METHODS);
  const noun = random.pick(service.nouns);
  return {
    name: method,
    kind: 3,
    durationNs: 2 * MS + random.below(80 * MS),
    attributes: [
      write.text('http.request.method', method),
      write.text('url.full', `https://${noun}.internal:8443/api/v2/${noun}/########?page=##`),
      write.text('server.address', `${noun}.internal`),
      write.integer('server.port', 8443),
      write.integer('http.response.status_code', failed ? 502 : random.pick([200, 200, 200, 204])),
      write.text('network.protocol.version', '2'),
      write.integer('http.request.resend_count', random.below(3)),
      write.flag('app.retryable', random.below(2) === 0),
      write.number('app.connect_ms', random.fraction() * 3),
      write.count('http.response.body.size', 3),
    ],
  };
}

export function database(service: Service, write: Attributes, random: Random): SpanShape {
  const table = random.pick(service.nouns);
  const operation = random.pick(['SELECT', 'SELECT', 'SELECT', 'UPDATE', 'INSERT']);
  return {
    name: `${operation} ${service.name}.${table}`,
    kind: 3,
    durationNs: Math.floor(0.3 * MS) + random.below(25 * MS),
    attributes: [
      write.text('db.system.name', 'postgresql'),
      write.text('db.namespace', service.name.replaceAll('-', '_')),
      write.text('db.operation.name', operation),
      write.text('db.collection.name', table),
      write.text(
        'db.query.text',
        `${operation} id, state, total FROM ${table} WHERE id = ######## AND tenant_id = ? LIMIT 50`,
      ),
      write.text('server.address', `pg-${random.below(4)}.db.internal`),
      write.integer('server.port', 5432),
      write.count('db.response.returned_rows', 2),
      write.number('app.pool_wait_ms', random.fraction() * 2),
      write.flag('app.replica', random.below(3) > 0),
    ],
  };
}

export function queue(service: Service, write: Attributes, random: Random): SpanShape {
  const destination = random.pick(QUEUES);
  const sends = random.below(2) === 0;
  return {
    name: `${sends ? 'publish' : 'process'} ${destination}`,
    kind: sends ? 4 : 5,
    durationNs: MS + random.below(40 * MS),
    attributes: [
      write.text('messaging.system', 'kafka'),
      write.text('messaging.destination.name', destination),
      write.text('messaging.operation.type', sends ? 'publish' : 'process'),
      write.text('messaging.message.id', '@@@@@@@@-@@@@-@@@@'),
      write.text('messaging.consumer.group.name', service.name),
      write.count('messaging.kafka.message.offset', 4),
      write.integer('messaging.destination.partition.id', random.below(32)),
      write.count('messaging.message.body.size', 2),
      write.flag('app.redelivered', random.below(20) === 0),
      write.number('app.lag_s', random.fraction() * 4),
    ],
  };
}

export function internal(service: Service, write: Attributes, random: Random): SpanShape {
  const noun = random.pick(service.nouns);
  const verb = random.pick(['validate', 'load', 'render', 'merge', 'price']);
  return {
    name: `${verb}_${noun}`,
    kind: 1,
    durationNs: Math.floor(0.1 * MS) + random.below(15 * MS),
    attributes: [
      write.text('code.function.name', `${service.name}.${noun}.${verb}`),
      write.text('code.file.path', `/srv/${service.name}/src/${noun}/${verb}`),
      write.integer('code.line.number', 1 + random.below(900)),
      write.integer('thread.id', 1 + random.below(64)),
      write.text('thread.name', `worker-${random.below(64)}`),
      write.text('user.id', USER_PATTERN),
      write.count('app.items', 2),
      write.number('app.score', random.fraction()),
      write.flag('app.feature.fast_path', random.below(2) === 0),
      write.text('app.request.id', '@@@@@@@@@@@@'),
    ],
  };
}

/** A call of a model, its attributes in a namespace: that of the conventions, or one that nobody knows. */
export function modelCall(write: Attributes, random: Random, namespace: 'app.ai' | 'gen_ai'): SpanShape {
  const model = random.pick(MODELS);
  const before = '[{"role":"user","parts":[{"type":"text","content":"';
  return {
    name: `chat ${model}`,
    kind: 3,
    durationNs: 300 * MS + random.below(2_000 * MS),
    attributes: [
      write.text(`${namespace}.operation.name`, 'chat'),
      write.text(`${namespace}.provider.name`, model.startsWith('gpt') ? 'openai' : 'other'),
      write.text(`${namespace}.request.model`, model),
      write.text(`${namespace}.response.id`, 'chatcmpl-@@@@@@@@@@@@@@@@'),
      write.number(`${namespace}.request.temperature`, 0.7),
      write.integer(`${namespace}.request.max_tokens`, 4096),
      write.count(`${namespace}.usage.input_tokens`, 2),
      write.count(`${namespace}.usage.output_tokens`, 2),
      write.prose(`${namespace}.input.messages`, before, PROMPT_BYTES, '"}]}]'),
      write.flag('app.streaming', random.below(2) === 0),
      write.text('user.id', USER_PATTERN),
      write.text('session.id', '@@@@@@@@@@@@@@@@'),
    ],
  };
}

/** An event of two attributes: an exception where the span failed, else something that happened on the way. */
export function event(write: Attributes, random: Random, failed: boolean): { name: string; attributes: Message[] } {
  if (failed) {
    const index = random.below(ERRORS.length);
    return {
      name: 'exception',
      attributes: [
        write.text('exception.type', ERROR_TYPES[index] ?? 'Error'),
        write.text('exception.message', `${ERRORS[index] ?? ''} (attempt ##)`),
      ],
    };
  }
  return {
    name: random.pick(['cache.miss', 'retry', 'lock.acquired', 'gen_ai.choice']),
    attributes: [write.text('app.key', 'item:########'), write.count('app.waited_us', 2)],
  };
}
