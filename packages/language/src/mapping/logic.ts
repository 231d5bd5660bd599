/**
 * Conditions in the SQL of the mapping: UInt8 expressions, never NULL.
 *
 * Must stay true: they are put together with `bitAnd` and `bitOr`. For `AND` and `OR` of comparisons the engine looks for
 * simplifications, and to do so it hashes everything that the compared columns are made of, query by query: most of the time of a
 * short insert. They also have branches, and what two branches share is evaluated for every row.
 */

/** 1 if all are 1. */
export function all(conditions: readonly string[]): string {
  return combine('bitAnd', conditions) ?? '1';
}

/** 1 if any is 1. */
export function any(conditions: readonly string[]): string {
  return combine('bitOr', conditions) ?? '0';
}

/**
 * An expression for the rows where the condition is 1, and the default of its type for the others. For what costs as much as a parse or
 * more: the branches of `if` are not always left out for the rows that do not need them, but a lambda over an array without elements
 * is never evaluated. `make` gets the name of an empty string, and has to join it to whatever it begins with: what does not depend
 * on the lambda's argument is moved out of the lambda.
 */
export function forSome(condition: string, make: (empty: string) => string): string {
  return `arrayMap(z -> ${make('z')}, arrayWithConstant(${condition}, ''))[1]`;
}

/** As a balanced tree, because the engine's parser limits the depth. */
function combine(operator: string, [first, ...rest]: readonly string[]): string | undefined {
  if (first === undefined || rest.length === 0) return first;
  const half = Math.floor(rest.length / 2);
  const left = combine(operator, [first, ...rest.slice(0, half)]);
  return `${operator}(${left}, ${combine(operator, rest.slice(half))})`;
}
