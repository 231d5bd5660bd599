/**
 * ClickHouse type names taken apart, as far as the mapping must know them: what a value of JSON has to look like depends on
 * the type inside `Nullable` and `LowCardinality`.
 *
 * Must stay true: `text` is what the engine is asked for, and it is the user's text; only what cannot be a type is refused.
 */

import { AppError } from '@glasshouse/model';
import { isOperator, tokenize, type Token } from '../lexer.ts';

/** A type with its arguments; those of `Enum8` or `Decimal` are literals and stay in `text` only. */
export interface ColumnType {
  /** The engine's own spelling of the name, such as `UInt16` for `UInt16` and `Bool` for `boolean`. */
  readonly name: string;
  readonly text: string;
  /** Types between the parentheses, in order. */
  readonly args: readonly ColumnType[];
  /** Names of the elements of a named `Tuple`; empty for others. */
  readonly labels: readonly string[];
  /** Literals between the parentheses, in order. */
  readonly literals: readonly Literal[];
}

/** A number as written, or a string without its quotes and escapes. */
export type Literal = { readonly number: string } | { readonly string: string };

/** Names that the engine takes for others, in lower case (https://clickhouse.com/docs/sql-reference/data-types). */
const ALIASES: ReadonlyMap<string, string> = new Map([
  ...['bool', 'boolean'].map((name) => [name, 'Bool'] as const),
  ...['text', 'varchar', 'char', 'string', 'tinytext', 'mediumtext', 'longtext', 'clob', 'blob', 'bytea'].map(
    (name) => [name, 'String'] as const,
  ),
  ...['tinyint', 'int1', 'byte'].map((name) => [name, 'Int8'] as const),
  ...['smallint'].map((name) => [name, 'Int16'] as const),
  ...['int', 'integer', 'mediumint'].map((name) => [name, 'Int32'] as const),
  ...['bigint', 'signed'].map((name) => [name, 'Int64'] as const),
  ...['float', 'real', 'single'].map((name) => [name, 'Float32'] as const),
  ...['double'].map((name) => [name, 'Float64'] as const),
  ...['datetime', 'timestamp', 'datetime32'].map((name) => [name, 'DateTime'] as const),
  ...['datetime64', 'date', 'date32', 'uuid', 'ipv4', 'ipv6', 'fixedstring'].map(
    (name) =>
      [
        name,
        { datetime64: 'DateTime64', date: 'Date', date32: 'Date32', uuid: 'UUID', fixedstring: 'FixedString' }[name] ??
          name.replace('ip', 'IP'),
      ] as const,
  ),
  ...['decimal', 'dec', 'numeric', 'fixed'].map((name) => [name, 'Decimal'] as const),
  ...['inet4'].map((name) => [name, 'IPv4'] as const),
  ...['inet6'].map((name) => [name, 'IPv6'] as const),
  ['json', 'JSON'],
]);

/** Shapes that are written as a name and mean a nested type. */
const GEOMETRY: ReadonlyMap<string, string> = new Map([
  ['Point', 'Tuple(Float64, Float64)'],
  ['Ring', 'Array(Tuple(Float64, Float64))'],
  ['LineString', 'Array(Tuple(Float64, Float64))'],
  ['MultiLineString', 'Array(Array(Tuple(Float64, Float64)))'],
  ['Polygon', 'Array(Array(Tuple(Float64, Float64)))'],
  ['MultiPolygon', 'Array(Array(Array(Tuple(Float64, Float64))))'],
]);

/** Types whose arguments are literals. */
const LITERAL_ARGUMENTS = new Set([
  'Enum8',
  'Enum16',
  'Enum',
  'Decimal',
  'Decimal32',
  'Decimal64',
  'Decimal128',
  'Decimal256',
  'FixedString',
  'DateTime',
  'DateTime64',
  'Time64',
  'String',
  'JSON',
]);

const MAX_DEPTH = 50;

/** Reads a type. Throws `bad_request` when the text is not one. */
export function parseType(text: string): ColumnType {
  const tokens = tokenize(text);
  const reader = new TypeReader(text, tokens);
  const type = reader.type(0);
  reader.end();
  return type;
}

/** The type without `Nullable`, `LowCardinality` and `SimpleAggregateFunction`, and whether it takes NULL. */
export function unwrap(type: ColumnType): { readonly type: ColumnType; readonly nullable: boolean } {
  const [first] = type.args;
  if (type.name === 'Nullable' && first !== undefined) return { type: unwrap(first).type, nullable: true };
  if (type.name === 'LowCardinality' && first !== undefined) return unwrap(first);
  if (type.name === 'SimpleAggregateFunction' && first !== undefined) return unwrap(first);
  return { type, nullable: false };
}

class TypeReader {
  readonly #text: string;
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(text: string, tokens: readonly Token[]) {
    this.#text = text;
    this.#tokens = tokens;
  }

  end(): void {
    if (this.#at < this.#tokens.length) throw this.#fault();
  }

  type(depth: number): ColumnType {
    const first = this.#take();
    if (first?.kind !== 'word' || depth > MAX_DEPTH) throw this.#fault();
    const name = ALIASES.get(first.text.toLowerCase()) ?? first.text;
    const args: ColumnType[] = [];
    const labels: string[] = [];
    const literals: Literal[] = [];
    let last = first;
    if (isOperator(this.#peek(), '(')) {
      this.#take();
      if (LITERAL_ARGUMENTS.has(name)) this.#literals(literals);
      else if (name === 'SimpleAggregateFunction' || name === 'AggregateFunction') this.#aggregate(args, depth);
      else this.#types(args, labels, depth);
      last = this.#tokens[this.#at - 1] ?? first;
    }
    const text = this.#text.slice(first.start, last.end);
    const geometry = GEOMETRY.get(name);
    if (geometry !== undefined) return { ...parseType(geometry), text };
    return { name, text, args, labels, literals };
  }

  /** Everything up to the closing parenthesis. */
  #literals(literals: Literal[]): void {
    for (let depth = 1; depth > 0;) {
      const token = this.#take();
      if (token === undefined) throw this.#fault();
      if (isOperator(token, '(')) depth += 1;
      else if (isOperator(token, ')')) depth -= 1;
      else if (token.kind === 'number') literals.push({ number: this.#signed(token) });
      else if (token.kind === 'string') literals.push({ string: unescape(token.value) });
    }
  }

  #signed(token: Token): string {
    return isOperator(this.#tokens[this.#at - 2], '-') ? `-${token.text}` : token.text;
  }

  /** `(sum, UInt64)`: the function may have parameters of its own. */
  #aggregate(args: ColumnType[], depth: number): void {
    this.#take();
    if (isOperator(this.#peek(), '(')) {
      this.#take();
      this.#literals([]);
    }
    while (isOperator(this.#peek(), ',')) {
      this.#take();
      args.push(this.type(depth + 1));
    }
    this.#close();
  }

  #types(args: ColumnType[], labels: string[], depth: number): void {
    while (!isOperator(this.#peek(), ')')) {
      const next = this.#tokens[this.#at + 1];
      const labelled = next?.kind === 'word' && !isOperator(this.#peek(), '(');
      if (labelled) labels.push(this.#label());
      args.push(this.type(depth + 1));
      if (!isOperator(this.#peek(), ',')) break;
      this.#take();
    }
    this.#close();
  }

  #label(): string {
    const token = this.#take();
    if (token?.kind !== 'word' && token?.kind !== 'quoted') throw this.#fault();
    return token.value;
  }

  #close(): void {
    if (!isOperator(this.#take(), ')')) throw this.#fault();
  }

  #peek(): Token | undefined {
    return this.#tokens[this.#at];
  }

  #take(): Token | undefined {
    this.#at += 1;
    return this.#tokens[this.#at - 1];
  }

  #fault(): AppError {
    return new AppError('bad_request', `cannot read type=${this.#text}: it is not a ClickHouse type`);
  }
}

/** Escapes of a string literal that can stand in a type. */
function unescape(value: string): string {
  return value.replaceAll(/\\(.)/gsu, (_, char: string) => ({ n: '\n', t: '\t', r: '\r', 0: '\0' })[char] ?? char);
}
