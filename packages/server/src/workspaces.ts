/** The composition of the data platform: what workspaces have, and the hand-over of their events. */

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Pipe } from '@glasshouse/model';
import { DataSources, EventStore } from '@glasshouse/store';
import type { Store } from '@glasshouse/store';
import type { Logger } from 'pino';
import type { Config } from './config.ts';
import type { Access } from './control/access.ts';
import type { Audit } from './control/audit.ts';
import type { WatchedStore } from './control/audit-watch.ts';
import { watched } from './control/audit-watch.ts';
import { logPlatform } from './events.ts';
import { nodeNumber } from './node-number.ts';
import { Batches } from './platform/batches.ts';
import { builtInPipes } from './platform/built-in-pipes.ts';
import { definitionJudges } from './platform/definition-judges.ts';
import { EventHandOver } from './platform/hand-over.ts';
import type { Judges } from './platform/judges.ts';
import { Loads } from './platform/loads.ts';
import { Mappings } from './platform/mappings.ts';
import { Materializer } from './platform/materialize.ts';
import { Outcomes } from './platform/outcomes.ts';
import { Platform } from './platform/platform.ts';
import { TokenKey } from './platform/token-key.ts';
import type { Definitions } from './query/definitions.ts';
import type { Door } from './query/door.ts';

export interface OpenWorkspaces {
  /** The store, for rows of workspaces: the audit log sees what is written. */
  readonly control: WatchedStore;
  readonly platform: Platform;
  readonly tables: DataSources;
  readonly events: EventHandOver;
  readonly outcomes: Outcomes;
  readonly batches: Batches;
  readonly key: TokenKey;
  /** Rows on their way into tables that are not live yet. */
  readonly loads: Loads;
  readonly judges: Judges;
  /** Pipes that every workspace has. */
  readonly builtIn: readonly Pipe[];
  readonly materializer: Materializer;
}

export interface WorkspaceParts {
  readonly store: Store;
  readonly access: Access;
  readonly audit: Audit;
  readonly door: Door;
  readonly definitions: Definitions;
  /** Keeps the store free of hand-overs until the returned function is called. */
  readonly hold: () => Promise<() => void>;
  /** Resolves when everything acknowledged so far is in the store. */
  readonly flush: () => Promise<void>;
  /** True if the tables of a backup were put in place at this start. */
  readonly isRestored: boolean;
}

export async function openWorkspaces(
  config: Config,
  log: Logger,
  { store, access, audit, door, definitions, hold, flush, isRestored }: WorkspaceParts,
): Promise<OpenWorkspaces> {
  const tables = DataSources.connect(store.target);
  const builtIn = builtInPipes();
  const judges = definitionJudges({ definitions, door, builtIn });
  const key = TokenKey.open({ dataDir: config.dataDir, given: config.tokenKey, random: randomBytes }, isRestored);
  const control = watched(store, audit.changed);
  const platform = await Platform.open({
    store: control,
    tables,
    access,
    key,
    judges,
    hold,
    now: Date.now,
    node: nodeNumber(config.dataDir),
    limits: { requestsPerSecond: config.eventsRequestsPerSecond, bytesPerSecond: config.eventsBytesPerSecond },
    snapshotPath: join(config.dataDir, 'workspaces.json'),
    isReplaced: isRestored,
    onEvent: (event) => logPlatform(log, event),
  });
  // So that a new tenant's first events find the data sources that every workspace has. A failure is made up for in a moment.
  access.tenants.onMade = (tenant) => platform.prepare(tenant);
  const { catalog } = platform;
  const eventStore = new EventStore(store);
  const outcomes = new Outcomes();
  const batches = new Batches({ isStored: (id) => eventStore.remembers(id), flush });
  const loads = new Loads();
  const materializer = new Materializer({
    store: eventStore,
    catalog,
    onFailed: (failed) => log.error(failed, 'a materialization failed: its target lacks these rows'),
  });
  const events = new EventHandOver({
    store: eventStore,
    dataSource: (id) => catalog.dataSourceById(id) ?? (catalog.had(id) ? 'deleted' : undefined),
    loads,
    mappings: new Mappings(),
    materializer,
    outcomes,
    batches,
    settled: () => platform.settled(),
    onDropped: (dropped) => log.warn(dropped, 'dropped events whose data source was deleted'),
  });
  return { control, platform, tables, events, outcomes, batches, key, loads, judges, builtIn, materializer };
}
