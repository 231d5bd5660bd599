/**
 * "And nothing else harmed": what every test of bad input asserts beside the answer. Exactly the expected items were made
 * durable meanwhile, and a good request right afterwards is taken.
 */

import { expect } from 'vitest';
import { post } from './http.ts';
import { request, span } from './payloads.ts';
import type { Server } from './server.ts';

const ACCEPTED = 'glasshouse_ingest_accepted_total';

export interface HarmOptions {
  /** Items that are stored although, or because, the input was bad. */
  readonly stored?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Runs `act`, then asserts that it stored what it should and nothing else, and that the server goes on. */
export async function harmless<T>(server: Server, act: () => Promise<T>, options: HarmOptions = {}): Promise<T> {
  const before = await server.metric(ACCEPTED);
  const result = await act();
  expect(await server.metric(ACCEPTED), 'items stored by the bad input').toBe(before + (options.stored ?? 0));
  const good = await post(`${server.url}/v1/traces`, request('good-after-bad', [span()]), options.headers);
  expect([good.status, good.body.length], 'a good request afterwards').toEqual([200, 0]);
  expect(await server.metric(ACCEPTED)).toBe(before + (options.stored ?? 0) + 1);
  return result;
}
