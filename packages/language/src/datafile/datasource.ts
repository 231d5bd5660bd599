/** A `.datasource` file: its directives made into a DataSource. */

import type { DataSource, DataSourceIndex, GrantedToken } from '@glasshouse/model';
import { atClause, takeClauses } from './clauses.ts';
import { readColumns, withoutHashLines, type PlacedColumn } from './columns.ts';
import { isConnector } from './directives.ts';
import { EngineDraft, finishEngine, takeEngineName, takePart, type EnginePart } from './engine.ts';
import { readIndexes } from './indexes.ts';
import type { Directive } from './layout.ts';
import type { Place, Report } from './notice.ts';
import { addToken, isObsolete, listOf, once, refuseConnectors, valueOf } from './shared.ts';
import { Cursor, type Source } from './source.ts';
import { proseOf, sqlOf } from './text.ts';

/** Which part of the engine a directive sets; the short forms are of former times. */
const PARTS: ReadonlyMap<string, EnginePart> = new Map<string, EnginePart>([
  ['ENGINE_SORTING_KEY', 'sortingKey'],
  ['SORTING_KEY', 'sortingKey'],
  ['ENGINE_PARTITION_KEY', 'partitionKey'],
  ['PARTITION_KEY', 'partitionKey'],
  ['ENGINE_PRIMARY_KEY', 'primaryKey'],
  ['PRIMARY_KEY', 'primaryKey'],
  ['ENGINE_TTL', 'ttl'],
  ['ENGINE_VER', 'version'],
  ['ENGINE_VERSION', 'version'],
  ['ENGINE_SIGN', 'sign'],
  ['ENGINE_IS_DELETED', 'isDeleted'],
  ['ENGINE_COLUMNS', 'summingColumns'],
  // The name that the TypeScript SDK gives it.
  ['ENGINE_SUMMING_COLUMNS', 'summingColumns'],
  ['ENGINE_SETTINGS', 'settings'],
]);

/** Clauses of DDL that stand as lines, and the directive that says the same. */
const CLAUSES: ReadonlyMap<string, string> = new Map([
  ['PARTITION BY', 'ENGINE_PARTITION_KEY'],
  ['ORDER BY', 'ENGINE_SORTING_KEY'],
  ['PRIMARY KEY', 'ENGINE_PRIMARY_KEY'],
  ['SAMPLE BY', 'nothing'],
  ['TTL', 'ENGINE_TTL'],
  ['SETTINGS', 'ENGINE_SETTINGS'],
]);

interface Draft {
  description?: string;
  columns: PlacedColumn[];
  /** Whether each column could be read; otherwise a key may name one that could not. */
  whole: boolean;
  readonly engine: EngineDraft;
  indexes: DataSourceIndex[];
  readonly tokens: Map<string, GrantedToken>;
  readonly tags: Set<string>;
  readonly sharedWith: Set<string>;
  forwardQuery?: string;
  backfill?: 'skip';
}

/** Makes the data source; undefined, with problems in the report, when it cannot. */
export function readDataSource(
  name: string,
  start: Place,
  directives: readonly Directive[],
  report: Report,
): DataSource | undefined {
  const draft: Draft = {
    columns: [],
    whole: true,
    engine: new EngineDraft(report),
    indexes: [],
    tokens: new Map(),
    tags: new Set(),
    sharedWith: new Set(),
  };
  const seen = new Map<string, Place>();
  const connectors = directives.filter(({ key }) => isConnector(key));
  refuseConnectors(connectors, report);
  for (const directive of directives) {
    if (!isConnector(directive.key) && !isObsolete(directive, report)) readDirective(directive, draft, seen, report);
  }
  if (!seen.has('SCHEMA')) {
    report.problem(
      start,
      `cannot make datasource=${name}: SCHEMA is missing`,
      'write SCHEMA > and a line `name` Type for each column',
    );
  }
  const { columns, whole, engine, tokens, tags, sharedWith, ...rest } = draft;
  // A connector brings columns of its own, which keys may name.
  const finished = finishEngine(engine, whole && connectors.length === 0 ? columns : [], report);
  if (finished === undefined) return undefined;
  return {
    kind: 'datasource',
    name,
    ...rest,
    columns: columns.map(({ column }) => column),
    engine: finished,
    tokens: [...tokens.values()],
    tags: [...tags],
    sharedWith: [...sharedWith],
  };
}

function readDirective(directive: Directive, draft: Draft, seen: Map<string, Place>, report: Report): void {
  const { key, place, source } = directive;
  const lines = directive.block ?? [{ text: source.text, file: place.file, line: place.line }];
  switch (key) {
    case 'TOKEN':
      addToken(directive, ['READ', 'APPEND'], draft.tokens, report);
      return;
    case 'TAGS':
      for (const tag of listOf(directive)) draft.tags.add(tag);
      return;
    case 'SHARED_WITH':
      for (const workspace of listOf(directive)) draft.sharedWith.add(workspace);
      return;
    case 'DESCRIPTION':
      if (once(directive, seen, report)) setText(draft, 'description', proseOf(lines));
      return;
    case 'SCHEMA':
      if (once(directive, seen, report)) readSchema(source, place, draft, report);
      return;
    case 'INDEXES':
      if (once(directive, seen, report)) draft.indexes = readIndexes(withoutHashLines(source), report);
      return;
    case 'FORWARD_QUERY':
      if (once(directive, seen, report)) readForwardQuery(directive, sqlOf(lines), draft, report);
      return;
    case 'BACKFILL':
      if (once(directive, seen, report)) readBackfill(directive, draft, report);
      return;
    case 'ENGINE_SAMPLING_KEY':
    case 'SAMPLING_KEY':
      report.warn(place, 'A sampling key is not kept, and SAMPLE is not available.', 'take it away');
      return;
    default:
      if (!source.blank) report.attempt(() => readStorage(directive, draft, report));
  }
}

function setText(draft: Draft, field: 'description' | 'forwardQuery', text: string): void {
  if (text !== '') draft[field] = text;
}

function readSchema(source: Source, place: Place, draft: Draft, report: Report): void {
  const problems = report.count;
  draft.columns = readColumns(withoutHashLines(source), report);
  draft.whole = report.count === problems;
  if (draft.columns.length > 0 || !draft.whole) return;
  report.problem(place, 'cannot read SCHEMA: it is empty', 'write a line `name` Type for each column');
}

function readForwardQuery({ place }: Directive, sql: string, draft: Draft, report: Report): void {
  if (sql !== '' && !/^(?:SELECT|WITH)\b/iu.test(sql)) {
    report.problem(
      place,
      'cannot read FORWARD_QUERY: it is no SELECT list',
      'write SELECT and the columns of the new schema',
    );
    return;
  }
  setText(draft, 'forwardQuery', sql);
}

function readBackfill(directive: Directive, draft: Draft, report: Report): void {
  const value = valueOf(directive);
  if (value.toLowerCase() === 'skip') draft.backfill = 'skip';
  else
    report.problem(
      directive.place,
      `cannot read BACKFILL=${value}: it takes skip only`,
      'write BACKFILL skip, or nothing',
    );
}

/** ENGINE, ENGINE_… and the clauses. Throws Fault. */
function readStorage({ key, source, place }: Directive, draft: Draft, report: Report): void {
  const cursor = new Cursor(source);
  const part = PARTS.get(key);
  const instead = CLAUSES.get(key);
  if (part !== undefined) takePart(cursor, draft.engine, part, atClause);
  else if (key === 'ENGINE') takeEngineName(cursor, draft.engine);
  if (instead === undefined && key !== 'ENGINE') return endValue(cursor, key);
  if (instead !== undefined) {
    report.warn(place, `${key} is a clause of SQL, not a directive; it is read all the same.`, `write ${instead}`);
    takeClause(cursor, key, draft.engine, report);
  }
  takeClauses(cursor, draft.engine, report);
  endValue(cursor, key);
}

function takeClause(cursor: Cursor, key: string, engine: EngineDraft, report: Report): void {
  const part = PARTS.get(CLAUSES.get(key) ?? '');
  if (part !== undefined) {
    takePart(cursor, engine, part, atClause);
    return;
  }
  report.warn(cursor.place(), 'A sampling key is not kept, and SAMPLE is not available.', 'take it away');
  while (!cursor.done) cursor.skip();
}

function endValue(cursor: Cursor, key: string): void {
  cursor.takeOperator(';');
  if (cursor.done) return;
  throw cursor.fault(
    `cannot read ${key}: ${cursor.sight} is not expected`,
    'put the whole value into one pair of double quotes',
  );
}
