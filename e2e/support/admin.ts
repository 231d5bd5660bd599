/** What an administrator does over HTTP before a test: API keys are made and revoked. */

import type { Server } from './server.ts';

export interface KeyWish {
  readonly name: string;
  readonly tenant?: string;
  readonly project?: string;
  readonly environment?: string;
  readonly scopes?: readonly string[];
}

export interface CreatedKey {
  readonly id: string;
  /** The secret. */
  readonly key: string;
}

/** Makes an API key. */
export async function createKey(server: Server, wish: KeyWish): Promise<CreatedKey> {
  return (await call(server, 'POST', '/api/v1/admin/keys', wish)) as CreatedKey;
}

/** Revokes an API key by its id. */
export async function revokeKey(server: Server, id: string): Promise<void> {
  await call(server, 'DELETE', `/api/v1/admin/keys?id=${encodeURIComponent(id)}`);
}

async function call(server: Server, method: string, path: string, body?: unknown): Promise<unknown> {
  const response = await fetch(server.url + path, {
    method,
    headers: { authorization: `Bearer ${server.adminToken}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`cannot ${method} ${path}: ${response.status} ${text}`);
  return JSON.parse(text);
}
