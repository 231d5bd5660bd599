/** What a key of a data source may name: its columns, of types that can be ordered, and rather not its tenants. */

import type { DataSourceColumn } from '@glasshouse/model';
import { isOperator, isWord, type Token } from '../lexer.ts';
import { listItems } from './expression.ts';
import { nearest } from './nearest.ts';
import type { Place, Report } from './notice.ts';

interface Key {
  /** The directive, for messages. */
  readonly what: string;
  readonly tokens: readonly Token[];
  readonly place: Place;
  /** Whether it has to be one column, and no expression. */
  readonly single: boolean;
}

/** Looks at the parts of a key that are plain columns; expressions are the engine's business. */
export function checkKeys(
  { what, tokens, place, single }: Key,
  columns: readonly DataSourceColumn[],
  report: Report,
): void {
  const items = listItems(tokens).map((item) => (isWord(item.at(-1), 'ASC', 'DESC') ? item.slice(0, -1) : item));
  if (single && (items.length !== 1 || items[0]?.length !== 1)) {
    report.problem(
      place,
      `cannot use ${what}: it has to be the name of a column`,
      'write one column, without an expression',
    );
    return;
  }
  for (const item of items) {
    const [token, more] = item;
    if (more !== undefined || (token?.kind !== 'word' && token?.kind !== 'quoted')) continue;
    const column = columns.find(({ name }) => name === token.value);
    if (column === undefined) {
      const limit = Math.min(2, Math.floor(token.value.length / 3));
      const meant = nearest(
        token.value,
        columns.map(({ name }) => name),
        limit,
      );
      const hint = meant === undefined ? 'add the column to SCHEMA' : `did you mean ${meant}?`;
      report.problem(place, `cannot use ${what}: there is no column ${token.value}`, hint);
    } else if (what.endsWith('_KEY') && /^(?:LowCardinality\()?Nullable\(/iu.test(column.type)) {
      report.problem(
        place,
        `cannot use ${what}: the column ${column.name} is Nullable, and nothing can be ordered by NULL`,
        `write ifNull(${column.name}, …), or make the column not Nullable with a DEFAULT`,
      );
    } else if (column.kind === 'ALIAS' || column.kind === 'EPHEMERAL') {
      report.problem(place, `cannot use ${what}: the column ${column.name} is not stored`, 'make it MATERIALIZED');
    }
  }
}

/** Columns of which there are many values, and which are the same for a row for ever. */
const TENANT_LIKE =
  /^(?:tenant|org|organi[sz]ation|workspace|account|customer|client|company|team|project|user|site|app)(?:_?(?:id|uuid|key|name|slug))?$/iu;

/** Partitions by tenant are taken as they are, because files in use have them; they are a mistake all the same. */
export function tenantWarning(tokens: readonly Token[], place: Place, report: Report): void {
  // A remainder has few values, whatever it is of.
  const items = listItems(tokens).filter(
    (item) => !item.some((token) => isOperator(token, '%') || isWord(token, 'MODULO', 'INTDIV', 'POSITIVEMODULO')),
  );
  const named = items
    .flatMap((item) => item.filter((_token, index) => !isOperator(item[index + 1], '(')))
    .find((token) => (token.kind === 'word' || token.kind === 'quoted') && TENANT_LIKE.test(token.value));
  if (named === undefined) return;
  report.warn(
    place,
    `The partition key has ${named.value} in it: every insert makes a part for each value of it, so inserts and merges slow down as the values grow in number.`,
    `partition by time alone, such as toYYYYMM(timestamp), and put ${named.value} first in the sorting key, which finds its rows as fast`,
  );
}
