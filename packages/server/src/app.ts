/**
 * The composition root: opens storage, then ingest, then queries, then serves; closes in reverse. Everything is constructed
 * here and handed to what needs it.
 */

import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '@glasshouse/model';
import { EVENTS, GENERATIONS } from '@glasshouse/schema';
import type { Store } from '@glasshouse/store';
import type { Logger } from 'pino';
import type { Config } from './config.ts';
import { Access } from './control/access.ts';
import { AdminToken } from './control/admin-token.ts';
import { Audit } from './control/audit.ts';
import { Maintenance } from './control/maintenance.ts';
import { Quotas } from './control/quotas.ts';
import { RedactionPolicies } from './control/redaction.ts';
import { storedBytesOf } from './control/stored-bytes.ts';
import type { Listener } from './http/listen.ts';
import type { Route } from './http/router.ts';
import { openPrices } from './prices.ts';
import { Definitions } from './query/definitions.ts';
import type { AuditLine } from './query/door.ts';
import { Door } from './query/door.ts';
import { openRollOut } from './roll-out.ts';
import { serve } from './serve.ts';
import { backupDirectory, openStore } from './storage.ts';
import type { Drain } from './wal/drain.ts';
import { announced } from './wal/hand-over.ts';
import { lockDirectory } from './wal/lock.ts';
import { syncDirectory } from './wal/segment.ts';
import type { OpenWorkspaces } from './workspaces.ts';
import { openWorkspaces } from './workspaces.ts';
import type { WritePath } from './write-path.ts';
import { flush, holdFor, makeDrain, openIngest, walDirectory } from './write-path.ts';

export interface App {
  readonly listeners: readonly Listener[];
  /** What the main port serves. */
  readonly routes: readonly Pick<Route, 'method' | 'path'>[];
  /** Convenience ports that another process has, as sentences. */
  readonly skipped: readonly string[];
  close(): Promise<void>;
}

const CLOSE_GRACE_MS = 5_000;
const QUEUE_WAIT_MS = 10_000;
/** Pause between questions whether the store is back. */
const AWAY_MS = 500;

/** Starts everything and resolves when it serves. */
export async function startApp(config: Config, log: Logger): Promise<App> {
  mkdirSync(walDirectory(config), { recursive: true, mode: 0o700 });
  // Before anything else: a second server must not touch the segments of the first.
  const lock = await lockDirectory(config.dataDir);
  try {
    syncDirectory(config.dataDir);
    const { store, engine, isRestored } = await openStore(config, log);
    const audit = await openAudit(config, log, store);
    const access = await openAccess(config, log, store, audit);
    const quotas = await openQuotas(config, log, store, access, audit);
    const { door, definitions } = openDoor(config, log, store, audit);
    const { drain, facts, ways } = makeDrain(config, log, store);
    let flushed = (): Promise<void> => Promise.reject(new AppError('unavailable', 'cannot hand over: still starting'));
    const workspaces = await openWorkspaces(config, log, {
      store,
      access,
      audit,
      door,
      definitions,
      hold: () => holdFor(drain, walDirectory(config)),
      flush: () => flushed(),
      isRestored,
    });
    const rollOut = await openRollOut(config, log, { store, audit, ...workspaces });
    ways.set(EVENTS.name, rollOut.mirroring.before(workspaces.events));
    ways.set(
      GENERATIONS.name,
      announced(facts, ({ id }) => workspaces.outcomes.settle(id, new Map())),
    );
    const { room, ingest, closeIngest, recentCalls } = openIngest(config, log, drain, { engine, quotas, store });
    const redaction = await openRedaction(config, { store, audit, ingest, key: workspaces.key });
    const maintenance = openMaintenance(config, { store, access, ingest, drain, ...workspaces });
    flushed = () => flush(ingest, drain);
    const prices = await openPrices(config, log, {
      store,
      control: workspaces.control,
      flush: flushed,
      tell: (known) => ingest.price(known),
    });
    const parts = {
      ingest,
      access,
      audit,
      quotas,
      redaction,
      door,
      maintenance,
      drain,
      room,
      store,
      prices,
      rollOut,
      flush: flushed,
      ...workspaces,
    };
    const serving = await serve(config, log, parts);
    void recentCalls.load();
    return {
      listeners: serving.listeners,
      routes: serving.routes,
      skipped: serving.skipped,
      close: async () => {
        await serving.close(CLOSE_GRACE_MS);
        recentCalls.close();
        await prices.close();
        await closeIngest();
        await rollOut.close();
        await workspaces.platform.close();
        await workspaces.tables.client.close();
        access.close();
        quotas.close();
        redaction.close();
        await audit.close();
        await store.close();
        await engine?.stop();
        lock.release();
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** What changes, and who did it, is kept here until the store has it. */
function openAudit(config: Config, log: Logger, store: Store): Promise<Audit> {
  return Audit.open({
    store,
    directory: join(config.dataDir, 'audit'),
    now: Date.now,
    onFault: (what, error) => log.error({ err: error }, what),
  });
}

function openAccess(config: Config, log: Logger, store: Store, audit: Audit): Promise<Access> {
  return Access.open({
    store,
    mode: config.auth,
    adminToken: AdminToken.open({ dataDir: config.dataDir, given: config.adminToken, random: randomBytes }),
    now: Date.now,
    snapshotPath: join(config.dataDir, 'keys.json'),
    onChange: audit.changed,
    onStore: (up, reason) => {
      if (up) log.info('the control plane reads from the store again');
      else log.warn({ reason }, 'the control plane cannot read from the store');
    },
  });
}

interface RedactionParts extends Pick<WritePath, 'ingest'>, Pick<OpenWorkspaces, 'key'> {
  readonly store: Store;
  readonly audit: Audit;
}

/** What is redacted before it is stored; the ingest worker has it before the first request comes. */
function openRedaction(config: Config, { store, audit, ingest, key }: RedactionParts): Promise<RedactionPolicies> {
  return RedactionPolicies.open({
    store,
    now: Date.now,
    path: join(config.dataDir, 'redaction.json'),
    hashKey: () => key.derived('redaction'),
    apply: (set) => ingest.redact(set),
    onChange: audit.changed,
  });
}

/** How much tenants may send and store; that a limit is near is logged and recorded once. */
function openQuotas(config: Config, log: Logger, store: Store, access: Access, audit: Audit): Promise<Quotas> {
  return Quotas.open({
    store,
    now: Date.now,
    path: join(config.dataDir, 'quota-use.json'),
    storedBytes: storedBytesOf(store, () => access.tenants.list().map(({ name }) => name)),
    onChange: audit.changed,
    onNear: (owner, reached) => {
      log.warn({ ...owner, ...reached }, 'a quota is nearly used up');
      audit.changed({ action: 'quota.warn', ...owner, target: reached.kind, before: null, after: reached });
    },
  });
}

function openDoor(config: Config, log: Logger, store: Store, audit: Audit): { door: Door; definitions: Definitions } {
  const limits = {
    maxExecutionSeconds: config.queryMaxSeconds,
    maxMemoryBytes: config.queryMaxMemory,
    maxThreads: config.querySlots,
    maxResultBytes: config.queryMaxResult,
    concurrent: config.tenantQueries,
    waiting: config.tenantQueries * 10,
    waitMs: QUEUE_WAIT_MS,
  };
  const record = (line: AuditLine): void => {
    log.info(line, 'query');
    audit.note({ query: line.sql });
  };
  const door = new Door({ store, limits, audit: record, now: Date.now });
  return { door, definitions: new Definitions({ store, limits, door }) };
}

interface MaintenanceParts extends Pick<WritePath, 'ingest'>, Pick<OpenWorkspaces, 'key' | 'platform'> {
  readonly drain: Drain;
  readonly store: Store;
  readonly access: Access;
}

function openMaintenance(config: Config, parts: MaintenanceParts): Maintenance {
  const { store, access, ingest, drain, key, platform } = parts;
  return new Maintenance({
    store,
    workspaces: platform,
    key,
    backupDir: backupDirectory(config),
    flush: () => flush(ingest, drain),
    hold: () => drain.hold(),
    skipIds: (to) => ingest.skipIds(to),
    reload: () =>
      whileAway(async () => {
        await access.adopt();
        await platform.adopt();
      }),
    now: Date.now,
  });
}

/** Does something that can be done twice, again and again while the store is away. */
async function whileAway(act: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      await act();
      return;
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'unavailable') throw error;
      await new Promise((resolve) => setTimeout(resolve, AWAY_MS));
    }
  }
}
