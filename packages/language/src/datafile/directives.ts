/** The words that data files are made of, by kind of file, and what is said about a word that is none of them. */

import { nearest } from './nearest.ts';

/** `block`: text of many lines behind `>`. `value`: the rest of the line. */
export type Form = 'block' | 'value';

/** The directives of a kind of file. */
export interface Vocabulary {
  readonly kind: 'datasource' | 'pipe';
  readonly forms: ReadonlyMap<string, Form>;
  /** Whether lines such as `ORDER BY (…)` are directives; in a pipe they are SQL. */
  readonly clauses: boolean;
}

const COMMON: readonly (readonly [string, Form])[] = [
  ['DESCRIPTION', 'block'],
  ['TOKEN', 'value'],
  ['TAGS', 'value'],
  ['INCLUDE', 'value'],
  ['VERSION', 'value'],
  ['MAINTAINER', 'value'],
];

const STORAGE = (
  'ENGINE ENGINE_SORTING_KEY ENGINE_PARTITION_KEY ENGINE_PRIMARY_KEY ENGINE_SAMPLING_KEY ENGINE_TTL ENGINE_VER ENGINE_SIGN ' +
  'ENGINE_IS_DELETED ENGINE_VERSION ENGINE_COLUMNS ENGINE_SUMMING_COLUMNS ENGINE_SETTINGS'
).split(' ');

export const DATA_SOURCE: Vocabulary = {
  kind: 'datasource',
  clauses: true,
  forms: new Map<string, Form>([
    ...COMMON,
    ['SCHEMA', 'block'],
    ['INDEXES', 'block'],
    ['FORWARD_QUERY', 'block'],
    ['SHARED_WITH', 'block'],
    ['BACKFILL', 'value'],
    ...STORAGE.map((word) => [word, 'value'] as const),
    ...['SORTING_KEY', 'PARTITION_KEY', 'PRIMARY_KEY', 'SAMPLING_KEY', 'TTL', 'SETTINGS'].map(
      (word) => [word, 'value'] as const,
    ),
  ]),
};

export const EXPORT_SETTINGS: readonly string[] = (
  'EXPORT_SERVICE EXPORT_CONNECTION_NAME EXPORT_BUCKET_URI EXPORT_FILE_TEMPLATE EXPORT_FORMAT EXPORT_SCHEDULE EXPORT_STRATEGY ' +
  'EXPORT_WRITE_STRATEGY EXPORT_COMPRESSION EXPORT_KAFKA_TOPIC'
).split(' ');

export const PIPE: Vocabulary = {
  kind: 'pipe',
  clauses: false,
  forms: new Map<string, Form>([
    ...COMMON,
    ['NODE', 'value'],
    ['SQL', 'block'],
    ['TYPE', 'value'],
    ['DATASOURCE', 'value'],
    ['TARGET_DATASOURCE', 'value'],
    ['COPY_SCHEDULE', 'value'],
    ['COPY_MODE', 'value'],
    ['MODE', 'value'],
    ['CACHE', 'value'],
    ['DEPLOYMENT_METHOD', 'value'],
    ...EXPORT_SETTINGS.map((word) => [word, 'value'] as const),
    ...STORAGE.map((word) => [word, 'value'] as const),
  ]),
};

/** Directives of connectors, which bring rows from elsewhere. */
export function isConnector(word: string): boolean {
  return /^(?:KAFKA|IMPORT|S3|GCS)_[A-Z0-9_]+$/u.test(word);
}

/** Whether the word is a directive of the other kind of file, and no word of SQL besides. */
export function isOfOtherKind(word: string, vocabulary: Vocabulary): boolean {
  return otherThan(vocabulary).forms.has(word) && word !== 'TTL' && word !== 'SETTINGS';
}

function otherThan(vocabulary: Vocabulary): Vocabulary {
  return vocabulary.kind === 'pipe' ? DATA_SOURCE : PIPE;
}

/** What to do about a word that is no directive of this kind of file. */
export function unknownHint(word: string, vocabulary: Vocabulary): string {
  const other = otherThan(vocabulary);
  if (other.forms.has(word)) return `${word} belongs into a .${other.kind} file`;
  const meant = nearest(word, vocabulary.forms.keys(), word.length > 5 ? 3 : 2);
  if (meant !== undefined) return `did you mean ${meant}?`;
  const words =
    vocabulary.kind === 'pipe' ? 'NODE, SQL >, TYPE, DATASOURCE' : 'SCHEMA >, ENGINE, ENGINE_SORTING_KEY, TOKEN';
  return `a line starts with a directive such as ${words}; lines of a block are indented, and comments start with #`;
}
