/**
 * Everything between the sink and the store for tests of what is done to a running server: a real engine, the log with its
 * worker, the drain with both hand-overs, workspaces, and the maintenance on top.
 */

import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEngine } from '@glasshouse/engine';
import { DEFAULT_PLACEMENT } from '@glasshouse/model';
import { EVENTS } from '@glasshouse/schema';
import { DataSources, embeddedTarget, EventStore, Store } from '@glasshouse/store';
import { Ingest } from '../../pipeline/ingest.ts';
import type { BodyBuffer, IngestResult } from '../../pipeline/sink.ts';
import { EventHandOver } from '../../platform/hand-over.ts';
import { Mappings } from '../../platform/mappings.ts';
import { Materializer } from '../../platform/materialize.ts';
import { Outcomes } from '../../platform/outcomes.ts';
import { Platform } from '../../platform/platform.ts';
import { testJudges } from '../../platform/testing/stand.ts';
import { TokenKey } from '../../platform/token-key.ts';
import type { DrainEvent } from '../../wal/drain.ts';
import { Drain } from '../../wal/drain.ts';
import type { HandOver } from '../../wal/hand-over.ts';
import { byTable, FactHandOver } from '../../wal/hand-over.ts';
import { recoverSegments } from '../../wal/recover.ts';
import { Access } from '../access.ts';
import { AdminToken } from '../admin-token.ts';
import { Maintenance } from '../maintenance.ts';

export const TENANT = 'default';

export interface StandOptions {
  /** 16-bit number of the server. */
  readonly node?: number;
  readonly holdWaitMs?: number;
  /** Key of tokens, as if it were configured. */
  readonly tokenKey?: string;
}

/** Opens one server's parts, on an engine of its own. */
export async function openStand(options: StandOptions = {}) {
  const { node = 7 } = options;
  const dir = mkdtempSync(join(tmpdir(), 'glasshouse-maintenance-'));
  const wal = join(dir, 'wal');
  mkdirSync(wal);
  const backupDir = join(dir, 'backup');
  const engine = await startEngine({ dataDir: join(dir, 'engine'), backupDir, maxMemoryBytes: 1 << 30 });
  const store = await Store.open({ target: embeddedTarget(engine), retentionDays: undefined });
  const tables = DataSources.connect(store.target);
  const now = Date.now;
  const adminToken = AdminToken.open({ dataDir: dir, given: undefined, random: randomBytes });
  const access = await Access.open({ store, mode: 'open', adminToken, now, snapshotPath: join(dir, 'keys.json') });
  const key = TokenKey.open({ dataDir: dir, given: options.tokenKey, random: randomBytes });
  const ways = new Map<string, HandOver>();
  const drainEvents: DrainEvent[] = [];
  const drain = new Drain({
    handOver: byTable(new FactHandOver({ store, now }), ways),
    inOrder: new Set([EVENTS.name]),
    onEvent: (event) => drainEvents.push(event),
    now,
    ...(options.holdWaitMs === undefined ? {} : { holdWaitMs: options.holdWaitMs }),
  });
  const hold = (): Promise<() => void> => drain.hold();
  const snapshotPath = join(dir, 'workspaces.json');
  const judges = testJudges();
  const platform = await Platform.open({ store, tables, access, key, judges, hold, now, node, snapshotPath });
  const { catalog } = platform;
  const eventStore = new EventStore(store);
  const dropped: { readonly dataSource: string; readonly lines: number }[] = [];
  const events = new EventHandOver({
    store: eventStore,
    dataSource: (id) => catalog.dataSourceById(id) ?? (catalog.had(id) ? 'deleted' : undefined),
    mappings: new Mappings(),
    materializer: new Materializer({ store: eventStore, catalog, onFailed: () => undefined }),
    outcomes: new Outcomes(),
    onDropped: (one) => dropped.push(one),
  });
  const trip: Record<'after' | 'before', (() => Promise<void>) | undefined> = { before: undefined, after: undefined };
  ways.set(EVENTS.name, {
    insert: async (segment) => {
      await trip.before?.();
      await events.insert(segment);
      await trip.after?.();
    },
    complete: async (segment) => {
      await trip.before?.();
      return events.complete(segment);
    },
  });
  const running = drain.run();
  const ingest = new Ingest(
    {
      directory: wal,
      node,
      maxBodyBytes: 1 << 20,
      maxJsonBytes: 1 << 20,
      maxSegmentRows: 100_000,
      maxSegmentBytes: 1 << 26,
      retentionMs: undefined,
      maxAheadMs: 86_400_000,
      maxInflightBytes: 1 << 24,
    },
    { ready: () => Promise.resolve() },
    {
      onSealed: (segments) => drain.add(segments),
      onSpent: () => undefined,
      onUnstored: () => undefined,
      onUnknown: () => undefined,
      onLost: () => drain.recover(recoverSegments(wal, drain.paths())),
      onReplaced: () => ingest.remember([], true),
    },
  );
  ingest.remember([], true);
  const flush = async (): Promise<void> => {
    await ingest.sealAll();
    const paths = drain.paths();
    while ([...paths].some((path) => drain.paths().has(path))) await drain.progress();
  };
  const reload = async (): Promise<void> => {
    await access.adopt();
    await platform.adopt();
  };
  const skipIds = (to: bigint): Promise<boolean> => ingest.skipIds(to);
  const maintenance = new Maintenance({
    store,
    workspaces: platform,
    key,
    backupDir,
    flush,
    hold,
    skipIds,
    reload,
    now,
  });
  const sealer = setInterval(() => drain.wantsMore && ingest.openRows > 0 && ingest.seal(), 50);
  const bodyOf = (text: string): BodyBuffer => {
    const bytes = Buffer.from(text);
    const body = ingest.lend(bytes.length);
    new Uint8Array(body.buffer).set(bytes);
    body.length = bytes.length;
    return body;
  };

  return {
    dir,
    store,
    access,
    key,
    platform,
    drain,
    maintenance,
    flush,
    /** Events of data sources that are gone. */
    dropped,
    drainEvents,
    /** Called before a segment of events is handed over, and after it was for the first time; may fail it. */
    trip,

    /** Sends lines to a data source and resolves when they are durable. */
    send: async (name: string, rows: readonly unknown[]): Promise<IngestResult> => {
      const dataSource = platform.registry.dataSource(TENANT, name).id;
      const body = bodyOf(rows.map((row) => (typeof row === 'string' ? row : JSON.stringify(row))).join('\n'));
      const target = { tenant: TENANT, dataSource, importId: 'import', filter: '' };
      return ingest.accept({ signal: 'events', coding: 'identity', body, ...target });
    },

    /** Sends spans of these names and resolves when they are durable. */
    sendSpans: (names: readonly string[]): Promise<IngestResult> => {
      const time = String(BigInt(Date.now()) * 1_000_000n);
      const spans = names.map((name) => ({
        traceId: randomBytes(16).toString('hex'),
        spanId: randomBytes(8).toString('hex'),
        name,
        startTimeUnixNano: time,
        endTimeUnixNano: time,
      }));
      const body = bodyOf(JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] }));
      const placement = DEFAULT_PLACEMENT;
      return ingest.accept({ signal: 'traces', format: 'json', coding: 'identity', placement, body });
    },

    /** Rows of a query as lists of values. */
    ask: async (sql: string): Promise<unknown[][]> => {
      const rows = await store.rows<Record<string, unknown>>(sql, { database: `tenant_${TENANT}` });
      return rows.map((row) => Object.values(row));
    },

    close: async (): Promise<void> => {
      clearInterval(sealer);
      await ingest.stop();
      drain.stop();
      await running;
      await platform.close();
      access.close();
      await tables.close();
      await store.close();
      await engine.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

export type Stand = Awaited<ReturnType<typeof openStand>>;
