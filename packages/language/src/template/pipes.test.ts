/**
 * Whole pipes as clients deploy them: rendered, put together, judged by the guard like any user's SQL, and run on the real engine.
 */

import type { Pipe } from '@glasshouse/model';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAst } from '../sql/ast.ts';
import { judge } from '../sql/guard.ts';
import { tenantPolicy } from '../sql/policy.ts';
import { confirm, resolvedTables } from '../sql/query-tree.ts';
import { splitStatement } from '../sql/statement.ts';
import { composePipe, composeQuery, resultNode } from './compose.ts';
import { openEngine, type Engine } from './engine.suite.ts';
import { TemplateError } from './error.ts';
import * as fixtures from './fixtures.suite.ts';
import { parseTemplate, pipeParameters } from './parse.ts';
import { renderTemplate, type RenderOptions } from './render.ts';

type Given = Readonly<Record<string, unknown>>;
type Row = Readonly<Record<string, unknown>>;

const policy = tenantPolicy('acme');
const pipes = new Map(fixtures.PIPES.map((pipe) => [pipe.name, pipe]));

let engine: Engine;

beforeAll(() => {
  engine = openEngine();
  for (const statement of fixtures.TABLES) engine.query(statement, 'TSVRaw');
});

afterAll(() => {
  engine.close();
});

function composed(pipe: Pipe, given: Given = {}, options: RenderOptions = {}): string {
  return composePipe(pipe, resultNode(pipe)?.name ?? '', (node) => rendered(node, given, options), { pipes });
}

function rendered(
  node: { readonly name: string; readonly sql: string },
  given: Given,
  options: RenderOptions = {},
): string {
  return renderTemplate(parseTemplate(node.sql, { node: node.name }), new Map(Object.entries(given)), options).sql;
}

/** What the query door does: take apart, judge the syntax tree, confirm the resolved tree; then run. */
function judged(sql: string): { readonly tables: readonly string[]; readonly rows: readonly Row[] } {
  const statement = splitStatement(sql);
  const verdict = judge(statement, parseAst(engine.query(`EXPLAIN AST ${statement.sql}`, 'TSVRaw')), policy);
  confirm(resolvedTables(engine.query(`EXPLAIN QUERY TREE ${statement.sql}`, 'TSVRaw')), policy, () => []);
  const rows = engine.query(statement.sql, 'JSONEachRow').split('\n').filter(Boolean);
  return {
    tables: verdict.tables.map(({ table }) => table),
    rows: rows.map((row) => JSON.parse(row) as Row),
  };
}

const run = (pipe: Pipe, given: Given = {}): readonly Row[] => judged(composed(pipe, given)).rows;

function errorOf(action: () => unknown): TemplateError {
  try {
    action();
  } catch (error) {
    if (error instanceof TemplateError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('every pipe', () => {
  it.each(fixtures.PIPES.map((pipe) => [pipe.name, pipe] as const))(
    '%s can be checked without values',
    (_name, pipe) => {
      const { tables } = judged(composed(pipe, {}, { missing: 'sample' }));
      const real = ['llm_events', 'generation_event', 'd1_apikey', 'canonical_events'];
      expect(tables.filter((table) => !real.includes(table) && table !== 'one' && table !== 'numbers')).toEqual([]);
    },
  );
});

describe('llm_usage', () => {
  it('counts by day and by a column', () => {
    const plain = run(fixtures.LLM_USAGE);
    expect(plain[0]).toHaveProperty('total_requests');
    expect(plain[0]).not.toHaveProperty('category');
    const byModel = run(fixtures.LLM_USAGE, { column_name: 'model' });
    expect(new Set(byModel.map((row) => row['category']))).toEqual(new Set(['small', 'large']));
    expect(sum(byModel, 'total_requests')).toBe(sum(plain, 'total_requests'));
  });

  it('filters by what a dashboard sends', () => {
    const all = sum(run(fixtures.LLM_USAGE), 'total_requests');
    const one = sum(run(fixtures.LLM_USAGE, { organization: 'acme' }), 'total_requests');
    expect(one).toBe(all / 2);
    expect(sum(run(fixtures.LLM_USAGE, { organization: 'acme,globex' }), 'total_requests')).toBe(all);
    expect(sum(run(fixtures.LLM_USAGE, { organization: ['acme', 'globex'] }), 'total_requests')).toBe(all);
    expect(sum(run(fixtures.LLM_USAGE, { organization: '' }), 'total_requests')).toBe(all);
    expect(sum(run(fixtures.LLM_USAGE, { project: "it's" }), 'total_requests')).toBe(all / 3);
    expect(sum(run(fixtures.LLM_USAGE, { organization: "acme') OR 1=1 --" }), 'total_requests')).toBe(0);
    expect(sum(run(fixtures.LLM_USAGE, { start_date: '2100-01-01 00:00:00' }), 'total_requests')).toBe(0);
  });

  it('raises its own error for a column that it does not offer', () => {
    const error = errorOf(() => run(fixtures.LLM_USAGE, { column_name: 'exception' }));
    expect(error.message).toBe('column_name must name a dimension');
    expect(error.status).toBe(400);
  });
});

describe('generic_counter', () => {
  it('needs its dimension', () => {
    expect(errorOf(() => run(fixtures.GENERIC_COUNTER)).message).toBe('give a dimension to count by');
    expect(errorOf(() => run(fixtures.GENERIC_COUNTER, { dimension: 'a; drop' })).message).toBe(
      'no such dimension to count by',
    );
  });

  it('counts with and without its optional column', () => {
    const rows = run(fixtures.GENERIC_COUNTER, { dimension: 'organization', model: 'small,large', user: '' });
    expect(rows.map((row) => row['category'])).toEqual(['acme', 'globex']);
    expect(run(fixtures.GENERIC_COUNTER, { dimension: 'organization', with_errors: '1' })[0]).toHaveProperty('errors');
    expect(
      run(fixtures.GENERIC_COUNTER, {
        dimension: 'user',
        start_date: '2000-01-01 00:00:00',
        end_date: '2100-01-01 00:00:00',
      }),
    ).toHaveLength(2);
  });

  it('describes its parameters', () => {
    const [node] = fixtures.GENERIC_COUNTER.nodes;
    const parameters = pipeParameters([parseTemplate(node?.sql ?? '', { node: 'count_attributes' })]);
    expect(parameters.find(({ name }) => name === 'dimension')).toEqual({
      name: 'dimension',
      type: 'String',
      required: true,
      default: 'organization',
    });
    expect(parameters.find(({ name }) => name === 'model')).toEqual({
      name: 'model',
      type: 'Array(String)',
      required: false,
    });
    expect(parameters.find(({ name }) => name === 'start_date')).toMatchObject({ type: 'DateTime', required: false });
  });
});

describe('llm_messages', () => {
  it('limits, and leaves messages out unless a chat is asked for', () => {
    expect(run(fixtures.LLM_MESSAGES, { limit: '5' })).toHaveLength(5);
    expect(run(fixtures.LLM_MESSAGES, { limit: 3 })[0]).toMatchObject({ messages: [], far: 0 });
    const chat = run(fixtures.LLM_MESSAGES, { chat_id: 'c1' });
    expect(chat[0]).toMatchObject({ chat_id: 'c1', messages: [{ role: 'user', content: 'hello' }] });
  });

  it.each([
    ['comma-separated text', '1,1,2'],
    ['repeated parameters', ['1', '1', '2']],
    ['JSON text', '[1.0,1,2]'],
    ['a JSON body', [1, 1, 2]],
  ])('searches by a vector given as %s', (_how, embedding) => {
    const rows = run(fixtures.LLM_MESSAGES, { embedding, similarity_threshold: '0.5', limit: '2' });
    expect(rows).toHaveLength(2);
    expect(rows[0]?.['message_id']).toBe('1');
  });

  it('takes a vector of 1536 numbers', () => {
    const embedding = Array.from({ length: 1536 }, (_, index) => Math.sin(index));
    const sql = composed(fixtures.LLM_MESSAGES, { embedding });
    expect(() => splitStatement(sql)).not.toThrow();
    expect(sql.length).toBeLessThan(100_000);
  });

  it('refuses a limit that is no number, with its line', () => {
    const lines = fixtures.LLM_MESSAGES.nodes[0]?.sql.split('\n') ?? [];
    const line = lines.findIndex((text) => text.includes('LIMIT')) + 1;
    expect(errorOf(() => run(fixtures.LLM_MESSAGES, { limit: '5; DROP TABLE llm_events' })).message).toBe(
      `cannot run node llm_messages_node, line ${line}: parameter limit='5; DROP TABLE llm_events' does not fit: Int32 takes a whole number from -2147483648 to 2147483647`,
    );
  });
});

describe('the costs', () => {
  it('are those of one user or of all', () => {
    const [all] = run(fixtures.GET_LLM_COSTS);
    const [one] = run(fixtures.GET_LLM_COSTS, { username: 'ann' });
    expect(all?.['request_count']).toBe(48);
    expect(one?.['request_count']).toBe(24);
    expect(run(fixtures.GET_LLM_COSTS, { username: '' })[0]).toEqual(all);
    expect(run(fixtures.GET_LLM_COSTS, { username: "' OR '1'='1" })[0]).toMatchObject({ request_count: 0 });
  });

  it('of a day, a week and a month', () => {
    for (const pipe of [fixtures.COST_DAY, fixtures.COST_WEEK, fixtures.COST_MONTH]) {
      expect(run(pipe)).toEqual([{ total_cost: 0, requests: 0 }]);
      expect(run(pipe, { user: 'ann' })).toHaveLength(1);
    }
    expect(run(fixtures.COST_WEEK, { user: 'ann' })).toEqual([{ total_cost: 6, requests: 24 }]);
  });

  it('of seven days and of 24 hours fill the gaps', () => {
    expect(run(fixtures.DAILY_COST, { user: 'ann' })).toHaveLength(7);
    expect(run(fixtures.HOURLY_COST, { user: 'ann' })).toHaveLength(24);
    expect(run(fixtures.HOURLY_TOKENS, { username: 'ann', referrer: 'site,other' })).toHaveLength(24);
  });
});

describe('llm_dimensions', () => {
  it('answers arrays', () => {
    expect(run(fixtures.LLM_DIMENSIONS, { organization: 'acme' })).toEqual([
      { organizations: ['acme'], model: ['small'] },
    ]);
  });
});

describe('pipes of several nodes', () => {
  it('earnings come in buckets and roll-ups', () => {
    const rows = run(fixtures.DEVELOPER_EARNINGS, { grain: 'hour' });
    expect(rows.find((row) => row['app_key_id'] === '')).toEqual({
      date: '',
      app_key_id: '',
      requests: 40,
      earned: 40,
    });
    expect(
      run(fixtures.DEVELOPER_EARNINGS, { api_key_ids: 'app1' }).find((row) => row['app_key_id'] === ''),
    ).toMatchObject({ requests: 20 });
  });

  it('health looks back as far as it is asked to', () => {
    expect(run(fixtures.MODEL_HEALTH)).toEqual([{ model: 'm', ok: 30, total: 40 }]);
    expect(run(fixtures.MODEL_HEALTH, { minutes: '0' })).toEqual([]);
  });

  it('a roll-up of an event store can be judged and counted', () => {
    expect(judged(composed(fixtures.COST_BY_MODEL)).tables).toEqual(['canonical_events']);
  });

  it('a query reads the result of a pipe', () => {
    const query = "SELECT sum(earned) AS total FROM _ WHERE app_key_id != '' AND date = '' FORMAT JSON";
    const sql = composeQuery(query, (node) => rendered(node, {}), {
      pipes: new Map([...pipes, ['_', fixtures.DEVELOPER_EARNINGS]]),
    });
    expect(judged(sql).rows).toEqual([{ total: 40 }]);
  });
});

describe('the door', () => {
  it('takes any value and reads the same tables', () => {
    const values = [
      "' OR 1=1 --",
      "\\' (alias x)",
      'x (children 3)',
      "') UNION ALL SELECT * FROM system.users --",
      'a\nb\u2028c',
      '{x:String}',
      '`',
      '"',
      '😀',
      '\0',
      '$$',
      '{{ x }}',
      '%',
    ];
    for (const value of values) {
      const { tables, rows } = judged(
        composed(fixtures.LLM_USAGE, { organization: [value, 'x'], user: [value], column_name: 'model' }),
      );
      expect(tables).toEqual(['llm_events']);
      expect(rows).toEqual([]);
      expect(judged(composed(fixtures.GET_LLM_COSTS, { username: value })).tables).toEqual(['llm_events']);
    }
  });

  it('keeps what a template may not read away from it', () => {
    const reader = {
      kind: 'pipe',
      name: 'p',
      nodes: [{ name: 'n', sql: '%\nSELECT * FROM {{ table(t) }}', type: 'endpoint', settings: {} }],
      tokens: [],
      tags: [],
    } as const;
    expect(() => judged(composed(reader, { t: 'system.users' }))).toThrow('cannot read table system.users');
    expect(() => judged(composed(reader, { t: 'other.secret' }))).toThrow('cannot read table other.secret');
    expect(judged(composed(reader, { t: 'd1_apikey' })).tables).toEqual(['d1_apikey']);
  });
});

function sum(rows: readonly Row[], column: string): number {
  return rows.reduce((total, row) => total + Number(row[column]), 0);
}
