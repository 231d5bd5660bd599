/**
 * Gives each request an engine session in the state that it asks for: a new one, or one that a request in the very same state
 * has left. Separate because the binding's own parameter API is serialised across the process, while `SET param_x` on a session
 * of its own is not.
 *
 * Must stay true: readonly is the last thing set, so that nothing in the statement can lift a limit. A session is used again only
 * under `readonly=1`, where no statement changes it, by a request that would put a new one in the same state to the last byte,
 * and never after a failure or a cancelled statement.
 */
import { randomUUID } from 'node:crypto';
import { Session, type ChdbResult } from 'chdb';
import { Exception, toException } from './exception.ts';

/** The state of one request's session. */
export interface SessionState {
  readonly database: string | undefined;
  /** What `log_comment` is here follows the session's mark. */
  readonly settings: ReadonlyMap<string, string>;
  /** Values of `{name:Type}` as HTTP carries them: tab-separated escaping. */
  readonly params: ReadonlyMap<string, string>;
  /** 1: the statement may only read and set nothing; 2: may only read; 0: free. */
  readonly readonly: 0 | 1 | 2;
}

/** Who runs a statement. */
export interface Caller {
  readonly queryId: string;
  /** Aborts when the statement is to be cancelled. */
  readonly signal?: AbortSignal;
}

interface Kept {
  readonly session: Session;
  readonly mark: string;
  /** The state, as the text that brings a session into it. */
  readonly state: string;
}

/** Sessions that wait for another request. */
const MOST_KEPT = 16;

export class Sessions {
  readonly #path: string;
  readonly #args: readonly string[];
  #anchor: Session | undefined;
  /** The one that was used last is the last. */
  #kept: Kept[] = [];

  constructor(databaseDir: string, configFile: string) {
    this.#path = databaseDir;
    this.#args = [`--config-file=${configFile}`];
  }

  /** Opens the data directory; the session that does it stays open, which keeps later ones at a fraction of a millisecond. */
  open(): void {
    this.#anchor = new Session(this.#path, { connectionArgs: this.#args });
  }

  close(): void {
    for (const { session } of this.#kept.splice(0)) session.close();
    this.#anchor?.close();
    this.#anchor = undefined;
  }

  /**
   * Runs `work` on a session in the given state. `log_comment` begins with its mark, which nothing else that runs has: the id of
   * the query and a line break, or where sessions are used again an id of the session's own. Rejects with an {@link Exception}.
   */
  async run<T>(
    state: SessionState,
    { queryId, signal }: Caller,
    work: (execute: Execute, mark: string) => Promise<T>,
  ): Promise<T> {
    const stateText = state.readonly === 1 && state.params.size === 0 ? prelude(state, '') : undefined;
    const kept = stateText === undefined ? undefined : this.#take(stateText);
    const session = kept?.session ?? new Session(this.#path, { connectionArgs: this.#args });
    const mark = kept?.mark ?? (stateText === undefined ? `${queryId}\n` : `session-${randomUUID()}\n`);
    let result: T;
    try {
      if (kept === undefined) await session.queryAsync(prelude(state, mark));
      result = await work((sql, format) => session.queryAsync(sql, format === undefined ? {} : { format }), mark);
    } catch (error) {
      session.close();
      throw toException(error);
    }
    // What was told to stop by the mark may be told again, and that must not reach the next one.
    if (stateText === undefined || signal?.aborted === true) session.close();
    else this.#keep({ session, mark, state: stateText });
    return result;
  }

  #take(state: string): Kept | undefined {
    const index = this.#kept.findLastIndex((one) => one.state === state);
    return index < 0 ? undefined : this.#kept.splice(index, 1)[0];
  }

  #keep(kept: Kept): void {
    if (this.#anchor === undefined) return kept.session.close();
    this.#kept.push(kept);
    if (this.#kept.length > MOST_KEPT) this.#kept.shift()?.session.close();
  }

  /** One row of text columns, for the engine's own questions. */
  async ask(sql: string): Promise<string[]> {
    return this.run(NEUTRAL, { queryId: '' }, async (execute) =>
      (await execute(sql, 'TabSeparated')).text().trimEnd().split('\t'),
    );
  }
}

export type Execute = (sql: string, format?: string) => Promise<ChdbResult>;

const NEUTRAL: SessionState = { database: undefined, settings: new Map(), params: new Map(), readonly: 0 };

/** What the library sets differently from a server, set back. */
const SERVER_LIKE: ReadonlyMap<string, string> = new Map([
  ['implicit_select', '0'],
  ['allow_introspection_functions', '0'],
  ['async_insert', '0'],
]);

/**
 * Encoders on several threads that wait for each other for ever, once in some hundred queries: ClickHouse/ClickHouse#112959, mended in
 * 26.8, and chdb-io/chdb-core#212.
 */
const ONE_THREAD: ReadonlyMap<string, string> = new Map([
  ['output_format_parquet_parallel_encoding', '0'],
  ['output_format_arrow_parallel_encoding', '0'],
]);

/** The statements that put a new session into the state. */
function prelude(state: SessionState, mark: string): string {
  const pairs: string[] = [];
  const comment = mark + (state.settings.get('log_comment') ?? '');
  for (const [name, value] of new Map([...SERVER_LIKE, ...ONE_THREAD, ...state.settings, ['log_comment', comment]])) {
    if (!/^[A-Za-z0-9_]+$/.test(name)) {
      throw new Exception(115, 'UNKNOWN_SETTING', `Unknown setting ${quoteString(name)}`);
    }
    pairs.push(`${name}=${quoteString(value)}`);
  }
  for (const [name, value] of state.params) {
    if (!/^[A-Za-z0-9_]+$/.test(name)) {
      throw new Exception(36, 'BAD_ARGUMENTS', `Query parameter name ${quoteString(name)} is not an identifier`);
    }
    pairs.push(`param_${name}=${quoteString(value)}`);
  }
  const use = state.database === undefined ? '' : `USE ${quoteIdentifier(state.database)}; `;
  const wall = state.readonly === 0 ? '' : `; SET readonly=${state.readonly}`;
  return `${use}SET ${pairs.join(', ')}${wall}`;
}

const SPECIAL = /[\\'\n\r\t\0]/;

/** A string literal of the engine's SQL. */
export function quoteString(text: string): string {
  if (!SPECIAL.test(text)) return `'${text}'`;
  const escaped = text
    .replaceAll('\\', '\\\\')
    .replaceAll("'", "\\'")
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r')
    .replaceAll('\t', '\\t')
    .replaceAll('\0', '\\0');
  return `'${escaped}'`;
}

function quoteIdentifier(name: string): string {
  return `\`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`').replaceAll('\0', '\\0')}\``;
}
