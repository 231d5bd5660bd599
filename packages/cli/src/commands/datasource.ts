/** `datasource`: the family, and its commands that are about definitions. Those about rows are in datasource-rows.ts. */

import type { Arguments } from '../args.ts';
import type { Command, Context, Family } from '../command.ts';
import { confirm } from '../confirm.ts';
import { EXIT_CODES, UsageError } from '../errors.ts';
import type { Output } from '../output.ts';
import { bytesText, countText } from '../output.ts';
import { minuteText, needed, rowsText, WORKSPACE_OPTIONS, workspaceOf, YES_OPTION } from '../platform/command.ts';
import { guessSchema, SAMPLE_OPTIONS, sampleOf } from '../platform/guess.ts';
import type { ColumnInfo, DataSourceInfo } from '../platform/wire.ts';
import { withQuery } from '../platform/workspace.ts';
import { printable } from '../width.ts';
import { append, deleteRows, quarantine, truncate } from './datasource-rows.ts';

const MORE = 'docs/guides/data-platform.md';

const ls: Command = {
  name: 'datasource ls',
  summary: 'list the data sources with their rows and bytes',
  usage: '',
  description: [
    'Lists the data sources of the workspace: how many rows and bytes each has, and when it was changed last.',
  ],
  options: WORKSPACE_OPTIONS,
  positionals: 0,
  examples: [
    { command: 'glasshouse datasource ls', what: 'all of them' },
    { command: 'glasshouse datasource ls --tenant acme', what: 'those of another tenant, as administrator' },
  ],
  more: MORE,
  run: async (context, args) => {
    const { output } = context;
    const all = await workspaceOf(context, args).dataSources();
    if (args.flag('json')) output.json({ datasources: all });
    else if (all.length === 0)
      output.line('No data sources yet; `glasshouse datasource create NAME --schema …` makes one.');
    else {
      const right = { align: 'right', keep: true } as const;
      output.table(
        [
          { title: 'Name' },
          { title: 'Rows', ...right },
          { title: 'Size', ...right },
          { title: 'Changed' },
          { title: 'Description' },
        ],
        all.map(({ name, statistics, updated_at, description }) => [
          name,
          countText(statistics?.row_count ?? 0),
          bytesText(statistics?.bytes ?? 0),
          minuteText(updated_at),
          description ?? '',
        ]),
      );
    }
    return EXIT_CODES.ok;
  },
};

const show: Command = {
  name: 'datasource show',
  summary: 'show columns, engine and size of a data source',
  usage: 'NAME',
  description: [
    'Shows what a data source is: its columns with their types, where in a JSON row each is read from and its default, its engine ' +
      'with keys and TTL, and how much is in it. --file prints its data file instead, which `glasshouse push` takes back.',
  ],
  options: { ...WORKSPACE_OPTIONS, file: { type: 'boolean', description: 'Print the data file' } },
  positionals: 1,
  examples: [
    { command: 'glasshouse datasource show visits', what: 'for a person' },
    { command: 'glasshouse datasource show visits --file > visits.datasource', what: 'as a data file' },
  ],
  more: 'docs/reference/data-files.md',
  run: async (context, args) => {
    const { output } = context;
    const workspace = workspaceOf(context, args);
    const name = needed(args, 'datasource show', 'the name of a data source');
    if (args.flag('file')) {
      const text = await workspace.dataFile('datasource', name);
      if (args.flag('json')) output.json({ name, datafile: text });
      else output.line(text.trimEnd());
      return EXIT_CODES.ok;
    }
    const info = await workspace.dataSource(name);
    if (args.flag('json')) output.json(info);
    else describe(output, info);
    return EXIT_CODES.ok;
  },
};

/** What the engine is told, as data files call it. */
const ENGINE_PARTS: readonly (readonly [string, string])[] = [
  ['sorting_key', 'Sorting key'],
  ['partition_key', 'Partition key'],
  ['primary_key', 'Primary key'],
  ['ttl', 'Rows are kept'],
  ['ver', 'Version column'],
  ['sign', 'Sign column'],
];

function describe(output: Output, info: DataSourceInfo): void {
  const engine = info.engine ?? {};
  const part = (name: string): string => {
    const value = engine[name] ?? engine[`engine_${name}`];
    return typeof value === 'string' ? value : '';
  };
  const { row_count: rows, bytes } = info.statistics ?? {};
  const pairs: [string, string][] = [
    ['Name', info.name],
    ['Description', info.description ?? ''],
    ['Engine', part('engine')],
    ...ENGINE_PARTS.map(([name, title]): [string, string] => [title, part(name)]),
    ['Holds', `${rowsText(rows ?? 0)}, ${bytesText(bytes ?? 0)}`],
    ['Quarantined', info.quarantine_rows ? rowsText(info.quarantine_rows) : ''],
    ['Used by', (info.used_by ?? []).map(({ name }) => name).join(', ')],
  ];
  output.pairs(pairs.filter(([, value]) => value !== '').map(([name, value]) => [name, printable(value)]));
  output.line();
  showColumns(output, info.schema?.columns ?? info.columns ?? []);
}

function showColumns(output: Output, columns: readonly ColumnInfo[]): void {
  const isCommented = columns.some(({ description }) => Boolean(description));
  output.table(
    ['Column', 'Type', 'Read from', 'Default', ...(isCommented ? ['Comment'] : [])].map((title) => ({ title })),
    columns.map(({ name, type, nullable, jsonpath, default_value, description }) => [
      name,
      nullable === true ? `Nullable(${type})` : type,
      jsonpath ?? '',
      default_value ?? '',
      ...(isCommented ? [(description ?? '').replaceAll('\n', ' ')] : []),
    ]),
  );
}

const ENGINE_OPTIONS = {
  engine: {
    type: 'string',
    value: 'NAME',
    description: 'MergeTree (default), ReplacingMergeTree, AggregatingMergeTree …',
  },
  'sorting-key': { type: 'string', value: 'COLUMNS', description: 'Columns by which rows are ordered and found' },
  'partition-key': { type: 'string', value: 'EXPR', description: 'Such as toYYYYMM(timestamp)' },
  ttl: { type: 'string', value: 'EXPR', description: 'When rows go, such as timestamp + INTERVAL 90 DAY' },
} as const;

const create: Command = {
  name: 'datasource create',
  summary: 'make a data source from a schema, or from what rows look like',
  usage: 'NAME',
  description: [
    'Makes a data source at once, without a data file. --schema has the columns as in a data file; --like takes a file of rows and ' +
      'guesses them. `glasshouse datasource show NAME --file` writes it down afterwards.',
    'For what is to stay, a data file and `glasshouse push` are better: they are reviewed, and come back the same.',
  ],
  options: {
    ...WORKSPACE_OPTIONS,
    schema: { type: 'string', value: 'COLUMNS', description: "Such as 'timestamp DateTime, page String'" },
    like: { type: 'string', value: 'FILE', description: 'NDJSON, CSV or Parquet rows to guess the columns from' },
    ...SAMPLE_OPTIONS,
    ...ENGINE_OPTIONS,
    description: { type: 'string', value: 'TEXT', description: 'What it is for' },
  },
  positionals: 1,
  examples: [
    {
      command:
        "glasshouse datasource create visits --schema 'timestamp DateTime, page String, ms UInt32' --sorting-key timestamp",
      what: 'from a schema',
    },
    {
      command: 'glasshouse datasource create visits --like visits.ndjson',
      what: 'from rows; they are not stored by it',
    },
  ],
  more: 'docs/reference/data-files.md for columns and engines',
  run: async (context, args) => {
    const { output } = context;
    const workspace = workspaceOf(context, args);
    const name = needed(args, 'datasource create', 'a name');
    const [written, like] = [args.text('schema'), args.text('like')];
    if ((written === undefined) === (like === undefined))
      throw new UsageError(
        'cannot make a data source: give either --schema or --like',
        'see `glasshouse datasource create --help`',
      );
    const schema =
      written ?? (await guessSchema(workspace, await sampleOf(context, like ?? '', args.text('format')))).schema;
    const { datasource } = await workspace.post<{ datasource?: DataSourceInfo }>('/v0/datasources', {
      name,
      schema,
      mode: 'create',
      engine: args.text('engine'),
      engine_sorting_key: args.text('sorting-key'),
      engine_partition_key: args.text('partition-key'),
      engine_ttl: args.text('ttl'),
      description: args.text('description'),
    });
    if (args.flag('json')) output.json({ datasource: datasource ?? { name } });
    else {
      output.line(`${output.paint('green', '✓')} Made data source ${name}.`);
      output.line(`  glasshouse datasource append ${name} FILE`);
    }
    return EXIT_CODES.ok;
  },
};

const rm: Command = {
  name: 'datasource rm',
  summary: 'delete a data source with all its rows',
  usage: 'NAME',
  description: [
    'Deletes a data source and its rows for good, after asking. One that pipes use is not deleted unless --force says so; ' +
      '`glasshouse deploy` deletes what a project no longer has, and can bring it back.',
  ],
  options: {
    ...WORKSPACE_OPTIONS,
    ...YES_OPTION,
    force: { type: 'boolean', short: 'f', description: 'Also if pipes use it; they fail then' },
  },
  positionals: 1,
  examples: [
    { command: 'glasshouse datasource rm visits', what: 'after asking' },
    { command: 'glasshouse datasource rm visits --yes --force', what: 'in a script' },
  ],
  more: '`glasshouse datasource truncate --help` for the rows alone',
  run: async (context, args) => removeDataSource(context, args),
};

async function removeDataSource(context: Context, args: Arguments): Promise<number> {
  const { output } = context;
  const workspace = workspaceOf(context, args);
  const { name, statistics } = await workspace.dataSource(needed(args, 'datasource rm', 'the name of a data source'));
  const rows = rowsText(statistics?.row_count ?? 0);
  if (!(await confirm(context, args, `Delete data source ${name} with ${rows}?`))) return EXIT_CODES.declined;
  const force = args.flag('force') ? 'true' : 'false';
  await workspace.remove(withQuery(`/v0/datasources/${encodeURIComponent(name)}`, { force }));
  if (args.flag('json')) output.json({ deleted: name });
  else output.line(`Deleted data source ${name}.`);
  return EXIT_CODES.ok;
}

const schema: Command = {
  name: 'datasource schema',
  summary: 'guess a data file from rows',
  usage: 'FILE',
  description: [
    'Looks at the first rows of an NDJSON, CSV or Parquet file and prints a data file that fits them: columns, types and JSON ' +
      'paths. Nothing is stored. Look it over before it is used: a number that is always whole in the sample becomes a whole number.',
  ],
  options: { ...WORKSPACE_OPTIONS, ...SAMPLE_OPTIONS },
  positionals: 1,
  examples: [
    {
      command: 'glasshouse datasource schema visits.ndjson > datasources/visits.datasource',
      what: 'begin a data file',
    },
    { command: 'head -n 1000 visits.csv | glasshouse datasource schema - --format csv', what: 'from a pipe' },
  ],
  more: 'docs/reference/data-files.md',
  run: async (context, args) => {
    const { output } = context;
    const file = needed(args, 'datasource schema', 'a file of rows');
    const guess = await guessSchema(workspaceOf(context, args), await sampleOf(context, file, args.text('format')));
    if (args.flag('json')) output.json(guess);
    else output.line(guess.datafile.trimEnd());
    return EXIT_CODES.ok;
  },
};

export const datasource: Family = {
  name: 'datasource',
  summary: 'make, fill, look at and empty data sources',
  description: [
    'A data source is a table with a schema: events are sent to it by name (POST /v0/events), files are appended, and SQL and pipes ' +
      'read it. Rows that do not fit its schema go to its quarantine, with the reasons.',
  ],
  members: [ls, show, create, append, schema, quarantine, deleteRows, truncate, rm],
  examples: [
    { command: "glasshouse datasource create visits --schema 'timestamp DateTime, page String'", what: 'make one' },
    { command: 'glasshouse datasource append visits visits.ndjson', what: 'fill it' },
    { command: 'glasshouse datasource quarantine visits', what: 'what did not fit, and why' },
  ],
  more: MORE,
};
