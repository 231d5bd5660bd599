import { describe, expect, it } from 'vitest';
import type { Text } from './attributes-json.ts';
import { ResourceMemory } from './shared.ts';
import { BODY_SLACK, Wire } from './wire.ts';

/** Resource { attributes: [service.name = `name`] }. */
function resource(name: string): { readonly wire: Wire; readonly length: number } {
  const field = (tag: number, content: Buffer): Buffer => Buffer.concat([Buffer.from([tag, content.length]), content]);
  const value = field(0x0a, Buffer.from(name));
  const pair = Buffer.concat([field(0x0a, Buffer.from('service.name')), field(0x12, value)]);
  const message = field(0x0a, pair);
  const wire = new Wire();
  const body = new Uint8Array(message.length + BODY_SLACK);
  body.set(message);
  wire.open(body.buffer);
  return { wire, length: message.length };
}

function stringOf({ source, length }: Text): string {
  return Buffer.from(source.bytes.subarray(0, length)).toString('utf8');
}

describe('resources that were read before', () => {
  it('are the same object as long as they are remembered', () => {
    const memory = new ResourceMemory({ count: 0 });
    const [first, again] = [resource('shop'), resource('shop')];
    const read = memory.read(first.wire, 0, first.length);
    expect(memory.read(again.wire, 0, again.length)).toBe(read);
  });

  it('say what they said, however many come between', () => {
    const memory = new ResourceMemory({ count: 0 });
    const names = Array.from({ length: 3_000 }, (_, number) => `service-${number}`);
    for (let round = 0; round < 2; round++) {
      for (const name of names) {
        const { wire, length } = resource(name);
        const { attributes, service } = memory.read(wire, 0, length);
        expect([stringOf(service), stringOf(attributes)]).toEqual([name, `{"service.name":"${name}"}`]);
      }
    }
    const { wire, length } = resource('service-0');
    expect(memory.read(wire, 0, length)).not.toBe(memory.read(resource('service-1').wire, 0, length));
  });
});
