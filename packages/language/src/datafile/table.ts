/**
 * DDL as it stands in guides and migration scripts: `CREATE TABLE …` becomes a data source, `ALTER TABLE …` a list of steps.
 * Both are read into the same things as data files, and never sent to the engine as they are.
 */

import type { ColumnKind, DataSource, DataSourceColumn, DataSourceIndex } from '@glasshouse/model';
import { isOperator, isWord } from '../lexer.ts';
import { takeClauses } from './clauses.ts';
import { readColumnList, takeColumn, takeColumnName, takeModification } from './columns.ts';
import { EngineDraft, finishEngine, takePart } from './engine.ts';
import { indexAt, takeIndex } from './indexes.ts';
import { Report, type Notice } from './notice.ts';
import { resourceNameFault } from './shared.ts';
import { Cursor, Source, splitLines } from './source.ts';
import { proseOfString } from './text.ts';

interface Options {
  /** The name that problems carry. Default `sql`. */
  readonly file?: string;
}

/** What a CREATE TABLE says. */
export interface CreateTable {
  readonly resource: DataSource;
  readonly warnings: readonly Notice[];
}

/** Where ADD and MODIFY put a column. */
export type ColumnPosition = 'first' | { readonly after: string };

/** One step of an ALTER TABLE, in the order of the text. */
export type AlterStep =
  | {
      readonly action: 'add';
      readonly column: DataSourceColumn;
      readonly ifNotExists: boolean;
      readonly position?: ColumnPosition;
    }
  | { readonly action: 'drop'; readonly name: string; readonly ifExists: boolean }
  | { readonly action: 'rename'; readonly name: string; readonly to: string; readonly ifExists: boolean }
  | {
      readonly action: 'modify';
      readonly name: string;
      readonly ifExists: boolean;
      /** What is given is changed; the rest stays. */
      readonly type?: string;
      readonly kind?: ColumnKind;
      readonly expression?: string;
      readonly codec?: string;
      /** Empty where it is taken away. */
      readonly comment?: string;
      readonly jsonPath?: string;
      /** `MODIFY COLUMN x REMOVE DEFAULT`. */
      readonly remove?: ColumnKind | 'CODEC' | 'COMMENT';
      readonly position?: ColumnPosition;
    };

export interface AlterTable {
  readonly table: string;
  readonly ifExists: boolean;
  readonly steps: readonly AlterStep[];
  readonly warnings: readonly Notice[];
}

/** Reads one CREATE TABLE. Throws DataFileError with all problems. */
export function parseCreateTable(sql: string, { file = 'sql' }: Options = {}): CreateTable {
  const report = new Report(file);
  const source = new Source(splitLines(sql, file));
  const resource = report.attempt(() => takeCreate(new Cursor(source), report));
  report.settle();
  if (resource === undefined) throw new Error('BUG: a CREATE TABLE without a resource has a problem');
  return { resource, warnings: report.warnings };
}

/** Reads one ALTER TABLE that adds, drops, changes or renames columns. Throws DataFileError with all problems. */
export function parseAlter(sql: string, { file = 'sql' }: Options = {}): AlterTable {
  const report = new Report(file);
  const source = new Source(splitLines(sql, file));
  const parsed = report.attempt(() => takeAlter(new Cursor(source), report));
  report.settle();
  if (parsed === undefined) throw new Error('BUG: an ALTER TABLE without steps has a problem');
  return { ...parsed, warnings: report.warnings };
}

function takeCreate(cursor: Cursor, report: Report): DataSource | undefined {
  if (!cursor.takeWords('CREATE', 'OR', 'REPLACE', 'TABLE') && !cursor.takeWords('CREATE', 'TABLE')) {
    throw cursor.fault(
      'cannot read the statement: it is no CREATE TABLE',
      'write CREATE TABLE name (columns) ENGINE = MergeTree …',
    );
  }
  cursor.takeWords('IF', 'NOT', 'EXISTS');
  const place = cursor.place();
  const name = takeTableName(cursor, report);
  const fault = resourceNameFault(name);
  if (fault !== undefined) report.problem(place, `cannot use table=${name}: ${fault}`, 'choose another name');
  if (!cursor.takeOperator('(')) {
    throw cursor.fault(
      `cannot read table=${name}: ${cursor.sight} stands where its columns should`,
      'write (name Type, …)',
    );
  }
  const draft = new EngineDraft(report);
  const problems = report.count;
  const indexes: DataSourceIndex[] = [];
  const columns = readColumnList(
    cursor,
    report,
    (at) => at.atOperator(')'),
    (at) => takeOther(at, draft, indexes),
  );
  const whole = report.count === problems;
  if (!cursor.takeOperator(')')) throw cursor.fault(`cannot read table=${name}: its columns have no end`, 'write )');
  const description = takeClauses(cursor, draft, report) ?? '';
  endStatement(cursor);
  if (columns.length === 0 && whole)
    report.problem(place, `cannot read table=${name}: it has no columns`, 'write (name Type, …)');
  const engine = finishEngine(draft, whole ? columns : [], report);
  if (engine === undefined) return undefined;
  return {
    kind: 'datasource',
    name,
    ...(description === '' ? {} : { description }),
    columns: columns.map(({ column }) => column),
    engine,
    indexes,
    tokens: [],
    tags: [],
    sharedWith: [],
  };
}

/** Entries among the columns that are none. */
function takeOther(cursor: Cursor, draft: EngineDraft, indexes: DataSourceIndex[]): boolean {
  if (indexAt(cursor)) {
    indexes.push(takeIndex(cursor));
    return true;
  }
  if (cursor.atWords('PRIMARY', 'KEY')) {
    cursor.skip(2);
    takePart(cursor, draft, 'primaryKey', () => false);
    return true;
  }
  const [second, third] = [cursor.peek(2), cursor.peek(3)];
  const isProjection = cursor.atWords('PROJECTION') && isOperator(second, '(') && isWord(third, 'SELECT', 'WITH');
  if (isProjection || (cursor.atWords('CONSTRAINT') && isWord(second, 'CHECK', 'ASSUME'))) {
    throw cursor.fault(`cannot keep ${cursor.sight}: a data source has columns and indexes`, 'take it away');
  }
  return false;
}

function takeTableName(cursor: Cursor, report: Report): string {
  const place = cursor.place();
  let name = takeName(cursor, 'a table');
  if (cursor.takeOperator('.')) {
    report.warn(place, `The database ${name} is not looked at.`, 'the workspace is the database');
    name = takeName(cursor, 'a table');
  }
  if (cursor.takeWords('ON', 'CLUSTER')) {
    takeName(cursor, 'a cluster');
    report.warn(place, 'ON CLUSTER is not looked at.', 'the store decides where tables are');
  }
  return name;
}

function takeName(cursor: Cursor, what: string): string {
  const token = cursor.peek();
  if (token?.kind === 'string' && what === 'a cluster') return cursor.take().value;
  if (token?.kind !== 'word' && token?.kind !== 'quoted') {
    throw cursor.fault(`cannot read the statement: ${cursor.sight} is no name of ${what}`, 'write a name');
  }
  return cursor.take().value;
}

function endStatement(cursor: Cursor): void {
  while (cursor.takeOperator(';'));
  if (!cursor.done) {
    throw cursor.fault(
      `cannot read the statement: ${cursor.sight} is not expected here`,
      'write one statement, without AS SELECT',
    );
  }
}

function takeAlter(cursor: Cursor, report: Report): Omit<AlterTable, 'warnings'> {
  if (!cursor.takeWords('ALTER', 'TABLE')) {
    throw cursor.fault('cannot read the statement: it is no ALTER TABLE', 'write ALTER TABLE name ADD COLUMN …');
  }
  const ifExists = cursor.takeWords('IF', 'EXISTS');
  const table = takeTableName(cursor, report);
  const steps: AlterStep[] = [];
  do steps.push(takeStep(cursor, report));
  while (cursor.takeOperator(','));
  endStatement(cursor);
  return { table, ifExists, steps };
}

function takeStep(cursor: Cursor, report: Report): AlterStep {
  if (cursor.takeWords('ADD', 'COLUMN')) {
    const ifNotExists = cursor.takeWords('IF', 'NOT', 'EXISTS');
    const column = takeColumn(cursor, atPosition);
    return { action: 'add', column, ifNotExists, ...takePosition(cursor) };
  }
  if (cursor.takeWords('DROP', 'COLUMN')) {
    const ifExists = cursor.takeWords('IF', 'EXISTS');
    return { action: 'drop', name: takeColumnName(cursor), ifExists };
  }
  if (cursor.takeWords('RENAME', 'COLUMN')) return takeRename(cursor);
  if (cursor.takeWords('COMMENT', 'COLUMN')) return takeComment(cursor);
  if (cursor.takeWords('MODIFY', 'COLUMN') || cursor.takeWords('ALTER', 'COLUMN')) return takeModify(cursor, report);
  throw cursor.fault(
    `cannot read the step: ${cursor.sight} starts none that is known`,
    'write ADD COLUMN, DROP COLUMN, MODIFY COLUMN, RENAME COLUMN or COMMENT COLUMN; change all else in the data file',
  );
}

function takeRename(cursor: Cursor): AlterStep {
  const ifExists = cursor.takeWords('IF', 'EXISTS');
  const name = takeColumnName(cursor);
  if (!cursor.takeWords('TO'))
    throw cursor.fault(`cannot rename column=${name}: the new name is missing`, 'write TO new_name');
  return { action: 'rename', name, to: takeColumnName(cursor), ifExists };
}

function takeComment(cursor: Cursor): AlterStep {
  const ifExists = cursor.takeWords('IF', 'EXISTS');
  const name = takeColumnName(cursor);
  if (cursor.peek()?.kind !== 'string')
    throw cursor.fault(`cannot comment column=${name}: ${cursor.sight} is no string`, "write 'text'");
  return { action: 'modify', name, ifExists, comment: proseOfString(cursor.take()) };
}

function takeModify(cursor: Cursor, report: Report): AlterStep {
  const ifExists = cursor.takeWords('IF', 'EXISTS');
  const name = takeColumnName(cursor);
  if (cursor.takeWords('REMOVE')) return { action: 'modify', name, ifExists, remove: takeRemoved(cursor, name) };
  const start = cursor.place();
  cursor.takeWords('TYPE');
  const changes = takeModification(cursor, name, atPosition);
  const step: AlterStep = { action: 'modify', name, ifExists, ...changes, ...takePosition(cursor) };
  if (Object.keys(step).length > 3) return step;
  report.problem(
    start,
    `cannot modify column=${name}: nothing is changed`,
    'write a type, DEFAULT, CODEC, COMMENT, FIRST or AFTER',
  );
  return step;
}

function takeRemoved(cursor: Cursor, name: string): ColumnKind | 'CODEC' | 'COMMENT' {
  for (const what of ['DEFAULT', 'MATERIALIZED', 'ALIAS', 'EPHEMERAL', 'CODEC', 'COMMENT'] as const) {
    if (cursor.takeWords(what)) return what;
  }
  throw cursor.fault(
    `cannot modify column=${name}: ${cursor.sight} cannot be removed`,
    'write REMOVE DEFAULT, REMOVE CODEC or REMOVE COMMENT',
  );
}

function atPosition(cursor: Cursor): boolean {
  if (cursor.atWords('AFTER')) return true;
  const next = cursor.peek(1);
  return cursor.atWords('FIRST') && (next === undefined || next.text === ',' || next.text === ';');
}

function takePosition(cursor: Cursor): { readonly position?: ColumnPosition } {
  if (cursor.takeWords('FIRST')) return { position: 'first' };
  if (!cursor.takeWords('AFTER')) return {};
  return { position: { after: takeColumnName(cursor) } };
}
