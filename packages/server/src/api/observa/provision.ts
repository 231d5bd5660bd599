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
 * Must stay true: a key is in the answer to its making and in no other, and that answer has no blanks: scripts search it
 * for `"apiKey":"`.
 */

import type { Placement } from '@glasshouse/model';
import { AppError } from '@glasshouse/model';
import type { Access } from '../../control/access.ts';
import { readBody } from '../../http/body.ts';
import { credentialOf } from '../../http/credential.ts';
import type { Exchange, Route } from '../../http/router.ts';
import { failJson, sendJson } from '../../http/router.ts';
import type { BindParts } from './bind.ts';
import { bind } from './bind.ts';
import type { Fields } from './form.ts';
import { isFields } from './form.ts';
import type { SdkKey, SdkKeys } from './keys.ts';

export interface ProvisionOptions extends BindParts {
  readonly keys: SdkKeys;
  readonly access: Pick<Access, 'resolve'>;
  /** Nobody is asked for a credential. */
  readonly isOpen: boolean;
}

const MAX_BODY_BYTES = 64 << 10;
const DAY_MS = 86_400_000;
const DEFAULT_DAYS = 365;
const MAX_DAYS = 3_650;
const DEFAULT_OVERLAP_SECONDS = 86_400;
const MAX_OVERLAP_SECONDS = 30 * 86_400;
const PATH = '/api/v1/auth/tokens';

export function provisionRoutes(options: ProvisionOptions): Route[] {
  const { keys } = options;
  const route = (method: Route['method'], path: string, act: (exchange: Exchange) => Promise<void>): Route => ({
    method,
    path,
    handle: async (exchange) => {
      await demandAdmin(exchange, options);
      await act(exchange);
    },
    fail: failJson,
  });
  return [
    route('POST', PATH, async (exchange) => {
      const fields = await readFields(exchange);
      const placement = placementOf(fields);
      const lifeMs = lifeOf(fields);
      const secret = fields['tinybirdToken'] ?? '';
      if (typeof secret !== 'string') throw new AppError('bad_request', 'cannot read tinybirdToken: it must be a text');
      const through = secret === '' ? undefined : await bind(options, secret, placement);
      const { key, jwt } = await keys.create({ placement, lifeMs, through });
      sendJson(exchange.response, 201, { apiKey: jwt, ...keyJson(key) });
    }),
    route('GET', PATH, async ({ response, query }) => {
      sendJson(response, 200, { tokens: (await keys.list(query.get('tenantId'))).map(keyJson) });
    }),
    route('POST', `${PATH}/:keyId/rotate`, async (exchange) => {
      const fields = await readFields(exchange);
      const overlap = numberOf(fields, 'overlapSeconds', DEFAULT_OVERLAP_SECONDS, 0, MAX_OVERLAP_SECONDS);
      const { key, jwt } = await keys.rotate(exchange.params['keyId'] ?? '', lifeOf(fields), overlap * 1000);
      sendJson(exchange.response, 201, { apiKey: jwt, ...keyJson(key) });
    }),
    route('DELETE', `${PATH}/:keyId`, async ({ response, params }) => {
      sendJson(response, 200, keyJson(await keys.revoke(params['keyId'] ?? '')));
    }),
    route('DELETE', '/api/v1/tenants/:tenantId/tokens', async ({ response, params }) => {
      const tenantId = params['tenantId'] ?? '';
      for (const { id, revokedAt } of await keys.list(tenantId)) if (revokedAt === undefined) await keys.revoke(id);
      sendJson(response, 200, { message: 'Tokens revoked', tenantId });
    }),
  ];
}

async function demandAdmin({ request }: Exchange, { access, isOpen }: ProvisionOptions): Promise<void> {
  const secret = credentialOf(request.headers);
  if (secret !== undefined || !isOpen) {
    await access.resolve(secret, 'admin');
    return;
  }
  // A page of another site can have a browser send this body, but not with this type.
  if (request.method === 'POST' && !/^application\/json\b/iu.test(request.headers['content-type'] ?? ''))
    throw new AppError('unsupported_media', 'cannot read the body: send it as Content-Type: application/json');
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

async function readFields({ request }: Exchange): Promise<Fields> {
  const body = await readBody(request, MAX_BODY_BYTES);
  if (body.length === 0) return {};
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch (cause) {
    throw new AppError('bad_request', 'cannot read the body: it is not JSON', { cause });
  }
  if (isFields(value)) return value;
  throw new AppError('bad_request', 'cannot read the body: it must be a JSON object');
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

function lifeOf(fields: Fields): number {
  return numberOf(fields, 'expiresInDays', DEFAULT_DAYS, 1e-6, MAX_DAYS) * DAY_MS;
}

function numberOf(fields: Fields, name: string, otherwise: number, min: number, max: number): number {
  const value = fields[name] ?? otherwise;
  if (typeof value === 'number' && value >= min && value <= max) return value;
  throw new AppError('bad_request', `cannot read ${name}: it must be a number, at most ${max}`);
}
