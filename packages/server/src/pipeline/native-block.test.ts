/**
 * Blocks as the engine reads them: what the random tests are too small for. Columns of every kind at the sizes where their
 * encoding changes, several blocks in one file, and columns that hold nothing.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Engine } from '@glasshouse/engine';
import { startEngine } from '@glasshouse/engine';
import {
  ArrayColumn,
  Block,
  ConstantColumn,
  FixedColumn,
  LowCardinalityColumn,
  MapColumn,
  NullableColumn,
  StringColumn,
  sourceOf,
} from '@glasshouse/native';
import type { FactTable } from '@glasshouse/schema';
import { embeddedTarget, Store } from '@glasshouse/store';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeFrame } from '../wal/frame.ts';
import type { Row } from './rows-reference.ts';
import { readRow } from './rows-reference.ts';

const LC = 'LowCardinality(String)';
const TABLE: FactTable = {
  name: 'kinds',
  comment: '',
  columns: Object.entries({
    nth: 'UInt32',
    segment: 'LowCardinality(UInt64)',
    label: LC,
    text: 'String',
    labels: `Array(${LC})`,
    attributes: `Map(${LC}, String)`,
    shared: `Map(${LC}, ${LC})`,
    events: `Array(Map(${LC}, String))`,
    sum: 'Nullable(Float64)',
    tokens: 'Nullable(UInt64)',
    streaming: 'Nullable(Bool)',
    cost: 'Nullable(Decimal(38, 12))',
    id: 'UUID',
    parts: `Map(${LC}, Decimal(38, 12))`,
  }).map(([name, type]) => ({ name, type, comment: '' })),
  derived: [],
  indexes: [],
  projections: [],
  partitionBy: '',
  orderBy: [],
  ttlFrom: '',
  settings: {},
};

/** What a row is made from: a number, which distinct value it has, and how many elements. */
interface Seed {
  readonly nth: number;
  readonly value: string;
  readonly elements: number;
}

type Labels = LowCardinalityColumn;

function append(block: Block, { nth, value, elements }: Seed): void {
  block.column('nth', FixedColumn).appendUint32(nth);
  block.column('segment', ConstantColumn).repeat(1);
  block.column('label', LowCardinalityColumn).appendString(value);
  block.column('text', StringColumn).appendString(value);
  const labels = block.column('labels', ArrayColumn) as ArrayColumn<Labels>;
  const attributes = block.column('attributes', MapColumn) as MapColumn<Labels, StringColumn>;
  const shared = block.column('shared', MapColumn) as MapColumn<Labels, Labels>;
  const events = block.column('events', ArrayColumn) as ArrayColumn<MapColumn<Labels, StringColumn>>;
  for (let element = 0; element < elements; element++) {
    labels.items.appendString(`${value}${element}`);
    attributes.keys.appendString(`${element}`);
    attributes.values.appendString(value);
    shared.keys.appendString(value);
    shared.values.appendString(`${element}`);
    events.items.keys.appendString('key');
    events.items.values.appendString(value);
    events.items.close();
  }
  for (const column of [labels, attributes, shared, events]) column.close();
  const sum = block.column('sum', NullableColumn);
  const tokens = block.column('tokens', NullableColumn);
  const streaming = block.column('streaming', NullableColumn);
  const cost = block.column('cost', NullableColumn);
  const parts = block.column('parts', MapColumn) as MapColumn<Labels, FixedColumn>;
  if (nth % 2 === 0) {
    sum.appendFloat64(nth / 2);
    tokens.appendUint64(nth * MANY);
    streaming.appendUint8(nth % 4 === 0 ? 1 : 0);
    cost.appendUint128(BigInt(nth) * MONEY);
    parts.keys.appendString('input');
    parts.values.appendUint128(nth);
  } else for (const column of [sum, tokens, streaming, cost]) column.appendDefault();
  parts.close();
  const id = block.column('id', FixedColumn);
  id.appendHalves(nth, 1);
  id.appendHalves(2, nth);
  block.rows++;
}

/** What makes of a small number one that needs more than 32 or 64 bits. */
const MANY = 2 ** 33 + 1;
const MONEY = 2n ** 70n + 1n;

function expected({ nth, value, elements }: Seed): Row {
  const each = <T>(of: (element: number) => T): T[] => Array.from({ length: elements }, (_, element) => of(element));
  return {
    nth,
    segment: 2n ** 64n - 1n,
    label: value,
    text: value,
    labels: each((element) => `${value}${element}`),
    attributes: each((element) => [`${element}`, value]),
    shared: each((element) => [value, `${element}`]),
    events: each(() => [['key', value]]),
    sum: nth % 2 === 0 ? nth / 2 : null,
    tokens: nth % 2 === 0 ? BigInt(nth) * BigInt(MANY) : null,
    streaming: nth % 2 === 0 ? Number(nth % 4 === 0) : null,
    cost: nth % 2 === 0 ? BigInt(nth) * MONEY : null,
    id: [1, nth, nth, 2].map((part) => part.toString(16).padStart(8, '0')).join(''),
    parts: nth % 2 === 0 ? [['input', BigInt(nth)]] : [],
  };
}

function seeds(rows: number, distinct: number, elements: number): Seed[] {
  return Array.from({ length: rows }, (_, nth) => ({
    nth,
    value: nth % distinct === 0 ? '' : `é ${nth % distinct}`,
    elements: nth % (elements + 1),
  }));
}

let engine: Engine;
let store: Store;
const directory = mkdtempSync(join(tmpdir(), 'glasshouse-native-'));

beforeAll(async () => {
  engine = await startEngine({
    dataDir: join(directory, 'engine'),
    backupDir: join(directory, 'backup'),
    maxMemoryBytes: 2 * 1024 ** 3,
  });
  store = await Store.open({ target: embeddedTarget(engine), retentionDays: undefined });
});

afterAll(async () => {
  await store.close();
  await engine.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** Appends each list of rows as a block of its own to one file, and reads the rows back from a table. */
async function throughTheEngine(
  block: Block,
  lists: readonly (readonly Seed[])[],
  settings: Readonly<Record<string, number>> = {},
): Promise<Row[]> {
  const frames: Uint8Array[] = [];
  for (const [sequence, list] of lists.entries()) {
    for (const seed of list) append(block, seed);
    block.column('segment', ConstantColumn).set(2n ** 64n - 1n);
    const { parts } = encodeFrame(block.pieces(), block.rows, new Map(), { segment: 1n, sequence });
    frames.push(...parts.map((part) => Uint8Array.from(part)));
    block.reset();
  }
  const path = join(directory, 'block.gz');
  writeFileSync(path, Buffer.concat(frames));
  const columns = TABLE.columns.map(({ name, type }) => `${name} ${type}`).join(', ');
  await store.command('DROP TABLE IF EXISTS glasshouse.kinds');
  await store.command(`CREATE TABLE glasshouse.kinds (${columns}) ENGINE = MergeTree ORDER BY nth`, {
    settings: { allow_suspicious_low_cardinality_types: 1 },
  });
  await store.command(`INSERT INTO glasshouse.kinds FROM INFILE '${path}' COMPRESSION 'gz' FORMAT Native`, {
    settings,
  });
  const names = TABLE.columns.map(({ name }) => name).join(', ');
  const rows = await store.rows<{ row: string }>(
    `SELECT base64Encode(formatRow('RowBinary', ${names})) AS row FROM glasshouse.kinds ORDER BY nth`,
  );
  return rows.map(({ row }) => readRow(TABLE, Buffer.from(row, 'base64')));
}

describe('the engine', () => {
  it.each([
    [1, 1, 0],
    [300, 255, 1],
    [300, 256, 2],
    [300, 257, 0],
    [2000, 700, 3],
    [70_000, 65_536, 0],
    [70_000, 65_537, 0],
    [70_000, 30_000, 3],
  ])('reads %i rows of %i distinct values and up to %i elements', async (rows, distinct, elements) => {
    const list = seeds(rows, distinct, elements);
    expect(await throughTheEngine(new Block(TABLE), [list])).toEqual(list.map(expected));
  });

  it('reads several blocks of one file, each with its own dictionary', async () => {
    const all = seeds(3000, 800, 2);
    const lists = [all.slice(0, 1), all.slice(1, 3), all.slice(3, 1500), all.slice(1500, 1501), all.slice(1501)];
    expect(await throughTheEngine(new Block(TABLE), lists)).toEqual(all.map(expected));
  });

  it.each([0, 1])(
    'fills what a block lacks, in whatever order they come: omitted fields by expression %i',
    async (byExpression) => {
      // Rows with an even number have a value in every column; the others are defaults but for their number.
      const seedOf = (nth: number): Seed => ({
        nth,
        value: nth % 2 === 0 ? 'some' : '',
        elements: nth % 2 === 0 ? 2 : 0,
      });
      const lists = [[3], [4, 5, 6], [7], [9], [10], [11, 13]].map((list) => list.map(seedOf));
      // As a segment is handed over: its blocks are put together before they are stored.
      const settings = {
        min_insert_block_size_rows: 1_000_000,
        input_format_parallel_parsing: 0,
        input_format_defaults_for_omitted_fields: byExpression,
      };
      expect(await throughTheEngine(new Block(TABLE), lists, settings)).toEqual(lists.flat().map(expected));
    },
  );

  it('reads strings of a megabyte', async () => {
    const list = ['x', 'é', ''].map((unit, nth) => ({ nth, value: unit.padEnd(1 << 20, unit), elements: 1 }));
    expect(await throughTheEngine(new Block(TABLE), [list, [{ nth: 3, value: '', elements: 0 }]])).toEqual(
      [...list, { nth: 3, value: '', elements: 0 }].map(expected),
    );
  });

  it('reads what is left after a request was taken back', async () => {
    const block = new Block(TABLE);
    const list = seeds(100, 50, 2);
    for (const seed of list.slice(0, 60)) append(block, seed);
    block.mark();
    for (const seed of seeds(70_000, 66_000, 1)) append(block, seed);
    block.rollback();
    expect(await throughTheEngine(block, [list.slice(60)])).toEqual(list.map(expected));
  });

  it('reads repaired text', async () => {
    const block = new Block(TABLE);
    append(block, { nth: 0, value: 'ok', elements: 1 });
    const bad = sourceOf(Buffer.from([0x61, 0xff, 0xed, 0xa0, 0x80]));
    block.column('nth', FixedColumn).appendUint32(1);
    block.column('segment', ConstantColumn).repeat(1);
    block.column('label', LowCardinalityColumn).appendText(bad, 0, 5);
    block.column('text', StringColumn).appendText(bad, 0, 5);
    for (const name of ['labels', 'events'] as const) block.column(name, ArrayColumn).close();
    for (const name of ['attributes', 'shared', 'parts'] as const) block.column(name, MapColumn).close();
    for (const name of ['sum', 'tokens', 'streaming', 'cost']) block.column(name, NullableColumn).appendDefault();
    block.column('id', FixedColumn).appendDefault();
    block.rows++;
    const [, row] = await throughTheEngine(block, [[]]);
    expect([row?.['label'], row?.['text']]).toEqual(['a\ufffd\ufffd\ufffd\ufffd', 'a\ufffd\ufffd\ufffd\ufffd']);
    expect(block.repairs.count).toBe(2);
  });
});
