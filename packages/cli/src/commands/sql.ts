/** `sql`: ask the server, in one statement, in many from a pipe, at a prompt, or by a ready-made view. */

import { text } from 'node:stream/consumers';
import type { Arguments } from '../args.ts';
import { SERVER_OPTIONS, TENANT_OPTION } from '../args.ts';
import type { Client, SqlOptions } from '../client.ts';
import type { Command, Context } from '../command.ts';
import { UsageError } from '../errors.ts';
import { runPrompt } from '../repl.ts';
import { pipeResult, showResult } from '../results.ts';
import { namesFormat, splitStatements } from '../statements.ts';
import { clientOf } from '../target.ts';
import { showView, VIEW_NAMES } from '../views.ts';

const PIPED_FORMAT = 'TabSeparatedWithNames';

export const sql: Command = {
  name: 'sql',
  summary: 'ask by SQL; without a statement, at a prompt',
  usage: '["SELECT …"]',
  description: [
    'Runs a read-only ClickHouse SQL statement. A terminal gets a table; a pipe gets tab-separated lines with a title line. ' +
      '--format, or a FORMAT clause in the statement, chooses any other format of ClickHouse.',
    'Without a statement it reads statements from standard input, or opens a prompt on a terminal (\\d lists the tables, \\q leaves; ' +
      'history is kept in ~/.glasshouse_history).',
    'Tables: spans, logs, metrics_gauge, metrics_sum, metrics_histogram, metrics_exponential_histogram, metrics_summary, and views ' +
      'for existing dashboards: telemetry.traces, metrics_hourly, otel_traces, otel_logs, otel_metrics_*.',
  ],
  options: {
    ...SERVER_OPTIONS,
    ...TENANT_OPTION,
    format: {
      type: 'string',
      value: 'NAME',
      description: 'Format of the result, such as CSVWithNames, JSONEachRow, Parquet',
    },
    param: {
      type: 'string',
      value: 'NAME=VALUE',
      multiple: true,
      description: 'Value for {NAME:Type} in the statement',
    },
    view: {
      type: 'string',
      value: VIEW_NAMES.join('|'),
      description: 'A ready-made answer: the latest traces, or what is stored',
    },
  },
  positionals: 1,
  examples: [
    { command: 'glasshouse sql "SELECT service_name, count() FROM spans GROUP BY 1"', what: 'spans by service' },
    {
      command: `glasshouse sql --param id=4bf9… "SELECT name, duration_ns FROM spans WHERE trace_id = {id:String}"`,
      what: 'one trace',
    },
    { command: 'glasshouse sql --format CSVWithNames "SELECT * FROM logs LIMIT 100" > logs.csv', what: 'export' },
    { command: 'glasshouse sql --view stats', what: 'what is stored' },
    { command: 'glasshouse sql', what: 'the prompt' },
  ],
  more: 'https://clickhouse.com/docs/sql-reference for the language',
  run: async (context, args) => {
    const { output, input } = context;
    const client = clientOf(context, args);
    const view = args.choice('view', VIEW_NAMES);
    if (view !== undefined) {
      if (args.positionals.length > 0) throw new UsageError('cannot use --view and a statement together');
      await showView(client, output, view, args.flag('json'));
      return 0;
    }
    const params = paramsOf(args);
    const [given] = args.positionals;
    if (given === undefined && input.isTTY === true && output.isTerminal) return runPrompt(context, client, params);
    const source = given ?? (await text(input));
    const { complete, rest } = splitStatements(source);
    const statements = [...complete, rest].filter((statement) => statement !== '');
    if (statements.length === 0)
      throw new UsageError('cannot run the statement: it is empty', 'see `glasshouse sql --help`');
    for (const statement of statements) await runOne(context, args, client, statement, { params });
    return 0;
  },
};

async function runOne(
  { output }: Context,
  args: Arguments,
  client: Client,
  statement: string,
  options: SqlOptions,
): Promise<void> {
  const format = args.text('format');
  if (format !== undefined && !/^\w+$/.test(format))
    throw new UsageError(`cannot use --format=${format}: it is not the name of a format`);
  if (namesFormat(statement) || format !== undefined) {
    // As a clause, because the parameter of the route has short names of its own: `csv` means with names there.
    const clause = namesFormat(statement) ? '' : `\nFORMAT ${format}`;
    await pipeResult(client, output, statement + clause, PIPED_FORMAT, options);
  } else if (output.isTerminal && !args.flag('json')) await showResult(client, output, statement, options);
  else await pipeResult(client, output, statement, args.flag('json') ? 'JSON' : PIPED_FORMAT, options);
}

function paramsOf(args: Arguments): Record<string, string> {
  const values = args.all('param').map((pair) => {
    const match = /^(\w+)=([^]*)$/.exec(pair);
    if (match === null) throw new UsageError(`cannot use --param=${pair}: give NAME=VALUE`);
    return [match[1] ?? '', match[2] ?? ''] as const;
  });
  return Object.fromEntries(values);
}
