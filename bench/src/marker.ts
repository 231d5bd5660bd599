/**
 * How long it takes until an acknowledged span can be queried: sends a span of its own, and asks for it until it is there.
 */

import { request } from 'node:http';
import { summarize } from './histogram.ts';
import type { Summary } from './histogram.ts';
import { Message } from './protobuf.ts';
import { Random } from './random.ts';
import type { Server } from './server.ts';
import { pause } from './server.ts';

const SERVICE = 'benchmark-marker';
const POLL_MS = 20;
const GIVE_UP_MS = 60_000;

/** Sends markers, one after the other while there are `more`, and sums up the milliseconds from each ack to its first sight. */
export async function measureVisibility(
  server: Server,
  seed: number,
  more: (sent: number) => boolean,
): Promise<Summary> {
  const random = new Random(seed);
  const waits: number[] = [];
  for (let nth = 0; more(nth); nth++) {
    const name = `marker-${seed}-${nth}`;
    await post(server.otlpPort, markerRequest(name, random));
    const ackedAt = performance.now();
    await untilVisible(server, name);
    waits.push(performance.now() - ackedAt);
    await pause(random.below(300));
  }
  return summarize(waits);
}

async function untilVisible(server: Server, name: string): Promise<void> {
  const deadline = performance.now() + GIVE_UP_MS;
  while (performance.now() < deadline) {
    const rows = await server.sql(`SELECT 1 FROM spans WHERE service_name = '${SERVICE}' AND name = '${name}' LIMIT 1`);
    if (rows.length > 0) return;
    await pause(POLL_MS);
  }
  throw new Error(`cannot find marker=${name}: it was not queryable ${GIVE_UP_MS} ms after its ack`);
}

function markerRequest(name: string, random: Random): Buffer {
  const now = BigInt(Date.now()) * 1_000_000n;
  const id = (bytes: number): Uint8Array => Uint8Array.from({ length: bytes }, () => 1 + random.below(255));
  const span = new Message()
    .bytes(1, id(16))
    .bytes(2, id(8))
    .string(5, name)
    .fixed64(7, now)
    .fixed64(8, now + 1_000n);
  const service = new Message().string(1, 'service.name').message(2, new Message().string(1, SERVICE));
  const resource = new Message()
    .message(1, new Message().message(1, service))
    .message(2, new Message().message(2, span));
  const body = new Message().message(1, resource);
  const bytes = Buffer.alloc(body.length);
  body.writeTo(bytes, 0);
  return bytes;
}

function post(port: number, body: Buffer): Promise<void> {
  const headers = { 'content-type': 'application/x-protobuf', 'content-length': body.length };
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, method: 'POST', path: '/v1/traces', headers }, (response) => {
      response.resume();
      response.on('end', () => {
        if (response.statusCode === 200) resolve();
        else reject(new Error(`cannot send a marker: ${response.statusCode}`));
      });
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}
