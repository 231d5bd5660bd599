/**
 * The shape of a statement: its tokens, without the values of literals on which no verdict depends. A dashboard asks the same with
 * other times and ids again and again; with the shape as the key it is judged once.
 *
 * Must stay true: a literal is left out only where it is compared with something, or is a number that limits the result, counts an
 * interval or is converted to 64 bits. There its value changes neither what is read nor whether reading can fail: the engine
 * converts it before it reads the first row. Its kind stays, and everything else is kept as it is written.
 */

import type { Token } from '@glasshouse/language';

const COMPARISONS: ReadonlySet<string> = new Set(['=', '==', '!=', '<>', '<', '<=', '>', '>=']);
/** What may follow a literal that is compared. After anything else it may be part of a longer expression. */
const AFTER: ReadonlySet<string> = new Set(['AND', 'OR', 'GROUP', 'ORDER', 'LIMIT', 'HAVING', 'UNION', ')', ',']);
const CONVERSIONS: ReadonlySet<string> = new Set(['toint64', 'touint64']);

/** Equal for statements that get the same verdict. Holds every token, so that no two others are equal. */
export function shapeOf(tokens: readonly Token[]): string {
  return JSON.stringify(tokens.map((token, index) => (isFree(tokens, index) ? `?${kindOf(token)}` : `=${token.text}`)));
}

function isFree(tokens: readonly Token[], index: number): boolean {
  const token = tokens[index] as Token;
  const isNumber = token.kind === 'number' && /^\d+$/u.test(token.text);
  if (!isNumber && token.kind !== 'string') return false;
  const before = tokens[index - 1];
  const after = tokens[index + 1];
  if (before === undefined) return false;
  if (before.kind === 'operator' && COMPARISONS.has(before.text)) {
    return after === undefined || AFTER.has(after.text.toUpperCase());
  }
  if (!isNumber) return false;
  if (isWord(before, 'LIMIT') || isWord(before, 'OFFSET') || isWord(before, 'INTERVAL')) return true;
  const called = tokens[index - 2];
  return before.text === '(' && after?.text === ')' && CONVERSIONS.has(called?.text.toLowerCase() ?? '');
}

function isWord(token: Token, word: string): boolean {
  return token.kind === 'word' && token.text.toUpperCase() === word;
}

/** A number's size decides its type; those of one size have the same. */
function kindOf({ kind, text }: Token): string {
  return kind === 'string' ? 's' : `n${BigInt(text).toString(2).length <= 63 ? '' : text.length}`;
}
