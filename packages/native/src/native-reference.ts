/**
 * Test support: reads a block in Native format by the format's description, without anything of the builders. Separate
 * because several tests use it; never imported by the server. (ClickHouse docs, "Native format"; the low-cardinality part is
 * the one of SerializationLowCardinality: version 1, additional keys in every block.)
 */

/**
 * A value: integers of 64 bits and more as bigint, decimals as the whole number of their smallest unit, FixedString in hex,
 * arrays as arrays, maps as arrays of pairs.
 */
export type NativeValue = string | number | bigint | null | readonly NativeValue[];

export interface NativeBlock {
  readonly rows: number;
  readonly types: ReadonlyMap<string, string>;
  readonly columns: ReadonlyMap<string, readonly NativeValue[]>;
}

/** Reads one block that fills `bytes`. Throws if there is more, or less, or text that isn't UTF-8. */
export function readNative(bytes: Uint8Array): NativeBlock {
  const reader = new NativeReader(bytes);
  const block = reader.block();
  if (!reader.atEnd()) throw new Error('there are bytes after the block');
  return block;
}

/** The same of a block of a table, with the columns that it lacks, as the engine fills them. */
export function readFilled(
  bytes: Uint8Array,
  { columns }: { readonly columns: readonly { readonly name: string; readonly type: string }[] },
): NativeBlock {
  const read = readNative(bytes);
  const filled = new Map(read.columns);
  for (const { name, type } of columns) {
    if (filled.has(name)) continue;
    const values = Array.from({ length: read.rows }, () => defaultOf(type));
    filled.set(name, values);
  }
  return { ...read, columns: filled };
}

/** What the engine fills a column with that a block lacks. */
export function defaultOf(type: string): NativeValue {
  if (type.startsWith('Nullable(')) return null;
  if (type.startsWith('Array(') || type.startsWith('Map(')) return [];
  if (type === 'UUID') return uuidText(0n, 0n);
  if (type === 'String' || type === 'LowCardinality(String)') return '';
  const size = /^FixedString\((\d+)\)$/.exec(type)?.[1];
  if (size !== undefined) return '00'.repeat(Number(size));
  return /^U?Int64|^DateTime64|^Decimal/.test(type) ? 0n : 0;
}

const STRICT = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

class NativeReader {
  private readonly bytes: Buffer;
  private pos = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.from(bytes);
  }

  atEnd(): boolean {
    return this.pos === this.bytes.length;
  }

  block(): NativeBlock {
    const [width, rows] = [this.varint(), this.varint()];
    const types = new Map<string, string>();
    const columns = new Map<string, readonly NativeValue[]>();
    for (let index = 0; index < width; index++) {
      const [name, type] = [this.text(), this.text()];
      types.set(name, type);
      this.prefix(type);
      columns.set(name, this.data(type, rows));
    }
    return { rows, types, columns };
  }

  private take(count: number): Buffer {
    if (this.pos + count > this.bytes.length) throw new Error('the block is cut off');
    this.pos += count;
    return this.bytes.subarray(this.pos - count, this.pos);
  }

  private varint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.take(1).readUInt8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  }

  private text(): string {
    return STRICT.decode(this.take(this.varint()));
  }

  private prefix(type: string): void {
    if (type.startsWith('LowCardinality(')) {
      if (this.take(8).readBigUInt64LE() !== 1n) throw new Error('unknown version of the keys');
      return;
    }
    for (const inner of innerTypes(type)) this.prefix(inner);
  }

  private data(type: string, count: number): NativeValue[] {
    if (type.startsWith('LowCardinality(')) return this.lowCardinality(type, count);
    if (type.startsWith('Array(') || type.startsWith('Map(')) return this.nested(type, count);
    if (type.startsWith('Nullable(')) {
      const missing = this.many(count, () => this.take(1).readUInt8());
      const values = this.data(innerTypes(type)[0] ?? '', count);
      return values.map((value, index) => (missing[index] === 1 ? null : value));
    }
    return this.many(count, () => this.value(type));
  }

  private many<T>(count: number, read: () => T): T[] {
    return Array.from({ length: count }, read);
  }

  private nested(type: string, count: number): NativeValue[] {
    const ends = this.many(count, () => Number(this.take(8).readBigUInt64LE()));
    const total = ends.at(-1) ?? 0;
    const parts = innerTypes(type).map((inner) => this.data(inner, total));
    const [first = [], second] = parts;
    const items: NativeValue[] = second === undefined ? first : first.map((key, at) => [key, second[at] ?? null]);
    return ends.map((end, row) => items.slice(ends[row - 1] ?? 0, end));
  }

  private lowCardinality(type: string, count: number): NativeValue[] {
    if (count === 0) return [];
    const flags = this.take(8).readBigUInt64LE();
    if ((flags & 0x600n) !== 0x600n) throw new Error('the dictionary is not in the block');
    const width = [1, 2, 4, 8][Number(flags & 0xffn)] ?? 0;
    const keys = Number(this.take(8).readBigUInt64LE());
    const dictionary = this.many(keys, () => this.value(innerTypes(type)[0] ?? ''));
    if (new Set(dictionary).size !== keys) throw new Error('the dictionary repeats a value');
    if (Number(this.take(8).readBigUInt64LE()) !== count) throw new Error('the number of values is wrong');
    return this.many(count, () => {
      const index = this.take(width).readUIntLE(0, width);
      const value = dictionary[index];
      if (value === undefined) throw new Error(`position ${index} is outside of the dictionary`);
      return value;
    });
  }

  private value(type: string): NativeValue {
    if (type === 'String') return this.text();
    const fixed = /^FixedString\((\d+)\)$/.exec(type);
    if (fixed !== null) return this.take(Number(fixed[1])).toString('hex');
    if (type.startsWith('DateTime64(') || type === 'Int64') return this.take(8).readBigInt64LE();
    if (type.startsWith('Enum8(')) return this.take(1).readInt8();
    if (type.startsWith('Decimal(38, ')) {
      const low = this.take(8).readBigUInt64LE();
      return (this.take(8).readBigInt64LE() << 64n) | low;
    }
    switch (type) {
      case 'UInt8':
      case 'Bool':
        return this.take(1).readUInt8();
      case 'UInt16':
        return this.take(2).readUInt16LE();
      case 'Int32':
        return this.take(4).readInt32LE();
      case 'UInt32':
        return this.take(4).readUInt32LE();
      case 'UInt64':
        return this.take(8).readBigUInt64LE();
      case 'Float64':
        return this.take(8).readDoubleLE();
      case 'UUID':
        return uuidText(this.take(8).readBigUInt64LE(), this.take(8).readBigUInt64LE());
      default:
        throw new Error(`unknown type ${type}`);
    }
  }
}

/** The types inside the parentheses of a type: one of an array or a low cardinality, two of a map, none of a flat one. */
function innerTypes(type: string): string[] {
  const [, kind, inside = ''] = /^(Array|Map|Nullable|LowCardinality)\((.*)\)$/s.exec(type) ?? [];
  if (kind === undefined) return [];
  const comma = inside.indexOf(', ');
  return kind === 'Map' ? [inside.slice(0, comma), inside.slice(comma + 2)] : [inside];
}

/** A UUID is two numbers of 64 bits, the upper one first. */
function uuidText(upper: bigint, lower: bigint): string {
  const digits = ((upper << 64n) | lower).toString(16).padStart(32, '0');
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
