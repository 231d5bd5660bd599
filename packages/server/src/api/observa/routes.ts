/** All routes of Observa's, for its SDK (`observa-sdk`) and the set-up guide that comes with it. */

import { randomBytes } from 'node:crypto';
import type { Access } from '../../control/access.ts';
import type { Audit } from '../../control/audit.ts';
import type { Quotas } from '../../control/quotas.ts';
import type { Users } from '../../control/users.ts';
import type { Route } from '../../http/router.ts';
import type { Append, AppendBoth } from '../../platform/import.ts';
import type { Platform } from '../../platform/platform.ts';
import { accountRoutes } from './accounts.ts';
import { apiKeyRoutes } from './api-keys.ts';
import type { SourceSwitches } from '../../platform/source-switches.ts';
import type { Rows } from './bind.ts';
import { ingestRoutes } from './ingest.ts';
import type { SdkKeys } from './keys.ts';
import { provisionRoutes } from './provision.ts';
import { Sessions } from './sessions.ts';

export interface ObservaParts {
  readonly keys: SdkKeys;
  readonly access: Access;
  readonly platform: Platform;
  readonly append: Append;
  readonly appendBoth: AppendBoth;
  readonly switches: Pick<SourceSwitches, 'admit' | 'leave'>;
  readonly quotas: Pick<Quotas, 'admit' | 'count'>;
  readonly rows: Rows;
  readonly users: Users;
  readonly announce: Audit['announce'];
  /** Signs sessions of accounts. */
  readonly sessionSecret: () => string;
  /** Everybody who reaches the server may sign up. */
  readonly mayAllSignUp: boolean;
  /** Nobody is asked for a credential. */
  readonly isOpen: boolean;
  readonly now: () => number;
}

export function observaRoutes(parts: ObservaParts): Route[] {
  const { users, now } = parts;
  const sessions = new Sessions({ users, tenants: parts.access.tenants, secret: parts.sessionSecret, now });
  const accounts = { ...parts, sessions, random: randomBytes };
  return [...provisionRoutes(parts), ...accountRoutes(accounts), ...apiKeyRoutes(accounts), ...ingestRoutes(parts)];
}
