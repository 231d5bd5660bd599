/**
 * JSON as the wire has it: integers of 64 bits lose nothing when they are read.
 *
 * Separate because both the server's answers and the expectations of other programs are read with it.
 */

type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;

/** Parses JSON; an integer that a number cannot hold exactly becomes a bigint. */
export function parseExact(text: string): unknown {
  // The third argument is in the language since ES2026, and in Node 24, but not yet in the library's types.
  const parse = JSON.parse as (text: string, reviver: Reviver) => unknown;
  return parse(text, (_key, value, { source = '' }) =>
    typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(source) ? BigInt(source) : value,
  );
}
