/** The commands of `datasource` that are about rows: append, quarantine, delete, truncate. */

import { AppError } from '@glasshouse/model';
import type { Arguments } from '../args.ts';
import type { Command, Context } from '../command.ts';
import { confirm } from '../confirm.ts';
import { EXIT_CODES, UsageError } from '../errors.ts';
import { needed, rowsText, watched, WORKSPACE_OPTIONS, workspaceOf, YES_OPTION } from '../platform/command.ts';
import { bodyOf, formatOf, isAddress } from '../platform/rows-file.ts';
import { awaitJob } from '../platform/waiting.ts';
import type { JobInfo } from '../platform/wire.ts';
import { withQuery } from '../platform/workspace.ts';
import { printRows } from '../results.ts';

export const append: Command = {
  name: 'datasource append',
  summary: 'append the rows of a file or an address',
  usage: 'NAME FILE|URL|-',
  description: [
    'Appends rows of NDJSON, CSV or Parquet, gzip-packed or not, from a file, from an address that the server fetches, or from ' +
      'standard input. CSV has the names of the columns in its first line, or their order. Waits until the rows can be queried ' +
      'and says how many there are.',
    'Rows that do not fit go to the quarantine and make the exit code 1, unless --allow-quarantine is given; the others are stored.',
  ],
  options: {
    ...WORKSPACE_OPTIONS,
    format: { type: 'string', value: 'NAME', description: 'ndjson, csv or parquet (default: by the name)' },
    'allow-quarantine': { type: 'boolean', description: 'Succeed also if rows went to the quarantine' },
    replace: { type: 'boolean', description: 'In the place of the rows that are there, at once; asks first' },
    ...YES_OPTION,
  },
  positionals: 2,
  examples: [
    { command: 'glasshouse datasource append visits visits.ndjson', what: 'a file' },
    { command: 'glasshouse datasource append visits https://example.com/visits.csv', what: 'an address' },
    { command: 'jq -c ".[]" visits.json | glasshouse datasource append visits - --format ndjson', what: 'from a pipe' },
  ],
  more: '`glasshouse datasource quarantine --help`',
  run: async (context, args) => {
    const workspace = workspaceOf(context, args);
    const name = needed(args, 'datasource append', 'the name of a data source and a file');
    const source = needed(args, 'datasource append', 'a file, an address or - after the name', 1);
    const format = formatOf(source, args.text('format'));
    const url = isAddress(source) ? source : undefined;
    const init = url === undefined ? await bodyOf(context, source, format) : {};
    const verb = args.flag('replace') ? 'replace' : 'append';
    if (verb === 'replace' && !(await confirm(context, args, `Replace all rows of ${name}?`)))
      return EXIT_CODES.declined;
    const path = withQuery(`/v1/datasources/${encodeURIComponent(name)}/${verb}`, { format, url });
    const job = await watched(context, `Appending to ${name}`, async (watch) => {
      watch.update(url === undefined ? 'sending' : 'fetching');
      const begun = await workspace.client.answer<Partial<JobInfo>>(path, { ...init, method: 'POST' });
      if (begun?.id === undefined) throw new AppError('internal', 'cannot follow the import: the server names no job');
      return awaitJob(workspace, begun.id, watch);
    });
    return report(context, name, countsOf(job), args);
  },
};

interface Counts {
  readonly rows: number;
  readonly quarantined: number;
}

function countsOf({ successful_rows, quarantined_rows, blocks }: JobInfo): Counts {
  const parts = (blocks ?? []).flatMap(({ process_return }) => process_return ?? []);
  return {
    rows: successful_rows ?? parts.reduce((sum, { lines }) => sum + (lines ?? 0), 0),
    quarantined: quarantined_rows ?? parts.reduce((sum, { quarantine }) => sum + (quarantine ?? 0), 0),
  };
}

function report({ output }: Context, name: string, { rows, quarantined }: Counts, args: Arguments): number {
  const failed = quarantined > 0 && !args.flag('allow-quarantine');
  if (args.flag('json')) output.json({ datasource: name, successful_rows: rows, quarantined_rows: quarantined });
  else {
    const sign = quarantined > 0 ? output.paint('yellow', '!') : output.paint('green', '✓');
    const done = args.flag('replace') ? `now in ${name}, in the place of those before` : `appended to ${name}`;
    output.line(`${sign} ${rowsText(rows)} ${done}.`);
    if (quarantined > 0)
      output.line(`  ${rowsText(quarantined)} did not fit; \`glasshouse datasource quarantine ${name}\` shows why.`);
  }
  return failed ? EXIT_CODES.failed : EXIT_CODES.ok;
}

export const quarantine: Command = {
  name: 'datasource quarantine',
  summary: 'show the rows that did not fit, and why',
  usage: 'NAME',
  description: [
    'Shows why rows were not taken into a data source, the most frequent reasons first, with an example of each. All of them are in ' +
      'the table NAME_quarantine, column by column as they came; --rows shows the latest.',
    'Mend the schema or the sender, send the rows again, and empty the quarantine with `glasshouse datasource truncate ' +
      'NAME_quarantine`.',
  ],
  options: {
    ...WORKSPACE_OPTIONS,
    rows: { type: 'boolean', description: 'Show rows instead of reasons' },
    lines: { type: 'string', short: 'n', value: 'N', fallback: '20', description: 'How many' },
  },
  positionals: 1,
  examples: [
    { command: 'glasshouse datasource quarantine visits', what: 'reasons' },
    { command: 'glasshouse datasource quarantine visits --rows -n 5', what: 'the last five rows' },
  ],
  more: 'docs/guides/data-platform.md',
  run: async (context, args) => {
    const { output } = context;
    const { client } = workspaceOf(context, args);
    const name = needed(args, 'datasource quarantine', 'the name of a data source');
    const table = tableName(name);
    const limit = args.whole('lines', 1);
    const reasons = `SELECT error.1 AS column, count() AS rows, max(insertion_date) AS last, anyLast(error.2) AS example
FROM (SELECT insertion_date, arrayJoin(arrayZip(c__error_column, c__error)) AS error FROM ${table})
GROUP BY column, ${KIND_OF_REASON} ORDER BY rows DESC, column, example LIMIT ${limit}`;
    const latest = `SELECT * FROM ${table} ORDER BY insertion_date DESC LIMIT ${limit}`;
    const result = await client.sql(args.flag('rows') ? latest : reasons);
    if (args.flag('json')) {
      const rows = result.data.map((row) =>
        Object.fromEntries(result.meta.map((column, at) => [column.name, row[at] ?? null])),
      );
      output.json({ datasource: name, [args.flag('rows') ? 'rows' : 'reasons']: rows });
    } else if (result.data.length === 0) output.line(`Nothing is in the quarantine of ${name}.`);
    else printRows(output, result);
    return EXIT_CODES.ok;
  },
};

/** A reason without the value that it is about, so that those of many values count as one. */
const KIND_OF_REASON = String.raw`replaceRegexpOne(error.2, '(?s)^value .* on column', 'value')`;

/** The quarantine's name as SQL. @throws UsageError for what is no name */
function tableName(name: string): string {
  if (/^[A-Za-z_]\w*$/u.test(name)) return `\`${name}_quarantine\``;
  throw new UsageError(`cannot use datasource=${name}: it is no name`, '`glasshouse datasource ls` lists them');
}

export const deleteRows: Command = {
  name: 'datasource delete',
  summary: 'delete the rows that meet a condition',
  usage: 'NAME --where CONDITION',
  description: [
    'Deletes the rows for which a condition in SQL is true, after saying how many these are and asking. What materialized pipes made ' +
      'of them stays.',
  ],
  options: {
    ...WORKSPACE_OPTIONS,
    ...YES_OPTION,
    where: { type: 'string', value: 'CONDITION', description: 'Such as "user_id = \'u-1\'" (needed)' },
    'dry-run': { type: 'boolean', description: 'Only count them' },
  },
  positionals: 1,
  examples: [
    { command: `glasshouse datasource delete visits --where "page = '/test'"`, what: 'after asking' },
    {
      command: `glasshouse datasource delete visits --where "timestamp < now() - INTERVAL 1 YEAR" --dry-run`,
      what: 'how many?',
    },
  ],
  more: '`glasshouse datasource truncate --help` for all rows',
  run: async (context, args) => {
    const { output } = context;
    const workspace = workspaceOf(context, args);
    const name = needed(args, 'datasource delete', 'the name of a data source');
    const where = args.text('where');
    if (where === undefined || where.trim() === '')
      throw new UsageError(
        'cannot delete rows without --where: say which',
        '`glasshouse datasource truncate` deletes all',
      );
    const path = `/v0/datasources/${encodeURIComponent(name)}/delete`;
    const dry = await workspace.post<{ rows_to_be_deleted?: number | null }>(path, {
      delete_condition: where,
      dry_run: 'true',
    });
    const count = dry.rows_to_be_deleted ?? 0;
    if (args.flag('dry-run') || count === 0) {
      if (args.flag('json')) output.json({ datasource: name, rows: count, deleted: false });
      else
        output.line(
          `${rowsText(count)} of ${name} ${count === 1 ? 'meets' : 'meet'} the condition. Nothing was deleted.`,
        );
      return EXIT_CODES.ok;
    }
    if (!(await confirm(context, args, `Delete ${rowsText(count)} of ${name}?`))) return EXIT_CODES.declined;
    await watched(context, `Deleting from ${name}`, async (watch) => {
      const begun = await workspace.post<Partial<JobInfo> & { readonly job_id?: string }>(path, {
        delete_condition: where,
      });
      const id = begun.job_id ?? begun.id;
      if (id !== undefined) await awaitJob(workspace, id, watch);
    });
    if (args.flag('json')) output.json({ datasource: name, rows: count, deleted: true });
    else output.line(`Deleted ${rowsText(count)} of ${name}.`);
    return EXIT_CODES.ok;
  },
};

export const truncate: Command = {
  name: 'datasource truncate',
  summary: 'delete all rows, and keep the data source',
  usage: 'NAME',
  description: [
    'Deletes all rows of a data source, after asking. NAME_quarantine empties its quarantine. What materialized pipes made of the ' +
      'rows stays.',
  ],
  options: { ...WORKSPACE_OPTIONS, ...YES_OPTION },
  positionals: 1,
  examples: [
    { command: 'glasshouse datasource truncate visits', what: 'after asking' },
    { command: 'glasshouse datasource truncate visits_quarantine --yes', what: 'what did not fit' },
  ],
  more: '`glasshouse datasource delete --help` for some of them',
  run: async (context, args) => {
    const { output } = context;
    const workspace = workspaceOf(context, args);
    const name = needed(args, 'datasource truncate', 'the name of a data source');
    if (!(await confirm(context, args, `Delete all rows of ${name}?`))) return EXIT_CODES.declined;
    await workspace.tryPost(`/v0/datasources/${encodeURIComponent(name)}/truncate`);
    if (args.flag('json')) output.json({ truncated: name });
    else output.line(`Deleted all rows of ${name}.`);
    return EXIT_CODES.ok;
  },
};
