/** Fetching URLs from servers that behave well, badly, and worse; all of them on loopback, which is only reached when allowed. */

import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { AppError } from '@glasshouse/model';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { FetchOptions } from './fetch-guard.ts';
import { openUrl, parseUrl } from './fetch-guard.ts';

type Answerer = (request: IncomingMessage, response: ServerResponse) => void;

let server: Server;
let port: number;
let seen: IncomingMessage[];
let answer: Answerer;

beforeAll(async () => {
  server = createServer((request, response) => {
    seen.push(request);
    answer(request, response);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  port = (server.address() as AddressInfo).port;
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

beforeEach(() => {
  seen = [];
  answer = (_, response) => response.end('rows');
});

function options(given: Partial<FetchOptions> = {}): FetchOptions {
  return { allow: new Set([`127.0.0.1:${port}`]), maxBytes: 1_000_000, maxMs: 10_000, idleMs: 5_000, ...given };
}

const url = (path = '/file'): string => `http://127.0.0.1:${port}${path}`;

async function read(from: string, given: Partial<FetchOptions> = {}): Promise<string> {
  const { stream } = await openUrl(from, options(given));
  return text(stream);
}

async function refusal(from: string, given: Partial<FetchOptions> = {}): Promise<AppError> {
  try {
    await read(from, given);
  } catch (error) {
    expect(error).toBeInstanceOf(AppError);
    return error as AppError;
  }
  throw new Error('it was fetched');
}

describe('a URL', () => {
  it('of an allowed server is fetched, with its query and without anything of this server', async () => {
    expect(await read(url('/file?sig=1'))).toBe('rows');
    expect(seen[0]?.url).toBe('/file?sig=1');
    expect(Object.keys(seen[0]?.headers ?? {}).toSorted()).toEqual([
      'accept',
      'accept-encoding',
      'connection',
      'host',
      'user-agent',
    ]);
  });

  it.each([
    ['no URL', 'not a url'],
    ['another scheme', 'file:///etc/passwd'],
    ['another scheme', 'ftp://example.test/x'],
    ['another scheme', 'gopher://127.0.0.1:1/'],
    ['credentials', 'http://user:secret@example.test/'],
    ['a very long one', `http://example.test/${'a'.repeat(10_000)}`],
  ])('is refused for what it is: %s', (_, bad) => {
    expect(() => parseUrl(bad)).toThrow(/cannot fetch url=/u);
    expect(() => parseUrl(bad)).not.toThrow(/secret/u);
  });

  it.each([
    () => `http://127.0.0.1:${port}/`,
    () => `http://localhost:${port}/`,
    () => `http://2130706433:${port}/`,
    () => `http://0x7f.1:${port}/`,
    () => `http://017700000001:${port}/`,
    () => `http://127.1:${port}/`,
    () => `http://[::ffff:127.0.0.1]:${port}/`,
    () => `http://[::1]:${port}/`,
    () => `http://0.0.0.0:${port}/`,
    () => 'http://169.254.169.254/latest/meta-data/',
    () => 'https://10.0.0.1/',
  ])('of an address that is not public is refused (%#), and nothing is sent', async (from) => {
    expect(await refusal(from(), { allow: new Set() })).toMatchObject({
      code: 'bad_request',
      message: expect.stringContaining('its address is not public') as unknown,
    });
    expect(seen).toEqual([]);
  });

  it('whose name has a private address among others is refused', async () => {
    const resolve = (): Promise<{ address: string; family: number }[]> =>
      Promise.resolve([
        { address: '93.184.216.34', family: 4 },
        { address: '127.0.0.1', family: 4 },
      ]);
    expect(await refusal(`http://files.test:${port}/`, { resolve })).toMatchObject({ code: 'bad_request' });
    expect(seen).toEqual([]);
  });

  it('whose name cannot be resolved is refused', async () => {
    const error = await refusal('http://nowhere.test/', { resolve: () => Promise.reject(new Error('ENOTFOUND')) });
    expect(error.message).toContain('cannot be resolved');
  });

  it('is resolved once, and what is connected to is what was looked at', async () => {
    let asked = 0;
    const resolve = (): Promise<{ address: string; family: number }[]> => {
      asked++;
      return Promise.resolve([{ address: asked === 1 ? '127.0.0.1' : '10.0.0.1', family: 4 }]);
    };
    expect(await read(`http://files.test:${port}/x`, { resolve, allow: new Set([`files.test:${port}`]) })).toBe('rows');
    expect([asked, seen[0]?.headers.host]).toEqual([1, `files.test:${port}`]);
  });

  it('is allowed with its port only', async () => {
    expect(await refusal(url(), { allow: new Set(['127.0.0.1:1']) })).toMatchObject({ code: 'bad_request' });
  });
});

describe('a redirect', () => {
  const to =
    (location: string): Answerer =>
    (request, response) => {
      if (request.url === '/end') response.end('rows');
      else response.writeHead(302, { location }).end();
    };

  it('is followed, also a relative one', async () => {
    answer = to('/end');
    expect(await read(url())).toBe('rows');
  });

  it.each([
    'http://127.0.0.1:1/',
    'http://169.254.169.254/latest/',
    'http://[::1]/',
    'http://localhost/',
    'file:///etc/passwd',
  ])('to %s is refused', async (location) => {
    answer = to(location);
    expect(await refusal(url())).toMatchObject({ code: 'bad_request' });
    expect(seen).toHaveLength(1);
  });

  it('is followed five times and no more', async () => {
    answer = (request, response) => response.writeHead(307, { location: `${request.url}x` }).end();
    expect((await refusal(url('/'))).message).toContain('more than 5 times');
    expect(seen).toHaveLength(6);
  });

  it('to nowhere is refused', async () => {
    answer = (_, response) => response.writeHead(301).end();
    expect((await refusal(url())).message).toContain('redirects to nowhere');
  });
});

describe('an answer', () => {
  it.each([204, 404, 500])('of status %i is none, and the query of the URL is not told', async (status) => {
    answer = (_, response) => response.writeHead(status).end();
    const { message } = await refusal(url('/file?secret=1'));
    expect(message).toContain(`it answered ${status}`);
    expect(message).not.toContain('secret');
  });

  it('that says it is too large is refused before it comes', async () => {
    answer = (_, response) => response.writeHead(200, { 'content-length': '2000' }).end('x'.repeat(2_000));
    expect(await refusal(url(), { maxBytes: 1_999 })).toMatchObject({ code: 'too_large' });
  });

  it('that is too large without saying so is cut off', async () => {
    answer = (_, response) => {
      const timer = setInterval(() => response.write('x'.repeat(1_000)), 1);
      response.once('close', () => clearInterval(timer));
    };
    expect(await refusal(url(), { maxBytes: 10_000 })).toMatchObject({ code: 'too_large' });
  });

  it('that never comes is not waited for', async () => {
    answer = () => undefined;
    expect(await refusal(url(), { idleMs: 50 })).toMatchObject({ code: 'timeout' });
  });

  it('that stops in the middle is not waited for', async () => {
    answer = (_, response) => response.write('x');
    expect(await refusal(url(), { idleMs: 50 })).toMatchObject({ code: 'timeout' });
  });

  it('that drips is not waited for', async () => {
    answer = (_, response) => {
      const timer = setInterval(() => response.write('x'), 10);
      response.once('close', () => clearInterval(timer));
    };
    expect(await refusal(url(), { maxMs: 10_000, idleMs: 200 })).toMatchObject({ code: 'timeout' });
    expect(await refusal(url(), { maxMs: 150 })).toMatchObject({ code: 'timeout' });
  });

  it('that breaks off is no whole file', async () => {
    answer = (_, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('x');
      setTimeout(() => response.destroy(), 20);
    };
    expect(await refusal(url())).toMatchObject({ code: 'bad_request' });
  });

  it('is not waited for when the import is cancelled', async () => {
    answer = (_, response) => response.write('x');
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 50);
    expect(await refusal(url(), { signal: abort.signal })).toMatchObject({ code: 'cancelled' });
  });
});
