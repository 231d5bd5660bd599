/** The commands of prices, without a server: their pages, and what they refuse before they ask one. */

import { expect, test } from 'vitest';
import { EXIT_CODES, exitCodeOf } from './errors.ts';
import { prices } from './commands/prices.ts';
import { conditionsText, modelOf, pricesText } from './commands/prices-text.ts';

test('every command has a page that teaches: a summary, a description, examples that begin with its name', () => {
  for (const { name, summary, description, examples } of prices.members) {
    expect(name.startsWith('prices ')).toBe(true);
    expect([summary.length > 10, description.join(' ').length > 60, examples.length > 0]).toEqual([true, true, true]);
    expect(examples.some(({ command }) => command.startsWith(`glasshouse ${name}`))).toBe(true);
  }
});

test.each([
  ['openai/gpt-4o', { provider: 'openai', model: 'gpt-4o' }],
  ['openrouter/anthropic/claude', { provider: 'openrouter', model: 'anthropic/claude' }],
])('%s is a provider and a model', (text, parts) => {
  expect(modelOf(text, 'prices set')).toEqual(parts);
});

test.each([undefined, '', 'gpt-4o', '/gpt-4o', 'openai/'])('%j names no model, which is wrong usage', (text) => {
  try {
    modelOf(text, 'prices set');
    expect.unreachable();
  } catch (error) {
    expect(exitCodeOf(error)).toBe(EXIT_CODES.usage);
  }
});

test('a row reads as prices and conditions', () => {
  expect(pricesText({ input: '2.5', output: '10' })).toBe('input 2.5, output 10');
  const when = { tier: 'batch', contextAbove: 200_000, hours: { from: '00:30', until: '08:30' } };
  expect(conditionsText({ from: '2026-01-01', when })).toBe(
    'from 2026-01-01, tier batch, contextAbove 200000, hours {"from":"00:30","until":"08:30"}',
  );
});
