/**
 * Materializations: when rows of a segment are in a data source, the pipes that read it write what they make of them to their
 * targets. These are steps of the hand-over and not materialized views of the engine, so that they are exact: a target has
 * a segment's share in a partition whole or not at all, and after a crash gets only what it lacks.
 *
 * Must stay true: whatever fills a target from one segment is one insert, because its rows are told apart by the segment only. So
 * where there is more than one way into it, rows that were sent to it among them, they meet in a table of their own first: the landing.
 * A pipe sees of its trigger the rows of the segment as they came, whichever way, also where the table merges them or keeps none,
 * and of every other table all that is there.
 */

import { composePipe, keyParts, namedTables, parseTemplate, renderTemplate } from '@glasshouse/language';
import type { Pipe, PipeNode } from '@glasshouse/model';
import { AppError, messageOf, SEGMENT } from '@glasshouse/model';
import type { EventStore, SegmentFile } from '@glasshouse/store';
import { keepsRows, outside, quoteName, StoreError, tenantDatabase } from '@glasshouse/store';
import type { Catalog } from './catalog.ts';
import { factOrder } from './fact-order.ts';
import type { DataSourceEntry, PipeEntry } from './resource-row.ts';
import { isOfRow, mergesRows } from './transfer.ts';

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
  /** Given for rows that are nowhere but in the landing yet: inserts what the data source lacks of them, without anything else. */
  readonly insertAlone?: (() => Promise<boolean>) | undefined;
}

export interface MaterializerOptions {
  readonly store: EventStore;
  readonly catalog: Pick<Catalog, 'dataSource' | 'pipes'>;
  /** Told of a materialization that failed; the rows that it was to be made of are in the data source all the same. */
  readonly onFailed: (failed: { readonly tenant: string; readonly pipe: string; readonly error: unknown }) => void;
}

/** What a target gets of a segment. */
interface Share {
  readonly segment: SegmentFile;
  readonly entry: DataSourceEntry;
  /** True if some of it may be there. */
  readonly doubtful: boolean;
}

/** Where the rows of a segment are, by data source; only those that got some are in it. */
type Flow = ReadonlyMap<string, Arrival>;

/** Lets values be given for the columns that the engine computes, the segment among them. */
const GIVEN = { insert_allow_materialized_columns: 1 };

/** Targets of targets of targets … beyond this many steps are refused when they are deployed. */
const MAX_DEPTH = 10;

export class Materializer {
  private readonly options: MaterializerOptions;

  constructor(options: MaterializerOptions) {
    this.options = options;
  }

  /** Whether pipes are set off by rows that come into the data source, and whether pipes fill it. */
  partOf({ tenant, name }: DataSourceEntry): { readonly isRead: boolean; readonly isFilled: boolean } {
    const { catalog } = this.options;
    const all = materializationsOf(catalog.pipes(tenant), catalog, tenant);
    return { isRead: all.some(({ trigger }) => trigger === name), isFilled: all.some(({ target }) => target === name) };
  }

  /**
   * Inserts the arrivals that are not inserted yet, and fills every target of the workspace that depends on any, directly or through
   * others. Resolves with how many of the arrivals lacked some of it.
   *
   * `append` is given for rows that come by no segment of the log, as many as they may be, and shows them: all that is made of them
   * is made before, and inserted after it. From there on nothing rejects, because nobody would try again.
   */
  async run(
    segment: SegmentFile,
    tenant: string,
    arrivals: readonly Arrival[],
    doubtful: boolean,
    append?: () => Promise<void>,
  ): Promise<number> {
    const { catalog, store } = this.options;
    const all = materializationsOf(catalog.pipes(tenant), catalog, tenant);
    const flow = new Map(arrivals.map((arrival): [string, Arrival] => [arrival.name, arrival]));
    const targets = reached(all, [...flow.keys()]);
    const held = arrivals.filter(({ insertAlone }) => insertAlone !== undefined).map(({ name }) => name);
    const landings: string[] = [];
    const later: (() => Promise<unknown>)[] = [];
    let missing = 0;
    try {
      for (const name of [...held.filter((one) => !targets.includes(one)), ...targets]) {
        const entry = catalog.dataSource(tenant, name);
        if (entry === undefined) continue;
        const arrival = flow.get(name);
        const steps = all.filter(({ target, trigger }) => target === name && flow.has(trigger));
        const share: Share = { segment, entry, doubtful };
        const isShort = steps.length === 1 && arrival === undefined && !all.some(({ trigger }) => trigger === name);
        // After a failure the rows have to be sorted by partition, which takes all columns of the table.
        if (isShort && !doubtful && append === undefined) {
          for (const step of steps)
            await this.attempt(step, () => this.put(share, tableOf(entry), this.selectOf(share, step, flow)));
          continue;
        }
        let landing = arrival?.insertAlone === undefined ? undefined : arrival.landing;
        if (landing === undefined) {
          landing = await store.makeLanding(segment, entry.definition, append !== undefined);
          landings.push(landing);
        }
        const into = landing;
        for (const step of steps)
          await this.attempt(step, () => this.put(share, into, this.selectOf(share, step, flow)));
        flow.set(name, { name, landing });
        const insert = (): Promise<boolean> => this.insertLanded(share, into, steps, arrival);
        if (append !== undefined) later.push(() => insert().catch((error: unknown) => this.tell(steps, error)));
        else if (await insert()) missing += arrival === undefined ? 0 : 1;
      }
      await append?.();
      for (const insert of later) await insert();
    } finally {
      await store.drop(landings).catch(() => undefined);
    }
    return missing;
  }

  /**
   * Inserts what has landed for a data source, but for partitions that have it; true if something was missing. Rows that were sent are
   * not to blame for what pipes make, and go in without it if they have to.
   */
  private async insertLanded(
    { segment, entry, doubtful }: Share,
    landing: string,
    steps: readonly Materialization[],
    arrival: Arrival | undefined,
  ): Promise<boolean> {
    const { store } = this.options;
    const { columns, engine } = entry.definition;
    if (!keepsRows(engine)) return false;
    const table = tableOf(entry);
    const present = doubtful ? await store.partitions(table, segment, mergesRows(engine.name)) : [];
    const only = outside(keyParts(engine.partitionKey ?? ''), present);
    const stored = columns.filter(({ kind }) => kind !== 'ALIAS' && kind !== 'EPHEMERAL');
    const list = [...stored.map(({ name }) => quoteName(name)), SEGMENT].join(', ');
    try {
      if ((await store.countLanded(landing, only)) === 0) return false;
      await store.insert(segment, `INSERT INTO ${table} (${list}) SELECT ${list} FROM ${landing} WHERE ${only}`, GIVEN);
      return true;
    } catch (error) {
      if (!isOwnFault(error)) throw error;
      this.tell(steps, error);
      if (arrival?.insertAlone !== undefined) return arrival.insertAlone();
      return true;
    }
  }

  /** Does a step; whoever is told of its own faults, they end nothing else. */
  private async attempt(step: Materialization, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      // The store's own troubles are the drain's business: it tries the segment again.
      if (!isOwnFault(error)) throw error;
      this.tell([step], error);
    }
  }

  private tell(steps: readonly Materialization[], error: unknown): void {
    for (const { pipe } of steps)
      this.options.onFailed({ tenant: pipe.tenant, pipe: pipe.name, error: messageOf(error) });
  }

  /** Puts what a statement makes into a table with the columns of the target. */
  private async put({ segment, entry }: Share, table: string, sql: string): Promise<void> {
    const { catalog, store } = this.options;
    const database = tenantDatabase(entry.tenant);
    const order = factOrder(sql, (name) => catalog.dataSource(entry.tenant, name) !== undefined);
    const made = await store.columns(segment, sql, order, database);
    const columns = entry.definition.columns.filter(({ name, kind }) => made.includes(name) && kind !== 'ALIAS');
    if (columns.length === 0)
      throw new AppError('bad_request', `cannot fill ${entry.name}: the pipe has none of its columns`);
    const list = columns.map(({ name }) => quoteName(name)).join(', ');
    await store.insert(
      segment,
      `INSERT INTO ${table} (${list}, ${SEGMENT}) SELECT ${list}, toUInt64(${segment.id}) AS ${SEGMENT} FROM (\n${sql}\n)`,
      { ...order, ...GIVEN },
      database,
    );
  }

  /** What a step makes of the rows of the segment. */
  private selectOf({ segment }: Share, { pipe, node, trigger }: Materialization, flow: Flow): string {
    const source = this.options.catalog.dataSource(pipe.tenant, trigger);
    const rows = asPipe(trigger, rowsOfSegment(source, segment, flow.get(trigger)?.landing));
    return composePipe(pipe.definition, node.name, renderPlain, { pipes: new Map([[trigger, rows]]) });
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

/** The rows of a segment with all columns of the data source, computed ones included; from `landing` if it has them. */
function rowsOfSegment(source: DataSourceEntry | undefined, segment: SegmentFile, landing: string | undefined): string {
  if (source === undefined) throw new AppError('bad_request', 'cannot read a data source that is gone');
  const columns = source.definition.columns
    .filter(({ kind }) => kind !== 'EPHEMERAL')
    .map(({ name }) => quoteName(name));
  const table = landing ?? tableOf(source);
  return `SELECT ${columns.join(', ')} FROM ${table} WHERE ${SEGMENT} = toUInt64(${segment.id})`;
}

function asPipe(name: string, sql: string): Pipe {
  return { kind: 'pipe', name, nodes: [{ name, sql, type: 'default', settings: {} }], tokens: [], tags: [] };
}

/** Nodes of materializations take no parameters; a template among them renders with its defaults. */
export function renderPlain(node: PipeNode, pipe: Pipe): string {
  return renderTemplate(parseTemplate(node.sql, { node: `${pipe.name}.${node.name}` }), new Map()).sql;
}

function tableOf({ tenant, name }: DataSourceEntry): string {
  return `${quoteName(tenantDatabase(tenant))}.${quoteName(name)}`;
}

/** True for an error that the pipe's own SQL is to blame for. */
function isOwnFault(error: unknown): boolean {
  return error instanceof StoreError ? isOfRow(error) : error instanceof AppError && error.code === 'bad_request';
}
