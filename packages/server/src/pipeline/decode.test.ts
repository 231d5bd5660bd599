/**
 * The decoder end to end: random requests of every signal, in every encoding, into the real tables and back, every column
 * of every row compared with what `rows-reference.ts` says it must be.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import type { Engine } from '@glasshouse/engine';
import { startEngine } from '@glasshouse/engine';
import type { BodyFormat, ContentCoding, Signal } from '@glasshouse/model';
import { SIGNALS } from '@glasshouse/model';
import type { Block } from '@glasshouse/native';
import { ConstantColumn } from '@glasshouse/native';
import type { FactTable } from '@glasshouse/schema';
import { embeddedTarget, Store } from '@glasshouse/store';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT_MESSAGES } from '../otlp/fields.ts';
import type { Plain } from '../otlp/message-reference.ts';
import { BAD_TEXT, jsonText, protobufEncoder, requests, settle } from '../otlp/message-reference.ts';
import { Random, rewrite } from '../otlp/wire-reference.ts';
import { BODY_SLACK } from '../otlp/wire.ts';
import { encodeFrame } from '../wal/frame.ts';
import { Decoder } from './decode.ts';
import type { Row } from './rows-reference.ts';
import { expectedRows, readRow } from './rows-reference.ts';

const DAY_NS = 86_400_000_000_000n;
const NOW_MS = Date.now();
const NOW_NS = BigInt(NOW_MS) * 1_000_000n;
const RETENTION_DAYS = 30;
/** Requests for each signal and encoding. */
const REQUESTS = 40;
const PLACEMENT = { tenant: 'acme', project: 'shop', environment: 'prod' };
const LIMITS = { oldestNs: NOW_NS - BigInt(RETENTION_DAYS) * DAY_NS, newestNs: NOW_NS + 3_600_000_000_000n };

const encode = protobufEncoder();

interface Body {
  readonly bytes: Buffer;
  readonly format: BodyFormat;
  readonly coding: ContentCoding;
}

/** The encodings in which a request may come. */
const ENCODINGS: Readonly<Record<string, (signal: Signal, request: Plain, random: Random) => Body>> = {
  'protobuf as protobufjs writes it': (signal, request) => ({
    bytes: encode(signal, request),
    format: 'protobuf',
    coding: 'identity',
  }),
  'protobuf as nobody writes it': (signal, request, random) => ({
    bytes: rewrite(ROOT_MESSAGES[signal], encode(signal, request), random),
    format: 'protobuf',
    coding: 'identity',
  }),
  JSON: (signal, request) => ({ bytes: Buffer.from(jsonText(signal, request)), format: 'json', coding: 'identity' }),
  'protobuf with gzip': (signal, request) => ({
    bytes: gzipSync(encode(signal, request)),
    format: 'protobuf',
    coding: 'gzip',
  }),
  'JSON with deflate, with or without its header': (signal, request, random) => {
    const text = jsonText(signal, request);
    return { bytes: random.chance(50) ? deflateSync(text) : deflateRawSync(text), format: 'json', coding: 'deflate' };
  },
  'protobuf with zstd': (signal, request) => ({
    bytes: zstdCompressSync(encode(signal, request)),
    format: 'protobuf',
    coding: 'zstd',
  }),
};

/** JSON cannot carry bytes that are not UTF-8, nor enum values that nobody has defined. */
function forJson(request: Plain): Plain {
  const change = (value: unknown, key: string): unknown => {
    if (typeof value === 'string') return value.replaceAll(BAD_TEXT, 'ok');
    if (Buffer.isBuffer(value) || typeof value !== 'object' || value === null) {
      return ['kind', 'code', 'severityNumber', 'aggregationTemporality'].includes(key)
        ? Math.min(value as number, 2)
        : value;
    }
    if (Array.isArray(value)) return value.map((item) => change(item, key));
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, change(item, name)]));
  };
  return change(request, '') as Plain;
}

let engine: Engine;
let store: Store;
let nextSegment = 1n;
const directory = mkdtempSync(join(tmpdir(), 'glasshouse-decode-'));

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

function newDecoder(): Decoder {
  return new Decoder({
    maxBodyBytes: 64 << 20,
    maxJsonBytes: 20 << 20,
    retentionMs: RETENTION_DAYS * 86_400_000,
    maxAheadMs: 3_600_000,
    now: () => NOW_MS,
  });
}

/** Decodes a body that lies in a buffer like the ones that receivers use, with old bytes behind it. */
function decodeBody(decoder: Decoder, signal: Signal, { bytes, format, coding }: Body): ReturnType<Decoder['decode']> {
  const padded = Buffer.concat([bytes, Buffer.alloc(BODY_SLACK, 0xff)]);
  const buffer = padded.buffer.slice(padded.byteOffset, padded.byteOffset + padded.length);
  return decoder.decode({ signal, format, coding, placement: PLACEMENT, buffer, length: bytes.length });
}

/** Writes the block as a segment of the log would hold it, hands it to the store and reads its rows back by their time. */
async function throughTheEngine(block: Block, segment: bigint): Promise<Row[]> {
  block.column('_segment', ConstantColumn).set(segment);
  const days = new Map(block.days.byDay());
  const path = join(directory, `${segment}.gz`);
  writeFileSync(path, Buffer.concat(encodeFrame(block.pieces(), block.rows, days, { segment, sequence: 0 }).parts));
  const file = { table: block.table.name, id: segment, path, days };
  await store.insertSegment(file);
  expect(await store.missingDays(file)).toEqual([]);
  const columns = block.table.columns.map(({ name }) => `\`${name}\``).join(', ');
  const rows = await store.rows<{ row: string }>(
    `SELECT base64Encode(formatRow('RowBinary', ${columns})) AS row FROM glasshouse.${block.table.name}
     WHERE _segment = {segment:UInt64} ORDER BY timestamp`,
    { params: { segment: segment.toString() } },
  );
  return rows.map(({ row }) => readRow(block.table as FactTable, Buffer.from(row, 'base64')));
}

function byTime(left: Row, right: Row): number {
  return Number((left['timestamp'] as bigint) - (right['timestamp'] as bigint));
}

describe('Decoder', () => {
  for (const signal of SIGNALS) {
    for (const [name, toBody] of Object.entries(ENCODINGS)) {
      it(`stores every field of ${signal} exactly, from ${name}`, async () => {
        const seed = Number(process.env['GLASSHOUSE_FUZZ_SEED'] ?? 20_261);
        const random = new Random(seed);
        const clock = { nowNs: NOW_NS, spanNs: BigInt(RETENTION_DAYS - 1) * DAY_NS, random, taken: new Set<bigint>() };
        const decoder = newDecoder();
        const segment = nextSegment++;
        const model = new Map<string, Row[]>();
        for (const raw of fc.sample(requests(signal), { numRuns: REQUESTS, seed: seed + seedOf(name) })) {
          const settled = settle(signal, raw, clock);
          const body = toBody(signal, name.startsWith('JSON') ? forJson(settled) : settled, random);
          const request = body.format === 'json' ? forJson(settled) : settled;
          const { rows, rejected } = expectedRows(signal, request, PLACEMENT, segment, LIMITS);
          const decoded = decodeBody(decoder, signal, body);
          expect(new Map(decoded.reasons as [string, number][])).toEqual(rejected);
          expect(decoded.accepted).toBe([...rows.values()].flat().length);
          expect(decoded.rejected).toBe([...rejected.values()].reduce((sum, count) => sum + count, 0));
          for (const [table, more] of rows) model.set(table, [...(model.get(table) ?? []), ...more]);
        }
        for (const block of decoder.blocks.filter(({ rows }) => rows > 0)) {
          const expected = (model.get(block.table.name) ?? []).sort(byTime);
          expect(block.rows).toBe(expected.length);
          const stored = await throughTheEngine(block, segment);
          expect(stored.length).toBe(expected.length);
          for (const [index, row] of stored.entries()) expect(row).toEqual(expected[index]);
          model.delete(block.table.name);
        }
        expect([...model.keys()]).toEqual([]);
      });
    }
  }

  it.each(SIGNALS)('takes a request of %s that holds nothing, and empty resources and scopes', (signal) => {
    const decoder = newDecoder();
    for (const bytes of ['', '0a00', '0a020a00', '0a021200', '0a0412020a00'].map((hex) => Buffer.from(hex, 'hex'))) {
      expect(decodeBody(decoder, signal, { bytes, format: 'protobuf', coding: 'identity' })).toEqual({
        accepted: 0,
        rejected: 0,
        reasons: [],
        message: '',
      });
    }
    expect(decodeBody(decoder, signal, { bytes: Buffer.from('{}'), format: 'json', coding: 'identity' }).accepted).toBe(
      0,
    );
    expect(decoder.blocks.map(({ rows }) => rows)).toEqual(decoder.blocks.map(() => 0));
  });
});

/** Another seed for every encoding, so that each sees other requests. */
function seedOf(name: string): number {
  return crc32(name) & 0xffff;
}
