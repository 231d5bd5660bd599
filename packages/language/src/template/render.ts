/**
 * Renders a template with the values of one request to the SQL of its node.
 *
 * Must stay true: the SQL is checked by nobody yet. Whatever comes out of here goes through the query door like any user's text; literals
 * being escaped is what keeps a caller's value from changing the query, and the door is what keeps any query within the tenant.
 */

import type { Expression, Statement } from './ast.ts';
import type { TemplateSettings } from './call.ts';
import { Run, type ParameterValues } from './evaluate.ts';
import { MAX_TEXT } from './limits.ts';
import { sqlLiteral } from './literal.ts';
import type { Template } from './parse.ts';
import { isTrue, kindOf, stringValue, type Value } from './value.ts';
import { SqlWriter } from './writer.ts';

export interface RenderOptions {
  /** Values for `tb_secret`, by name. */
  readonly secrets?: ReadonlyMap<string, string>;
  /**
   * `refuse` (the default) demands every required parameter. `sample` makes values up for those that are missing and raises no
   * `error()`, so that a template can be checked when it is deployed.
   */
  readonly missing?: 'refuse' | 'sample';
}

export interface Rendered {
  readonly sql: string;
  readonly settings: Readonly<TemplateSettings>;
  /** Names of the parameters that were looked at, given or not. */
  readonly used: readonly string[];
  /** Values to bind to `{name:Type}` placeholders of the SQL: the secrets that it uses. */
  readonly parameters: Readonly<Record<string, string>>;
}

type Jump = 'break' | 'continue' | undefined;

/**
 * Renders. Plain SQL comes back as it is.
 *
 * Throws `TemplateError` for a value that is missing or does not fit, for what `error()` and `custom_error()` raise, and when it takes
 * too many steps or characters.
 */
export function renderTemplate(template: Template, values: ParameterValues, options: RenderOptions = {}): Rendered {
  const { source, arrays } = template;
  const sample = options.missing === 'sample';
  const run = new Run({ source, arrays, values, secrets: options.secrets ?? new Map(), sample });
  if (!template.usesTemplate)
    return rendered(run, template.statements.map((piece) => (piece.kind === 'text' ? piece.text : '')).join(''));
  const renderer = new Renderer(run, new SqlWriter(), sample);
  renderer.block(template.statements);
  return rendered(run, renderer.sql);
}

function rendered(run: Run, sql: string): Rendered {
  return { sql, settings: run.settings, used: [...run.used], parameters: Object.fromEntries(run.boundSecrets) };
}

class Renderer {
  private readonly run: Run;
  private readonly writer: SqlWriter;
  private readonly sample: boolean;
  private at = { line: 1, column: 1 };

  constructor(run: Run, writer: SqlWriter, sample: boolean) {
    this.run = run;
    this.writer = writer;
    this.sample = sample;
  }

  get sql(): string {
    return this.writer.sql;
  }

  /** The jump that left the block early, if one did. */
  block(statements: readonly Statement[]): Jump {
    for (const statement of statements) {
      const jump = this.statement(statement);
      if (jump !== undefined) return jump;
    }
    return undefined;
  }

  private statement(statement: Statement): Jump {
    switch (statement.kind) {
      case 'text':
        this.run.spend(statement.text.length, this.at);
        this.writer.text(statement.text);
        this.checkLength();
        return undefined;
      case 'output':
        this.output(statement.expression);
        return undefined;
      case 'if': {
        const branch = statement.branches.find(({ test }) => test === undefined || isTrue(this.evaluate(test)));
        return branch === undefined ? undefined : this.block(branch.body);
      }
      case 'for':
        return this.loop(statement);
      case 'set':
        this.at = statement.at;
        this.assign(statement.targets, this.evaluate(statement.value));
        return undefined;
      case 'break':
      case 'continue':
        return statement.kind;
    }
  }

  /** What stands in a comment of the SQL is not evaluated: it is often a filter that its author took out. */
  private output(expression: Expression): void {
    this.at = expression.at;
    if (this.writer.context === 'comment') return;
    const value = this.evaluate(expression);
    const given: Value = value.kind === 'none' && this.sample ? stringValue('') : value;
    const literal = sqlLiteral(given, (cost) => this.run.spend(cost, this.at));
    if (typeof literal !== 'string')
      throw this.run.fail(this.at, literal.why, value.kind === 'none' ? value.parameter : undefined);
    if (!this.writer.literal(literal)) {
      throw this.run.fail(
        this.at,
        `${kindOf(given)} stands between quotes there; leave them out, values bring their own`,
      );
    }
    this.checkLength();
  }

  private loop(statement: Statement & { kind: 'for' }): Jump {
    this.at = statement.at;
    const iterable = this.evaluate(statement.iterable);
    for (const item of this.itemsOf(iterable, statement)) {
      this.run.spend(0, statement.at);
      this.at = statement.at;
      this.assign(statement.targets, item);
      if (this.block(statement.body) === 'break') break;
    }
    return undefined;
  }

  private itemsOf(iterable: Value, statement: Statement & { kind: 'for' }): readonly Value[] {
    if (iterable.kind === 'list') return iterable.items;
    if (iterable.kind === 'dict') return [...iterable.entries.keys()].map(stringValue);
    if (iterable.kind === 'none' && this.sample) return [];
    throw this.run.fail(
      statement.at,
      `{% for %} takes a list, not ${kindOf(iterable)}; make one with split_to_array()`,
    );
  }

  private assign(targets: readonly string[], value: Value): void {
    const [only] = targets;
    if (targets.length === 1 && only !== undefined) {
      this.run.set(only, value);
      return;
    }
    const items = value.kind === 'list' ? value.items : [];
    if (items.length !== targets.length) {
      const found = value.kind === 'list' ? `a list of ${items.length}` : kindOf(value);
      throw this.run.fail(this.at, `${found} cannot be taken apart into ${targets.length} names`);
    }
    for (const [index, name] of targets.entries()) {
      const item = items[index];
      if (item !== undefined) this.run.set(name, item);
    }
  }

  private evaluate(expression: Expression): Value {
    return this.run.evaluate(expression);
  }

  private checkLength(): void {
    if (this.writer.length > MAX_TEXT) throw this.run.fail(this.at, `the SQL is longer than ${MAX_TEXT} characters`);
  }
}
