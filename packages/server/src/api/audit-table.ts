/**
 * What each route is in the audit log: the action that it takes, or that it takes none. A route that could change something and
 * is not listed is recorded as `control.change`, so that none goes unseen; a test demands that it be listed.
 */

import type { AuditAction } from '../control/audit-actions.ts';
import type { Exchange, Route } from '../http/router.ts';

/** Takes data in: nothing of the control plane changes, and nothing is read. */
const TAKES = 'takes data';
/** Reads only, whatever its method is. */
const READS = 'reads';

export type RouteAction = AuditAction | typeof READS | typeof TAKES | ((exchange: Exchange) => AuditAction);

const NODE = '/v0/pipes/:name/nodes/:node';

/** Data sources are made, filled and replaced by one route. */
const dataSourceAction = ({ query }: Exchange): AuditAction => {
  const mode = query.get('mode');
  return mode === 'append' ? 'datasource.import' : mode === 'replace' ? 'datasource.replace' : 'datasource.create';
};

const ACTIONS: Readonly<Record<string, RouteAction>> = {
  'POST /v1/traces': TAKES,
  'POST /v1/logs': TAKES,
  'POST /v1/metrics': TAKES,
  'POST /v0/events': TAKES,
  'POST /api/v1/events/ingest': TAKES,
  'POST /api/v1/traces/ingest': TAKES,

  'POST /': READS,
  'POST /v0/sql': READS,
  'POST /v0/sql_tables': READS,
  'POST /v0/sql_format': READS,
  'POST /v0/sql_replace': READS,
  'POST /v0/analyze': READS,

  'POST /api/v1/admin/tenants': 'tenant.create',
  'POST /api/v1/admin/keys': 'key.create',
  'DELETE /api/v1/admin/keys': 'key.revoke',
  'POST /api/v1/admin/keys/:keyId/rotate': 'key.rotate',
  'POST /api/v1/admin/backup': 'backup.create',
  'POST /api/v1/admin/restore': 'backup.restore',
  'POST /api/v1/admin/reset': 'data.reset',
  'PUT /api/v1/quotas': 'quota.set',
  'DELETE /api/v1/quotas': 'quota.remove',
  'PUT /api/v1/redaction': 'redaction.set',
  'DELETE /api/v1/redaction': 'redaction.remove',
  'PUT /api/v1/mirror': 'mirror.set',
  'DELETE /api/v1/mirror': 'mirror.remove',
  'POST /api/v1/mirror/retry': 'mirror.retry',
  'PUT /api/v1/sources': 'source.set',
  'DELETE /api/v1/sources': 'source.remove',
  'POST /api/v1/prices/overrides': 'prices.override',
  'DELETE /api/v1/prices/overrides': 'prices.remove',
  'POST /api/v1/prices/lists': 'prices.import',
  'DELETE /api/v1/prices/lists': 'prices.remove',
  'POST /api/v1/prices/repricings': 'prices.reprice',
  'DELETE /api/v1/prices/repricings': 'prices.cancel',
  'POST /api/v1/auth/tokens': 'key.create',
  'POST /api/v1/auth/tokens/:keyId/rotate': 'key.rotate',
  'DELETE /api/v1/auth/tokens/:keyId': 'key.revoke',
  'DELETE /api/v1/tenants/:tenantId/tokens': 'key.revoke',
  'POST /api/v1/auth/signup': 'user.create',
  'POST /api/v1/auth/login': 'user.login',
  'POST /api/v1/auth/logout': 'user.logout',
  'DELETE /api/v1/admin/users': 'user.remove',
  'POST /api/v1/tenants/:tenantId/api-keys': 'key.create',
  'POST /api/v1/tenants/:tenantId/api-keys/:keyId/rotate': 'key.rotate',
  'DELETE /api/v1/tenants/:tenantId/api-keys/:keyId': 'key.revoke',
  'POST /api/v1/api-keys/resolve': READS,

  'POST /v0/workspaces': 'workspace.create',
  'POST /v1/workspaces': 'workspace.create',
  'DELETE /v0/workspaces/:which': 'workspace.delete',
  'DELETE /v1/workspaces/:which': 'workspace.delete',
  'POST /v0/tokens': 'token.create',
  'POST /v0/tokens/': 'token.create',
  'PUT /v0/tokens/:name': 'token.change',
  'DELETE /v0/tokens/:name': 'token.delete',
  'POST /v0/tokens/:name/refresh': 'token.refresh',
  'POST /v0/variables': 'secret.create',
  'PUT /v0/variables/:name': 'secret.change',
  'DELETE /v0/variables/:name': 'secret.delete',
  'POST /v0/tags': 'tag.create',
  'PUT /v0/tags/:name': 'tag.change',
  'DELETE /v0/tags/:name': 'tag.delete',
  'POST /v0/jobs/:id/cancel': 'job.cancel',

  'POST /v0/datasources': dataSourceAction,
  'POST /v1/datasources/:name/append': 'datasource.import',
  'POST /v1/datasources/:name/replace': 'datasource.replace',
  'PUT /v0/datasources/:name': 'datasource.change',
  'DELETE /v0/datasources/:name': 'datasource.drop',
  'POST /v0/datasources/:name/alter': 'datasource.change',
  'POST /v0/datasources/:name/truncate': 'datasource.truncate',
  'POST /v0/datasources/:name/delete': 'datasource.delete_rows',
  'POST /v1/datasources/:name/delete': 'datasource.delete_rows',

  'POST /v1/build': 'deployment.create',
  'POST /v1/deploy': 'deployment.create',
  'POST /v1/deployments/:id/set-live': 'deployment.promote',
  'DELETE /v1/deployments/:id': 'deployment.delete',

  'POST /v0/pipes': 'pipe.create',
  'PUT /v0/pipes/:name': 'pipe.change',
  'DELETE /v0/pipes/:name': 'pipe.drop',
  'POST /v0/pipes/:name/nodes': 'pipe.change',
  [`PUT ${NODE}`]: 'pipe.change',
  [`DELETE ${NODE}`]: 'pipe.change',
  [`POST ${NODE}/endpoint`]: 'pipe.deploy',
  [`DELETE ${NODE}/endpoint`]: 'pipe.change',
  'PUT /v0/pipes/:name/endpoint': 'pipe.deploy',
  'DELETE /v0/pipes/:name/endpoint': 'pipe.change',
  'POST /v0/pipes/:name/copy': 'pipe.run',
  'POST /v0/pipes/:name/copy/pause': 'pipe.pause',
  'POST /v0/pipes/:name/copy/resume': 'pipe.resume',
  'POST /v0/pipes/:name/sink': 'pipe.run',
  'POST /v0/pipes/:name/sink/pause': 'pipe.pause',
  'POST /v0/pipes/:name/sink/resume': 'pipe.resume',
  [`POST ${NODE}/copy`]: 'pipe.change',
  [`PUT ${NODE}/copy`]: 'pipe.change',
  [`DELETE ${NODE}/copy`]: 'pipe.change',
  [`POST ${NODE}/sink`]: 'pipe.change',
  [`PUT ${NODE}/sink`]: 'pipe.change',
  [`DELETE ${NODE}/sink`]: 'pipe.change',
  [`DELETE ${NODE}/stream`]: 'pipe.change',
  [`POST ${NODE}/materialization`]: 'pipe.change',
  [`DELETE ${NODE}/materialization`]: 'pipe.change',
  [`POST ${NODE}/population`]: 'pipe.populate',
};

/** An endpoint answers in many formats, and takes its parameters by POST too. */
const ENDPOINT = /^POST \/v[01]\/pipes\/:name\.\w+$/u;

/** What is known of the route; undefined if it may change something and is not listed. */
export function listedAction({ method, path }: Pick<Route, 'method' | 'path'>): RouteAction | undefined {
  if (method === 'GET' || method === 'HEAD' || method === 'OPTIONS') return READS;
  const route = `${method} ${path}`;
  return ACTIONS[route] ?? (ENDPOINT.test(route) ? READS : undefined);
}

/** The action of the route at this request; undefined if it takes none. */
export function actionOf(route: Pick<Route, 'method' | 'path'>, exchange: Exchange): AuditAction | undefined {
  const action = listedAction(route) ?? 'control.change';
  if (action === READS || action === TAKES) return undefined;
  return typeof action === 'function' ? action(exchange) : action;
}

/** Whether the route only takes data in, so that nothing of it is for the log. */
export function takesData(route: Pick<Route, 'method' | 'path'>): boolean {
  return route.method === 'OPTIONS' || listedAction(route) === TAKES;
}
