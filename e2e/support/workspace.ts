/**
 * A workspace of the server under test, reached as Tinybird's clients reach theirs: the local tokens, requests with a
 * token, a deployment. For tests that need a workspace with something in it; what the clients themselves do is theirs.
 */

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'vitest';
import type { Answer } from './http.ts';
import { answerOf } from './http.ts';
import { parseExact } from './json.ts';
import type { Row, Server } from './server.ts';

export const PROJECTS = join(import.meta.dirname, '../interop/projects');
const DEPLOY_MS = 60_000;
const VISIBLE_MS = 30_000;
const POLL_MS = 50;

export interface Workspace {
  /** Of the server. */
  readonly url: string;
  /** May do everything in the workspace. */
  readonly token: string;
}

/** A token as `/v0/tokens` shows it. */
export interface ListedToken {
  readonly id: string;
  readonly name: string;
  readonly token: string;
  readonly scopes: readonly { readonly type: string; readonly resource?: string }[];
}

/** The workspace that a local client finds. */
export async function localWorkspace(server: Server): Promise<Workspace> {
  const tokens = await json<{ workspace_admin_token: string }>(await fetch(`${server.url}/tokens`));
  return { url: server.url, token: tokens.workspace_admin_token };
}

/** Sends a request with the workspace's token, or another. */
export async function call(workspace: Workspace, request: string, init: RequestInit = {}): Promise<Answer> {
  const [method = 'GET', path = '/'] = request.split(' ');
  const headers = { authorization: `Bearer ${workspace.token}`, ...(init.headers as Record<string, string>) };
  return answerOf(await fetch(workspace.url + path, { ...init, method, headers }));
}

/** Posts NDJSON to a data source and answers what became of it. */
export async function postEvents(
  workspace: Workspace,
  name: string,
  rows: readonly unknown[],
): Promise<{ readonly successful_rows: number; readonly quarantined_rows: number }> {
  const body = rows.map((row) => `${JSON.stringify(row)}\n`).join('');
  const answer = await call(workspace, `POST /v0/events?name=${name}&wait=true`, { body });
  if (answer.status !== 200) throw new Error(`cannot post to ${name}: ${answer.status} ${answer.text}`);
  return JSON.parse(answer.text) as { successful_rows: number; quarantined_rows: number };
}

/** The rows of a query. */
export async function rowsOf(workspace: Workspace, query: string): Promise<readonly Row[]> {
  const answer = await call(workspace, 'POST /v0/sql', { body: query });
  if (answer.status !== 200) throw new Error(`cannot query ${query}: ${answer.status} ${answer.text.slice(0, 500)}`);
  return (parseExact(answer.text) as { data: readonly Row[] }).data;
}

/** Asks until the rows are as expected; fails with the difference if they never are. */
export async function expectRows(workspace: Workspace, query: string, expected: readonly Row[]): Promise<void> {
  await expect.poll(() => rowsOf(workspace, query), { timeout: VISIBLE_MS, interval: POLL_MS }).toEqual(expected);
}

/** The rows of an endpoint, called with parameters. */
export async function endpointRows(
  workspace: Workspace,
  pipe: string,
  parameters: Readonly<Record<string, string>> = {},
): Promise<readonly Row[]> {
  const query = new URLSearchParams(parameters).toString();
  const answer = await call(workspace, `GET /v0/pipes/${pipe}.json?${query}`);
  if (answer.status !== 200) throw new Error(`cannot call ${pipe}: ${answer.status} ${answer.text.slice(0, 500)}`);
  return (parseExact(answer.text) as { data: readonly Row[] }).data;
}

/** The token of this name. */
export async function tokenNamed(workspace: Workspace, name: string): Promise<ListedToken> {
  const { text } = await call(workspace, 'GET /v0/tokens');
  const { tokens } = JSON.parse(text) as { tokens: readonly ListedToken[] };
  const token = tokens.find((candidate) => candidate.name === name);
  if (token === undefined)
    throw new Error(`cannot find the token ${name}: there are ${tokens.map((other) => other.name).join()}`);
  return token;
}

/** Makes what the data files of a folder under `interop/projects` describe, and returns when it is live. */
export async function deployFolder(workspace: Workspace, folder: string): Promise<void> {
  const root = join(PROJECTS, folder);
  const files = (await readdir(root, { recursive: true })).filter((name) => /\.(datasource|pipe)$/.test(name));
  const body = new FormData();
  for (const name of files)
    body.append('data_project://', new Blob([await readFile(join(root, name))], { type: 'text/plain' }), name);
  const answer = await call(workspace, 'POST /v1/deploy?auto_promote=true', { body });
  const { result, deployment } = JSON.parse(answer.text) as { result: string; deployment?: { id: string } };
  if (result !== 'success' || deployment === undefined) throw new Error(`cannot deploy ${folder}: ${answer.text}`);
  const deadline = Date.now() + DEPLOY_MS;
  while (Date.now() < deadline) {
    const { text } = await call(workspace, `GET /v1/deployments/${deployment.id}`);
    if ((JSON.parse(text) as { deployment: { live?: boolean } }).deployment.live === true) return;
    await pause(POLL_MS);
  }
  throw new Error(`cannot deploy ${folder}: it was not live within ${DEPLOY_MS} ms`);
}

async function json<T>(response: Response): Promise<T> {
  const text = await response.text();
  if (!response.ok) throw new Error(`cannot read ${response.url}: ${response.status} ${text}`);
  return JSON.parse(text) as T;
}
