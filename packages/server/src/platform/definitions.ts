/**
 * What a definition has to be before anything is made of it: names, engine and codecs are checked here, types and expressions
 * go to the judges.
 *
 * Must stay true: every text of a definition that becomes part of a statement is looked at here or judged.
 */

import type { DataSource, DataSourceColumn, Pipe, Resource } from '@glasshouse/model';
import { AppError } from '@glasshouse/model';
import { checkedSettings, codecText, ENGINES } from '@glasshouse/store';
import type { Judges } from './judges.ts';
import { checkColumnName, checkResourceName } from './names.ts';
import { targetsOf } from './references.ts';

const MAX_COLUMNS = 2_000;
const MAX_NODES = 200;
/** Characters of one expression, statement or description. */
const MAX_TEXT = 65_536;
const INDEX_NAME = /^[A-Za-z_]\w{0,199}$/u;
/** `minmax`, `bloom_filter(0.01)`, `text(tokenizer = 'splitByNonAlpha')`: a name and literals. */
const INDEX_TYPE = /^[A-Za-z_]\w*(?:\([\w\s.,'=-]*\))?$/u;
const MAX_GRANULARITY = 1_000_000;

/** Checks a data source, against its former definition where its rows move. Rejects with `bad_request` or `forbidden`. */
export async function checkDataSource(
  dataSource: DataSource,
  judges: Judges,
  former: DataSource | undefined,
): Promise<void> {
  const { name, columns, engine, indexes } = dataSource;
  checkResourceName('datasource', name);
  checkLengths(dataSource);
  if (columns.length === 0) throw refused(name, 'it has no column');
  if (columns.length > MAX_COLUMNS) throw refused(name, `it has more than ${MAX_COLUMNS} columns`);
  if (columns.every(({ kind }) => kind === 'MATERIALIZED' || kind === 'ALIAS'))
    throw refused(name, 'no column of it takes a value');
  if (!ENGINES.some((known) => known === engine.name))
    throw refused(name, `ENGINE must be one of ${ENGINES.join(', ')}`);
  checkedSettings(engine.settings ?? {});
  const seen = new Set<string>();
  for (const column of columns) {
    checkColumnName(name, column.name);
    if (seen.has(column.name)) throw refused(name, `it has column ${column.name} twice`);
    seen.add(column.name);
    await judgeColumn(column, columns, judges);
  }
  for (const index of indexes) {
    if (!INDEX_NAME.test(index.name) || !INDEX_TYPE.test(index.type))
      throw refused(name, `its index ${index.name.slice(0, 80)} has no plain name, or no type such as minmax`);
    if (!Number.isInteger(index.granularity) || index.granularity < 1 || index.granularity > MAX_GRANULARITY)
      throw refused(name, `the granularity of its index ${index.name} must be from 1 to ${MAX_GRANULARITY}`);
    await judges.judgeExpression(index.expression, { what: `index ${index.name}`, columns, list: true });
  }
  await judgeEngine(dataSource, judges);
  // One that was there before has done its work, and may name columns that are gone.
  if (
    dataSource.forwardQuery !== undefined &&
    former !== undefined &&
    dataSource.forwardQuery !== former.forwardQuery
  ) {
    await judges.judgeSelectList(dataSource.forwardQuery, {
      what: 'FORWARD_QUERY',
      columns: former.columns,
      list: true,
    });
  }
}

/** Checks a pipe in a workspace that has, or will have, these resources. Rejects with `bad_request` or `forbidden`. */
export async function checkPipe(tenant: string, pipe: Pipe, among: readonly Resource[], judges: Judges): Promise<void> {
  checkResourceName('pipe', pipe.name);
  const refuse = (why: string): never => {
    throw new AppError('bad_request', `cannot make pipe=${pipe.name}: ${why}`);
  };
  checkLengths(pipe);
  if (pipe.nodes.length === 0) refuse('it has no node');
  if (pipe.nodes.length > MAX_NODES) refuse(`it has more than ${MAX_NODES} nodes`);
  const seen = new Set<string>();
  for (const { name } of pipe.nodes) {
    checkResourceName('pipe', name);
    if (name === pipe.name) refuse(`its node ${name} has the name of the pipe`);
    if (seen.has(name)) refuse(`it has node ${name} twice`);
    seen.add(name);
  }
  const published = pipe.nodes.filter(({ type }) => type !== 'default');
  if (published.filter(({ type }) => type !== 'materialized').length > 1)
    refuse('more than one of its nodes is an endpoint, a copy or a sink');
  for (const target of targetsOf(pipe)) {
    if (!among.some(({ kind, name }) => kind === 'datasource' && name === target))
      refuse(`it writes to data source ${target}, which is none of the workspace`);
  }
  await judges.judgeDefinition(tenant, pipe, among);
}

/** No text of a definition is so long that looking at it takes long. */
function checkLengths(resource: Resource): void {
  JSON.stringify(resource, (key, value: unknown) => {
    if (typeof value !== 'string' || value.length <= MAX_TEXT) return value;
    throw new AppError(
      'bad_request',
      `cannot use the definition of ${resource.name}: ${key} is longer than ${MAX_TEXT}`,
    );
  });
}

async function judgeColumn(
  column: DataSourceColumn,
  columns: readonly DataSourceColumn[],
  judges: Judges,
): Promise<void> {
  await judges.judgeType(column.type);
  if (column.codec !== undefined) codecText(column.codec);
  if (column.expression === undefined) {
    if (column.kind === undefined || column.kind === 'EPHEMERAL') return;
    throw new AppError('bad_request', `cannot use column=${column.name}: ${column.kind} needs an expression`);
  }
  await judges.judgeExpression(column.expression, {
    what: `${column.kind ?? 'DEFAULT'} of column=${column.name}`,
    columns,
  });
}

async function judgeEngine({ name, engine, columns }: DataSource, judges: Judges): Promise<void> {
  const lists = [
    ['ENGINE_SORTING_KEY', engine.sortingKey],
    ['ENGINE_PARTITION_KEY', engine.partitionKey],
    ['ENGINE_PRIMARY_KEY', engine.primaryKey],
  ] as const;
  for (const [what, text] of lists) {
    if (isGiven(text)) await judges.judgeExpression(text, { what, columns, list: true });
  }
  if (!isGiven(engine.ttl)) return;
  // A row may only be deleted by its age, and by a condition on it: everything else moves it or rewrites it.
  const { expression, condition } = ttlParts(engine.ttl);
  if (/\b(?:TO\s+(?:DISK|VOLUME)|RECOMPRESS|GROUP\s+BY)\b/iu.test(engine.ttl))
    throw refused(name, 'ENGINE_TTL can only delete rows');
  await judges.judgeExpression(expression, { what: 'ENGINE_TTL', columns });
  if (condition !== undefined) await judges.judgeExpression(condition, { what: 'ENGINE_TTL', columns });
}

/** `expression [DELETE [WHERE condition]]`. */
function ttlParts(ttl: string): { readonly expression: string; readonly condition: string | undefined } {
  const match = /\bDELETE\b(\s+WHERE\b)?/iu.exec(ttl);
  if (match === null) return { expression: ttl.trim(), condition: undefined };
  const rest = ttl.slice(match.index + match[0].length).trim();
  if (match[1] === undefined && rest !== '')
    throw new AppError('bad_request', 'cannot use ENGINE_TTL: nothing but WHERE may follow DELETE');
  return { expression: ttl.slice(0, match.index).trim(), condition: match[1] === undefined ? undefined : rest };
}

function isGiven(text: string | undefined): text is string {
  return text !== undefined && text.trim() !== '';
}

function refused(name: string, why: string): AppError {
  return new AppError('bad_request', `cannot make data source=${name}: ${why}`);
}
