/** The composition of the data platform: what workspaces have, and the hand-over of their events. */

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { DataSources, EventStore } from '@glasshouse/store';
import type { Store } from '@glasshouse/store';
import type { Logger } from 'pino';
import type { Config } from './config.ts';
import type { Access } from './control/access.ts';
import { logPlatform } from './events.ts';
import { nodeNumber } from './node-number.ts';
import { EventHandOver } from './platform/hand-over.ts';
import { Mappings } from './platform/mappings.ts';
import { Materializer } from './platform/materialize.ts';
import { Outcomes } from './platform/outcomes.ts';
import { Platform } from './platform/platform.ts';
import { TokenKey } from './platform/token-key.ts';

export interface OpenWorkspaces {
  readonly platform: Platform;
  readonly tables: DataSources;
  readonly events: EventHandOver;
  readonly outcomes: Outcomes;
}

export interface WorkspaceParts {
  readonly store: Store;
  readonly access: Access;
  /** Keeps the store free of hand-overs until the returned function is called. */
  readonly hold: () => Promise<() => void>;
}

export async function openWorkspaces(
  config: Config,
  log: Logger,
  { store, access, hold }: WorkspaceParts,
): Promise<OpenWorkspaces> {
  const tables = DataSources.connect(store.target);
  const platform = await Platform.open({
    store,
    tables,
    access,
    key: TokenKey.open({ dataDir: config.dataDir, given: undefined, random: randomBytes }),
    judges: {
      judgeType: () => undefined,
      judgeExpression: () => undefined,
      judgeFilter: () => [],
      judgeSelectList: () => undefined,
      judgeDefinition: () => undefined,
    },
    hold,
    now: Date.now,
    node: nodeNumber(config.dataDir),
    limits: { requestsPerSecond: config.eventsRequestsPerSecond, bytesPerSecond: config.eventsBytesPerSecond },
    snapshotPath: join(config.dataDir, 'workspaces.json'),
    onEvent: (event) => logPlatform(log, event),
  });
  const { catalog } = platform;
  const eventStore = new EventStore(store);
  const outcomes = new Outcomes();
  const events = new EventHandOver({
    store: eventStore,
    dataSource: (id) => catalog.dataSourceById(id) ?? (catalog.hadBuiltIn(id) ? 'deleted' : undefined),
    mappings: new Mappings(),
    materializer: new Materializer({
      store: eventStore,
      catalog,
      onFailed: (failed) => log.error(failed, 'a materialization failed: its target lacks these rows'),
    }),
    outcomes,
    onDropped: (dropped) => log.warn(dropped, 'dropped events whose data source was deleted'),
  });
  return { platform, tables, events, outcomes };
}
