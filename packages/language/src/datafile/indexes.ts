/** Skip indexes: lines `name expression TYPE type GRANULARITY n`, in a block INDEXES or in a CREATE TABLE. */

import type { DataSourceIndex } from '@glasshouse/model';
import { isOperator, isWord } from '../lexer.ts';
import { takeExpression } from './expression.ts';
import type { Report } from './notice.ts';
import { Cursor, lex, type Source } from './source.ts';

const USAGE =
  'write name expression TYPE type GRANULARITY n, such as by_user user_id TYPE bloom_filter(0.01) GRANULARITY 1';

/** Reads the lines of INDEXES; problems go to the report. */
export function readIndexes(source: Source, report: Report): DataSourceIndex[] {
  const tokens = report.attempt(() => lex(source));
  if (tokens === undefined) return [];
  const cursor = new Cursor(source, tokens);
  const indexes = new Map<string, DataSourceIndex>();
  while (!cursor.done) {
    const place = cursor.place();
    const index = report.attempt(() => {
      const taken = takeIndex(cursor);
      if (!cursor.done && !cursor.takeOperator(',') && !cursor.onNewLine) {
        throw cursor.fault(`cannot read index=${taken.name}: ${cursor.sight} is not expected`, USAGE);
      }
      return taken;
    });
    if (index === undefined) skipLine(cursor);
    else if (indexes.has(index.name)) {
      report.problem(place, `cannot add index=${index.name}: there is one of that name already`, 'rename one of them');
    } else indexes.set(index.name, index);
  }
  return [...indexes.values()];
}

/** Whether `INDEX name expression TYPE …` begins here, and not a column called index. */
export function indexAt(cursor: Cursor): boolean {
  if (!cursor.atWords('INDEX')) return false;
  let depth = 0;
  for (let ahead = 2; ; ahead += 1) {
    const token = cursor.peek(ahead);
    if (token === undefined || (depth === 0 && isOperator(token, ','))) return false;
    if (isOperator(token, '(')) depth += 1;
    if (isOperator(token, ')')) depth -= 1;
    if (depth < 0) return false;
    if (depth === 0 && isWord(token, 'TYPE')) return true;
  }
}

/** Takes one index; the word INDEX may stand in front. Throws Fault. */
export function takeIndex(cursor: Cursor): DataSourceIndex {
  if (!isWord(cursor.peek(1), 'TYPE')) cursor.takeWords('INDEX');
  const token = cursor.peek();
  if (token?.kind !== 'word' && token?.kind !== 'quoted') {
    throw cursor.fault(`cannot read an index: ${cursor.sight} is no name`, USAGE);
  }
  cursor.skip();
  const what = `index=${token.value}`;
  const expression = takeExpression(cursor, { what, stop: (at, first) => !first && at.atWords('TYPE') }).text;
  if (!cursor.takeWords('TYPE')) throw cursor.fault(`cannot read ${what}: its TYPE is missing`, USAGE);
  const type = takeIndexType(cursor, what);
  return { name: token.value, expression, type, granularity: takeGranularity(cursor, what) };
}

function takeIndexType(cursor: Cursor, what: string): string {
  const name = cursor.peek();
  if (name?.kind !== 'word') throw cursor.fault(`cannot read ${what}: ${cursor.sight} is no type of an index`, USAGE);
  cursor.skip();
  if (!cursor.takeOperator('(')) return name.text;
  if (cursor.takeOperator(')')) return name.text;
  const { text } = takeExpression(cursor, { what, commas: true });
  if (!cursor.takeOperator(')'))
    throw cursor.fault(`cannot read ${what}: the bracket of its type is not closed`, 'write )');
  return `${name.text}(${text})`;
}

function takeGranularity(cursor: Cursor, what: string): number {
  if (!cursor.takeWords('GRANULARITY')) return 1;
  const token = cursor.peek();
  const granularity = token?.kind === 'number' ? Number(token.text) : Number.NaN;
  if (!Number.isSafeInteger(granularity) || granularity < 1) {
    throw cursor.fault(
      `cannot read ${what}: GRANULARITY=${cursor.sight} is no count of granules`,
      'write a whole number from 1',
    );
  }
  cursor.skip();
  return granularity;
}

function skipLine(cursor: Cursor): void {
  do cursor.skip();
  while (!cursor.done && !cursor.onNewLine);
}
