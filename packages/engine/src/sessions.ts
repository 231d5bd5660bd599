/**
 * Opens a fresh engine session for each request and puts it in the state that the request asks for. Separate because the
 * binding's own parameter API is serialised across the process, while `SET param_x` on a session of its own is not.
 *
 * Must stay true: readonly is the last thing set, so that nothing in the statement can lift a limit.
 */
import { Session, type ChdbResult } from 'chdb';
import { Exception, toException } from './exception.ts';

/** The state of one request's session. */
export interface SessionState {
  readonly database: string | undefined;
  readonly settings: ReadonlyMap<string, string>;
  /** Values of `{name:Type}` as HTTP carries them: tab-separated escaping. */
  readonly params: ReadonlyMap<string, string>;
  /** 1: the statement may only read and set nothing; 2: may only read; 0: free. */
  readonly readonly: 0 | 1 | 2;
}

export class Sessions {
  readonly #path: string;
  readonly #args: readonly string[];
  #anchor: Session | undefined;

  constructor(databaseDir: string, configFile: string) {
    this.#path = databaseDir;
    this.#args = [`--config-file=${configFile}`];
  }

  /** Opens the data directory; the session that does it stays open, which keeps later ones at a fraction of a millisecond. */
  open(): void {
    this.#anchor = new Session(this.#path, { connectionArgs: this.#args });
  }

  close(): void {
    this.#anchor?.close();
    this.#anchor = undefined;
  }

  /** Runs `work` on a new session in the given state. Rejects with an {@link Exception}. */
  async run<T>(state: SessionState, work: (execute: Execute) => Promise<T>): Promise<T> {
    const session = new Session(this.#path, { connectionArgs: this.#args });
    try {
      await session.queryAsync(prelude(state));
      return await work((sql, format) => session.queryAsync(sql, format === undefined ? {} : { format }));
    } catch (error) {
      throw toException(error);
    } finally {
      session.close();
    }
  }

  /** One row of text columns, for the engine's own questions. */
  async ask(sql: string): Promise<string[]> {
    return this.run(NEUTRAL, async (execute) => (await execute(sql, 'TabSeparated')).text().trimEnd().split('\t'));
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

function prelude(state: SessionState): string {
  const pairs: string[] = [];
  for (const [name, value] of new Map([...SERVER_LIKE, ...state.settings])) {
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

/** A string literal of the engine's SQL. */
export function quoteString(text: string): string {
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
