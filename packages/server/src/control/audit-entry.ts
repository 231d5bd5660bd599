/**
 * A row of the audit log, and how it is put into words: who, what, before and after, from where, and what came of it.
 *
 * Must stay true: no secret is in a row. Whoever describes a thing lists its fields one by one; and whatever still looks like a
 * credential of this server is masked here, the last place that every text passes.
 */

import { createHash, randomBytes } from 'node:crypto';
import type { AuditAction } from './audit-actions.ts';

/** Who did it: the public side of a credential. */
export interface Actor {
  /** Id of the key or token; `admin-token`, `open` (nobody is asked), `system` (the server), `unknown` (refused). */
  readonly id: string;
  readonly name: string;
  readonly kind: 'admin' | 'jwt' | 'key' | 'open' | 'system' | 'token' | 'unknown' | 'user';
  /** The tenant that the credential belongs to. */
  readonly tenant: string;
}

export const SYSTEM: Actor = { id: 'system', name: 'system', kind: 'system', tenant: '' };
export const UNKNOWN: Actor = { id: 'unknown', name: '', kind: 'unknown', tenant: '' };

export type AuditOutcome = 'error' | 'ok' | 'refused';

/** From where a request came. */
export interface Origin {
  readonly remoteAddress: string;
  readonly userAgent: string;
  readonly requestId: string;
}

export const NOWHERE: Origin = { remoteAddress: '', userAgent: '', requestId: '' };

/** One change of one thing. What has no fields to show is null: before it was made, after it went. */
export interface Change {
  readonly action: AuditAction;
  readonly tenant: string;
  readonly project?: string;
  readonly environment?: string;
  readonly target: string;
  readonly before: object | null;
  readonly after: object | null;
}

export type OnChange = (change: Change) => void;

export interface AuditEntry extends Origin, Required<Change> {
  /** 32 hex digits, which sort as time does. */
  readonly id: string;
  readonly time: Date;
  readonly actor: Actor;
  readonly outcome: AuditOutcome;
  /** What was said to whoever asked, where it was not done. */
  readonly message: string;
}

/** An entry as the table has it. */
export interface AuditRow {
  readonly id: string;
  readonly time: string;
  readonly actor: string;
  readonly actor_name: string;
  readonly actor_kind: string;
  readonly actor_tenant: string;
  readonly action: string;
  readonly tenant_id: string;
  readonly project_id: string;
  readonly environment: string;
  readonly target: string;
  readonly before: string;
  readonly after: string;
  readonly remote_address: string;
  readonly user_agent: string;
  readonly request_id: string;
  readonly outcome: string;
  readonly message: string;
}

const MAX_TEXT = 1_000;
/** Longest JSON of a thing; of a longer one its length and digest are kept. */
const MAX_STATE = 64 << 10;

/** Static tokens, keys, the admin token, and JWTs. What follows the prefix is cut at whatever cannot be part of one. */
const SECRET =
  /\bp\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]+)*|\bgha?_[A-Za-z0-9_-]{8,}|\b[sp]k_[a-z0-9]{12}_[A-Za-z0-9_-]{16,}|\bey[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_.-]+/gu;

/** The text with credentials masked. */
export function masked(text: string): string {
  return text.replaceAll(SECRET, (secret) => `${/^[a-z]+_/u.exec(secret)?.[0] ?? secret.slice(0, 2)}***`);
}

export function toRow(entry: AuditEntry): AuditRow {
  const { id, time, actor, action, tenant, project, environment } = entry;
  return {
    id,
    time: time.toISOString().slice(0, 23).replace('T', ' '),
    actor: shortened(actor.id),
    actor_name: shortened(actor.name),
    actor_kind: actor.kind,
    actor_tenant: actor.tenant,
    action,
    tenant_id: shortened(tenant),
    project_id: shortened(project),
    environment: shortened(environment),
    target: shortened(entry.target),
    before: stateText(entry.before),
    after: stateText(entry.after),
    remote_address: shortened(entry.remoteAddress),
    user_agent: shortened(entry.userAgent),
    request_id: shortened(entry.requestId),
    outcome: entry.outcome,
    message: shortened(entry.message),
  };
}

/** A new id: the time, a count within it, and chance. */
export function auditIds(now: () => number): () => string {
  let count = 0;
  return () => {
    count = (count + 1) % 0x10000;
    const time = now().toString(16).padStart(12, '0').slice(-12);
    return time + count.toString(16).padStart(4, '0') + randomBytes(8).toString('hex');
  };
}

function shortened(text: string): string {
  return masked(text.slice(0, MAX_TEXT)).toWellFormed();
}

function stateText(state: object | null): string {
  if (state === null) return '';
  const text = masked(JSON.stringify(state)).toWellFormed();
  if (text.length <= MAX_STATE) return text;
  return JSON.stringify({ characters: text.length, sha256: createHash('sha256').update(text).digest('hex') });
}
