/**
 * Keys for Observa's SDK, made and ended by an administrator. Without authentication, where only this machine is answered, that
 * is whoever asks.
 *
 *   POST   /api/v1/auth/tokens {tenantId, projectId, environment, tinybirdToken?, expiresInDays?} → 201 {apiKey, keyId, …}
 *   GET    /api/v1/auth/tokens[?tenantId=]                        → {"tokens": [{keyId, tenantId, …}]}
 *   POST   /api/v1/auth/tokens/:keyId/rotate {overlapSeconds?, expiresInDays?} → 201, as for a new one
 *   DELETE /api/v1/auth/tokens/:keyId                             → the key, with revokedAt
 *   DELETE /api/v1/tenants/:tenantId/tokens                       → {"message", "tenantId"}
 *
 * Must stay true: no list has a key's secret. The answer to the making of one has no blanks: scripts search it for `"apiKey":"`.
 */

import type { Placement } from '@glasshouse/model';
import { AppError } from '@glasshouse/model';
import type { Access } from '../../control/access.ts';
import { credentialOf } from '../../http/credential.ts';
import type { Exchange, Route } from '../../http/router.ts';
import { failJson, sendJson } from '../../http/router.ts';
import type { BindParts } from './bind.ts';
import { bind } from './bind.ts';
import type { Fields } from './form.ts';
import type { SdkKey } from './key-form.ts';
import type { SdkKeys } from './keys.ts';
import { JWT_TRAITS } from './keys.ts';
import { isAnybody, lifeMsOf, overlapMsOf, readFields } from './settings.ts';

export interface ProvisionOptions extends BindParts {
  readonly keys: SdkKeys;
  readonly access: Pick<Access, 'resolve'>;
  /** Nobody is asked for a credential. */
  readonly isOpen: boolean;
}

const PATH = '/api/v1/auth/tokens';

export function provisionRoutes(options: ProvisionOptions): Route[] {
  const { keys } = options;
  const route = (method: Route['method'], path: string, act: (exchange: Exchange) => Promise<void>): Route => ({
    method,
    path,
    handle: async (exchange) => {
      if (!isAnybody(exchange, options)) await options.access.resolve(credentialOf(exchange.request.headers), 'admin');
      await act(exchange);
    },
    fail: failJson,
  });
  return [
    route('POST', PATH, async (exchange) => {
      const fields = await readFields(exchange);
      const placement = placementOf(fields);
      const lifeMs = lifeMsOf(fields);
      const secret = fields['tinybirdToken'] ?? '';
      if (typeof secret !== 'string') throw new AppError('bad_request', 'cannot read tinybirdToken: it must be a text');
      const through = secret === '' ? undefined : await bind(options, secret, placement);
      const { key, secret: apiKey } = await keys.create({ ...JWT_TRAITS, placement, lifeMs, through });
      sendJson(exchange.response, 201, { apiKey, ...keyJson(key) });
    }),
    route('GET', PATH, async ({ response, query }) => {
      const listed = await keys.list(query.get('tenantId'));
      sendJson(response, 200, { tokens: listed.filter(({ kind }) => kind === 'jwt').map(keyJson) });
    }),
    route('POST', `${PATH}/:keyId/rotate`, async (exchange) => {
      const fields = await readFields(exchange);
      const id = await jwtId(keys, exchange);
      const { key, secret: apiKey } = await keys.rotate(id, lifeMsOf(fields), overlapMsOf(fields));
      sendJson(exchange.response, 201, { apiKey, ...keyJson(key) });
    }),
    route('DELETE', `${PATH}/:keyId`, async (exchange) => {
      sendJson(exchange.response, 200, keyJson(await keys.revoke(await jwtId(keys, exchange))));
    }),
    route('DELETE', '/api/v1/tenants/:tenantId/tokens', async ({ response, params }) => {
      const tenantId = params['tenantId'] ?? '';
      for (const { id, revokedAt } of await keys.list(tenantId)) if (revokedAt === undefined) await keys.revoke(id);
      sendJson(response, 200, { message: 'Tokens revoked', tenantId });
    }),
  ];
}

/** The id of the address, if it is of a JWT. Rejects with `not_found`. */
async function jwtId(keys: SdkKeys, { params }: Exchange): Promise<string> {
  const { id, kind } = await keys.get(params['keyId'] ?? '');
  if (kind === 'jwt') return id;
  throw new AppError('not_found', `cannot find token=${id}: it is an API key; see /api/v1/tenants/TENANT/api-keys`);
}

function keyJson({ id, placement, createdAt, expiresAt, revokedAt, through }: SdkKey): object {
  const { tenant: tenantId, project: projectId, environment } = placement;
  return {
    keyId: id,
    ...{ tenantId, projectId, environment, createdAt },
    expiresAt: expiresAt ?? null,
    revokedAt: revokedAt ?? null,
    ...(through === undefined ? {} : { workspace: through.workspace, tinybirdTokenId: through.tokenId }),
  };
}

function placementOf(fields: Fields): Placement {
  const [tenant, project] = ['tenantId', 'projectId'].map((name) => {
    const value = fields[name];
    if (typeof value === 'string' && value !== '') return value;
    throw new AppError('bad_request', `cannot make the key: ${name} is missing, or no text`);
  }) as [string, string];
  const { environment } = fields;
  if (environment === 'dev' || environment === 'prod') return { tenant, project, environment };
  throw new AppError('bad_request', 'cannot make the key: environment must be dev or prod');
}
