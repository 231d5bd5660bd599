/**
 * Which changes of a column's type lose nothing, whatever the values are. The engine can make these in place.
 *
 * Must stay true: a change that could lose a value, or fail on one, is not a widening. What is called one here is tried out
 * against the engine in `diff.test.ts`.
 */

/** A type taken apart: `Map(String, Array(Int8))` is Map with two arguments. */
interface TypeTree {
  readonly name: string;
  readonly args: readonly string[];
}

/** Whether each value of the one type is a value of the other. Types are written as `takeType` writes them. */
export function isWidening(before: string, after: string): boolean {
  if (before === after) return true;
  const [from, to] = [treeOf(before), treeOf(after)];
  const [fromInner = '', toInner = ''] = [from.args[0], to.args[0]];
  if (to.name === 'Nullable') return isWidening(from.name === 'Nullable' ? fromInner : before, toInner);
  if (to.name === 'LowCardinality') return isWidening(from.name === 'LowCardinality' ? fromInner : before, toInner);
  if (from.name === 'LowCardinality') return isWidening(fromInner, after);
  if (from.name === 'Nullable') return false;
  switch (from.name) {
    case 'Array':
    case 'Map':
    case 'Tuple':
      return sameShape(from, to);
    case 'Enum8':
    case 'Enum16':
    case 'Enum':
      return to.name === 'String' || isWiderEnum(from, to);
    case 'Decimal':
      return isWiderDecimal(from, to);
    case 'FixedString':
      return to.name === 'FixedString' && Number(fromInner) <= Number(toInner);
    // The time zone is for reading and writing only.
    case 'DateTime':
      return to.name === 'DateTime' || to.name === 'DateTime64';
    case 'DateTime64':
      // Years that nanoseconds have no place for are not in use.
      return to.name === 'DateTime64' && Number(fromInner) <= Number(toInner);
    default:
      return from.args.length === 0 && to.args.length === 0 && isWiderScalar(from.name, to.name);
  }
}

const ALIASES: ReadonlyMap<string, string> = new Map([
  ['boolean', 'Bool'],
  ['bool', 'Bool'],
]);

function treeOf(type: string): TypeTree {
  const open = type.indexOf('(');
  if (open === -1) return { name: ALIASES.get(type.toLowerCase()) ?? type, args: [] };
  return { name: type.slice(0, open), args: splitArguments(type.slice(open + 1, -1)) };
}

function splitArguments(text: string): string[] {
  const args: string[] = [''];
  let depth = 0;
  let quote = '';
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charAt(at);
    if (quote !== '') {
      if (char === quote) quote = '';
      else if (char === '\\') args[args.length - 1] += text.charAt(at++);
    } else if (char === "'" || char === '`' || char === '"') quote = char;
    else if (char === '(') depth += 1;
    else if (char === ')') depth -= 1;
    if (char === ',' && depth === 0 && quote === '') args.push('');
    else args[args.length - 1] += text.charAt(at);
  }
  return args.map((arg) => arg.trim());
}

/** The elements of a tuple have names, which have to stay. */
function sameShape(from: TypeTree, to: TypeTree): boolean {
  if (from.name !== to.name || from.args.length !== to.args.length) return false;
  return from.args.every((arg, index) => {
    const [before, after] = [elementOf(arg), elementOf(to.args[index] ?? '')];
    return before.name === after.name && isWidening(before.type, after.type);
  });
}

function elementOf(arg: string): { readonly name: string; readonly type: string } {
  const match = /^(\w+|`[^`]*`|"[^"]*") (\w.*)$/su.exec(arg);
  return { name: match?.[1] ?? '', type: match?.[2] ?? arg };
}

function isWiderEnum(from: TypeTree, to: TypeTree): boolean {
  const widths = ['Enum8', 'Enum', 'Enum16'];
  if (!widths.includes(to.name) || (from.name === 'Enum16' && to.name !== 'Enum16')) return false;
  const values = new Set(to.args);
  return from.args.every((arg) => arg.includes('=') && values.has(arg));
}

function isWiderDecimal(from: TypeTree, to: TypeTree): boolean {
  if (to.name !== 'Decimal') return false;
  const [precision = 10, scale = 0] = from.args.map(Number);
  const [toPrecision = 10, toScale = 0] = to.args.map(Number);
  return toScale >= scale && toPrecision - toScale >= precision - scale;
}

/** Types whose values have one text each, from which they could be read again. */
const WRITABLE = /^(?:U?Int\d+|UUID|Date|Date32|IPv4|IPv6|Bool)$/u;
/** Whole numbers up to 2^24 and 2^53 are exact in floats. */
const MANTISSA: ReadonlyMap<string, number> = new Map([
  ['Float32', 24],
  ['Float64', 53],
]);

function isWiderScalar(from: string, to: string): boolean {
  if (from === to) return true;
  if (to === 'String') return WRITABLE.test(from);
  if (from === 'Float32') return to === 'Float64';
  if (from === 'Date') return to === 'Date32';
  const [source, target] = [integerOf(from), integerOf(to)];
  if (source === undefined) return false;
  if (target === undefined) return source.bits <= (MANTISSA.get(to) ?? 0);
  if (source.signed) return target.signed && target.bits >= source.bits;
  return target.signed ? target.bits > source.bits : target.bits >= source.bits;
}

function integerOf(name: string): { readonly signed: boolean; readonly bits: number } | undefined {
  const match = /^(U?)Int(8|16|32|64|128|256)$/u.exec(name);
  return match === null ? undefined : { signed: match[1] === '', bits: Number(match[2]) };
}
