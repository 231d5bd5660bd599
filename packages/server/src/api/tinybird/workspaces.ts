/**
 * Workspaces, and who one is in them (https://www.tinybird.co/docs/api-reference): what command lines ask before anything else,
 * and what a local server does for them: tokens without asking, workspaces by name.
 *
 * Must stay true: without a credential nobody learns of a workspace, on an open server neither: a command line asks so to find
 * out whether it needs a token. Local tokens are for programs on this machine, never for a page in a browser on it.
 */

import { AppError, DEFAULT_PLACEMENT } from '@glasshouse/model';
import type { Exchange, Route } from '../../http/router.ts';
import { send, sendJson } from '../../http/router.ts';
import { DEFAULT_TOKEN_NAMES } from '../../platform/default-tokens.ts';
import type { Platform } from '../../platform/platform.ts';
import type { WorkspacePrincipal } from '../../platform/principal.ts';
import { demand } from '../../platform/principal.ts';
import { uuidOf } from '../../platform/token-key.ts';
import type { NamedWorkspace, WorkspaceNames } from '../../platform/workspace-names.ts';
import type { Call } from './call.ts';
import { baseUrl, guarded, open } from './call.ts';
import { readFields } from './fields.ts';
import { timeText } from './times.ts';

export interface WorkspaceParts {
  readonly platform: Platform;
  readonly workspaces: WorkspaceNames;
  /** Whether the server asks nobody for a credential, which it does on loopback only. */
  readonly isLocal: boolean;
}

const USER = { id: uuidOf('user'), email: 'user@localhost' } as const;
const LOOPBACK = /^(?:127\.|::1$|::ffff:127\.)/u;

export function workspaceRoutes(parts: WorkspaceParts): Route[] {
  const { platform } = parts;
  const on = (method: Route['method'], path: string, handle: (call: Call) => Promise<void> | void): Route =>
    guarded(platform, method, path, (call) => {
      demandCredential(call.principal);
      return handle(call);
    });
  const current = async ({ principal, response }: Call): Promise<void> => {
    const workspace = await parts.workspaces.ofTenant(principal.tenant);
    sendJson(response, 200, shownWorkspace(workspace, platform, principal));
  };
  const mine = (call: Call): Promise<void> => listMine(parts, call);
  const nothing = (path: string, name: string): Route =>
    on('GET', path, ({ response }) => sendJson(response, 200, { [name]: [] }));
  return [
    open('GET', '/v0/regions', regions),
    open('GET', '/tokens', (exchange) => localTokens(parts, exchange)),
    open('GET', '/examples/query.http', example),
    on('GET', '/v0/workspace', current),
    on('GET', '/v1/workspace', current),
    on('GET', '/v0/auth', ({ response }) => sendJson(response, 200, { is_valid: true, is_user: true })),
    // With and without a slash, as clients write it.
    ...['/v0/user/workspaces', '/v0/user/workspaces/', '/v1/user/workspaces', '/v1/user/workspaces/'].map((path) =>
      on('GET', path, mine),
    ),
    on('POST', '/v1/workspaces', (call) => create(parts, call)),
    on('POST', '/v0/workspaces', (call) => create(parts, call)),
    on('DELETE', '/v1/workspaces/:which', (call) => remove(parts, call)),
    on('DELETE', '/v0/workspaces/:which', (call) => remove(parts, call)),
    on('GET', '/v0/workspaces/:which/releases', ({ response }) => sendJson(response, 200, { releases: [] })),
    // What this server has none of; clients ask and go on.
    nothing('/v0/environments', 'environments'),
    nothing('/v1/environments', 'environments'),
    nothing('/v0/connectors', 'connectors'),
    nothing('/v0/integrations', 'integrations'),
  ];
}

function demandCredential({ kind }: WorkspacePrincipal): void {
  if (kind !== 'open') return;
  throw new AppError(
    'forbidden',
    'cannot show the workspace: the request has no token; send one as Authorization: Bearer, or token=',
  );
}

function regions(exchange: Exchange): void {
  const host = baseUrl(exchange);
  exchange.response.setHeader('Access-Control-Allow-Origin', '*');
  sendJson(exchange.response, 200, { regions: [{ name: 'local', api_host: host, host, provider: 'glasshouse' }] });
}

/** The tokens of the default workspace, for tools that look for a server on their own machine. */
function localTokens({ platform, isLocal }: WorkspaceParts, { request, response }: Exchange): void {
  const isHere = LOOPBACK.test(request.socket.remoteAddress ?? '');
  // Browsers say where a request comes from; programs do not.
  const isPage = request.headers.origin !== undefined || (request.headers['sec-fetch-site'] ?? 'none') !== 'none';
  if (!isLocal || !isHere || isPage || request.headers['x-forwarded-for'] !== undefined)
    throw new AppError('not_found', 'cannot show tokens: this is no local server; make tokens with POST /v0/tokens');
  const secret = (name: string): string => {
    const token = platform.tokens.defaultToken(DEFAULT_PLACEMENT.tenant, name);
    if (token !== undefined) return token.token;
    throw new AppError('unavailable', 'cannot show tokens: the default workspace is not there yet', {
      retryAfterSeconds: 1,
    });
  };
  response.setHeader('Cache-Control', 'no-store');
  sendJson(response, 200, {
    user_token: secret(DEFAULT_TOKEN_NAMES.user),
    admin_token: secret(DEFAULT_TOKEN_NAMES.admin),
    workspace_admin_token: secret(DEFAULT_TOKEN_NAMES.workspaceAdmin),
  });
}

/** A URL that calls an endpoint, as text: what a command line shows after publishing one. */
function example(exchange: Exchange): void {
  const { query, response } = exchange;
  const format = /^[a-z]{1,20}$/u.exec(query.get('format') ?? '')?.[0] ?? 'json';
  const parameters = new URLSearchParams();
  for (const name of ['q', 'token']) {
    const value = query.get(name);
    if (value !== null && value !== '') parameters.set(name, value);
  }
  const path = `/v0/pipes/${encodeURIComponent(query.get('pipe') ?? '')}.${format}`;
  const tail = parameters.size === 0 ? '' : `?${parameters.toString()}`;
  send(response, 200, 'text/plain', `${baseUrl(exchange)}${path}${tail}`);
}

/** Everybody sees their own workspace; who administers the server sees all. */
async function listMine(parts: WorkspaceParts, { principal, response }: Call): Promise<void> {
  const { workspaces, platform } = parts;
  const list = isOperator(parts, principal) ? await workspaces.list() : [await workspaces.ofTenant(principal.tenant)];
  sendJson(response, 200, {
    id: USER.id,
    email: USER.email,
    workspaces: list.map((workspace) => shownWorkspace(workspace, platform, principal)),
    organization_id: null,
    organization_name: null,
  });
}

async function create(parts: WorkspaceParts, call: Call): Promise<void> {
  demandOperator(parts, call.principal);
  const fields = await readFields(call);
  const workspace = await parts.workspaces.create(fields.need('name', 'make a workspace'));
  sendJson(call.response, 200, shownWorkspace(workspace, parts.platform, call.principal));
}

async function remove(parts: WorkspaceParts, call: Call): Promise<void> {
  demandOperator(parts, call.principal);
  await readFields(call);
  const workspace = await parts.workspaces.remove(call.params['which'] ?? '');
  sendJson(call.response, 200, { id: workspace.id, name: workspace.name, status: 'deleted' });
}

/** Who administers the server; on a local one, who administers the workspace that is there from the start. */
function isOperator({ isLocal }: WorkspaceParts, principal: WorkspacePrincipal): boolean {
  if (principal.kind === 'admin') return true;
  return isLocal && principal.isAdmin && principal.tenant === DEFAULT_PLACEMENT.tenant;
}

function demandOperator(parts: WorkspaceParts, principal: WorkspacePrincipal): void {
  if (isOperator(parts, principal)) return;
  demand(principal, 'ADMIN');
  throw new AppError('forbidden', 'cannot change workspaces: only an administrator of the server may');
}

function shownWorkspace(
  { id, name, tenant }: NamedWorkspace,
  platform: Platform,
  principal: WorkspacePrincipal,
): Readonly<Record<string, unknown>> {
  const token = principal.isAdmin
    ? platform.tokens.defaultToken(tenant, DEFAULT_TOKEN_NAMES.workspaceAdmin)?.token
    : undefined;
  return {
    id,
    name,
    user_id: USER.id,
    user_email: USER.email,
    scope: principal.isAdmin ? 'admin' : 'user',
    role: principal.isAdmin ? 'admin' : 'guest',
    plan: 'free',
    main: null,
    is_branch: false,
    is_forward: true,
    organization: null,
    limits: {},
    releases: [],
    release: null,
    created_at: timeText(new Date(0)),
    ...(token === undefined ? {} : { token }),
  };
}
