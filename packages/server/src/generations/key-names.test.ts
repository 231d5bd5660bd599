import { describe, expect, it } from 'vitest';
import { askedKeys, SPAN_DIALECTS } from '@glasshouse/generations';
import { Wire } from '../otlp/wire.ts';
import { ByteNames, BytePrefixes } from './key-names.ts';

const ASKED = askedKeys(SPAN_DIALECTS);
const NAMES = new ByteNames(ASKED.names.map((name) => [name, name]));
const PREFIXES = new BytePrefixes(ASKED.prefixes.map((prefix) => [prefix, prefix]));

/** The name or the beginning that is found of bytes that lie between others. */
function find(text: string): string | undefined {
  const wire = new Wire();
  const bytes = Buffer.from(`<${text}>`.padEnd(text.length * 4 + 32, '>'));
  wire.open(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  const end = 1 + Buffer.byteLength(text);
  return NAMES.find(wire, 1, end) ?? PREFIXES.find(wire, 1, end);
}

describe('names of attributes', () => {
  it.each(ASKED.names)('%s is found', (name) => {
    expect(find(name)).toBe(name);
  });

  it('are found by how they begin', () => {
    for (const prefix of ASKED.prefixes) expect(find(`${prefix}3.röle`)).toBe(prefix);
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
