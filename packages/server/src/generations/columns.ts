/**
 * The block of generations: a row of the generations room, its cost and its place, as columns. Separate because nothing here knows
 * where a row comes from.
 *
 * Must stay true: what a row does not have costs nothing here. Most of the columns are empty in most rows, so they lag behind
 * until one has a value for them.
 */

import { randomBytes } from 'node:crypto';
import { MAPPED_COLUMNS, TextRange } from '@glasshouse/generations';
import type { ColumnKind, PackedValue, PackedValues } from '@glasshouse/generations';
import type { Placement } from '@glasshouse/model';
import {
  Block,
  ConstantColumn,
  FixedColumn,
  LowCardinalityColumn,
  MapColumn,
  NullableColumn,
  StringColumn,
} from '@glasshouse/native';
import type { Column } from '@glasshouse/native';
import type { Total } from '@glasshouse/pricing';
import { GENERATIONS } from '@glasshouse/schema';
import type { Moment } from './moment.ts';

/** What a row is besides what was reported. */
export interface Placed {
  readonly placement: Placement;
  readonly row: PackedValues;
  /** When the request was made. */
  readonly time: Moment;
  readonly duplicate: boolean;
  readonly total: Total;
  /** Version of the prices. */
  readonly version: string;
}

/** What a column takes of a row; a time is not among the reported columns. */
type Taken = 'amount' | 'count' | 'flag' | 'number' | 'text' | 'time' | 'word';

const REPORTED = MAPPED_COLUMNS.filter(({ kind }) => kind !== 'time').map(({ name }) => name);

export class GenerationBlock {
  readonly block = new Block(GENERATIONS, new Set(REPORTED));
  private readonly segment = this.block.column('_segment', ConstantColumn);
  private readonly tenant = this.block.column('tenant_id', LowCardinalityColumn);
  private readonly project = this.block.column('project_id', LowCardinalityColumn);
  private readonly environment = this.block.column('environment', LowCardinalityColumn);
  private readonly ids = new RowIds(this.block.column('generation_id', FixedColumn));
  private readonly duplicate = this.block.column('duplicate', FixedColumn);
  private readonly time = this.block.column('time', FixedColumn);
  private readonly cost = this.block.column('cost', NullableColumn);
  private readonly parts = this.block.column('cost_parts', MapColumn) as MapColumn<LowCardinalityColumn, FixedColumn>;
  private readonly priceRow = this.block.column('price_row', LowCardinalityColumn);
  private readonly priceVersion = this.block.column('price_version', LowCardinalityColumn);
  // By the place of the value in a row: what its column takes, and the column, in the list of its class. No closures, so that each call
  // below is one to a known method.
  private readonly takes: readonly Taken[] = MAPPED_COLUMNS.map(({ kind, type }) => takenBy(kind, type));
  private readonly words = this.columns('word', LowCardinalityColumn);
  private readonly texts = this.columns('text', StringColumn);
  private readonly numbers = this.columns('number', NullableColumn);

  append({ placement, row, time, duplicate, total, version }: Placed): void {
    this.segment.repeat(1);
    this.tenant.appendString(placement.tenant);
    this.project.appendString(placement.project);
    this.environment.appendString(placement.environment);
    this.ids.append(time.ms);
    this.duplicate.appendUint8(duplicate ? 1 : 0);
    this.time.appendHalves(time.low, time.high);
    this.block.days.add(time.low, time.high);
    for (let place = 0; place < row.length; place++) {
      const value = row[place];
      if (value !== null && value !== undefined && value !== '') this.appendReported(place, value);
    }
    this.appendCost(total, version);
    this.block.rows++;
  }

  private appendReported(place: number, value: NonNullable<PackedValue>): void {
    const { rows } = this.block;
    const taken = this.takes[place] as Taken;
    if (taken === 'word') {
      const column = this.words[place] as LowCardinalityColumn;
      if (typeof value !== 'string') return;
      if (column.count < rows) column.appendDefaults(rows - column.count);
      column.appendString(value);
    } else if (taken === 'text') {
      const column = this.texts[place] as StringColumn;
      if (column.count < rows) column.appendDefaults(rows - column.count);
      if (value instanceof TextRange) column.appendText(value.source, value.start, value.end);
      else column.appendString(String(value));
    } else if (taken !== 'time') {
      const column = this.numbers[place] as NullableColumn;
      const missing = rows - column.count;
      if (missing > 0) column.appendDefaults(missing);
      if (taken === 'count') column.appendUint64(Number(value));
      else if (taken === 'number') column.appendFloat64(Number(value));
      else if (taken === 'flag') column.appendUint8(value === true ? 1 : 0);
      else column.appendUint128(typeof value === 'number' ? value : BigInt(String(value)));
    }
  }

  private appendCost(total: Total, version: string): void {
    if (total.money === undefined) this.cost.appendDefault();
    else {
      this.cost.appendUint128(total.exact ?? total.money);
      for (const [kind, money] of total.parts) {
        this.parts.keys.appendString(kind);
        this.parts.values.appendUint128(money);
      }
    }
    this.parts.close();
    this.priceRow.appendString(total.row ?? '');
    this.priceVersion.appendString(version);
  }

  /** The columns of a class, by the places of their values. */
  private columns<T extends Column>(
    taken: 'number' | 'text' | 'word',
    kind: abstract new (...args: never[]) => T,
  ): readonly (T | undefined)[] {
    return MAPPED_COLUMNS.map(({ name }, place) => {
      const own = this.takes[place];
      const list = own === 'word' || own === 'text' ? own : 'number';
      return own === 'time' || list !== taken ? undefined : this.block.column(name, kind);
    });
  }
}

function takenBy(kind: ColumnKind, type: string): Taken {
  if (kind === 'time') return 'time';
  if (type === 'LowCardinality(String)') return 'word';
  if (type === 'String') return 'text';
  return kind === 'count' || kind === 'number' || kind === 'flag' ? kind : 'amount';
}

/** UUIDv7 (RFC 9562, section 5.7): the row's time, and behind it a number of this process that counts. */
class RowIds {
  private readonly column: FixedColumn;
  private readonly random = randomBytes(4).readUInt32LE() & 0x3fff_ffff;
  private next = randomBytes(4).readUInt32LE();

  constructor(column: FixedColumn) {
    this.column = column;
  }

  append(ms: number): void {
    const count = this.next++ >>> 0;
    // The engine keeps a UUID as two 64-bit numbers, the upper one first.
    const upperLow = ((ms % 0x1_0000) * 0x1_0000 + 0x7000 + (count >>> 20)) >>> 0;
    this.column.appendHalves(upperLow, Math.floor(ms / 0x1_0000) >>> 0);
    this.column.appendHalves(count, (0x8000_0000 | this.random) >>> 0);
  }
}
