/**
 * Secrets of a workspace, which clients call variables: made, listed, changed, removed.
 *
 * Must stay true: no answer has a value in it, and nothing happens for a request without a credential: an open server would else
 * do it for the page that somebody happens to look at.
 */

import { AppError } from '@glasshouse/model';
import type { Route } from '../../http/router.ts';
import { sendJson } from '../../http/router.ts';
import type { Platform } from '../../platform/platform.ts';
import type { Secret } from '../../platform/secrets.ts';
import type { Call } from './call.ts';
import { guarded } from './call.ts';
import type { Fields } from './fields.ts';
import { readFields } from './fields.ts';
import { timeText } from './times.ts';

export function secretRoutes(platform: Platform): Route[] {
  const { secrets } = platform;
  const on = (method: Route['method'], path: string, handle: (call: Call) => Promise<void> | void): Route =>
    guarded(platform, method, path, (call) => {
      if (call.principal.kind === 'open')
        throw new AppError('forbidden', 'cannot use secrets: the request has no token; send one of an administrator');
      return handle(call);
    });
  return [
    on('GET', '/v0/variables', ({ principal, response }) =>
      sendJson(response, 200, { variables: secrets.list(principal).map(shownSecret) }),
    ),
    on('POST', '/v0/variables', async (call) => {
      const fields = await readFields(call);
      const type = fields.get('type') ?? 'secret';
      if (type !== 'secret')
        throw new AppError('bad_request', `cannot make a variable of type=${type.slice(0, 40)}: it must be secret`);
      const made = await secrets.create(call.principal, fields.need('name', 'make the secret'), valueOf(fields));
      sendJson(call.response, 200, shownSecret(made));
    }),
    on('GET', '/v0/variables/:name', ({ principal, params, response }) =>
      sendJson(response, 200, shownSecret(secrets.get(principal, params['name'] ?? ''))),
    ),
    on('PUT', '/v0/variables/:name', async (call) => {
      const value = valueOf(await readFields(call));
      sendJson(call.response, 200, shownSecret(await secrets.update(call.principal, call.params['name'] ?? '', value)));
    }),
    on('DELETE', '/v0/variables/:name', async ({ principal, params, response }) => {
      await secrets.remove(principal, params['name'] ?? '');
      sendJson(response, 200, { ok: true });
    }),
  ];
}

function valueOf(fields: Fields): string {
  const value = fields.get('value');
  if (value !== undefined) return value;
  throw new AppError('bad_request', 'cannot set the secret: value is missing; add value=… to the body');
}

function shownSecret({ name, createdAt, updatedAt }: Secret): object {
  return { name, type: 'secret', created_at: timeText(createdAt), updated_at: timeText(updatedAt), edited_by: '' };
}
