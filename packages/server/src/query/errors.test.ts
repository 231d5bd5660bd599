import { AppError } from '@glasshouse/model';
import { StoreError } from '@glasshouse/store';
import { describe, expect, it } from 'vitest';
import { toQueryError } from './errors.ts';

const CONTEXT = {
  database: 'tenant_acme',
  sql: "SELECT a FROM tenant_acme.spans WHERE b = '/my/own/path'",
  aborted: false,
};

describe('toQueryError', () => {
  it.each([
    [60, 'not_found', 404],
    [62, 'bad_request', 400],
    [159, 'timeout', 408],
    [241, 'too_large', 413],
    [202, 'rate_limited', 429],
    [497, 'forbidden', 403],
    [49, 'internal', 500],
  ])('gives the engine’s %i the code %s', (number, code, status) => {
    const error = toQueryError(new StoreError('x', number, 'NAME', undefined), CONTEXT);
    expect(error).toMatchObject({ code, number, type: 'NAME' });
    expect(error.kind.httpStatus).toBe(status);
  });

  it('says that the store is away, and to try again', () => {
    const error = toQueryError(
      new StoreError('connect ECONNREFUSED /run/x.sock', 0, 'UNREACHABLE', undefined),
      CONTEXT,
    );
    expect(error).toMatchObject({ code: 'unavailable', retryAfterSeconds: 2 });
    expect(error.message).not.toContain('/run');
  });

  it('knows a query that was cancelled, however it ended', () => {
    const error = toQueryError(new StoreError('aborted', 0, 'UNREACHABLE', undefined), { ...CONTEXT, aborted: true });
    expect(error).toMatchObject({ code: 'cancelled', number: 394 });
  });

  it.each([
    ['Table tenant_other.spans is odd', 'tenant_other'],
    ['Cannot open /var/lib/glasshouse/db/x.bin', '/var/lib'],
    ["Unknown table 'x'. Maybe you meant tenant_other.x?", 'Maybe'],
  ])('leaves out of %j what is nobody’s business', (message, part) => {
    expect(toQueryError(new StoreError(message, 60, 'X', undefined), CONTEXT).message).not.toContain(part);
  });

  it('repeats what the statement said itself', () => {
    const { message } = toQueryError(new StoreError('in tenant_acme.spans: /my/own/path', 60, 'X', undefined), CONTEXT);
    expect(message).toBe('cannot run the query: in tenant_acme.spans: /my/own/path');
  });

  it('keeps our own refusals, and what is our own fault to itself', () => {
    expect(toQueryError(new AppError('forbidden', 'cannot x'), CONTEXT)).toMatchObject({
      number: 497,
      message: 'cannot x',
    });
    expect(toQueryError(new TypeError('secret'), CONTEXT).message).not.toContain('secret');
  });
});
