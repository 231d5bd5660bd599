/**
 * The door that every user's query goes through: it takes the statement apart, has it judged for the credential's rights, waits for
 * room, runs it within limits in the tenant's session, and writes the audit line.
 *
 * Must stay true: no text of a user reaches the engine as a statement of its own before the judge has let it through, and every
 * query that came in leaves exactly one audit line.
 */

import { randomUUID } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { checkParameters, splitStatement } from '@glasshouse/language';
import type { Statement, TableName } from '@glasshouse/language';
import type { Principal } from '@glasshouse/model';
import type { ListedView, RawResult, Settings, Store } from '@glasshouse/store';
import { translate, withCatalog } from './catalog.ts';
import type { TextPart } from './errors.ts';
import { QueryError as Refusal, toQueryError } from './errors.ts';
import type { GateLimits } from './gate.ts';
import { Gate } from './gate.ts';
import type { Case, Ruling } from './judgement.ts';
import { Judgement } from './judgement.ts';
import { lookAt } from './look.ts';
import type { Reads, Rights, Written } from './reads.ts';
import { catalogFilters, filterSetting, READS_ALL, rightsOf } from './reads.ts';
import type { Answer, AuditLine, Outcome } from './record.ts';
import { answerOf, auditedText, statusOf } from './record.ts';
import type { QueryLimits } from './settings.ts';
import { findFormat, querySettings, resolvingSettings, tellsProgress } from './settings.ts';

export type { Answer, AuditLine } from './record.ts';

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

/** Who asks, as far as it matters to what may be read. */
export interface Asker {
  readonly placement: Pick<Principal['placement'], 'tenant'>;
}

/** A statement that was judged and not run. */
export interface Checked {
  /** The text without comments, format and semicolon: what was judged. */
  readonly sql: string;
  /** The result's columns, as the engine names them. */
  readonly columns: readonly ResultColumn[];
  /** The tables that it reads, each once; of a view, the view. */
  readonly tables: readonly TableName[];
  /** Settings with which it has to be run, by whomever: they keep its conditions behind those that hide rows. */
  readonly settings: Readonly<Record<string, string>>;
}

export interface ResultColumn {
  readonly name: string;
  readonly type: string;
}

export interface DoorOptions {
  readonly store: Pick<Store, 'read'>;
  readonly limits: QueryLimits & GateLimits;
  readonly audit: (line: AuditLine) => void;
  readonly now: () => number;
}

/** What the names of the catalogue's views begin with. */
const CATALOG_PREFIX = 'catalog_';

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
  private readonly judgement: Judgement;

  constructor(options: DoorOptions) {
    this.options = options;
    this.gate = new Gate(options.limits);
    this.judgement = new Judgement(options);
  }

  /** Runs a statement of a user. Rejects with a QueryError; one that comes later breaks the stream. */
  async run(principal: Principal, sql: string, options: QueryOptions): Promise<Answer> {
    const startedAt = this.options.now();
    const { tenant } = principal.placement;
    const queryId = options.queryId ?? randomUUID();
    const record = (outcome: Outcome): void =>
      this.options.audit({
        keyId: principal.keyId,
        tenant,
        queryId,
        ...auditedText(sql),
        durationMs: this.options.now() - startedAt,
        ...outcome,
      });
    return this.inside(tenant, sql, options, async (rights, enter) => {
      checkQueryId(queryId);
      const prepared = prepare(sql, options, rights);
      const format = formatOf(prepared.statement, options, rights);
      const settings = querySettings(options.settings ?? {}, this.options.limits, rights.policy.hidesRows);
      const leave = await enter();
      const { statement, given } = await this.settle(prepared, rights, options);
      const result = await this.read(tenant, statement.sql, options, {
        settings: { ...settings, ...given, default_format: format },
        // Two tenants may choose the same id.
        queryId: `${tenant}/${queryId}`,
      });
      const { signal } = options;
      return answerOf(result, { queryId, format, leave, record, signal, hidesRows: rights.policy.hidesRows });
    }).catch((error: unknown) => {
      const refusal = error as Refusal;
      record({ bytes: 0, rows: undefined, status: statusOf(refusal), error: refusal.message });
      throw refusal;
    });
  }

  /** Judges a SELECT without running it. Rejects with a QueryError. */
  async check(principal: Asker, sql: string, options: StatementOptions = {}): Promise<Checked> {
    const { tenant } = principal.placement;
    return this.inside(tenant, sql, options, async (rights, enter) => {
      const one = selectOf(prepare(sql, options, rights), rights, options);
      const leave = await enter();
      const ruling = await this.judgement.rule(one);
      const columns = await this.columnsOf(one, ruling, options);
      leave();
      return { sql: one.statement.sql, columns, tables: distinct(ruling.tables), settings: ruling.settings };
    });
  }

  /** The tables that a SELECT names, whether they exist or not, and whatever else they may be, such as nodes of a pipe. */
  async namesIn(principal: Asker, sql: string, options: StatementOptions = {}): Promise<readonly TableName[]> {
    return this.inside(principal.placement.tenant, sql, options, async (rights, enter) => {
      const one = selectOf(prepare(sql, options, rights), rights, options);
      const leave = await enter();
      const names = await this.judgement.namesIn(one);
      leave();
      return distinct(names);
    });
  }

  /** Does something for a tenant, which waits for its turn by itself. Whatever goes wrong becomes a QueryError, and the place is given back. */
  private async inside<Result>(
    tenant: string,
    sql: string,
    options: StatementOptions,
    act: (rights: Rights, enter: () => Promise<() => void>) => Promise<Result>,
  ): Promise<Result> {
    const { reads = READS_ALL, written, hidesRows = false, isKept = false, signal, parts = [] } = options;
    const rights = rightsOf(tenant, reads, { written, hidesRows, isKept });
    let leave: (() => void) | undefined;
    try {
      return await act(rights, async () => (leave = await this.gate.enter(tenant, signal)));
    } catch (thrown) {
      leave?.();
      const { database, isNarrow, tables } = rights;
      throw toQueryError(thrown, { database, sql, isNarrow, tables, parts, aborted: signal?.aborted === true });
    }
  }

  /** What to run, and with which settings. */
  private async settle(
    prepared: Prepared,
    rights: Rights,
    options: QueryOptions,
  ): Promise<{ readonly statement: Statement; readonly given: Settings }> {
    switch (prepared.type) {
      case 'trusted':
        return { statement: prepared.statement, given: {} };
      case 'look': {
        const ask = async (sql: string): Promise<string> => {
          const { stream } = await this.read(rights.tenant, sql, options, {
            settings: { ...querySettings({}, this.options.limits), default_format: 'TSVRaw' },
          });
          return text(stream);
        };
        const statement = await lookAt(prepared.look, { database: rights.database, views: options.views ?? [] }, ask);
        return { statement, given: filterSetting(catalogFilters(rights)) };
      }
      case 'judged': {
        const one = selectOf(prepared, rights, options);
        const { settings, faster } = await this.judgement.rule(one);
        return { statement: one.statement, given: { ...faster, ...one.params, ...settings } };
      }
    }
  }

  /** The engine resolves a subquery without running it, but for what stands for a value in it. */
  private async columnsOf(one: Case, { settings }: Ruling, options: StatementOptions): Promise<ResultColumn[]> {
    const sql = `DESCRIBE (${one.statement.sql}\n)`;
    const given = { ...querySettings({}, this.options.limits), ...one.params, ...settings };
    const { stream } = await this.read(one.rights.tenant, sql, options, {
      settings: { ...given, default_format: 'JSONCompactEachRow' },
    });
    return (await text(stream))
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const [name, type] = JSON.parse(line) as [string, string];
        return { name, type };
      });
  }

  private read(
    tenant: string,
    sql: string,
    { signal, views = [] }: StatementOptions,
    options: { readonly settings: Settings; readonly queryId?: string },
  ): Promise<RawResult> {
    // The engine keeps a session for each comment: others go without.
    const listed = views.length > 0 && sql.includes(CATALOG_PREFIX) ? { views } : {};
    return this.options.store.read(tenant, sql, { ...options, ...listed, ...(signal === undefined ? {} : { signal }) });
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

type Prepared = ReturnType<typeof translate>;

function prepare(sql: string, options: StatementOptions, rights: Rights): Prepared {
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
function selectOf(prepared: Prepared, rights: Rights, options: StatementOptions & Partial<QueryOptions>): Case {
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

function formatOf({ format: named }: Statement, options: QueryOptions, { policy }: Rights): string {
  const wanted = named ?? options.format;
  const format = findFormat(wanted);
  if (format !== undefined && !(policy.hidesRows && tellsProgress(format))) return format;
  const why = format === undefined ? 'there is no such format here' : 'the credential sees some rows only';
  throw new Refusal('bad_request', `cannot answer in format ${wanted.slice(0, 60)}: ${why}`, 73, 'UNKNOWN_FORMAT');
}

function distinct(tables: readonly TableName[]): readonly TableName[] {
  return [...new Map(tables.map((table) => [`${table.database}.${table.table}`, table])).values()];
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
