/**
 * litellm with the Tinybird SDK's handlers, unmodified, against the built server: calls of a local language model, whole
 * and in pieces, in order and asynchronous, into the data source that the SDK's own README describes.
 */

import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LanguageModel } from './support/language-model.ts';
import { languageModel, MODEL_ANSWER } from './support/language-model.ts';
import { pythonEnvironment } from './support/python-environment.ts';
import type { Server } from './support/server.ts';
import { showLogsOfFailures, startServer } from './support/server.ts';
import { INSTALL_MS, runProgram } from './support/toolbox.ts';
import type { Workspace } from './support/workspace.ts';
import { deployFolder, expectRows, localWorkspace, rowsOf } from './support/workspace.ts';

const PROGRAM = join(import.meta.dirname, 'interop/python/litellm_calls.py');

let server: Server;
let workspace: Workspace;
let model: LanguageModel;
let python: string;
/** Of the tests' calls. */
let begun: number;

beforeAll(async () => {
  [server, model, python] = await Promise.all([
    startServer(),
    languageModel(),
    pythonEnvironment('python-sdk').then((programs) => join(programs, 'python')),
  ]);
  workspace = await localWorkspace(server);
  await deployFolder(workspace, 'seeds/001');
  begun = Math.floor(Date.now() / 1000);
}, INSTALL_MS);

afterAll(async () => {
  await model?.close();
  await server?.stop();
});
showLogsOfFailures(() => server);

/** Runs the program and reads the last line that it printed. */
async function calls(kind: 'async' | 'failure' | 'sync'): Promise<unknown> {
  const args = [PROGRAM, kind, server.url, workspace.token, model.url];
  // The handlers write local time without a zone.
  const output = await runProgram(python, args, { env: { TZ: 'UTC' } });
  return JSON.parse(output.trim().split('\n').at(-1) ?? '');
}

describe.each(['sync', 'async'] as const)('calls in the manner of %s', (kind) => {
  const where = `WHERE startsWith(chat_id, '${kind} ')`;

  it('are reported, whole and in pieces; a refused one reaches its caller', async () => {
    const { text } = MODEL_ANSWER;
    expect(await calls(kind)).toEqual({ whole: text, stream: text, failure: 'BadRequestError' });
    const columns =
      'chat_id, model, messages, user, stream, call_type, provider, api_key, log_event_type, cache_hit, ' +
      'response_status, organization, environment, project, response_object, completion_tokens, prompt_tokens, ' +
      'total_tokens, cost, exception, traceback';
    const row = (chat: string, stream: boolean): Record<string, unknown> => ({
      chat_id: chat,
      model: 'gpt-4o-mini',
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: chat },
      ],
      user: 'user-7',
      stream,
      call_type: kind === 'sync' ? 'completion' : 'acompletion',
      provider: 'openai',
      api_key: 'sk-0****abcd',
      log_event_type: 'successful_api_call',
      cache_hit: false,
      response_status: 'success',
      organization: 'acme',
      environment: 'e2e',
      project: 'shop',
      response_object: 'chat.completion',
      ...MODEL_ANSWER.usage,
      // The model's list price: 15 and 60 cents for a million tokens. The column is a Float32.
      cost: expect.closeTo((11 * 0.15 + 7 * 0.6) / 1e6, 10) as unknown,
      exception: '',
      traceback: '',
    });
    await expectRows(workspace, `SELECT ${columns} FROM litellm ${where} ORDER BY start_time, stream`, [
      row(`${kind} whole`, false),
      row(`${kind} stream`, true),
    ]);
  });

  it('keep the whole response and what was said about the call', async () => {
    const columns = 'response, response_id, response_choices, proxy_metadata, id';
    const rows = await rowsOf(workspace, `SELECT ${columns} FROM litellm ${where} ORDER BY start_time, stream`);
    expect(rows).toHaveLength(2);
    for (const found of rows) {
      const { response, response_id, response_choices, proxy_metadata, id } = found as Record<string, string> & {
        response_choices: readonly string[];
      };
      const choice = { index: 0, finish_reason: 'stop', message: { role: 'assistant', content: MODEL_ANSWER.text } };
      const body = JSON.parse(response ?? '') as { id: string; choices: readonly unknown[] };
      expect(body).toMatchObject({ object: 'chat.completion', usage: MODEL_ANSWER.usage, choices: [choice] });
      expect(response_id).toBe(body.id);
      expect(response_choices.map((text) => JSON.parse(text) as unknown)).toEqual(body.choices);
      expect(JSON.parse(proxy_metadata ?? '')).toMatchObject({ organization: 'acme', project: 'shop' });
      expect(id).toMatch(/^[\da-f-]{36}$/);
    }
  });

  it('have times and durations that agree', async () => {
    const columns = 'toUnixTimestamp(start_time) AS start, toUnixTimestamp(end_time) AS end, duration, response_time';
    for (const found of await rowsOf(workspace, `SELECT ${columns} FROM litellm ${where}`)) {
      const { start, end, duration, response_time } = found as Record<string, number>;
      expect(start).toBeGreaterThanOrEqual(begun);
      expect(end).toBeGreaterThanOrEqual(start ?? 0);
      // Both ends were cut to seconds.
      expect(Math.abs((end ?? 0) - (start ?? 0) - (duration ?? 0))).toBeLessThanOrEqual(1);
      expect(response_time).toBeGreaterThan(0);
    }
  });
});

it('takes a failure, with defaults for what is null', async () => {
  await calls('failure');
  const columns =
    'model, user, start_time, end_time, id, stream, log_event_type, llm_api_duration_ms, cache_hit, response_status, ' +
    'response_time, environment, response_id, response_choices, prompt_tokens, total_tokens, api_key, exception, traceback, duration';
  await expectRows(workspace, `SELECT ${columns} FROM litellm WHERE chat_id = 'direct failure'`, [
    {
      model: 'gpt-4o-mini',
      user: 'unknown',
      start_time: '2026-01-02 03:04:05',
      end_time: '2026-01-02 03:04:05',
      id: 'call-failed',
      stream: false,
      log_event_type: 'failed_api_call',
      llm_api_duration_ms: 0,
      cache_hit: false,
      response_status: 'failure',
      response_time: 0,
      environment: '',
      response_id: 'chatcmpl-failed',
      response_choices: [],
      prompt_tokens: 3,
      total_tokens: 3,
      api_key: '****',
      exception: 'no such model',
      traceback: 'Traceback (most recent call last):\n  File "x.py", line 1\nValueError: no such model',
      duration: 0.25,
    },
  ]);
});

it('has quarantined nothing of all this', async () => {
  await expectRows(workspace, 'SELECT count() AS rows FROM litellm', [{ rows: 5 }]);
  await expectRows(workspace, 'SELECT count() AS rows FROM litellm_quarantine', [{ rows: 0 }]);
});
