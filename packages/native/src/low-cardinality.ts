/**
 * LowCardinality columns: a dictionary per block and an index per value.
 *
 * The values seen lately stay interned between blocks, so a block only has to copy the ones it uses into its dictionary.
 * Telemetry repeats itself in order (the attribute after `http.method` is nearly always `http.route`), so each value
 * remembers which one followed it: the usual append is one comparison and no hash.
 *
 * Must stay true: the interner is bounded. When it is full it starts afresh with the next block.
 */

import { invariant } from '@glasshouse/model';
import { ByteBuffer } from './buffer.ts';
import type { Column, Pieces, TextRepairs } from './column.ts';
import type { Source } from './text.ts';
import { copyText, encodeText, hashOf, repairText, sameBytes, sourceOf } from './text.ts';

/** Native format: version of the keys serialisation (SharedDictionariesWithAdditionalKeys). */
const KEYS_VERSION = 1;
/** Native format: the dictionary is in the block (HasAdditionalKeys) and replaces any earlier one (NeedUpdateDictionary). */
export const INDEX_FLAGS = 0x600;

/** What a column begins with. */
export const PREFIX = new Uint8Array([KEYS_VERSION, 0, 0, 0, 0, 0, 0, 0]);
/** Bytes of a value that are copied one by one rather than by a call. */
const SHORT_VALUE = 24;

const MAX_INTERNED_VALUES = 1 << 17;
const MAX_INTERNED_BYTES = 16 << 20;

export class LowCardinalityColumn implements Column {
  count = 0;
  /** How often the interner began afresh: values have new numbers since. */
  forgotten = 0;
  private readonly repairs: TextRepairs;

  // The interner: value `id` is arena[offsets[id], + lengths[id]); `table` is its hash index (id + 1, 0 = free).
  private readonly arena = new ByteBuffer(1024);
  private offsets = new Uint32Array(64);
  private lengths = new Uint32Array(64);
  private hashes = new Int32Array(64);
  private successors = new Int32Array(64);
  private table = new Int32Array(256);
  private interned = 0;
  private previous = 0;
  /** Interned values by the string that they were given as, for rows that are strings already. */
  private readonly ids = new Map<string, number>();
  /** The string that was given last, which is likely to come again, and its value. */
  private lastText: string | undefined;
  private lastId = 0;

  // The block: which interned values it uses, in dictionary order, and an index per value.
  private stamps = new Uint32Array(64);
  private locals = new Uint32Array(64);
  private epoch = 1;
  private dictionary = new Uint32Array(64);
  private dictionarySize = 0;
  private indexes: Uint8Array | Uint16Array | Uint32Array = new Uint8Array(256);
  /** Memory of the widths that are not in use now, kept because a column that was wide once will be again. */
  private readonly spare = new Map<number, Uint8Array | Uint16Array | Uint32Array>();

  /** The dictionary as it is written. */
  private readonly head = new ByteBuffer(64);

  private markedCount = 0;
  private markedDictionary = 0;

  constructor(repairs: TextRepairs) {
    this.repairs = repairs;
  }

  mark(): void {
    this.markedCount = this.count;
    this.markedDictionary = this.dictionarySize;
  }

  rollback(): void {
    this.count = this.markedCount;
    while (this.dictionarySize > this.markedDictionary) {
      this.stamps[this.dictionary[--this.dictionarySize] as number] = 0;
    }
    const width = this.dictionarySize <= 0x100 ? 1 : this.dictionarySize <= 0x1_0000 ? 2 : 4;
    if (width < this.indexes.BYTES_PER_ELEMENT) this.changeWidth(width);
  }

  reset(): void {
    this.count = 0;
    this.dictionarySize = 0;
    this.epoch++;
    if (this.indexes.BYTES_PER_ELEMENT > 1) this.changeWidth(1);
    if (this.interned > MAX_INTERNED_VALUES || this.arena.length > MAX_INTERNED_BYTES) this.forget();
    this.mark();
  }

  private forget(): void {
    this.forgotten++;
    this.arena.length = 0;
    this.interned = 0;
    this.previous = 0;
    this.ids.clear();
    this.lastText = undefined;
    this.table.fill(0);
    this.stamps.fill(0);
  }

  /** Number of the value that was appended last. Another value has another one, until `forgotten` changes. */
  get last(): number {
    return this.previous;
  }

  appendDefault(): void {
    this.appendString('');
  }

  appendDefaults(values: number): void {
    this.repeat(this.localOfString(''), values);
  }

  isDefault(): boolean {
    if (this.dictionarySize > 1) return false;
    return this.dictionarySize === 0 || this.lengths[this.dictionary[0] as number] === 0;
  }

  appendString(text: string): void {
    this.push(this.localOfString(text));
  }

  appendText(source: Source, start: number, end: number): void {
    this.push(this.localOf(source, start, end));
  }

  /** Appends the value at dictionary position `local`, `times` times. */
  repeat(local: number, times: number): void {
    this.reserve(times);
    this.indexes.fill(local, this.count, this.count + times);
    this.count += times;
  }

  /** Appends the run of dictionary positions `cell`, `times` times. */
  repeatCell(cell: readonly number[], times: number): void {
    const length = cell.length;
    if (length === 0 || times === 0) return;
    this.reserve(length * times);
    const { indexes, count } = this;
    for (let at = 0; at < length; at++) indexes[count + at] = cell[at] as number;
    // Doubling: each step copies all that is there, so n rows take log2(n) copies.
    const total = length * times;
    for (let done = length; done < total; done *= 2) {
      indexes.copyWithin(count + done, count, count + Math.min(done, total - done));
    }
    this.count += total;
  }

  absorb(other: Column): void {
    invariant(other instanceof LowCardinalityColumn, 'columns of two types');
    const { dictionary, dictionarySize, offsets, lengths, arena, count } = other;
    const positions = new Uint32Array(dictionarySize);
    for (let local = 0; local < dictionarySize; local++) {
      const id = dictionary[local] as number;
      const start = offsets[id] as number;
      positions[local] = this.localOf(arena, start, start + (lengths[id] as number));
    }
    this.reserve(count);
    for (let at = 0; at < count; at++) {
      this.indexes[this.count + at] = positions[other.indexes[at] as number] as number;
    }
    this.count += count;
  }

  localOfString(text: string): number {
    const known = text === this.lastText ? this.lastId : this.ids.get(text);
    if (known !== undefined) {
      this.lastText = text;
      this.lastId = known;
      this.previous = known;
      return this.stamps[known] === this.epoch ? (this.locals[known] as number) : this.enter(known);
    }
    const bytes = encodeText(text);
    const local = this.localOf(sourceOf(bytes), 0, bytes.length);
    // Strings that are no Unicode may be many for one value.
    if (this.ids.size < this.interned) this.ids.set(text, this.previous);
    return local;
  }

  /** The position of `source[start, end)` in this block's dictionary, which is added if it isn't there. */
  localOf(source: Source, start: number, end: number): number {
    const length = end - start;
    const guess = this.successors[this.previous] as number;
    let id = guess;
    if (
      guess >= this.interned ||
      (this.lengths[guess] as number) !== length ||
      !sameBytes(this.arena.view, this.offsets[guess] as number, source.view, start, length)
    ) {
      id = this.intern(source, start, length);
      if (this.previous < this.interned) this.successors[this.previous] = id;
    }
    this.previous = id;
    return this.stamps[id] === this.epoch ? (this.locals[id] as number) : this.enter(id);
  }

  private push(local: number): void {
    if (this.count === this.indexes.length) this.reserve(1);
    this.indexes[this.count++] = local;
  }

  private reserve(values: number): void {
    const needed = this.count + values;
    if (needed <= this.indexes.length) return;
    const length = Math.max(needed, this.indexes.length * 2);
    const larger = indexArray(this.indexes.BYTES_PER_ELEMENT, length);
    larger.set(this.indexes.subarray(0, this.count));
    this.indexes = larger;
  }

  /** Continues with indexes of another width, keeping those that are there. */
  private changeWidth(width: number): void {
    const before = this.indexes;
    this.spare.set(before.BYTES_PER_ELEMENT, before);
    let after = this.spare.get(width);
    if (after === undefined || after.length < before.length) after = indexArray(width, before.length);
    after.set(before.subarray(0, this.count));
    this.indexes = after;
  }

  /** Enters an interned value into the block's dictionary. */
  private enter(id: number): number {
    const local = this.dictionarySize++;
    if (local === this.dictionary.length) this.dictionary = grown(this.dictionary);
    this.dictionary[local] = id;
    this.stamps[id] = this.epoch;
    this.locals[id] = local;
    if (local === 0x100) this.changeWidth(2);
    else if (local === 0x1_0000) this.changeWidth(4);
    return local;
  }

  private intern(source: Source, start: number, length: number): number {
    const hash = hashOf(source, start, length);
    let slot = hash & (this.table.length - 1);
    for (let entry = this.table[slot] as number; entry !== 0; entry = this.table[slot] as number) {
      const id = entry - 1;
      if (
        this.hashes[id] === hash &&
        this.lengths[id] === length &&
        sameBytes(this.arena.view, this.offsets[id] as number, source.view, start, length)
      ) {
        return id;
      }
      slot = (slot + 1) & (this.table.length - 1);
    }
    return this.add(source, start, length, hash);
  }

  private add(source: Source, start: number, length: number, hash: number): number {
    const arena = this.arena;
    arena.reserve(length);
    if (!copyText(source, start, start + length, arena.bytes, arena.view, arena.length)) {
      this.repairs.count++;
      const repaired = repairText(source, start, start + length);
      return this.intern(sourceOf(repaired), 0, repaired.length);
    }
    const id = this.interned++;
    if (id === this.offsets.length) this.growInterner();
    this.offsets[id] = arena.length;
    this.lengths[id] = length;
    this.hashes[id] = hash;
    this.successors[id] = id;
    this.stamps[id] = 0;
    arena.length += length;
    if (this.interned * 2 > this.table.length) this.rehash();
    else this.place(id, hash);
    return id;
  }

  private place(id: number, hash: number): void {
    const mask = this.table.length - 1;
    let slot = hash & mask;
    while (this.table[slot] !== 0) slot = (slot + 1) & mask;
    this.table[slot] = id + 1;
  }

  private rehash(): void {
    this.table = new Int32Array(this.table.length * 2);
    for (let id = 0; id < this.interned; id++) this.place(id, this.hashes[id] as number);
  }

  private growInterner(): void {
    this.offsets = grown(this.offsets);
    this.lengths = grown(this.lengths);
    this.stamps = grown(this.stamps);
    this.locals = grown(this.locals);
    const hashes = new Int32Array(this.hashes.length * 2);
    hashes.set(this.hashes);
    this.hashes = hashes;
    const successors = new Int32Array(this.successors.length * 2);
    successors.set(this.successors);
    this.successors = successors;
  }

  writePrefix(out: Pieces): void {
    out.push(PREFIX);
  }

  writeData(out: Pieces): void {
    // Native omits the whole body of a column without values.
    if (this.count === 0) return;
    const widthCode = { 1: 0, 2: 1, 4: 2 }[this.indexes.BYTES_PER_ELEMENT] as number;
    const { head } = this;
    head.clear();
    head.uint64(INDEX_FLAGS | widthCode);
    head.uint64(this.dictionarySize);
    for (let local = 0; local < this.dictionarySize; local++) {
      const id = this.dictionary[local] as number;
      const [offset, length] = [this.offsets[id] as number, this.lengths[id] as number];
      head.varint(length);
      head.reserve(length);
      if (length > SHORT_VALUE) head.bytes.set(this.arena.bytes.subarray(offset, offset + length), head.length);
      else for (let at = 0; at < length; at++) head.bytes[head.length + at] = this.arena.bytes[offset + at] as number;
      head.length += length;
    }
    head.uint64(this.count);
    out.push(head.written());
    out.push(new Uint8Array(this.indexes.buffer, 0, this.count * this.indexes.BYTES_PER_ELEMENT));
  }
}

function indexArray(width: number, length: number): Uint8Array | Uint16Array | Uint32Array {
  return width === 1 ? new Uint8Array(length) : width === 2 ? new Uint16Array(length) : new Uint32Array(length);
}

function grown(array: Uint32Array): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(array.length * 2);
  larger.set(array);
  return larger;
}
