/**
 * The block of generations: a row of the generations room, its cost and its place, as columns. Separate because nothing here knows
 * where a row comes from.
 *
 * Must stay true: what a row does not have costs nothing here. Most of the columns are empty in most rows, so they lag behind
 * until one has a value for them.
 */

import { randomBytes } from 'node:crypto';
import { MAPPED_COLUMNS } from '@glasshouse/generations';
import type { GenerationValues } from '@glasshouse/generations';
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
import type { Total } from '@glasshouse/pricing';
import { GENERATIONS } from '@glasshouse/schema';

/** What a row is besides what was reported. */
export interface Placed {
  readonly placement: Placement;
  readonly row: GenerationValues;
  /** When the request was made, in nanoseconds since 1970. */
  readonly time: bigint;
  readonly duplicate: boolean;
  readonly total: Total;
  /** Version of the prices. */
  readonly version: string;
}

type Append = (value: string | number | boolean) => void;

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
  /** By the place of the value in a row; undefined for the time, which is not among the reported columns. */
  private readonly reported: readonly (Append | undefined)[] = MAPPED_COLUMNS.map(({ name, kind, type }) =>
    kind === 'time' ? undefined : this.appender(name, kind, type),
  );

  append({ placement, row, time, duplicate, total, version }: Placed): void {
    this.segment.repeat(1);
    this.tenant.appendString(placement.tenant);
    this.project.appendString(placement.project);
    this.environment.appendString(placement.environment);
    this.ids.append(Number(time / 1_000_000n));
    this.duplicate.appendUint8(duplicate ? 1 : 0);
    const [low, high] = [Number(time & 0xffff_ffffn), Number(time >> 32n)];
    this.time.appendHalves(low, high);
    this.block.days.add(low, high);
    for (let place = 0; place < row.length; place++) {
      const value = row[place];
      if (value !== null && value !== undefined && value !== '') this.reported[place]?.(value);
    }
    this.appendCost(total, version);
    this.block.rows++;
  }

  private appendCost(total: Total, version: string): void {
    if (total.money === undefined) this.cost.appendDefault();
    else {
      this.cost.appendUint128(total.money);
      for (const [kind, money] of total.parts) {
        this.parts.keys.appendString(kind);
        this.parts.values.appendUint128(money);
      }
    }
    this.parts.close();
    this.priceRow.appendString(total.row ?? '');
    this.priceVersion.appendString(version);
  }

  /** How a column takes a value of its kind. */
  private appender(name: string, kind: string, type: string): Append {
    const { block } = this;
    if (type === 'LowCardinality(String)' || type === 'String') {
      const column = type === 'String' ? block.column(name, StringColumn) : block.column(name, LowCardinalityColumn);
      return (value) => {
        if (typeof value !== 'string') return;
        block.catchUp(column);
        column.appendString(value);
      };
    }
    const column = block.column(name, NullableColumn);
    return (value) => {
      block.catchUp(column);
      if (kind === 'count') column.appendUint64(Number(value));
      else if (kind === 'number') column.appendFloat64(Number(value));
      else if (kind === 'flag') column.appendUint8(value === true ? 1 : 0);
      else column.appendUint128(BigInt(value));
    };
  }
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
