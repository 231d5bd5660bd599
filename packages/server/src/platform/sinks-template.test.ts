import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { plainPath, readFileTemplate } from './sinks-template.ts';

const AT = new Date('2026-03-04T05:06:07Z');

describe('a file template', () => {
  it.each<[string, readonly string[], string | undefined, readonly string[], string]>([
    ['plain', [], undefined, [], 'plain'],
    ['by_{c}', ['c'], "[ifNull(toString(`c`), '')]", ['x/y'], 'by_x_y'],
    ["{t, '%Y/%m'}/x", ['t'], "[ifNull(formatDateTime(`t`, '%Y/%m'), '')]", ['2026/03'], '2026/03/x'],
    ["{t,'%H%M'}", ['t'], "[ifNull(formatDateTime(`t`, '%H%i'), '')]", ['0506'], '0506'],
    ['{c}_{3}', ['c'], "[ifNull(toString(`c`), ''), toString(rowNumberInAllBlocks() % 3)]", ['a', '2'], 'a_2'],
    ['run_{date}', ['c'], undefined, [], 'run_2026-03-04'],
    ["run_{timestamp, '%Y-%m-%dT%H:%M'}", [], undefined, [], 'run_2026-03-04T05:06'],
    ['{date}', ['date'], "[ifNull(toString(`date`), '')]", ['d'], 'd'],
  ])('%s', (text, columns, key, values, name) => {
    const template = readFileTemplate(text, columns, AT);
    expect(template.key).toBe(key);
    expect(template.nameOf(values)).toBe(name);
  });

  it.each(['{nothing}', '{0}', '{5000}', '{c', 'c}', '{}', "{c, 'it''s'}", '{c; DROP}', "{c, '%Y' }}", '{`c`}'])(
    'refuses %s',
    (text) => {
      expect(() => readFileTemplate(text, ['c'], AT)).toThrow(/cannot use EXPORT_FILE_TEMPLATE/u);
    },
  );

  it('gives expressions of nothing but its columns, whatever it says', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('{', '}', 'c', ',', "'", '%Y', '`', '\\', ')', '2', ' ', 'ü', '/')),
        (pieces) => {
          let key: string | undefined;
          try {
            ({ key } = readFileTemplate(pieces.join(''), ['c'], AT));
          } catch (error) {
            expect(String(error)).toContain('cannot use EXPORT_FILE_TEMPLATE');
            return;
          }
          const part = String.raw`(?:ifNull\((?:toString|formatDateTime)\(\x60c\x60(?:, '[\w%:/. -]+')?\), ''\)|toString\(rowNumberInAllBlocks\(\) % \d+\))`;
          if (key !== undefined) expect(key).toMatch(new RegExp(`^\\[${part}(?:, ${part})*\\]$`, 'u'));
        },
      ),
      { seed: 7, numRuns: 2_000 },
    );
  });
});

describe('a path', () => {
  it('stays below its folder, whatever values it is made of', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.string(), fc.constantFrom('..', '.', '/', '//', '../..', '\0', '\\', '...')), {
          minLength: 1,
        }),
        (parts) => {
          let path: string;
          try {
            path = plainPath(...parts);
          } catch (error) {
            expect(String(error)).toContain('the file has no name');
            return;
          }
          expect(path).toMatch(/^[\w.=@,+~ -]+(?:\/[\w.=@,+~ -]+)*$/u);
          for (const segment of path.split('/')) expect(segment).not.toMatch(/^\.+$/u);
        },
      ),
      { seed: 7, numRuns: 2_000 },
    );
  });
});
