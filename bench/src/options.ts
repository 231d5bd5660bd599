/** The command line: `npm run bench -- [section …] [--seconds N] [--quick] [--write] [--dir PATH]`. */

import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';

export const SECTIONS = [
  'ingest',
  'latency',
  'naive',
  'ceiling',
  'queries',
  'events',
  'endpoint',
  'generations',
  'generations-endpoints',
] as const;
export type SectionName = (typeof SECTIONS)[number];

export interface Options {
  readonly sections: readonly SectionName[];
  /** Length of the sustained load; the other loads follow from it. */
  readonly seconds: number;
  /** Spans and log records that the queries run over. */
  readonly querySpans: number;
  readonly queryLogs: number;
  readonly queryRuns: number;
  /** Rows of each data source that the endpoints read. */
  readonly endpointRows: number;
  /** Whether to write docs/reference/benchmarks.md. */
  readonly write: boolean;
  /** Where data directories are made; its file system is what is measured. */
  readonly directory: string;
}

export const USAGE = `npm run bench -- [section …] [options]

Sections (all if none is named):
  ingest    closed loop: spans/s acknowledged and in the table, processor time, memory, disk, time until queryable
  latency   open loop: memory at 50,000 spans/s, latency at 100,000 spans/s alone and beside four heavy queries
  naive     the same load through a straightforward pipeline, and the ratio
  ceiling   the store alone, loading the same segments from files, and the ratio
  queries   latency of typical queries over 5 million spans and 3 million log records
  events    JSON events into a data source, and the ratio to mapping them row by row in JavaScript
  endpoint  endpoints that aggregate an hour out of 10 million rows: alone, and at 100 requests/s
  generations  calls of models: events that become priced rows, and what spans cost that report calls
  generations-endpoints  the built-in endpoints over 10 million calls of models

Options:
  --seconds N   length of the sustained load (60)
  --quick       8 seconds, a tenth of the data for the queries and the endpoints
  --write       write docs/reference/benchmarks.md
  --dir PATH    where to put the data (the system's temporary directory)
`;

/** @throws Error saying which argument is wrong. */
export function parseOptions(args: readonly string[]): Options | 'help' {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      seconds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      dir: { type: 'string', default: tmpdir() },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return 'help';
  const seconds = Number(values.seconds ?? (values.quick ? 8 : 60));
  if (!(seconds >= 1 && seconds <= 3600)) throw new Error(`cannot run for --seconds=${values.seconds}: give 1 to 3600`);
  const sections = positionals.map((name) => {
    const section = SECTIONS.find((known) => known === name);
    if (section === undefined) throw new Error(`cannot run section=${name}: give ${SECTIONS.join(', ')}`);
    return section;
  });
  return {
    sections: sections.length === 0 ? SECTIONS : sections,
    seconds,
    querySpans: values.quick ? 500_000 : 5_000_000,
    queryLogs: values.quick ? 300_000 : 3_000_000,
    queryRuns: 30,
    endpointRows: values.quick ? 1_000_000 : 10_000_000,
    write: values.write,
    directory: values.dir,
  };
}
