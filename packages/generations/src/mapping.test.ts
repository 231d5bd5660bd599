/** The tables of all dialects, read by the interpreter and by the engine. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MAPPED_COLUMNS } from './columns.ts';
import { mayBeGeneration, recognitionOf } from './compile.ts';
import { dialectOf, LINE_DIALECTS, readGeneration, SPAN_DIALECTS } from './dialects.ts';
import { EXPECTED, FIXTURES } from './fixtures.suite.ts';
import { Dice, fuzzRecord } from './fuzz.suite.ts';
import { readRow, type GenerationRecord, type GenerationRow, type RowValue, type SpanRecord } from './read.ts';
import { canonical, comparable, Stand } from './stand.suite.ts';
import { usageOf } from './usage-of.ts';

const ALL = [...SPAN_DIALECTS, ...LINE_DIALECTS];
const FUZZED = 500;

let stand: Stand;

beforeAll(async () => {
  stand = await Stand.open();
});

afterAll(async () => stand.close());

function absent(name: string): RowValue {
  const kind = MAPPED_COLUMNS.find((column) => column.name === name)?.kind;
  return kind === 'text' || kind === 'json' ? '' : null;
}

/** The row of a record by its own dialect. */
function rowOf(record: GenerationRecord): GenerationRow | undefined {
  const dialect = dialectOf(record);
  return dialect === undefined ? undefined : readRow(dialect, record);
}

describe('the same conversation', () => {
  it('has a fixture in every dialect', () => {
    expect(new Set(FIXTURES.map(({ dialect }) => dialect))).toEqual(new Set(ALL.map(({ name }) => name)));
  });

  it.each(FIXTURES)('is the same row from $title', ({ dialect, record, lacks, differs = {} }) => {
    const row = rowOf(record);
    expect(row?.['dialect']).toBe(dialect);
    const expected: Record<string, RowValue> = { ...EXPECTED, ...differs };
    for (const name of lacks) expected[name] = absent(name);
    const found = Object.fromEntries(Object.keys(expected).map((name) => [name, row?.[name]]));
    for (const name of ['prompt', 'completion', 'tool_calls']) found[name] = canonical(String(found[name]));
    for (const name of ['prompt', 'completion', 'tool_calls']) expected[name] = canonical(String(expected[name]));
    expect(found).toEqual(expected);
  });

  it('has the usage that prices are calculated from', () => {
    const record = FIXTURES.find(({ dialect }) => dialect === 'llm_events')?.record ?? '';
    expect(usageOf(rowOf(record) ?? {})).toEqual({
      inputTokens: 100,
      cacheReadTokens: 20,
      outputTokens: 50,
      reasoningTokens: 10,
      totalTokens: 150,
    });
  });
});

describe('what is no generation', () => {
  const span = (string: Record<string, string>): GenerationRecord => ({ fields: { timestamp: '1' }, string });
  it.each<[string, GenerationRecord]>([
    ['a plain span', span({ 'http.route': '/' })],
    ['an agent', span({ 'gen_ai.operation.name': 'invoke_agent', 'gen_ai.request.model': 'm' })],
    ['a tool', span({ 'gen_ai.operation.name': 'execute_tool' })],
    ['a chain', span({ 'openinference.span.kind': 'CHAIN' })],
    ['the outer span of Vercel', span({ 'ai.operationId': 'ai.generateText' })],
    [
      "the outer span of Vercel's embeddings",
      {
        fields: { timestamp: '1', scope_name: 'gen_ai', status_code: '0' },
        string: { 'gen_ai.operation.name': 'embeddings', 'gen_ai.request.model': 'm' },
      },
    ],
    ['another type of Observa', '{"event_type":"tool_call","timestamp":"2025-01-01T00:00:00Z"}'],
    ['an event', '{"a":1}'],
    ['no JSON', 'x'],
  ])('leaves %s out', (_, record) => {
    expect(readGeneration(record)).toBeUndefined();
  });
});

it.each<[string, GenerationRecord]>([
  ['is within another', { fields: { parent_span_id: '1112131415161718' } }],
  ['says what it took', { fields: {}, int: { 'gen_ai.usage.input_tokens': 9 } }],
  ['failed', { fields: { status_code: '2' } }],
  ['is of another client', { fields: { scope_name: 'test' } }],
])('takes a span of embeddings that %s', (_, record) => {
  const { fields, ...more } = record as SpanRecord;
  const string = { 'gen_ai.operation.name': 'embeddings', 'gen_ai.request.model': 'm' };
  expect(readGeneration({ fields: { scope_name: 'gen_ai', ...fields }, string, ...more })).toBeDefined();
});

describe('tables', () => {
  it.each(ALL)('$name names columns that there are', ({ columns }) => {
    const names = new Set(MAPPED_COLUMNS.map(({ name }) => name));
    expect(Object.keys(columns).filter((name) => !names.has(name))).toEqual([]);
  });
});

describe('the engine agrees with the interpreter', () => {
  it.each(ALL)('on $name', { timeout: 120_000 }, async (dialect) => {
    const dice = new Dice(20_260_103);
    const fixtures = FIXTURES.map(({ record }) => record).filter(
      (record) => (typeof record === 'string') === (dialect.over === 'line'),
    );
    const records = [...fixtures, ...Array.from({ length: FUZZED }, () => fuzzRecord(dialect, dice))];
    await stand.load(dialect.over, records);
    const found = await stand.rows(dialect);
    const expected = new Map<number, GenerationRow>();
    for (const [n, record] of records.entries()) {
      const row = readRow(dialect, record);
      if (row !== undefined) expected.set(n, comparable(row));
    }
    expect([...found.keys()].sort((a, b) => a - b)).toEqual([...expected.keys()]);
    for (const [n, row] of expected) {
      expect({ n, record: records[n], row: found.get(n) }).toEqual({ n, record: records[n], row });
    }
    expect(expected.size).toBeGreaterThan(FUZZED / 2);
    const rows = [...expected.values()];
    const filled = Object.keys(dialect.columns).filter((name) => rows.some((row) => row[name] !== absent(name)));
    expect(filled).toEqual(Object.keys(dialect.columns));
  });

  it('on what is no JSON, or more than its parser takes, by not failing', async () => {
    const broken = [
      '{"model":"m","start_time":123456789012345678901234567890,"cost":1e999}',
      '{"model":"m","start_time":"\\ud800","cost":-0}',
      `{"model":"m","start_time":"t","response":${'['.repeat(3_000)}${']'.repeat(3_000)}}`,
      '{"model":"m","start_time":"t","response":"{\\"usage\\":{\\"prompt_tokens\\":184467440737095516150}}"}',
      '{"event_type":"llm_call","attributes":"[[[["}',
      '[{"model":"m"}]',
      '"model"',
      '',
    ];
    await stand.load('line', broken);
    await stand.command(
      'INSERT INTO lines SELECT 100, concat(\'{"model":"\', unhex(\'fffe80\'), \'","start_time":1}\')',
    );
    for (const dialect of LINE_DIALECTS) await expect(stand.rows(dialect)).resolves.toBeInstanceOf(Map);
  });

  it.each(['span', 'line'] as const)('on the dialect of a %s', async (over) => {
    const dialects = over === 'span' ? SPAN_DIALECTS : LINE_DIALECTS;
    const dice = new Dice(7);
    const records = dialects.flatMap((dialect) => Array.from({ length: 60 }, () => fuzzRecord(dialect, dice)));
    await stand.load(over, records);
    const maybe = over === 'span' ? mayBeGeneration(dialects) : '1';
    const found = await stand.query<{ n: number; name: string; maybe: number }>(
      `SELECT n, ${recognitionOf(dialects)} AS name, ${maybe} AS maybe FROM ${over}s AS s ORDER BY n`,
    );
    expect(found.map(({ name }) => name)).toEqual(records.map((record) => dialectOf(record)?.name ?? ''));
    expect(found.filter((row) => row.name !== '' && row.maybe === 0)).toEqual([]);
  });
});
