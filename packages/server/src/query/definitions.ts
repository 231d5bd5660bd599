/**
 * Judges the texts of a workspace's definitions: types, expressions, conditions and the statements of nodes. What they are part of
 * is run by the server itself, whose session may do more than a user's; so these judges are the wall.
 *
 * Must stay true: a text that was let through is one type, one expression (or list of them) or one SELECT, wherever it is put.
 */

import { judgeExpression, judgeType, parseAst, splitExpression } from '@glasshouse/language';
import type { ExpressionRules } from '@glasshouse/language';
import { AppError, DEFAULT_PLACEMENT, toAppError } from '@glasshouse/model';
import type { Checked, Door, StatementOptions } from './door.ts';
import { toQueryError, withoutPrefix } from './errors.ts';
import { explain, type Explainer } from './explain.ts';

/** Where an expression stands. */
export interface Place {
  /** For messages: `DEFAULT of column=a`, `ENGINE_TTL`. */
  readonly what: string;
  /** Columns that it may name. */
  readonly columns: readonly { readonly name: string }[];
  /** Whether a list with commas is meant, as in a sorting key. */
  readonly list?: boolean;
}

export interface DefinitionsOptions extends Explainer {
  readonly door: Pick<Door, 'check'>;
  /** Whose session the parser is asked in; no data is read there. */
  readonly tenant?: string;
}

export class Definitions {
  private readonly options: DefinitionsOptions;

  constructor(options: DefinitionsOptions) {
    this.options = options;
  }

  /** Throws `bad_request` unless the text is one data type that a table of a tenant may have. */
  judgeType(text: string): void {
    judgeType(text);
  }

  /** Rejects with `bad_request` or `forbidden` unless the text is an expression over the columns, without any table in it. */
  async judgeExpression(text: string, { what, columns, list = false }: Place): Promise<void> {
    await this.judge(text, { what, columns: namesOf(columns), form: list ? 'list' : 'one' });
  }

  /** The same for a list of expressions with names, as between SELECT and FROM; `*` is allowed. */
  async judgeSelectList(text: string, { what, columns }: Place): Promise<void> {
    await this.judge(text, { what, columns: namesOf(columns), form: 'named' });
  }

  /** The same for a condition on a row, for which rows are counted or deleted; resolves with the columns that it names. */
  judgeFilter(text: string): Promise<readonly string[]> {
    return this.judge(text, { what: 'the condition' });
  }

  /**
   * The same for a condition by which rows are hidden. By its functions' names it cannot fail on a row; the door makes sure once
   * it knows the table.
   */
  judgeRowFilter(text: string): Promise<readonly string[]> {
    return this.judge(text, { what: 'the row filter', total: true });
  }

  /**
   * Judges the statement of a node whose result is kept in a table; resolves with its text, columns and tables. It may read the
   * tenant's own database only. Rejects with a QueryError.
   */
  judgeDefinition(tenant: string, sql: string, options: StatementOptions = {}): Promise<Checked> {
    return this.options.door.check({ placement: { tenant } }, sql, { ...options, isKept: true });
  }

  private async judge(text: string, rules: ExpressionRules): Promise<readonly string[]> {
    const { tenant = DEFAULT_PLACEMENT.tenant } = this.options;
    const expression = splitExpression(text, rules);
    let ast: string;
    try {
      ast = await explain(this.options, { tenant, what: 'AST', sql: expression.statement });
    } catch (error) {
      const context = { database: '', sql: text, aborted: false };
      const { code, message } = toAppError(toQueryError(withoutPrefix(error, expression.offset), context));
      const why = message.replace(/^cannot run the query: /u, '');
      throw new AppError(code, `cannot use ${rules.what}: ${why}`, { cause: error });
    }
    return judgeExpression(expression, parseAst(ast), rules);
  }
}

function namesOf(columns: readonly { readonly name: string }[]): ReadonlySet<string> {
  return new Set(columns.map(({ name }) => name));
}
