/**
 * Judges one SQL text: does it read or write, where do its tail clauses begin, where does inline data begin. Separate from
 * the lexer because this is the policy: what the engine will run for whom, and where it puts its own INTO OUTFILE / INFILE.
 *
 * Must stay true: one statement per request; a client never names a file to be written; `reads` is true only for
 * statements that the engine itself refuses to let write under readonly=1.
 */
import { Exception } from './exception.ts';
import { tokenize, type Token } from './lexer.ts';

/** A statement that answers with rows: `head` then (our INTO OUTFILE) then `FORMAT format` then `tail`. */
export interface ResultStatement {
  readonly kind: 'result';
  readonly head: string;
  readonly format: string | undefined;
  /** `SETTINGS …` after FORMAT, or empty. */
  readonly tail: string;
  readonly reads: boolean;
}

/** INSERT with data after it: `before` (our FROM INFILE) `settings` FORMAT `format`, then the bytes from `dataStart`. */
export interface InsertStatement {
  readonly kind: 'insert';
  readonly before: string;
  readonly settings: string;
  readonly format: string;
  /** Byte offset of the first byte of data in the text. */
  readonly dataStart: number;
}

/** Everything that is run as it stands: DDL, INSERT … SELECT, INSERT … FROM INFILE, SET, SYSTEM, and what is no SQL. */
export interface CommandStatement {
  readonly kind: 'command';
  /** First word, upper case. */
  readonly verb: string;
  readonly text: string;
  /** True for INSERT … FROM INFILE, whose row count the engine reports. */
  readonly fromFile: boolean;
}

export type Statement = ResultStatement | InsertStatement | CommandStatement;

/** Statements with rows that cannot write. */
const READING = new Set(['SELECT', 'WITH', 'FROM', 'SHOW', 'DESCRIBE', 'DESC', 'EXPLAIN', 'EXISTS', '(']);
/** Statements with rows that act. */
const ACTING = new Set(['CHECK', 'BACKUP', 'RESTORE', 'KILL']);
/** Words that begin a statement of the engine other than those. */
const COMMANDS = new Set(
  (
    'ALTER ATTACH BEGIN COMMIT COPY CREATE DEALLOCATE DELETE DETACH DROP EXCHANGE EXECUTE GRANT INSERT MOVE OPTIMIZE PARALLEL ' +
    'PREPARE RENAME REPLACE REVOKE ROLLBACK SET SYSTEM TRUNCATE UNDROP UPDATE USE WATCH'
  ).split(' '),
);

/** Whether the statement is one that the engine could run; false means a spelling mistake rather than a wish to write. */
export function isKnown(statement: Statement): boolean {
  return statement.kind !== 'command' || COMMANDS.has(statement.verb) || statement.verb === 'WITH';
}

/** After one of these, `format` is a name and not the clause. */
const NAME_FOLLOWS = new Set([
  'SELECT',
  'FROM',
  'JOIN',
  'AS',
  'BY',
  'AND',
  'OR',
  'NOT',
  'WHERE',
  'ON',
  'IN',
  'TABLE',
  'DISTINCT',
]);

/**
 * Judges the whole text of a request.
 * @param bytes the SQL; for an INSERT the inline data may follow, of any length and content.
 * @param complete false when more of the text is still to come: an INSERT whose data has begun is recognised, anything
 *   else gives undefined.
 * @throws Exception 62 for text that the lexer cannot follow, several statements or none; 358 for INTO OUTFILE; 48 for input().
 */
export function judge(bytes: Buffer, complete: boolean): Statement | undefined {
  const text = bytes.toString('latin1');
  const tokens = tokenize(text);
  const first = pull(tokens, complete);
  if (first === undefined) {
    if (complete) throw new Exception(62, 'SYNTAX_ERROR', 'Empty query');
    return undefined;
  }
  if (first.text === 'INSERT') return judgeInsert(bytes, text, first, tokens, complete);
  if (!complete) return undefined;
  const all = readAll(first, tokens);
  const verb = first.text;
  if (READING.has(verb) || ACTING.has(verb)) {
    const inserts = verb === 'WITH' && depthZero(all).some((token) => token.text === 'INSERT');
    // Clauses of output would go to the statement that is explained.
    if (verb === 'EXPLAIN' && (all[1]?.text === 'AST' || all[1]?.text === 'SYNTAX')) {
      return { kind: 'command', verb, text: slice(bytes, 0, endOf(bytes, all)), fromFile: false };
    }
    if (inserts) return { kind: 'command', verb, text: slice(bytes, 0, endOf(bytes, all)), fromFile: false };
    return judgeResult(bytes, all, READING.has(verb));
  }
  return { kind: 'command', verb, text: slice(bytes, 0, endOf(bytes, all)), fromFile: false };
}

function judgeResult(bytes: Buffer, tokens: readonly Token[], reads: boolean): ResultStatement {
  const flat = depthZero(tokens);
  let settings = flat.length;
  for (let index = flat.length - 2; index >= 1; index -= 1) {
    if (flat[index]?.text === 'SETTINGS') settings = index;
    if (flat[index]?.text !== 'FORMAT') continue;
    const name = flat[index + 1];
    const previous = flat[index - 1];
    if (name === undefined || (name.kind !== 'word' && name.kind !== 'quoted')) continue;
    if (index + 2 !== flat.length && settings !== index + 2) continue;
    if (previous === undefined || NAME_FOLLOWS.has(previous.text) || previous.kind === 'symbol') continue;
    const start = flat[index]?.start ?? 0;
    return {
      kind: 'result',
      head: slice(bytes, 0, start),
      format: slice(bytes, name.start, name.end),
      tail: slice(bytes, name.end, endOf(bytes, tokens)),
      reads,
    };
  }
  return { kind: 'result', head: slice(bytes, 0, endOf(bytes, tokens)), format: undefined, tail: '', reads };
}

function judgeInsert(
  bytes: Buffer,
  text: string,
  first: Token,
  tokens: Generator<Token, void, undefined>,
  complete: boolean,
): Statement | undefined {
  const more = complete ? undefined : text.length;
  let token = pull(tokens, complete);
  if (token?.text === 'INTO') token = pull(tokens, complete);
  if (token?.text === 'TABLE' || token?.text === 'FUNCTION') token = pull(tokens, complete);
  // The target's own name may be any word, FORMAT and VALUES included, so it is stepped over before clauses are looked for.
  token = pull(tokens, complete);
  while (token?.text === '.') {
    pull(tokens, complete);
    token = pull(tokens, complete);
  }
  let depth = 0;
  let clauseStart = -1;
  let settingsStart = -1;
  for (; token !== undefined; token = pull(tokens, complete)) {
    if (token.kind === 'open') depth += 1;
    else if (token.kind === 'close') depth -= 1;
    if (depth > 0 || token.kind !== 'word') continue;
    // A word that touches the end of an unfinished text may be the beginning of a longer one.
    if (token.end === more) return undefined;
    if (token.text === 'SETTINGS') {
      settingsStart = token.start;
      if (clauseStart < 0) clauseStart = token.start;
    } else if (token.text === 'FROM') {
      return complete ? whole(bytes, first, text, true) : undefined;
    } else if (token.text === 'SELECT' || token.text === 'WITH') {
      return complete ? whole(bytes, first, text, false) : undefined;
    } else if (token.text === 'VALUES' || token.text === 'FORMAT') {
      const before = slice(bytes, 0, clauseStart < 0 ? token.start : clauseStart);
      const settings = settingsStart < 0 ? '' : slice(bytes, settingsStart, token.start);
      if (token.text === 'VALUES') return { kind: 'insert', before, settings, format: 'Values', dataStart: token.end };
      const name = pull(tokens, complete);
      if (name === undefined) return complete ? whole(bytes, first, text, false) : undefined;
      if (name.end === more) return undefined;
      if (name.text === 'VALUES') return { kind: 'insert', before, settings, format: 'Values', dataStart: name.end };
      const dataStart = afterFormat(text, name.end);
      return { kind: 'insert', before, settings, format: slice(bytes, name.start, name.end), dataStart };
    }
  }
  // Nothing recognised: the engine says best what is wrong with it.
  return complete ? whole(bytes, first, text, false) : undefined;
}

/** An INSERT without inline data; reads the rest of it to hold it to the same rules as every other statement. */
function whole(bytes: Buffer, first: Token, text: string, fromFile: boolean): CommandStatement {
  const rest = tokenize(text, first.end);
  const all = readAll(first, rest);
  if (!fromFile && all.some((token, index) => token.text === 'INPUT' && all[index + 1]?.text === '(')) {
    throw new Exception(
      48,
      'NOT_IMPLEMENTED',
      'INSERT … SELECT … FROM input() is not supported by the embedded engine: insert into a table first, then INSERT … SELECT from it',
    );
  }
  return { kind: 'command', verb: first.text, text: slice(bytes, 0, endOf(bytes, all)), fromFile };
}

/** Where data begins after `FORMAT Name`: behind blanks and one line break. */
function afterFormat(text: string, end: number): number {
  let at = end;
  while (text[at] === ' ' || text[at] === '\t' || text[at] === '\f') at += 1;
  if (text[at] === ';') at += 1;
  if (text[at] === '\r') at += 1;
  if (text[at] === '\n') at += 1;
  return at;
}

/** All tokens up to an optional final semicolon, checked. */
function readAll(first: Token, tokens: Generator<Token, void, undefined>): Token[] {
  const all = [first];
  let ended = false;
  for (let token = pull(tokens, true); token !== undefined; token = pull(tokens, true)) {
    if (token.text === ';') {
      ended = true;
      continue;
    }
    if (ended) throw new Exception(62, 'SYNTAX_ERROR', 'Multi-statements are not allowed');
    if (token.text === 'OUTFILE' && all.at(-1)?.text === 'INTO') {
      throw new Exception(358, 'INTO_OUTFILE_NOT_ALLOWED', 'INTO OUTFILE is not allowed');
    }
    all.push(token);
  }
  return all;
}

function pull(tokens: Generator<Token, void, undefined>, complete: boolean): Token | undefined {
  const { value } = tokens.next();
  if (value === undefined) return undefined;
  if (value.kind !== 'error') return value;
  // An unfinished text may end inside a string or a comment.
  if (!complete) return undefined;
  throw new Exception(
    62,
    'SYNTAX_ERROR',
    `Syntax error: failed at position ${value.start + 1}: a string or comment is not closed, or a character is out of place`,
  );
}

function depthZero(tokens: readonly Token[]): Token[] {
  const flat: Token[] = [];
  let depth = 0;
  for (const token of tokens) {
    if (token.kind === 'close') depth -= 1;
    if (depth === 0) flat.push(token);
    if (token.kind === 'open') depth += 1;
  }
  return flat;
}

/** Where the statement ends: at its semicolon, or with the text, comments included, because people mark queries by them. */
function endOf(bytes: Buffer, tokens: readonly Token[]): number {
  const after = tokens.at(-1)?.end ?? 0;
  for (const token of tokenize(bytes.toString('latin1', after))) if (token.text === ';') return after + token.start;
  return bytes.length;
}

function slice(bytes: Buffer, start: number, end: number): string {
  return bytes.toString('utf8', start, end);
}
