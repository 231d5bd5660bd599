/** The composition of the roll-out: switches of data sources, and mirrors with what sends them. */

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Store } from '@glasshouse/store';
import type { Logger } from 'pino';
import type { Config } from './config.ts';
import type { Audit } from './control/audit.ts';
import { mirrorLog } from './events.ts';
import { Mirroring } from './mirror/mirroring.ts';
import { Mirrors } from './platform/mirrors.ts';
import { SourceSwitches } from './platform/source-switches.ts';
import type { OpenWorkspaces } from './workspaces.ts';

export interface OpenRollOut {
  readonly switches: SourceSwitches;
  readonly mirrors: Mirrors;
  readonly mirroring: Mirroring;
  close(): Promise<void>;
}

export interface RollOutParts extends Pick<OpenWorkspaces, 'key' | 'platform'> {
  readonly store: Store;
  readonly audit: Audit;
}

/** Longest time for a batch and its answer. */
const SEND_MS = 30_000;

export async function openRollOut(
  config: Config,
  log: Logger,
  { store, audit, key, platform }: RollOutParts,
): Promise<OpenRollOut> {
  const common = { store, now: Date.now, onChange: audit.changed };
  const switches = await SourceSwitches.open({ ...common, path: join(config.dataDir, 'sources.json') });
  const mirrors = await Mirrors.open({
    ...common,
    path: join(config.dataDir, 'mirrors.json'),
    key,
    random: randomBytes,
  });
  const mirroring = new Mirroring({
    mirrors,
    switches,
    catalog: platform.catalog,
    directory: join(config.dataDir, 'mirror'),
    allow: config.mirrorAllow,
    reserveBytes: config.diskReserveBytes,
    maxMs: SEND_MS,
    onEvent: mirrorLog(log),
  });
  mirrors.watch(() => mirroring.configure());
  return {
    switches,
    mirrors,
    mirroring,
    close: async () => {
      switches.close();
      mirrors.close();
      await mirroring.close();
    },
  };
}
