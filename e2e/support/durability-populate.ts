/**
 * A population that is ended from outside and tried again: for each round a pipe of its own that fills a table of rows, and sums of
 * which more sums are made. Everything that was ever acknowledged has to be in each of them once.
 */

import { setTimeout as pause } from 'node:timers/promises';
import type { Kind } from './durability-load.ts';
import type { KillableServer } from './durability-server.ts';

const FROM = 'populate_events';
const JOB_MS = 60_000;

/** Batches of events; `sql` has to say which table they are looked for in. */
export const POPULATE: Kind & { sql: string } = {
  path: `/v0/events?name=${FROM}`,
  contentType: 'application/x-ndjson',
  encode: (number, items) =>
    Buffer.from(Array.from({ length: items }, (_, item) => JSON.stringify({ batch: number, item })).join('\n')),
  sql: '',
};

interface Answer {
  readonly status: number;
  readonly json: Readonly<Record<string, unknown>>;
}

async function call(server: KillableServer, request: string, body?: URLSearchParams | object): Promise<Answer> {
  const [method = '', path = ''] = request.split(' ');
  const tokens = (await (await fetch(`${server.url}/tokens`)).json()) as { readonly workspace_admin_token: string };
  const isForm = body instanceof URLSearchParams;
  const response = await fetch(`${server.url}/v0${path}`, {
    method,
    headers: {
      authorization: `Bearer ${tokens.workspace_admin_token}`,
      ...(isForm || body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: isForm ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, json: text.startsWith('{') ? (JSON.parse(text) as Answer['json']) : { text } };
}

async function made(server: KillableServer, path: string, body: URLSearchParams | object): Promise<void> {
  const { status, json } = await call(server, `POST ${path}`, body);
  if (status !== 200) throw new Error(`cannot make ${path}: ${status} ${JSON.stringify(json)}`);
}

/** The data source that is read; many partitions, so that reading it takes a while. */
export async function prepareSource(server: KillableServer): Promise<void> {
  const schema = 'batch UInt32, item UInt32';
  const engine = { engine: 'MergeTree', engine_sorting_key: 'batch, item', engine_partition_key: 'item % 8' };
  await made(server, '/datasources', new URLSearchParams({ name: FROM, format: 'ndjson', schema, ...engine }));
}

/** The targets of a round, and what is made of one of them. */
export async function prepareRound(server: KillableServer, round: number): Promise<void> {
  const sums = { schema: 'k UInt32, n UInt64', engine: 'SummingMergeTree', engine_sorting_key: 'k' };
  const sources = [
    { name: `rows_${round}`, schema: 'batch UInt32, item UInt32', engine: 'MergeTree', engine_sorting_key: 'batch' },
    { name: `sums_${round}`, ...sums },
    { name: `all_${round}`, ...sums },
  ];
  for (const source of sources)
    await made(server, '/datasources', new URLSearchParams({ format: 'ndjson', ...source }));
  const sql = `SELECT toUInt32(0) AS k, sum(n) AS n FROM sums_${round} GROUP BY k`;
  const node = { name: 'all', sql, type: 'materialized', datasource: `all_${round}` };
  await made(server, '/pipes', { name: `all_${round}_mv`, nodes: [node] });
}

/** Makes the pipe of a round, which begins its population. */
export function begin(server: KillableServer, round: number): Promise<Answer> {
  const rows = { name: 'rows', sql: `SELECT batch, item FROM ${FROM}`, datasource: `rows_${round}` };
  const sums = {
    name: 'sums',
    sql: `SELECT item % 5 AS k, count() AS n FROM ${FROM} GROUP BY k`,
    datasource: `sums_${round}`,
  };
  const nodes = [rows, sums].map((node) => ({ ...node, type: 'materialized' }));
  return call(server, 'POST /pipes?populate=true', { name: `made_${round}`, nodes });
}

/** How the job of an answer ended. */
async function ended(server: KillableServer, { json }: Answer): Promise<string> {
  const id = String((json['job'] as Answer['json'])['id']);
  for (const until = Date.now() + JOB_MS; Date.now() < until; await pause(25)) {
    const { status, error } = (await call(server, `GET /jobs/${id}`)).json;
    if (status === 'error') return `error: ${String(error)}`;
    if (status === 'done' || status === 'cancelled') return status;
  }
  throw new Error(`cannot see the end of job=${id}`);
}

/**
 * Waits for the populations of a round, which go on by themselves after a restart; begins them only if nothing of them was written.
 * Resolves with how they ended.
 */
export async function goneOn(server: KillableServer, round: number): Promise<readonly string[]> {
  if ((await call(server, `GET /pipes/made_${round}`)).status === 404)
    return [`begun anew: ${await ended(server, await begin(server, round))}`];
  for (const until = Date.now() + JOB_MS; Date.now() < until; await pause(25)) {
    const { jobs } = (await call(server, 'GET /jobs?kind=populateview')).json;
    // Without the store there is no list.
    const mine = ((jobs ?? []) as readonly Answer['json'][]).filter((job) => job['pipe_name'] === `made_${round}`);
    const states = mine.map(({ status, error }) => (status === 'error' ? `error: ${String(error)}` : String(status)));
    if (states.length > 0 && states.every((state) => /done|error|cancelled/u.test(state))) return states;
  }
  throw new Error(`cannot see the population of round=${round} go on`);
}

/** Does what a client does whose request for a population failed, until all is there. Resolves with what it took. */
export async function retry(server: KillableServer, round: number): Promise<readonly string[]> {
  if ((await call(server, `GET /pipes/made_${round}`)).status === 404)
    return [`begun anew: ${await ended(server, await begin(server, round))}`];
  const steps: string[] = [];
  for (const node of ['rows', 'sums']) {
    const answer = await call(server, `POST /pipes/made_${round}/nodes/${node}/population`);
    const error = String(answer.json['error']);
    if (answer.status === 200) steps.push(`${node}: ${await ended(server, answer)}`);
    else if (answer.status === 409 && error.includes('has rows already')) steps.push(`${node}: is there`);
    else throw new Error(`cannot populate ${node} again: ${answer.status} ${error}`);
  }
  return steps;
}

/** How many events the sums of a round have too many or too few. */
export async function sumsAstray(server: KillableServer, round: number): Promise<number> {
  const [row] = await server.sql<{ astray: number }>(
    `SELECT toUInt32(abs(toInt64(c) - toInt64(a)) + abs(toInt64(c) - toInt64(b))) AS astray FROM (
       SELECT (SELECT count() FROM ${FROM}) AS c, (SELECT sum(n) FROM sums_${round}) AS a, (SELECT sum(n) FROM all_${round}) AS b)`,
  );
  return row?.astray ?? -1;
}
