/**
 * The door that every user's query goes through: it takes the statement apart, has it judged for the credential's rights, waits for
 * room, runs it within limits in the tenant's session, and writes the audit line.
 *
 * Must stay true: no text of a user reaches the engine as a statement of its own before the judge has let it through, and every
 * query that came in leaves exactly one audit line.
 */

import { randomUUID } from 'node:crypto';
import { text } from 'node:stream/consumers';
import type { Statement, TableName } from '@glasshouse/language';
import type { Principal } from '@glasshouse/model';
import type { RawResult, Settings, Store } from '@glasshouse/store';
import { QueryError as Refusal, toQueryError } from './errors.ts';
import type { GateLimits } from './gate.ts';
import { Gate } from './gate.ts';
import type { Case, Ruling } from './judgement.ts';
import { Judgement } from './judgement.ts';
import { lookAt } from './look.ts';
import type { Rights } from './reads.ts';
import { catalogFilters, filterSetting, READS_ALL, rightsOf } from './reads.ts';
import type { Answer, AuditLine, Outcome } from './record.ts';
import { answerOf, auditedText, statusOf } from './record.ts';
import type { QueryLimits } from './settings.ts';
import { querySettings } from './settings.ts';
import { formatOf, prepare, selectOf } from './statement.ts';
import type { Prepared, QueryOptions, StatementOptions } from './statement.ts';

export type { Answer, AuditLine } from './record.ts';
export { isWrite } from './statement.ts';
export type { QueryOptions, StatementOptions } from './statement.ts';

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

function distinct(tables: readonly TableName[]): readonly TableName[] {
  return [...new Map(tables.map((table) => [`${table.database}.${table.table}`, table])).values()];
}
