/** `import`: rows of a data source from the lines of a log file, however often it is interrupted. */

import { AppError } from '@glasshouse/model';
import type { Arguments, Options } from '../args.ts';
import type { Command, Context } from '../command.ts';
import { EXIT_CODES, UsageError } from '../errors.ts';
import type { Batch } from '../import/batches.ts';
import { batchesOf } from '../import/batches.ts';
import { readerOf } from '../import/choose.ts';
import { chunksOf, chunksOfInput } from '../import/input.ts';
import type { Journal, Resumption } from '../import/journal.ts';
import { newJournal, optionsHash, readJournal, resume } from '../import/journal.ts';
import { lockImport } from '../import/lock.ts';
import { mapper, parseMap } from '../import/mapping.ts';
import { recordsOf } from '../import/records.ts';
import { importAll } from '../import/run.ts';
import { Sender } from '../import/sender.ts';
import { showImported, showTrial, Speed } from '../import/show.ts';
import { tryOut } from '../import/trial.ts';
import { needed, WORKSPACE_OPTIONS, workspaceOf } from '../platform/command.ts';

const OPTIONS: Options = {
  ...WORKSPACE_OPTIONS,
  to: { type: 'string', value: 'DATASOURCE', description: 'Data source that gets the rows (needed)' },
  format: { type: 'string', value: 'FORMAT', description: 'jsonl, csv or log (default: by the name)' },
  map: {
    type: 'string',
    value: 'MAP',
    multiple: true,
    description: "Fields of the rows: field=path or field='text', with commas",
  },
  keep: { type: 'boolean', description: 'Keep fields too that --map does not name' },
  pattern: {
    type: 'string',
    value: 'PATTERN',
    description: 'Of log: regular expression with named groups, or combined, logfmt, pino',
  },
  start: {
    type: 'string',
    value: 'PATTERN',
    description: 'Of log: how a record begins; other lines belong to the one before',
  },
  columns: {
    type: 'string',
    value: 'NAMES',
    description: 'Of csv: names of the columns, of a file whose first line has none',
  },
  delimiter: {
    type: 'string',
    value: 'TEXT',
    fallback: ',',
    description: 'Of csv: what is between cells; \\t for a tab',
  },
  'on-bad': {
    type: 'string',
    value: 'skip|stop',
    fallback: 'skip',
    description: 'What to do at a line that cannot be read',
  },
  limit: { type: 'string', value: 'N', description: 'Import the first N records only' },
  'dry-run': { type: 'boolean', description: 'Show the first five rows and what would not fit; send nothing' },
  journal: {
    type: 'string',
    value: 'PATH',
    description: 'Where it is written how far it is (default: FILE.import.json)',
  },
  restart: { type: 'boolean', description: 'Begin anew; rows that were imported stay, and come again' },
  patience: {
    type: 'string',
    value: 'SECONDS',
    fallback: '600',
    description: 'Give up when the server is away for so long',
  },
};

/** All that is there, but not everything fitted. */
const IMPERFECT = 4;

export const importFile: Command = {
  name: 'import',
  summary: 'import a log file; killed, it goes on where it was',
  usage: 'FILE|- --to DATASOURCE',
  description: [
    'Reads a file of JSON lines, CSV or log lines, packed with gzip or not, makes a row of each record, and sends the rows to a data ' +
      'source. Lines that cannot be read are in FILE.rejected, with their numbers and reasons; rows that do not fit the data ' +
      'source are in its quarantine.',
    "Paths of --map: $.a.b, a.b, $.list[0], $['a key']; in single quotes a text. Conversions: :int, :float, :time (seconds to " +
      'nanoseconds since 1970, told apart by their size, and usual forms of dates; UTC without a zone), :json, :text.',
    'Every record is imported exactly once, also if this command, the server, or the machine is killed, as long as the same ' +
      'command ends it within 29 days and the file has not changed: each batch has a name that the server keeps with its ' +
      'rows, and takes once. A file that has grown since it was imported is imported from where it ended. Standard input ' +
      'cannot be resumed.',
  ],
  options: OPTIONS,
  positionals: 1,
  examples: [
    {
      command:
        'glasshouse import calls.jsonl --to llm_calls --map "start_time=$.ts:time,model=$.request.model,provider=\'openai\'"',
      what: 'JSON lines',
    },
    {
      command:
        'glasshouse import access.log.gz --to visits --pattern combined --map "at=time:time,path=path" --keep --dry-run',
      what: 'try it with a log of nginx',
    },
    {
      command:
        "glasshouse import app.log --to logs --pattern '^(?<at>\\S+) (?<level>\\w+) (?<message>.*)' --start '^\\d{4}-'",
      what: 'records of several lines',
    },
  ],
  more: 'docs/guides/import.md',
  exits:
    '0 imported, 1 failed: run it again, 2 wrong usage or configuration, 3 the server is not reachable, ' +
    '4 imported, but lines were rejected or rows quarantined',
  run: async (context, args) => {
    const path = needed(args, 'import', 'a file, or -');
    const dataSource = args.text('to');
    if (dataSource === undefined || dataSource === '')
      throw new UsageError(
        'cannot import without --to: say which data source gets the rows',
        'see `glasshouse import --help`',
      );
    const assignments = args.all('map').flatMap(parseMap);
    const how = {
      map: mapper(assignments, args.flag('keep')),
      limit: args.text('limit') === undefined ? undefined : args.whole('limit', 1),
    };
    if (args.choice('on-bad', ['skip', 'stop']) === undefined) throw new UsageError('cannot import: give --on-bad');
    if (path === '-' && context.input.isTTY === true)
      throw new UsageError('cannot read from standard input: it is a terminal', 'give a file, or pipe lines into it');
    const place = args.flag('dry-run') ? undefined : journalPathOf(args, path);
    const release = place === undefined ? undefined : await lockImport(path, place, context.now());
    try {
      return await importTo(context, args, path, dataSource, how);
    } finally {
      release?.();
    }
  },
};

interface HowToRead {
  readonly map: ReturnType<typeof mapper>;
  readonly limit: number | undefined;
}

async function importTo(
  context: Context,
  args: Arguments,
  path: string,
  dataSource: string,
  how: HowToRead,
): Promise<number> {
  const { journal, how: resumption } = begun(context, args, path, dataSource);
  const { client } = workspaceOf(context, args);
  if (resumption === 'done' && !args.flag('dry-run')) {
    const quarantined = await quarantinedOf(context, args, dataSource, journal);
    return finished(context, args, { dataSource, journal, resumption, quarantined, elapsedMs: 0 });
  }
  const isTrial = args.flag('dry-run');
  const from = isTrial ? { offset: 0, line: 1 } : journal;
  const chunks = path === '-' ? chunksOfInput(context.input) : chunksOf(path, from.offset);
  const chosen = await readerOf(path, args, isTrial ? undefined : journal.columns, chunks, from);
  const records = recordsOf(chosen.chunks, chosen.reader.framing, chosen.from);
  if (isTrial) {
    const info = await workspaceOf(context, args)
      .dataSource(dataSource)
      .catch(() => undefined);
    const columns = info?.columns ?? info?.schema?.columns ?? undefined;
    showTrial(context, args, dataSource, await tryOut(records, { ...how, reader: chosen.reader }, columns));
    return EXIT_CODES.ok;
  }
  const startedMs = context.now();
  const progress = context.output.progress(context.now);
  const speed = new Speed(journal, context.now);
  const signal = context.interruption();
  const sender = new Sender({
    client,
    dataSource,
    signal,
    now: context.now,
    random: Math.random,
    patienceMs: args.whole('patience', 1) * 1000,
    onWait: (why) => {
      if (why !== undefined) progress.update(`${speed.text} - waiting: ${why}`);
    },
  });
  const batches: AsyncIterable<Batch> = batchesOf(records, {
    ...how,
    reader: chosen.reader,
    from: { ...chosen.from, records: journal.counts.lines },
  });
  try {
    const done = await importAll({
      batches,
      sender,
      journal: { ...journal, offset: chosen.from.offset, line: chosen.from.line, columns: chosen.columns },
      journalPath: journalPathOf(args, path),
      rejectedPath: path === '-' ? 'stdin.rejected' : `${path}.rejected`,
      onBad: args.choice('on-bad', ['skip', 'stop']) ?? 'skip',
      onProgress: (now) => progress.update(speed.update(now, path)),
    });
    progress.end();
    const quarantined = await quarantinedOf(context, args, dataSource, done);
    return finished(context, args, {
      dataSource,
      journal: done,
      resumption,
      quarantined,
      elapsedMs: context.now() - startedMs,
    });
  } catch (error) {
    if (!signal.aborted) throw error;
    const next = path === '-' ? '' : '; run the same command again to go on';
    throw new AppError('cancelled', `cannot finish the import: it was interrupted${next}`, { cause: error });
  } finally {
    progress.end();
  }
}

function journalPathOf(args: Arguments, path: string): string | undefined {
  return path === '-' ? undefined : (args.text('journal') ?? `${path}.import.json`);
}

/** Where it begins. @throws UsageError if it cannot go on */
function begun(
  context: Context,
  args: Arguments,
  path: string,
  dataSource: string,
): { readonly how: Resumption; readonly journal: Journal } {
  const { client } = workspaceOf(context, args);
  const deciding = ['format', 'pattern', 'start', 'columns', 'delimiter', 'limit', 'tenant'].map(
    (name) => args.text(name) ?? null,
  );
  const options = optionsHash([client.url, dataSource, args.all('map'), args.flag('keep'), deciding]);
  const place = journalPathOf(args, path);
  if (place === undefined) {
    const nothing = { bytes: 0, modifiedMs: 0, head: '', headBytes: 0 };
    return { how: 'new', journal: newJournal(nothing, options, context.now()) };
  }
  const isNew = args.flag('restart') || args.flag('dry-run');
  return resume(path, isNew ? undefined : readJournal(place), options, context.now());
}

/** Rows of the import in the quarantine; undefined if that cannot be told. */
async function quarantinedOf(
  context: Context,
  args: Arguments,
  dataSource: string,
  { id }: Journal,
): Promise<number | undefined> {
  if (!/^[A-Za-z_]\w*$/u.test(dataSource)) return undefined;
  const { client } = workspaceOf(context, args);
  const sql = `SELECT count() AS n FROM \`${dataSource}_quarantine\` WHERE startsWith(c__import_id, 'batch-${id}.')`;
  // A token that may only append may not read.
  return client.rows(sql).then(
    ([row]) => Number(row?.['n'] ?? 0),
    () => undefined,
  );
}

interface Finished {
  readonly dataSource: string;
  readonly journal: Journal;
  readonly resumption: Resumption;
  readonly quarantined: number | undefined;
  readonly elapsedMs: number;
}

function finished(context: Context, args: Arguments, end: Finished): number {
  showImported(context, args.flag('json'), end);
  return end.journal.counts.rejected > 0 || (end.quarantined ?? 0) > 0 ? IMPERFECT : EXIT_CODES.ok;
}
