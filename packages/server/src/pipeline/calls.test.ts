/** Lines that become generations and nothing else: which do, what is said of the others, and what is redacted of them. */

import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { ContentCoding, Placement } from '@glasshouse/model';
import { ConstantColumn } from '@glasshouse/native';
import { PRESETS, type PolicySet } from '@glasshouse/redaction';
import { GENERATIONS } from '@glasshouse/schema';
import { describe, expect, it } from 'vitest';
// oxlint-disable-next-line no-restricted-imports -- test support, which that package doesn't export
import { readFilled, type NativeValue } from '../../../native/src/native-reference.ts';
import type { Decoded } from './decode.ts';
import { Readers } from './readers.ts';
import type { Share } from './share.ts';

const NOW_MS = Date.UTC(2026, 10, 22, 12);
const DAY_MS = 86_400_000;

interface Sent {
  readonly coding?: ContentCoding;
  readonly placement?: Placement;
  readonly share?: Share;
}

class Stand {
  readonly readers = new Readers({
    maxBodyBytes: 1 << 20,
    maxJsonBytes: 1 << 20,
    retentionMs: 30 * DAY_MS,
    maxAheadMs: 3_600_000,
    now: () => NOW_MS,
  });

  send(lines: readonly unknown[], { coding = 'identity', ...rest }: Sent = {}): Decoded {
    const text = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n');
    return this.sendBytes(coding === 'gzip' ? gzipSync(text) : Buffer.from(text), { coding, ...rest });
  }

  sendBytes(bytes: Buffer, { coding = 'identity', placement, share }: Sent = {}): Decoded {
    const buffer = new SharedArrayBuffer(bytes.length + 64);
    new Uint8Array(buffer).set(bytes);
    const request = { signal: 'calls', tenant: 'acme', placement, share, coding } as const;
    return this.readers.decode(request, buffer, bytes.length);
  }

  counts(): Record<string, number> {
    const filled = this.readers.blocks.filter(({ rows }) => rows > 0);
    return Object.fromEntries(filled.map(({ table, rows }) => [table.name, rows]));
  }

  rows(...names: readonly string[]): (NativeValue | undefined)[][] {
    const block = this.readers.blocks.find(({ table }) => table.name === 'generations');
    block?.column('_segment', ConstantColumn).set(1n);
    const read = readFilled(Buffer.concat(block?.pieces() ?? []), GENERATIONS);
    return Array.from({ length: read.rows }, (_, at) => names.map((name) => read.columns.get(name)?.[at]));
  }
}

function call(more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    start_time: new Date(NOW_MS).toISOString(),
    provider: 'openai',
    model: 'gpt-5',
    prompt_tokens: 1_000,
    completion_tokens: 100,
    ...more,
  };
}

describe('a line', () => {
  it.each(['gzip', 'identity'] as const)('that is a call becomes a priced row and no event, from %s', (coding) => {
    const stand = new Stand();
    const { accepted, unfit, message } = stand.send([call(), call()], { coding });
    expect([accepted, unfit, message]).toEqual([2, 0, '']);
    expect(stand.counts()).toEqual({ generations: 2 });
    expect(stand.rows('tenant_id', 'project_id', 'dialect', 'cost', 'duplicate')).toEqual([
      ['acme', 'default', 'llm_events', 2_250_000_000n, 0],
      ['acme', 'default', 'llm_events', 2_250_000_000n, 0],
    ]);
  });

  it('that is none is counted with why, and the others are taken', () => {
    const stand = new Stand();
    const old = call({ start_time: new Date(NOW_MS - 40 * DAY_MS).toISOString() });
    const ahead = call({ start_time: new Date(NOW_MS + DAY_MS).toISOString() });
    const others = [{ any: 'other' }, '{"model": "gpt-5"', '42', 'null', old, ahead, '"text"', {}];
    const { accepted, rejected, unfit, reasons, message } = stand.send([call(), ...others, call()]);
    expect([accepted, rejected, unfit]).toEqual([2, 0, 8]);
    expect(Object.fromEntries(reasons)).toEqual({ no_call: 2, not_json: 4, time_old: 1, time_future: 1 });
    expect(message).toBe(
      'left out events that are no generations: 2 no call of a model in a form that is known; 4 no JSON object; ' +
        "1 older than the retention, which would be deleted at once; 1 too far in the future (check the sender's clock)",
    );
    expect(stand.counts()).toEqual({ generations: 2 });
  });

  it('is never written twice for a call that is reported twice', () => {
    const stand = new Stand();
    stand.send([call({ response: { id: 'chatcmpl-0123456789' } })]);
    stand.send([call({ response: { id: 'chatcmpl-0123456789' } })]);
    expect(stand.rows('duplicate')).toEqual([[0], [1]]);
  });

  it('is placed by the key of its sender, else by what it says', () => {
    const stand = new Stand();
    const claims = call({ proxy_metadata: { project: 'victim', environment: 'prod' }, tenant_id: 'victim' });
    stand.send([claims], { placement: { tenant: 'acme', project: 'shop', environment: 'test' } });
    stand.send([claims]);
    expect(stand.rows('tenant_id', 'project_id', 'environment', 'project_name')).toEqual([
      ['acme', 'shop', 'test', 'victim'],
      ['acme', 'victim', 'prod', 'victim'],
    ]);
  });

  it('outside of the share leaves nothing', () => {
    const stand = new Stand();
    const { accepted, rejected, message } = stand.send([call()], { share: { percent: 0, key: '' } });
    expect([accepted, rejected, message]).toEqual([0, 1, 'left out 1 of 1 events: the source takes a share of them']);
    expect(stand.counts()).toEqual({});
  });

  it('with invalid UTF-8 is taken, and that is said', () => {
    const stand = new Stand();
    const bad = Buffer.from(JSON.stringify(call({ user: 'ann?' })));
    bad[bad.indexOf('?')] = 0xff;
    const { accepted, message } = stand.sendBytes(bad);
    expect([accepted, message]).toEqual([1, 'replaced invalid UTF-8 in 1 events']);
    expect(stand.rows('user_id')).toEqual([['ann\ufffd']]);
  });
});

describe('a request', () => {
  it('that cannot be unpacked leaves nothing', () => {
    const stand = new Stand();
    stand.send([call()]);
    expect(() => stand.sendBytes(Buffer.from('no gzip'), { coding: 'gzip' })).toThrow(/gzip/u);
    expect(() => stand.sendBytes(gzipSync(Buffer.alloc(2 << 20, 0x20)), { coding: 'gzip' })).toThrow(/larger|limit/u);
    expect(stand.counts()).toEqual({ generations: 1 });
  });

  it.each(['', '\n\n', '[]', '\ufeff'])('of no events (%j) is taken', (text) => {
    const stand = new Stand();
    expect(stand.sendBytes(Buffer.from(text))).toMatchObject({ accepted: 0, unfit: 0, message: '' });
  });

  it('may be an array, or an object over several lines', () => {
    const stand = new Stand();
    stand.sendBytes(Buffer.from(JSON.stringify([call(), call()])));
    stand.sendBytes(Buffer.from(JSON.stringify(call(), null, 2)));
    expect(stand.counts()).toEqual({ generations: 3 });
  });
});

describe('what is redacted', () => {
  const place = (project: string, environment = ''): { tenant: string; project: string; environment: string } => ({
    tenant: 'acme',
    project,
    environment,
  });
  const strict = (...places: readonly ReturnType<typeof place>[]): PolicySet => ({
    policies: places.map((each) => ({ ...each, policy: PRESETS.strict })),
    hashKey: randomBytes(32),
  });
  const said = (project?: string): Record<string, unknown> =>
    call({ messages: 'a secret prompt', ...(project === undefined ? {} : { proxy_metadata: { project } }) });

  it('follows the policy of the project of the key', () => {
    const stand = new Stand();
    stand.readers.redactor.take(strict(place('shop')));
    stand.send([said('other')], { placement: { ...place('shop'), environment: 'test' } });
    stand.send([said('shop')], { placement: { ...place('other'), environment: 'test' } });
    expect(
      stand.rows('project_id', 'prompt').map(([project, prompt]) => [project, prompt === 'a secret prompt']),
    ).toEqual([
      ['shop', false],
      ['other', true],
    ]);
  });

  it('follows the policy of the project that a line names, where no key says whose it is', () => {
    const stand = new Stand();
    stand.readers.redactor.take(strict(place('shop')));
    stand.send([said('shop'), said('other'), said()]);
    expect(
      stand.rows('project_id', 'prompt').map(([project, prompt]) => [project, prompt === 'a secret prompt']),
    ).toEqual([
      ['shop', false],
      ['other', true],
      ['default', true],
    ]);
  });

  it('follows the policy of the tenant', () => {
    const stand = new Stand();
    stand.readers.redactor.take(strict(place('')));
    stand.send([said('shop'), said()]);
    expect(stand.rows('prompt').filter(([prompt]) => prompt === 'a secret prompt')).toEqual([]);
  });
});
