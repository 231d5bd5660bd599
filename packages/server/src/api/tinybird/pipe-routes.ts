/** All routes of pipes: endpoints, their description, and what changes and runs pipes. */

import type { Route } from '../../http/router.ts';
import type { Platform } from '../../platform/platform.ts';
import type { Door } from '../../query/door.ts';
import { preflights } from './call.ts';
import type { CopyParts } from './copies.ts';
import { copyRoutes } from './copies.ts';
import type { EndpointParts } from './endpoint.ts';
import { endpointRoutes } from './endpoint.ts';
import { openApiRoutes } from './openapi.ts';
import { pipesRoutes } from './pipes.ts';

export interface PipeParts extends CopyParts, Omit<EndpointParts, 'door' | 'platform'> {
  readonly platform: Platform;
  readonly door: Pick<Door, 'check' | 'run'>;
}

export function pipeRoutes(parts: PipeParts): Route[] {
  const routes = [...pipesRoutes(parts), ...copyRoutes(parts), ...openApiRoutes(parts)];
  return [...endpointRoutes(parts), ...routes, ...preflights(routes)];
}
