/**
 * The table of the rows that do not fit a data source: its columns as texts, the reasons, and the line itself.
 *
 * Must stay true: nothing that a sender sent is lost here. `c__line` has the line byte for byte, whether it is JSON or not, so
 * that it can be sent again once the schema or the sender is right.
 */

import type { DataSource } from '@glasshouse/model';

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

/** A reason why a row does not fit. */
export interface RowError {
  /** What it is about: a column of the data source, or `c__line` for the row as a whole. */
  readonly column: string;
  /** UInt8 expression: it applies. */
  readonly when: string;
  /** String expression. */
  readonly message: string;
}

/** Why a line is no row at all. */
export function lineErrors({ line, object }: { readonly line: string; readonly object: string }): RowError[] {
  const message =
    `multiIf(empty(trimBoth(${line})), 'the line is empty', ` +
    `NOT isValidUTF8(${line}), 'the line is not valid UTF-8', ` +
    `isValidJSON(${line}), 'the line is JSON but not an object', ` +
    `'the line is not JSON, or nested too deeply')`;
  return [{ column: 'c__line', when: `NOT ${object}`, message }];
}
