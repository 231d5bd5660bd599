/**
 * HTTP as it should not be spoken to the receivers: bodies over the limit, uploads that break off, slow, pipelined and old
 * clients, wrong methods and paths. Raw bytes on a socket, on the port that is only for OTLP and on the one for everything.
 */

import { request as httpRequest } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import grpc from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { harmless } from './support/harm.ts';
import { answerOf, post, rawConnection, statusOf, tracesHead } from './support/http.ts';
import { request, span } from './support/payloads.ts';
import type { Server } from './support/server.ts';
import { showLogsOfFailures, startServer } from './support/server.ts';

const MIB = 2 ** 20;
const LIMIT = 64 * MIB;
const TOO_LARGE = 70 * MIB;

let server: Server;

beforeAll(async () => {
  server = await startServer();
});

afterAll(() => server?.stop());
showLogsOfFailures(() => server);

describe.each(['otlpHttp', 'main'] as const)('on the port %s', (name) => {
  const port = (): number => server.ports[name];
  const url = (path: string): string => `http://127.0.0.1:${port()}${path}`;

  it('a body that says it is 70 MB is refused with 413 before any of it is sent', async () => {
    await harmless(server, async () => {
      const connection = await rawConnection(port());
      connection.socket.write(tracesHead({ 'Content-Length': TOO_LARGE }));
      await connection.closed();
      expect(connection.received()).toMatch(/^HTTP\/1\.1 413 /);
      expect(connection.received()).toMatch(/larger than 67108864 bytes; send smaller batches/);
    });
  });

  it('a client that sends the 70 MB all the same is told 413', async () => {
    const answer = await harmless(server, () => post(url('/v1/traces'), Buffer.alloc(TOO_LARGE)));
    expect([answer.status, statusOf(answer).code]).toEqual([413, 8]);
  });

  it('a chunked body is refused with 413 when it passes the limit', async () => {
    await harmless(server, async () => {
      let sent = 0;
      const chunk = Buffer.alloc(MIB);
      const status = await new Promise<number | undefined>((resolve, reject) => {
        const upload = httpRequest(url('/v1/traces'), {
          method: 'POST',
          headers: { 'content-type': 'application/x-protobuf', 'transfer-encoding': 'chunked' },
        });
        let answered = false;
        upload.on('response', (response) => {
          answered = true;
          response.resume();
          resolve(response.statusCode);
        });
        upload.on('error', reject);
        const send = (): void => {
          if (answered || sent >= 4 * LIMIT) return;
          sent += chunk.length;
          upload.write(chunk, send);
        };
        send();
      });
      expect(status).toBe(413);
      // What was on its way when the limit was passed is all that was sent beyond it.
      expect(sent).toBeLessThan(LIMIT + 24 * MIB);
    });
  });

  it('a client that waits for 100 Continue gets it, and its answer', async () => {
    const body = request('expect', [span()]);
    await harmless(
      server,
      async () => {
        const connection = await rawConnection(port());
        connection.socket.write(
          tracesHead({ 'Content-Length': body.length, Expect: '100-continue', Connection: 'close' }),
        );
        await connection.until('HTTP/1.1 100 Continue');
        connection.socket.write(body);
        await connection.closed();
        expect(connection.received()).toMatch(/HTTP\/1\.1 200 OK/);
      },
      { stored: 1 },
    );
  });

  it('a client that would send too much is told 413 instead of 100 Continue', async () => {
    await harmless(server, async () => {
      const connection = await rawConnection(port());
      connection.socket.write(tracesHead({ 'Content-Length': TOO_LARGE, Expect: '100-continue' }));
      await connection.closed();
      expect(connection.received()).toMatch(/^HTTP\/1\.1 413 /);
    });
  });

  it('an upload that breaks off stores nothing', async () => {
    const body = request('aborted', [span()]);
    await harmless(server, async () => {
      for (const length of [0, 1, body.length - 1]) {
        const connection = await rawConnection(port());
        connection.socket.write(tracesHead({ 'Content-Length': body.length }));
        connection.socket.write(body.subarray(0, length));
        connection.socket.end();
        await connection.closed();
        expect(connection.received()).not.toMatch(/ 200 /);
      }
    });
  });

  it('requests that are sent without waiting are answered in their order', async () => {
    const good = request('pipelined', [span()]);
    const bad = Buffer.from('nonsense');
    const head = (body: Uint8Array, more = {}): string => tracesHead({ 'Content-Length': body.length, ...more });
    await harmless(
      server,
      async () => {
        const connection = await rawConnection(port());
        const parts = [head(good), good, head(bad), bad, head(good, { Connection: 'close' }), good];
        connection.socket.write(Buffer.concat(parts.map((part) => Buffer.from(part as Uint8Array))));
        await connection.closed();
        expect([...connection.received().matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)).toEqual([
          '200',
          '400',
          '200',
        ]);
      },
      { stored: 2 },
    );
  });

  it('a body that comes byte by byte is taken', async () => {
    const whole = Buffer.concat([
      Buffer.from(tracesHead({ 'Content-Length': request('slow', [span()]).length, Connection: 'close' })),
      request('slow', [span()]),
    ]);
    await harmless(
      server,
      async () => {
        const connection = await rawConnection(port());
        for (const byte of whole) {
          connection.socket.write(Buffer.from([byte]));
          await pause(1);
        }
        await connection.closed();
        expect(connection.received()).toMatch(/^HTTP\/1\.1 200 OK/);
      },
      { stored: 1 },
    );
  });

  it('HTTP/1.0 is answered, and the connection closed', async () => {
    const body = request('old', [span()]);
    await harmless(
      server,
      async () => {
        const connection = await rawConnection(port());
        connection.socket.write(
          Buffer.concat([Buffer.from(tracesHead({ 'Content-Length': body.length }, '1.0')), body]),
        );
        await connection.closed();
        expect(connection.received()).toMatch(/^HTTP\/1\.[01] 200 OK/);
      },
      { stored: 1 },
    );
  });

  it('what is no HTTP is refused', async () => {
    await harmless(server, async () => {
      const connection = await rawConnection(port());
      connection.socket.write('\x16\x03\x01\x00\xc8 hello over TLS\r\n\r\n');
      await connection.closed();
      expect(connection.received()).toMatch(/^HTTP\/1\.1 400 /);
    });
  });

  it.each(['traces', 'logs', 'metrics'])('a browser may send to /v1/%s', async (signal) => {
    const preflight = await fetch(url(`/v1/${signal}`), {
      method: 'OPTIONS',
      headers: {
        origin: 'https://shop.example',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'content-type,x-api-key',
      },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-origin')).toBe('*');
    expect(preflight.headers.get('access-control-allow-methods')).toContain('POST');
    expect(preflight.headers.get('access-control-allow-headers')).toBe('content-type,x-api-key');
    const answer = await post(url(`/v1/${signal}`), Buffer.alloc(0), { origin: 'https://shop.example' });
    expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([200, '*']);
    const refused = await post(url(`/v1/${signal}`), 'x', { 'content-type': 'text/plain' });
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([415, '*']);
  });

  it.each(['GET', 'PUT', 'DELETE'])('%s on /v1/traces is refused with 405', async (method) => {
    await harmless(server, async () => {
      const answer = await answerOf(await fetch(url('/v1/traces'), { method }));
      expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'POST, OPTIONS']);
      expect(answer.text).toMatch(new RegExp(`cannot ${method} path=/v1/traces: it takes POST, OPTIONS`));
    });
  });

  it('an unknown path is refused with 404', async () => {
    await harmless(server, async () => {
      for (const path of ['/v1/trace', '/v1/traces/', '/V1/traces', '/../../etc/passwd', '/v1/%74races']) {
        const answer = await post(url(path), request('nowhere', [span()]));
        expect([path, answer.status]).toEqual([path, 404]);
        expect(answer.text).toMatch(/cannot find path=/);
      }
    });
  });
});

describe('gRPC', () => {
  const PATH = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
  const same = (bytes: Buffer): Buffer => bytes;

  /** Calls the method with bytes that no generated client would send. */
  async function call(path: string, body: Buffer, options = {}): Promise<{ code: number; details: string }> {
    const client = new grpc.Client(`127.0.0.1:${server.ports.otlpGrpc}`, grpc.credentials.createInsecure(), options);
    try {
      return await new Promise((resolve) => {
        client.makeUnaryRequest(path, same, same, body, (error) =>
          resolve(error === null ? { code: 0, details: '' } : { code: error.code, details: error.details }),
        );
      });
    } finally {
      client.close();
    }
  }

  it('takes a good request', async () => {
    const good = request('raw-grpc', [span()]);
    expect(await harmless(server, () => call(PATH, good), { stored: 1 })).toEqual({ code: 0, details: '' });
  });

  it('refuses a message that is none with INVALID_ARGUMENT', async () => {
    const answer = await harmless(server, () => call(PATH, Buffer.from('nonsense')));
    expect(answer).toEqual({
      code: grpc.status.INVALID_ARGUMENT,
      details: expect.stringMatching(/not a valid OTLP/) as unknown,
    });
  });

  it('refuses a message over the limit with RESOURCE_EXHAUSTED', async () => {
    const answer = await harmless(server, () => call(PATH, Buffer.alloc(TOO_LARGE)));
    expect(answer.code).toBe(grpc.status.RESOURCE_EXHAUSTED);
  });

  it('refuses a bomb in gzip with RESOURCE_EXHAUSTED', async () => {
    const packed = { 'grpc.default_compression_algorithm': grpc.compressionAlgorithms.gzip };
    const answer = await harmless(server, () => call(PATH, Buffer.alloc(TOO_LARGE), packed));
    expect(answer.code).toBe(grpc.status.RESOURCE_EXHAUSTED);
  });

  it('has no other methods', async () => {
    const answer = await harmless(server, () => call(PATH.replace('Export', 'Import'), Buffer.alloc(0)));
    expect(answer.code).toBe(grpc.status.UNIMPLEMENTED);
  });
});
