/**
 * API keys of a tenant, which somebody who is logged in makes for Observa's SDK: `sk_` for servers, `pk_` for pages.
 *
 *   GET    /api/v1/tenants/:tenantId/api-keys[?projectId=]          → {"success", "apiKeys": [{id, name, keyPrefix, …}], "count"}
 *   POST   /api/v1/tenants/:tenantId/api-keys {name, keyPrefix?, projectId?, environment?, scopes?, allowedOrigins?, expiresInDays?}
 *                                                                   → 201 {"success", "apiKey", "keyRecord", "message", "important"}
 *   POST   /api/v1/tenants/:tenantId/api-keys/:keyId/rotate {overlapSeconds?, expiresInDays?} → 201, as for a new one
 *   DELETE /api/v1/tenants/:tenantId/api-keys/:keyId                → {"success", "keyRecord"}
 *   POST   /api/v1/api-keys/resolve {apiKey}                        → {"success", "tenantId", "projectId", "keyPrefix", "scopes"}
 *
 * Must stay true: who is no administrator of the server reaches keys of the own tenant only, by a session; a key, which only sends,
 * makes no keys. A tenant of somebody else and one that is not there are refused in the same words.
 */

import type { Scope } from '@glasshouse/model';
import { AppError } from '@glasshouse/model';
import type { Access } from '../../control/access.ts';
import type { Audit } from '../../control/audit.ts';
import { credentialOf } from '../../http/credential.ts';
import type { Exchange, Route } from '../../http/router.ts';
import { failJson, sendJson } from '../../http/router.ts';
import { actorOf } from './accounts.ts';
import type { Fields } from './form.ts';
import { isFields } from './form.ts';
import type { SdkKey } from './key-form.ts';
import { MAX_LABEL, parsePrefixed, readOrigins } from './key-form.ts';
import type { MadeKey, SdkKeys, WantedKey } from './keys.ts';
import type { Sessions } from './sessions.ts';
import { isAnybody, lifeMsOf, overlapMsOf, readFields } from './settings.ts';

export interface ApiKeysOptions {
  readonly keys: SdkKeys;
  readonly sessions: Sessions;
  readonly access: Pick<Access, 'resolve'>;
  readonly announce: Audit['announce'];
  readonly isOpen: boolean;
}

const PATH = '/api/v1/tenants/:tenantId/api-keys';
const DEFAULT_PROJECT = 'production';

export function apiKeyRoutes(options: ApiKeysOptions): Route[] {
  const { keys } = options;
  type Act = (exchange: Exchange, tenant: string, project: string) => Promise<void>;
  const route = (method: Route['method'], path: string, act: Act): Route => ({
    method,
    path: PATH + path,
    handle: async (exchange) => {
      const tenant = exchange.params['tenantId'] ?? '';
      const project = await admitted(exchange, tenant, options);
      await act(exchange, tenant, project);
    },
    fail: failJson,
  });
  return [
    route('GET', '', async ({ response, query }, tenant) => {
      const project = query.get('projectId');
      const found = (await keys.list(tenant)).filter(
        ({ kind, placement }) => kind !== 'jwt' && (project === null || placement.project === project),
      );
      sendJson(response, 200, { success: true, apiKeys: found.map(recordOf), count: found.length });
    }),
    route('POST', '', async (exchange, tenant, project) => {
      sendMade(exchange, await keys.create(wantedOf(await readFields(exchange), tenant, project)));
    }),
    route('POST', '/:keyId/rotate', async (exchange, tenant) => {
      const fields = await readFields(exchange);
      const key = await keyOf(keys, exchange, tenant);
      sendMade(exchange, await keys.rotate(key.id, lifeMsOf(fields), overlapMsOf(fields)));
    }),
    route('DELETE', '/:keyId', async (exchange, tenant) => {
      const key = await keyOf(keys, exchange, tenant);
      sendJson(exchange.response, 200, { success: true, keyRecord: recordOf(await keys.revoke(key.id)) });
    }),
    { method: 'POST', path: '/api/v1/api-keys/resolve', handle: (exchange) => resolve(exchange, keys), fail: failJson },
  ];
}

/** What a key is of, told to whoever has it. */
async function resolve(exchange: Exchange, keys: SdkKeys): Promise<void> {
  const { apiKey } = await readFields(exchange);
  if (typeof apiKey !== 'string' || apiKey === '')
    throw new AppError('bad_request', 'cannot resolve the key: apiKey is missing, or no text');
  if (parsePrefixed(apiKey) === undefined)
    throw new AppError('unauthenticated', 'cannot accept the API key: it begins with sk_ or pk_');
  const key = await keys.resolve(apiKey);
  const { tenantId, projectId, keyPrefix, scopes } = recordOf(key);
  sendJson(exchange.response, 200, { success: true, tenantId, projectId, keyPrefix, scopes });
}

/** Resolves with the project that the caller's keys are of unless they say another. Rejects who may not handle the tenant's keys. */
async function admitted(exchange: Exchange, tenant: string, options: ApiKeysOptions): Promise<string> {
  const { sessions, access, announce } = options;
  if (isAnybody(exchange, options)) return DEFAULT_PROJECT;
  const secret = credentialOf(exchange.request.headers);
  if (secret === undefined || !sessions.looksLikeOne(secret)) {
    await access.resolve(secret, 'admin');
    return DEFAULT_PROJECT;
  }
  const user = await sessions.resolve(secret);
  if (user.placement.tenant !== tenant)
    throw new AppError('forbidden', 'cannot handle keys of this tenant: the session is of another one');
  await announce(actorOf(user));
  return user.placement.project;
}

/** The key of the address, if it is one of the tenant's. Rejects with `not_found`. */
async function keyOf(keys: SdkKeys, { params }: Exchange, tenant: string): Promise<SdkKey> {
  const id = params['keyId'] ?? '';
  const key = await keys.get(id).catch((error: unknown) => {
    if (error instanceof AppError && error.code === 'not_found') return undefined;
    throw error;
  });
  if (key !== undefined && key.kind !== 'jwt' && key.placement.tenant === tenant) return key;
  throw new AppError('not_found', `cannot find key=${id.slice(0, 40)}: the tenant has no such API key`);
}

function sendMade({ response }: Exchange, { key, secret }: MadeKey): void {
  sendJson(response, 201, {
    success: true,
    apiKey: secret,
    keyRecord: recordOf(key),
    message: 'API key created. This is the only time that it is shown.',
    important: 'Give the SDK tenantId and projectId of keyRecord beside this key: it cannot read them out of it.',
  });
}

interface KeyRecord {
  readonly tenantId: string;
  readonly projectId: string;
  readonly keyPrefix: string;
  readonly scopes: Readonly<Record<'ingest' | 'query', boolean>>;
}

function recordOf(key: SdkKey): KeyRecord {
  const { id, label, kind, placement, scopes, origins, isOfAnyEnvironment, createdAt, expiresAt, revokedAt } = key;
  const record = {
    id,
    tenantId: placement.tenant,
    projectId: placement.project,
    environment: isOfAnyEnvironment ? null : placement.environment,
    name: label,
    keyPrefix: kind,
    scopes: { ingest: scopes.includes('ingest'), query: scopes.includes('query') },
    allowedOrigins: origins,
    revoked: revokedAt !== undefined,
    createdAt,
    expiresAt: expiresAt ?? null,
    revokedAt: revokedAt ?? null,
  };
  return record;
}

function wantedOf(fields: Fields, tenant: string, ownProject: string): WantedKey {
  const { name, keyPrefix = 'sk_', projectId: project = ownProject, environment, allowedOrigins } = fields;
  if (typeof name !== 'string' || name.trim() === '' || name.length > MAX_LABEL || /[\n\r]/u.test(name))
    throw new AppError('bad_request', `cannot make the key: name must be a text of 1 to ${MAX_LABEL} characters`);
  if (keyPrefix !== 'sk_' && keyPrefix !== 'pk_')
    throw new AppError('bad_request', 'cannot make the key: keyPrefix must be sk_ or pk_');
  if (typeof project !== 'string') throw new AppError('bad_request', 'cannot make the key: projectId must be a text');
  if (environment !== undefined && environment !== 'dev' && environment !== 'prod')
    throw new AppError('bad_request', 'cannot make the key: environment must be dev or prod, or left out for both');
  const origins = readOrigins(allowedOrigins);
  if (keyPrefix === 'pk_' && origins.length === 0)
    throw new AppError(
      'bad_request',
      'cannot make the key: a pk_ key stands in pages for everybody to read; give allowedOrigins, such as ["https://app.example.com"]',
    );
  return {
    kind: keyPrefix,
    label: name,
    isOfAnyEnvironment: environment === undefined,
    origins,
    through: undefined,
    placement: { tenant, project, environment: environment ?? 'prod' },
    scopes: scopesOf(fields['scopes'], keyPrefix),
    lifeMs: lifeMsOf(fields),
  };
}

function scopesOf(value: unknown, prefix: string): Scope[] {
  if (value !== undefined && !isFields(value))
    throw new AppError('bad_request', 'cannot read scopes: it must be an object such as {"ingest": true}');
  const { ingest = true, query = false } = value ?? {};
  if (typeof ingest !== 'boolean' || typeof query !== 'boolean' || !(ingest || query))
    throw new AppError('bad_request', 'cannot read scopes: ingest and query are true or false, one of them true');
  if (query && prefix === 'pk_')
    throw new AppError(
      'bad_request',
      'cannot make the key: a pk_ key is for everybody to read, and has no scope query',
    );
  return [...(ingest ? (['ingest'] as const) : []), ...(query ? (['query'] as const) : [])];
}
