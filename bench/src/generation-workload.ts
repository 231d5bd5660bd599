/**
 * Calls of models as JSON events, in the fields of `llm_events`: about 900 bytes a line with the provider's usage and a short prompt,
 * 512 lines a request. Ids, times and counts are new in every request.
 */

import { DIGIT_MARK, HEX_MARK, makeLineTemplates } from './event-workload.ts';
import type { Random } from './random.ts';
import type { Template } from './workload.ts';

export const GENERATIONS_TABLE = 'llm_events';

type Called = readonly [model: string, provider: string];

/** Models that have a price, with their providers. */
const CALLED: readonly [Called, ...Called[]] = [
  ['gpt-4.1-mini', 'openai'],
  ['gpt-4.1', 'openai'],
  ['claude-sonnet-4', 'anthropic'],
  ['gemini-2.5-flash', 'google'],
];

export function makeGenerationTemplates(count: number, seed: number): Template[] {
  return makeLineTemplates(count, seed, line);
}

function line(words: readonly [string, ...string[]], random: Random): string {
  const hex = (length: number): string => HEX_MARK.repeat(length);
  const digits = (length: number): string => DIGIT_MARK.repeat(length);
  const day = new Date().toISOString().slice(0, 11);
  const prose = (length: number): string => Array.from({ length }, () => words[random.below(400)]).join(' ');
  const [model, provider] = random.pick(CALLED);
  const second = `1${digits(1)}:1${digits(1)}:2`;
  return JSON.stringify({
    event_type: 'text',
    start_time: `${day}${second}1.${digits(3)}Z`,
    end_time: `${day}${second}3.${digits(3)}Z`,
    message_id: `${hex(8)}-${hex(4)}-${hex(4)}-${hex(4)}-${hex(12)}`,
    model,
    provider,
    call_type: 'completion',
    stream: random.below(2) === 0,
    user: `u-${digits(6)}`,
    referrer: 'https://www.example.com/',
    standard_logging_object_status: 'success',
    messages: [{ role: 'user', content: prose(24) }],
    response: {
      id: `chatcmpl-${hex(24)}`,
      object: 'chat.completion',
      model,
      usage: {
        prompt_tokens: 11_111,
        completion_tokens: 2_222,
        total_tokens: 13_333,
        prompt_tokens_details: { cached_tokens: 3_333 },
      },
      choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: prose(12) } }],
    },
    proxy_metadata: { organization: 'acme', project: 'chat', environment: 'prod', chat_id: hex(12) },
    cost: 0.0123,
  })
    .replaceAll('\\u0001', HEX_MARK)
    .replaceAll('\\u0002', DIGIT_MARK)
    .replace('11111', `9${digits(4)}`)
    .replace('2222', `1${digits(3)}`)
    .replace('3333,', `3${digits(3)},`);
}
