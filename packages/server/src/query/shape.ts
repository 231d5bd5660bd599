/**
 * The shape of a statement: its tokens, without the values of literals on which no verdict depends. A dashboard asks the same with
 * other times and ids again and again; with the shape as the key it is judged once.
 *
 * Must stay true: a literal is left out only where it is compared with something, is a text that is converted to a time, or is a
 * number that limits the result, counts an interval or is converted to a whole number. There its value changes neither what is
 * read nor whether reading can fail: the engine converts it before it reads the first row. Its kind stays, and everything else is
 * kept as it is written, and of a parameter its value too. Zero is a kind of its own: any decimal can be compared with it, and not with every other number.
 */

import type { Statement, Token } from '@glasshouse/language';
import type { Settings } from '@glasshouse/store';

const COMPARISONS: ReadonlySet<string> = new Set(['=', '==', '!=', '<>', '<', '<=', '>', '>=']);
/** What may follow a literal that is compared. After anything else it may be part of a longer expression. */
const AFTER: ReadonlySet<string> = new Set(['AND', 'OR', 'GROUP', 'ORDER', 'LIMIT', 'HAVING', 'UNION', ')', ',']);
/** Of a number: they cut off what does not fit. */
const TO_NUMBER: ReadonlySet<string> = new Set(
  ['int', 'uint'].flatMap((kind) => [8, 16, 32, 64].map((bits) => `to${kind}${bits}`)),
);
/** Of a text, with a scale or a time zone behind it. */
const TO_TIME: ReadonlySet<string> = new Set([
  'todate',
  'todatetime',
  'todatetime64',
  'parsedatetimebesteffort',
  'parsedatetime64besteffort',
]);

/**
 * Equal for statements that get the same verdict. Holds every token, so that no two others are equal. Values of parameters are the
 * settings that the engine gets.
 */
export function shapeOf({ tokens, parameters }: Pick<Statement, 'parameters' | 'tokens'>, values: Settings): string {
  const names = parameters.map(({ name }) => name)[Symbol.iterator]();
  const shapes = tokens.flatMap((token, index) => {
    const name = token.kind === 'parameter' ? names.next().value : undefined;
    if (token.kind === 'parameter')
      return isFreeParameter(tokens, index) ? [`=${token.text}`] : [`=${token.text}`, values[`param_${name}`]];
    return isFree(tokens, index) ? `?${kindOf(token)}` : `=${token.text}`;
  });
  return JSON.stringify(shapes);
}

/** Its type is part of its text. */
function isFreeParameter(tokens: readonly Token[], index: number): boolean {
  const before = tokens[index - 1];
  const after = tokens[index + 1];
  if (before === undefined) return false;
  if (before.kind === 'operator' && COMPARISONS.has(before.text)) return endsHere(after);
  return isWord(before, 'IN') || isWord(before, 'LIMIT') || isWord(before, 'OFFSET');
}

function isFree(tokens: readonly Token[], index: number): boolean {
  const token = tokens[index] as Token;
  const isNumber = token.kind === 'number' && /^\d+$/u.test(token.text);
  if (!isNumber && token.kind !== 'string') return false;
  const before = tokens[index - 1];
  const after = tokens[index + 1];
  if (before === undefined) return false;
  if (before.kind === 'operator' && COMPARISONS.has(before.text)) {
    return endsHere(after);
  }
  if (isWord(before, 'BETWEEN')) return after !== undefined && isWord(after, 'AND');
  if (isBound(tokens, index)) return endsHere(after);
  const called = before.text === '(' && tokens[index - 2]?.kind === 'word' ? tokens[index - 2]?.text.toLowerCase() : '';
  if (!isNumber) return TO_TIME.has(called ?? '') && (after?.text === ')' || after?.text === ',');
  if (isWord(before, 'LIMIT') || isWord(before, 'OFFSET') || isWord(before, 'INTERVAL')) return true;
  return after?.text === ')' && TO_NUMBER.has(called ?? '');
}

function endsHere(after: Token | undefined): boolean {
  return after === undefined || AFTER.has(after.text.toUpperCase());
}

/** Whether it is the second literal of `BETWEEN literal AND literal`. */
function isBound(tokens: readonly Token[], index: number): boolean {
  const [between, first, and] = [tokens[index - 3], tokens[index - 2], tokens[index - 1]];
  if (between === undefined || and === undefined || !isWord(between, 'BETWEEN') || !isWord(and, 'AND')) return false;
  return first?.kind === 'string' || first?.kind === 'number';
}

function isWord(token: Token, word: string): boolean {
  return token.kind === 'word' && token.text.toUpperCase() === word;
}

/** A number's size decides its type; those of one size have the same. */
function kindOf({ kind, text }: Token): string {
  if (kind === 'string') return 's';
  const value = BigInt(text);
  return value === 0n ? 'n0' : `n${value.toString(2).length <= 63 ? '' : text.length}`;
}
