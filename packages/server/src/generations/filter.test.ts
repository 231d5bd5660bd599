import { describe, expect, it } from 'vitest';
import { equalities } from './filter.ts';

describe('a filter that is told here', () => {
  it.each<[string, Record<string, string>]>([
    ['', {}],
    ["model = 'gpt-5'", { model: 'gpt-5' }],
    ["model='gpt-5'", { model: 'gpt-5' }],
    ["(`model` = 'gpt-5')", { model: 'gpt-5' }],
    ["model = 'a' AND user = 'b'", { model: 'a', user: 'b' }],
    ["(model = 'a') and ((user = 'b'))", { model: 'a', user: 'b' }],
    ["model = 'a'\nAND\tuser = 'b'", { model: 'a', user: 'b' }],
    ["model = 'a' AND model = 'a'", { model: 'a' }],
    ["model = ''", { model: '' }],
    ['model = \'ünï "x" -- /* */ ;\'', { model: 'ünï "x" -- /* */ ;' }],
  ])('%j wants what it says', (filter, wanted) => {
    expect(Object.fromEntries(equalities(filter) ?? [])).toEqual(wanted);
  });
});

describe('a filter that only the engine can tell', () => {
  it.each([
    "model = 'a' OR user = 'b'",
    "model = 'a' AND user = 'b' OR 1 = 1",
    "(model = 'a') OR (user = 'b' AND tier = 'c')",
    "model = 'a') OR (user = 'b'",
    "model = 'a' AND (user = 'b' OR tier = 'c')",
    "NOT model = 'a'",
    "NOT (model = 'a' AND user = 'b')",
    "(model = 'a' AND user = 'b') = 0",
    "model != 'a'",
    "model == 'a'",
    "model LIKE 'a'",
    "model IN ('a')",
    "lower(model) = 'a'",
    "'a' = model",
    "model = 'a' AND model = 'b'",
    "model = 'a' || 'b'",
    "model = 'a''b'",
    String.raw`model = 'a\'b'`,
    String.raw`model = 'a\x62'`,
    "model = 'a AND b'",
    "model = 'a' AND",
    "AND model = 'a'",
    "model = 'a' -- '",
    "model = 'a' /* AND */ AND 1",
    "model = 'a' XOR user = 'b'",
    'model = "a"',
    'model = user',
    'model = 1',
    'x',
    '1',
    ' ',
    "table.model = 'a'",
    `model = 'a' ${'AND x'.repeat(10_000)}`,
    `${'('.repeat(100_000)}model = 'a'`.concat(' OR 1'),
  ])('%j', (filter) => {
    expect(equalities(filter)).toBeUndefined();
  });
});
