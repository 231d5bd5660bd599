/** The guard against the real engine: every attack is refused, every legitimate statement is let through and confirmed. */

import { createRequire } from 'node:module';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { AppError } from '@glasshouse/model';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAst } from './ast.ts';
import { ATTACKS } from './attacks.ts';
import { isAllowedFunction, allowedFunctions, HIGHER_ORDER_FUNCTIONS, REFUSED_FUNCTIONS, words } from './functions.ts';
import { judge, type Verdict } from './guard.ts';
import { LEGITIMATE } from './legitimate.ts';
import { tenantPolicy, VIRTUAL_COLUMNS, withoutHints, type Policy } from './policy.ts';
import { confirm, resolvedTables } from './query-tree.ts';
import { classify } from './request.ts';
import { EXPLAIN_TREE } from './resolved.ts';
import { checkParameters, splitStatement, type Statement } from './statement.ts';

interface Engine {
  query(sql: string, format: string): string;
  cleanup(): void;
}

const chdb: unknown = createRequire(import.meta.url)('chdb');

const policy = tenantPolicy('acme', {
  sharedTables: (database, table) => database === 'shared' && table === 'prices',
  parameterisedViews: (_database, table) => table === 'spans_by_a',
});

const SCHEMA = [
  'CREATE DATABASE acme',
  'CREATE DATABASE other',
  'CREATE DATABASE shared',
  'CREATE TABLE acme.spans (a Int64, b String, c Map(String, String), d Array(Int64), ts DateTime) ENGINE = ReplacingMergeTree ORDER BY a',
  'CREATE TABLE acme.sampled (a UInt64) ENGINE = MergeTree ORDER BY a SAMPLE BY a',
  'CREATE TABLE acme.`my-table` (a UInt64) ENGINE = MergeTree ORDER BY a',
  'CREATE TABLE acme.ids (a Int64) ENGINE = MergeTree ORDER BY a',
  'CREATE VIEW acme.spans_view AS SELECT a FROM acme.spans',
  'CREATE VIEW acme.spans_by_a AS SELECT a FROM acme.spans WHERE a = {x:Int64}',
  'CREATE TABLE shared.prices (a Int64) ENGINE = MergeTree ORDER BY a',
  'CREATE TABLE other.secret (a Int64, b String) ENGINE = MergeTree ORDER BY a',
  'CREATE VIEW other.secret_view AS SELECT a FROM other.secret',
  'CREATE VIEW other.secret_by_a AS SELECT a FROM other.secret WHERE a = {a:Int64}',
  'CREATE TABLE other.secret_join (a Int64, b String) ENGINE = Join(ANY, LEFT, a)',
  "CREATE DICTIONARY other.dictionary (a UInt64, b String) PRIMARY KEY a SOURCE(CLICKHOUSE(TABLE 'secret' DB 'other')) LAYOUT(FLAT()) LIFETIME(0)",
  'USE acme',
];

let directory: string;
let engine: Engine;

beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'guard-'));
  engine = openEngine(directory);
  for (const statement of SCHEMA) engine.query(statement, 'TSVRaw');
});

afterAll(() => {
  engine.cleanup();
  rmSync(directory, { recursive: true, force: true });
});

describe.each(Object.entries(ATTACKS))('refuses %s', (_category, attacks) => {
  it.each(attacks.map((attack) => [attack.sql, attack.parameters ?? {}] as const))('%j', (sql, parameters) => {
    const error = errorOf(() => judged(sql, parameters));
    expect(error).toBeInstanceOf(AppError);
    expect(['forbidden', 'bad_request']).toContain((error as AppError).code);
    expect((error as AppError).message).toMatch(/^cannot /u);
  });
});

describe.each(Object.entries(LEGITIMATE))('lets through %s', (_category, statements) => {
  it.each(statements.map((statement) => [statement.sql, statement.parameters ?? {}] as const))(
    '%j',
    (sql, parameters) => {
      const { statement } = judged(sql, parameters);
      const resolved = resolvedTables(explain('QUERY TREE', statement, parameters));
      expect(() => confirm(resolved, policy, () => [])).not.toThrow();
    },
  );
});

describe('the lists', () => {
  it('hold at least 150 attacks and 80 legitimate statements, none twice', () => {
    const attacks = Object.values(ATTACKS).flat();
    const legitimate = Object.values(LEGITIMATE).flat();
    expect(attacks.length).toBeGreaterThanOrEqual(150);
    expect(legitimate.length).toBeGreaterThanOrEqual(80);
    expect(new Set([...attacks, ...legitimate].map((one) => JSON.stringify(one))).size).toBe(
      attacks.length + legitimate.length,
    );
  });

  it('name every function of the engine once, as allowed or as refused', () => {
    const known = allowedFunctions();
    const refused = new Set(
      Object.values(REFUSED_FUNCTIONS)
        .flatMap(words)
        .map((name) => name.toLowerCase()),
    );
    const names = engine.query('SELECT name FROM system.functions ORDER BY name', 'TSVRaw').trim().split('\n');
    expect(names.length).toBeGreaterThan(1500);
    expect(names.filter((name) => known.has(name.toLowerCase()) === refused.has(name.toLowerCase()))).toEqual([]);
  });

  it('refuse every refused function although its name may end like a combinator', () => {
    const names = Object.values(REFUSED_FUNCTIONS).flatMap(words);
    expect(names.filter((name) => isAllowedFunction(name, policy.allowedFunctions))).toEqual([]);
  });

  it('know every function that takes the name of a function', () => {
    const unknown = [...policy.allowedFunctions].filter(
      (name) => !HIGHER_ORDER_FUNCTIONS.has(name) && takesFunctionName(name),
    );
    expect(unknown).toEqual([]);
  });
});

describe('a policy of some tables', () => {
  const some = tenantPolicy('acme', { ownTables: (table) => table === 'ids', tableRefusal: 'no right to read it' });

  it('lets these be read, and what a statement makes itself', () => {
    expect(() => judgedBy(some, 'SELECT a FROM ids JOIN acme.ids AS other USING a WHERE a IN ids')).not.toThrow();
    expect(() => judgedBy(some, 'WITH spans AS (SELECT a FROM ids) SELECT * FROM spans, numbers(3)')).not.toThrow();
  });

  it.each([
    'SELECT * FROM spans',
    'SELECT * FROM acme.spans',
    'SELECT * FROM absent',
    'SELECT a IN spans FROM ids',
    'WITH c AS (SELECT * FROM spans) SELECT * FROM c',
    'SELECT * FROM (WITH spans AS (SELECT 1) SELECT * FROM spans), spans',
    'WITH spans AS (SELECT 1) SELECT * FROM acme.spans',
    'WITH spans AS (SELECT * FROM spans) SELECT 1',
    'FROM (WITH spans AS (SELECT 1) FROM spans SELECT 1) SELECT (SELECT max(a) FROM spans)',
    'SELECT * FROM shared.prices',
    'SELECT * FROM other.secret',
  ])('refuses %s in the same words', (sql) => {
    expect(() => judgedBy(some, sql)).toThrow(/^cannot read table [\w.]+: no right to read it$/u);
  });

  it('takes names of nodes for what is put in front', () => {
    const statement = splitStatement('SELECT * FROM node JOIN (SELECT a FROM node) AS n USING a');
    const ast = parseAst(explain('AST', statement, {}));
    expect(judge(statement, ast, some, new Set(['node'])).tables).toEqual([]);
    expect(() => judge(statement, ast, some)).toThrow('cannot read table node');
    const qualified = splitStatement('SELECT * FROM acme.node');
    expect(() => judge(qualified, parseAst(explain('AST', qualified, {})), some, new Set(['node']))).toThrow(
      'acme.node',
    );
  });
});

describe('beside row filters', () => {
  const filtered = tenantPolicy('acme', { hidesRows: true, reservedAliases: new Set(['acme.spans']) });

  it.each([
    ['SELECT a FROM spans PREWHERE a > 1', 'PREWHERE'],
    ['SELECT a FROM (SELECT a FROM spans prewhere a > 1)', 'PREWHERE'],
    ['SELECT a FROM ids AS `acme.spans`', 'name acme.spans'],
    ['SELECT a FROM (SELECT a FROM ids) AS "acme.spans"', 'name acme.spans'],
    ['SELECT n.number FROM numbers(1) AS `acme.spans`, numbers(2) AS n', 'name acme.spans'],
    ['SELECT 1 AS `acme.spans`', 'name acme.spans'],
    ["SELECT a FROM 'ids' AS `acme.spans`", 'name acme.spans'],
    ['SELECT _part FROM spans', 'column _part'],
    ['SELECT s._part_offset FROM spans AS s', 'column _part_offset'],
    ['SELECT COLUMNS(_partition_id) FROM spans', 'column _partition_id'],
    ['SELECT a FROM spans WHERE `_partition_value`.1 = 1', ''],
    ['SELECT a FROM spans JOIN ids USING (_block_number)', 'column _block_number'],
  ])('%s is refused', (sql, what) => {
    expect(() => judgedBy(filtered, sql)).toThrow(
      what === ''
        ? /^cannot /
        : `cannot ${what === 'PREWHERE' ? 'use' : what.startsWith('name') ? 'use the' : 'read'} ${what}`,
    );
    if (what !== '') expect(() => judgedBy(policy, sql)).not.toThrow();
  });

  it('knows every column that the engine makes up', () => {
    const text = engine.query('DESCRIBE TABLE acme.spans SETTINGS describe_include_virtual_columns = 1', 'TSVRaw');
    const made = text
      .trim()
      .split('\n')
      .map((line) => line.split('\t'))
      .filter((cells) => cells.at(-1) === '1');
    expect(made.length).toBeGreaterThan(10);
    expect(made.map(([name]) => name).filter((name) => !VIRTUAL_COLUMNS.has(name ?? ''))).toEqual([]);
  });
});

describe('the verdict', () => {
  it('lists every table once, and no common table expression', () => {
    const verdict = verdictOf(
      'WITH c AS (SELECT a FROM spans) SELECT * FROM c JOIN acme.ids USING a JOIN shared.prices USING a JOIN spans USING a',
    );
    expect(verdict.tables).toEqual([
      { database: 'acme', table: 'spans' },
      { database: 'acme', table: 'ids' },
      { database: 'shared', table: 'prices' },
    ]);
    expect(verdict.possibleTables).toEqual([]);
  });

  it('takes a name outside of the scope of its common table expression for a table', () => {
    const verdict = verdictOf(
      'SELECT * FROM (WITH ids AS (SELECT 1 AS a) SELECT * FROM ids) AS x JOIN ids AS y USING a',
    );
    expect(verdict.tables).toEqual([{ database: 'acme', table: 'ids' }]);
  });

  it('takes the own name inside a common table expression for a table unless it is recursive', () => {
    expect(verdictOf('WITH ids AS (SELECT * FROM ids) SELECT * FROM ids').tables).toEqual([
      { database: 'acme', table: 'ids' },
    ]);
    expect(
      verdictOf('WITH RECURSIVE ids AS (SELECT 1 AS a UNION ALL SELECT a FROM ids) SELECT * FROM ids').tables,
    ).toEqual([]);
  });

  it('says that a name is only possibly a table where order does not tell', () => {
    const verdict = verdictOf('WITH c AS (SELECT 1 AS a) FROM c SELECT *');
    expect(verdict).toEqual({ tables: [], possibleTables: ['c'] });
  });

  it('names the right side of IN as possibly a table', () => {
    expect(verdictOf('SELECT a FROM spans WHERE a IN ids').possibleTables).toEqual(['ids']);
  });
});

describe('the message of a refusal', () => {
  it('names the function and the fix', () => {
    expect(errorOf(() => judged("SELECT file('/etc/passwd')", {}))).toMatchObject({
      code: 'forbidden',
      message: 'cannot use function file: it is not among the allowed functions',
    });
  });

  it('is the same for a table that exists and for one that does not', () => {
    const messages = ['secret', 'absent'].map((table) =>
      String(errorOf(() => judged(`SELECT * FROM other.${table}`, {}))).replace(table, 'T'),
    );
    expect(messages[0]).toBe(messages[1]);
  });

  it('loses the names of other tables that the engine suggests', () => {
    const error = String(errorOf(() => engine.query('SELECT * FROM acme.secret', 'TSVRaw')));
    expect(error).toContain('Maybe you meant other.secret');
    expect(withoutHints(error)).not.toContain('other');
    expect(withoutHints(error)).toContain('(UNKNOWN_TABLE)');
  });
});

describe('confirm', () => {
  it('refuses a resolved table of another database', () => {
    const text = engine.query('EXPLAIN QUERY TREE SELECT a IN other.secret FROM acme.spans', 'TSVRaw');
    expect(() => confirm(resolvedTables(text), policy, () => [])).toThrow('cannot read table other.secret');
  });

  it('lets a permitted view stand for the tables it is known to read, and only for those', () => {
    const resolved = { tables: ['acme.spans_view', 'other.secret'], tableFunctions: [], functions: [] };
    const targets = (): { database: string; table: string }[] => [{ database: 'other', table: 'secret' }];
    expect(confirm(resolved, policy, targets)).toHaveLength(2);
    expect(() => confirm(resolved, policy, () => [])).toThrow('cannot read table other.secret');
  });

  it('refuses a table function that is not allowed', () => {
    const text = engine.query("EXPLAIN QUERY TREE SELECT * FROM merge('other', '.*')", 'TSVRaw');
    expect(() => confirm(resolvedTables(text), policy, () => [])).toThrow('cannot use table function merge');
  });

  it('refuses a bare word that the engine resolves to a refused function', () => {
    const text = engine.query('EXPLAIN QUERY TREE SELECT user', 'TSVRaw');
    expect(() => confirm(resolvedTables(text), policy, () => [])).toThrow('cannot use function currentUser');
  });

  it('refuses text that is no resolved tree', () => {
    expect(() => resolvedTables('TABLE id: 1')).toThrow(AppError);
    expect(() =>
      resolvedTables('QUERY id: 0\n  TABLE id: 1, alias: x, table_name: acme.a, final: 1, table_name: other.b'),
    ).toThrow(AppError);
    expect(() => resolvedTables('QUERY id: 0\n  TABLE id: 1, alias: x')).toThrow(AppError);
  });

  it('sees a final table', () => {
    const text = engine.query('EXPLAIN QUERY TREE SELECT a FROM acme.spans FINAL', 'TSVRaw');
    expect(resolvedTables(text).tables).toEqual(['acme.spans']);
  });
});

function judgedBy(given: Policy, sql: string): Verdict {
  const statement = splitStatement(sql);
  return judge(statement, parseAst(explain('AST', statement, {})), given);
}

function judged(sql: string, parameters: Readonly<Record<string, string>>): { statement: Statement; verdict: Verdict } {
  const statement = splitStatement(sql);
  expect(classify(statement, policy)).toEqual({ type: 'select' });
  checkParameters(statement, parameters);
  return { statement, verdict: judge(statement, parseAst(explain('AST', statement, parameters)), policy) };
}

function verdictOf(sql: string): Verdict {
  return judged(sql, {}).verdict;
}

function explain(
  what: 'AST' | 'QUERY TREE',
  statement: Statement,
  parameters: Readonly<Record<string, string>>,
): string {
  for (const [name, value] of Object.entries(parameters)) {
    engine.query(`SET param_${name} = '${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`, 'TSVRaw');
  }
  return engine.query((what === 'AST' ? 'EXPLAIN AST ' : EXPLAIN_TREE) + statement.sql, 'TSVRaw');
}

/** A function's name that is taken for a function gives another error than "unknown identifier". */
function takesFunctionName(name: string): boolean {
  return ['demangle, [1]', '[1], demangle', 'demangle, [1], [2]', "demangle, map('a', 1)"].some((parameters) => {
    const error = errorOf(() => engine.query(`EXPLAIN QUERY TREE SELECT \`${name}\`(${parameters})`, 'TSVRaw'));
    return String(error).includes("function 'demangle'");
  });
}

function errorOf(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}

function openEngine(at: string): Engine {
  if (typeof chdb !== 'object' || chdb === null || !('Session' in chdb) || typeof chdb.Session !== 'function')
    throw new Error('no engine');
  return Reflect.construct(chdb.Session, [at]) as Engine;
}
