/**
 * What can stand in the audit log as an action: one closed set of dotted names, `KIND.VERB`, so that who searches the log knows
 * every name. Separate from the log itself because routes and the watch of the store name actions too.
 *
 * Must stay true: a name is never given another meaning, because rows with it stay.
 */

export const AUDIT_ACTIONS = [
  // The server's own control plane.
  'tenant.create',
  'tenant.delete',
  'key.create',
  'key.rotate',
  'key.change',
  'key.revoke',
  'user.create',
  'user.login',
  'user.logout',
  'user.remove',
  'quota.set',
  'quota.remove',
  'quota.warn',
  'prices.override',
  'prices.remove',
  'prices.import',
  'prices.reprice',
  'prices.cancel',
  'redaction.set',
  'redaction.remove',
  'mirror.set',
  'mirror.remove',
  'mirror.retry',
  'source.set',
  'source.remove',
  'backup.create',
  'backup.restore',
  'data.reset',
  // Workspaces.
  'workspace.create',
  'workspace.delete',
  'token.create',
  'token.change',
  'token.refresh',
  'token.delete',
  'secret.create',
  'secret.change',
  'secret.delete',
  'datasource.create',
  'datasource.change',
  'datasource.drop',
  'datasource.import',
  'datasource.replace',
  'datasource.truncate',
  'datasource.delete_rows',
  'pipe.create',
  'pipe.change',
  'pipe.deploy',
  'pipe.drop',
  'pipe.run',
  'pipe.pause',
  'pipe.resume',
  'pipe.populate',
  'deployment.create',
  'deployment.change',
  'deployment.promote',
  'deployment.delete',
  'tag.create',
  'tag.change',
  'tag.delete',
  'job.cancel',
  // Reads that are recorded, and what no other name is for.
  'read.other_tenant',
  'control.change',
] as const;

export type AuditAction = (typeof AUDIT_ACTIONS)[number];

/** What an action is about: the word before the dot. */
export function kindOf(action: AuditAction): string {
  return action.slice(0, action.indexOf('.'));
}
