/** Reading a project from a folder: what is found, what is sent, and mistakes with their places. */

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { UsageError } from '../errors.ts';
import { findDataFiles } from './files.ts';
import { readFiles, readFolder, readProject } from './project.ts';

const COLUMNS = 'SCHEMA >\n    `ts` DateTime,\n    `page` String\n';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'glasshouse-project-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function put(files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
}

describe('finding data files', () => {
  test('goes into folders, in one order, and leaves hidden and foreign ones out', () => {
    put({
      'b.pipe': '',
      'a.datasource': '',
      'deep/er/c.pipe': '',
      '.git/d.pipe': '',
      'node_modules/x/e.datasource': '',
      'notes.md': '',
      'includes/keys.incl': '',
      'connections/f.connection': '',
    });
    expect(findDataFiles(folder)).toEqual({
      dataFiles: ['a.datasource', 'b.pipe', 'deep/er/c.pipe'],
      ignored: ['connections/f.connection'],
    });
  });

  test('does not go round in circles', () => {
    put({ 'a.datasource': '' });
    symlinkSync(folder, join(folder, 'again'));
    expect(findDataFiles(folder).dataFiles).toEqual(['a.datasource']);
  });
});

describe('reading a project', () => {
  test('sends files as they are, under their paths in the project', () => {
    put({ 'datasources/visits.datasource': `# a comment\n${COLUMNS}` });
    expect(readProject(folder)).toMatchObject({
      resources: [
        {
          file: join(folder, 'datasources/visits.datasource'),
          sentAs: 'datasources/visits.datasource',
          text: `# a comment\n${COLUMNS}`,
          resource: { kind: 'datasource', name: 'visits' },
        },
      ],
      problems: [],
      warnings: [],
    });
  });

  test('puts fragments in their place, also those of fragments', () => {
    put({
      'datasources/visits.datasource': `${COLUMNS}\nINCLUDE "../includes/engine.incl" "first=page"\n`,
      'includes/engine.incl': 'ENGINE "MergeTree"\nINCLUDE "keys.incl"\nENGINE_PARTITION_KEY "$first"\n',
      'includes/keys.incl': 'ENGINE_SORTING_KEY "ts"\n',
    });
    const { resources, problems } = readProject(folder);
    expect(problems).toEqual([]);
    expect(resources[0]?.resource).toMatchObject({ engine: { sortingKey: 'ts', partitionKey: 'page' } });
    expect(resources[0]?.text).toContain('ENGINE_PARTITION_KEY "page"');
    expect(resources[0]?.text).not.toContain('INCLUDE');
  });

  test.each([
    ['another kind of file', '../secret.txt'],
    ['a file outside of the project', '../../outside.incl'],
    ['a file that is not there', 'nothing.incl'],
  ])('takes no fragment that is %s', (_, name) => {
    put({
      'project/datasources/visits.datasource': `${COLUMNS}\nINCLUDE "${name}"\n`,
      'project/secret.txt': 'ENGINE "MergeTree"\n',
      'outside.incl': 'ENGINE "MergeTree"\n',
    });
    expect(readProject(join(folder, 'project')).problems).toMatchObject([
      { line: 5, message: expect.stringContaining('there is no such fragment') as string },
    ]);
  });

  test('says all that is wrong, with file, line and column', () => {
    put({
      'a.datasource': 'SCHEMA >\n    `page` Strong,\n    `n` UInt32\n\nENGINE "MergTree"\n',
      'b.pipe':
        'NODE first\nSQL >\n    SELECT 1\n\nNODE second\nSQL >\n    %\n    SELECT 1\n    WHERE {{ Strng(page) }}\n',
    });
    expect(readProject(folder).problems).toMatchObject([
      { file: join(folder, 'a.datasource'), line: 2, column: 12, hint: 'did you mean String?' },
      { file: join(folder, 'a.datasource'), line: 5, hint: 'did you mean MergeTree?' },
      {
        file: join(folder, 'b.pipe'),
        line: 9,
        column: 14,
        message: expect.stringContaining('there is no function Strng') as string,
      },
    ]);
  });

  test('refuses two files for one name', () => {
    put({ 'a/visits.datasource': COLUMNS, 'b/visits.pipe': 'NODE n\nSQL >\n    SELECT 1\n' });
    expect(readProject(folder).problems).toMatchObject([
      {
        file: join(folder, 'b/visits.pipe'),
        message: `cannot use name=visits: ${join(folder, 'a/visits.datasource')} has it already`,
      },
    ]);
  });

  test('warns of what is left out', () => {
    put({ 'visits.datasource': COLUMNS, 'kafka.connection': 'TYPE kafka\n' });
    expect(readProject(folder).warnings).toMatchObject([{ file: join(folder, 'kafka.connection') }]);
  });

  test('refuses a folder without data files, which would delete everything', () => {
    expect(() => readProject(folder)).toThrow(UsageError);
    expect(readFolder(folder).resources).toEqual([]);
  });

  test('refuses a file that is no text', () => {
    writeFileSync(join(folder, 'a.pipe'), Buffer.from([0xff, 0xfe, 0xfd]));
    expect(() => readProject(folder)).toThrow(/cannot read file=.*a\.pipe: it is not UTF-8/);
  });
});

test('single files may include what stands beside their folder', () => {
  put({
    'datasources/visits.datasource': `${COLUMNS}\nINCLUDE "../includes/engine.incl"\n`,
    'includes/engine.incl': 'ENGINE "MergeTree"\nENGINE_SORTING_KEY "ts"\n',
  });
  const path = join(folder, 'datasources/visits.datasource');
  expect(readFiles([path])).toMatchObject({
    resources: [{ file: path, sentAs: 'visits.datasource', resource: { engine: { sortingKey: 'ts' } } }],
    problems: [],
  });
});
