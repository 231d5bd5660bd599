/**
 * The benchmark as a story: check the workload; how much the server takes and what that costs; how long a sender waits; the
 * same through a straightforward pipeline; the store alone; how long queries take. Everything in one run on one machine, so
 * that the ratios mean something.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { measureCeiling } from './ceiling.ts';
import { compareNaive } from './comparison.ts';
import type { Context } from './context.ts';
import { measureEndpoint } from './endpoint.ts';
import { measureEvents } from './events.ts';
import { measureGenerationEndpoints } from './generation-endpoints.ts';
import { measureGenerations } from './generations.ts';
import { measureIngest } from './ingest.ts';
import type { Ingested } from './ingest.ts';
import { measureLatency } from './latency.ts';
import { describeMachine } from './machine.ts';
import type { Options, SectionName } from './options.ts';
import { parseOptions, USAGE } from './options.ts';
import { measureQueries } from './queries.ts';
import type { Table } from './report.ts';
import { asMarkdown, asText, decimals, thousands } from './report.ts';
import { openStore } from './store.ts';
import { verifyWorkload } from './verify.ts';
import type { WorkloadFacts } from './verify.ts';

const PAGE = join(import.meta.dirname, '../../docs/reference/benchmarks.md');

async function run(options: Options): Promise<void> {
  const directory = mkdtempSync(join(options.directory, 'glasshouse-bench-'));
  const context: Context = { options, directory, say: (text) => console.error(text) };
  try {
    const facts = verifyWorkload();
    const about = await aboutTable(context, facts);
    console.log(asText(about));
    const tables = await measureAll(context, (table) => console.log(asText(table)));
    if (options.write) writeFileSync(PAGE, page([about, ...tables]));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function measureAll(context: Context, show: (table: Table) => void): Promise<Table[]> {
  const tables: Table[] = [];
  const add = (table: Table): void => {
    show(table);
    tables.push(table);
  };
  let ingested: Ingested | undefined;
  const sections: Readonly<Record<SectionName, () => Promise<void>>> = {
    ingest: async () => {
      const result = await measureIngest(context);
      ingested = result.ingested;
      add(result.table);
    },
    latency: async () => add(await measureLatency(context)),
    naive: async () => add(await compareNaive(context, ingested)),
    ceiling: async () => add(await measureCeiling(context, ingested)),
    queries: async () => add(await measureQueries(context)),
    events: async () => add(await measureEvents(context)),
    endpoint: async () => add(await measureEndpoint(context)),
    generations: async () => add(await measureGenerations(context)),
    'generations-endpoints': async () => add(await measureGenerationEndpoints(context)),
  };
  for (const name of context.options.sections) await sections[name]();
  return tables;
}

async function aboutTable(context: Context, facts: WorkloadFacts): Promise<Table> {
  await using open = await openStore(join(context.directory, 'version'));
  const [row] = await open.store.rows<{ version: string }>('SELECT version() AS version');
  await open.close();
  return {
    title: 'Machine and workload',
    text: 'Text is drawn from an invented vocabulary of 4,000 words; ids, times, sizes and prompts are new in every request.',
    head: ['', ''],
    rows: [
      ...describeMachine(context.directory, row?.version ?? 'unknown'),
      ['Date', new Date().toISOString().slice(0, 10)],
      ['Bytes per span on the wire', decimals(facts.bytesPerSpan, 0)],
      ['Attributes per span', `${decimals(facts.attributesPerSpan, 1)}, and 6 of the resource`],
      ['Bytes per log record on the wire', thousands(facts.bytesPerLog)],
      ['Spans per request', '512 from 3 services: 20 % with an event, 10 % with a prompt of 1 KB, 5 % failed'],
    ],
  };
}

function page(tables: readonly Table[]): string {
  return [
    '# Benchmarks',
    '',
    'Measured by `npm run bench -- --write` in one run; every number here is of that run. The generator shares the processors',
    'with the server. `npm run bench -- --help` says how to repeat it.',
    '',
    ...tables.map(asMarkdown),
  ].join('\n');
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options === 'help') console.log(USAGE);
  else await run(options);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
