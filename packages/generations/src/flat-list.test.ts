import { describe, expect, it } from 'vitest';
import { listCallsText, listText } from './flat-list.ts';
import type { FlatList } from './source.ts';

const LIST: FlatList = {
  list: 'in',
  role: 'role',
  content: 'content',
  parts: { list: 'contents', fields: { type: 'p.type', text: 'p.text', url: 'p.image.url' } },
  calls: { list: 'calls', fields: { id: 'c.id', name: 'c.function.name', arguments: 'c.function.arguments' } },
};

function messages(attributes: Readonly<Record<string, string>>): unknown {
  return JSON.parse(listText(LIST, attributes) ?? 'null');
}

describe('a flattened list', () => {
  it('may begin at one, have holes, and come in any order', () => {
    const attributes = { 'in.10.content': 'c', 'in.2.role': 'user', 'in.10.role': 'assistant', 'in.2.content': 'b' };
    expect(messages(attributes)).toEqual([
      { role: 'user', content: 'b' },
      { role: 'assistant', content: 'c' },
    ]);
  });

  it('has parts where a message has no content of its own', () => {
    const parts = {
      'in.0.contents.1.p.image.url': 'u',
      'in.0.contents.1.p.type': 'image',
      'in.0.contents.0.p.text': 't',
    };
    expect(messages({ 'in.0.role': 'user', ...parts })).toEqual([
      {
        role: 'user',
        content: [
          { type: '', text: 't' },
          { type: 'image', url: 'u' },
        ],
      },
    ]);
    expect(messages({ 'in.0.content': 'whole', ...parts })).toEqual([{ role: '', content: 'whole' }]);
  });

  it('has calls of tools in its messages and on their own, of all messages', () => {
    const attributes = {
      'in.3.calls.0.c.function.name': 'b',
      'in.1.calls.0.c.id': '1',
      'in.1.calls.0.c.function.name': 'a',
      'in.1.calls.0.c.function.arguments': '{}',
      'in.1.calls.1.c.function.arguments': 'of nothing',
    };
    const [a, b] = [
      { id: '1', name: 'a', arguments: '{}' },
      { id: '', name: 'b', arguments: '' },
    ];
    expect(messages(attributes)).toEqual([
      { role: '', content: '', tool_calls: [a] },
      { role: '', content: '', tool_calls: [b] },
    ]);
    expect(JSON.parse(listCallsText(LIST, attributes) ?? '')).toEqual([a, b]);
  });

  it.each([
    'in',
    'in.',
    'in.0',
    'in.0.',
    'in.0.other',
    'in.00.role',
    'in.1234567.role',
    'in.-1.role',
    'in.x.role',
    'in.0.contents.role',
    'in.0.contents.0',
    'in.0.contents.01.p.text',
    'in.0.calls.0.c.function',
    'inn.0.role',
  ])('has nothing of the name %j', (name) => {
    expect([listText(LIST, { [name]: 'x' }), listCallsText(LIST, { [name]: 'x' })]).toEqual([undefined, undefined]);
  });

  it('of very many messages ends in time', () => {
    const attributes = Object.fromEntries(Array.from({ length: 200_000 }, (_, at) => [`in.${at}.role`, 'user']));
    expect(messages(attributes)).toHaveLength(1_000);
  });
});
