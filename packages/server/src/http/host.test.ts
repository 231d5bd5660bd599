import { once } from 'node:events';
import { createServer, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loopbackHostOnly } from './host.ts';

const server = createServer(loopbackHostOnly((_, response) => response.end('served')));

beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterAll(() => {
  server.close();
});

function statusFor(host: string): Promise<number | undefined> {
  const { port } = server.address() as AddressInfo;
  return new Promise((resolve, reject) => {
    const request = send({ port, host: '127.0.0.1', headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.once('error', reject);
    request.end();
  });
}

describe('without API keys', () => {
  it.each(['localhost:3000', 'localhost', '127.0.0.1:4318', '127.8.9.1', '[::1]:3000', 'app.localhost:3000', ''])(
    'answers Host=%s',
    async (host) => {
      expect(await statusFor(host)).toBe(200);
    },
  );

  it.each(['evil.example', 'evil.example:3000', 'localhost.evil.example', '127.0.0.1.evil.example', '10.0.0.1:3000'])(
    'refuses Host=%s, which a web page may have chosen',
    async (host) => {
      expect(await statusFor(host)).toBe(421);
    },
  );
});
