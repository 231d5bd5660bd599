/**
 * `tail`: new spans and log records as they arrive. It asks again and again for the last few minutes and shows what it has
 * not shown yet: data arrives late, because a span is sent when it has ended.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '@glasshouse/model';
import type { Arguments } from '../args.ts';
import { SERVER_OPTIONS, TENANT_OPTION } from '../args.ts';
import type { Client, Value } from '../client.ts';
import { textOf } from '../client.ts';
import type { Command } from '../command.ts';
import { UsageError } from '../errors.ts';
import type { Output } from '../output.ts';
import { durationText } from '../output.ts';
import { Seen } from '../seen.ts';
import { clientOf } from '../target.ts';
import { fit, pad, printable } from '../width.ts';

const SIGNALS = ['spans', 'logs'] as const;
type TailSignal = (typeof SIGNALS)[number];
type Row = Readonly<Record<string, Value>>;

/** Rows of one poll; with more than this coming in, only the newest are shown. */
const MOST_ROWS = 2_000;

const COLUMNS: Readonly<Record<TailSignal, string>> = {
  spans: 'timestamp, service_name, name, status_code, status_message, duration_ns, trace_id, span_id',
  logs: 'timestamp, service_name, severity_number, severity_text, body, trace_id, span_id',
};
const ERRORS: Readonly<Record<TailSignal, string>> = { spans: 'status_code = 2', logs: 'severity_number >= 17' };

export const tail: Command = {
  name: 'tail',
  summary: 'follow new spans and log records',
  usage: '',
  description: [
    'Shows spans and log records as they arrive, until Ctrl-C. A span appears when it was sent, which is after its end; those that ' +
      'began longer ago than --window are left out. --json writes one object a line.',
  ],
  options: {
    ...SERVER_OPTIONS,
    ...TENANT_OPTION,
    signal: {
      type: 'string',
      value: 'NAME',
      multiple: true,
      description: `Only these: ${SIGNALS.join(', ')} (default: both)`,
    },
    service: { type: 'string', value: 'NAME', multiple: true, description: 'Only these services' },
    errors: { type: 'boolean', description: 'Only spans with status error and records of severity error and above' },
    window: { type: 'string', value: 'SECONDS', fallback: '300', description: 'How far back to look for late data' },
    interval: { type: 'string', value: 'MS', fallback: '1000', description: 'Pause between two looks' },
    lines: {
      type: 'string',
      short: 'n',
      value: 'N',
      fallback: '10',
      description: 'What is there already, to begin with',
    },
  },
  positionals: 0,
  examples: [
    { command: 'glasshouse tail', what: 'everything' },
    { command: 'glasshouse tail --errors --service checkout', what: 'what goes wrong in one service' },
    { command: 'glasshouse tail --signal logs --json | jq .body', what: 'for a script' },
  ],
  more: '`glasshouse sql --help` for questions about the past',
  run: async (context, args) => {
    const { output, now, interruption } = context;
    const client = clientOf(context, args);
    const signals = signalsOf(args);
    const windowMs = args.whole('window', 1) * 1000;
    const intervalMs = args.whole('interval', 100);
    const seen = new Seen(windowMs);
    const signal = interruption();
    let backlog = args.whole('lines', 0);
    let first = true;
    let failing = false;
    while (!signal.aborted) {
      try {
        const rows = await poll(client, args, signals, windowMs, seen, now(), signal);
        const shown = first ? rows.slice(rows.length - Math.min(rows.length, backlog)) : rows;
        for (const row of shown) show(output, row, args.flag('json'));
        first = false;
        failing = false;
      } catch (error) {
        if (signal.aborted) break;
        if (first) throw error;
        // A restart of the server is no reason to end; it is said once.
        if (!failing) output.note(`${messageOf(error)}; trying again`, 'yellow');
        failing = true;
      }
      backlog = 0;
      await sleep(intervalMs, undefined, { signal }).catch(() => undefined);
    }
    return 0;
  },
};

function signalsOf(args: Arguments): TailSignal[] {
  const wanted = args.list('signal');
  const wrong = wanted.find((name) => !SIGNALS.some((one) => one === name));
  if (wrong !== undefined) throw new UsageError(`cannot use --signal=${wrong}: give one of ${SIGNALS.join(', ')}`);
  return SIGNALS.filter((name) => wanted.length === 0 || wanted.includes(name));
}

/** What arrived since the last poll, oldest first. */
async function poll(
  client: Client,
  args: Arguments,
  signals: readonly TailSignal[],
  windowMs: number,
  seen: Seen,
  nowMs: number,
  signal: AbortSignal,
): Promise<Row[]> {
  const services = args.list('service');
  const conditions = ['timestamp >= fromUnixTimestamp64Milli({from:Int64})'];
  if (services.length > 0) conditions.push('service_name IN {services:Array(String)}');
  const params = {
    from: String(nowMs - windowMs),
    ...(services.length === 0
      ? {}
      : { services: `[${services.map((name) => `'${name.replaceAll(/[\\']/g, String.raw`\$&`)}'`).join(',')}]` }),
  };
  const results = await Promise.all(
    signals.map(async (table) => {
      const where = [...conditions, ...(args.flag('errors') ? [ERRORS[table]] : [])].join(' AND ');
      const statement = `SELECT '${table}' AS signal, ${COLUMNS[table]} FROM ${table} WHERE ${where} ORDER BY timestamp DESC LIMIT ${MOST_ROWS}`;
      return client.rows(statement, { params, signal });
    }),
  );
  return seen
    .fresh(results.flat(), nowMs)
    .toSorted((a, b) => (textOf(a['timestamp']) < textOf(b['timestamp']) ? -1 : 1));
}

function show(output: Output, row: Row, json: boolean): void {
  if (json) {
    output.line(JSON.stringify(row));
    return;
  }
  const field = (name: string): string => printable(textOf(row[name]));
  const time = output.paint('dim', field('timestamp').slice(11, 23));
  const service = output.paint('cyan', pad(fit(field('service_name'), 20), 20));
  if (row['signal'] === 'spans') {
    const failed = row['status_code'] === 2;
    const state = failed ? output.paint('red', 'ERROR') : output.paint('green', 'SPAN ');
    const took = durationText(Number(row['duration_ns']) / 1e6);
    const why = failed ? ` ${output.paint('red', field('status_message'))}` : '';
    output.line(
      `${time} ${state} ${service} ${field('name')} ${output.paint('yellow', took)}${why} ${output.paint('dim', field('trace_id'))}`,
    );
  } else {
    const severity = Number(row['severity_number']);
    const colour = severity >= 17 ? 'red' : severity >= 13 ? 'yellow' : 'dim';
    const word = severityText(field('severity_text'), severity);
    output.line(`${time} ${output.paint(colour, pad(fit(word, 5), 5))} ${service} ${field('body')}`);
  }
}

function severityText(text: string, severity: number): string {
  if (text !== '') return text.toUpperCase();
  return ['LOG', 'TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'][Math.ceil(severity / 4)] ?? 'LOG';
}
