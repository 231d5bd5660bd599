/**
 * How deep the JSON of a request may be nested. Reading it takes any depth, but whoever walks or writes it again does so level by
 * level, and would run out of stack.
 */

import { AppError } from '@glasshouse/model';

const MAX_DEPTH = 500;

/** Throws `bad_request` for a text with deeper brackets than any request has, whether it is JSON otherwise or not. */
export function checkJsonDepth(text: string): void {
  let depth = 0;
  let isText = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (isText && char === '\\') at++;
    else if (char === '"') isText = !isText;
    else if (!isText && (char === '[' || char === '{')) depth++;
    else if (!isText && (char === ']' || char === '}')) depth--;
    if (depth > MAX_DEPTH)
      throw new AppError('bad_request', `cannot read the body: it is nested more than ${MAX_DEPTH} levels deep`);
  }
}
