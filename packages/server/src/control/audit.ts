/**
 * The audit log: every change of the control plane, and every read of another tenant's data by an administrator, as a row that
 * nothing in the product changes or removes. Whoever serves a request opens an act, and what is changed within it, however deep
 * below, becomes part of it; what changes outside of any is the server's own doing.
 *
 * Must stay true: before anything is changed, that it is about to be is synced; before a change is acknowledged, what came of it
 * is. Rows reach the table in the background, once, however often a process or the store ends meanwhile.
 */

import { AsyncLocalStorage } from 'node:async_hooks';
import { readFile } from 'node:fs/promises';
import type { AuditAction } from './audit-actions.ts';
import { kindOf } from './audit-actions.ts';
import type { Actor, AuditOutcome, AuditRow, Change, OnChange, Origin } from './audit-entry.ts';
import { auditIds, NOWHERE, SYSTEM, toRow, UNKNOWN } from './audit-entry.ts';
import { AuditSpool, lineOf, readLines } from './audit-spool.ts';
import { AuditTable } from './audit-table.ts';
import type { AuditFilter, AuditStore } from './audit-table.ts';

export interface AuditOptions {
  readonly store: AuditStore;
  /** Where lines wait for the store. */
  readonly directory: string;
  readonly now: () => number;
  /** Most bytes that wait for the store; then changes are refused. */
  readonly maxBytes?: number;
  /** Told about what somebody should look at. */
  readonly onFault?: (what: string, error: unknown) => void;
}

/** What a request is about to do. */
export interface Intent {
  readonly actor: Actor;
  readonly action: AuditAction;
  /** Whose data it is about. */
  readonly tenant: string;
  readonly target: string;
  readonly origin: Origin;
}

/** A request under way. */
export interface Act extends Omit<Intent, 'actor' | 'tenant'> {
  /** May turn out to be somebody. */
  actor: Actor;
  tenant: string;
  readonly id: string;
  readonly time: Date;
  readonly changes: Change[];
  /** What else is to be said of it, as part of `after`. */
  details: object | undefined;
  /** How a job ended whose answer had begun. */
  ended: { readonly outcome: AuditOutcome; readonly message: string } | undefined;
  isSettled: boolean;
}

/** Requests without a good credential that have no row of their own. */
const REFUSED = { action: 'control.change', tenant: '', target: 'requests of unknown senders', before: null } as const;

interface Line {
  /** A row, or one that is to be written if nobody says what came of it. */
  readonly is: 'intent' | 'row';
  readonly row: AuditRow;
}

const MAX_BYTES = 64 << 20;
const DRAIN_MS = 200;
const MAX_RETRY_MS = 30_000;
const REFUSALS_MS = 60_000;
const MAX_REFUSALS = 60;
const UNFINISHED = 'the server ended before it was known what came of it';

export class Audit {
  private readonly options: AuditOptions;
  private readonly spool: AuditSpool;
  private readonly table: AuditTable;
  private readonly context = new AsyncLocalStorage<Act>();
  private readonly newId: () => string;
  /** Lines of the acts under way, by id. */
  private readonly open = new Map<string, string>();
  private timer: NodeJS.Timeout | undefined;
  private retryMs = DRAIN_MS;
  private draining: Promise<void> = Promise.resolve();
  private hasRows = false;
  /** Of somebody unknown, in the present minute. */
  private refusals = { since: 0, count: 0, more: 0 };

  private constructor(options: AuditOptions, spool: AuditSpool) {
    this.options = options;
    this.spool = spool;
    this.table = new AuditTable(options.store);
    this.newId = auditIds(options.now);
  }

  /** Opens the log; the store may be away. What earlier processes began and did not finish becomes rows that say so. */
  static async open(options: AuditOptions): Promise<Audit> {
    const { directory, maxBytes = MAX_BYTES } = options;
    const audit = new Audit(options, await AuditSpool.open({ directory, maxBytes }));
    await audit.recover();
    return audit;
  }

  /** Announces a request that may change something. Rejects with `unavailable` if that cannot be kept: then it must not go on. */
  async begin(intent: Intent): Promise<Act> {
    const act = this.attempt(intent);
    await this.declare(act);
    return act;
  }

  /**
   * Announces the request that is under way here, whose sender turned out to be somebody: to be called before anything is changed
   * where no credential says who that is. Rejects as `begin` does.
   */
  readonly announce = async (actor: Actor): Promise<void> => {
    const act = this.context.getStore();
    if (act === undefined || act.isSettled) return;
    if (act.actor.kind === UNKNOWN.kind) {
      act.actor = actor;
      act.tenant = actor.tenant;
    }
    if (!this.open.has(act.id)) await this.declare(act);
  };

  private async declare(act: Act): Promise<void> {
    const line = lineOf({ is: 'intent', row: this.rowOf(act, 'error', UNFINISHED) } satisfies Line);
    // Known before it is written, so that no file that has it goes without its being carried on.
    this.open.set(act.id, line);
    try {
      await this.spool.append(line);
    } catch (error) {
      this.open.delete(act.id);
      throw error;
    }
  }

  /** A request that is not announced, because it will not get as far as changing anything. */
  attempt(intent: Intent): Act {
    const time = new Date(this.options.now());
    return { ...intent, id: this.newId(), time, changes: [], details: undefined, ended: undefined, isSettled: false };
  }

  /** Does something as part of the act. */
  within<T>(act: Act, run: () => T): T {
    return this.context.run(act, run);
  }

  /** Resolves when it is synced what came of the act. Never rejects: what was announced stays announced. */
  async settle(act: Act, outcome: AuditOutcome, message = ''): Promise<void> {
    if (act.isSettled) return;
    act.isSettled = true;
    const own = act.changes.find(({ action }) => kindOf(action) === kindOf(act.action));
    const ended = act.ended ?? { outcome, message };
    const others = act.changes.filter((change) => change !== own).map((change) => this.rowOfChange(change, act));
    const lines = [this.rowOf(act, ended.outcome, ended.message, own), ...others];
    try {
      await this.append(lines);
      this.open.delete(act.id);
    } catch (error) {
      this.options.onFault?.('cannot record what came of a change', error);
    }
  }

  /**
   * Records that somebody unknown was refused. In the background, and not more than some in a minute, so that nobody fills the log;
   * the others are counted.
   */
  refuse(act: Act, message: string): void {
    // What was announced has to end.
    if (this.open.has(act.id)) {
      void this.settle(act, 'refused', message);
      return;
    }
    const at = this.options.now();
    if (at - this.refusals.since >= REFUSALS_MS) {
      const { more } = this.refusals;
      this.refusals = { since: at, count: 0, more: 0 };
      if (more > 0) this.changed({ ...REFUSED, after: { refused: more } });
    }
    if (++this.refusals.count > MAX_REFUSALS) {
      this.refusals.more++;
      return;
    }
    void this.settle(act, 'refused', message);
  }

  /** Records a change: of the request that is under way here, or else as the server's own. */
  readonly changed: OnChange = (change) => {
    const act = this.context.getStore();
    if (act !== undefined && !act.isSettled) {
      act.changes.push(change);
      return;
    }
    this.append([this.rowOfChange(change, act)]).catch((error: unknown) =>
      this.options.onFault?.('cannot record a change', error),
    );
  };

  /** Records something that is no request, and resolves when it is synced. Rejects with `unavailable`. */
  record(change: Change, actor: Actor = SYSTEM, origin: Origin = NOWHERE): Promise<void> {
    return this.append([this.rowOfChange(change, { actor, origin })]);
  }

  /** Says more about the request that is under way here. */
  readonly note = (details: object): void => {
    const act = this.context.getStore();
    if (act !== undefined) act.details = { ...act.details, ...details };
  };

  /** Says how the request that is under way here ended, where its answer had begun before. */
  readonly end = (outcome: AuditOutcome, message = ''): void => {
    const act = this.context.getStore();
    if (act !== undefined) act.ended = { outcome, message };
  };

  /** Rows, newest first. Rejects with `unavailable` when the store is down. */
  async read(filter: AuditFilter): Promise<AuditRow[]> {
    // What was recorded just now is to be seen; while the store is away, asking it will say so.
    await this.flush().catch(() => undefined);
    return this.table.read(filter);
  }

  /** Resolves when the table has everything that was recorded before the call. Rejects when the store is down. */
  flush(): Promise<void> {
    this.draining = this.draining.catch(() => undefined).then(() => this.drain());
    return this.draining;
  }

  /** Hands over what it can; the rest waits for the next start. */
  async close(): Promise<void> {
    clearTimeout(this.timer);
    await this.flush().catch(() => undefined);
    clearTimeout(this.timer);
    await this.spool.close();
  }

  private async append(rows: readonly AuditRow[]): Promise<void> {
    // Before it is synced: who drains meanwhile waits for it.
    this.hasRows = true;
    await this.spool.append(rows.map((row) => lineOf({ is: 'row', row } satisfies Line)).join(''));
    this.wake();
  }

  private wake(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      void this.flush().catch(() => undefined);
    }, this.retryMs).unref();
  }

  private async drain(): Promise<void> {
    if (!this.hasRows && this.spool.paths.length === 0) return;
    try {
      this.hasRows = false;
      await this.spool.seal(() => [...this.open.values()].join(''));
      for (const path of this.spool.paths) {
        const lines = await this.linesOf(path);
        await this.table.insert(lines.flatMap(({ is, row }) => (is === 'row' ? [row] : [])));
        await this.spool.remove(path);
      }
      this.retryMs = DRAIN_MS;
    } catch (error) {
      if (this.retryMs === DRAIN_MS)
        this.options.onFault?.('the store does not take the audit log, will try again', error);
      this.retryMs = Math.min(this.retryMs * 2, MAX_RETRY_MS);
      this.wake();
      throw error;
    }
  }

  /** What the last process announced and never ended becomes rows. */
  private async recover(): Promise<void> {
    const announced = new Map<string, AuditRow>();
    const ended = new Set<string>();
    for (const path of this.spool.paths) {
      for (const { is, row } of await this.linesOf(path)) {
        if (is === 'intent') announced.set(row.id, row);
        else ended.add(row.id);
      }
    }
    const left = [...announced.values()].filter(({ id }) => !ended.has(id));
    if (left.length > 0) await this.append(left);
    else if (this.spool.paths.length > 0) this.wake();
  }

  private async linesOf(path: string): Promise<readonly Line[]> {
    const { values, damaged } = readLines(await readFile(path, 'utf8'));
    if (damaged > 0) this.options.onFault?.(`lines of ${path} cannot be read: ${damaged}`, undefined);
    return values as readonly Line[];
  }

  private rowOf(act: Act, outcome: AuditOutcome, message: string, own?: Change): AuditRow {
    const { id, time, actor, action, origin, details } = act;
    const after = own?.after ?? null;
    return toRow({
      ...origin,
      ...{ id, time, actor, action, outcome, message },
      tenant: own?.tenant ?? act.tenant,
      project: own?.project ?? '',
      environment: own?.environment ?? '',
      target: own?.target ?? act.target,
      before: own?.before ?? null,
      after: details === undefined ? after : { ...after, ...details },
    });
  }

  private rowOfChange(change: Change, by: Pick<Intent, 'actor' | 'origin'> | undefined): AuditRow {
    return toRow({
      ...(by?.origin ?? NOWHERE),
      ...{ project: '', environment: '', ...change },
      id: this.newId(),
      time: new Date(this.options.now()),
      actor: by?.actor ?? SYSTEM,
      outcome: 'ok',
      message: '',
    });
  }
}
