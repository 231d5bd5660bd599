/**
 * `+ - * / // %`, signs, comparisons and membership, as Python defines them for the values that templates have.
 *
 * Must stay true: results are bounded: numbers in bits, text and lists in length.
 */

import type { BinaryOperator, CompareOperator } from './ast.ts';
import { excerpt } from './error.ts';
import { MAX_INTEGER_BITS, MAX_TEXT } from './limits.ts';
import { fault, type Outcome } from './methods.ts';
import { compare, isEqual, kindOf, listValue, numberOf, stringValue, textOf, type Value } from './value.ts';

type Spend = (cost: number) => void;

const MOST = 2n ** BigInt(MAX_INTEGER_BITS);
/** A parameter that is compared or computed with is text until it is given a type. */
const TYPE_IT = 'a parameter needs its type there, such as Int32(name)';

export function binary(operator: BinaryOperator, left: Value, right: Value, spend: Spend): Outcome {
  const [a, b] = [numberOf(left), numberOf(right)];
  if (a !== undefined && b !== undefined) return calculate(operator, a, b);
  if (operator === '+') {
    const [x, y] = [textOf(left), textOf(right)];
    if (x !== undefined && y !== undefined) return join(x, y, spend);
    if (left.kind === 'list' && right.kind === 'list' && left.tuple === right.tuple) {
      spend(left.items.length + right.items.length);
      return listValue([...left.items, ...right.items], left.tuple) ?? fault('the list is too long');
    }
  }
  return fault(`${kindOf(left)} ${operator} ${kindOf(right)} cannot be calculated; ${TYPE_IT}`);
}

function join(x: string, y: string, spend: Spend): Outcome {
  if (x.length + y.length > MAX_TEXT) return fault(`the text is longer than ${MAX_TEXT} characters`);
  spend(x.length + y.length);
  return stringValue(x + y);
}

function calculate(operator: BinaryOperator, a: bigint | number, b: bigint | number): Outcome {
  if (operator !== '/' && typeof a === 'bigint' && typeof b === 'bigint') return wholeResult(operator, a, b);
  const [x, y] = [Number(a), Number(b)];
  if (y === 0 && (operator === '/' || operator === '//' || operator === '%')) return fault('division by zero');
  const result = floatResult(operator, x, y);
  return Number.isFinite(result) ? { kind: 'float', value: result } : fault('the number is too large');
}

function floatResult(operator: BinaryOperator, x: number, y: number): number {
  switch (operator) {
    case '+':
      return x + y;
    case '-':
      return x - y;
    case '*':
      return x * y;
    case '/':
      return x / y;
    case '//':
      return Math.floor(x / y);
    case '%':
      return x - y * Math.floor(x / y);
  }
}

function wholeResult(operator: Exclude<BinaryOperator, '/'>, a: bigint, b: bigint): Outcome {
  if (b === 0n && (operator === '//' || operator === '%')) return fault('division by zero');
  const value = wholeNumber(operator, a, b);
  return value > MOST || value < -MOST ? fault('the number is too large') : { kind: 'int', value };
}

/** Division rounds down and the remainder has the sign of the divisor, as in Python. */
function wholeNumber(operator: Exclude<BinaryOperator, '/'>, a: bigint, b: bigint): bigint {
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '//':
      return (a - remainder(a, b)) / b;
    case '%':
      return remainder(a, b);
  }
}

function remainder(a: bigint, b: bigint): bigint {
  const rest = a % b;
  return rest !== 0n && rest < 0n !== b < 0n ? rest + b : rest;
}

export function signed(operator: '-' | '+', operand: Value): Outcome {
  const number = numberOf(operand);
  if (number === undefined) return fault(`${operator} cannot stand before ${kindOf(operand)}; ${TYPE_IT}`);
  if (typeof number === 'bigint') return { kind: 'int', value: operator === '-' ? -number : number };
  return { kind: 'float', value: operator === '-' ? -number : number };
}

export function compared(
  operator: CompareOperator,
  left: Value,
  right: Value,
  spend: Spend,
): boolean | { kind: 'fault'; why: string } {
  switch (operator) {
    case '==':
      return isEqual(left, right, spend);
    case '!=':
      return !isEqual(left, right, spend);
    case 'is':
    case 'is not':
      return isSame(operator, left, right);
    case 'in':
      return contains(left, right, spend);
    case 'not in': {
      const found = contains(left, right, spend);
      return typeof found === 'boolean' ? !found : found;
    }
    case '<':
    case '<=':
    case '>':
    case '>=':
      return ordered(operator, left, right);
  }
}

/** `is` is only good for None, True and False. */
function isSame(operator: 'is' | 'is not', left: Value, right: Value): boolean | { kind: 'fault'; why: string } {
  if (right.kind !== 'none' && right.kind !== 'bool')
    return { kind: 'fault', why: `${operator} is followed by None, True or False; use ==` };
  const same = right.kind === 'none' ? left.kind === 'none' : left.kind === 'bool' && left.value === right.value;
  return same === (operator === 'is');
}

function contains(left: Value, right: Value, spend: Spend): boolean | { kind: 'fault'; why: string } {
  if (right.kind === 'list') return right.items.some((item) => isEqual(left, item, spend));
  const text = textOf(left);
  if (right.kind === 'dict') return text !== undefined && right.entries.has(text);
  if (right.kind === 'string' && text !== undefined) {
    spend(right.value.length);
    return right.value.includes(text);
  }
  return { kind: 'fault', why: `${kindOf(left)} cannot be looked for in ${kindOf(right)}` };
}

function ordered(
  operator: '<' | '<=' | '>' | '>=',
  left: Value,
  right: Value,
): boolean | { kind: 'fault'; why: string } {
  const order = compare(left, right);
  if (order === undefined)
    return { kind: 'fault', why: `${kindOf(left)} ${operator} ${kindOf(right)} cannot be compared; ${TYPE_IT}` };
  switch (operator) {
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
  }
}

/** `list[0]`, `list[-1]`, `text[0]`, `dict['key']`. */
export function indexed(object: Value, key: Value): Outcome {
  if (object.kind === 'dict') {
    const name = textOf(key);
    const found = name === undefined ? undefined : object.entries.get(name);
    return found ?? fault(name === undefined ? 'the key of a dict must be text' : `there is no key '${excerpt(name)}'`);
  }
  if (object.kind !== 'list' && object.kind !== 'string') return fault(`${kindOf(object)} has no items`);
  if (key.kind !== 'int') return fault('the number of an item must be a whole number');
  const length = object.kind === 'list' ? object.items.length : object.value.length;
  const at = Number(key.value < 0n ? key.value + BigInt(length) : key.value);
  if (object.kind === 'list') return object.items[at] ?? fault(`there is no item ${key.value}: the list has ${length}`);
  const char = at >= 0 && at < length ? object.value.charAt(at) : '';
  return char === '' || !char.isWellFormed() ? fault(`there is no character ${key.value}`) : stringValue(char);
}
