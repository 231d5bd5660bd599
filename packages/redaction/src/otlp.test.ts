import { describe, expect, it } from 'vitest';
import { redactOtlp } from './otlp.ts';
import { PRESETS } from './policy.ts';
import { delimited } from './protobuf.ts';
import { Rules } from './rules.ts';
import { SECRETS } from './samples.suite.ts';

const SECRET = SECRETS[0] ?? '';
const rules = new Rules(PRESETS.strict, Buffer.alloc(32, 3));

const put = (field: number, ...parts: readonly (Uint8Array | string)[]): Uint8Array =>
  delimited(field, Buffer.concat(parts.map((part) => Buffer.from(part as string))));
const text = (value: string): Uint8Array => put(1, value);
const pair = (key: string, value: Uint8Array): Uint8Array => Buffer.concat([put(1, key), put(2, value)]);
const request = (item: Uint8Array, resource: Uint8Array = new Uint8Array()): Uint8Array =>
  put(1, put(1, put(1, resource)), put(2, put(1, put(1, 'scope')), put(2, item)));
const redacted = (bytes: Uint8Array, signal: 'logs' | 'metrics' | 'traces' = 'traces'): string =>
  Buffer.from(redactOtlp(signal, bytes, rules) ?? 'refused').toString();

describe('what has to go', () => {
  it.each([
    ['a name', put(5, `call ${SECRET}`)],
    ['an attribute', put(9, pair('note', text(`a ${SECRET}`)))],
    ['the key of an attribute', put(9, pair(SECRET, text('x')))],
    ['a value before its key', put(9, put(2, text(SECRET)), put(1, 'note'))],
    ['an element of an array', put(9, pair('note', put(5, put(1, text(SECRET)))))],
    ['a value of a list', put(9, pair('note', put(6, put(1, pair('inner', text(SECRET))))))],
    ['bytes that are text', put(9, pair('note', put(7, SECRET)))],
    ['an event', put(11, put(2, SECRET), put(3, pair('a', text(SECRET))))],
    ['a link', put(13, put(3, SECRET), put(4, pair('a', text(SECRET))))],
    ['a status', put(15, put(2, SECRET))],
    ['a trace state', put(3, SECRET)],
  ])('is taken out of %s', (_, span) => {
    const out = redacted(request(span));
    expect(out).toContain('[redacted:secret]');
    expect(out).not.toContain(SECRET);
    expect(redacted(Buffer.from(redactOtlp('traces', request(span), rules) ?? ''))).toBe(out);
  });

  it('is taken out of logs, metrics and resources', () => {
    expect(redacted(request(put(5, text(SECRET))), 'logs')).not.toContain(SECRET);
    expect(redacted(request(put(5, put(1, put(7, pair('a', text(SECRET)))))), 'metrics')).not.toContain(SECRET);
    expect(redacted(request(put(5, 'x'), pair('a', text(SECRET))))).not.toContain(SECRET);
  });
});

describe('what keys say', () => {
  it.each([
    'gen_ai.input.messages',
    'gen_ai.prompt.0.content',
    'llm.input_messages.0.message.content',
    'input.value',
    'ai.prompt.messages',
    'langfuse.observation.input',
    'traceloop.entity.input',
    'gen_ai.output.messages',
    'gen_ai.completion.0.content',
    'output.value',
    'ai.response.text',
    'langfuse.observation.output',
    'gen_ai.tool.call.arguments',
    'ai.toolCall.args',
    'user.id',
    'enduser.id',
    'langfuse.user.id',
  ])('hashes %s', (key) => {
    expect(redacted(request(put(9, pair(key, text('some words')))))).toMatch(/\[hash:[0-9a-f]{32}\]/u);
  });

  it.each([
    'gen_ai.usage.prompt_tokens',
    'gen_ai.prompt.0.role',
    'gen_ai.request.model',
    'gen_ai.tool.name',
    'output.mime_type',
    'http.response.status_code',
  ])('leaves %s', (key) => {
    const bytes = request(put(9, pair(key, text('some words'))));
    expect(redactOtlp('traces', bytes, rules)).toBe(bytes);
  });

  it('keeps the form of a conversation', () => {
    const messages = JSON.stringify([{ role: 'user', content: 'some words' }]);
    expect(redacted(request(put(9, pair('gen_ai.input.messages', text(messages)))))).toMatch(
      /\[\{"role":"user","content":"\[hash:[0-9a-f]{32}\]"\}\]/u,
    );
  });
});

it('keeps the form of a conversation that is structured, and of nothing else', () => {
  const list = (...pairs: readonly Uint8Array[]): Uint8Array => put(6, ...pairs.map((one) => put(1, one)));
  const messages = (role: string): Uint8Array =>
    put(
      5,
      put(1, list(pair('role', text(role)), pair('parts', put(5, put(1, list(pair('content', text('some words')))))))),
    );
  const stored = (role: string): string =>
    redacted(request(put(6, pair('gen_ai.input.messages', messages(role)))), 'logs');
  expect(stored('user')).toContain(Buffer.from(pair('role', text('user'))).toString());
  expect(stored('user')).toContain('[hash:');
  expect(stored('user')).not.toContain('some words');
  expect(stored('some words of a user')).not.toContain('words');
});

it('returns the same bytes where there is nothing, and none that are no message', () => {
  const bytes = request(put(5, 'work'));
  expect(redactOtlp('traces', bytes, rules)).toBe(bytes);
  expect(redactOtlp('traces', bytes.subarray(0, -1), rules)).toBeUndefined();
  expect(redactOtlp('traces', Buffer.from([0x0b]), rules)).toBeUndefined();
});
