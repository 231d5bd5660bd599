/**
 * The tokens that every workspace has from the start. They are in no table: their ids follow from the workspace's name, and a
 * row appears only when one is refreshed. So a new workspace has its tokens at once, on every server alike.
 */

import type { TokenScope } from './scopes.ts';
import type { StoredToken } from './token-row.ts';
import { uuidOf } from './token-key.ts';

/** Names of the default tokens, as Tinybird's clients look for them. */
export const DEFAULT_TOKEN_NAMES = {
  workspaceAdmin: 'workspace admin token',
  admin: 'admin token',
  create: 'create datasource token',
  user: 'user token',
} as const;

type Make = (tenant: string) => StoredToken;

export const DEFAULT_TOKENS: readonly Make[] = [
  make(DEFAULT_TOKEN_NAMES.workspaceAdmin, { type: 'ADMIN' }, 'Administers the workspace and signs its JWTs'),
  make(DEFAULT_TOKEN_NAMES.admin, { type: 'ADMIN' }, 'Administers the workspace'),
  make(DEFAULT_TOKEN_NAMES.create, { type: 'DATASOURCES:CREATE' }, 'Makes data sources and appends to them'),
  make(DEFAULT_TOKEN_NAMES.user, { type: 'ADMIN_USER' }, 'For command-line tools'),
];

function make(name: string, scope: TokenScope, description: string): Make {
  return (tenant) => ({
    tenant,
    id: uuidOf(`token ${tenant} ${name}`),
    name,
    description,
    origin: 'default',
    scopes: [scope],
    granted: [],
    generation: 1,
    createdAt: new Date(0),
    updatedAt: new Date(0),
    deleted: false,
    version: 0,
  });
}
