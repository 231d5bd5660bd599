/**
 * Batches of JSON events for a data source: the events of a batch fall on two days, which are partitions, and one in twenty
 * does not fit and goes into the quarantine. What a materialization makes of them must agree with them.
 */

import type { Kind } from './durability-load.ts';
import type { KillableServer } from './durability-server.ts';

const DAY_MS = 86_400_000;
const BAD_SHARE = 0.05;

const DEFINITION = {
  name: 'kill_events',
  format: 'ndjson',
  schema: 'batch UInt32, item UInt32, at DateTime, text String',
  engine: 'MergeTree',
  engine_sorting_key: 'batch, item',
  engine_partition_key: 'toDate(at)',
};
const COUNTS = {
  name: 'kill_counts',
  format: 'ndjson',
  schema: 'day Date, events UInt64, sum UInt64',
  engine: 'SummingMergeTree',
  engine_sorting_key: 'day',
  engine_partition_key: 'toYYYYMM(day)',
};
const PIPE = {
  name: 'kill_counts_pipe',
  nodes: [
    {
      name: 'per_day',
      sql: 'SELECT toDate(at) AS day, count() AS events, sum(item) AS sum FROM kill_events GROUP BY day',
      type: 'materialized',
      datasource: 'kill_counts',
    },
  ],
};

export const EVENTS: Kind = {
  path: '/v0/events?name=kill_events',
  contentType: 'application/x-ndjson',
  encode: (number, items) => {
    const nowMs = Date.now();
    const lines = Array.from({ length: items }, (_, item) => {
      const at = new Date(nowMs - (Math.random() < 0.5 ? DAY_MS : 0)).toISOString();
      const bad = Math.random() < BAD_SHARE;
      return JSON.stringify({ batch: number, item, at: bad ? 'never' : at, text: `event ${item} of batch ${number}` });
    });
    return Buffer.from(lines.join('\n'));
  },
  sql: `SELECT hex(batch) AS batch, toUInt32(count()) AS count, toUInt32(uniqExact(item)) AS items FROM (
          SELECT batch, item FROM kill_events
          UNION ALL SELECT toUInt32(batch) AS batch, toUInt32(item) AS item FROM kill_events_quarantine
        ) GROUP BY batch`,
};

/** Makes the data sources and the materialization. */
export async function prepareEvents(server: KillableServer): Promise<void> {
  const origin = `http://127.0.0.1:${server.port}`;
  const tokens = (await (await fetch(`${origin}/tokens`)).json()) as { readonly workspace_admin_token: string };
  const post = async (path: string, init: RequestInit): Promise<void> => {
    const headers = {
      ...(init.headers as Record<string, string>),
      authorization: `Bearer ${tokens.workspace_admin_token}`,
    };
    const response = await fetch(`${origin}/v0${path}`, { method: 'POST', ...init, headers });
    if (!response.ok) throw new Error(`cannot prepare ${path}: ${response.status} ${await response.text()}`);
  };
  await post('/datasources', { body: new URLSearchParams(DEFINITION) });
  await post('/datasources', { body: new URLSearchParams(COUNTS) });
  await post('/pipes', { body: JSON.stringify(PIPE), headers: { 'Content-Type': 'application/json' } });
}

/** By how many events the materialization differs from what it was made of. */
export async function countsAstray(server: KillableServer): Promise<number> {
  const [row] = await server.sql<{ astray: number }>(
    `SELECT toUInt32(sum(abs(difference))) AS astray FROM (
       SELECT day, toInt64(sum(n)) AS difference FROM (
         SELECT day, toInt64(events) * 1000003 + toInt64(sum) AS n FROM kill_counts
         UNION ALL SELECT toDate(at) AS day, -toInt64(count()) * 1000003 - toInt64(sum(item)) AS n FROM kill_events GROUP BY day
       ) GROUP BY day)`,
  );
  return row?.astray ?? -1;
}
