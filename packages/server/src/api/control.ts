/**
 * The administrator's routes, which the command line uses: tenants and API keys. All need the admin scope.
 *
 *   GET    /api/v1/admin/tenants                → {"tenants": [{name, createdAt}]}
 *   POST   /api/v1/admin/tenants {name}         → 201 {name, createdAt}
 *   GET    /api/v1/admin/keys[?tenant=]         → {"keys": [{id, name, tenant, project, environment, scopes, createdAt, expiresAt, revokedAt}]}
 *   POST   /api/v1/admin/keys {name, tenant?, project?, environment?, scopes?, expiresInDays?} → 201 {…, key}
 *   DELETE /api/v1/admin/keys?id=               → the key, with revokedAt
 *   POST   /api/v1/admin/keys/:keyId/rotate {overlapSeconds?, expiresInDays?} → 201 {…, key}
 *
 * Must stay true: the secret of a key is in the answer to its creation and in no other.
 */

import type { Placement, Scope } from '@glasshouse/model';
import { AppError, DEFAULT_PLACEMENT, SCOPES } from '@glasshouse/model';
import type { Access } from '../control/access.ts';
import type { ApiKey } from '../control/keys.ts';
import { readBody } from '../http/body.ts';
import { credentialOf } from '../http/credential.ts';
import type { Exchange, Route } from '../http/router.ts';
import { failJson, sendJson } from '../http/router.ts';
import { fromRecord } from './observa/key-form.ts';
import type { SdkKeys } from './observa/keys.ts';
import { lifeMsOf, overlapMsOf, readFields as readOptional } from './observa/settings.ts';

const MAX_BODY_BYTES = 64 << 10;
const MAX_DAYS = 3_650;
const DAY_MS = 86_400_000;

type Fields = Readonly<Record<string, unknown>>;

/** `sdk` rotates keys whose secrets have another form. */
export function controlRoutes(access: Access, now: () => number, sdk?: Pick<SdkKeys, 'rotate'>): Route[] {
  const route = (method: Route['method'], path: string, act: (exchange: Exchange) => Promise<void>): Route => ({
    method,
    path: `/api/v1/admin/${path}`,
    handle: async (exchange) => {
      await access.resolve(credentialOf(exchange.request.headers), 'admin');
      await act(exchange);
    },
    fail: failJson,
  });
  return [
    route('GET', 'tenants', async ({ response }) => {
      await access.refresh();
      sendJson(response, 200, { tenants: access.tenants.list() });
    }),
    route('POST', 'tenants', async (exchange) => {
      const fields = await readFields(exchange);
      sendJson(exchange.response, 201, await access.tenants.ensure(textOf(fields, 'name', undefined)));
    }),
    route('GET', 'keys', async ({ response, query }) => {
      await access.refresh();
      const tenant = query.get('tenant');
      const keys = access.keys.list().filter(({ placement }) => tenant === null || placement.tenant === tenant);
      sendJson(response, 200, { keys: keys.map(keyJson) });
    }),
    route('POST', 'keys', async (exchange) => {
      const fields = await readFields(exchange);
      const wanted = {
        name: textOf(fields, 'name', undefined),
        placement: placementOf(fields),
        scopes: scopesOf(fields['scopes']),
        expiresAt: expiryOf(fields['expiresInDays'], now()),
      };
      await access.tenants.ensure(wanted.placement.tenant);
      const { apiKey, key } = await access.keys.create(wanted);
      sendJson(exchange.response, 201, { ...keyJson(apiKey), key });
    }),
    route('DELETE', 'keys', async ({ response, query }) => {
      const id = query.get('id');
      if (id === null || id === '') throw new AppError('bad_request', 'cannot revoke a key: give its id as ?id=');
      await access.refresh();
      sendJson(response, 200, keyJson(await access.keys.revoke(id)));
    }),
    route('POST', 'keys/:keyId/rotate', async (exchange) => {
      const fields = await readOptional(exchange);
      await access.refresh();
      const former = access.keys.get(exchange.params['keyId'] ?? '');
      if (former === undefined) throw new AppError('not_found', 'cannot rotate the key: there is none of that id');
      const [lifeMs, overlapMs] = [lifeMsOf(fields), overlapMsOf(fields)];
      const { apiKey, key } =
        sdk !== undefined && fromRecord(former) !== undefined
          ? await sdk.rotate(former.id, lifeMs, overlapMs).then(({ key: apiKey, secret }) => ({ apiKey, key: secret }))
          : await access.keys.rotate(former.id, lifeMs, overlapMs);
      sendJson(exchange.response, 201, { ...keyJson(apiKey), key });
    }),
  ];
}

function keyJson({ id, name, scopes, createdAt, placement, expiresAt, revokedAt }: ApiKey): object {
  return { id, name, scopes, createdAt, ...placement, expiresAt: expiresAt ?? null, revokedAt: revokedAt ?? null };
}

async function readFields({ request }: Exchange): Promise<Fields> {
  const body = await readBody(request, MAX_BODY_BYTES);
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch (cause) {
    throw new AppError('bad_request', 'cannot read the body: it is not JSON', { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new AppError('bad_request', 'cannot read the body: it must be a JSON object');
  }
  return value as Fields;
}

function textOf(fields: Fields, name: string, otherwise: string | undefined): string {
  const value = fields[name] ?? otherwise;
  if (typeof value === 'string' && value !== '') return value;
  throw new AppError('bad_request', `cannot read ${name}: it must be a text`);
}

function placementOf(fields: Fields): Placement {
  return {
    tenant: textOf(fields, 'tenant', DEFAULT_PLACEMENT.tenant),
    project: textOf(fields, 'project', DEFAULT_PLACEMENT.project),
    environment: textOf(fields, 'environment', DEFAULT_PLACEMENT.environment),
  };
}

function scopesOf(value: unknown): Scope[] {
  if (value === undefined) return ['ingest', 'query'];
  const scopes = Array.isArray(value) ? SCOPES.filter((scope) => value.includes(scope)) : [];
  if (Array.isArray(value) && scopes.length > 0 && scopes.length === new Set(value).size) return scopes;
  throw new AppError('bad_request', `cannot read scopes: it must be a list of some of ${SCOPES.join(', ')}`);
}

function expiryOf(value: unknown, now: number): Date | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'number' && value > 0 && value <= MAX_DAYS) return new Date(now + value * DAY_MS);
  throw new AppError('bad_request', `cannot read expiresInDays: it must be a number over 0, at most ${MAX_DAYS}`);
}
