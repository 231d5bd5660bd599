/**
 * Materializations: when rows of a segment are in a data source, the pipes that read it write what they make of them to their
 * targets. These are steps of the hand-over and not materialized views of the engine, so that they are exact: a target has
 * a segment's share in a partition whole or not at all, and after a crash gets only what it lacks.
 *
 * Must stay true: whatever fills a target from one segment is one insert, because its rows are told apart by the segment only.
 * A pipe sees of its trigger the rows of the segment as they came, also where the table merges them or keeps none, and of every
 * other table all that is there.
 */

import { composePipe, namedTables, parseTemplate, renderTemplate } from '@glasshouse/language';
import type { Pipe, PipeNode } from '@glasshouse/model';
import { AppError, messageOf } from '@glasshouse/model';
import type { EventStore, SegmentFile } from '@glasshouse/store';
import { outside, quoteName, tenantDatabase } from '@glasshouse/store';
import type { Catalog } from './catalog.ts';
import { factOrder } from './fact-order.ts';
import type { DataSourceEntry, PipeEntry } from './resource-row.ts';

/** A pipe that fills a target from a trigger. */
export interface Materialization {
  readonly pipe: PipeEntry;
  readonly node: PipeNode;
  /** Name of the data source whose rows set it off: the one that it reads first. */
  readonly trigger: string;
  readonly target: string;
}

/** Rows of a segment that came into a data source. */
export interface Arrival {
  readonly name: string;
  /** The table, quoted, that has them as they came; undefined where the data source's own still does. */
  readonly landing: string | undefined;
}

export interface MaterializerOptions {
  readonly store: EventStore;
  readonly catalog: Pick<Catalog, 'dataSource' | 'pipes'>;
  /** Told of a materialization that failed; the rows that it was to be made of are in the data source all the same. */
  readonly onFailed: (failed: { readonly tenant: string; readonly pipe: string; readonly error: unknown }) => void;
}

/** Targets of targets of targets … beyond this many steps are refused when they are deployed. */
const MAX_DEPTH = 10;

export class Materializer {
  private readonly options: MaterializerOptions;

  constructor(options: MaterializerOptions) {
    this.options = options;
  }

  /** Whether rows that come into the data source set off anything. */
  reads({ tenant, name }: DataSourceEntry): boolean {
    const { catalog } = this.options;
    return materializationsOf(catalog.pipes(tenant), catalog, tenant).some(({ trigger }) => trigger === name);
  }

  /** Fills every target of the workspace that depends on the data sources, directly or through others. */
  async run(segment: SegmentFile, tenant: string, arrivals: readonly Arrival[], doubtful: boolean): Promise<void> {
    const { catalog, onFailed } = this.options;
    const all = materializationsOf(catalog.pipes(tenant), catalog, tenant);
    const landings = new Map(arrivals.map(({ name, landing }) => [name, landing]));
    const rowsOf = (source: string): string =>
      rowsOfSegment(catalog.dataSource(tenant, source), segment, landings.get(source));
    for (const target of reached(
      all,
      arrivals.map(({ name }) => name),
    )) {
      const entry = catalog.dataSource(tenant, target);
      if (entry === undefined) continue;
      try {
        await this.fill(segment, entry, selectOf(target, all, rowsOf), doubtful);
      } catch (error) {
        // The store's own troubles are the drain's business: it tries the segment again.
        if (!isOwnFault(error)) throw error;
        for (const step of all) {
          if (step.target === target) onFailed({ tenant, pipe: step.pipe.name, error: messageOf(error) });
        }
      }
    }
  }

  private async fill(segment: SegmentFile, target: DataSourceEntry, sql: string, doubtful: boolean): Promise<void> {
    const { store } = this.options;
    const table = `${quoteName(tenantDatabase(target.tenant))}.${quoteName(target.name)}`;
    const { engine } = target.definition;
    const isAdditive = engine.name === 'AggregatingMergeTree' || engine.name === 'SummingMergeTree';
    const present = doubtful ? await store.partitions(table, segment, isAdditive) : [];
    const order = factOrder(sql, (name) => this.options.catalog.dataSource(target.tenant, name) !== undefined);
    const made = await store.columns(segment, sql, order, tenantDatabase(target.tenant));
    const columns = target.definition.columns.map(({ name }) => name).filter((name) => made.includes(name));
    if (columns.length === 0)
      throw new AppError('bad_request', `cannot fill ${target.name}: the pipe has none of its columns`);
    const list = columns.map(quoteName).join(', ');
    const only = present.length === 0 ? '' : ` WHERE ${outside(engine.partitionKey, present)}`;
    await store.insert(
      segment,
      `INSERT INTO ${table} (${list}, _segment) SELECT ${list}, toUInt64(${segment.id}) AS _segment FROM (\n${sql}\n)${only}`,
      { ...order, insert_allow_materialized_columns: 1 },
      tenantDatabase(target.tenant),
    );
  }
}

/** The materializations of a workspace. */
export function materializationsOf(
  pipes: readonly PipeEntry[],
  catalog: Pick<Catalog, 'dataSource'>,
  tenant: string,
): Materialization[] {
  return pipes.flatMap((pipe) =>
    pipe.definition.nodes.flatMap((node) => {
      const target = node.settings['DATASOURCE'];
      if (node.type !== 'materialized' || target === undefined) return [];
      const trigger = triggerOf(pipe.definition, node, (name) => catalog.dataSource(tenant, name) !== undefined);
      return trigger === undefined ? [] : [{ pipe, node, trigger, target }];
    }),
  );
}

/** The data source that the node reads first, directly or through the nodes that it names. */
function triggerOf(
  pipe: Pipe,
  node: PipeNode,
  isDataSource: (name: string) => boolean,
  seen: ReadonlySet<string> = new Set(),
): string | undefined {
  if (seen.has(node.name)) return undefined;
  for (const name of namedTables(renderPlain(node, pipe))) {
    const other = pipe.nodes.find((candidate) => candidate.name === name && candidate !== node);
    const found =
      other === undefined
        ? isDataSource(name)
          ? name
          : undefined
        : triggerOf(pipe, other, isDataSource, new Set([...seen, node.name]));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Targets that rows of the data sources reach, each after those that it is made of. */
export function reached(all: readonly Materialization[], sources: readonly string[]): string[] {
  const order: string[] = [];
  const visit = (name: string, depth: number): void => {
    if (depth > MAX_DEPTH) return;
    for (const { trigger, target } of all) {
      if (trigger !== name) continue;
      const at = order.indexOf(target);
      if (at >= 0) order.splice(at, 1);
      order.push(target);
      visit(target, depth + 1);
    }
  };
  for (const source of sources) visit(source, 0);
  return order;
}

/**
 * What all pipes of a target make of a segment. A trigger that is a target itself is not read from its table, where rows may
 * be added to older ones already, but made again.
 */
function selectOf(target: string, all: readonly Materialization[], rowsOf: (source: string) => string): string {
  const parts = all
    .filter((step) => step.target === target)
    .map(({ pipe, node, trigger }) => {
      const isMade = all.some((step) => step.target === trigger);
      const rows = isMade ? selectOf(trigger, all, rowsOf) : rowsOf(trigger);
      const pipes = new Map([[trigger, asPipe(trigger, rows)]]);
      return composePipe(pipe.definition, node.name, renderPlain, { pipes });
    });
  return parts.length === 1
    ? (parts[0] as string)
    : parts.map((part) => `SELECT * FROM (\n${part}\n)`).join('\nUNION ALL\n');
}

/** The rows of a segment with all columns of the data source, computed ones included; from `landing` if it has them. */
function rowsOfSegment(source: DataSourceEntry | undefined, segment: SegmentFile, landing: string | undefined): string {
  if (source === undefined) throw new AppError('bad_request', 'cannot read a data source that is gone');
  const columns = source.definition.columns
    .filter(({ kind }) => kind !== 'EPHEMERAL')
    .map(({ name }) => quoteName(name));
  const table = landing ?? `${quoteName(tenantDatabase(source.tenant))}.${quoteName(source.name)}`;
  return `SELECT ${columns.join(', ')} FROM ${table} WHERE _segment = toUInt64(${segment.id})`;
}

function asPipe(name: string, sql: string): Pipe {
  return { kind: 'pipe', name, nodes: [{ name, sql, type: 'default', settings: {} }], tokens: [], tags: [] };
}

/** Nodes of materializations take no parameters; a template among them renders with its defaults. */
export function renderPlain(node: PipeNode, pipe: Pipe): string {
  return renderTemplate(parseTemplate(node.sql, { node: `${pipe.name}.${node.name}` }), new Map()).sql;
}

/** True for an error that the pipe's own SQL is to blame for. */
function isOwnFault(error: unknown): boolean {
  return error instanceof AppError && error.code === 'bad_request';
}
