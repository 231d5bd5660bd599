/** What a template function is, and what it sees of a rendering. */

import type { TemplateError, TemplateErrorDetails } from './error.ts';
import type { Value } from './value.ts';

/** What a template asks for besides its SQL. */
export interface TemplateSettings {
  /** `max_threads(n)`, the engine's setting of that name. The caller bounds it. */
  max_threads?: number;
  /** `cache_ttl('5m')`. */
  cacheSeconds?: number;
  /** `backend_hint('name')`; there is one backend, so it changes nothing. */
  backendHint?: string;
  /** `activate('analyzer')`; what it names is always on, so it changes nothing. */
  activate?: string[];
}

/** One call while it is evaluated. */
export interface CallContext {
  /** Name of the function as written. */
  readonly name: string;
  /** The parameter that is the first argument, if it is a plain reference. */
  readonly parameter: string | undefined;
  /** Arguments by the names of the function's parameters, and those given by name. */
  readonly given: ReadonlyMap<string, Value>;
  /** All arguments without a name, for functions that take any number. */
  readonly positional: readonly Value[];
  /** Whether values that are missing are made up, to check a template. */
  readonly sample: boolean;
  readonly settings: TemplateSettings;
  /** Counts the cost of copying so many units or items. */
  spend(cost: number): void;
  /** The error to throw; with a parameter it is the caller's value, or its absence, that is at fault. */
  fail(why: string, parameter?: string): TemplateError;
  /** The error that the template itself raises; its message is the text alone. */
  raise(message: string, details: TemplateErrorDetails): TemplateError;
  /** The placeholder of a secret, or undefined when there is none of that name. */
  secret(name: string): Value | undefined;
}

export interface TemplateFunction {
  /** Names of the arguments by position. */
  readonly parameters: readonly string[];
  /** How many of them there must be. */
  readonly least: number;
  /** Arguments that can be given by name only. */
  readonly keywords?: readonly string[];
  readonly anyPositional?: boolean;
  readonly anyKeywords?: boolean;
  /** The first argument must be written as text, so that no value can choose it. */
  readonly literalName?: boolean;
  /** Set for types, whose errors count even when a template is only checked. */
  readonly isType?: true;
  readonly run: (call: CallContext) => Value;
}

/** The parameter whose given value is the argument `value`; undefined when the default or something else is. */
export function givenParameter(call: CallContext): string | undefined {
  return argument(call, 'value').kind === 'none' ? undefined : call.parameter;
}

/** An argument, or None. */
export function argument(call: CallContext, name: string): Value {
  return call.given.get(name) ?? { kind: 'none' };
}
