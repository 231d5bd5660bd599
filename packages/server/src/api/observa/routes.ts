/** All routes of Observa's, for its SDK (`observa-sdk`) and the set-up guide that comes with it. */

import type { Access } from '../../control/access.ts';
import type { Quotas } from '../../control/quotas.ts';
import type { Route } from '../../http/router.ts';
import type { Append } from '../../platform/import.ts';
import type { Platform } from '../../platform/platform.ts';
import type { Rows } from './bind.ts';
import { ingestRoutes } from './ingest.ts';
import { SdkKeys } from './keys.ts';
import { provisionRoutes } from './provision.ts';

export interface ObservaParts {
  readonly access: Access;
  readonly platform: Platform;
  readonly append: Append;
  readonly quotas: Pick<Quotas, 'admit' | 'count'>;
  readonly rows: Rows;
  /** Nobody is asked for a credential. */
  readonly isOpen: boolean;
  readonly now: () => number;
}

export function observaRoutes(parts: ObservaParts): Route[] {
  const keys = new SdkKeys(parts);
  return [...provisionRoutes({ ...parts, keys }), ...ingestRoutes({ ...parts, keys })];
}
