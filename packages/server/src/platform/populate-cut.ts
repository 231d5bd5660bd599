/**
 * The cut of a population: which rows of a data source it fills a target from, and which the hand-over sees to. Rows are told apart by
 * what brought them, a segment of the log or a copy, because that is all that a row says of its time.
 *
 * Must stay true: a cut is read while nothing is handed over and no copy is under way, and the materialization takes effect before
 * either goes on. Then every row is on one side of it: segments and copies get ids that grow.
 */

import { SEGMENT } from '@glasshouse/model';
import type { DataSources } from '@glasshouse/store';
import type { Catalog } from './catalog.ts';
import { materializationsOf } from './materialize.ts';
import type { Materialization } from './materialize.ts';
import type { DataSourceEntry, PendingPopulation } from './resource-row.ts';

/** The last segment and the last copy of which a data source has rows; 0 for none. */
export interface Cut {
  readonly log: bigint;
  readonly copies: bigint;
}

/** Ids below are times in ms, by which copies are told apart; those of segments are above, but for the first minutes of 2020. */
const FIRST_SEGMENT = 1n << 42n;

/** Where a data source stands. */
export async function readCut(client: DataSources['client'], table: string): Promise<Cut> {
  // Columns may have any name that is no better than these.
  const [row] = await client.rows<{ __log: string; __copies: string }>(
    `SELECT toString(maxIf(${SEGMENT}, ${SEGMENT} >= ${FIRST_SEGMENT})) AS __log,
       toString(maxIf(${SEGMENT}, ${SEGMENT} < ${FIRST_SEGMENT})) AS __copies FROM ${table}`,
  );
  return { log: BigInt(row?.__log ?? 0), copies: BigInt(row?.__copies ?? 0) };
}

/** The condition on rows up to a cut, and behind another one. */
export function between(after: Cut | undefined, upTo: Cut | undefined): string {
  const conditions: string[] = [];
  if (after !== undefined) {
    const log = after.log < FIRST_SEGMENT ? FIRST_SEGMENT - 1n : after.log;
    conditions.push(`(${SEGMENT} > ${log} OR ${SEGMENT} > ${after.copies} AND ${SEGMENT} < ${FIRST_SEGMENT})`);
  }
  if (upTo !== undefined)
    conditions.push(`(${SEGMENT} <= ${upTo.copies} OR ${SEGMENT} >= ${FIRST_SEGMENT} AND ${SEGMENT} <= ${upTo.log})`);
  return conditions.length === 0 ? '1' : conditions.join(' AND ');
}

/** The population of a step, if it is yet to come. */
export function pendingOf(
  target: DataSourceEntry,
  { pipe, node }: Pick<Materialization, 'node' | 'pipe'>,
  source: Pick<DataSourceEntry, 'id'>,
): PendingPopulation | undefined {
  return target.pending?.find((one) => one.pipe === pipe.id && one.node === node.name && one.source === source.id);
}

export function pendingAt(step: Materialization, source: DataSourceEntry, { log, copies }: Cut): PendingPopulation {
  return { pipe: step.pipe.id, node: step.node.name, source: source.id, log: String(log), copies: String(copies) };
}

export function cutOf({ log, copies }: PendingPopulation): Cut {
  return { log: BigInt(log), copies: BigInt(copies) };
}

/** Those populations of a data source that a materialization is still there for. */
export function livePending(entry: DataSourceEntry, catalog: Catalog): readonly PendingPopulation[] {
  if (entry.pending === undefined) return [];
  const { tenant } = entry;
  const steps = materializationsOf(catalog.pipes(tenant), catalog, tenant).filter(
    ({ target }) => target === entry.name,
  );
  return entry.pending.filter(({ pipe, node, source }) =>
    steps.some(
      (step) =>
        step.pipe.id === pipe && step.node.name === node && catalog.dataSource(tenant, step.trigger)?.id === source,
    ),
  );
}
