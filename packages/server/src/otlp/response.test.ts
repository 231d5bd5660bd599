import { SIGNALS } from '@glasshouse/model';
import protobuf from 'protobufjs';
import { describe, expect, it } from 'vitest';
import { encodeExportResponse, encodeStatus } from './response.ts';

const schema = protobuf.parse(`
  syntax = "proto3";
  message Response { Partial partial_success = 1; }
  message Partial { int64 rejected = 1; string error_message = 2; }
  message Status { int32 code = 1; string message = 2; }
`).root;

function decoded(name: string, bytes: Uint8Array): unknown {
  const type = schema.lookupType(name);
  return type.toObject(type.decode(bytes), { longs: String });
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8');
}

describe('encodeExportResponse', () => {
  it.each(SIGNALS)('leaves the partial success unset on full success of %s', (signal) => {
    expect(text(encodeExportResponse(signal, 'json'))).toBe('{}');
    expect(encodeExportResponse(signal, 'protobuf')).toHaveLength(0);
    expect(encodeExportResponse(signal, 'protobuf', { rejected: 0, message: '' })).toHaveLength(0);
  });

  it.each([
    ['traces', 'rejectedSpans'],
    ['logs', 'rejectedLogRecords'],
    ['metrics', 'rejectedDataPoints'],
  ] as const)('counts what was rejected of %s as %s', (signal, key) => {
    expect(text(encodeExportResponse(signal, 'json', { rejected: 2, message: 'why' }))).toBe(
      `{"partialSuccess":{"${key}":"2","errorMessage":"why"}}`,
    );
  });

  it.each([1, 127, 128, 2 ** 31, 2 ** 40 + 5, Number.MAX_SAFE_INTEGER])(
    'encodes %d rejections in protobuf',
    (rejected) => {
      const message = 'wegen é😀 '.repeat(30);
      expect(decoded('Response', encodeExportResponse('logs', 'protobuf', { rejected, message }))).toEqual({
        partialSuccess: { rejected: String(rejected), errorMessage: message },
      });
    },
  );

  it('sends a warning without rejections', () => {
    const warning = { rejected: 0, message: 'slow down' };
    expect(text(encodeExportResponse('traces', 'json', warning))).toBe(
      '{"partialSuccess":{"errorMessage":"slow down"}}',
    );
    expect(decoded('Response', encodeExportResponse('traces', 'protobuf', warning))).toEqual({
      partialSuccess: { errorMessage: 'slow down' },
    });
  });

  it.each([-1, 0.5, Number.NaN, 2 ** 53])('takes %d for a mistake of the caller', (rejected) => {
    expect(() => encodeExportResponse('traces', 'json', { rejected, message: '' })).toThrow('BUG');
  });
});

describe('encodeStatus', () => {
  it('encodes code and message in both formats', () => {
    expect(text(encodeStatus('json', 3, 'cannot read "x"'))).toBe(String.raw`{"code":3,"message":"cannot read \"x\""}`);
    expect(decoded('Status', encodeStatus('protobuf', 3, 'cannot read "x"'))).toEqual({
      code: 3,
      message: 'cannot read "x"',
    });
  });

  it('replaces lone surrogates', () => {
    expect(text(encodeStatus('json', 13, 'a\ud800'))).toBe('{"code":13,"message":"a\uFFFD"}');
    expect(decoded('Status', encodeStatus('protobuf', 13, 'a\ud800'))).toEqual({ code: 13, message: 'a\uFFFD' });
  });

  it.each([-1, 17, 1.5])('takes code %d for a mistake of the caller', (code) => {
    expect(() => encodeStatus('json', code, '')).toThrow('BUG');
  });
});
