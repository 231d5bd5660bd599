import { describe, expect, it } from 'vitest';
import { findFormat, querySettings } from './settings.ts';

const LIMITS = { maxExecutionSeconds: 30, maxMemoryBytes: 1000, maxThreads: 4, maxResultBytes: 500 };

describe('querySettings', () => {
  it('sets every limit', () => {
    expect(querySettings({}, LIMITS)).toEqual({
      output_format_arrow_low_cardinality_as_dictionary: '0',
      max_execution_time: '30',
      max_memory_usage: '1000',
      max_threads: '4',
      max_result_bytes: '500',
      timeout_overflow_mode: 'throw',
      read_overflow_mode: 'throw',
      result_overflow_mode: 'throw',
    });
  });

  it.each([
    ['5', '5'],
    ['0.5', '0.5'],
    ['30', '30'],
    ['31', '30'],
    ['0', '30'],
    ['-1', '30'],
    ['Infinity', '30'],
    ['NaN', '30'],
    ['', '30'],
    ['5; x', '30'],
  ])('a limit that is asked for counts only where it is stricter: %j becomes %j', (asked, used) => {
    expect(querySettings({ max_execution_time: asked }, LIMITS)['max_execution_time']).toBe(used);
  });

  it.each([
    'log_comment',
    'readonly',
    'allow_ddl',
    'database',
    'additional_table_filters',
    'enable_analyzer',
    'format_schema',
    'format_template_resultset',
    'timeout_overflow_mode',
    'read_overflow_mode',
    'use_query_cache',
    'output_format_x y',
    'param_x',
    '__proto__',
  ])('%s does not get through', (name) => {
    const settings = querySettings(Object.fromEntries([[name, 'break']]), LIMITS);
    expect(Object.values(settings)).not.toContain('break');
  });

  it('lets a client cut off at a number of rows only when it names the number', () => {
    expect(querySettings({ result_overflow_mode: 'break' }, LIMITS)['result_overflow_mode']).toBe('throw');
    const asked = { result_overflow_mode: 'break', max_result_rows: '10' };
    expect(querySettings(asked, LIMITS)).toMatchObject(asked);
  });
});

describe('querySettings, where a row filter applies', () => {
  it('tells nothing of how much was read', () => {
    const asked = {
      max_rows_to_read: '1',
      max_bytes_to_read: '1',
      max_memory_usage: '1',
      output_format_write_statistics: '1',
    };
    const settings = querySettings(asked, LIMITS, true);
    expect(settings).not.toHaveProperty('max_rows_to_read');
    expect(settings).not.toHaveProperty('max_bytes_to_read');
    expect(settings).toMatchObject({ max_memory_usage: '1000', output_format_write_statistics: '0' });
  });

  it.each(['session_timezone', 'transform_null_in', 'date_time_input_format', 'cast_keep_nullable'])(
    'refuses %s, which could change the filter',
    (name) => {
      expect(() => querySettings({ [name]: '1' }, LIMITS, true)).toThrow(`cannot use setting ${name}`);
      expect(querySettings({ [name]: '1' }, LIMITS)).toMatchObject({ [name]: '1' });
    },
  );
});

describe('querySettings', () => {
  it('never lets a dictionary out as it is stored', () => {
    const settings = querySettings({ output_format_arrow_low_cardinality_as_dictionary: '1' }, LIMITS);
    expect(settings).toMatchObject({ output_format_arrow_low_cardinality_as_dictionary: '0' });
  });
});

describe('findFormat', () => {
  it.each([
    ['JSON', 'JSON'],
    ['jsoneachrow', 'JSONEachRow'],
    ['Template', undefined],
    ['CapnProto', undefined],
    ['MySQLWire', undefined],
    ["TSV INTO OUTFILE '/x'", undefined],
    ['', undefined],
  ])('%j is %j', (given, found) => {
    expect(findFormat(given)).toBe(found);
  });
});
