/**
 * What a template asks its callers for, read off its text without any values: for OpenAPI, the `params` of a node, and the list of
 * parameters that arrays are read for.
 *
 * Must stay true: nothing is evaluated but constants. A parameter counts as required when the template says so, or uses it without a
 * default where no condition on it stands around the use.
 */

import { partsOf, type Branch, type Call, type Expression, type Statement } from './ast.ts';
import { typeNamed } from './types.ts';
import { SqlWriter } from './writer.ts';

export interface TemplateParameter {
  readonly name: string;
  /** As the template writes it, in its usual case: `Int32`, `String`, `Array(Int32)`, `JSON`. */
  readonly type: string;
  readonly required: boolean;
  /** The default as JSON has it; absent when there is none or it is not constant. */
  readonly default?: unknown;
  readonly description?: string;
  readonly example?: unknown;
  readonly format?: string;
  readonly enum?: readonly unknown[];
}

/** A parameter while uses of it are being found. The first use that says something is the one that counts. */
interface Finding {
  type?: string;
  default?: unknown;
  description?: string;
  example?: unknown;
  format?: string;
  enum?: readonly unknown[];
  declaredRequired?: boolean;
  neededSomewhere: boolean;
}

/** Functions whose first argument may have a default as the second. */
const WITH_DEFAULT: ReadonlySet<string> = new Set(['column', 'columns', 'split_to_array']);

export interface ParameterList {
  /** Each once, in the order of the text. */
  readonly parameters: readonly TemplateParameter[];
  /** Those that are passed to `Array`. */
  readonly arrays: ReadonlySet<string>;
}

/** The parameters of several templates taken together. */
export function parametersOf(templates: readonly (readonly Statement[])[]): ParameterList {
  const findings = new Map<string, Finding>();
  const arrays = new Set<string>();
  for (const statements of templates) new Collector(findings, arrays).block(statements);
  return { parameters: [...findings].map(([name, finding]) => parameter(name, finding)), arrays };
}

function parameter(name: string, finding: Finding): TemplateParameter {
  const { type, declaredRequired, neededSomewhere, ...described } = finding;
  const needed = neededSomewhere && !('default' in described);
  return { name, type: type ?? 'String', required: declaredRequired ?? needed, ...described };
}

class Collector {
  private readonly findings: Map<string, Finding>;
  private readonly arrays: Set<string>;
  private readonly variables = new Set<string>();
  /** The names that conditions around the place speak of, with how many of them do. */
  private readonly guards = new Map<string, number>();
  /** Follows the text alone, to leave out what is in comments. */
  private readonly sql = new SqlWriter();

  constructor(findings: Map<string, Finding>, arrays: Set<string>) {
    this.findings = findings;
    this.arrays = arrays;
  }

  block(statements: readonly Statement[]): void {
    for (const statement of statements) this.statement(statement);
  }

  private statement(statement: Statement): void {
    switch (statement.kind) {
      case 'text':
        this.sql.text(statement.text);
        return;
      case 'output':
        if (this.sql.context === 'comment') return;
        if (statement.expression.kind === 'name') this.need(statement.expression.name);
        this.expression(statement.expression);
        return;
      case 'if':
        this.branches(statement.branches);
        return;
      case 'for':
        this.expression(statement.iterable);
        for (const name of statement.targets) this.variables.add(name);
        this.block(statement.body);
        return;
      case 'set':
        this.expression(statement.value);
        for (const name of statement.targets) this.variables.add(name);
        return;
      case 'break':
      case 'continue':
        return;
    }
  }

  private branches(branches: readonly Branch[]): void {
    const spoken: string[] = [];
    for (const { test, body } of branches) {
      if (test !== undefined) {
        const names = plainNames(test);
        spoken.push(...names);
        this.guard(names, 1);
        this.expression(test);
        const demanded = demandedBy(test, body);
        if (demanded !== undefined && !this.variables.has(demanded)) this.finding(demanded).declaredRequired ??= true;
      }
      this.block(body);
    }
    this.guard(spoken, -1);
  }

  private guard(names: Iterable<string>, count: 1 | -1): void {
    for (const name of names) this.guards.set(name, (this.guards.get(name) ?? 0) + count);
  }

  private expression(expression: Expression): void {
    if (expression.kind === 'name' && !this.variables.has(expression.name)) this.finding(expression.name);
    if (expression.kind === 'call') return this.call(expression);
    const guarding = expression.kind === 'conditional' || expression.kind === 'logic' ? plainNames(expression) : [];
    this.guard(guarding, 1);
    for (const part of partsOf(expression)) this.expression(part);
    this.guard(guarding, -1);
  }

  private call(call: Call): void {
    const [first, ...rest] = call.positional;
    const isArray = call.name.toLowerCase() === 'array';
    const type = isArray ? arrayType(call) : typeNamed(call.name)?.name;
    const described = type !== undefined || WITH_DEFAULT.has(call.name);
    if (described && first?.kind === 'name' && !this.variables.has(first.name)) {
      this.describe(first.name, call, type);
      if (isArray) this.arrays.add(first.name);
    } else if (first !== undefined) {
      this.expression(first);
    }
    for (const [index, part] of rest.entries()) {
      const isTypeName = isArray && index === 0 && part.kind === 'name' && typeNamed(part.name) !== undefined;
      if (!isTypeName) this.expression(part);
    }
    for (const { value } of call.keywords) this.expression(value);
  }

  private describe(name: string, call: Call, type: string | undefined): void {
    const finding = this.finding(name);
    const keyword = (wanted: string): Expression | undefined => call.keywords.find((one) => one.name === wanted)?.value;
    if (type !== undefined) finding.type ??= type;
    const fallback = defaultOf(call);
    if (fallback !== undefined) {
      const value = constant(fallback);
      if (value !== undefined && value !== null && !('default' in finding)) finding.default = value;
    } else if (!isOptional(call, type)) {
      this.need(name);
    }
    const description = keyword('description');
    if (description?.kind === 'string') finding.description ??= description.value;
    const format = keyword('format');
    if (format?.kind === 'string') finding.format ??= format.value;
    const [example, choices, required] = [keyword('example'), keyword('enum'), keyword('required')];
    if (example !== undefined) finding.example ??= constant(example);
    if (choices?.kind === 'list') finding.enum ??= choices.items.map(constant);
    if (required?.kind === 'bool') finding.declaredRequired ??= required.value;
  }

  private need(name: string): void {
    if ((this.guards.get(name) ?? 0) === 0 && !this.variables.has(name)) this.finding(name).neededSomewhere = true;
  }

  private finding(name: string): Finding {
    const found = this.findings.get(name) ?? { neededSomewhere: false };
    this.findings.set(name, found);
    return found;
  }
}

function arrayType(call: Call): string {
  const named = call.positional[1] ?? call.keywords.find((keyword) => keyword.name === 'type')?.value;
  const name = named?.kind === 'string' ? named.value : named?.kind === 'name' ? named.name : '';
  return `Array(${typeNamed(name)?.name ?? 'String'})`;
}

function defaultOf(call: Call): Expression | undefined {
  const named = call.keywords.find((keyword) => keyword.name === 'default')?.value;
  if (named !== undefined || call.name.toLowerCase() !== 'array') return named ?? call.positional[1];
  const [, second, third] = call.positional;
  if (third !== undefined) return third;
  const isType = second?.kind === 'name' || (second?.kind === 'string' && typeNamed(second.value) !== undefined);
  return isType ? undefined : second;
}

/** Uses that go without a value. */
function isOptional(call: Call, type: string | undefined): boolean {
  const defined = call.keywords.find((keyword) => keyword.name === 'defined')?.value;
  if (defined?.kind === 'bool' && !defined.value) return true;
  return type === 'Boolean' || type === 'JSON' || call.name === 'split_to_array';
}

/** Names that an expression mentions outside of a type: what `defined(x)` and `x != ''` speak of. */
function plainNames(expression: Expression): ReadonlySet<string> {
  if (expression.kind === 'name') return new Set([expression.name]);
  if (expression.kind === 'call' && expression.name !== 'defined') return new Set();
  return new Set(partsOf(expression).flatMap((part) => [...plainNames(part)]));
}

/** The parameter without which `{% if not defined(x) %}{{ error(…) }}{% end %}` raises. */
function demandedBy(test: Expression, body: readonly Statement[]): string | undefined {
  if (test.kind !== 'unary' || test.operator !== 'not' || test.operand.kind !== 'call') return undefined;
  const [name] = test.operand.positional;
  if (test.operand.name !== 'defined' || name?.kind !== 'name') return undefined;
  const raises = body.some(
    (statement) =>
      statement.kind === 'output' &&
      statement.expression.kind === 'call' &&
      (statement.expression.name === 'error' || statement.expression.name === 'custom_error'),
  );
  return raises ? name.name : undefined;
}

/** The JSON of a constant expression; undefined for all others. */
function constant(expression: Expression): unknown {
  switch (expression.kind) {
    case 'none':
      return null;
    case 'bool':
    case 'float':
    case 'string':
      return expression.value;
    case 'int':
      return Number.isSafeInteger(Number(expression.value)) ? Number(expression.value) : String(expression.value);
    case 'list': {
      const items = expression.items.map(constant);
      return items.includes(undefined) ? undefined : items;
    }
    case 'unary': {
      const value = constant(expression.operand);
      return expression.operator === '-' && typeof value === 'number' ? -value : undefined;
    }
    default:
      return undefined;
  }
}
