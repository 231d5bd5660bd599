import { describe, expect, it } from 'vitest';
import { callsText } from './calls.ts';

const WEATHER = [{ id: 'c1', name: 'weather', arguments: '{"city":"Berlin"}' }];
const GIVEN = '{"city":"Berlin"}';

describe('calls of tools', () => {
  it.each<[string, unknown]>([
    ["OpenAI's chat", [{ id: 'c1', type: 'function', function: { name: 'weather', arguments: GIVEN } }]],
    ["OpenAI's responses", [{ id: 'f1', call_id: 'c1', type: 'function_call', name: 'weather', arguments: GIVEN }]],
    ['Anthropic', [{ type: 'tool_use', id: 'c1', name: 'weather', input: { city: 'Berlin' } }]],
    ['Vercel from version 5', [{ toolCallId: 'c1', toolName: 'weather', input: GIVEN }]],
    ['Vercel before', [{ toolCallType: 'function', toolCallId: 'c1', toolName: 'weather', args: GIVEN }]],
    ['texts of JSON', [JSON.stringify({ id: 'c1', name: 'weather', arguments: { city: 'Berlin' } })]],
  ])('are the same from %s', (_, calls) => {
    expect(JSON.parse(callsText(JSON.stringify(calls), false) ?? '')).toEqual(WEATHER);
  });

  it('are found in the parts of messages, and nothing else there is one', () => {
    const parts = [
      { type: 'text', content: 'tool_call', name: 'x' },
      { type: 'reasoning', content: 'x' },
      { type: 'blob', mime_type: 'image/png', content: 'AA' },
      { type: 'tool_call', id: 'c1', name: 'weather', arguments: { city: 'Berlin' } },
      { type: 'tool_call_response', id: 'c1', name: 'weather', response: 'sunny' },
    ];
    const messages = JSON.stringify([{ role: 'assistant', parts }, { role: 'assistant' }, null, 7]);
    expect(JSON.parse(callsText(messages, true) ?? '')).toEqual(WEATHER);
  });

  it('in a very long list are read in time', () => {
    const texts = Array.from({ length: 200_000 }, (_, at) => `{"name":"${at}"}`);
    expect(callsText(JSON.stringify(texts), false)?.length).toBeGreaterThan(200_000);
  });

  it.each(['', '[]', '{}', 'null', '[null]', '[[]]', '["tool_call"]', '[{"name":""}]', '[{"id":"c1"}]', '[1,2', 'x'])(
    'are none in %j',
    (text) => {
      expect([callsText(text, false), callsText(text, true)]).toEqual([undefined, undefined]);
    },
  );
});
