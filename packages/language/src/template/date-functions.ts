/** `day_diff` and `date_diff_in_seconds|minutes|hours|days`: the absolute difference of two dates in whole units. */

import { argument, type CallContext, type TemplateFunction } from './call.ts';
import { parseDate } from './dates.ts';
import { excerpt } from './error.ts';
import { isTrue, kindOf, NONE, textOf, type Value } from './value.ts';

const DAY = '%Y-%m-%d';
const SECOND = '%Y-%m-%d %H:%M:%S';

export const DATE_FUNCTIONS: readonly (readonly [string, TemplateFunction])[] = [
  [
    'day_diff',
    {
      parameters: ['date_1', 'date_2'],
      least: 2,
      keywords: ['default'],
      run: (call) => difference(call, 86_400n, DAY),
    },
  ],
  ...(
    [
      ['seconds', 1n, SECOND],
      ['minutes', 60n, SECOND],
      ['hours', 3600n, SECOND],
      ['days', 86_400n, DAY],
    ] as const
  ).map(([unit, seconds, format]) => [`date_diff_in_${unit}`, dateDifference(seconds, format)] as const),
];

function dateDifference(seconds: bigint, format: string): TemplateFunction {
  return {
    parameters: ['date_1', 'date_2', 'date_format'],
    least: 2,
    keywords: ['default', 'backup_date_format', 'none_if_error'],
    run: (call) => difference(call, seconds, format),
  };
}

function difference(call: CallContext, unitSeconds: bigint, defaultFormat: string): Value {
  const dates = [argument(call, 'date_1'), argument(call, 'date_2')];
  if (call.sample && dates.some((date) => date.kind === 'none')) return { kind: 'int', value: 0n };
  const formats = [
    textOf(argument(call, 'date_format')) ?? defaultFormat,
    textOf(argument(call, 'backup_date_format')),
  ];
  const [first, second] = dates.map((date) =>
    momentOf(
      call,
      date,
      formats.filter((format) => format !== undefined),
    ),
  );
  if (first === undefined || second === undefined) return NONE;
  const between = first < second ? second - first : first - second;
  return { kind: 'int', value: between / (unitSeconds * 1_000_000n) };
}

/** Undefined when the text does not fit and `none_if_error` says that this is no error. */
function momentOf(call: CallContext, date: Value, formats: readonly string[]): bigint | undefined {
  const text = textOf(date);
  for (const format of formats) {
    const moment = parseDate(text ?? '', format);
    if (moment === 'format')
      throw call.fail(`the date format '${excerpt(format)}' is not supported; it may hold %Y %y %m %d %H %M %S %f %z`);
    if (moment !== undefined) return moment;
  }
  if (isTrue(argument(call, 'none_if_error'))) return undefined;
  const shown = text === undefined ? kindOf(date) : `'${excerpt(text)}'`;
  throw call.fail(`${call.name}() takes dates of the format ${formats.join(' or ')}, not ${shown}`);
}
