/** Directives that data sources and pipes have in common: TOKEN, TAGS, and names. */

import { QUARANTINE_SUFFIX, type GrantedToken } from '@glasshouse/model';
import type { Directive } from './layout.ts';
import type { Place, Report } from './notice.ts';

/** Names that need no quotes in SQL, so that pipes can select from them. */
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/u;
const MAX_NAME_LENGTH = 120;

/** Why a resource cannot have this name; undefined when it can. */
export function resourceNameFault(name: string): string | undefined {
  if (name.endsWith(QUARANTINE_SUFFIX)) return `the suffix ${QUARANTINE_SUFFIX} is reserved for rows that do not fit`;
  return nameFault(name);
}

/** Why nothing can have this name; undefined when a node, at least, can. */
export function nameFault(name: string): string | undefined {
  if (name === '') return 'it is empty';
  if (name.length > MAX_NAME_LENGTH) return `it is longer than ${MAX_NAME_LENGTH} characters`;
  if (name.includes('.')) return 'a name with a dot reads as database and table';
  if (!NAME.test(name)) return 'a name has letters, digits and _, and no digit first';
  return undefined;
}

/** The one line that a value is, its white space collapsed. */
export function valueOf(directive: Directive): string {
  const text = directive.source.text.trim();
  return directive.block === undefined ? text : text.replaceAll(/\s+/gu, ' ');
}

/** `TOKEN "name" READ`. Adds it unless it is there. */
export function addToken(
  directive: Directive,
  scopes: readonly GrantedToken['scope'][],
  tokens: Map<string, GrantedToken>,
  report: Report,
): void {
  const value = valueOf(directive);
  const match = /^(?:"([^"]*)"|'([^']*)'|(\S+))(?:\s+(\S+))?(?:\s+(\S.*))?$/su.exec(value);
  const name = match?.[1] ?? match?.[2] ?? match?.[3] ?? '';
  const scope = scopes.find((candidate) => candidate === match?.[4]?.toUpperCase());
  if (name === '' || scope === undefined || match?.[5] !== undefined) {
    const written = match?.[4] === undefined ? value : match[4];
    const why =
      name === '' || match?.[4] === undefined ? 'it takes a name and a scope' : `there is no scope ${written}`;
    const usage = scopes.map((each) => `TOKEN "name" ${each}`).join(' or ');
    report.problem(
      directive.place,
      `cannot read TOKEN: ${match?.[5] === undefined ? why : 'it takes one name and one scope'}`,
      `write ${usage}, with quotes around a name that has spaces`,
    );
    return;
  }
  if (/[\p{Cc}"'`\\]/u.test(name)) {
    report.problem(directive.place, `cannot read TOKEN: its name has quotes or control characters`, 'use a plain name');
    return;
  }
  tokens.set(`${scope} ${name}`, { name, scope });
}

/** Names separated by commas or line breaks; quotes are dropped. */
export function listOf(directive: Directive): string[] {
  return directive.source.text
    .split(/[,\n]/u)
    .map((part) => part.replaceAll(/["']/gu, '').trim())
    .filter((part) => part !== '');
}

/** Remembers where a directive was that may stand once; false, with a problem, when it was there before. */
export function once(directive: Directive, seen: Map<string, Place>, report: Report, scope = ''): boolean {
  const before = seen.get(scope + directive.key);
  if (before === undefined) {
    seen.set(scope + directive.key, directive.place);
    return true;
  }
  report.problem(
    directive.place,
    `cannot read ${directive.key}: line ${before.line} has it already`,
    'keep one of them',
  );
  return false;
}

/** Directives of long ago that say nothing any more; true when this was one. */
export function isObsolete(directive: Directive, report: Report): boolean {
  if (directive.key !== 'VERSION' && directive.key !== 'MAINTAINER') return false;
  report.warn(directive.place, `${directive.key} is of former times and is not looked at.`, 'take it away');
  return true;
}

/** Connectors bring rows from elsewhere, which is not done here; one problem for all directives of a file. */
export function refuseConnectors(directives: readonly Directive[], report: Report): void {
  const [first] = directives;
  if (first === undefined) return;
  const names = [...new Set(directives.map(({ key }) => key))].join(', ');
  report.problem(
    first.place,
    `cannot use ${first.key}: there are no connectors to Kafka, buckets or other databases (the file has ${names})`,
    'take these lines away and send the rows to POST /v0/events, for which most senders have an HTTP output',
  );
}
