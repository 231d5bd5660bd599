/**
 * Tables of dialects, made once: which dialect a record is in, and what its columns are. Only columns that are fed by a slot that is
 * taken are looked at; each asks its sources in their order.
 *
 * Must stay true: whatever is in the slots, this returns, with the values that the compiled SQL of the same table has.
 */

import { MAPPED_COLUMNS, type ColumnKind } from './columns.ts';
import { holds, valueIn, valueOf, type Fed, type Holds } from './feeds.ts';
import type { Layout } from './layout.ts';
import type { PackedValue, PackedValues } from './packed.ts';
import type { RowValue } from './parse.ts';
import type { Slots } from './slots.ts';
import type { Dialect } from './source.ts';

/** The values of a row, in the order of the columns that a dialect may fill (`MAPPED_COLUMNS`). */
export type GenerationValues = readonly RowValue[];

interface Column {
  readonly place: number;
  readonly fed: readonly Fed[];
}

/** Dialects over the same records, in the order of precedence. */
export class Table {
  /** Slots of texts that are wanted as such: their bytes are not enough. */
  readonly words: ReadonlySet<number>;
  private readonly dialects: readonly DialectTable[];

  constructor(dialects: readonly Dialect[], layout: Layout) {
    const words = new Set<number>();
    const made = dialects.map((dialect) => new DialectTable(dialect, layout, words));
    // Only now it is known how many slots there are.
    for (const dialect of made) dialect.settle(layout.size);
    this.dialects = made;
    this.words = words;
  }

  /** The values of the record in the first dialect that recognises it, until the next is read; undefined if none does. */
  read(slots: Slots): PackedValues | undefined {
    for (const dialect of this.dialects) if (dialect.recognises(slots)) return dialect.read(slots);
    return undefined;
  }

  /** Whether a dialect recognises the record. */
  recognises(slots: Slots): boolean {
    return this.dialects.some((dialect) => dialect.recognises(slots));
  }
}

/** Which columns a record has that has these slots taken, in this order. */
interface Plan {
  readonly taken: Int32Array;
  readonly columns: readonly Column[];
}

/** Senders write the same keys in the same order, in a few shapes. */
const MAX_PLANS = 64;
const NO_PLAN: Plan = { taken: new Int32Array(), columns: [] };

class DialectTable {
  private readonly alternatives: readonly (readonly Holds[])[];
  /** The values of a row of which nothing is reported. */
  private readonly nothing: GenerationValues;
  private readonly columns: readonly Column[];
  /** By slot, the columns that it feeds. */
  private readonly fed: Column[][] = [];
  /** Columns that always have a value. */
  private readonly always: Column[] = [];
  /** The values of the last record. */
  private readonly row: PackedValue[];
  private last = NO_PLAN;
  private readonly plans = new Map<number, Plan>();

  constructor({ name: dialect, counting, when, columns }: Dialect, layout: Layout, words: Set<number>) {
    const given: Readonly<Record<string, string>> = { dialect, usage_dialect: counting.dialect };
    const places = { layout, words };
    this.nothing = MAPPED_COLUMNS.map(({ name, kind }) => given[name] ?? (isText(kind) ? '' : null));
    this.row = [...this.nothing];
    this.alternatives = when.map((conditions) => conditions.map((condition) => holds(condition, places)));
    this.columns = MAPPED_COLUMNS.flatMap((column, place) => {
      const sources = columns[column.name];
      return sources === undefined ? [] : [{ place, fed: sources.map((source) => valueOf(column, source, places)) }];
    });
  }

  settle(slots: number): void {
    for (let slot = 0; slot < slots; slot++) this.fed.push([]);
    for (const column of this.columns) {
      const { fed } = column;
      if (fed.some((each) => each.slots === undefined)) this.always.push(column);
      else for (const slot of new Set(fed.flatMap((each) => each.slots ?? []))) this.fed[slot]?.push(column);
    }
  }

  recognises(slots: Slots): boolean {
    for (const conditions of this.alternatives) {
      let isMet = true;
      for (let at = 0; isMet && at < conditions.length; at++) isMet = (conditions[at] as Holds)(slots);
      if (isMet) return true;
    }
    return false;
  }

  read(slots: Slots): PackedValues {
    const { row, nothing, last } = this;
    for (const { place } of last.columns) row[place] = nothing[place] as RowValue;
    const plan = isFor(last, slots) ? last : this.plan(slots);
    this.last = plan;
    for (const { place, fed } of plan.columns) {
      for (let at = 0; at < fed.length; at++) {
        const found = valueIn(fed[at] as Fed, slots);
        if (found === undefined) continue;
        row[place] = found;
        break;
      }
    }
    return row;
  }

  private plan(slots: Slots): Plan {
    const mark = markOf(slots);
    const known = this.plans.get(mark);
    if (known !== undefined && isFor(known, slots)) return known;
    if (this.plans.size >= MAX_PLANS) this.plans.clear();
    const taken = slots.taken.slice(0, slots.count);
    const columns = new Set([...taken].flatMap((slot) => this.fed[slot] ?? []));
    const isTaken = new Set(taken);
    const plan: Plan = { taken, columns: [...columns, ...this.always].map((column) => narrowed(column, isTaken)) };
    this.plans.set(mark, plan);
    return plan;
  }
}

/** The column with those of its sources that may have something where these slots are taken. */
function narrowed({ place, fed }: Column, taken: ReadonlySet<number>): Column {
  const asked = fed.filter(({ slots }) => slots === undefined || slots.some((slot) => taken.has(slot)));
  return {
    place,
    fed: asked.map((each) => ({ ...each, slots: each.slots?.filter((slot) => taken.has(slot)) })),
  };
}

function isFor({ taken }: Plan, { taken: wanted, count }: Slots): boolean {
  if (taken.length !== count) return false;
  for (let at = 0; at < count; at++) if (taken[at] !== wanted[at]) return false;
  return true;
}

function markOf({ taken, count }: Slots): number {
  let mark = count;
  for (let at = 0; at < count; at++) mark = (Math.imul(mark, 31) + (taken[at] as number)) | 0;
  return mark;
}

function isText(kind: ColumnKind): boolean {
  return kind === 'text' || kind === 'json';
}
