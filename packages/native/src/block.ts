/**
 * A block of one table: a builder per column, made from the table's description.
 *
 * Must stay true: before a block is written every column has the same number of rows. `pieces` checks it, because a block
 * that is off by one row would poison its whole segment. A column of which no row has a value is left out of the block, and the
 * engine fills it with the type's default: so no column of such a table may have another default. Columns that are seldom filled
 * may lag behind (`catchUp`).
 */

import { invariant } from '@glasshouse/model';
import type { FactTable } from '@glasshouse/schema';
import { ByteBuffer } from './buffer.ts';
import type { Column, Pieces, TextRepairs } from './column.ts';
import { FixedColumn, StringColumn } from './column.ts';
import { ConstantColumn } from './constant-column.ts';
import { LowCardinalityColumn } from './low-cardinality.ts';
import { ArrayColumn, MapColumn } from './nested.ts';
import { NullableColumn } from './nullable.ts';
import { DayCounter } from './partition.ts';
import { encodeText } from './text.ts';

interface Named {
  readonly column: Column;
  /** Name and type as Native writes them. */
  readonly header: Uint8Array;
}

/** What a block needs to know of its table. */
export type BlockTable = Pick<FactTable, 'columns' | 'name'>;

export class Block {
  readonly table: BlockTable;
  readonly repairs: TextRepairs = { count: 0 };
  readonly days = new DayCounter();
  rows = 0;
  private readonly columns = new Map<string, Named>();
  private readonly lagging: ReadonlySet<string>;
  private readonly head = new ByteBuffer(20);
  private markedRows = 0;

  /** `lagging` are the names of the columns that may have fewer values than the block has rows. */
  constructor(table: BlockTable, lagging: ReadonlySet<string> = new Set()) {
    this.table = table;
    this.lagging = lagging;
    for (const { name, type } of table.columns) {
      const header = new ByteBuffer(64);
      for (const text of [name, type]) {
        const bytes = encodeText(text);
        header.varint(bytes.length);
        header.reserve(bytes.length);
        header.bytes.set(bytes, header.length);
        header.length += bytes.length;
      }
      this.columns.set(name, { column: columnOf(type, this.repairs), header: header.written() });
    }
  }

  /** An empty block of the same table. */
  another(): Block {
    return new Block(this.table, this.lagging);
  }

  /** The builder of a column, which must be of the given class. */
  column<T extends Column>(name: string, kind: abstract new (...args: never[]) => T): T {
    const named = this.columns.get(name);
    invariant(named, `table ${this.table.name} has no column ${name}`);
    invariant(named.column instanceof kind, `column ${this.table.name}.${name} is not a ${kind.name}`);
    return named.column;
  }

  /** Gives a column that lags behind its defaults for the rows so far, before it gets a value for the next one. */
  catchUp(column: Column): void {
    const missing = this.rows - column.count;
    if (missing > 0) column.appendDefaults(missing);
  }

  /** Remembers the present rows as the start of a request. */
  mark(): void {
    this.markedRows = this.rows;
    this.days.mark();
    for (const { column } of this.columns.values()) column.mark();
  }

  rollback(): void {
    this.rows = this.markedRows;
    this.days.rollback();
    for (const { column } of this.columns.values()) column.rollback();
  }

  reset(): void {
    this.rows = 0;
    this.markedRows = 0;
    this.days.reset();
    for (const { column } of this.columns.values()) column.reset();
  }

  /** Appends the rows of another block of the table, which lacks nothing: it was written. */
  absorb(other: Block): void {
    for (const [name, { column }] of this.columns) {
      const from = other.columns.get(name)?.column;
      invariant(from, `table ${other.table.name} has no column ${name}`);
      if (this.lagging.has(name)) {
        if (from.count === 0) continue;
        this.catchUp(column);
      }
      column.absorb(from);
    }
    this.days.absorb(other.days);
    this.rows += other.rows;
  }

  /** The block in Native format: number of columns and rows, then name, type, prefixes and data of each column that has values. */
  pieces(): Pieces {
    const { head } = this;
    head.clear();
    // Its place; what is in it is known at the end.
    const out: Pieces = [head.written()];
    let size = 0;
    for (const [name, { column, header }] of this.columns) {
      if (this.lagging.has(name)) {
        if (column.count === 0) continue;
        this.catchUp(column);
      }
      invariant(column.count === this.rows, `${this.table.name}.${name} has ${column.count} of ${this.rows} rows`);
      // Each column of a block costs the engine some microseconds, and of spans about a third has no values.
      if (this.rows > 0 && column.isDefault()) continue;
      size++;
      out.push(header);
      column.writePrefix(out);
      column.writeData(out);
    }
    head.varint(size);
    head.varint(this.rows);
    out[0] = head.written();
    return out;
  }
}

const FIXED_WIDTHS: Readonly<Record<string, number>> = {
  UInt8: 1,
  Bool: 1,
  UInt16: 2,
  Int32: 4,
  UInt32: 4,
  Int64: 8,
  UInt64: 8,
  Float64: 8,
  UUID: 16,
};

/** Makes the builder for a ClickHouse type. Knows the types that the fact tables use, and no others. */
export function columnOf(type: string, repairs: TextRepairs): Column {
  if (type === 'String') return new StringColumn(repairs);
  if (type === 'LowCardinality(String)') return new LowCardinalityColumn(repairs);
  if (type === 'LowCardinality(UInt64)') return new ConstantColumn();
  const width = FIXED_WIDTHS[type];
  if (width !== undefined) return new FixedColumn(width);
  if (type.startsWith('DateTime64(')) return new FixedColumn(8);
  if (type.startsWith('Enum8(')) return new FixedColumn(1);
  if (type.startsWith('Decimal(38, ')) return new FixedColumn(16);
  const argument = /^(\w+)\((.*)\)$/s.exec(type);
  const [, kind, inside = ''] = argument ?? [];
  if (kind === 'FixedString') return new FixedColumn(Number(inside));
  if (kind === 'Array') return new ArrayColumn(columnOf(inside, repairs));
  if (kind === 'Nullable') {
    const values = columnOf(inside, repairs);
    invariant(values instanceof FixedColumn, `no builder for type ${type}`);
    return new NullableColumn(values);
  }
  if (kind === 'Map') {
    const comma = inside.indexOf(', ');
    return new MapColumn(columnOf(inside.slice(0, comma), repairs), columnOf(inside.slice(comma + 2), repairs));
  }
  throw new Error(`BUG: no column builder for type ${type}`);
}
