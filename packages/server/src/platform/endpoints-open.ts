/**
 * Puts together what pipes do: endpoints, copies, sinks, populations, their schedules, and the record of their use. One function for
 * the composition root, so that it need not know how these hang together.
 */

import { join } from 'node:path';
import type { Pipe } from '@glasshouse/model';
import type { DataSources, Store } from '@glasshouse/store';
import type { Door } from '../query/door.ts';
import { withBuiltIn } from './built-in-pipes.ts';
import type { CheckSql } from './copies.ts';
import { Copies, copyNodeOf } from './copies.ts';
import { AnswerCache } from './endpoints-cache.ts';
import { queryPrincipal } from './endpoints-reads.ts';
import type { EndpointsOptions } from './endpoints.ts';
import { Endpoints } from './endpoints.ts';
import type { Judges } from './judges.ts';
import type { Materializer } from './materialize.ts';
import type { Platform } from './platform.ts';
import { Populations } from './populate.ts';
import type { Scheduled } from './schedules.ts';
import { cronOf, Schedules } from './schedules.ts';
import { connectionsIn } from './sinks-destination.ts';
import { Sinks, sinkNodeOf } from './sinks.ts';
import { usagePreparation } from './usage-prepare.ts';
import type { UsageOptions } from './usage.ts';
import { Usage } from './usage.ts';

export interface PipesOptions extends Pick<EndpointsOptions, 'secrets'> {
  readonly platform: Platform;
  readonly tables: DataSources;
  readonly store: Pick<Store, 'read'>;
  readonly door: Pick<Door, 'check'>;
  readonly judges: Judges;
  /** Pipes that every workspace has. */
  readonly builtIn: readonly Pipe[];
  readonly materializer: Pick<Materializer, 'run'>;
  /** Appends NDJSON to the data source of this id. Resolves when it is durable. */
  readonly append: (tenant: string, dataSourceId: string, lines: string) => Promise<void>;
  /** Folder of the server's data. */
  readonly dataDir: string;
  readonly now: () => number;
  /** Told of schedules that cannot be kept. */
  readonly onFailed: (failed: { readonly tenant: string; readonly pipe: string; readonly reason: string }) => void;
  readonly usageEveryMs?: UsageOptions['everyMs'];
}

export interface OpenPipes {
  readonly endpoints: Endpoints;
  readonly cache: AnswerCache;
  readonly copies: Copies;
  readonly sinks: Sinks;
  readonly populations: Populations;
  readonly schedules: Schedules;
  readonly usage: Usage;
  /** Lets nothing begin any more, and writes down what was recorded. */
  close(): Promise<void>;
}

const PREPARE_EVERY_MS = 2_000;

export function openPipes(options: PipesOptions): OpenPipes {
  const { platform, tables, store, door, judges, now, dataDir, onFailed } = options;
  const { catalog, registry, jobs } = platform;
  const callables = withBuiltIn(catalog, options.builtIn, new Date(now()));
  const endpoints = new Endpoints({
    catalog: callables,
    ...(options.secrets === undefined ? {} : { secrets: options.secrets }),
  });
  const check: CheckSql = (tenant, sql, params) =>
    door.check(queryPrincipal({ tenant, tokenId: 'pipes' }), sql, { params, isKept: true });
  const prepareUsage = usagePreparation(registry, now);
  const usage = new Usage({
    append: async (tenant, name, lines) => {
      await prepareUsage(tenant);
      const entry = catalog.dataSource(tenant, name);
      // Somebody may not want to have it.
      if (entry !== undefined) await options.append(tenant, entry.id, lines);
    },
    ...(options.usageEveryMs === undefined ? {} : { everyMs: options.usageEveryMs }),
  });
  const common = { registry, tables, jobs, check, now, onEnd: usage.operation.bind(usage) };
  const copies = new Copies({
    ...common,
    endpoints,
    materialize: async (id, tenant, rows, append) => {
      const segment = { table: 'copies', id, path: '', days: new Map<number, number>() };
      await options.materializer.run(segment, tenant, [rows], false, append);
    },
  });
  const sinks = new Sinks({
    ...common,
    store,
    endpoints,
    folder: join(dataDir, 'exports'),
    connections: connectionsIn(join(dataDir, 'connections.json')),
  });
  const populations = new Populations({
    ...common,
    judges,
    onDeployed: (tenant, deployment, feedback) => {
      void platform.deployments.remark(tenant, deployment, feedback).catch(() => undefined);
    },
  });
  platform.deployments.populating = populations;
  populations.resume();
  const schedules = new Schedules({
    scheduled: scheduledOf(platform),
    run: async (entry, dueMs) => {
      const isSink = entry.definition.nodes.some(({ type }) => type === 'sink');
      await (isSink ? sinks : copies).start(entry, { scheduledFor: dueMs });
    },
    now,
    statePath: join(dataDir, 'schedules.json'),
    onFailed,
  });
  const ready = new Set<string>();
  const prepare = async (): Promise<void> => {
    for (const { tenant } of platform.workspaces.list()) {
      if (ready.has(tenant)) continue;
      await prepareUsage(tenant);
      ready.add(tenant);
    }
  };
  // A workspace may be made at any time, and the store may be away.
  const preparing = setInterval(() => void prepare().catch(() => undefined), PREPARE_EVERY_MS);
  preparing.unref();
  void prepare().catch(() => undefined);
  return {
    endpoints,
    cache: new AnswerCache({ now }),
    copies,
    sinks,
    populations,
    schedules,
    usage,
    close: async () => {
      clearInterval(preparing);
      schedules.close();
      await usage.close();
    },
  };
}

/** All pipes with a schedule, found again whenever the catalogue has changed. */
function scheduledOf({ catalog, workspaces }: Platform): () => readonly Scheduled[] {
  let revision = -1;
  let found: readonly Scheduled[] = [];
  return () => {
    if (catalog.revision === revision) return found;
    revision = catalog.revision;
    found = workspaces.list().flatMap(({ tenant }) =>
      catalog.pipes(tenant).flatMap((entry): Scheduled[] => {
        const { nodes } = entry.definition;
        const setting = nodes.some(({ type }) => type === 'copy')
          ? copyNodeOf(entry).settings['COPY_SCHEDULE']
          : nodes.some(({ type }) => type === 'sink')
            ? sinkNodeOf(entry).settings['EXPORT_SCHEDULE']
            : undefined;
        const cron = cronOf(setting);
        return cron === undefined ? [] : [{ entry, cron }];
      }),
    );
    return found;
  };
}
