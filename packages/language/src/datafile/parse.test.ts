/** What data files get wrong: every problem at once, each with its line, its column, its reason and what to do. */

import { describe, expect, it } from 'vitest';
import { DataFileError, type Notice } from './notice.ts';
import { MAX_DATA_FILE_LENGTH, parseDataFile, type DataFileOptions } from './parse.ts';

function problemsOf(text: string, options: DataFileOptions): readonly Notice[] {
  try {
    parseDataFile(text, options);
  } catch (error) {
    expect(error).toBeInstanceOf(DataFileError);
    return (error as DataFileError).problems;
  }
  return [];
}

/** `line:column message | hint` of each problem. */
function said(text: string, options: DataFileOptions): string[] {
  return problemsOf(text, options).map(
    ({ line, column, message, hint }) => `${line}${column === undefined ? '' : `:${column}`} ${message} | ${hint}`,
  );
}

const dataSource = (text: string): string[] => said(text, { file: 'x.datasource' });
const pipe = (text: string): string[] => said(text, { file: 'p.pipe' });
/** A data source whose schema is right, with something below it from line 3 on. */
const below = (text: string): string[] =>
  dataSource(`SCHEMA >\n    a String, b DateTime, c Nullable(UInt8), d Int8\n${text}`);
/** A pipe whose node is right, with something below it from line 4 on. */
const behind = (text: string): string[] => pipe(`NODE n\nSQL >\n    SELECT 1\n${text}`);

describe('the schema', () => {
  it.each([
    [
      '    a String\n    b UInt8',
      '2:13 cannot read the columns: a comma is missing before b | write a comma at the end of the line',
    ],
    [
      "    a String DEFAULT 'x'\n    b UInt8",
      '2:25 cannot read the columns: a comma is missing before b | write a comma at the end of the line',
    ],
    [
      '    a,\n    b UInt8',
      '2:5 cannot read column=a: its type is missing | write the type after the name, such as a String',
    ],
    [
      '    a `json:$.a`,',
      '2:5 cannot read column=a: its type is missing | write the type after the name, such as a String',
    ],
    [
      '    a DEFAULT 1',
      '2:5 cannot read column=a: its type is missing | write the type after the name, such as a String',
    ],
    ['    a Strng', '2:7 cannot read column=a: there is no type Strng | did you mean String?'],
    ['    a string', '2:7 cannot read column=a: there is no type string | did you mean String?'],
    ['    a Array(Nulable(UInt8))', '2:13 cannot read column=a: there is no type Nulable | did you mean Nullable?'],
    ['    a Map(String, Sting)', '2:19 cannot read column=a: there is no type Sting | did you mean String?'],
    ['    a Array(String', '2:7 cannot read column=a: the bracket after Array is not closed | close it'],
    ['    a Array()', '2:7 cannot read column=a: Array is made of 1 type, not 0 | write Array(Type)'],
    ['    a Map(String String)', '2:18 cannot read column=a: String follows a part of Map | write a comma or )'],
    ['    a String,\n    a UInt8', '3:5 cannot add column=a: line 2 has it already | rename one of them'],
    ['    a String DEFAULT,', '2:21 cannot read DEFAULT of column=a: it is missing | write an expression here'],
    [
      '    a String DEFAULT CODEC(ZSTD)',
      '2:22 cannot read DEFAULT of column=a: it is missing | write an expression here',
    ],
    ['    a String DEFAULT 1 ALIAS 2', '2:24 cannot read column=a: it has a second ALIAS | keep one of them'],
    ['    a UInt8 DEFAULT (1 + 2', '2:21 cannot read DEFAULT of column=a: the bracket ( is not closed | close it'],
    ['    a UInt8 DEFAULT (1]', '2:23 cannot read the brackets: ] closes ( | put the brackets in pairs'],
    [
      '    a UInt8 DEFAULT 1)',
      '2:22 cannot read the columns: ) is not expected here | a column is `name` Type `json:$.path` DEFAULT value, and a comma comes after it',
    ],
    [
      "    a UInt8 DEFAULT 'x",
      "2:21 cannot read the text: the quote ' is not closed | close it on the same line or further down",
    ],
    [
      '    a UInt8 DEFAULT {"b": 1}',
      "2:22 cannot read DEFAULT of column=a: \"b\" is no key of a map | write keys as 'text' or numbers, such as {'a': 1}",
    ],
    [
      "    a UInt8 DEFAULT {'b'}",
      "2:25 cannot read DEFAULT of column=a: a key of a map has no value | write {'key': value, …}",
    ],
    [
      "    a UInt8 DEFAULT {'b': 1, }",
      "2:30 cannot read DEFAULT of column=a: a key of a map has no value | write {'key': value, …}",
    ],
    [
      "    a UInt8 DEFAULT {'b': x ? 1 : 2}",
      "2:33 cannot read DEFAULT of column=a: a colon stands where no key of a map ends | write {'key': value, …}",
    ],
    ["    a UInt8 DEFAULT {'b': 1", '2:21 cannot read DEFAULT of column=a: the bracket { is not closed | close it'],
    ["    a UInt8 DEFAULT {'b': 1)", '2:28 cannot read the brackets: ) closes { | put the brackets in pairs'],
    [
      '    a UInt8 DEFAULT {b:UInt8}',
      '2:21 cannot read DEFAULT of column=a: the parameter {b:UInt8} has no value here | write the value itself',
    ],
    [
      '    a UInt8 DEFAULT “x”',
      '2:21 cannot read the text: the character U+201C is not allowed outside of quotes (typographic quotes and dashes must be plain ones) | use plain characters, and quotes around what is not a plain name',
    ],
    [
      '    a UInt8 DEFAULT (1; 2)',
      '2:23 cannot read DEFAULT of column=a: a semicolon stands inside of brackets | take it away',
    ],
    [
      '    a UInt8; DROP TABLE b',
      '2:12 cannot read the columns: ; is not expected here | a column is `name` Type `json:$.path` DEFAULT value, and a comma comes after it',
    ],
    [
      '    a String TTL b + INTERVAL 1 DAY',
      '2:14 cannot read column=a: a column takes no TTL | rows age as a whole: use ENGINE_TTL',
    ],
    [
      '    a String PRIMARY KEY',
      '2:14 cannot read column=a: a column takes no PRIMARY KEY | use ENGINE_PRIMARY_KEY, or ENGINE_SORTING_KEY',
    ],
    [
      '    a String `json:a.b`',
      '2:14 cannot read column=a: a.b is no JSON path | write $ for the row, $.a.b for a key in an object, $.a[:] for a list',
    ],
    [
      '    a String `json:$.a[0]`',
      '2:14 cannot read column=a: $.a[0] is no JSON path | write $ for the row, $.a.b for a key in an object, $.a[:] for a list',
    ],
    [
      '    a Date MATERIALIZED now() `json:$.a`',
      '2:31 cannot read column=a: a MATERIALIZED column is computed, not read from the row | take the JSON path away, or write DEFAULT',
    ],
    [
      '    `json:$.a` String',
      '2:5 cannot read the JSON path `json:$.a`: no column stands before it | write `name` Type first',
    ],
    ['    _segment String', '2:5 cannot use column=_segment: the name is reserved | choose another name'],
    [
      '    (a String)',
      '2:5 cannot read a column: ( is no name | write `name` Type, and put names that are not plain in backticks',
    ],
    [
      '    a String,\n    INDEX i a TYPE minmax',
      '3:5 cannot read INDEX: SCHEMA takes columns only | write it in a block INDEXES >',
    ],
    ['', '1:1 cannot read SCHEMA: it is empty | write a line `name` Type for each column'],
  ])('%j has %s', (lines, problem) => {
    expect(dataSource(`SCHEMA >\n${lines}\n`)).toEqual([problem]);
  });

  it('names every faulty column, with the line it is in', () => {
    const text =
      'DESCRIPTION >\n    d\n\n# comment\nSCHEMA >\n    a Strin,\n    -- comment\n    b UInt8,\n\n    c,\n    d Array(,\n    e String';
    expect(dataSource(text)).toEqual([
      expect.stringMatching(/^6:7 cannot read column=a: there is no type Strin/u),
      expect.stringMatching(/^10:5 cannot read column=c/u),
      expect.stringMatching(/^11:13 cannot read column=d/u),
    ]);
  });

  it('guesses that a directive was indented by mistake', () => {
    expect(dataSource('SCHEMA >\n    a String\n    ENGINE "MergeTree"')).toEqual([
      '2:13 cannot read the columns: a comma is missing before ENGINE | write a comma at the end of the line; a directive such as ENGINE has to start further to the left',
      '3:12 cannot read column=ENGINE: "MergeTree" is no type | write a type, such as String or DateTime64(3)',
    ]);
  });
});

describe('storage', () => {
  it.each([
    [
      'ENGINE "MergTree"',
      '3:9 cannot use engine=MergTree: a data source is stored by MergeTree or one of its family, or by Null | did you mean MergeTree?',
    ],
    [
      'ENGINE Memory',
      '3:8 cannot use engine=Memory: a data source is stored by MergeTree or one of its family, or by Null | write one of MergeTree, ReplacingMergeTree, SummingMergeTree, AggregatingMergeTree, CollapsingMergeTree, VersionedCollapsingMergeTree, Null',
    ],
    ['ENGINE "MergeTree(a)"', '3:9 cannot use engine=MergeTree: it takes no arguments | take the others away'],
    ['ENGINE "MergeTree"\nENGINE "Null"', '4:9 cannot read ENGINE: line 3 has it already | keep one of them'],
    [
      'ENGINE CollapsingMergeTree',
      '3:8 cannot use engine=CollapsingMergeTree: it needs ENGINE_SIGN | write ENGINE_SIGN "column"',
    ],
    [
      'ENGINE VersionedCollapsingMergeTree\nENGINE_SIGN "d"',
      '3:8 cannot use engine=VersionedCollapsingMergeTree: it needs ENGINE_VERSION | write ENGINE_VERSION "column"',
    ],
    [
      'ENGINE ReplacingMergeTree\nENGINE_IS_DELETED "d"',
      '4:20 cannot use ENGINE_IS_DELETED: it needs ENGINE_VER | write ENGINE_VER "column"',
    ],
    [
      'ENGINE ReplacingMergeTree\nENGINE_VER "a + b"',
      '4:13 cannot use ENGINE_VER: it has to be the name of a column | write one column, without an expression',
    ],
    [
      'ENGINE_SORTING_KEY "a, bb"',
      '3:21 cannot use ENGINE_SORTING_KEY: there is no column bb | add the column to SCHEMA',
    ],
    [
      'ENGINE_SORTING_KEY "a, timestamp"',
      '3:21 cannot use ENGINE_SORTING_KEY: there is no column timestamp | add the column to SCHEMA',
    ],
    [
      'ENGINE_SORTING_KEY "c"',
      '3:21 cannot use ENGINE_SORTING_KEY: the column c is Nullable, and nothing can be ordered by NULL | write ifNull(c, …), or make the column not Nullable with a DEFAULT',
    ],
    [
      'ENGINE_SORTING_KEY "a, b,"',
      '3:25 cannot read ENGINE_SORTING_KEY: it ends with a comma | write what comes next, or take it away',
    ],
    [
      'ENGINE_TTL "b + INTERVAL 1 DAY AS SELECT * FROM other.secret"',
      '3:35 cannot read ENGINE_TTL: a definition holds no query | take SELECT away, or put a name like that in backticks',
    ],
    ['ENGINE_SORTING_KEY (a, b', '3:20 cannot read ENGINE_SORTING_KEY: the bracket ( is not closed | close it'],
    [
      'ENGINE_TTL "b + INTERVAL 1 DAY SETTINGS x = 1"',
      '3:32 cannot read ENGINE_TTL: SETTINGS is not expected | put the whole value into one pair of double quotes',
    ],
    [
      'ENGINE_SETTINGS "index_granularity"',
      "3:18 cannot read ENGINE_SETTINGS: index_granularity is no setting | write name=value, name2='value', where a value is a number, true, false or a string",
    ],
    [
      'ENGINE_SETTINGS "a=b()"',
      "3:18 cannot read ENGINE_SETTINGS: a=b() is no setting | write name=value, name2='value', where a value is a number, true, false or a string",
    ],
    [
      'ORDER BY a\nENGINE_SORTING_KEY "a"',
      '4:21 cannot read ENGINE_SORTING_KEY: line 3 has it already | keep one of them',
    ],
    [
      'INDEXES >\n    i a TYPE',
      '4:13 cannot read index=i: the end is no type of an index | write name expression TYPE type GRANULARITY n, such as by_user user_id TYPE bloom_filter(0.01) GRANULARITY 1',
    ],
    [
      'INDEXES >\n    i lower(a)\n    j a TYPE minmax',
      '5:5 cannot read index=i: its TYPE is missing | write name expression TYPE type GRANULARITY n, such as by_user user_id TYPE bloom_filter(0.01) GRANULARITY 1',
    ],
    [
      'INDEXES >\n    i a TYPE minmax GRANULARITY 0',
      '4:33 cannot read index=i: GRANULARITY=0 is no count of granules | write a whole number from 1',
    ],
    [
      'INDEXES >\n    i a TYPE minmax\n    i b TYPE minmax',
      '5:5 cannot add index=i: there is one of that name already | rename one of them',
    ],
  ])('%j has %s', (lines, problem) => {
    expect(below(lines)).toEqual([problem]);
  });
});

describe('other directives of a data source', () => {
  it.each([
    [
      'ENGINE_SORTNG_KEY "a"',
      '3:1 cannot read directive=ENGINE_SORTNG_KEY: a .datasource file has no such directive | did you mean ENGINE_SORTING_KEY?',
    ],
    ['TOKN "a" READ', '3:1 cannot read directive=TOKN: a .datasource file has no such directive | did you mean TOKEN?'],
    [
      'NODE n',
      '3:1 cannot read directive=NODE: a .datasource file has no such directive | NODE belongs into a .pipe file',
    ],
    [
      'TOKEN',
      '3:1 cannot read TOKEN: it takes a name and a scope | write TOKEN "name" READ or TOKEN "name" APPEND, with quotes around a name that has spaces',
    ],
    [
      'TOKEN a',
      '3:1 cannot read TOKEN: it takes a name and a scope | write TOKEN "name" READ or TOKEN "name" APPEND, with quotes around a name that has spaces',
    ],
    [
      'TOKEN a WRITE',
      '3:1 cannot read TOKEN: there is no scope WRITE | write TOKEN "name" READ or TOKEN "name" APPEND, with quotes around a name that has spaces',
    ],
    [
      'TOKEN my token READ',
      '3:1 cannot read TOKEN: it takes one name and one scope | write TOKEN "name" READ or TOKEN "name" APPEND, with quotes around a name that has spaces',
    ],
    ['BACKFILL all', '3:1 cannot read BACKFILL=all: it takes skip only | write BACKFILL skip, or nothing'],
    [
      'FORWARD_QUERY >\n    a, b',
      '3:1 cannot read FORWARD_QUERY: it is no SELECT list | write SELECT and the columns of the new schema',
    ],
    ['DESCRIPTION x\nDESCRIPTION y', '4:1 cannot read DESCRIPTION: line 3 has it already | keep one of them'],
    [
      'KAFKA_CONNECTION_NAME c\nKAFKA_TOPIC t\nENGINE_SORTING_KEY "__timestamp"',
      '3:1 cannot use KAFKA_CONNECTION_NAME: there are no connectors to Kafka, buckets or other databases (the file has KAFKA_CONNECTION_NAME, KAFKA_TOPIC) | take these lines away and send the rows to POST /v0/events, for which most senders have an HTTP output',
    ],
    [
      'IMPORT_SERVICE s3\nIMPORT_QUERY >\n    SELECT 1',
      '3:1 cannot use IMPORT_SERVICE: there are no connectors to Kafka, buckets or other databases (the file has IMPORT_SERVICE, IMPORT_QUERY) | take these lines away and send the rows to POST /v0/events, for which most senders have an HTTP output',
    ],
    [
      'INCLUDE "a.incl"',
      '3:1 cannot include file=a.incl: fragments are not available here | send the .incl file along, or write its lines here',
    ],
    ['INCLUDE', '3:1 cannot include a file: its name is missing | write INCLUDE "name.incl"'],
  ])('%j has %s', (lines, problem) => {
    expect(below(lines)).toEqual([problem]);
  });

  it('is asked for when a line starts with none', () => {
    expect(dataSource('??\nSCHEMA a String')).toEqual([
      '1:1 cannot read directive=??: a .datasource file has no such directive | a line starts with a directive such as SCHEMA >, ENGINE, ENGINE_SORTING_KEY, TOKEN; lines of a block are indented, and comments start with #',
    ]);
  });

  it('has to have a schema', () => {
    expect(dataSource('ENGINE "MergeTree"')).toEqual([
      '1 cannot make datasource=x: SCHEMA is missing | write SCHEMA > and a line `name` Type for each column',
    ]);
  });

  it('takes the lines below an unknown directive with it', () => {
    expect(below('SCHEMAS >\n    a String,\n    b String\nTOKEN "t" READ')).toEqual([
      expect.stringMatching(/^3:1 cannot read directive=SCHEMAS: .*did you mean SCHEMA\?$/u),
    ]);
  });

  it('sees a misspelt directive below an indented block', () => {
    expect(below('ENGIN "MergeTree"')).toEqual([expect.stringMatching(/^3:1 .*ENGIN.* did you mean ENGINE\?$/u)]);
  });
});

describe('a pipe', () => {
  it.each([
    ['TYPE endpont', '4:1 cannot read TYPE=endpont: there is no such type of node | did you mean endpoint?'],
    [
      'TYPE table',
      '4:1 cannot read TYPE=table: there is no such type of node | write endpoint, materialized, copy or sink',
    ],
    [
      'TYPE materialized',
      '4:1 cannot use TYPE=materialized: DATASOURCE is missing | write DATASOURCE name_of_a_data_source',
    ],
    [
      'TYPE copy\nCOPY_MODE append',
      '4:1 cannot use TYPE=copy: TARGET_DATASOURCE is missing | write TARGET_DATASOURCE name_of_a_data_source',
    ],
    [
      'DATASOURCE t',
      '4:1 cannot use DATASOURCE: node=n is of type default | write TYPE materialized, or take the line away',
    ],
    [
      'TYPE endpoint\nCOPY_MODE append',
      '5:1 cannot use COPY_MODE: node=n is of type endpoint | write TYPE copy, or take the line away',
    ],
    [
      'TYPE copy\nTARGET_DATASOURCE t\nCOPY_MODE merge',
      '6:1 cannot read COPY_MODE=merge: there is no such mode | write append or replace',
    ],
    [
      'TYPE copy\nTARGET_DATASOURCE t\nCOPY_SCHEDULE hourly',
      '6:1 cannot read COPY_SCHEDULE=hourly: it is no schedule | write @on-demand, or five fields such as 0 * * * *',
    ],
    [
      'TYPE copy\nTARGET_DATASOURCE a.b',
      '5:1 cannot read TARGET_DATASOURCE=a.b: a name with a dot reads as database and table | write the name of a data source',
    ],
    [
      'TYPE materialized\nDATASOURCE t\nDATASOURCE u',
      '6:1 cannot read DATASOURCE: line 5 has it already | keep one of them',
    ],
    [
      'TYPE materialized\nDATASOURCE t\nDEPLOYMENT_METHOD replace',
      '6:1 cannot read DEPLOYMENT_METHOD=replace: there is no such method | write alter, or take the line away',
    ],
    ['CACHE soon', '4:1 cannot read CACHE=soon: it is no number of seconds | write a whole number, such as CACHE 60'],
    [
      'TOKEN t APPEND',
      '4:1 cannot read TOKEN: there is no scope APPEND | write TOKEN "name" READ, with quotes around a name that has spaces',
    ],
    [
      'NODE n\nSQL >\n    SELECT 2',
      '4:1 cannot add node=n: there is a node of that name already | give it another name',
    ],
    [
      'NODE 1a\nSQL >\n    SELECT 2',
      '4:1 cannot add node=1a: a name has letters, digits and _, and no digit first | give it another name',
    ],
    ['NODE m', '4:1 cannot read node=m: its SQL is missing | write SQL > and a SELECT below it, indented'],
    [
      'NODE m\nSQL >\n\nTYPE endpoint',
      '5:1 cannot read node=m: its SQL is empty | write a SELECT below SQL >, indented',
    ],
    ['SQL >\n    SELECT 2', '4:1 cannot read SQL: line 2 has it already | keep one of them'],
    [
      'SCHEMA >\n    a String',
      '4:1 cannot read directive=SCHEMA: a .pipe file has no such directive | SCHEMA belongs into a .datasource file',
    ],
    [
      'COPY_SCHEDUL @on-demand',
      '4:1 cannot read directive=COPY_SCHEDUL: a .pipe file has no such directive | did you mean COPY_SCHEDULE?',
    ],
    ['TYPO endpoint', '4:1 cannot read directive=TYPO: a .pipe file has no such directive | did you mean TYPE?'],
  ])('%j has %s', (lines, problem) => {
    expect(behind(lines)).toEqual([problem]);
  });

  it('has to have a node, and SQL a node above it', () => {
    expect(pipe('SQL >\n    SELECT 1')).toEqual([
      '1 cannot make pipe=p: it has no node | write NODE name and SQL > with a SELECT',
      '1:1 cannot read SQL: no node stands above it | write NODE name first',
    ]);
  });

  it('says all that is wrong', () => {
    expect(
      pipe('NODE a\nTYPE wrong\nTOKEN x WRITE\nNODE b\nSQL >\n    SELECT 1\nTYPE copy\nCOPY_MODE x').map(
        (line) => line.split(' ')[0],
      ),
    ).toEqual(['1:1', '2:1', '3:1', '7:1', '8:1']);
  });
});

describe('fragments', () => {
  it('have their own lines in problems', () => {
    const include = (name: string): string | undefined =>
      name === 'cols.incl' ? '# a fragment\nSCHEMA >\n    a Strng' : undefined;
    const problems = problemsOf('DESCRIPTION d\nINCLUDE "cols.incl"\nENGINE x', { file: 'x.datasource', include });
    expect(problems.map(({ file, line }) => `${file}:${line}`)).toEqual(['x.datasource:3', 'cols.incl:3']);
  });

  it('that include each other come to an end', () => {
    const problems = problemsOf('INCLUDE "a"', {
      file: 'x.datasource',
      include: (name) => `INCLUDE "${name}"\n`.repeat(3),
    });
    expect(problems.map(({ message }) => message)).toContain(
      'cannot include file=a: the fragments are too many or too large',
    );
  });

  it('that are not there are named', () => {
    const problems = problemsOf('SCHEMA a String\nINCLUDE "./x/no.incl"', {
      file: 'x.datasource',
      include: () => undefined,
    });
    expect(problems).toMatchObject([
      { line: 2, message: 'cannot include file=./x/no.incl: there is no such fragment' },
    ]);
  });
});

describe('the name of the file', () => {
  it.each([
    ['x.incl', 'cannot read file=x.incl: a .incl file is no resource'],
    ['connections/k.connection', 'cannot read file=connections/k.connection: a .connection file is no resource'],
    ['x.sql', 'cannot read file=x.sql: a .sql file is no resource'],
    ['x', 'cannot read file=x: it has no extension'],
    ['a-b.datasource', 'cannot use name=a-b: a name has letters, digits and _, and no digit first'],
    ['Personal.tweets.datasource', 'cannot use name=Personal.tweets: a name with a dot reads as database and table'],
    [
      'datasources/x_quarantine.datasource',
      'cannot use name=x_quarantine: the suffix _quarantine is reserved for rows that do not fit',
    ],
    ['.pipe', 'cannot use name=: it is empty'],
  ])('%s is refused', (file, message) => {
    expect(problemsOf('SCHEMA a String\n', { file })[0]).toMatchObject({ file, line: 1, message });
  });

  it.each(['datasources/x.datasource', 'a\\b\\x.datasource', 'x.datasource'])('%s names the resource x', (file) => {
    expect(parseDataFile('SCHEMA a String', { file }).resource).toMatchObject({ kind: 'datasource', name: 'x' });
  });
});

describe('a DataFileError', () => {
  it('is a bad request, and its message has the first problem', () => {
    const text = 'SCHEMA >\n    a Strng,\n    b';
    expect(() => parseDataFile(text, { file: 'x.datasource' })).toThrow(
      'cannot read file=x.datasource: line 2: cannot read column=a: there is no type Strng; did you mean String? (and 1 more)',
    );
    expect(problemsOf(text, { file: 'x.datasource' })).toHaveLength(2);
  });

  it('does not grow with the file', () => {
    expect(problemsOf('X\n'.repeat(100_000), { file: 'x.datasource' }).length).toBeLessThan(1000);
    expect(problemsOf(' '.repeat(MAX_DATA_FILE_LENGTH + 1), { file: 'x.datasource' })).toHaveLength(1);
  });
});
