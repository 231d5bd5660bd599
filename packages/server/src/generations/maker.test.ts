/** Requests on their way in: which of them become generations, of what, and what is left of one that is refused. */

import type { RowValue } from '@glasshouse/generations';
import { DEFAULT_PLACEMENT, type ContentCoding, type Placement } from '@glasshouse/model';
import { ConstantColumn } from '@glasshouse/native';
import { GENERATIONS } from '@glasshouse/schema';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
// oxlint-disable-next-line no-restricted-imports -- test support, which that package doesn't export
import { readFilled, type NativeValue } from '../../../native/src/native-reference.ts';
import { jsonText, protobufEncoder, type Plain } from '../otlp/message-reference.ts';
import type { Decoded } from '../pipeline/decode.ts';
import { Readers } from '../pipeline/readers.ts';
import { CallsUnknown } from './maker.ts';
import type { Spent } from './spending.ts';
import { CALL_COLUMNS } from './stored-calls.ts';

const NOW_MS = Date.UTC(2026, 10, 22, 12);
const DAY_MS = 86_400_000;
const PLACEMENT = { tenant: 'acme', project: 'shop', environment: 'prod' };
const DEFAULTS = [DEFAULT_PLACEMENT.project, DEFAULT_PLACEMENT.environment];
const NONE = new Map<string, unknown>();
const GPT_5 = { provider: 'openai', model: 'gpt-5', usage: { input: 1_000, output: 100 } };

const encode = protobufEncoder();

type Found = Readonly<Record<string, NativeValue | undefined>>;

interface Lines {
  readonly filter?: string;
  readonly hasGenerations?: boolean;
  readonly coding?: ContentCoding;
  readonly tenant?: string;
  readonly placement?: Placement;
}

interface Spans {
  /** Whether the request ends too early. */
  readonly broken?: boolean;
  readonly format?: 'json' | 'protobuf';
}

/** The readers of a worker, with what can be asked of them. */
class Stand {
  /** What the generations of the last commit cost. */
  spent: readonly Spent[] = [];
  private readonly readers = new Readers({
    maxBodyBytes: 64 << 20,
    maxJsonBytes: 20 << 20,
    retentionMs: 30 * DAY_MS,
    maxAheadMs: 3_600_000,
    now: () => NOW_MS,
  });

  private decode(request: Parameters<Readers['decode']>[0], bytes: Buffer): Decoded {
    const buffer = new SharedArrayBuffer(bytes.length + 64);
    new Uint8Array(buffer).set(bytes);
    return this.readers.decode(request, buffer, bytes.length);
  }

  lines(
    lines: readonly unknown[],
    { filter = '', hasGenerations = true, coding = 'identity', tenant = 'acme', placement }: Lines = {},
  ): Decoded {
    const text = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n');
    const bytes = coding === 'gzip' ? gzipSync(text) : Buffer.from(text);
    return this.decode(
      { signal: 'events', coding, tenant, dataSource: 'ds', importId: 'i', filter, hasGenerations, placement },
      bytes,
    );
  }

  spans(spans: readonly Plain[], { broken = false, format = 'protobuf' }: Spans = {}): Decoded {
    const request = { resourceSpans: [{ scopeSpans: [{ spans }] }] };
    let bytes = format === 'json' ? Buffer.from(jsonText('traces', request)) : encode('traces', request);
    // A second resource that ends after the request.
    if (broken) bytes = Buffer.concat([bytes, Buffer.from([0x0a, 0x7f, 0x0a])]);
    return this.decode({ signal: 'traces', format, coding: 'identity', placement: PLACEMENT }, bytes);
  }

  /** Gives what is there to the log; the function that is returned says what became of it. */
  send(): (isDurable: boolean) => void {
    this.readers.sent();
    for (const block of this.readers.blocks) block.reset();
    return (isDurable) => (isDurable ? this.readers.kept() : this.readers.lost());
  }

  /** Commits what is there, and gives the generations in it. */
  commit(failures: ReadonlyMap<string, unknown> = NONE): Found[] {
    const rows = this.rows();
    const spent = this.readers.sent();
    const isLost = failures.has('generations');
    this.spent = isLost ? [] : spent;
    if (isLost) this.readers.lost();
    else this.readers.kept();
    for (const block of this.readers.blocks) block.reset();
    return rows;
  }

  areCallsUnknown(areUnknown: boolean): void {
    this.readers.areCallsUnknown = areUnknown;
  }

  /** Lets these rows be of before the start. */
  remember(rows: readonly Found[]): void {
    const text = (value: NativeValue | undefined): RowValue => (typeof value === 'string' ? value : null);
    const valueOf = (row: Found, name: string): RowValue =>
      name === 'cache_hit' && row[name] !== null ? row[name] === 1 : text(row[name]);
    this.readers.remember(
      rows.map((row) => [String(row['tenant_id']), ...CALL_COLUMNS.map((name) => valueOf(row, name))] as const),
    );
  }

  /** How many rows each table has. */
  counts(): Record<string, number> {
    const filled = this.readers.blocks.filter(({ rows }) => rows > 0);
    return Object.fromEntries(filled.map(({ table, rows }) => [table.name, rows]));
  }

  private rows(): Found[] {
    for (const block of this.readers.blocks) block.column('_segment', ConstantColumn).set(1n);
    const block = this.readers.blocks.find(({ table }) => table.name === 'generations');
    const read = readFilled(Buffer.concat(block?.pieces() ?? []), GENERATIONS);
    return Array.from({ length: read.rows }, (_, at) =>
      Object.fromEntries([...read.columns].map(([name, column]) => [name, column[at]])),
    );
  }
}

let nextId = 1;

function span(attributes: Readonly<Record<string, string | number>>, more: Plain = {}): Plain {
  const id = Buffer.alloc(8);
  id.writeUInt32BE(nextId++);
  return {
    traceId: Buffer.alloc(16, 7),
    spanId: id,
    startTimeUnixNano: String(BigInt(NOW_MS) * 1_000_000n),
    endTimeUnixNano: String(BigInt(NOW_MS + 1_500) * 1_000_000n),
    attributes: Object.entries(attributes).map(([key, value]) => ({
      key,
      value: typeof value === 'number' ? { intValue: String(value) } : { stringValue: value },
    })),
    ...more,
  };
}

function chat(more: Readonly<Record<string, string | number>> = {}): Record<string, string | number> {
  return {
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': GPT_5.provider,
    'gen_ai.request.model': GPT_5.model,
    'gen_ai.usage.input_tokens': GPT_5.usage.input,
    'gen_ai.usage.output_tokens': GPT_5.usage.output,
    ...more,
  };
}

function event(more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    start_time: new Date(NOW_MS).toISOString(),
    end_time: new Date(NOW_MS + 1_500).toISOString(),
    provider: GPT_5.provider,
    model: GPT_5.model,
    response: { usage: { prompt_tokens: GPT_5.usage.input, completion_tokens: GPT_5.usage.output } },
    ...more,
  };
}

const pick = (rows: readonly Found[], ...names: readonly string[]): (NativeValue | undefined)[][] =>
  rows.map((row) => names.map((name) => row[name]));

describe('a span', () => {
  it.each(['protobuf', 'json'] as const)('of a call becomes a priced row, from %s', (format) => {
    const stand = new Stand();
    stand.spans([span(chat()), span({ 'http.route': '/' }), span(chat({ 'gen_ai.operation.name': 'invoke_agent' }))], {
      format,
    });
    expect(stand.counts()).toEqual({ spans: 3, generations: 1 });
    const [row] = stand.commit();
    expect(row).toMatchObject({
      tenant_id: 'acme',
      project_id: 'shop',
      environment: 'prod',
      dialect: 'otel',
      time: BigInt(NOW_MS) * 1_000_000n,
      input_tokens: 1_000n,
      latency_ms: 1_500,
      // $1.25 and $10 for a million tokens.
      cost: 2_250_000_000n,
      cost_parts: [
        ['input', 1_250_000_000n],
        ['output', 1_000_000_000n],
      ],
      duplicate: 0,
    });
    expect(row?.['price_row']).not.toBe('');
    expect(row?.['price_version']).not.toBe('');
  });

  it('that is refused becomes none', () => {
    const stand = new Stand();
    stand.spans([span(chat(), { startTimeUnixNano: String(BigInt(NOW_MS - 40 * DAY_MS) * 1_000_000n) })]);
    stand.spans([span(chat(), { traceId: Buffer.alloc(16) })]);
    expect(stand.counts()).toEqual({});
  });

  it('of a model without a price has a row without a cost', () => {
    const stand = new Stand();
    stand.spans([span(chat({ 'gen_ai.request.model': 'nobody-knows-this' }))]);
    expect(pick(stand.commit(), 'cost', 'cost_parts', 'price_row', 'input_tokens')).toEqual([[null, [], '', 1_000n]]);
  });
});

describe('a line', () => {
  it('of a data source that reports calls becomes a priced row', () => {
    const stand = new Stand();
    stand.lines([event(), { any: 'other' }, 'no JSON'], { coding: 'gzip' });
    expect(stand.counts()).toEqual({ events: 3, generations: 1 });
    expect(pick(stand.commit(), 'tenant_id', 'project_id', 'environment', 'dialect', 'cost')).toEqual([
      ['acme', ...DEFAULTS, 'llm_events', 2_250_000_000n],
    ]);
  });

  it('of another data source stays what it is', () => {
    const stand = new Stand();
    stand.lines([event()], { hasGenerations: false });
    expect(stand.counts()).toEqual({ events: 1 });
  });

  it('is placed by what it says, if that can be a name', () => {
    const stand = new Stand();
    const of = (project: unknown, environment: unknown) => event({ proxy_metadata: { project, environment } });
    stand.lines([of('shop', 'prod'), of('Not A Name', '../x'), of('', null), of({ a: 1 }, 'x'.repeat(300))]);
    expect(pick(stand.commit(), 'project_id', 'environment', 'project_name')).toEqual([
      ['shop', 'prod', 'shop'],
      [...DEFAULTS, 'Not A Name'],
      [...DEFAULTS, ''],
      [...DEFAULTS, '{"a":1}'],
    ]);
  });

  it('is placed by the key of its sender, whatever it says', () => {
    const stand = new Stand();
    const claimed = event({ proxy_metadata: { project: 'victim', environment: 'prod' } });
    stand.lines([claimed, event()], { placement: { tenant: 'acme', project: 'shop', environment: 'test' } });
    // What it says is kept as what it says.
    expect(pick(stand.commit(), 'tenant_id', 'project_id', 'environment', 'project_name')).toEqual([
      ['acme', 'shop', 'test', 'victim'],
      ['acme', 'shop', 'test', ''],
    ]);
    expect(stand.spent.map(({ project }) => project)).toEqual(['shop']);
  });

  it.each([
    ['older than the retention', NOW_MS - 40 * DAY_MS, 0],
    ['too far ahead', NOW_MS + DAY_MS, 0],
    ['in the window', NOW_MS - DAY_MS, 1],
  ])('with a time %s', (_, ms, generations) => {
    const stand = new Stand();
    expect(stand.lines([event({ start_time: new Date(ms).toISOString() })]).accepted).toBe(1);
    expect(stand.commit()).toHaveLength(generations);
  });

  it('without a time that can be read has the present', () => {
    const stand = new Stand();
    stand.lines([event({ start_time: 'never', end_time: 'never' })]);
    expect(pick(stand.commit(), 'time')).toEqual([[BigInt(NOW_MS) * 1_000_000n]]);
  });

  it('of every dialect becomes a row of that dialect', () => {
    const start_time = new Date(NOW_MS).toISOString();
    const lines = {
      observa: { event_type: 'llm_call', timestamp: start_time },
      litellm: { model: 'm', start_time, standard_logging_object_id: 'x' },
      text_events: { model_requested: 'm', start_time },
      llm_events: { model: 'm', start_time },
      traces: { query: 'q', latency_ms: 1, timestamp: start_time },
    };
    const stand = new Stand();
    stand.lines(Object.values(lines));
    expect(pick(stand.commit(), 'dialect').flat()).toEqual(Object.keys(lines));
  });
});

describe('a write filter', () => {
  const lines = [event({ user: 'a' }), event({ user: 'b' }), event(), event({ user: 1 }), event({ user: ['a'] })];

  it.each([
    ["user = 'a'", 1],
    ["user = 'a' AND provider = 'openai'", 1],
    ["user = 'a' AND provider = 'other'", 0],
    ["user = 'a' OR 1 = 1", 0],
    ["user != 'b'", 0],
    ["toString = 'a'", 0],
    ['', 5],
  ])('%j lets only its rows become generations', (filter, generations) => {
    const stand = new Stand();
    expect(stand.lines(lines, { filter }).accepted).toBe(5);
    expect(stand.commit()).toHaveLength(generations);
  });
});

describe('a request that is malformed', () => {
  it('leaves no generation, and none that is a duplicate of it', () => {
    const stand = new Stand();
    const call = span(chat({ 'gen_ai.response.id': 'chatcmpl-0123456789' }));
    stand.spans([span(chat())]);
    expect(() => stand.spans([call, span(chat())], { broken: true })).toThrow('cannot decode the request');
    expect(stand.counts()).toEqual({ spans: 1, generations: 1 });
    stand.spans([call]);
    expect(pick(stand.commit(), 'duplicate')).toEqual([[0], [0]]);
  });

  it('as compressed events leaves none either', () => {
    const stand = new Stand();
    stand.lines([event()]);
    expect(() => stand.lines(['no gzip'], { coding: 'deflate' })).toThrow('cannot');
    expect(stand.commit()).toHaveLength(1);
  });
});

describe('a call that is reported twice', () => {
  const ID = 'chatcmpl-0123456789';
  const asSpan = (): Plain => span(chat({ 'gen_ai.response.id': ID }));
  const asEvent = (more: Readonly<Record<string, unknown>> = {}): unknown =>
    event({ ...more, response: { id: ID, usage: { prompt_tokens: 1_000 } } });
  const duplicates = (rows: readonly Found[]): unknown => pick(rows, 'duplicate').flat();

  it('within a request, across requests and across commits is marked', () => {
    const stand = new Stand();
    stand.spans([asSpan(), asSpan()]);
    stand.lines([asEvent()]);
    expect(duplicates(stand.commit())).toEqual([0, 1, 1]);
    stand.lines([asEvent()]);
    expect(duplicates(stand.commit())).toEqual([1]);
  });

  it('is known by its span, and by the id that the client gave it', () => {
    const stand = new Stand();
    const one = span(chat());
    stand.spans([one]);
    stand.spans([one]);
    stand.lines([event({ message_id: 'm' }), event({ message_id: 'm' }), event({ message_id: 'n' })]);
    const of = (trace_id: string, span_id: string): unknown => ({
      event_type: 'llm_call',
      timestamp: new Date(NOW_MS).toISOString(),
      trace_id,
      span_id,
      attributes: { llm_call: { model: 'gpt-5' } },
    });
    const hex = (one['spanId'] as Buffer).toString('hex');
    stand.lines([of('07'.repeat(16), hex), of('07'.repeat(16), '0000000000000001'), of('', ''), of('', '')]);
    expect(duplicates(stand.commit())).toEqual([0, 1, 0, 1, 0, 1, 0, 0, 0]);
  });

  it('is another in another tenant, with a short id, and from the cache of a gateway', () => {
    const stand = new Stand();
    stand.lines([asEvent()]);
    stand.lines([asEvent()], { tenant: 'other' });
    stand.lines([asEvent({ cache_hit: true })]);
    const short = event({ response: { id: 'chatcmpl-1', usage: {} } });
    stand.lines([short, short]);
    expect(duplicates(stand.commit())).toEqual([0, 0, 0, 0, 0]);
  });

  it('is marked after a restart, by the same rules', () => {
    const lines = [
      asEvent({ message_id: 'm' }),
      asEvent({ message_id: 'n', cache_hit: true }),
      event({ response: { id: 'chatcmpl-1', usage: {} } }),
    ];
    const one = span(chat());
    const before = new Stand();
    before.lines(lines);
    before.lines([event({ response: { id: 'chatcmpl-out-of-a-cache' }, cache_hit: true })]);
    before.spans([one]);
    const stored = before.commit();
    const after = new Stand();
    after.remember(stored);
    after.lines([asEvent(), event({ message_id: 'n' }), lines[2], event()]);
    after.lines([event({ response: { id: 'chatcmpl-out-of-a-cache' } }), event({ message_id: 'o' })]);
    after.spans([one, span(chat())]);
    expect(duplicates(after.commit())).toEqual([1, 1, 0, 0, 0, 0, 1, 0]);
    const other = new Stand();
    other.remember(stored);
    other.lines([asEvent()], { tenant: 'other' });
    expect(duplicates(other.commit())).toEqual([0]);
  });

  it('is not told while the calls of before a restart are unknown: nothing of its request is taken', () => {
    const before = new Stand();
    before.spans([asSpan()]);
    before.lines([event()]);
    const stored = before.commit();
    const after = new Stand();
    after.areCallsUnknown(true);
    const plain = span({ 'http.route': '/' });
    const requests = [
      (): unknown => after.spans([plain, asSpan()]),
      (): unknown => after.spans([plain, span(chat({ 'gen_ai.response.id': '' }))]),
      (): unknown => after.lines([event({ model: undefined }), asEvent()]),
    ];
    for (const request of requests) expect(request).toThrow(CallsUnknown);
    expect(after.counts()).toEqual({});
    after.spans([plain]);
    expect(after.counts()).toEqual({ spans: 1 });
    after.remember(stored);
    after.areCallsUnknown(false);
    for (const request of requests) request();
    expect(duplicates(after.commit())).toEqual([1, 0, 1]);
  });

  it('is none if the first report could not be stored', () => {
    const stand = new Stand();
    stand.spans([asSpan()]);
    stand.commit(new Map([['generations', new Error('the disk is full')]]));
    stand.spans([asSpan()]);
    expect(duplicates(stand.commit())).toEqual([0]);
  });
});

describe('spans of which one is around the other', () => {
  /** Attributes, and the fields of a span of which nobody told before. */
  const around = (
    outer: Readonly<Record<string, string | number>>,
    inner: Readonly<Record<string, string | number>> = outer,
    more: Plain = {},
  ): readonly [Plain, Plain] => {
    const parent = span(outer, more);
    return [parent, span(inner, { parentSpanId: parent['spanId'], ...more })];
  };
  const bare = { 'gen_ai.operation.name': 'chat', 'gen_ai.request.model': 'gpt-5' };
  const embedding = { 'gen_ai.operation.name': 'embeddings', 'gen_ai.request.model': 'e' };
  const failed = { status: { code: 2 } };
  const duplicates = (rows: readonly Found[]): unknown => pick(rows, 'duplicate').flat();
  /** Whether the outer one is a duplicate of the inner one, sent in one request in either order, and one after the other. */
  const told = (pair: () => readonly [Plain, Plain]): unknown[] => {
    const [a, b, c] = [new Stand(), new Stand(), new Stand()];
    a.spans(pair());
    b.spans([...pair()].reverse());
    const [outer, inner] = pair();
    c.spans([inner]);
    c.commit();
    c.spans([outer]);
    const rows = [a.commit(), b.commit(), c.commit()];
    return rows.map(
      (found) => pick(found, 'duplicate', 'parent_span_id').find(([, parent = '']) => parent === '')?.[0],
    );
  };

  it.each<[string, () => readonly [Plain, Plain]]>([
    ['that say the same counts', () => around(chat())],
    ['that both failed', () => around(bare, bare, failed)],
    [
      'of embeddings, of which the outer says nothing',
      () => around(embedding, { ...embedding, 'gen_ai.usage.input_tokens': 9 }),
    ],
    [
      'of which only the inner has an id of the answer',
      () => around(chat(), chat({ 'gen_ai.response.id': 'chatcmpl-0123456789' })),
    ],
  ])('%s are one call', (_, pair) => {
    expect(told(pair)).toEqual([1, 1, 1]);
  });

  it.each<[string, () => readonly [Plain, Plain]]>([
    ['with other counts', () => around(chat(), chat({ 'gen_ai.usage.output_tokens': 7 }))],
    ['of other models', () => around(chat(), chat({ 'gen_ai.request.model': 'gpt-4o' }))],
    ['of other operations', () => around(chat(), chat({ 'gen_ai.operation.name': 'text_completion' }))],
    ['of which nobody says what they took', () => around(bare)],
    ['of which one failed', () => [around(bare)[0], around(bare, bare, failed)[1]]],
    [
      'of which the outer has an answer of its own',
      () => around(chat({ 'gen_ai.response.id': 'chatcmpl-9876543210' }), chat()),
    ],
    [
      'of two traces',
      () => {
        const [outer, inner] = around(chat());
        return [outer, { ...inner, traceId: Buffer.alloc(16, 8) }];
      },
    ],
    ['beside each other', () => [span(chat()), span(chat())]],
  ])('%s are two calls', (_, pair) => {
    expect(told(pair)).toEqual([0, 0, 0]);
  });

  it('of a request that is refused teach nothing', () => {
    const stand = new Stand();
    const [outer, inner] = around(chat());
    expect(() => stand.spans([inner], { broken: true })).toThrow('cannot decode the request');
    stand.spans([outer]);
    expect(duplicates(stand.commit())).toEqual([0]);
    stand.spans([inner]);
    stand.commit(new Map([['generations', new Error('the disk is full')]]));
    const again = new Stand();
    again.spans([outer]);
    expect(duplicates(again.commit())).toEqual([0]);
  });

  it('are not their own parents', () => {
    const stand = new Stand();
    const one = span(chat());
    stand.spans([{ ...one, parentSpanId: one['spanId'] }]);
    expect(duplicates(stand.commit())).toEqual([0]);
  });
});

describe('a commit that is on its way while calls are read', () => {
  const duplicates = (rows: readonly Found[]): unknown => pick(rows, 'duplicate').flat();

  it('has told of its calls already', () => {
    const stand = new Stand();
    const one = span(chat());
    stand.spans([one]);
    const settle = stand.send();
    stand.spans([one]);
    settle(true);
    expect(duplicates(stand.commit())).toEqual([1]);
  });

  it('takes those along that were read meanwhile if it fails, because they may be its duplicates', () => {
    const stand = new Stand();
    const [one, other] = [span(chat()), span(chat())];
    stand.spans([one]);
    const settle = stand.send();
    stand.spans([one, other]);
    settle(false);
    expect(stand.counts()).toEqual({ spans: 2 });
    stand.spans([one, other]);
    expect(duplicates(stand.commit())).toEqual([0, 0]);
    expect(stand.spent.map(({ dollars }) => dollars.toFixed(9))).toEqual(['0.004500000']);
  });
});

describe('what was spent', () => {
  it('is told by tenant and project when it is durable, each call once', () => {
    const stand = new Stand();
    const one = span(chat());
    stand.spans([one, span(chat())]);
    stand.spans([one]);
    expect(() => stand.spans([span(chat())], { broken: true })).toThrow('cannot decode the request');
    stand.lines([event(), event({ model: 'nobody-knows-this' })], { tenant: 'other' });
    stand.commit();
    expect(stand.spent.map(({ tenant, project, dollars }) => [tenant, project, dollars.toFixed(9)])).toEqual([
      ['acme', 'shop', '0.004500000'],
      ['other', DEFAULT_PLACEMENT.project, '0.002250000'],
    ]);
    stand.commit();
    expect(stand.spent).toEqual([]);
    stand.spans([span(chat())]);
    stand.commit(new Map([['generations', new Error('the disk is full')]]));
    expect(stand.spent).toEqual([]);
  });
});

describe('what a sender may send', () => {
  it.each([
    ['an array', '[1,2]'],
    [
      'a number with too many digits',
      '{"model":"m","start_time":1e400,"cost":1e999,"response":{"usage":{"prompt_tokens":1e30}}}',
    ],
    ['keys of every object', '{"model":"m","start_time":"x","__proto__":{"a":1},"constructor":{"prototype":1}}'],
    ['half a surrogate', String.raw`{"model":"\ud800","start_time":"\udfff","user":"\ud800"}`],
    ['deep JSON', `{"model":"m","start_time":"x","response":${'['.repeat(20_000)}${']'.repeat(20_000)}}`],
    [
      'text in place of numbers',
      '{"model":"m","start_time":"x","response":{"usage":{"prompt_tokens":"many","completion_tokens":-5}}}',
    ],
    ['names of any length', `{"model":"${'m'.repeat(100_000)}","provider":"${'p'.repeat(100_000)}","start_time":"x"}`],
    ['a text with a zero byte', String.raw`{"model":"a\u0000b","start_time":"x","tier":"\u0000"}`],
  ])('%s is stored, and stops nobody', (_, line) => {
    const stand = new Stand();
    expect(stand.lines([line, event()]).accepted).toBeGreaterThanOrEqual(2);
    expect(stand.commit().at(-1)).toMatchObject({ cost: 2_250_000_000n });
  });
});
