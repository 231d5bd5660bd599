/** What receivers and query front ends ask of the control plane: who is this, and may they? */

import type { Principal, Scope } from '@glasshouse/model';

export interface Principals {
  /**
   * Resolves the secret of a request to a principal that has the scope. Without a secret it is the default principal while
   * authentication is open. Rejects with `unauthenticated` (missing, unknown, expired, revoked) or `forbidden` (known, but
   * without the scope).
   */
  resolve(secret: string | undefined, scope: Scope): Principal | Promise<Principal>;
}
