/**
 * What can be wrong with a template or with the values given to it, said with the place: file, node, line.
 *
 * Must stay true: parsing and rendering throw nothing else, and no message holds more than a few characters of a value.
 */

import { AppError } from '@glasshouse/model';

/** Where a template comes from. */
export interface TemplateSource {
  /** Name of the pipe's node, or what else to call the text in an error. */
  readonly node: string;
  /** Path of the data file, if there is one. */
  readonly file?: string;
  /** Line of `file` on which the SQL begins; without it lines are counted from 1 within the SQL. */
  readonly firstLine?: number;
}

/** A place in a template; both are counted from 1, columns in UTF-16 units. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

export interface TemplateErrorDetails {
  /** HTTP status: 400 unless the template's own `custom_error` names another. */
  readonly status?: number;
  /** Body of a `custom_error`, to be sent as it is. */
  readonly body?: unknown;
  /** The parameter whose value is wrong or missing. */
  readonly parameter?: string;
}

/** A template that cannot be read, a value that does not fit, or what the template itself raised. */
export class TemplateError extends AppError {
  readonly source: TemplateSource;
  readonly position: Position;
  readonly status: number;
  readonly body: unknown;
  readonly parameter: string | undefined;

  constructor(message: string, source: TemplateSource, position: Position, details: TemplateErrorDetails = {}) {
    super('bad_request', message);
    this.name = 'TemplateError';
    this.source = source;
    this.position = position;
    this.status = details.status ?? 400;
    this.body = details.body;
    this.parameter = details.parameter;
  }
}

/** `node top of pipes/top.pipe, line 3`. */
export function placeOf(source: TemplateSource, position: Position): string {
  const file = source.file === undefined ? '' : ` of ${source.file}`;
  return `node ${source.node}${file}, line ${position.line}`;
}

/** The refusal of a template's text. */
export function syntaxError(source: TemplateSource, position: Position, why: string): TemplateError {
  return new TemplateError(`cannot read the template in ${placeOf(source, position)}: ${why}`, source, position);
}

/** The refusal to go on rendering, for a reason that lies in the template and not in one value. */
export function renderError(source: TemplateSource, position: Position, why: string): TemplateError {
  return new TemplateError(`cannot render the template in ${placeOf(source, position)}: ${why}`, source, position);
}

/** Text from a value or a template for a message: bounded, and without what could break a log line. */
export function excerpt(text: string): string {
  const clean = text
    .slice(0, 64)
    .toWellFormed()
    .replaceAll(/[\p{Cc}\u2028\u2029]/gu, '?');
  return text.length > 40 ? `${clean.slice(0, 40).toWellFormed()}…` : clean;
}
