import { describe, expect, it } from 'vitest';
import { askedKeys, SPAN_DIALECTS } from '@glasshouse/generations';
import { Wire } from '../otlp/wire.ts';
import { KeyNames } from './key-names.ts';

const ASKED = askedKeys(SPAN_DIALECTS);
const NAMES = new KeyNames(ASKED);

/** The name that is found of bytes that lie between others. */
function find(text: string): string | undefined {
  const wire = new Wire();
  const bytes = Buffer.from(`<${text}>`.padEnd(text.length * 4 + 32, '>'));
  wire.open(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  return NAMES.find(wire, 1, 1 + Buffer.byteLength(text));
}

describe('names of attributes', () => {
  it.each(ASKED.names)('%s is found', (name) => {
    expect(find(name)).toBe(name);
  });

  it('are found by how they begin', () => {
    for (const prefix of ASKED.prefixes) expect(find(`${prefix}3.röle`)).toBe(`${prefix}3.röle`);
  });

  it.each([
    '',
    'x',
    'abc',
    'http.route',
    'gen_ai.request.mode',
    'gen_ai.request.models',
    'GEN_AI.REQUEST.MODEL',
    'llm.input_messages',
  ])('%j is nobody’s', (name) => {
    expect(find(name)).toBeUndefined();
  });

  it('are not found in what only looks like them', () => {
    for (const name of ASKED.names)
      expect(find(`${name.slice(0, 1) === 'g' ? 'h' : 'g'}${name.slice(1)}`)).not.toBe(name);
  });
});
