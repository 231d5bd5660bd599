/** The client against a server of its own: answers that the real one gives only when something is wrong, and long jobs. */

import type { RequestListener, Server } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { Client, parseExact } from './client.ts';
import { UnreachableError } from './errors.ts';

const servers: Server[] = [];

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

afterEach(() => {
  for (const server of servers.splice(0)) server.closeAllConnections();
});

test('an integer that a double cannot hold keeps its digits', () => {
  expect(parseExact('[18446744073709551615, 9007199254740991, 1.5, "x", null]')).toEqual([
    '18446744073709551615',
    9007199254740991,
    1.5,
    'x',
    null,
  ]);
});

describe('Client', () => {
  test('sends the credential and the tenant', async () => {
    const url = await serve((request, response) => response.end(JSON.stringify(request.headers)));
    const headers = await new Client({ url, token: 'secret', tenant: 'acme' }).json<Record<string, string>>('GET', '/');
    expect([headers['authorization'], headers['x-glasshouse-tenant']]).toEqual(['Bearer secret', 'acme']);
  });

  test.each([
    [JSON.stringify({ error: 'cannot do it' }), 'cannot do it'],
    [JSON.stringify({ code: 3, message: 'an OTLP status' }), 'an OTLP status'],
    ['plain words', 'plain words'],
    ['', 'the server answered 400'],
  ])('takes the words of an error from %j', async (body, message) => {
    const url = await serve((_, response) => response.writeHead(400).end(body));
    await expect(new Client({ url }).text('/')).rejects.toMatchObject({ code: 'bad_request', message });
  });

  test('tells that nobody is there', async () => {
    await expect(new Client({ url: 'http://127.0.0.1:1' }).text('/')).rejects.toBeInstanceOf(UnreachableError);
  });

  test('does not take half a result for a whole one', async () => {
    const url = await serve((_, response) => {
      response.writeHead(200, { 'Content-Length': '1000' }).write('{"meta":[],');
      setTimeout(() => response.destroy(), 20);
    });
    await expect(new Client({ url }).sql('SELECT 1')).rejects.toThrow('cannot read the whole result: it broke off');
  });

  test('follows a long job and returns its result', async () => {
    const url = await serve((_, response) => {
      response.write('{"progress":"copying spans","done":1,"total":2}\n{"progr');
      setTimeout(
        () => response.end('ess":"copying logs","done":2,"total":2}\n{"result":{"path":"/b","bytes":7}}\n'),
        20,
      );
    });
    const lines: unknown[] = [];
    const result = await new Client({ url }).job('/', {}, (line) => lines.push(line));
    expect(result).toEqual({ path: '/b', bytes: 7 });
    expect(lines).toHaveLength(2);
  });

  test.each([
    ['{"progress":"x"}\n{"error":"the disk is full"}\n', 'the disk is full'],
    ['{"progress":"x"}\n', 'cannot tell how /job ended: the connection broke off'],
  ])('a job that says %j has failed', async (body, message) => {
    const url = await serve((_, response) => response.end(body));
    await expect(new Client({ url }).job('/job', {}, () => undefined)).rejects.toThrow(message);
  });
});
