/**
 * Tokens of a workspace (https://www.tinybird.co/docs/api-reference/token-api): static ones, made of scopes in the query string,
 * a form or JSON, and JWTs, which a body of JSON with an expiration asks for.
 *
 * Must stay true: what may be done with tokens is decided by `platform/tokens.ts`; nothing here gives out a secret by itself.
 */

import { AppError } from '@glasshouse/model';
import type { Route } from '../../http/router.ts';
import { send, sendJson } from '../../http/router.ts';
import { jwtScope, rpsOf } from '../../platform/jwt.ts';
import type { Platform } from '../../platform/platform.ts';
import { demand } from '../../platform/principal.ts';
import type { TokenScope } from '../../platform/scopes.ts';
import { checkScope, printScope, SCOPE_TYPES, wantedScopes } from '../../platform/scopes.ts';
import type { Token, TokenChange } from '../../platform/tokens.ts';
import type { Call } from './call.ts';
import { guarded } from './call.ts';
import type { Fields } from './fields.ts';
import { readFields } from './fields.ts';
import { timeText } from './times.ts';

export function tokenRoutes(platform: Platform): Route[] {
  const { tokens } = platform;
  const on = (method: Route['method'], path: string, handle: (call: Call) => Promise<void> | void): Route =>
    guarded(platform, method, path, handle);
  const list = ({ principal, response }: Call): void =>
    sendJson(response, 200, { tokens: tokens.list(principal).map(shownToken) });
  const post = (call: Call): Promise<void> => create(platform, call);
  return [
    // With a slash, as one of the clients writes it.
    on('GET', '/v0/tokens', list),
    on('GET', '/v0/tokens/', list),
    on('POST', '/v0/tokens', post),
    on('POST', '/v0/tokens/', post),
    on('GET', '/v0/tokens/:name', ({ principal, response, params }) =>
      sendJson(response, 200, shownToken(tokens.get(principal, params['name'] ?? ''))),
    ),
    on('GET', '/v0/tokens/:name.token', ({ principal, response, params }) =>
      send(response, 200, 'text/plain', fileOf(tokens.get(principal, params['name'] ?? ''))),
    ),
    on('PUT', '/v0/tokens/:name', async (call) => {
      const change = changeOf(await readFields(call));
      sendJson(call.response, 200, shownToken(await tokens.update(call.principal, call.params['name'] ?? '', change)));
    }),
    on('DELETE', '/v0/tokens/:name', async ({ principal, response, params }) => {
      await tokens.remove(principal, params['name'] ?? '');
      sendJson(response, 200, { ok: true });
    }),
    on('POST', '/v0/tokens/:name/refresh', async (call) => {
      await readFields(call);
      sendJson(call.response, 200, shownToken(await tokens.refreshSecret(call.principal, call.params['name'] ?? '')));
    }),
  ];
}

async function create(platform: Platform, call: Call): Promise<void> {
  const { principal, response } = call;
  const fields = await readFields(call);
  if (fields.has('expiration_time')) {
    const token = await platform.credentials.createJwt(principal, {
      name: fields.need('name', 'make the JWT'),
      expiresAt: Number(fields.get('expiration_time')),
      scopes: jwtScopesOf(fields),
      rps: rpsOf(fields.json['limits']),
    });
    sendJson(response, 200, { token });
    return;
  }
  demand(principal, 'TOKENS');
  const name = fields.need('name', 'make the token');
  const description = fields.get('description') ?? '';
  const origin = fields.get('origin') ?? '';
  const made = await platform.tokens.create(principal, { name, description, origin, scopes: scopesOf(fields) });
  sendJson(response, 200, shownToken(made));
}

function jwtScopesOf({ json }: Fields): TokenScope[] {
  const { scopes } = json;
  if (Array.isArray(scopes) && scopes.length > 0 && scopes.length <= 1_000)
    return scopes.map((scope) => jwtScope(scope));
  throw new AppError(
    'bad_request',
    'cannot make the JWT: scopes is missing; send {"scopes": [{"type": "PIPES:READ", "resource": "x"}]}',
  );
}

/** Scopes as lines (`scope=`, as often as wanted), with `permission=`, or as objects in JSON. */
function scopesOf(fields: Fields): TokenScope[] {
  const { scopes } = fields.json;
  if (Array.isArray(scopes) && scopes.some((scope) => typeof scope === 'object')) return scopes.map(scopeOf);
  const lines = [...fields.all('scope'), ...(Array.isArray(scopes) ? fields.all('scopes') : [])];
  return wantedScopes({ scopes: lines.filter((line) => line.trim() !== ''), permissions: fields.all('permission') });
}

function scopeOf(value: unknown): TokenScope {
  const { type, resource, filter } = (typeof value === 'object' && value !== null ? value : {}) as Readonly<
    Record<string, unknown>
  >;
  const known = SCOPE_TYPES.find((candidate) => candidate === type);
  if (known === undefined)
    throw new AppError('bad_request', `cannot make the token: scope type must be one of ${SCOPE_TYPES.join(', ')}`);
  return checkScope({
    type: known,
    ...(typeof resource === 'string' ? { resource } : {}),
    ...(typeof filter === 'string' && filter !== '' ? { filter } : {}),
  });
}

function changeOf(fields: Fields): TokenChange {
  const name = fields.get('name');
  const description = fields.get('description');
  const hasScopes = fields.has('scope') || fields.has('permission') || Array.isArray(fields.json['scopes']);
  return {
    ...(name === undefined || name === '' ? {} : { name }),
    ...(description === undefined ? {} : { description }),
    ...(hasScopes ? { scopes: scopesOf(fields) } : {}),
  };
}

/** A token as clients read it. */
export function shownToken(token: Token): object {
  const { id, name, description, origin, scopes } = token;
  return {
    id,
    token: token.token,
    name,
    description,
    scopes: scopes.map(({ type, resource, filter }) => ({
      type,
      ...(resource === undefined ? {} : { resource }),
      ...(filter === undefined ? {} : { filter }),
    })),
    origin: { type: origin === 'datafile' ? 'DF' : origin === 'default' || origin === '' ? 'C' : origin },
    host: 'glasshouse',
    created_at: timeText(token.createdAt),
    updated_at: timeText(token.updatedAt),
  };
}

/** A token as a file of a project. */
function fileOf({ name, description, scopes }: Token): string {
  const block =
    description === '' ? [] : [`DESCRIPTION >`, ...description.split('\n').map((line) => `    ${line}`), ''];
  return `${[...block, `TOKEN "${name}"`, ...scopes.map((scope) => `SCOPE ${printScope(scope)}`)].join('\n')}\n`;
}
