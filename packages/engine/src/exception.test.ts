import { describe, expect, it } from 'vitest';
import { Exception, exceptionFrame, formatException, httpStatus, toException } from './exception.ts';

describe('exceptions', () => {
  it('reads what the binding throws', () => {
    const error = new Error('Code: 60. DB::Exception: Table t does not exist. Maybe you meant x?. (UNKNOWN_TABLE)');
    expect(toException(error)).toMatchObject({
      number: 60,
      type: 'UNKNOWN_TABLE',
      message: 'Table t does not exist. Maybe you meant x?.',
    });
  });

  it('unwraps what the binding wrapped, however often', () => {
    const once = 'Code: 73. DB::Exception: Unknown format F. (UNKNOWN_FORMAT) (version 26.7.2.1)';
    const thrice = `Code: 73. DB::Exception: Code: 73. DB::Exception: ${once}. (UNKNOWN_FORMAT) (version 26.7.2.1). (UNKNOWN_FORMAT)`;
    expect(toException(new Error(thrice))).toMatchObject({
      number: 73,
      type: 'UNKNOWN_FORMAT',
      message: 'Unknown format F.',
    });
  });

  it('makes an unknown exception of anything else', () => {
    expect(toException(new Error('pipe broke'))).toMatchObject({
      number: 1002,
      type: 'UNKNOWN_EXCEPTION',
      message: 'pipe broke',
    });
  });

  it('writes the text of a server', () => {
    const text = formatException(new Exception(60, 'UNKNOWN_TABLE', 'Table t does not exist.'), '26.7.2.1');
    expect(text).toBe(
      'Code: 60. DB::Exception: Table t does not exist. (UNKNOWN_TABLE) (version 26.7.2.1 (official build))\n',
    );
  });

  it('frames an exception so that its length in bytes counts the line break', () => {
    expect(exceptionFrame('böom\n', 'TAG')).toBe('\r\n__exception__\r\nTAG\r\nböom\n6 TAG\r\n__exception__\r\n');
  });

  it('maps numbers to statuses as a server does', () => {
    expect([62, 60, 497, 516, 194, 159, 48, 241, 202].map(httpStatus)).toEqual([
      400, 404, 403, 403, 401, 408, 501, 500, 503,
    ]);
  });
});
