/** What a caller sent, taken apart before anything of it reaches the engine: the statement, its values, its format. */

import { checkParameters, splitStatement } from '@glasshouse/language';
import type { Statement } from '@glasshouse/language';
import type { ListedView } from '@glasshouse/store';
import { translate, withCatalog } from './catalog.ts';
import type { TextPart } from './errors.ts';
import { QueryError as Refusal } from './errors.ts';
import type { Case } from './judgement.ts';
import type { Reads, Rights, Written } from './reads.ts';
import { findFormat, resolvingSettings, tellsProgress } from './settings.ts';

/** Whose text it is, and what it may read. */
export interface StatementOptions {
  /** What the credential reads; all of its tenant's if it is left out. */
  readonly reads?: Reads;
  /** The part that the caller wrote, where nodes of pipes were put in front of it. Without it the caller wrote everything. */
  readonly written?: Written;
  /** True if the text itself keeps rows from the caller, as where a row filter on a pipe's result was put around the pipe. */
  readonly hidesRows?: boolean;
  /** True if the result is to be kept in a table: what fills it runs without a tenant's session, in which shared views are empty. */
  readonly isKept?: boolean;
  /** What the text was put together of, so that an error says where in a part it is. */
  readonly parts?: readonly TextPart[];
  /** Values of `{name:Type}`. */
  readonly params?: Readonly<Record<string, string>>;
  /** True if the values come as ClickHouse's HTTP interface takes them, with texts escaped as in TSV; false for plain text. */
  readonly paramsEscaped?: boolean;
  /** Values of further ones, as plain text whatever `paramsEscaped` says: the text was put together with them. */
  readonly bound?: Readonly<Record<string, string>>;
  /** What may be named like a table besides, for who looks around: SHOW, DESCRIBE and the system tables have it. */
  readonly views?: readonly ListedView[];
  /** Ends the query when it aborts. */
  readonly signal?: AbortSignal;
}

export interface QueryOptions extends StatementOptions {
  /** Format where the statement names none. */
  readonly format: string;
  /** Settings as the client sent them; what is not on the list of harmless ones is left out. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly queryId?: string;
}

/** Statements that change something, by their first word. */
const WRITES =
  /^\s*(insert|create|alter|drop|truncate|delete|update|rename|exchange|attach|detach|optimize|system|kill|grant|revoke|backup|restore|set|use|undrop|move|replace|begin|commit|rollback)\b/iu;

/** True if the text begins like a statement that changes something. */
export function isWrite(sql: string): boolean {
  return WRITES.test(sql);
}

/** First words of statements that the policy judges; anything else isn't a statement. */
const KNOWN: ReadonlySet<string> = new Set(
  'SELECT WITH FROM ( SHOW DESCRIBE DESC EXISTS EXPLAIN CHECK WATCH TABLE VALUES EXECUTE'.split(' '),
);

export type Prepared = ReturnType<typeof translate>;

export function prepare(sql: string, options: StatementOptions, rights: Rights): Prepared {
  const verb = WRITES.exec(sql)?.[1]?.toUpperCase();
  if (verb !== undefined) {
    throw new Refusal(
      'forbidden',
      `cannot run ${verb}: this interface answers queries and changes nothing; send data as OTLP to /v1/traces, /v1/logs or /v1/metrics`,
      164,
      'READONLY',
    );
  }
  const given = splitStatement(sql);
  if (!KNOWN.has(given.kind)) {
    throw new Refusal(
      'bad_request',
      `cannot run the query: ${given.kind.slice(0, 40)} begins no statement; SELECT does`,
      62,
      'SYNTAX_ERROR',
    );
  }
  if (options.written === undefined) return translate(given, sql, rights.policy);
  return { type: 'judged', statement: withCatalog(given, sql) };
}

/** The case for the judge. Throws `bad_request` for what is no SELECT, and for parameters without a value. */
export function selectOf(prepared: Prepared, rights: Rights, options: StatementOptions & Partial<QueryOptions>): Case {
  const { statement, type } = prepared;
  if (type !== 'judged')
    throw new Refusal('bad_request', 'cannot check the statement: it is no SELECT', 62, 'SYNTAX_ERROR');
  const params = paramSettings(statement, options);
  const names = statement.parameters
    .filter((parameter) => /identifier/iu.test(parameter.type))
    .map(({ name }) => params[`param_${name}`]);
  const { written, signal } = options;
  const own = written && { ...written, sql: withCatalog(splitStatement(written.sql), written.sql).sql };
  return {
    statement,
    params,
    resolving: resolvingSettings(options.settings ?? {}),
    names,
    rights,
    written: own,
    signal,
  };
}

export function formatOf({ format: named }: Statement, options: QueryOptions, { policy }: Rights): string {
  const wanted = named ?? options.format;
  const format = findFormat(wanted);
  if (format !== undefined && !(policy.hidesRows && tellsProgress(format))) return format;
  const why = format === undefined ? 'there is no such format here' : 'the credential sees some rows only';
  throw new Refusal('bad_request', `cannot answer in format ${wanted.slice(0, 60)}: ${why}`, 73, 'UNKNOWN_FORMAT');
}

/** The values as the engine's HTTP interface takes them. Only those that the statement names. */
function paramSettings(
  statement: Statement,
  { params = {}, paramsEscaped = false, bound = {} }: StatementOptions,
): Record<string, string> {
  checkParameters(statement, { ...params, ...bound });
  const settings: Record<string, string> = {};
  for (const { name, type } of statement.parameters) {
    const value = bound[name] ?? params[name] ?? '';
    // The engine reads a text as TSV, and a list or a map as it stands.
    const asItIs = (paramsEscaped && bound[name] === undefined) || /^(?:Array|Map|Tuple|Identifier)\b/u.test(type);
    settings[`param_${name}`] = asItIs ? value : escapeTsv(value);
  }
  return settings;
}

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r', '\0': '\\0' };

function escapeTsv(value: string): string {
  return value.replaceAll(/[\\\t\n\r\0]/gu, (char) => ESCAPES[char] as string);
}
