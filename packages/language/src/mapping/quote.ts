/**
 * Literals and names in the SQL of the mapping. Separate from the statements so that no text of a data source or of a sender
 * gets into one by another way.
 */

/** Quotes an identifier. */
export function quoteName(name: string): string {
  return `\`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``;
}

/** Quotes a string literal. */
export function quoteText(text: string): string {
  const escaped = text.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\0', '\\0');
  return `'${escaped}'`;
}
