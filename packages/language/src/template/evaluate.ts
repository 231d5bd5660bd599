/**
 * The evaluator of expressions. It walks the tree; there is no code that a template could reach but the functions of the table.
 *
 * Must stay true: every expression costs a step, and so does all copying, so that a rendering ends. Names are looked up in Maps.
 */

import { textOf, dictValue, fromJson, isTrue, listValue, NONE, stringValue, type Value } from './value.ts';
import type { Call, Expression } from './ast.ts';
import type { CallContext, TemplateFunction, TemplateSettings } from './call.ts';
import { excerpt, placeOf, renderError, TemplateError, type Position, type TemplateSource } from './error.ts';
import { functionNamed } from './functions.ts';
import { MAX_STEPS } from './limits.ts';
import { callMethod, type Outcome } from './methods.ts';
import { binary, compared, indexed, signed } from './operators.ts';
import { arrayFromText, typeNamed } from './types.ts';

/** Values of parameters as a request gives them: text, several texts, or what a JSON body holds. */
export type ParameterValues = ReadonlyMap<string, unknown>;

export interface RunOptions {
  readonly source: TemplateSource;
  readonly arrays: ReadonlySet<string>;
  readonly values: ParameterValues;
  readonly secrets: ReadonlyMap<string, string>;
  readonly sample: boolean;
}

/** One rendering: its variables, what it has used and asked for. */
export class Run {
  readonly settings: TemplateSettings = {};
  readonly used = new Set<string>();
  readonly boundSecrets = new Map<string, string>();
  private readonly options: RunOptions;
  private readonly variables = new Map<string, Value>();
  private readonly parameters = new Map<string, Value>();
  private steps = 0;

  constructor(options: RunOptions) {
    this.options = options;
  }

  set(name: string, value: Value): void {
    this.variables.set(name, value);
  }

  spend(cost: number, at: Position): void {
    this.steps += 1 + Math.floor(cost / 64);
    if (this.steps > MAX_STEPS) throw this.fail(at, `it takes more than ${MAX_STEPS} steps`);
  }

  /** The error to throw; with a parameter it is the caller's value, or its absence, that is at fault. */
  fail(at: Position, why: string, parameter?: string): TemplateError {
    const { source } = this.options;
    if (parameter === undefined) return renderError(source, at, why);
    return new TemplateError(`cannot run ${placeOf(source, at)}: ${why}`, source, at, { parameter });
  }

  evaluate(expression: Expression): Value {
    const { at } = expression;
    this.spend(0, at);
    switch (expression.kind) {
      case 'none':
        return NONE;
      case 'bool':
        return { kind: 'bool', value: expression.value };
      case 'int':
        return { kind: 'int', value: expression.value };
      case 'float':
        return { kind: 'float', value: expression.value };
      case 'string':
        return expression.value.isWellFormed()
          ? stringValue(expression.value)
          : this.refuse(at, 'the text is not valid Unicode');
      case 'name':
        return this.lookUp(expression.name, at);
      case 'list':
        return this.list(expression.items, expression.tuple, at);
      case 'dict':
        return this.dict(expression.entries, at);
      case 'unary':
        return this.unary(expression.operator, this.evaluate(expression.operand), at);
      case 'binary': {
        const left = this.evaluate(expression.left);
        return this.value(binary(expression.operator, left, this.evaluate(expression.right), this.spender(at)), at);
      }
      case 'logic':
        return this.logic(expression.operator, expression.operands);
      case 'compare':
        return this.comparison(expression);
      case 'conditional':
        return this.evaluate(isTrue(this.evaluate(expression.test)) ? expression.yes : expression.no);
      case 'index':
        return this.value(indexed(this.evaluate(expression.object), this.evaluate(expression.key)), at);
      case 'method': {
        const object = this.evaluate(expression.object);
        const parameters = expression.positional.map((part) => this.evaluate(part));
        this.spend(textOf(object)?.length ?? 0, at);
        return this.value(callMethod(object, expression.name, parameters), at);
      }
      case 'call':
        return this.call(expression);
    }
  }

  private lookUp(name: string, at: Position): Value {
    return this.variables.get(name) ?? this.parameters.get(name) ?? this.parameter(name, at);
  }

  /** A parameter that the template takes as an array is a list, however it was given. */
  private parameter(name: string, at: Position): Value {
    this.used.add(name);
    const given = fromJson(this.options.values.get(name));
    if (given === undefined) {
      const why = `parameter ${name} is too large, nested too deeply, or no valid Unicode`;
      throw this.fail(at, why, name);
    }
    const value = given.kind === 'string' && this.options.arrays.has(name) ? arrayFromText(given.value) : given;
    if (value === undefined) throw this.fail(at, `parameter ${name} has too many items`, name);
    const read: Value = value.kind === 'none' ? { kind: 'none', parameter: name } : value;
    this.parameters.set(name, read);
    return read;
  }

  private list(items: readonly Expression[], tuple: boolean, at: Position): Value {
    const values = items.map((item) => this.evaluate(item));
    return listValue(values, tuple) ?? this.refuse(at, 'the list is too long or nested too deeply');
  }

  private dict(entries: readonly (readonly [Expression, Expression])[], at: Position): Value {
    const map = new Map<string, Value>();
    for (const [key, value] of entries) {
      const name = textOf(this.evaluate(key));
      if (name === undefined) throw this.fail(key.at, 'the keys of a dict must be text');
      map.set(name, this.evaluate(value));
    }
    return dictValue(map) ?? this.refuse(at, 'the dict is nested too deeply');
  }

  private unary(operator: '-' | '+' | 'not', operand: Value, at: Position): Value {
    return operator === 'not' ? { kind: 'bool', value: !isTrue(operand) } : this.value(signed(operator, operand), at);
  }

  /** As in Python, the result is the operand that decided. */
  private logic(operator: 'and' | 'or', operands: readonly Expression[]): Value {
    let value: Value = NONE;
    for (const operand of operands) {
      value = this.evaluate(operand);
      if (isTrue(value) === (operator === 'or')) return value;
    }
    return value;
  }

  private comparison(expression: Expression & { kind: 'compare' }): Value {
    let left = this.evaluate(expression.first);
    for (const { operator, right } of expression.links) {
      const value = this.evaluate(right);
      const holds = compared(operator, left, value, this.spender(right.at));
      if (typeof holds !== 'boolean' && !this.options.sample) throw this.fail(expression.at, holds.why);
      if (holds !== true) return { kind: 'bool', value: false };
      left = value;
    }
    return { kind: 'bool', value: true };
  }

  private call(call: Call): Value {
    const found = functionNamed(call.name);
    if (found === undefined) return this.refuse(call.at, `there is no function ${excerpt(call.name)}`);
    const positional = call.positional.map((part, index) => this.argument(found, part, index));
    const given = new Map<string, Value>();
    for (const [index, name] of found.parameters.entries()) {
      const value = positional[index];
      if (value !== undefined) given.set(name, value);
    }
    for (const { name, value } of call.keywords) given.set(name, this.evaluate(value));
    return this.answer(found, this.context(call, given, positional));
  }

  /** While a template is only checked, a function that cannot work without a value that is missing is no error. */
  private answer(found: TemplateFunction, context: CallContext): Value {
    if (!this.options.sample || found.isType === true) return found.run(context);
    try {
      return found.run(context);
    } catch (error) {
      const missing = [...context.positional, ...context.given.values()].some((value) => value.kind === 'none');
      if (error instanceof TemplateError && missing) return NONE;
      throw error;
    }
  }

  /** In `Array(ids, Int32)` the second name is a type unless something has that name. */
  private argument(found: TemplateFunction, part: Expression, index: number): Value {
    if (part.kind === 'name' && found.parameters[index] === 'type' && typeNamed(part.name) !== undefined) {
      if (!this.variables.has(part.name) && !this.options.values.has(part.name)) return stringValue(part.name);
    }
    return this.evaluate(part);
  }

  private context(call: Call, given: ReadonlyMap<string, Value>, positional: readonly Value[]): CallContext {
    const { at } = call;
    const [first] = call.positional;
    return {
      name: call.name,
      parameter: first?.kind === 'name' && !this.variables.has(first.name) ? first.name : undefined,
      given,
      positional,
      sample: this.options.sample,
      settings: this.settings,
      spend: (cost) => this.spend(cost, at),
      fail: (why, fault) => this.fail(at, why, fault),
      raise: (message, details) => new TemplateError(message, this.options.source, at, details),
      secret: (name) => this.secret(name),
    };
  }

  private secret(name: string): Value | undefined {
    const secret = this.options.secrets.get(name);
    if (secret === undefined) return undefined;
    const parameter = `tb_secret_${name}`;
    this.boundSecrets.set(parameter, secret);
    return { kind: 'sql', text: `{${parameter}:String}` };
  }

  private spender(at: Position): (cost: number) => void {
    return (cost) => this.spend(cost, at);
  }

  private value(outcome: Outcome, at: Position): Value {
    if (outcome.kind !== 'fault') return outcome;
    return this.options.sample ? NONE : this.refuse(at, outcome.why);
  }

  private refuse(at: Position, why: string): never {
    throw this.fail(at, why);
  }
}
