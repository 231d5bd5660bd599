/**
 * How much a template may cost. Templates are written by a workspace's developers but run with any caller's values, so every loop, every
 * value and every nesting has an end that does not depend on either.
 */

import { MAX_SQL_LENGTH } from '../lexer.ts';

/** UTF-16 units of a template, of one text value and of the rendered SQL. */
export const MAX_TEXT = MAX_SQL_LENGTH;
/** Items of one list, also of one that a caller gives. */
export const MAX_ITEMS = 65_536;
/** Levels of lists and objects within each other. */
export const MAX_VALUE_DEPTH = 32;
/** Levels of expressions within each other. */
export const MAX_EXPRESSION_DEPTH = 128;
/** Levels of `if` and `for` within each other. */
export const MAX_BLOCK_DEPTH = 32;
/** Steps of one rendering. A step is one expression, one statement, or the copying of 64 units or items. */
export const MAX_STEPS = 500_000;
/** Bits of a whole number: enough for the product of two UInt256, which is the largest type. */
export const MAX_INTEGER_BITS = 512;
