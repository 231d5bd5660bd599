/**
 * The data platform's interface, but for pipes, events and SQL, which have files of their own: data sources, tokens, jobs,
 * deployments, workspaces.
 */

import type { Route } from '../../http/router.ts';
import type { Imports } from '../../platform/import.ts';
import type { Platform } from '../../platform/platform.ts';
import type { WorkspaceNames } from '../../platform/workspace-names.ts';
import { analyzeRoutes } from './analyze.ts';
import { preflights } from './call.ts';
import { dataRoutes } from './datasource-data.ts';
import { dataSourceRoutes } from './datasources.ts';
import { deploymentRoutes } from './deployments.ts';
import { jobRoutes } from './jobs.ts';
import { secretRoutes } from './secrets.ts';
import { sqlToolRoutes } from './sql-tools.ts';
import { tagRoutes } from './tags.ts';
import { tokenRoutes } from './tokens.ts';
import { workspaceRoutes } from './workspaces.ts';

export interface TinybirdParts {
  readonly platform: Platform;
  readonly imports: Imports;
  readonly workspaces: WorkspaceNames;
  /** Largest upload, in bytes. */
  readonly maxImportBytes: number;
  /** Whether the server asks nobody for a credential. */
  readonly isLocal: boolean;
  /** A statement in neat lines. */
  readonly format: (sql: string) => Promise<string>;
}

export function tinybirdRoutes(parts: TinybirdParts): Route[] {
  const { platform } = parts;
  const routes = [
    ...dataRoutes(parts),
    ...analyzeRoutes(parts),
    ...dataSourceRoutes(platform),
    ...tokenRoutes(platform),
    ...jobRoutes(platform),
    ...deploymentRoutes(platform),
    ...secretRoutes(platform),
    ...sqlToolRoutes(parts),
    ...tagRoutes(platform),
    ...workspaceRoutes(parts),
  ];
  // Local tokens are never for a page, so none is told that it may ask.
  return [...routes, ...preflights(routes.filter(({ path }) => path !== '/tokens'))];
}
