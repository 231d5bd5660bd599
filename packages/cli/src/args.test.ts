/** Arguments: values, defaults, and errors that say what to type. */

import { describe, expect, test } from 'vitest';
import type { Options } from './args.ts';
import { nearest, parseArguments } from './args.ts';
import { UsageError } from './errors.ts';

const OPTIONS: Options = {
  lines: { type: 'string', short: 'n', value: 'N', fallback: '50', description: 'lines' },
  scope: { type: 'string', multiple: true, fallback: 'ingest,query', description: 'scopes' },
  signal: { type: 'string', description: 'signal' },
  follow: { type: 'boolean', short: 'f', description: 'follow' },
};
const parse = (...argv: string[]): ReturnType<typeof parseArguments> => parseArguments('logs', OPTIONS, 1, argv);

describe('parseArguments', () => {
  test('reads long and short options, before and after arguments', () => {
    const args = parse('-f', 'x', '--lines', '7', '--json');
    expect([args.flag('follow'), args.flag('json'), args.whole('lines', 0), args.positionals]).toEqual([
      true,
      true,
      7,
      ['x'],
    ]);
  });

  test('falls back to the default', () => {
    expect([parse().whole('lines', 0), parse().list('scope'), parse().text('signal')]).toEqual([
      50,
      ['ingest', 'query'],
      undefined,
    ]);
  });

  test('takes lists with commas and by repetition', () => {
    expect(parse('--scope', 'a,b', '--scope', 'c').list('scope')).toEqual(['a', 'b', 'c']);
  });

  test.each([
    [['--follw'], /did you mean --follow\?/],
    [['--lines'], /lines/],
    [['a', 'b'], /cannot use argument=b: logs takes at most 1/],
  ])('refuses %j', (argv, message) => {
    expect(() => parse(...argv)).toThrow(UsageError);
    expect(() => parse(...argv)).toThrow(message);
  });

  test.each(['1.5', '-1', 'many', ''])('refuses a number of lines such as %j', (text) => {
    expect(() => parse(`--lines=${text}`).whole('lines', 0)).toThrow(
      /cannot use --lines=.*: give a whole number of at least 0/,
    );
  });

  test('refuses what is not among the choices', () => {
    expect(() => parse('--signal', 'spam').choice('signal', ['spans', 'logs'])).toThrow(
      'cannot use --signal=spam: give one of spans, logs',
    );
  });
});

describe('nearest', () => {
  test('finds a name with a slip, or a beginning', () => {
    expect([nearest('stats', ['start', 'status']), nearest('doc', ['doctor', 'logs'])]).toEqual(['status', 'doctor']);
  });

  test('finds nothing for another word', () => {
    expect(nearest('elephant', ['start', 'status'])).toBeUndefined();
  });
});
