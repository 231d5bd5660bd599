import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AppError } from '@glasshouse/model';
import { readEvents } from './events.ts';
import { timeOf } from './form.ts';
import { readTrace, traceOf } from './traces.ts';

const OWNER = { tenant: 't', project: 'p', environment: 'dev' };
const RUNS = { seed: 20_260_101, numRuns: 2_000 };

/** Bodies that are nearly right, and some that are nothing at all. */
const value = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom('t', 'p', 'dev', '2026-01-02T03:04:05Z', 'llm_call'),
);
const bodyOf = (keys: readonly string[]): fc.Arbitrary<string> =>
  fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.dictionary(fc.constantFrom(...keys), value, { maxKeys: 12 }).map((fields) => JSON.stringify(fields)),
    fc.array(fc.dictionary(fc.constantFrom(...keys), value), { maxLength: 3 }).map((list) => JSON.stringify(list)),
  );

/** Either of the owner, or refused as a fault of the sender. */
function refusalOr<T>(read: () => T, check: (result: T) => void): void {
  try {
    check(read());
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    expect(error.kind.httpStatus).toBeLessThan(500);
  }
}

const EVENT = [
  'tenant_id',
  'project_id',
  'environment',
  'trace_id',
  'span_id',
  'timestamp',
  'event_type',
  'attributes',
];
const TRACE = ['traceId', 'spanId', 'tenantId', 'timestamp', 'query', 'response', 'latencyMs', 'metadata', 'headers'];

describe('any body', () => {
  it('is events of the owner, or refused', () => {
    fc.assert(
      fc.property(bodyOf(EVENT), (text) =>
        refusalOr(
          () => readEvents(Buffer.from(text), OWNER),
          (events) => {
            for (const event of events) {
              expect(event.row).toMatchObject({ tenant_id: 't', project_id: 'p', environment: 'dev' });
              traceOf(event);
            }
          },
        ),
      ),
      RUNS,
    );
  });

  it('is a trace of the owner, or refused', () => {
    fc.assert(
      fc.property(bodyOf(TRACE), (text) =>
        refusalOr(
          () => readTrace(Buffer.from(text), OWNER),
          ({ row }) => expect(row).toMatchObject({ tenant_id: 't', project_id: 'p', environment: 'dev' }),
        ),
      ),
      RUNS,
    );
  });

  it('with any attributes of a call of a model makes a trace', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), value), (llm_call) => {
        const attributes = { llm_call };
        const row = traceOf({ type: 'llm_call', attributes, row: { tenant_id: 't', timestamp: '' } });
        expect(row).toMatchObject({ tenant_id: 't', status: null });
        expect(Number.isInteger(row?.['latency_ms'])).toBe(true);
      }),
      RUNS,
    );
  });
});

describe('a time', () => {
  it.each([
    ['2026-01-02T03:04:05Z', '2026-01-02T03:04:05.000Z'],
    ['2026-01-02T03:04:05', '2026-01-02T03:04:05.000Z'],
    ['2026-01-02T03:04:05.123456789+02:00', '2026-01-02T01:04:05.123Z'],
    ['2026-01-02T03:04-0130', '2026-01-02T04:34:00.000Z'],
  ])('%s is %s', (text, time) => {
    expect(timeOf(text)).toBe(time);
  });

  it.each(['', '2026', '2026-02-30T25:00:00Z', '1899-12-31T00:00:00Z', '2300-01-01T00:00:00Z', 7, null])(
    '%j is none',
    (text) => {
      expect(timeOf(text)).toBeUndefined();
    },
  );
});
