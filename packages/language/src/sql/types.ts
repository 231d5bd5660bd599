/**
 * Judges data types of users' definitions: a list of families with the arguments that each may have, so that nothing but a type can stand
 * where a type is put into a statement.
 *
 * Must stay true: what comes back is made of what was read, never the text itself.
 */

import { AppError } from '@glasshouse/model';
import { identifierFault, isOperator, isWord, tokenize, type Token } from '../lexer.ts';
import { isAggregate, words } from './functions.ts';
import { shorten } from './policy.ts';

/** Families without arguments, the engine's aliases of one word among them. */
const PLAIN: ReadonlySet<string> = lowerSet(`
  Int8 Int16 Int32 Int64 Int128 Int256 UInt8 UInt16 UInt32 UInt64 UInt128 UInt256 Float32 Float64 BFloat16 Bool String UUID IPv4 IPv6
  Date Date32 DateTime DateTime32 Time JSON Dynamic Point Ring LineString MultiLineString Polygon MultiPolygon Geometry
  TINYINT SMALLINT MEDIUMINT INT INTEGER BIGINT INT1 BYTE BOOLEAN FLOAT REAL SINGLE DOUBLE DEC NUMERIC FIXED TEXT CHAR VARCHAR
  TINYTEXT MEDIUMTEXT LONGTEXT BLOB TINYBLOB MEDIUMBLOB LONGBLOB CLOB TIMESTAMP INET4 INET6
`);

/** Families whose arguments are whole numbers, with the most of them that there can be. */
const NUMBERED: ReadonlyMap<string, number> = new Map(
  Object.entries({
    FixedString: 1,
    Decimal: 2,
    Decimal32: 1,
    Decimal64: 1,
    Decimal128: 1,
    Decimal256: 1,
    DEC: 2,
    NUMERIC: 2,
    FIXED: 2,
    Time64: 1,
    VARCHAR: 1,
    CHAR: 1,
    TINYINT: 1,
    SMALLINT: 1,
    INT: 1,
    INTEGER: 1,
    BIGINT: 1,
  }).map(([name, count]) => [name.toLowerCase(), count]),
);

/** Families of other types, with how many they have. */
const WRAPPERS: ReadonlyMap<string, readonly [least: number, most: number]> = new Map([
  ['array', [1, 1]],
  ['nullable', [1, 1]],
  ['lowcardinality', [1, 1]],
  ['map', [2, 2]],
  ['variant', [1, 200]],
]);

const MAX_LENGTH = 20_000;
/** Deeper types are no schema but an attack on the stack. */
const MAX_DEPTH = 32;
const INTEGER = /^\d{1,18}$/u;

/**
 * Judges one data type; answers with it in one way of writing. `what` says whose it is, for messages: `the type of column=a`.
 *
 * Throws `bad_request` for what is no type, or none that a table of a tenant may have.
 */
export function judgeType(text: string, what = 'the type'): string {
  const refuse = (why: string, token?: Token): AppError => {
    const where = token === undefined ? '' : ` at position ${token.start + 1}`;
    return new AppError('bad_request', `cannot use ${what}${where}: ${why}`);
  };
  if (text.length > MAX_LENGTH) throw refuse(`it has more than ${MAX_LENGTH} characters`);
  const tokens = tokenize(text);
  if (hasComments(text, tokens)) throw refuse('write it without comments');
  const reader = new TypeReader(tokens, refuse);
  const type = reader.type(0);
  reader.end();
  return type;
}

/** Whether there is anything but white space between the tokens. A comment could hide what is put behind the text. */
export function hasComments(text: string, tokens: readonly Token[]): boolean {
  let at = 0;
  for (const { start, end } of tokens) {
    if (text.slice(at, start).trim() !== '') return true;
    at = end;
  }
  return text.slice(at).trim() !== '';
}

class TypeReader {
  private readonly tokens: readonly Token[];
  private readonly refuse: (why: string, token?: Token) => AppError;
  private at = 0;

  constructor(tokens: readonly Token[], refuse: (why: string, token?: Token) => AppError) {
    this.tokens = tokens;
    this.refuse = refuse;
  }

  end(): void {
    const token = this.tokens[this.at];
    if (token !== undefined) throw this.refuse(`${shorten(token.text)} does not belong to a type`, token);
  }

  type(depth: number): string {
    const token = this.next('a type');
    if (token.kind !== 'word') throw this.refuse(`${shorten(token.text)} is no type`, token);
    if (depth > MAX_DEPTH) throw this.refuse(`types can be nested ${MAX_DEPTH} times`, token);
    const name = token.value;
    const lowered = name.toLowerCase();
    if (!isOperator(this.tokens[this.at], '(')) {
      if (PLAIN.has(lowered)) return name;
      throw this.refuse(
        `there is no type ${shorten(name)}${this.isFamily(lowered) ? ' without arguments' : ''}`,
        token,
      );
    }
    this.at += 1;
    const parts = this.parts(lowered, token, depth + 1);
    this.take(')');
    return `${name}(${parts.join(', ')})`;
  }

  private isFamily(name: string): boolean {
    return (
      NUMBERED.has(name) ||
      WRAPPERS.has(name) ||
      /^(?:tuple|nested|enum(?:8|16)?|datetime64|(?:simple)?aggregatefunction)$/u.test(name)
    );
  }

  private parts(family: string, token: Token, depth: number): string[] {
    const wrapped = WRAPPERS.get(family);
    if (wrapped !== undefined) {
      const types = this.list(() => this.type(depth));
      if (types.length >= wrapped[0] && types.length <= wrapped[1]) return types;
      throw this.refuse(`${token.value} cannot have ${types.length} types`, token);
    }
    const most = NUMBERED.get(family);
    if (most !== undefined) {
      const numbers = this.list(() => this.number());
      if (numbers.length <= most) return numbers;
      throw this.refuse(`${token.value} cannot have ${numbers.length} arguments`, token);
    }
    switch (family) {
      case 'datetime':
        return [this.text('a time zone')];
      case 'datetime64': {
        const scale = this.number();
        return this.skip(',') ? [scale, this.text('a time zone')] : [scale];
      }
      case 'enum':
      case 'enum8':
      case 'enum16':
        return this.list(() => this.enumValue());
      case 'tuple':
      case 'nested':
        return this.list(() => this.element(family === 'nested', depth));
      case 'dynamic':
        return [this.option(['max_types'])];
      case 'json':
        return this.list(() => this.jsonPart(depth));
      case 'aggregatefunction':
      case 'simpleaggregatefunction':
        return this.aggregate(depth);
      default:
        throw this.refuse(`there is no type ${shorten(token.value)} with arguments`, token);
    }
  }

  /** `'a'` or `'a' = 1`. */
  private enumValue(): string {
    const text = this.text('a value');
    if (!this.skip('=')) return text;
    const sign = this.skip('-') ? '-' : '';
    return `${text} = ${sign}${this.number()}`;
  }

  /** `name Type`; in a tuple also a type alone. */
  private element(needsName: boolean, depth: number): string {
    const [first, second] = [this.tokens[this.at], this.tokens[this.at + 1]];
    const isNamed =
      second !== undefined && second.kind === 'word' && (first?.kind === 'word' || first?.kind === 'quoted');
    if (!isNamed && !needsName) return this.type(depth);
    return `${this.name()} ${this.type(depth)}`;
  }

  /** `a.b Type`, `SKIP a.b`, `SKIP REGEXP 'x'`, `max_dynamic_paths = 8`. */
  private jsonPart(depth: number): string {
    const token = this.tokens[this.at];
    if (isWord(token, 'SKIP')) {
      this.at += 1;
      if (!isWord(this.tokens[this.at], 'REGEXP')) return `SKIP ${this.path()}`;
      this.at += 1;
      return `SKIP REGEXP ${this.text('a pattern')}`;
    }
    if (isOperator(this.tokens[this.at + 1], '=')) return this.option(['max_dynamic_paths', 'max_dynamic_types']);
    return `${this.path()} ${this.type(depth)}`;
  }

  /** The function with its parameters, which are literals, and the types of its arguments. */
  private aggregate(depth: number): string[] {
    const version = this.tokens[this.at]?.kind === 'number' ? [this.number()] : [];
    if (version.length > 0) this.take(',');
    const token = this.next('an aggregate function');
    if (token.kind !== 'word' || !isAggregate(token.value))
      throw this.refuse(`there is no aggregate function ${shorten(token.text)}`, token);
    const parameters = this.skip('(') ? this.list(() => this.literal()) : undefined;
    if (parameters !== undefined) this.take(')');
    const call = parameters === undefined ? token.value : `${token.value}(${parameters.join(', ')})`;
    const types = this.skip(',') ? this.list(() => this.type(depth)) : [];
    return [...version, call, ...types];
  }

  private option(names: readonly string[]): string {
    const token = this.next('an option');
    if (token.kind !== 'word' || !names.includes(token.value))
      throw this.refuse(`there is no option ${shorten(token.text)}`, token);
    this.take('=');
    return `${token.value} = ${this.number()}`;
  }

  private path(): string {
    const parts = [this.name()];
    while (this.skip('.')) parts.push(this.name());
    return parts.join('.');
  }

  private name(): string {
    const token = this.next('a name');
    if (token.kind !== 'word' && token.kind !== 'quoted') throw this.refuse(`${shorten(token.text)} is no name`, token);
    if (identifierFault(token.value) !== undefined || /[`"]/u.test(token.value))
      throw this.refuse('it has a name with quotes in it', token);
    return token.kind === 'word' ? token.value : `\`${token.value}\``;
  }

  private literal(): string {
    const sign = this.skip('-') ? '-' : '';
    const token = this.next('a number');
    if (token.kind === 'number' || (token.kind === 'string' && sign === '')) return sign + token.text;
    throw this.refuse(`${shorten(token.text)} is no literal`, token);
  }

  private number(): string {
    const token = this.next('a whole number');
    if (token.kind !== 'number' || !INTEGER.test(token.text))
      throw this.refuse(`${shorten(token.text)} is no whole number`, token);
    return token.text;
  }

  private text(what: string): string {
    const token = this.next(what);
    if (token.kind !== 'string' || !token.text.startsWith("'"))
      throw this.refuse(`${shorten(token.text)} is not ${what} in quotes`, token);
    return token.text;
  }

  private list<Part>(read: () => Part): Part[] {
    const parts = [read()];
    while (this.skip(',')) parts.push(read());
    return parts;
  }

  private skip(operator: string): boolean {
    if (!isOperator(this.tokens[this.at], operator)) return false;
    this.at += 1;
    return true;
  }

  private take(operator: string): void {
    const token = this.tokens[this.at];
    if (!this.skip(operator))
      throw this.refuse(
        `${token === undefined ? 'the end' : shorten(token.text)} stands where ${operator} should be`,
        token,
      );
  }

  private next(what: string): Token {
    const token = this.tokens[this.at];
    if (token === undefined) throw this.refuse(`${what} is missing`);
    this.at += 1;
    return token;
  }
}

function lowerSet(list: string): ReadonlySet<string> {
  return new Set(words(list).map((word) => word.toLowerCase()));
}
