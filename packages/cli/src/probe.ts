/**
 * Trying every listener of a server the way its clients would: HTTP by a request, gRPC by the HTTP/2 preface, ClickHouse by
 * its ping. Shared by status, doctor and start.
 */

import { connect } from 'node:net';
import { messageOf } from '@glasshouse/model';
import type { Address } from './process.ts';
import { urlOf } from './target.ts';

const DEADLINE_MS = 5_000;
/** Client preface and an empty SETTINGS frame (RFC 9113, section 3.4). */
const PREFACE = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
]);
const SETTINGS_FRAME = 4;

export interface Probe extends Address {
  readonly ok: boolean;
  readonly ms: number;
  /** What it answered, or why it didn't. */
  readonly detail: string;
}

/** Tries all listeners at once. Never rejects. */
export function probeAll(addresses: readonly Address[]): Promise<Probe[]> {
  return Promise.all(addresses.map(probe));
}

async function probe(address: Address): Promise<Probe> {
  const startedMs = performance.now();
  const done = (ok: boolean, detail: string): Probe => ({ ...address, ok, ms: performance.now() - startedMs, detail });
  try {
    switch (address.name) {
      case 'otlp-grpc':
        return done(true, await greetHttp2(address));
      case 'clickhouse':
        return done(
          ...(await getText(`${urlOf(address)}/ping`, (body) =>
            body.trim() === 'Ok.' ? 'answers /ping' : `/ping says ${body.slice(0, 80)}`,
          )),
        );
      default:
        return done(...(await getText(`${urlOf(address)}/ready`, () => 'ready')));
    }
  } catch (error) {
    return done(false, reasonOf(error));
  }
}

async function getText(url: string, describe: (body: string) => string): Promise<[boolean, string]> {
  const response = await fetch(url, { signal: AbortSignal.timeout(DEADLINE_MS) });
  const body = await response.text();
  return response.ok ? [true, describe(body)] : [false, `answers ${response.status}: ${body.trim().slice(0, 200)}`];
}

/** Begins an HTTP/2 connection; the server's first frame must be SETTINGS. */
function greetHttp2({ host, port }: Address): Promise<string> {
  return new Promise((resolve, reject) => {
    const { hostname } = new URL(urlOf({ host, port }));
    const socket = connect({ host: hostname.replace(/^\[|\]$/g, ''), port });
    socket.setTimeout(DEADLINE_MS, () => socket.destroy(new Error('no answer in time')));
    socket.once('connect', () => socket.write(PREFACE));
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('it closed the connection without an answer')));
    socket.once('data', (chunk) => {
      if (chunk[3] === SETTINGS_FRAME) resolve('speaks HTTP/2');
      else reject(new Error('it does not speak HTTP/2'));
      socket.destroy();
    });
  });
}

/** True if something listens there. */
export function isTaken({ host, port }: Pick<Address, 'host' | 'port'>): Promise<boolean> {
  return new Promise((resolve) => {
    const { hostname } = new URL(urlOf({ host, port }));
    const socket = connect({ host: hostname.replace(/^\[|\]$/g, ''), port });
    const done = (taken: boolean) => (): void => {
      socket.destroy();
      resolve(taken);
    };
    socket.setTimeout(1_000, done(false));
    socket.once('connect', done(true));
    socket.once('error', done(false));
  });
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof Error && cause.message !== '') return cause.message;
  return error instanceof DOMException && error.name === 'TimeoutError' ? 'no answer in time' : messageOf(error);
}
