/**
 * The reference pages of data files and templates, held to their word: their examples are read, rendered and refused as the
 * pages say.
 */

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseDataFile, parseTemplate, renderTemplate } from '@glasshouse/language';
import { describe, expect, test } from 'vitest';

const DOCS = join(dirname(dirname(dirname(import.meta.dirname))), 'docs');
const page = (name: string): string => readFileSync(join(DOCS, 'reference', name), 'utf8');

/** The rows of the table behind a comment, each cell without its back-ticks. */
function rowsBehind(text: string, mark: string): string[][] {
  return text
    .split(`<!-- ${mark} -->\n`)
    .slice(1)
    .flatMap((part) => {
      const lines = part
        .split('\n')
        .filter((_, at, all) => all.slice(0, at + 1).every((line) => line === '' || line.startsWith('|')));
      return lines.filter((line) => line.startsWith('|')).slice(2);
    })
    .map((line) =>
      line
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map((cell) => withoutTicks(cell.trim())),
    );
}

function withoutTicks(cell: string): string {
  const [, ticks, inner] = /^(`+) ?(.*?) ?\1$/s.exec(cell) ?? [];
  return ticks === undefined ? cell : (inner ?? '');
}

function render(template: string, values: ReadonlyMap<string, unknown>): string {
  return renderTemplate(parseTemplate(`%\n${template}`, { node: 'example' }), values).sql.trim();
}

describe('data-files.md', () => {
  const text = page('data-files.md');
  const files = [...text.matchAll(/<!-- file: (\S+) -->\n+```text\n([^]*?)\n```/g)].map(
    ([, file = '', body = '']): [string, string] => [file, body],
  );

  test('has examples of both kinds', () => {
    expect(files.length).toBeGreaterThanOrEqual(5);
  });

  test.each(files)('%s is read without a warning', (file, body) => {
    expect(parseDataFile(`${body}\n`, { file })).toMatchObject({
      resource: { name: file.split('.')[0] },
      warnings: [],
    });
  });
});

describe('templates.md', () => {
  const text = page('templates.md');
  const rendered = rowsBehind(text, 'rendered').map(
    ([template = '', parameters = '', sql = '']): [string, string, string] => [template, parameters, sql],
  );

  test('has tables of examples', () => {
    expect(rendered.length).toBeGreaterThan(30);
  });

  test.each(rendered)('%s with %j', (template, parameters, sql) => {
    const pairs = parameters.split('&').filter((pair) => pair !== '');
    const values = new Map(pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
    expect(render(template, values)).toBe(sql);
  });

  test.each(rowsBehind(text, 'refused').map(([template = '', why = '']): [string, string] => [template, why]))(
    '%s is refused',
    (template, why) => {
      expect(() => render(template, new Map([['a', "x');--"]]))).toThrow(why);
    },
  );

  test('names every function', () => {
    let message = '';
    try {
      parseTemplate('%\n{{ no_such_function() }}', { node: 'example' });
    } catch (error) {
      message = String(error);
    }
    const names = message.replace(/^.* and defined/s, 'defined').split(', ');
    expect(names.length).toBeGreaterThan(20);
    expect(names.filter((name) => !new RegExp(`\`[^\`]*\\b${name}\\b`).test(text))).toEqual([]);
  });
});
