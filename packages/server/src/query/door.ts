/**
 * The door that every user's query goes through: it takes the statement apart, has the engine's parser and resolver explain
 * it, judges both, waits for room, runs it within limits in the tenant's session, and writes the audit line.
 *
 * Must stay true: no text of a user reaches the engine as a statement of its own before the judge has let it through, and
 * every query that came in leaves exactly one audit line.
 */

import { createHash, randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import { finished } from 'node:stream';
import { text } from 'node:stream/consumers';
import {
  checkParameters,
  confirm,
  judge,
  parseAst,
  resolvedTables,
  splitStatement,
  tenantPolicy,
} from '@glasshouse/language';
import type { Policy, Statement } from '@glasshouse/language';
import type { Principal } from '@glasshouse/model';
import type { RawResult, Settings, Store } from '@glasshouse/store';
import { CATALOG, SHARED_DATABASE, tenantDatabase, VIEWS } from '@glasshouse/store';
import { translate } from './catalog.ts';
import type { QueryError } from './errors.ts';
import { QueryError as Refusal, toQueryError, withoutPrefix } from './errors.ts';
import type { GateLimits } from './gate.ts';
import { Gate } from './gate.ts';
import type { QueryLimits } from './settings.ts';
import { findFormat, querySettings } from './settings.ts';
import { Verdicts } from './verdicts.ts';

export interface QueryOptions {
  /** Format where the statement names none. */
  readonly format: string;
  /** Settings as the client sent them; what is not on the list of harmless ones is left out. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Values of `{name:Type}`. */
  readonly params?: Readonly<Record<string, string>>;
  /** True if the values come as ClickHouse's HTTP interface takes them, with texts escaped as in TSV; false for plain text. */
  readonly paramsEscaped?: boolean;
  readonly queryId?: string;
  /** Ends the query when it aborts. */
  readonly signal?: AbortSignal;
}

/** The result of a query, as the engine sends it. Destroying the stream ends the query. */
export interface Answer {
  readonly stream: Readable;
  readonly format: string;
  readonly queryId: string;
  /** What the engine says about the result, such as `x-clickhouse-summary`; no header of the transport. */
  readonly headers: Readonly<Record<string, string>>;
  /** Bytes of the whole result, where it was complete before the first was sent. */
  readonly length: number | undefined;
}

/** One query, for the record. */
export interface AuditLine {
  readonly keyId: string;
  readonly tenant: string;
  readonly queryId: string;
  /** SHA-256 of the text, 16 hex digits, and its first 500 characters. */
  readonly sqlHash: string;
  readonly sql: string;
  readonly durationMs: number;
  /** Rows of the result, where the engine said it. */
  readonly rows: number | undefined;
  readonly bytes: number;
  readonly status: 'ok' | 'refused' | 'failed' | 'cancelled';
  readonly error: string | undefined;
}

export interface DoorOptions {
  readonly store: Pick<Store, 'read'>;
  readonly limits: QueryLimits & GateLimits;
  readonly audit: (line: AuditLine) => void;
  readonly now: () => number;
}

const VERDICTS = 2_000;
const VERDICT_TTL_MS = 60_000;
const AUDIT_CHARACTERS = 500;

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

export class Door {
  private readonly options: DoorOptions;
  private readonly gate: Gate;
  private readonly verdicts: Verdicts;

  constructor(options: DoorOptions) {
    this.options = options;
    this.gate = new Gate(options.limits);
    this.verdicts = new Verdicts(VERDICTS, VERDICT_TTL_MS, options.now);
  }

  /** Runs a statement of a user. Rejects with a QueryError; one that comes later breaks the stream. */
  async run(principal: Principal, sql: string, options: QueryOptions): Promise<Answer> {
    const startedAt = this.options.now();
    const { tenant } = principal.placement;
    const queryId = options.queryId ?? randomUUID();
    const record = (rest: Pick<AuditLine, 'bytes' | 'error' | 'rows' | 'status'>): void =>
      this.options.audit({
        keyId: principal.keyId,
        tenant,
        queryId,
        sqlHash: createHash('sha256').update(sql).digest('hex').slice(0, 16),
        sql: sql.slice(0, AUDIT_CHARACTERS),
        durationMs: this.options.now() - startedAt,
        ...rest,
      });
    const context = { database: tenantDatabase(tenant), sql };
    let leave: (() => void) | undefined;
    try {
      checkQueryId(queryId);
      const { statement, trusted, format } = prepare(sql, options, policyOf(tenant));
      leave = await this.gate.enter(tenant, options.signal);
      const params = paramSettings(statement, options);
      if (!trusted) await this.check(tenant, statement, params, options);
      const result = await this.read(tenant, statement.sql, queryId, format, params, options);
      return this.answer(result, { queryId, format, leave, record, signal: options.signal });
    } catch (thrown) {
      leave?.();
      const error = toQueryError(thrown, { ...context, aborted: options.signal?.aborted === true });
      record({ bytes: 0, rows: undefined, status: statusOf(error), error: error.message });
      throw error;
    }
  }

  /** The judge on the syntax tree, then on the resolved tree; the second only ever sees what the first let through. */
  private async check(tenant: string, statement: Statement, params: Settings, options: QueryOptions): Promise<void> {
    const policy = policyOf(tenant);
    const key = verdictKey(tenant, statement, params);
    if (this.verdicts.has(key)) return;
    const ast = await this.explain(tenant, 'EXPLAIN AST ', statement.sql, params, options);
    judge(statement, parseAst(ast), policy);
    const tree = await this.explain(tenant, 'EXPLAIN QUERY TREE ', statement.sql, params, options);
    confirm(resolvedTables(tree), policy, () => []);
    this.verdicts.add(key);
  }

  private async explain(
    tenant: string,
    prefix: string,
    sql: string,
    params: Settings,
    { signal }: QueryOptions,
  ): Promise<string> {
    const settings = { ...querySettings({}, this.options.limits), ...params, default_format: 'TSVRaw' };
    const stop = signal === undefined ? {} : { signal };
    try {
      const { stream } = await this.options.store.read(tenant, prefix + sql, { settings, ...stop });
      return await text(stream);
    } catch (error) {
      throw withoutPrefix(error, prefix.length);
    }
  }

  private read(
    tenant: string,
    sql: string,
    queryId: string,
    format: string,
    params: Settings,
    { settings, signal }: QueryOptions,
  ): Promise<RawResult> {
    return this.options.store.read(tenant, sql, {
      settings: { ...querySettings(settings ?? {}, this.options.limits), ...params, default_format: format },
      // Two tenants may choose the same id.
      queryId: `${tenant}/${queryId}`,
      ...(signal === undefined ? {} : { signal }),
    });
  }

  private answer(result: RawResult, run: Running): Answer {
    const headers = engineHeaders(result.headers);
    const rows = rowsOf(headers);
    let bytes = 0;
    result.stream.on('data', (chunk: Buffer) => (bytes += chunk.length)).pause();
    finished(result.stream, { writable: false }, (error) => {
      run.leave();
      if (error === null || error === undefined) run.record({ bytes, rows, status: 'ok', error: undefined });
      else if (run.signal?.aborted === true) run.record({ bytes, rows, status: 'cancelled', error: undefined });
      else run.record({ bytes, rows, status: 'failed', error: 'the result broke off' });
    });
    const length = result.headers['content-length'];
    return {
      stream: result.stream,
      format: run.format,
      queryId: run.queryId,
      headers,
      length: typeof length === 'string' ? Number(length) : undefined,
    };
  }
}

/** It goes into a header and into the engine's comment of the query. */
function checkQueryId(queryId: string): void {
  if (/^[\x20-\x7e]{1,200}$/u.test(queryId)) return;
  throw new Refusal(
    'bad_request',
    'cannot use query_id: printable ASCII only, 200 characters at most',
    36,
    'BAD_ARGUMENTS',
  );
}

interface Running {
  readonly queryId: string;
  readonly format: string;
  readonly leave: () => void;
  readonly record: (rest: Pick<AuditLine, 'bytes' | 'error' | 'rows' | 'status'>) => void;
  readonly signal: AbortSignal | undefined;
}

interface Prepared {
  readonly statement: Statement;
  readonly trusted: boolean;
  readonly format: string;
}

function prepare(sql: string, options: QueryOptions, policy: Policy): Prepared {
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
  const { statement, trusted } = translate(given, sql, policy);
  const wanted = statement.format ?? options.format;
  const format = findFormat(wanted);
  if (format === undefined) {
    throw new Refusal(
      'bad_request',
      `cannot answer in format ${wanted.slice(0, 60)}: there is no such format here`,
      73,
      'UNKNOWN_FORMAT',
    );
  }
  return { statement, trusted, format };
}

function policyOf(tenant: string): Policy {
  return tenantPolicy(tenantDatabase(tenant), {
    sharedTables: (database, table) =>
      database === SHARED_DATABASE && (Object.hasOwn(VIEWS, table) || Object.hasOwn(CATALOG, table)),
  });
}

/** The values as the engine's HTTP interface takes them. Only those that the statement names. */
function paramSettings(
  statement: Statement,
  { params = {}, paramsEscaped = false }: QueryOptions,
): Record<string, string> {
  checkParameters(statement, params);
  const settings: Record<string, string> = {};
  for (const { name, type } of statement.parameters) {
    const value = params[name] ?? '';
    // The engine reads a text as TSV, and a list or a map as it stands.
    const asItIs = paramsEscaped || /^(?:Array|Map|Tuple|Identifier)\b/u.test(type);
    settings[`param_${name}`] = asItIs ? value : escapeTsv(value);
  }
  return settings;
}

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r', '\0': '\\0' };

function escapeTsv(value: string): string {
  return value.replaceAll(/[\\\t\n\r\0]/gu, (char) => ESCAPES[char] as string);
}

/** All that a verdict depends on: whose it is, the text, and the values that stand for names. */
function verdictKey(tenant: string, statement: Statement, params: Settings): string {
  const names = statement.parameters
    .filter(({ type }) => /identifier/iu.test(type))
    .map(({ name }) => params[`param_${name}`]);
  return JSON.stringify([tenant, statement.sql, names]);
}

function engineHeaders(headers: RawResult['headers']): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of ['x-clickhouse-summary', 'x-clickhouse-timezone', 'x-clickhouse-exception-tag', 'content-type']) {
    const value = headers[name];
    if (typeof value === 'string') kept[name] = value;
  }
  return kept;
}

function rowsOf(headers: Readonly<Record<string, string>>): number | undefined {
  const summary = headers['x-clickhouse-summary'];
  if (summary === undefined) return undefined;
  const { result_rows: rows } = JSON.parse(summary) as { readonly result_rows?: string };
  return rows === undefined ? undefined : Number(rows);
}

function statusOf(error: QueryError): AuditLine['status'] {
  if (error.code === 'cancelled') return 'cancelled';
  return error.code === 'forbidden' || error.code === 'bad_request' || error.code === 'rate_limited'
    ? 'refused'
    : 'failed';
}
