/**
 * Reads texts back out of a block in Native format: what `Block` writes of tables whose columns are texts, dictionaries and values
 * of eight bytes. For readers of the log; the engine reads its blocks itself.
 *
 * Must stay true: whatever the bytes are, it ends, reads nothing outside of them, and throws for what is no such block.
 */

/** The texts of a column, by row. */
export interface TextColumn {
  /** The value's bytes, in the memory of the block. */
  at(row: number): Buffer;
}

export interface ReadBlock {
  readonly rows: number;
  /** Columns that hold texts, by name. */
  readonly texts: ReadonlyMap<string, TextColumn>;
  /** Where the next block begins. */
  readonly end: number;
}

const MAX_COLUMNS = 1_000;
/** Low byte of the flags of a dictionary's indexes: how wide these are. */
const INDEX_WIDTHS = [1, 2, 4];

/** Reads the block that begins at `start`. Throws an Error that says what is wrong. */
export function readTexts(bytes: Uint8Array, start = 0): ReadBlock {
  const reader = new Reader(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), start);
  const columns = reader.varint();
  const rows = reader.varint();
  if (columns > MAX_COLUMNS || rows > bytes.length) throw unreadable(`it has ${columns} columns and ${rows} rows`);
  const texts = new Map<string, TextColumn>();
  for (let column = 0; column < columns; column++) {
    const name = reader.text().toString('utf8');
    const type = reader.text().toString('utf8');
    const values = readColumn(reader, type, rows);
    if (values !== undefined) texts.set(name, values);
  }
  return { rows, texts, end: reader.position };
}

function readColumn(reader: Reader, type: string, rows: number): TextColumn | undefined {
  if (type === 'String') return readStrings(reader, rows);
  if (type === 'LowCardinality(String)') return readDictionary(reader, rows, () => reader.text());
  if (type === 'LowCardinality(UInt64)') {
    readDictionary(reader, rows, () => reader.take(8));
    return undefined;
  }
  if (type.startsWith('DateTime64(')) {
    reader.take(8 * rows);
    return undefined;
  }
  throw unreadable(`it has a column of type ${type.slice(0, 60)}`);
}

function readStrings(reader: Reader, rows: number): TextColumn {
  const { bytes } = reader;
  const starts = new Uint32Array(rows);
  const lengths = new Uint32Array(rows);
  for (let row = 0; row < rows; row++) {
    const length = reader.varint();
    starts[row] = reader.position;
    lengths[row] = length;
    reader.take(length);
  }
  return {
    at: (row) => {
      const start = starts[row] as number;
      return bytes.subarray(start, start + (lengths[row] as number));
    },
  };
}

function readDictionary(reader: Reader, rows: number, value: () => Buffer): TextColumn {
  reader.take(8);
  if (rows === 0) return { at: () => Buffer.alloc(0) };
  const width = INDEX_WIDTHS[reader.take(8)[0] as number];
  if (width === undefined) throw unreadable('its indexes have a width that is not known');
  const size = reader.uint64();
  if (size > reader.bytes.length) throw unreadable(`it has a dictionary of ${size} values`);
  const values: Buffer[] = [];
  for (let index = 0; index < size; index++) values.push(value());
  if (reader.uint64() !== rows) throw unreadable('a column has not as many values as the block has rows');
  const indexes = reader.take(rows * width);
  return {
    at: (row) => {
      const found = values[indexes.readUIntLE(row * width, width)];
      if (found === undefined) throw unreadable('an index points behind its dictionary');
      return found;
    },
  };
}

class Reader {
  readonly bytes: Buffer;
  position: number;

  constructor(bytes: Buffer, position: number) {
    this.bytes = bytes;
    this.position = position;
  }

  take(length: number): Buffer {
    const end = this.position + length;
    if (end > this.bytes.length) throw unreadable('it ends in the middle');
    const taken = this.bytes.subarray(this.position, end);
    this.position = end;
    return taken;
  }

  text(): Buffer {
    return this.take(this.varint());
  }

  uint64(): number {
    return Number(this.take(8).readBigUInt64LE());
  }

  /** LEB128 of at most 32 bits and a little: a length in memory is no longer. */
  varint(): number {
    let value = 0;
    for (let factor = 1; factor <= 2 ** 42; factor *= 128) {
      const byte = this.take(1)[0] as number;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
    throw unreadable('it has a length that is too long');
  }
}

function unreadable(why: string): Error {
  return new Error(`cannot read the block: ${why}`);
}
