import { AppError, type Signal } from '@glasshouse/model';
import { describe, expect, it } from 'vitest';
import { jsonToProtobuf } from './json.ts';
import { referenceDecoder } from './json-reference.ts';

const decode = referenceDecoder();
const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const SPAN_ID = 'b7ad6b7169203331';

type Plain = Record<string, unknown>;

function convert(signal: Signal, json: unknown): Plain {
  return decode(signal, jsonToProtobuf(signal, Buffer.from(typeof json === 'string' ? json : JSON.stringify(json))));
}

function dig(value: unknown, ...path: (string | number)[]): unknown {
  return path.reduce<unknown>((inner, step) => (inner as Record<string | number, unknown>)[step], value);
}

function spanJson(fields: string): string {
  return `{"resourceSpans":[{"scopeSpans":[{"spans":[{${fields}}]}]}]}`;
}

/** The first span of a request whose only span has these fields, given as JSON text. */
function span(fields: string): Plain {
  return dig(convert('traces', spanJson(fields)), 'resourceSpans', 0, 'scopeSpans', 0, 'spans', 0) as Plain;
}

function attributeValue(value: string): unknown {
  return dig(span(`"attributes":[{"key":"k","value":${value}}]`), 'attributes', 0, 'value');
}

function hexOf(base64: unknown): string {
  return Buffer.from(String(base64), 'base64').toString('hex');
}

function refusal(signal: Signal, body: string | Uint8Array): string {
  try {
    jsonToProtobuf(signal, typeof body === 'string' ? Buffer.from(body) : body);
  } catch (error) {
    expect(error).toBeInstanceOf(AppError);
    expect((error as AppError).code).toBe('bad_request');
    return (error as AppError).message;
  }
  throw new Error('the body was accepted');
}

describe('request bodies', () => {
  it.each(['', ' \r\n', '{}', '\uFEFF{}', '{"resourceSpans":null}', '{"resourceSpans":[]}', '{"unknown":1}'])(
    'reads %j as an empty request',
    (body) => {
      expect(jsonToProtobuf('traces', Buffer.from(body))).toHaveLength(0);
    },
  );

  it('reads a body behind a byte order mark', () => {
    expect(convert('traces', `\uFEFF${spanJson('"name":"x"')}`)).toEqual(convert('traces', spanJson('"name":"x"')));
  });

  it.each([
    ['[{"resourceSpans":[]}]', 'it is an array; send one object with "resourceSpans"'],
    ['null', 'cannot read the request=null: it is not an object'],
    ['"x"', 'cannot read the request="x": it is not an object'],
    ['{"resourceSpans":[', 'cannot parse the request body as JSON'],
    ['{}{}', 'cannot parse the request body as JSON'],
    ['resourceSpans', 'cannot parse the request body as JSON'],
    ['{"resourceLogs":[]}', 'this endpoint takes traces; send logs to /v1/logs'],
    ['{"resource_metrics":[]}', 'this endpoint takes traces; send metrics to /v1/metrics'],
  ])('refuses the body %s', (body, message) => {
    expect(refusal('traces', body)).toContain(message);
  });

  it('refuses invalid UTF-8', () => {
    expect(refusal('logs', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]))).toContain('not valid UTF-8');
  });

  it('refuses brackets nested a million deep', () => {
    expect(refusal('traces', '['.repeat(1_000_000))).toContain('cannot');
    expect(refusal('traces', '['.repeat(1_000_000) + ']'.repeat(1_000_000))).toContain('cannot');
    expect(refusal('traces', `{"resourceSpans":${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}}`)).toContain(
      'cannot read resourceSpans[0]=[…]',
    );
  });

  it('refuses deep nesting beside a number that needs a second parse', () => {
    const deep = '['.repeat(200_000) + ']'.repeat(200_000);
    const message = refusal('traces', spanJson(`"startTimeUnixNano":1790000000000000001,"x":${deep}`));
    expect(message).toContain('nested too deeply');
  });

  it('skips nested data under an unknown key', () => {
    expect(span(`"name":"x","more":${'['.repeat(100_000)}${']'.repeat(100_000)}`)).toMatchObject({ name: 'x' });
  });
});

describe('keys', () => {
  it('takes snake_case as camelCase', () => {
    const json = `{"resource_spans":[{"scope_spans":[{"spans":[{"trace_id":"${TRACE_ID}","start_time_unix_nano":"5"}]}]}]}`;
    expect(convert('traces', json)).toEqual(
      convert('traces', spanJson(`"traceId":"${TRACE_ID}","startTimeUnixNano":"5"`)),
    );
  });

  it('takes null for absent', () => {
    const nulls = span(
      '"name":null,"traceId":null,"kind":null,"attributes":null,"status":null,"flags":null,"links":[null]',
    );
    expect(nulls).toEqual(span(''));
  });

  it('keeps the place of null in a list of values', () => {
    const list = attributeValue('{"arrayValue":{"values":[{"intValue":1},null,{"intValue":2}]}}');
    expect(dig(list, 'arrayValue', 'values')).toEqual([{ intValue: '1' }, {}, { intValue: '2' }]);
  });

  it('ignores a resource inside a span, whatever it contains', () => {
    expect(span('"name":"x","resource":{"attributes":"?"}')).toEqual(span('"name":"x"'));
  });

  it('ignores keys that objects inherit', () => {
    expect(span('"name":"x","__proto__":{"name":"y"},"constructor":1,"toString":2')).toEqual(span('"name":"x"'));
  });
});

describe('trace and span ids', () => {
  const base64 = Buffer.from(TRACE_ID, 'hex').toString('base64');

  it.each([TRACE_ID, TRACE_ID.toUpperCase(), base64, base64.replaceAll('=', '')])('reads %s as a trace id', (id) => {
    expect(hexOf(span(`"traceId":"${id}"`)['traceId'])).toBe(TRACE_ID);
  });

  it('reads base64 of eight bytes as a span id', () => {
    const id = Buffer.from(SPAN_ID, 'hex').toString('base64');
    expect(hexOf(span(`"spanId":"${id}"`)['spanId'])).toBe(SPAN_ID);
  });

  it.each(['ab', `${TRACE_ID}00`, TRACE_ID.slice(2)])('passes %s on for the decoder to refuse', (id) => {
    expect(hexOf(span(`"traceId":"${id}"`)['traceId'])).toBe(id);
  });

  it.each(['abc', `${TRACE_ID}0`, TRACE_ID.slice(1), SPAN_ID.slice(1), `${SPAN_ID}0`])(
    'makes no id of a good length out of the odd number of digits of %s',
    (id) => {
      const { traceId, spanId } = span(`"traceId":"${id}","spanId":"${id}"`);
      expect(Buffer.from(String(traceId), 'base64')).toHaveLength(id.length);
      expect(Buffer.from(String(spanId), 'base64')).toHaveLength(id.length);
    },
  );

  it('takes an empty parent span id for none', () => {
    expect(span('"parentSpanId":""')).toEqual(span(''));
  });

  it.each(['"not an id"', '"zz"', '5', '{"0":1}', `"${'z'.repeat(64)}"`])('refuses the id %s', (id) => {
    expect(refusal('traces', spanJson(`"traceId":${id}`))).toContain(
      'cannot read resourceSpans[0].scopeSpans[0].spans[0].traceId=',
    );
  });

  const long = TRACE_ID + 'f'.repeat(32);

  it('uses the first half of a trace id of 64 digits and keeps it as an attribute of the span', () => {
    const { traceId, attributes } = span(`"traceId":"${long}","attributes":[{"key":"a","value":{"boolValue":true}}]`);
    expect(hexOf(traceId)).toBe(TRACE_ID);
    expect(attributes).toContainEqual({ key: 'otlp.original_trace_id', value: { stringValue: long } });
    expect(attributes).toHaveLength(2);
  });

  it('uses the first half of a trace id of 64 digits and keeps it as an attribute of the log record', () => {
    const logs = convert('logs', { resourceLogs: [{ scopeLogs: [{ logRecords: [{ traceId: long }] }] }] });
    const record = dig(logs, 'resourceLogs', 0, 'scopeLogs', 0, 'logRecords', 0) as Plain;
    expect(hexOf(record['traceId'])).toBe(TRACE_ID);
    expect(record['attributes']).toEqual([{ key: 'otlp.original_trace_id', value: { stringValue: long } }]);
  });

  it('only cuts the trace id of a link', () => {
    const { links, attributes } = span(`"links":[{"traceId":"${long}"}]`);
    expect(hexOf(dig(links, 0, 'traceId'))).toBe(TRACE_ID);
    expect(dig(links, 0, 'attributes')).toEqual([]);
    expect(attributes).toEqual([]);
  });
});

describe('numbers', () => {
  it.each([
    ['"1790000000000000001"', '1790000000000000001'],
    ['1790000000000000001', '1790000000000000001'],
    ['18446744073709551615', '18446744073709551615'],
    ['"18446744073709551615"', '18446744073709551615'],
    ['"00000000000000000000000000001"', '1'],
    ['1.79e18', '1790000000000000000'],
    ['1.790000000000000001e18', '1790000000000000001'],
    ['"1.790000000000000001E+18"', '1790000000000000001'],
    ['"1790000000000000001.0"', '1790000000000000001'],
    ['"0e99999999999"', '0'],
    ['9007199254740993', '9007199254740993'],
    ['4294967296', '4294967296'],
    ['"4294967295"', '4294967295'],
    ['0', '0'],
    ['-0', '0'],
  ])('reads the time %s as %s', (json, time) => {
    expect(span(`"startTimeUnixNano":${json}`)['startTimeUnixNano']).toBe(time);
  });

  it.each([
    '-1',
    '18446744073709551616',
    '"18446744073709551616"',
    '1.5',
    '"1.5"',
    '""',
    '" 1"',
    '"0x1"',
    'true',
    '1e400',
    '"-"',
    '"1e99999999999"',
    `"${'9'.repeat(100)}"`,
    '[1]',
  ])('refuses the time %s', (json) => {
    expect(refusal('traces', spanJson(`"startTimeUnixNano":${json}`))).toMatch(
      /^cannot read resourceSpans\[0\]\.scopeSpans\[0\]\.spans\[0\]\.startTimeUnixNano=.*64 bits; send a decimal string/,
    );
  });

  it.each([
    ['"-9223372036854775808"', '-9223372036854775808'],
    ['-9223372036854775808', '-9223372036854775808'],
    ['9223372036854775807', '9223372036854775807'],
    ['-1', '-1'],
    ['"-4294967296"', '-4294967296'],
    ['0', '0'],
  ])('reads intValue %s', (json, value) => {
    expect(attributeValue(`{"intValue":${json}}`)).toEqual({ intValue: value });
  });

  it.each([
    ['1e300', 1e300],
    ['9223372036854775808', 2 ** 63],
    ['-10000000000000000000', -1e19],
    ['1.5', 1.5],
  ])('reads the bare intValue %s, which is none, as a double', (json, value) => {
    expect(attributeValue(`{"intValue":${json}}`)).toEqual({ doubleValue: value });
  });

  it('keeps digits of a bare number that stands behind a text with escapes and digits', () => {
    const fields = String.raw`"name":"a\":1790000000000000001","startTimeUnixNano":1790000000000000001`;
    expect(span(fields)).toMatchObject({ name: 'a":1790000000000000001', startTimeUnixNano: '1790000000000000001' });
  });

  it.each([
    ['1', 1],
    ['"1.5"', 1.5],
    ['"NaN"', Number.NaN],
    ['"Infinity"', Number.POSITIVE_INFINITY],
    ['"-Infinity"', Number.NEGATIVE_INFINITY],
    ['-0', -0],
    ['12345678901234567890', 1.2345678901234567e19],
  ])('reads doubleValue %s', (json, value) => {
    expect(attributeValue(`{"doubleValue":${json}}`)).toEqual({ doubleValue: value });
  });

  it.each(['"abc"', '""', '"nan"', 'true', '{}'])('refuses doubleValue %s', (json) => {
    expect(refusal('traces', spanJson(`"attributes":[{"key":"k","value":{"doubleValue":${json}}}]`))).toContain(
      'spans[0].attributes[0].value.doubleValue=',
    );
  });

  it('reads 32-bit integers from text', () => {
    expect(span('"flags":"769","droppedAttributesCount":"4294967295"')).toMatchObject({
      flags: 769,
      droppedAttributesCount: 4294967295,
    });
  });

  it.each(['-1', '4294967296', '0.5', '"x"', 'false'])('refuses flags %s', (json) => {
    expect(refusal('traces', spanJson(`"flags":${json}`))).toContain('spans[0].flags=');
  });

  it.each([
    ['2', 2],
    ['"2"', 2],
    ['"SPAN_KIND_SERVER"', 2],
    ['"SERVER"', 2],
    ['"server"', 2],
    ['99', 99],
    ['-1', -1],
  ])('reads the span kind %s', (json, kind) => {
    expect(span(`"kind":${json}`)['kind']).toBe(kind);
  });

  it.each(['"SPAN_KIND_"', '"other"', '1.5', '2147483648', '[]', 'true'])('refuses the span kind %s', (json) => {
    expect(refusal('traces', spanJson(`"kind":${json}`))).toContain('a name such as "SPAN_KIND_INTERNAL"');
  });

  it('grows for packed numbers, which take more room than their JSON', () => {
    const bucketCounts = Array.from({ length: 50_000 }, (_, index) => index % 10);
    const metric = { name: 'h', histogram: { dataPoints: [{ bucketCounts }] } };
    const metrics = convert('metrics', { resourceMetrics: [{ scopeMetrics: [{ metrics: [metric] }] }] });
    const counts = dig(
      metrics,
      'resourceMetrics',
      0,
      'scopeMetrics',
      0,
      'metrics',
      0,
      'histogram',
      'dataPoints',
      0,
      'bucketCounts',
    );
    expect(counts).toEqual(bucketCounts.map(String));
  });
});

describe('values', () => {
  it('sends zero values of a oneof', () => {
    expect(attributeValue('{"stringValue":""}')).toEqual({ stringValue: '' });
    expect(attributeValue('{"intValue":0}')).toEqual({ intValue: '0' });
    expect(attributeValue('{"doubleValue":0}')).toEqual({ doubleValue: 0 });
    expect(attributeValue('{"boolValue":false}')).toEqual({ boolValue: false });
    expect(attributeValue('{"bytesValue":""}')).toEqual({ bytesValue: '' });
    expect(attributeValue('{"arrayValue":{}}')).toEqual({ arrayValue: { values: [] } });
    expect(attributeValue('{}')).toEqual({});
  });

  it('replaces lone surrogates, in short and in long text', () => {
    const long = 'x'.repeat(100);
    expect(span(String.raw`"name":"a\ud800b"`)['name']).toBe('a\uFFFDb');
    expect(span(`"name":"${long}${String.raw`\udc00`}"`)['name']).toBe(`${long}\uFFFD`);
    expect(span(String.raw`"name":"\ud83d\ude00"`)['name']).toBe('😀');
  });

  it('writes text of every length around the limits of a length prefix', () => {
    for (const length of [0, 1, 39, 40, 41, 127, 128, 16_383, 16_384, 2_097_152]) {
      expect(span(`"name":"${'n'.repeat(length)}"`)['name']).toHaveLength(length);
    }
  });

  it.each(['"text"', '5', '["a"]'])('explains how to wrap the bare value %s', (json) => {
    expect(refusal('traces', spanJson(`"attributes":[{"key":"k","value":${json}}]`))).toMatch(
      /spans\[0\]\.attributes\[0\]\.value=.*: it is a bare value; wrap it, as in \{"stringValue": "…"\}$/,
    );
  });

  it.each([
    ['"attributes":{"k":"v"}', 'spans[0].attributes={…}: the field is repeated; send an array'],
    ['"attributes":["k"]', 'spans[0].attributes[0]="k": it is not an object'],
    ['"name":5', 'spans[0].name=5: it is not a string; put it in quotes'],
    ['"status":[]', 'spans[0].status=[…]: it is not an object'],
    ['"attributes":[{"value":{"boolValue":1}}]', 'attributes[0].value.boolValue=1: it is not a bool'],
    ['"attributes":[{"value":{"bytesValue":"?"}}]', 'attributes[0].value.bytesValue="?": it is not base64'],
    [`"name":${'9'.repeat(400)}`, 'spans[0].name=Infinity: it is not a string'],
  ])('refuses %s with the path and the reason', (fields, message) => {
    expect(refusal('traces', spanJson(fields))).toContain(message);
  });

  it('repeats only the start of a long value in an error', () => {
    expect(refusal('traces', spanJson(`"traceId":"${'?'.repeat(10_000)}"`)).length).toBeLessThan(300);
  });

  function nested(levels: number): string {
    return '{"arrayValue":{"values":['.repeat(levels - 1) + '{"intValue":1}' + ']}}'.repeat(levels - 1);
  }

  it('reads values nested 64 deep', () => {
    // Deeper than protobufjs decodes, so the innermost value is looked for in the bytes: field 3, value 1.
    const bytes = jsonToProtobuf('traces', Buffer.from(spanJson(`"attributes":[{"key":"k","value":${nested(64)}}]`)));
    expect(Buffer.from(bytes).subarray(-2)).toEqual(Buffer.from([0x18, 1]));
  });

  it.each([65, 10_000])('refuses values nested %i deep', (levels) => {
    expect(refusal('traces', spanJson(`"attributes":[{"key":"k","value":${nested(levels)}}]`))).toContain(
      'values are nested deeper than 64',
    );
  });
});

describe('Automagik requests', () => {
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'app' } }] };
  const traceId = TRACE_ID + TRACE_ID;

  it('reads its spans', () => {
    const json = `"traceId":"${traceId}","spanId":"${SPAN_ID}","name":"automagik.feature.used","kind":"SPAN_KIND_INTERNAL",
      "startTimeUnixNano":"1790000000000000001","endTimeUnixNano":"1790000000000000002","attributes":[],
      "status":{"code":"1"},"resource":${JSON.stringify(resource)}`;
    expect(span(json)).toMatchObject({ name: 'automagik.feature.used', kind: 1, status: { code: 1 } });
  });

  it('reads its metrics', () => {
    const point = { timeUnixNano: '1790000000000000001', count: 1, sum: 2, bucketCounts: [1], explicitBounds: [] };
    const aggregationTemporality = 'AGGREGATION_TEMPORALITY_CUMULATIVE';
    const metrics = [{ name: 'm', unit: '', histogram: { dataPoints: [point], aggregationTemporality } }];
    const decoded = convert('metrics', { resourceMetrics: [{ resource, scopeMetrics: [{ metrics }] }] });
    expect(dig(decoded, 'resourceMetrics', 0, 'scopeMetrics', 0, 'metrics', 0, 'histogram')).toMatchObject({
      aggregationTemporality: 2,
      dataPoints: [{ count: '1', sum: 2, bucketCounts: ['1'], explicitBounds: [] }],
    });
  });
});
