/** The commands of `pipe` that run something: an endpoint, a copy; and the record of who called what. */

import { AppError } from '@glasshouse/model';
import type { Value } from '../client.ts';
import { bodyOf, brokenOff, parseExact } from '../client.ts';
import type { Command } from '../command.ts';
import { EXIT_CODES, UsageError } from '../errors.ts';
import { durationText } from '../output.ts';
import { needed, watched, WORKSPACE_OPTIONS, workspaceOf } from '../platform/command.ts';
import { awaitJob } from '../platform/waiting.ts';
import type { JobInfo } from '../platform/wire.ts';
import { withQuery } from '../platform/workspace.ts';
import { printRows } from '../results.ts';

/** Endings under which endpoints are called. */
const FORMATS = ['json', 'csv', 'ndjson', 'parquet', 'prometheus'] as const;
/** Longer addresses are refused by proxies, so the parameters go into the body. */
const MAX_ADDRESS = 4_000;

export const run: Command = {
  name: 'pipe run',
  summary: 'call an endpoint with parameters',
  usage: 'NAME [PARAMETER=VALUE…]',
  description: [
    'Calls the endpoint of a pipe as an application would, and shows what it answers: a table on a terminal, JSON elsewhere, or what ' +
      '--format says. A parameter that is given several times is a list; commas do the same.',
    'With --token it is called with a token of the workspace, to see what its bearer sees.',
  ],
  options: {
    ...WORKSPACE_OPTIONS,
    format: { type: 'string', value: 'NAME', description: `One of ${FORMATS.join(', ')}` },
  },
  positionals: Number.POSITIVE_INFINITY,
  examples: [
    { command: 'glasshouse pipe run top_pages', what: 'with its defaults' },
    {
      command: 'glasshouse pipe run top_pages limit=5 page=/home page=/docs',
      what: 'with parameters, one of them a list',
    },
    { command: 'glasshouse pipe run top_pages --format csv > top_pages.csv', what: 'export' },
  ],
  more: '`glasshouse pipe show NAME` lists the parameters',
  run: async (context, args) => {
    const { output } = context;
    const { client } = workspaceOf(context, args);
    const name = needed(args, 'pipe run', 'the name of a pipe');
    const format = args.choice('format', FORMATS);
    const query = withQuery('', parametersIn(args.positionals.slice(1))).slice(1);
    const asTable = format === undefined && output.isTerminal && !args.flag('json');
    const path = `/v0/pipes/${encodeURIComponent(name)}.${format ?? 'json'}`;
    const isLong = path.length + query.length > MAX_ADDRESS;
    const init = isLong ? { method: 'POST', body: new URLSearchParams(query) } : {};
    const response = await client.ask(isLong || query === '' ? path : `${path}?${query}`, init);
    if (asTable) {
      const startedMs = performance.now();
      const { meta, data } = parseExact(await response.text()) as unknown as ObjectResult;
      printRows(output, {
        meta,
        rows: data.length,
        data: data.map((row) => meta.map((column) => row[column.name] ?? null)),
      });
      const rows = data.length === 1 ? '1 row' : `${data.length} rows`;
      output.note(`${rows}, read in ${durationText(performance.now() - startedMs)}`, 'dim');
      return EXIT_CODES.ok;
    }
    try {
      for await (const chunk of bodyOf(response)) await output.raw(chunk);
    } catch (error) {
      throw brokenOff(error);
    }
    return EXIT_CODES.ok;
  },
};

/** A result whose rows are objects. */
interface ObjectResult {
  readonly meta: readonly { readonly name: string; readonly type: string }[];
  readonly data: readonly Readonly<Record<string, Value>>[];
}

export const copy: Command = {
  name: 'pipe copy',
  summary: 'run a copy pipe now, and wait for it',
  usage: 'run NAME [PARAMETER=VALUE…]',
  description: [
    'Runs a pipe of type copy: what its last node answers is put into the data source that the pipe names, beside the rows there or in ' +
      'their place, as COPY_MODE or --mode says. Copies with a schedule run by themselves besides.',
  ],
  options: {
    ...WORKSPACE_OPTIONS,
    mode: { type: 'string', value: 'append|replace', description: 'Instead of what the data file says' },
  },
  positionals: Number.POSITIVE_INFINITY,
  examples: [
    { command: 'glasshouse pipe copy run daily_snapshot', what: 'as its file says' },
    { command: 'glasshouse pipe copy run daily_snapshot day=2026-01-31 --mode append', what: 'for another day' },
  ],
  more: 'docs/reference/data-files.md',
  run: async (context, args) => {
    const { output, now } = context;
    const workspace = workspaceOf(context, args);
    if (args.positionals[0] !== 'run')
      throw new UsageError('cannot tell what to do: give `pipe copy run NAME`', 'see `glasshouse pipe copy --help`');
    const name = needed(args, 'pipe copy', 'the name of a pipe after run', 1);
    const mode = args.choice('mode', ['append', 'replace']);
    const parameters = parametersIn(args.positionals.slice(2));
    const startedMs = now();
    const path = withQuery(`/v0/pipes/${encodeURIComponent(name)}/copy`, { _mode: mode, ...parameters });
    const done = await watched(context, `Copying ${name}`, async (watch) => {
      const begun = await workspace.post<{ job?: Partial<JobInfo> & { readonly job_id?: string } }>(path);
      const id = begun.job?.job_id ?? begun.job?.id;
      if (id === undefined) throw new AppError('internal', 'cannot follow the copy: the server names no job');
      return awaitJob(workspace, id, watch);
    });
    if (args.flag('json')) output.json(done);
    else output.line(`${output.paint('green', '✓')} Copied by ${name} (${durationText(now() - startedMs)}).`);
    return EXIT_CODES.ok;
  },
};

const STATS = `SELECT pipe_name AS pipe, count() AS requests, countIf(error > 0) AS errors,
  round(quantile(0.5)(duration) * 1000, 1) AS p50_ms, round(quantile(0.95)(duration) * 1000, 1) AS p95_ms,
  round(avg(read_rows)) AS read_rows, max(start_datetime) AS last
FROM tinybird.pipe_stats_rt`;

const REQUESTS = `SELECT start_datetime AS time, method, status_code AS status, round(duration * 1000, 1) AS ms, read_rows, result_rows,
  token_name AS token, parameters
FROM tinybird.pipe_stats_rt`;

export const stats: Command = {
  name: 'pipe stats',
  summary: 'show how often endpoints are called, and how fast they are',
  usage: '[NAME]',
  description: [
    'Shows requests, errors and durations of endpoints of the last --hours; with NAME the latest requests to that one. They come from ' +
      'tinybird.pipe_stats_rt, which any SQL may read; requests are there some seconds after they were answered.',
  ],
  options: {
    ...WORKSPACE_OPTIONS,
    hours: { type: 'string', value: 'N', fallback: '24', description: 'How far back' },
    lines: { type: 'string', short: 'n', value: 'N', fallback: '20', description: 'How many requests' },
  },
  positionals: 1,
  examples: [
    { command: 'glasshouse pipe stats', what: 'all endpoints' },
    { command: 'glasshouse pipe stats top_pages --hours 1', what: 'requests to one of them' },
  ],
  more: 'docs/guides/data-platform.md',
  run: async (context, args) => {
    const { output } = context;
    const { client } = workspaceOf(context, args);
    const [name] = args.positionals;
    const since = `start_datetime > now() - INTERVAL ${args.whole('hours', 1)} HOUR`;
    const sql =
      name === undefined
        ? `${STATS} WHERE ${since} GROUP BY pipe_name ORDER BY requests DESC LIMIT 100`
        : `${REQUESTS} WHERE ${since} AND pipe_name = {name:String} ORDER BY start_datetime DESC LIMIT ${args.whole('lines', 1)}`;
    const result = await client.sql(sql, name === undefined ? {} : { params: { name } });
    if (args.flag('json')) {
      const rows = result.data.map((row) =>
        Object.fromEntries(result.meta.map((column, at) => [column.name, row[at] ?? null])),
      );
      output.json(name === undefined ? { pipes: rows } : { pipe: name, requests: rows });
    } else if (result.data.length === 0) output.line(`No requests${name === undefined ? '' : ` to ${name}`} yet.`);
    else printRows(output, result);
    return EXIT_CODES.ok;
  },
};

/** `NAME=VALUE`, several of a name as a list. @throws UsageError */
function parametersIn(pairs: readonly string[]): Readonly<Record<string, readonly string[]>> {
  const parameters: Record<string, string[]> = {};
  for (const pair of pairs) {
    const match = /^([A-Za-z_]\w*)=([^]*)$/u.exec(pair);
    if (match === null)
      throw new UsageError(`cannot use argument=${pair}: give parameters as NAME=VALUE`, 'such as limit=5 page=/home');
    const [, name = '', value = ''] = match;
    parameters[name] = [...(parameters[name] ?? []), value];
  }
  return parameters;
}
