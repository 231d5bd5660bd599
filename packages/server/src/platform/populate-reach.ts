/**
 * What a population reaches: the data sources that nobody else may touch meanwhile, and those whose rows have to stay unmerged. What is
 * made of a target is reached too, because the rows that a population adds are rows like others to it.
 */

import { AppError } from '@glasshouse/model';
import type { Catalog } from './catalog.ts';
import type { Materialization } from './materialize.ts';
import { materializationsOf, reached } from './materialize.ts';
import { livePending } from './populate-cut.ts';
import type { DataSourceEntry } from './resource-row.ts';

interface Reach {
  /** Ids of data sources that get other tables. */
  readonly targets: readonly string[];
  /** Ids of the others that are read. */
  readonly sources: readonly string[];
  /** Those that are read and whose rows merge into others. */
  readonly unmerged: readonly DataSourceEntry[];
}

/** What populations of the same sources share them as. */
export const POPULATION = 'a population';

/** What has to be kept still for the population of these materializations, which need not be in the catalogue yet. */
export function claimOf(catalog: Catalog, tenant: string, steps: readonly Materialization[]): Reach {
  const own = new Set(steps.map(({ pipe }) => pipe.id));
  const others = materializationsOf(catalog.pipes(tenant), catalog, tenant).filter(({ pipe }) => !own.has(pipe.id));
  const all = [...others, ...steps];
  const direct = new Set(steps.map(({ target }) => target));
  const entriesOf = (names: Iterable<string>): DataSourceEntry[] =>
    [...new Set(names)].flatMap((name) => catalog.dataSource(tenant, name) ?? []);
  const targets = entriesOf([...direct, ...reached(all, [...direct])]).map(({ id }) => id);
  const sources = entriesOf(all.filter(({ target }) => direct.has(target)).map(({ trigger }) => trigger));
  return {
    targets,
    sources: sources.map(({ id }) => id).filter((id) => !targets.includes(id)),
    unmerged: sources.filter(({ definition }) => !['MergeTree', 'Null'].includes(definition.engine.name)),
  };
}

/**
 * Throws `conflict` if something is yet to be populated from one of these data sources, all of whose rows are to be made anew: its cut
 * would mean nothing any more.
 */
export function checkUnread(catalog: Catalog, tenant: string, names: ReadonlySet<string>): void {
  const ids = new Set([...names].map((name) => catalog.dataSource(tenant, name)?.id));
  for (const entry of catalog.dataSources(tenant)) {
    if (names.has(entry.name) || !livePending(entry, catalog).some(({ source }) => ids.has(source))) continue;
    throw new AppError(
      'conflict',
      `cannot make rows of ${[...names].join(', ')} anew: ${entry.name} is yet to be populated from them; populate that first`,
    );
  }
}
