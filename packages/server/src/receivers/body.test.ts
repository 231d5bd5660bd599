/** Bodies on their way into a buffer of the sink, over a real connection: whole, whatever they are cut into. */

import { randomBytes } from 'node:crypto';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Bodies } from '../pipeline/bodies.ts';
import type { Sink } from '../pipeline/sink.ts';
import { receiveBody } from './body.ts';

const MAX_BYTES = 4 << 20;

const bodies = new Bodies(() => undefined);
const sink: Sink = {
  ready: () => Promise.resolve(),
  lend: (bytes) => bodies.lend(bytes),
  giveBack: (body) => bodies.giveBack(body),
  accept: () => Promise.reject(new Error('nothing is accepted here')),
};

/** Answers with the body. */
const server = createServer((request, response) => {
  receiveBody(request, sink, MAX_BYTES).then(
    (body) => {
      response.end(Buffer.from(new Uint8Array(body.buffer, 0, body.length)));
      bodies.giveBack(body);
    },
    (error: unknown) => {
      response.writeHead(413);
      response.end(String(error));
    },
  );
});

beforeAll(() => new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve)));
afterAll(() => void server.close());

function echo(pieces: readonly Buffer[], headers: Readonly<Record<string, number | string>> = {}): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const { port } = server.address() as AddressInfo;
    const outgoing = httpRequest({ host: '127.0.0.1', port, method: 'POST', headers }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () => resolve(Buffer.concat(parts)));
    });
    outgoing.on('error', reject);
    for (const piece of pieces) outgoing.write(piece);
    outgoing.end();
  });
}

it.each([1, 15_000, 16_384, 65_536, 65_537, 1_000_000, 3_000_000])('is whole with %i bytes', async (length) => {
  const bytes = randomBytes(length);
  expect((await echo([bytes], { 'content-length': length })).equals(bytes)).toBe(true);
  // In chunks, without a length that is known.
  const half = length >> 1;
  expect((await echo([bytes.subarray(0, half), bytes.subarray(half)])).equals(bytes)).toBe(true);
  expect(bodies.lentBytes).toBe(0);
});

it('is whole for many at once', async () => {
  const sent = Array.from({ length: 20 }, () => randomBytes(300_000));
  const received = await Promise.all(sent.map((bytes) => echo([bytes], { 'content-length': bytes.length })));
  expect(received.every((bytes, index) => bytes.equals(sent[index] as Buffer))).toBe(true);
});

it('is refused over the limit', async () => {
  expect((await echo([Buffer.alloc(MAX_BYTES + 1)])).toString()).toContain('larger than');
  expect(bodies.lentBytes).toBe(0);
});
