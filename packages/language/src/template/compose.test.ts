/** Which names of a statement are tables, how nodes come together, and what no name may come to mean by it. */

import { AppError, type Pipe, type PipeNode, type PipeType } from '@glasshouse/model';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAst } from '../sql/ast.ts';
import { judge, type Verdict } from '../sql/guard.ts';
import { tenantPolicy } from '../sql/policy.ts';
import { splitStatement } from '../sql/statement.ts';
import { composePipe, composeQuery, namedTables, resultNode } from './compose.ts';
import { askEngine, openEngine, type Engine } from './engine.suite.ts';

const node = (name: string, sql: string, type: PipeType = 'default'): PipeNode => ({ name, sql, type, settings: {} });
const pipe = (name: string, ...nodes: readonly PipeNode[]): Pipe => ({
  kind: 'pipe',
  name,
  nodes,
  tokens: [],
  tags: [],
});
const asWritten = ({ sql }: PipeNode): string => sql;

function pipesOf(...pipes: readonly Pipe[]): ReadonlyMap<string, Pipe> {
  return new Map(pipes.map((one) => [one.name, one]));
}

/** Composes the last node of a pipe of nodes `[name, sql]`. */
function compose(...nodes: readonly (readonly [string, string])[]): string {
  return composePipe(pipe('p', ...nodes.map(([name, sql]) => node(name, sql))), nodes.at(-1)?.[0] ?? '', asWritten);
}

/** The verdict of the guard, which sees the composed statement like any user's. */
function judged(sql: string): Verdict {
  const statement = splitStatement(sql);
  const tree = parseAst(engine.query(`EXPLAIN AST ${statement.sql}`, 'TSVRaw'));
  return judge(statement, tree, tenantPolicy('acme'));
}

let engine: Engine;

beforeAll(() => {
  engine = openEngine();
  for (const statement of [
    'CREATE DATABASE acme',
    'USE acme',
    'CREATE TABLE events (a Int64, b String) ENGINE = MergeTree ORDER BY a',
    "INSERT INTO events VALUES (1, 'x'), (2, 'y'), (3, 'z')",
  ])
    engine.query(statement, 'TSVRaw');
});

afterAll(() => {
  engine.close();
});

describe('the tables of a statement', () => {
  it.each([
    ['SELECT a FROM t', ['t']],
    ['SELECT a FROM `t x`', ['t x']],
    ['SELECT a FROM "t"', ['t']],
    ['FROM t SELECT a', ['t']],
    ['(SELECT a FROM t) UNION ALL (SELECT a FROM u)', ['t', 'u']],
    [
      'SELECT a FROM t UNION ALL SELECT b FROM u INTERSECT SELECT c FROM v EXCEPT DISTINCT SELECT d FROM w',
      ['t', 'u', 'v', 'w'],
    ],
    ['SELECT a FROM t, u AS x, v y', ['t', 'u', 'v']],
    ['SELECT a FROM t JOIN u ON t.a = u.a LEFT ANY JOIN v USING a, b CROSS JOIN w', ['t', 'u', 'v', 'w']],
    ['SELECT a FROM t JOIN u ON t.a = u.a, v', ['t', 'u', 'v']],
    ['SELECT a FROM t ARRAY JOIN b, c', ['t']],
    ['SELECT a FROM t LEFT ARRAY JOIN b AS c JOIN u USING a', ['t', 'u']],
    ['SELECT a FROM t FINAL SAMPLE 0.1 PREWHERE b WHERE c GROUP BY d, e HAVING f ORDER BY g, h LIMIT 1, 2', ['t']],
    ['SELECT (SELECT max(a) FROM t), a FROM u WHERE b IN (SELECT b FROM v)', ['t', 'u', 'v']],
    ['SELECT a FROM (SELECT a FROM ((SELECT a FROM t)))', ['t']],
    ['SELECT a FROM t WHERE a IN u AND b NOT IN v AND c GLOBAL IN w', ['t', 'u', 'v', 'w']],
    ['SELECT a FROM t WHERE a IN (u, v) AND b IN (1) AND c IN tuple(1)', ['t']],
    ['SELECT a FROM db.t, `db`.u', []],
    ['SELECT a FROM t WHERE a IN db.u', ['t']],
    ['SELECT a FROM numbers(10), view(SELECT 1 FROM t)', ['t']],
    ['SELECT a FROM {t:Identifier}, u', ['u']],
    ['SELECT extract(YEAR FROM t), trim(BOTH x FROM u), substring(a FROM b) FROM v', ['v']],
    ['SELECT a IS DISTINCT FROM t, b IS NOT DISTINCT FROM u FROM v', ['v']],
    ['SELECT a FROM t ORDER BY a WITH FILL FROM b TO c STEP 1, d', ['t']],
    ['SELECT a, count() FROM t GROUP BY a WITH TOTALS', ['t']],
    ['SELECT * EXCEPT (a, b) FROM t', ['t']],
    ['SELECT * EXCEPT a FROM t', ['t']],
    ['SELECT a -- FROM x\n /* FROM y */ FROM t -- FROM z', ['t']],
    ["SELECT 'FROM x', a FROM t", ['t']],
    ['WITH c AS (SELECT a FROM t) SELECT a FROM c', ['t']],
    ['WITH c AS (SELECT a FROM t), d AS (SELECT a FROM c) SELECT a FROM d JOIN c USING a', ['t']],
    ['WITH d AS (SELECT a FROM c), c AS (SELECT a FROM t) SELECT a FROM d', ['t']],
    ['WITH c (x, y) AS (SELECT a, b FROM t) SELECT x FROM c', ['t']],
    ['WITH c AS MATERIALIZED (SELECT a FROM t) SELECT a FROM c', ['t']],
    ['WITH t AS (SELECT a FROM t) SELECT a FROM t', ['t']],
    ['WITH RECURSIVE r AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM r) SELECT a FROM r', []],
    ['WITH 5 AS x, (SELECT max(a) FROM t) AS y SELECT x + y FROM u', ['t', 'u']],
    ['WITH x -> x + 1 AS f SELECT f(a) FROM t', ['t']],
    ['SELECT a FROM (WITH c AS (SELECT 1 AS a) SELECT a FROM c) AS q JOIN c USING a', ['c']],
    ['WITH c AS (SELECT 1 AS a) SELECT a FROM c UNION ALL SELECT a FROM c', []],
    ['SELECT 1', []],
    ['SELECT a FROM t SETTINGS max_threads = 1, b = 2', ['t']],
    ['SELECT sum(a) OVER (PARTITION BY b ORDER BY c) FROM t WINDOW w AS (PARTITION BY d), x AS (ORDER BY e)', ['t']],
    ['SELECT a FROM t ASOF JOIN u ON t.a = u.a AND t.b >= u.b', ['t', 'u']],
    ['SELECT t.a FROM t GLOBAL ANY LEFT JOIN (SELECT a FROM u) AS v USING (a, b)', ['t', 'u']],
  ])('%j are %j', (sql, tables) => {
    expect(namedTables(sql)).toEqual(tables);
  });
});

describe('a pipe', () => {
  it('of one node is that node, without its semicolons and comments', () => {
    expect(compose(['n', ' SELECT a -- c\n FROM events ; ; '])).toBe('SELECT a     \n FROM events');
  });

  it('puts the nodes that are needed in front, each once, in their order', () => {
    const sql = compose(
      ['unused', 'SELECT 0'],
      ['base', 'SELECT a FROM events'],
      ['left', 'SELECT a FROM base WHERE a > 1'],
      ['right', 'SELECT a FROM base WHERE a < 3'],
      ['end', 'SELECT sum(a) AS v FROM left JOIN right USING a;'],
    );
    expect(sql).toBe(
      'WITH `base` AS (SELECT a FROM events), `left` AS (SELECT a FROM base WHERE a > 1), `right` AS (SELECT a FROM base WHERE a < 3) SELECT sum(a) AS v FROM left JOIN right USING a',
    );
  });

  it('takes nodes that stand behind the one that names them', () => {
    const two = pipe('p', node('end', 'SELECT a FROM base'), node('base', 'SELECT 1 AS a'));
    expect(composePipe(two, 'end', asWritten)).toBe('WITH `base` AS (SELECT 1 AS a) SELECT a FROM base');
  });

  it.each([
    ['a list of its own', 'WITH c AS (SELECT a FROM n) SELECT sum(a) AS v FROM c', 6],
    ['values of its own', 'WITH 10 AS x, (SELECT max(a) FROM n) AS y SELECT x + y AS v FROM n LIMIT 1', 13],
    [
      'a recursive list',
      'WITH RECURSIVE r AS (SELECT 1 AS k UNION ALL SELECT k + 1 FROM r WHERE k < 3) SELECT sum(k * a) AS v FROM r, n',
      36,
    ],
    ['a union', 'SELECT a AS v FROM n WHERE a = 3 UNION ALL SELECT a FROM n WHERE a = 4', 3],
    ['parentheses', '(SELECT a AS v FROM n WHERE a = 3) UNION ALL (SELECT a FROM n WHERE a = 4)', 3],
    ['FROM first', 'FROM n SELECT sum(a) AS v', 6],
    ['a subquery', 'SELECT sum(a) AS v FROM (SELECT a FROM n WHERE (a, b) IN n)', 6],
    ['a set', 'SELECT sum(a) AS v FROM events WHERE (a, b) IN n', 6],
    ['quotes', 'SELECT sum(a) AS v FROM `n` JOIN "n" AS m USING a', 6],
    ['qualified columns', 'SELECT sum(n.a) AS v FROM n', 6],
    ['a trailing comma', 'SELECT sum(a) AS v, FROM n', 6],
    ['a format', 'SELECT sum(a) AS v FROM n FORMAT JSON', 6],
    ['a comment at the end', 'SELECT sum(a) AS v FROM n -- all of them', 6],
    ['an intersection', 'SELECT a AS v FROM n WHERE a = 2 INTERSECT SELECT a FROM n', 2],
    ['a heredoc', 'SELECT sum(a) AS v FROM n WHERE $x$ FROM n $x$ != b', 6],
  ])('with %s runs', (_what, sql, value) => {
    const composed = compose(['n', "WITH 'z' AS last SELECT a, b FROM events WHERE b <= last -- '\n;"], ['end', sql]);
    expect(Number(askEngine(engine, composed))).toBe(value);
    const { tables, possibleTables } = judged(composed);
    expect(tables.map(({ table }) => table).filter((table) => table !== 'one')).toEqual(
      possibleTables.length === 0 ? ['events'] : expect.not.arrayContaining(['n']),
    );
  });

  it.each([
    'SELECT a, FROM n',
    'SELECT a AS v, FROM n',
    'SELECT sum(a) AS v, count() AS c, FROM (SELECT a AS a, FROM n)',
    'SELECT a v, FROM n WHERE a IN (SELECT a AS b, FROM `n`)',
    'WITH c AS (SELECT a AS v, FROM n) SELECT v AS w, FROM c',
  ])('may have commas before FROM: %j', (sql) => {
    const composed = compose(['n', 'SELECT a AS a, FROM events'], ['end', sql]);
    expect(askEngine(engine, composed)).toBeDefined();
  });

  it('keeps a column that is named from', () => {
    expect(compose(['end', 'SELECT a, from, b FROM events'])).toBe('SELECT a, from, b FROM events');
  });

  it('refuses a circle and names it', () => {
    expect(() => compose(['a', 'SELECT * FROM b'], ['b', 'SELECT * FROM c'], ['c', 'SELECT * FROM a'])).toThrow(
      'cannot run pipe p: its nodes select from each other in a circle (p.c → p.a → p.b → p.c)',
    );
  });

  it('takes the own name of a node for what is around it', () => {
    expect(
      askEngine(engine, compose(['events', 'SELECT a + 10 AS a FROM events'], ['end', 'SELECT sum(a) FROM events'])),
    ).toBe(36);
  });

  it('refuses a node that it lacks', () => {
    expect(() => composePipe(pipe('p', node('n', 'SELECT 1')), 'm', asWritten)).toThrow(
      'cannot run node m: pipe p has none of that name',
    );
  });

  it.each([
    ['', 'it is empty'],
    ['SELECT 1; SELECT 2', 'one statement is allowed'],
    ["SELECT 'a", 'is not closed'],
    ['SELECT “a”', 'typographic quotes'],
  ])('refuses a node of %j and names it', (sql, why) => {
    const broken = pipe('p', node('n', sql), node('end', 'SELECT * FROM n'));
    expect(() => composePipe(broken, 'end', asWritten)).toThrow(AppError);
    expect(() => composePipe(broken, 'end', asWritten)).toThrow(/^cannot compose node n of pipe p: cannot /u);
    expect(() => composePipe(broken, 'end', asWritten)).toThrow(why);
  });

  it('renders each node once, and those that are not needed never', () => {
    const rendered: string[] = [];
    const nodes = pipe('p', node('x', 'SELECT 1'), node('n', 'SELECT 1 AS a'), node('end', 'SELECT * FROM n, n AS m'));
    composePipe(nodes, 'end', (one) => {
      rendered.push(one.name);
      return one.sql;
    });
    expect(rendered).toEqual(['end', 'n']);
  });

  it('bounds what it makes', () => {
    const many = Array.from({ length: 300 }, (_, index) =>
      node(`n${index}`, index === 0 ? 'SELECT 1' : `SELECT * FROM n${index - 1}`),
    );
    expect(() => composePipe(pipe('p', ...many), 'n299', asWritten)).toThrow('more than 200 nodes');
    const long = `SELECT '${'x'.repeat(150_000)}' AS a`;
    expect(() => compose(['a', long], ['b', long], ['c', 'SELECT * FROM a, b'])).toThrow('are allowed');
  });
});

describe('a name', () => {
  it.each([
    [
      'of a table in a database is left',
      [
        ['events', 'SELECT 100 AS a'],
        ['end', 'SELECT sum(a) AS v FROM acme.events'],
      ],
      '6',
    ],
    [
      'that the node defines itself is its own',
      [
        ['n', 'SELECT 100 AS a'],
        ['end', 'WITH n AS (SELECT 1 AS a) SELECT a AS v FROM n'],
      ],
      1,
    ],
    [
      'that a node defines from the node of that name is both',
      [
        ['n', 'SELECT 100 AS a'],
        ['end', 'WITH n AS (SELECT a + 1 AS a FROM n) SELECT a AS v FROM n'],
      ],
      '101',
    ],
    [
      'that only a subquery defines is the node elsewhere',
      [
        ['n', 'SELECT 100 AS a'],
        ['end', 'SELECT n.a + q.a AS v FROM (WITH n AS (SELECT 1 AS a) SELECT a FROM n) AS q, n'],
      ],
      '101',
    ],
    [
      'that a node in front defines is the node behind it',
      [
        ['n', 'SELECT 100 AS a'],
        ['m', 'WITH n AS (SELECT 1 AS a) SELECT a FROM n'],
        ['end', 'SELECT n.a + m.a AS v FROM n, m'],
      ],
      '101',
    ],
    [
      'that the statement defines is still the table to a node',
      [
        ['n', 'SELECT sum(a) AS a FROM events'],
        ['end', 'WITH events AS (SELECT 100 AS a) SELECT n.a + events.a AS v FROM n, events'],
      ],
      '106',
    ],
    [
      'that the statement gives to a value is still the column to a node',
      [
        ['n', 'SELECT sum(a) AS s FROM events'],
        ['end', 'WITH 100 AS a SELECT s + a AS v FROM n'],
      ],
      '106',
    ],
    [
      'that a node gives to a value is still the column to another',
      [
        ['m', 'WITH 100 AS a SELECT a AS k'],
        ['n', 'SELECT sum(a) AS s FROM events'],
        ['end', 'WITH (SELECT max(s) FROM n) AS b SELECT s + k + b AS v FROM n, m'],
      ],
      '112',
    ],
    [
      'of a column is no table',
      [
        ['b', 'SELECT 1 AS a'],
        ['end', 'SELECT max(b) AS v FROM events'],
      ],
      'z',
    ],
    [
      'with marks in it is quoted',
      [
        ['my node', 'SELECT 7 AS a'],
        ['end', 'SELECT a AS v FROM `my node`'],
      ],
      7,
    ],
    [
      'that is a keyword is quoted',
      [
        ['final', 'SELECT 7 AS a'],
        ['end', 'SELECT a AS v FROM final'],
      ],
      7,
    ],
  ] as const)('%s', (_what, nodes, value) => {
    expect(String(askEngine(engine, compose(...nodes)))).toBe(String(value));
  });

  it('that is a table for a node is never the node that another means', () => {
    // `events` is a node of the outer pipe, and the data source for the inner one.
    const inner = pipe('inner', node('all', 'SELECT sum(a) AS total FROM events'));
    const outer = pipe(
      'outer',
      node('events', 'SELECT 100 AS a'),
      node('end', 'SELECT events.a + total AS v FROM events, inner'),
    );
    const sql = composePipe(outer, 'end', asWritten, { pipes: pipesOf(inner, outer) });
    expect(askEngine(engine, sql)).toBe(106);
  });

  it('of two nodes in different pipes is told apart', () => {
    const inner = pipe('inner', node('n', 'SELECT 1 AS a'), node('end', 'SELECT n.a AS a FROM n'));
    const outer = pipe('outer', node('n', 'SELECT 100 AS a'), node('end', 'SELECT n.a + inner.a AS v FROM n, inner'));
    expect(Number(askEngine(engine, composePipe(outer, 'end', asWritten, { pipes: pipesOf(inner, outer) })))).toBe(101);
  });

  it('of a pipe that selects from itself is refused', () => {
    const self = pipe('self', node('n', 'SELECT * FROM self'));
    expect(() => composePipe(self, 'n', asWritten, { pipes: pipesOf(self) })).toThrow('in a circle (self.n → self.n)');
  });
});

describe('a query', () => {
  const top = pipe(
    'top',
    node('base', 'SELECT a FROM events'),
    node('end', 'SELECT a, a * 2 AS d FROM base', 'endpoint'),
    node('later', 'SELECT 1'),
  );

  it('that names no pipe comes back as it is', () => {
    for (const sql of ['SELECT 1 -- c\n;', 'DESCRIBE TABLE top', 'SHOW TABLES', 'SELECT * FROM other FORMAT CSV'])
      expect(composeQuery(sql, asWritten, { pipes: pipesOf(top) })).toBe(sql);
  });

  it.each([
    ['SELECT sum(d) AS v FROM top', 12],
    ['SELECT sum(top.d) AS v FROM top', 12],
    ['SELECT sum(x.d) AS v FROM top AS x FORMAT JSONCompactEachRow', 12],
    ['SELECT sum(d) AS v FROM _ WHERE a IN (SELECT a FROM _)', 12],
    ['(SELECT max(d) AS v FROM top) UNION DISTINCT (SELECT max(d) FROM _)', 6],
    ['WITH base AS (SELECT 5 AS a) SELECT base.a + max(top.d) AS v FROM top, base GROUP BY base.a', 11],
  ])('runs %j', (sql, value) => {
    const pipes = new Map([...pipesOf(top), ['_', top]]);
    expect(askEngine(engine, composeQuery(sql, asWritten, { pipes }))).toBe(value);
  });

  it('names no more than it may, while nodes name what they need', () => {
    const outer = pipe('outer', node('n', 'SELECT sum(a) AS s FROM top'));
    const options = { pipes: pipesOf(top, outer), named: new Map([['_', outer]]) };
    expect(askEngine(engine, composeQuery('SELECT s FROM _', asWritten, options))).toBe(6);
    expect(composeQuery('SELECT a FROM top', asWritten, options)).toBe('SELECT a FROM top');
  });

  it('cannot change what a pipe reads', () => {
    const sql = composeQuery(
      'WITH events AS (SELECT 50 AS a), base AS (SELECT 60 AS a) SELECT sum(a) FROM _',
      asWritten,
      {
        named: new Map([['_', top]]),
      },
    );
    expect(askEngine(engine, sql)).toBe(6);
  });

  it('keeps its format', () => {
    expect(composeQuery('SELECT 1 FROM top FORMAT CSV', asWritten, { pipes: pipesOf(top) })).toMatch(/ FORMAT CSV$/u);
  });

  it('names the nodes of the pipe that it is asked within', () => {
    expect(askEngine(engine, composeQuery('SELECT sum(a) FROM base', asWritten, { within: top }))).toBe(6);
  });

  it('gets the endpoint of a pipe, or else its last node', () => {
    expect(resultNode(top)?.name).toBe('end');
    expect(resultNode(pipe('p', node('a', ''), node('b', ''), node('c', '', 'materialized')))?.name).toBe('b');
    expect(resultNode(pipe('p', node('c', '', 'copy')))?.name).toBe('c');
    expect(resultNode(pipe('p'))).toBeUndefined();
  });
});
