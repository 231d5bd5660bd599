/**
 * Maps as ClickHouse prints them, `{'a': 1}`, turned into calls: `map('a', 1)`. Braces stop here, because everywhere behind they
 * mean parameters of a request.
 *
 * Must stay true: the tokens that come out have no brace, and their brackets are in pairs as before.
 */

import { isOperator, type Token } from '../lexer.ts';

/** Makes the refusal of a token. */
export type Refuse = (why: string, hint: string, token: Token) => Error;

/** A brace that is open: what is read, and since how many tokens. */
interface Open {
  readonly isMap: boolean;
  part: 'begin' | 'key' | 'value';
  count: number;
}

/** The tokens of an expression, whose brackets are in pairs, with calls in the place of maps. Throws what `refuse` makes. */
export function withoutBraces(tokens: readonly Token[], refuse: Refuse): readonly Token[] {
  if (!tokens.some((token) => isOperator(token, '{'))) return tokens;
  const open: Open[] = [];
  return tokens.flatMap((token): readonly Token[] => {
    const within = open.at(-1);
    if (within?.isMap === true) {
      if (isOperator(token, ':')) return [endKey(within, token, refuse)];
      if (isOperator(token, ',') || isOperator(token, '}')) endValue(within, token, refuse);
      else checkKey(within, token, refuse);
      within.count += 1;
    }
    if (token.kind !== 'operator') return [token];
    if (token.text === '{') {
      open.push({ isMap: true, part: 'begin', count: 0 });
      return [{ ...token, kind: 'word', text: 'map', value: 'map', end: token.start }, bracket(token, '(')];
    }
    if (token.text === '(' || token.text === '[') open.push({ isMap: false, part: 'value', count: 0 });
    if (')]}'.includes(token.text)) open.pop();
    if (within?.isMap === true && token.text === ',') Object.assign(within, { part: 'key', count: 0 });
    return [token.text === '}' ? bracket(token, ')') : token];
  });
}

function bracket(token: Token, text: string): Token {
  return { ...token, text, value: text };
}

/** The engine takes literals only, and a name without quotes is mostly meant to be one. */
function checkKey({ part, count }: Open, token: Token, refuse: Refuse): void {
  const isLiteral = token.kind === 'string' || token.kind === 'number' || (count === 0 && isOperator(token, '-'));
  if (part === 'value' || isLiteral) return;
  throw refuse(`${token.text} is no key of a map`, "write keys as 'text' or numbers, such as {'a': 1}", token);
}

function endKey(open: Open, token: Token, refuse: Refuse): Token {
  if (open.part === 'value' || open.count === 0)
    throw refuse('a colon stands where no key of a map ends', "write {'key': value, …}", token);
  open.part = 'value';
  open.count = 0;
  return bracket(token, ',');
}

function endValue({ part, count }: Open, token: Token, refuse: Refuse): void {
  const isEmpty = part === 'begin' && count === 0 && token.text === '}';
  if (isEmpty || (part === 'value' && count > 0)) return;
  throw refuse('a key of a map has no value', "write {'key': value, …}", token);
}
