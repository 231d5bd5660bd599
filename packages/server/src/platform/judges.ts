/**
 * What a user's text in a definition has to pass before it becomes part of a statement. The judges themselves belong to the
 * rooms that know the language; the registry only sees to it that nothing goes past them.
 *
 * Must stay true: a text that a judge let through stays within the place where it is put, names only what it may, and calls
 * only functions that any user may call.
 */

import type { DataSourceColumn, Pipe, Resource } from '@glasshouse/model';

/** Where an expression stands. */
export interface ExpressionPlace {
  /** For messages: `DEFAULT of column=a`, `ENGINE_TTL`. */
  readonly what: string;
  /** Columns that it may name. */
  readonly columns: readonly DataSourceColumn[];
  /** Whether a list with commas is meant, as in a sorting key. */
  readonly list?: boolean;
}

export interface Judges {
  /** Throws `bad_request` unless the text is one data type. */
  judgeType(text: string): void | Promise<void>;
  /** Throws `bad_request` or `forbidden` unless the text is an expression over the columns, without any table in it. */
  judgeExpression(text: string, place: ExpressionPlace): void | Promise<void>;
  /** The same for a condition on a row; answers with the columns that it names. */
  judgeFilter(text: string): readonly string[] | Promise<readonly string[]>;
  /** The same for a list of expressions with names, as between SELECT and FROM; `*` is allowed. */
  judgeSelectList(text: string, place: ExpressionPlace): void | Promise<void>;
  /** Throws unless the nodes of the pipe can be run in the tenant's workspace, once it has these resources. */
  judgeDefinition(tenant: string, pipe: Pipe, among: readonly Resource[]): void | Promise<void>;
}
