/**
 * Values as SQL. What is written here is what stands between a caller's value and the statement.
 *
 * Must stay true: a literal is complete by itself (quotes and brackets closed, no comment, no line break), whatever the value is, and the
 * engine reads back exactly the value (a test asks it).
 */

import { bitsOf, LITERAL_BITS } from './types.ts';
import { kindOf, type Value } from './value.ts';

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['\\', '\\\\'],
  ["'", "\\'"],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
  ['\b', '\\b'],
  ['\f', '\\f'],
  ['\0', '\\0'],
]);

/** A text as a ClickHouse string literal. It must be well-formed Unicode. */
function stringLiteral(text: string): string {
  const escaped = text.replaceAll(/[\\'\p{Cc}]/gu, (char) => {
    const escape = ESCAPES.get(char);
    // `\x` names a byte, and the control characters from U+0080 have two.
    if (escape !== undefined || char > '\u007f') return escape ?? char;
    return `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
  return `'${escaped}'`;
}

/** A name as a quoted identifier. The caller has checked it, see `identifierFault` and `columnName`. */
export function identifier(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

/** Why a value has no SQL. */
export interface NoLiteral {
  readonly why: string;
}

/** `spend` is called with what each part costs. */
export function sqlLiteral(value: Value, spend: (cost: number) => void): string | NoLiteral {
  switch (value.kind) {
    case 'none':
      return { why: value.parameter === undefined ? 'None has no SQL' : missing(value.parameter) };
    case 'bool':
      return value.value ? 'true' : 'false';
    case 'int':
      return integerLiteral(value.value, value.type);
    case 'float':
      return value.type === undefined ? floatText(value.value) : `to${value.type}(${floatText(value.value)})`;
    case 'string':
      spend(value.value.length);
      return stringLiteral(value.value);
    case 'list':
      return listLiteral(value.items, value.tuple, spend);
    case 'sql':
      spend(value.text.length);
      return value.text;
    case 'dict':
      return { why: `${kindOf(value)} has no SQL; take a value out of it, such as name['key']` };
  }
}

export function missing(parameter: string): string {
  return `parameter ${parameter} is required and not given`;
}

function integerLiteral(value: bigint, type: string | undefined): string | NoLiteral {
  if (type === undefined) {
    // The engine reads a longer number as one with a fraction.
    if (value < -(2n ** 63n) || value >= 2n ** 64n)
      return { why: `the number has more than 64 bits; wrap it in Int128() or Int256()` };
    return value.toString();
  }
  return bitsOf(type) > LITERAL_BITS ? `to${type}('${value}')` : `to${type}(${value})`;
}

/** The shortest text that is the same number, always recognisable as one with a fraction or an exponent. */
function floatText(value: number): string {
  if (Object.is(value, -0)) return '-0.0';
  const text = String(value);
  return /^-?[0-9]+$/u.test(text) ? `${text}.0` : text;
}

function listLiteral(items: readonly Value[], tuple: boolean, spend: (cost: number) => void): string | NoLiteral {
  const parts: string[] = [];
  for (const item of items) {
    spend(16);
    const part = sqlLiteral(item, spend);
    if (typeof part !== 'string') return part;
    parts.push(part);
  }
  const text = parts.join(',');
  if (!tuple) return `[${text}]`;
  return parts.length === 1 ? `(${text},)` : `(${text})`;
}
