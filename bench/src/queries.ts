/**
 * Section (d): how long people wait for answers. Five million spans and three million log records of the last 24 hours are
 * loaded through the server, then each query runs thirty times over HTTP, as a user would send it.
 *
 * Must stay true: no two runs of a query have the same constants, so that no cache of conditions or results answers.
 */

import { SERVICES } from './catalog.ts';
import type { Context } from './context.ts';
import { CONNECTIONS, TEMPLATES, withDirectory } from './context.ts';
import { summarize } from './histogram.ts';
import { untilDrained } from './inserted.ts';
import { runLoad } from './job.ts';
import { Random } from './random.ts';
import type { Table } from './report.ts';
import { milliseconds, thousands } from './report.ts';
import type { Server } from './server.ts';
import { pause, startServer } from './server.ts';
import { makeVocabulary } from './vocabulary.ts';
import { ITEMS_PER_REQUEST, VOCABULARY_SEED } from './workload.ts';

const DAY_MS = 86_400_000;
const WARM_UPS = 3;
/** A query that takes longer than this is run less often. */
const QUERY_BUDGET_MS = 30_000;
const SETTLE_MS = 5_000;

interface Question {
  readonly name: string;
  /** The query of run `run`: every run has other constants. */
  readonly sql: (run: number) => string;
}

export function measureQueries(context: Context): Promise<Table> {
  return withDirectory(context, 'queries', async (directory) => {
    const { querySpans, queryLogs, queryRuns } = context.options;
    await using server = await startServer(directory);
    context.say(`queries: loading ${thousands(querySpans)} spans and ${thousands(queryLogs)} log records`);
    const base = { port: server.otlpPort, connections: CONNECTIONS, templates: TEMPLATES, spreadMs: DAY_MS } as const;
    const requests = Math.ceil(querySpans / ITEMS_PER_REQUEST);
    const spans = await runLoad({ ...base, signal: 'calls', requests, seed: 51, sampleTraces: queryRuns + WARM_UPS });
    await runLoad({ ...base, signal: 'logs', requests: Math.ceil(queryLogs / ITEMS_PER_REQUEST), seed: 52 });
    await untilDrained(server);
    await pause(SETTLE_MS);

    const rows: string[][] = [];
    for (const question of questions(spans.traceIds, Date.now())) {
      context.say(`queries: ${question.name}`);
      rows.push(await measure(server, question, queryRuns));
    }
    await server.stop();
    return {
      title: 'Queries',
      text:
        `Over ${thousands(spans.accepted)} spans and ${thousands(queryLogs)} log records of 24 hours, loaded through the ` +
        'server and left as its merges left them; one query at a time, over HTTP, each run with other constants.',
      head: ['query', 'p50', 'p99', 'max', 'engine p50', 'runs', 'rows of the last run'],
      rows,
    };
  });
}

async function measure(server: Server, { name, sql }: Question, runs: number): Promise<string[]> {
  for (let run = 0; run < WARM_UPS; run++) await server.sql(sql(run));
  const elapsed: number[] = [];
  const engine: number[] = [];
  let rows = 0;
  const startedAt = performance.now();
  for (let run = 0; run < runs && performance.now() - startedAt < QUERY_BUDGET_MS; run++) {
    const sentAt = performance.now();
    const answer = await server.ask(sql(run + WARM_UPS));
    elapsed.push(performance.now() - sentAt);
    engine.push(answer.statistics.elapsed * 1000);
    rows = answer.data.length;
  }
  const { count, p50, p99, max } = summarize(elapsed);
  const engineMs = milliseconds(summarize(engine).p50);
  return [name, milliseconds(p50), milliseconds(p99), milliseconds(max), engineMs, String(count), String(rows)];
}

function questions(traceIds: readonly string[], nowMs: number): Question[] {
  const random = new Random(61);
  const { words } = makeVocabulary(new Random(VOCABULARY_SEED));
  const at = (agoMs: number): string => `fromUnixTimestamp64Milli(toInt64(${Math.floor(nowMs - agoMs)}))`;
  // A day back, give or take: another number of milliseconds every time.
  const lastDay = (run: number): string => `timestamp >= ${at(DAY_MS + 1_000 * (run + 1))}`;
  const hour = (run: number): string => {
    const ago = 3_600_000 * (1 + (run % 22)) + run * 1_000;
    return `timestamp >= ${at(ago)} AND timestamp < ${at(ago - 3_600_000)}`;
  };
  const service = (run: number): string => SERVICES[run % SERVICES.length]?.name ?? 'checkout';
  const word = (rank: number): string => words[rank % words.length] ?? words[0];
  const digits = (count: number): string => String(random.below(10 ** count)).padStart(count, '0');
  const route = (run: number): string => {
    const { nouns } = SERVICES[run % SERVICES.length] ?? SERVICES[0];
    return `/api/v2/${nouns[run % nouns.length] ?? nouns[0]}/{id}`;
  };
  const newest = 'ORDER BY timestamp DESC LIMIT 50';
  return [
    {
      name: 'trace by id, all columns',
      sql: (run) => `SELECT * FROM spans WHERE trace_id = '${traceIds[run % traceIds.length] ?? ''}'`,
    },
    {
      name: 'trace by id, what a waterfall shows',
      sql: (run) => `SELECT timestamp, span_id, parent_span_id, service_name, name, kind, status_code, duration_ns
        FROM spans WHERE trace_id = '${traceIds[run % traceIds.length] ?? ''}'`,
    },
    {
      name: 'RED by service, 24 h',
      sql: (run) => `SELECT service_name, count() AS requests, countIf(status_code = 2) AS errors,
        quantiles(0.5, 0.95, 0.99)(duration_ns) AS durations FROM spans WHERE ${lastDay(run)} GROUP BY service_name`,
    },
    {
      name: 'RED by service and hour, 24 h (hourly view)',
      sql: (run) => `SELECT service_name, timestamp, sum(total_count), sum(error_count), max(p99_duration_ms)
        FROM metrics_hourly WHERE timestamp >= ${at(DAY_MS + 1_000 * (run + 1))} GROUP BY service_name, timestamp`,
    },
    {
      name: 'promoted attribute http_route, 24 h, newest 50',
      sql: (run) => `SELECT timestamp, trace_id, name, duration_ns FROM spans
        WHERE http_route = '${route(run)}' AND ${lastDay(run)} ${newest}`,
    },
    {
      name: 'promoted attribute http_status_code, 24 h, newest 50',
      sql: (run) => `SELECT timestamp, trace_id, name, duration_ns FROM spans
        WHERE http_status_code = ${[503, 502, 404, 304][run % 4]} AND ${lastDay(run)} ${newest}`,
    },
    {
      name: 'attribute user.id by its alias (1 of 100,000), 24 h',
      sql: (run) => `SELECT timestamp, trace_id, name, duration_ns FROM spans
        WHERE user_id = 'usr_${digits(5)}' AND ${lastDay(run)} ${newest}`,
    },
    {
      name: 'any attribute (map), one hour, newest 50',
      sql: (run) => `SELECT timestamp, trace_id, name FROM spans
        WHERE attributes_string['thread.name'] = 'worker-${run}' AND ${hour(run)} ${newest}`,
    },
    {
      name: 'any attribute (map), 24 h, newest 50',
      sql: (run) => `SELECT timestamp, trace_id, name FROM spans
        WHERE attributes_string['db.collection.name'] = '${route(run).split('/')[3] ?? ''}' AND ${lastDay(run)} ${newest}`,
    },
    {
      name: 'newest 50 of one service, one hour, all columns',
      sql: (run) => `SELECT * FROM spans WHERE service_name = '${service(run)}' AND ${hour(run)} ${newest}`,
    },
    {
      name: 'newest 50 of everything',
      sql: (run) => `SELECT timestamp, trace_id, service_name, name FROM spans WHERE ${lastDay(run)} ${newest}`,
    },
    {
      name: 'tokens by model, 24 h',
      sql: (run) => `SELECT gen_ai_model, sum(attributes_int['gen_ai.usage.input_tokens']) AS tokens FROM spans
        WHERE gen_ai_model != '' AND ${lastDay(run)} GROUP BY gen_ai_model`,
    },
    {
      name: 'log text: a token in about 3 records',
      sql: () => `SELECT timestamp, service_name, body FROM logs WHERE hasToken(body, '${digits(6)}') ${newest}`,
    },
    {
      name: 'log text: three common words, newest 50',
      sql: (run) => `SELECT timestamp, service_name, body FROM logs
        WHERE hasToken(body, '${word(run + 20)}') AND hasToken(body, '${word(run + 60)}') AND hasToken(body, '${word(run + 100)}') ${newest}`,
    },
    {
      name: 'log text: count of a common word',
      sql: (run) => `SELECT count() FROM logs WHERE hasToken(body, '${word(run + 10)}')`,
    },
    {
      name: 'log text: part of a word (scan), count',
      sql: (run) => `SELECT count() FROM logs WHERE body ILIKE '%${word(run + 200).slice(1)} ${word(run + 5)}%'`,
    },
  ];
}
