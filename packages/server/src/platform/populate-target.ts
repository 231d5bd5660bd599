/**
 * The population of one target, out of sight: the rows up to a cut are added, or all of them are made anew. Then they are shown at once,
 * with everything that came meanwhile.
 *
 * Must stay true: the tables change places in one step with the row that says that the population is over. Whatever fails before leaves
 * the live table, and what is to be done, as they were.
 */

import { AppError } from '@glasshouse/model';
import { keepsRows } from '@glasshouse/store';
import { HiddenTable } from './copies-table.ts';
import type { JobContext } from './jobs.ts';
import type { Materialization } from './materialize.ts';
import { materializationsOf, reached } from './materialize.ts';
import { cutOf, pendingOf } from './populate-cut.ts';
import type { Cuts, FillingOptions } from './populate-fill.ts';
import { Filling } from './populate-fill.ts';
import type { Unmerged } from './populate-merges.ts';
import type { DataSourceEntry } from './resource-row.ts';
import type { Step } from './steps.ts';
import { commit } from './steps.ts';

interface TargetOptions extends FillingOptions {
  readonly now: () => number;
  readonly unmerged: Unmerged;
}

/** With less than this to read, the last step is short enough to hold the hand-over for it. */
const SHORT_ROWS = 100_000;
const MAX_ROUNDS = 8;

/** Adds what a step makes of its source's rows up to the cut. Resolves with how many these are. */
export async function addRows(
  options: TargetOptions,
  step: Materialization,
  condition: string | undefined,
  context: JobContext,
): Promise<number> {
  const { now, registry } = options;
  const { tenant } = step.pipe;
  const target = registry.dataSource(tenant, step.target);
  const source = registry.dataSource(tenant, step.trigger);
  const pending = pendingOf(target, step, source);
  if (pending === undefined)
    throw new AppError('conflict', `cannot populate data source=${target.name}: it has been populated since`);
  const cut = cutOf(pending);
  const made = new Map<string, HiddenTable>();
  try {
    const hidden = await hiddenOf(options, made, target);
    const rows = await new Filling(options, tenant, [step], condition).fill(
      hidden,
      new Map([[source.name, cut]]),
      context,
    );
    await cascade(options, step, made, { ...context, segment: cut.log });
    const steps = [...made.values()].map((table) =>
      table.replacing({
        now,
        rest: () => table.takeLive(),
        pending: (table.entry.pending ?? []).filter((one) => one !== pending),
      }),
    );
    await show(options, steps, context);
    return rows;
  } catch (error) {
    for (const table of made.values()) await table.discard().catch(() => undefined);
    throw error;
  }
}

/** What is made of the rows that are added, through any number of others. */
async function cascade(
  options: TargetOptions,
  { pipe: { tenant }, target: first }: Materialization,
  made: Map<string, HiddenTable>,
  context: JobContext & { readonly segment: bigint },
): Promise<void> {
  const { catalog } = options.registry;
  const all = materializationsOf(catalog.pipes(tenant), catalog, tenant);
  for (const name of reached(all, [first])) {
    const target = catalog.dataSource(tenant, name);
    if (name === first || target === undefined || !keepsRows(target.definition.engine)) continue;
    const steps = all.filter((step) => {
      const source = made.get(step.trigger);
      if (step.target !== name || source === undefined) return false;
      const pending = pendingOf(target, step, source.entry);
      // What is yet to come will find the added rows among those up to its cut.
      return pending === undefined || cutOf(pending).log < context.segment;
    });
    const sources = [...new Set(steps.map(({ trigger }) => trigger))];
    if (sources.length === 0) continue;
    const hidden = await hiddenOf(options, made, target);
    for (const trigger of sources) {
      const mine = steps.filter((step) => step.trigger === trigger);
      await new Filling(options, tenant, mine).fillOf(hidden, made.get(trigger) as HiddenTable, context);
    }
  }
}

/** Makes all rows of a target anew: first those of the segments until now, then what came meanwhile, at last the rest. */
export async function makeAnew(
  options: TargetOptions,
  tenant: string,
  name: string,
  context: JobContext,
): Promise<number> {
  const { now, registry } = options;
  const { catalog } = registry;
  const all = materializationsOf(catalog.pipes(tenant), catalog, tenant);
  const mine = all.filter(({ target }) => target === name);
  const filling = new Filling(options, tenant, mine);
  const held = async (): Promise<Cuts> => {
    const release = await registry.commitOptions().hold();
    try {
      return await filling.cuts();
    } finally {
      release();
    }
  };
  const made = new Map<string, HiddenTable>();
  const hidden = await hiddenOf(options, made, registry.dataSource(tenant, name));
  try {
    let rows = await filling.fill(hidden, await held(), context);
    for (let round = 0; round < MAX_ROUNDS && (await filling.missing()) > SHORT_ROWS; round++)
      rows += await filling.fill(hidden, await held(), context);
    const rest = async (): Promise<void> => {
      rows += await filling.fill(hidden, await filling.cuts(), context);
    };
    await show(options, [hidden.replacing({ now, rest, pending: [] })], context);
    return rows;
  } catch (error) {
    await hidden.discard().catch(() => undefined);
    throw error;
  }
}

/** Lets the tables take the places of the live ones, all or none. */
async function show(
  { registry, unmerged }: TargetOptions,
  steps: readonly Step[],
  { signal }: JobContext,
): Promise<void> {
  signal.throwIfAborted();
  const { save, ...options } = registry.commitOptions();
  await commit(steps, {
    ...options,
    save: async (rows) => {
      await unmerged.confirm();
      // A table among them may be a source whose cut is still needed.
      await unmerged.renew();
      await save(rows);
    },
  });
}

async function hiddenOf(
  { tables }: TargetOptions,
  made: Map<string, HiddenTable>,
  entry: DataSourceEntry,
): Promise<HiddenTable> {
  const hidden = new HiddenTable(entry, tables, entry.tableVersion + 1);
  await hidden.create();
  made.set(entry.name, hidden);
  return hidden;
}
