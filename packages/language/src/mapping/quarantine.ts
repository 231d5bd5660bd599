/**
 * The table of the rows that do not fit a data source: its columns as texts, the reasons, and the line itself.
 *
 * Must stay true: nothing that a sender sent is lost here. `c__line` has the line byte for byte, whether it is JSON or not, so
 * that it can be sent again once the schema or the sender is right.
 */

import type { DataSource } from '@glasshouse/model';
import type { MappedColumn } from './column.ts';
import { marked, markedText } from './json.ts';
import { INNER } from './levels.ts';
import { quoteName, quoteText } from './quote.ts';
import { hintOf } from './scalar.ts';

/** A column of a quarantine. */
export interface QuarantineColumn {
  readonly name: string;
  readonly type: string;
  /** The column of the data source whose text it holds. */
  readonly column: string | undefined;
}

const OWN = [
  ['c__error_column', 'Array(String)'],
  ['c__error', 'Array(String)'],
  ['c__import_id', 'Nullable(String)'],
  ['insertion_date', 'DateTime'],
  ['c__line', 'Nullable(String)'],
] as const;

/** Characters of a value that an error shows. */
const SHOWN = 100;

/**
 * The columns of a data source's quarantine, in order: what a row can bring as `Nullable(String)` with the text of the value,
 * then the reasons. A column whose name the quarantine needs itself has `_` behind it.
 */
export function quarantineColumnsOf(source: DataSource): readonly QuarantineColumn[] {
  const reserved = new Set<string>(OWN.map(([name]) => name));
  const taken = new Set<string>([...reserved, ...source.columns.map(({ name }) => name)]);
  const own = source.columns
    .filter(({ kind }) => kind !== 'MATERIALIZED' && kind !== 'ALIAS')
    .map(({ name: column }) => {
      let name = column;
      if (reserved.has(column))
        do name += '_';
        while (taken.has(name));
      return { name, type: 'Nullable(String)', column };
    });
  return [...own, ...OWN.map(([name, type]) => ({ name, type, column: undefined }))];
}

export interface Rejected {
  readonly columns: readonly QuarantineColumn[];
  readonly mapped: readonly MappedColumn[];
  readonly reasons: readonly Reason[];
}

/** Why a row does not fit. */
export interface Reason {
  /** What it is about: a column of the data source, or `c__line` for the row as a whole. */
  readonly column: string;
  /** UInt8 expression: it applies. */
  readonly when: string;
  /** String expression. */
  readonly message: string;
}

/** The columns of the quarantine, as `expression AS name`, out of a row that does not fit. */
export function rejectedRow({ columns, mapped, reasons }: Rejected): string[] {
  const line = `${INNER}line`;
  const again = `${INNER}again`;
  const places = new Map(mapped.map(({ column }, index) => [column.name, index]));
  const texts = mapped.map(({ path }, index) => {
    const text = path.keys.length === 0 ? `toNullable(${line})` : markedText(again, path.keys);
    return `${text} AS ${INNER}r${index}`;
  });
  const values = columns.flatMap(({ name, column }) => {
    if (column === undefined) return [];
    const place = places.get(column);
    return [`${place === undefined ? 'NULL' : `${INNER}r${place}`} AS ${quoteName(name)}`];
  });
  const list = reasons.map(({ column, when, message }) => `(toUInt8(${when}), ${quoteText(column)}, ${message})`);
  return [
    `${marked({ line, plain: `${INNER}plain`, whole: `${INNER}whole` }, `''`)} AS ${again}`,
    ...texts,
    `arrayFilter(e -> e.1 = 1, [${list.join(',\n    ')}]) AS ${INNER}errors`,
    ...values,
    `arrayMap(e -> e.2, ${INNER}errors) AS c__error_column`,
    `arrayMap(e -> e.3, ${INNER}errors) AS c__error`,
    `${INNER}import AS c__import_id`,
    `toDateTime(${INNER}at) AS insertion_date`,
    `${line} AS c__line`,
  ];
}

/** The reasons of rows that do not fit. */
export function misfitReasons(mapped: readonly MappedColumn[]): Reason[] {
  const line = `${INNER}line`;
  const unreadable =
    `multiIf(match(${line}, '^\\\\s*$'), 'the line is empty', ` +
    `NOT isValidUTF8(${line}), 'the line is not valid UTF-8', ` +
    `isValidJSON(${line}), 'the line is JSON but not an object', ` +
    `'the line is not JSON, or nested too deeply')`;
  const outside = `concat('the row is outside the write filter of its token: ', ${INNER}filter)`;
  return [
    { column: 'c__line', when: `NOT ${INNER}object`, message: unreadable },
    { column: 'c__line', when: `${INNER}object AND NOT ${INNER}inside`, message: outside },
    ...mapped.flatMap((column, index) => columnReason(column, index)),
  ];
}

/** The reason of rows that an expression of the user throws for. */
export function barredReason(when: string, said: string): Reason {
  return { column: 'c__line', when, message: quoteText(`the row cannot be computed: ${said}`) };
}

/** Nothing for a column that every row fits. */
function columnReason({ column, inner, sql }: MappedColumn, index: number): Reason[] {
  if (sql.fits === undefined) return [];
  const text = `${INNER}r${index}`;
  const hint = hintOf(inner);
  const path = column.jsonPath ?? `$.${column.name}`;
  const lacking = `: ${path} is missing or null, and the column has no DEFAULT`;
  const shown = `if(lengthUTF8(${text}) > ${SHOWN}, concat(substringUTF8(${text}, 1, ${SHOWN}), '…'), ${text})`;
  const parts = [
    quoteText(`value '`),
    `ifNull(${shown}, '')`,
    quoteText(`' on column '${column.name}' is not ${inner.text}`),
    `if(${INNER}n${index}, ${quoteText(lacking)}, ${quoteText(hint === '' ? '' : ` (${hint})`)})`,
  ];
  return [
    {
      column: column.name,
      when: `${INNER}object AND NOT ${INNER}c${index}`,
      message: `concat(${parts.join(', ')})`,
    },
  ];
}
