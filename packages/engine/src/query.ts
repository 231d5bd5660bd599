/**
 * Runs a statement that answers with rows, or a command, and streams what comes of it. Separate from the HTTP side: this
 * file knows slots, sessions and cancelling, not headers.
 *
 * Must stay true: when the client goes away the engine is told again and again until the call has really ended, and only
 * then is the slot free.
 */
import type { Answer, Summary } from './answer.ts';
import { Exception, toException } from './exception.ts';
import { Fifo } from './fifo.ts';
import { quoteString, type SessionState, type Sessions } from './sessions.ts';
import type { Slots } from './slots.ts';
import type { CommandStatement, ResultStatement } from './statement.ts';

export interface Run {
  readonly sessions: Sessions;
  readonly slots: Slots;
  readonly state: SessionState;
  readonly queryId: string;
  /** Aborts when the client is gone or the time is up. */
  readonly signal: AbortSignal;
}

/** Streams the rows of `statement` into `answer`. Rejects with an Exception, whatever was sent by then. */
export async function runResult(
  run: Run,
  statement: ResultStatement,
  defaultFormat: string,
  answer: Answer,
): Promise<Summary> {
  const slot = await run.slots.acquire(run.signal);
  const format = statement.format ?? defaultFormat;
  answer.format(format);
  try {
    return await run.sessions.run(withShare(run), run, async (execute, mark) => {
      const fifo = await Fifo.open(slot.fifo);
      try {
        const sql = `${statement.head}\nINTO OUTFILE ${quoteString(slot.fifo)} TRUNCATE\nFORMAT ${format}\n${statement.tail}`;
        const pumped = fifo.pump((chunk) => answer.write(chunk));
        const work = cancellable(run, mark, execute(sql)).finally(() => fifo.finish());
        const [result] = await bothSettled(work, pumped);
        return {
          result_rows: String(result.rowsRead),
          result_bytes: String(result.bytesRead),
          elapsed_ns: String(Math.round(result.elapsed * 1e9)),
        };
      } finally {
        await fifo.close();
      }
    });
  } catch (error) {
    throw withoutOutfile(toException(error), slot.fifo, statement.format === undefined ? format : undefined);
  } finally {
    slot.release();
  }
}

/**
 * The state with this query's share of the threads that it may have: all while it is alone. Where others run or wait, or come
 * before it ends, more threads than processors make all of them later, because sharing the work out costs time of its own; so does
 * formatting in a thread beside the only one. Shares are powers of two, so that sessions in few states serve them all.
 */
function withShare({ state, slots }: Run): SessionState {
  const asked = Number(state.settings.get(THREADS));
  const { expected } = slots;
  if (!(asked > 1) || expected <= 1) return state;
  const share = 2 ** Math.max(0, Math.floor(Math.log2(asked / expected)));
  const settings = new Map(state.settings).set(THREADS, String(share));
  if (share === 1 && !settings.has(FORMATTING)) settings.set(FORMATTING, '0');
  return { ...state, settings };
}

const THREADS = 'max_threads';
const FORMATTING = 'output_format_parallel_formatting';

/** Takes the clauses that were added here out of the engine's text, which quotes the statement. */
function withoutOutfile(exception: Exception, path: string, addedFormat: string | undefined): Exception {
  const clause = `INTO OUTFILE ${quoteString(path)} TRUNCATE`;
  let { message } = exception;
  if (!message.includes(path)) return exception;
  if (message.includes(clause)) {
    const added = addedFormat === undefined ? clause : `${clause}\nFORMAT ${addedFormat}`;
    message = message.replace(`\n${added}`, '').replace(added, '').replace(added.replace('\n', ' '), '');
  } else {
    // The statement was not finished where the clause began, and the engine tripped over the clause.
    message = message.replace(/failed at position [\s\S]*?(\. Expected|$)/, 'failed at the end of the query$1');
  }
  return new Exception(exception.number, exception.type, message, { cause: exception });
}

/** Runs a statement as it stands. Its output, if any (DDL answers with nothing), is small and goes through memory. */
export async function runCommand(
  run: Run,
  statement: CommandStatement,
  defaultFormat: string,
  answer: Answer,
): Promise<Summary> {
  const slot = await run.slots.acquire(run.signal);
  try {
    return await run.sessions.run(run.state, run, async (execute, mark) => {
      const result = await cancellable(run, mark, execute(statement.text, defaultFormat));
      const bytes = result.bytes();
      if (bytes.length > 0) await answer.write(Buffer.from(bytes));
      const summary: Record<string, string> = { elapsed_ns: String(Math.round(result.elapsed * 1e9)) };
      if (statement.fromFile) {
        summary['written_rows'] = String(result.rowsRead);
        summary['written_bytes'] = String(result.bytesRead);
      }
      return summary;
    });
  } finally {
    slot.release();
  }
}

/** Waits for `work`, which runs under the mark; from the moment that the signal aborts, keeps telling the engine to stop it. */
export async function cancellable<T>(run: Run, mark: string, work: Promise<T>): Promise<T> {
  let settled = false;
  const onAbort = (): void => {
    void killUntil(run.sessions, mark, () => settled);
  };
  if (run.signal.aborted) onAbort();
  else run.signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await work;
  } finally {
    settled = true;
    run.signal.removeEventListener('abort', onAbort);
  }
}

async function killUntil(sessions: Sessions, mark: string, settled: () => boolean): Promise<void> {
  const prefix = quoteString(mark);
  // The first may come before the engine has registered the query, hence again, at growing intervals.
  for (let pauseMs = 20; !settled(); pauseMs = Math.min(pauseMs * 2, 2_000)) {
    await sessions.ask(`KILL QUERY WHERE startsWith(Settings['log_comment'], ${prefix}) ASYNC`).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

/** Waits for both even when one fails, so that nothing is left running; the first one's failure is the one reported. */
async function bothSettled<A, B>(first: Promise<A>, second: Promise<B>): Promise<[A, B]> {
  const [a, b] = await Promise.allSettled([first, second]);
  if (a.status === 'rejected') throw a.reason;
  if (b.status === 'rejected') throw b.reason;
  return [a.value, b.value];
}
