/**
 * Files nobody would write: the examples, mutated. Whatever comes in, a resource or a DataFileError comes out, and a resource
 * survives being written down. Seeded, so that a failure is there again at the next run.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Resource } from '@glasshouse/model';
import { describe, expect, it } from 'vitest';
import { parseSchema } from './columns.ts';
import { diffResource } from './diff.ts';
import { formatDataFile } from './format.ts';
import { DataFileError } from './notice.ts';
import { parseDataFile } from './parse.ts';
import { parseAlter, parseCreateTable } from './table.ts';

const folder = join(import.meta.dirname, 'examples');
const CORPUS = readdirSync(folder).map((name) => ({ name, text: readFileSync(join(folder, name), 'utf8') }));
const FRAGMENTS = new Map(CORPUS.map(({ name, text }) => [name, text]));
/** What mutations insert: everything that means something to the parsers. */
const PIECES = [
  ...'toString|constructor|__proto__|hasOwnProperty|SELECT|AS|tuple()|IN'.split('|'),
  ...'\n|\r\n|\r|\t| |  |    |>|"|\'|`|(|)|[|]|{|}|{{|}}|{%|%|,|;|--|/*|*/|#|$|$a$|\\|:|=|.|%\n|\0|“|\uFEFF|ü|𝔘|-1|1e9'.split(
    '|',
  ),
  ...'SCHEMA >|SCHEMA|NODE n|SQL >|TYPE endpoint|TYPE copy|TYPE materialized|DATASOURCE d|ENGINE "|ENGINE_VER|ENGINE_TTL|TTL'.split(
    '|',
  ),
  ...'ORDER BY (|PARTITION BY|SETTINGS a=1|INDEXES >|FORWARD_QUERY >|DESCRIPTION >|TOKEN "a" READ|TAGS|SHARED_WITH >|CACHE 1'.split(
    '|',
  ),
  ...'INCLUDE "columns.incl" "TYPE=UInt8"|INCLUDE "filter.incl"|KAFKA_TOPIC x|COPY_MODE append|VERSION 1|BACKFILL skip'.split(
    '|',
  ),
  ...'DEFAULT|MATERIALIZED|ALIAS|EPHEMERAL|CODEC(|NULL|NOT NULL|`json:$.a[:]`|Nullable(|Array(|Map(|Tuple(|Enum8(|String'.split(
    '|',
  ),
  ..."CREATE TABLE t (|ALTER TABLE t|ADD COLUMN|MODIFY COLUMN|RENAME COLUMN a TO|AFTER|FIRST|COMMENT 'x'|COMMENT ''|DEFAULT {'a': {1: -2}}|{'a':|INDEX i a TYPE minmax".split(
    '|',
  ),
];

/** mulberry32: small, and the same everywhere. */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

type Random = ReturnType<typeof randomOf>;

function pick<T>(random: Random, items: readonly T[]): T {
  const item = items[random(items.length)];
  if (item === undefined) throw new Error('nothing to pick from');
  return item;
}

function mutate(random: Random, text: string, other: string): string {
  const at = random(text.length + 1);
  const length = random(12);
  const lines = text.split('\n');
  const line = random(lines.length);
  switch (random(9)) {
    case 0:
      return text.slice(0, at) + text.slice(at + length);
    case 1:
      return text.slice(0, at) + pick(random, PIECES) + text.slice(at);
    case 2:
      return text.slice(0, at);
    case 3:
      return lines.toSpliced(line, 1).join('\n');
    case 4:
      return lines.toSpliced(line, 0, lines[random(lines.length)] ?? '').join('\n');
    case 5:
      return lines.with(line, ' '.repeat(random(6)) + (lines[line] ?? '').trimStart()).join('\n');
    case 6:
      return text.slice(0, at) + other.slice(random(other.length + 1));
    case 7:
      return lines.toSpliced(line, 0, pick(random, PIECES)).join('\n');
    default:
      return text.slice(0, at) + String.fromCodePoint(random(0x250)) + text.slice(at + 1);
  }
}

function mutant(random: Random, texts: readonly string[]): string {
  let text = pick(random, texts);
  for (let round = random(4); round >= 0; round -= 1) text = mutate(random, text, pick(random, texts));
  return text;
}

/** Runs a parser; undefined for a refusal, which has to be one that names lines of the text. */
function resultOf<T>(text: string, file: string, parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof DataFileError)) throw new Error(`cannot survive ${JSON.stringify(text)}`, { cause: error });
    const lines = text.split(/\r\n|\r|\n/u).length;
    const fine = error.problems.every(
      (problem) =>
        problem.hint !== '' &&
        problem.message !== '' &&
        problem.line >= 1 &&
        (problem.file !== file || problem.line <= lines),
    );
    if (!fine || error.problems.length === 0)
      throw new Error(`cannot point into ${JSON.stringify(text)}`, { cause: error });
    return undefined;
  }
}

describe('mutated files', () => {
  it.each([['x.datasource'], ['x.pipe']])('named %s end in a resource or in problems', (file) => {
    const random = randomOf(20_260_730);
    const texts = CORPUS.map(({ text }) => text);
    const include = (name: string): string | undefined => FRAGMENTS.get(name);
    let read = 0;
    let before: Resource | undefined;
    for (let round = 0; round < 12_000; round += 1) {
      const text = mutant(random, texts);
      const resource = resultOf(text, file, () => parseDataFile(text, { file, include }).resource);
      if (resource === undefined) continue;
      read += 1;
      const again = resultOf(text, file, () => parseDataFile(formatDataFile(resource), { file }).resource);
      if (round % 16 === 0) expect(again, text).toEqual(resource);
      else if (JSON.stringify(again) !== JSON.stringify(resource)) expect(again, text).toEqual(resource);
      if (diffResource(resource, resource).length > 0) throw new Error(`differs from itself: ${JSON.stringify(text)}`);
      if (before !== undefined) diffResource(before, resource);
      before = resource;
    }
    expect(read).toBeGreaterThan(1000);
  });

  it.each([
    [
      'parseSchema',
      parseSchema,
      [
        "`a` String `json:$.a` DEFAULT '',\nb Array(UInt8) DEFAULT [1, 2], c Enum8('a' = 1) COMMENT 'it''s' CODEC(ZSTD(1)), d Map(String, UInt8) DEFAULT {'a': 1}",
      ],
    ],
    [
      'parseCreateTable',
      parseCreateTable,
      [FRAGMENTS.get('traces_ddl.datasource') ?? '', 'CREATE TABLE t (a String, INDEX i a TYPE minmax) ORDER BY a'],
    ],
    [
      'parseAlter',
      parseAlter,
      [
        "ALTER TABLE t ADD COLUMN IF NOT EXISTS a String DEFAULT 'x' AFTER b, DROP COLUMN c, MODIFY COLUMN d UInt8, RENAME COLUMN e TO f, COMMENT COLUMN g 'x'",
      ],
    ],
  ] as const)('given to %s end in a result or in problems', (_name, parse, texts) => {
    const random = randomOf(7);
    let read = 0;
    for (let round = 0; round < 4000; round += 1) {
      const text = mutant(random, texts);
      if (resultOf(text, 'f', () => parse(text, { file: 'f' })) !== undefined) read += 1;
    }
    expect(read).toBeGreaterThan(100);
  });
});

describe('files made to be slow', () => {
  const DEEP = 60_000;
  it.each([
    ['brackets', `SCHEMA >\n    a ${'Array('.repeat(DEEP / 6)}`],
    ['brackets in a default', `SCHEMA >\n    a String DEFAULT ${'('.repeat(DEEP)}`],
    ['tuples', `SCHEMA >\n    a ${'Tuple(a '.repeat(DEEP / 8)}`],
    ['quotes', `ENGINE_TTL ${"'\\".repeat(DEEP)}`],
    ['commas', `SCHEMA >\n    ${','.repeat(DEEP)}`],
    ['columns without a type', `SCHEMA >\n${'    a,\n'.repeat(DEEP / 6)}`],
    ['columns', `SCHEMA >\n${Array.from({ length: 8000 }, (_, index) => `    c${index} String,`).join('\n')}`],
    ['open values', 'ENGINE_TTL (\n'.repeat(DEEP / 13)],
    ['deeper and deeper', Array.from({ length: 400 }, (_, index) => `${' '.repeat(index)}SCHEMA >`).join('\n')],
    ['unknown directives', 'ENGIN x\n'.repeat(DEEP / 8)],
    ['braces', `SQL >\n    ${'{{'.repeat(DEEP)}`],
    ['comments', `SCHEMA >\n${'    -- x\n'.repeat(DEEP / 9)}    a String`],
    ['a long line', `SCHEMA ${'a'.repeat(DEEP)} ${'b'.repeat(DEEP)}`],
    ['tags', `TAGS ${'a,'.repeat(DEEP)}`],
    ['fragments', `INCLUDE ${'"a'.repeat(DEEP)}`],
  ])('with %s come to an end', (_name, text) => {
    for (const file of ['x.datasource', 'x.pipe']) {
      resultOf(text, file, () => parseDataFile(text, { file, include: () => 'TAGS a' }));
    }
    expect(text.length).toBeGreaterThan(1000);
  });
});
