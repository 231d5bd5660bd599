/**
 * The book of prices: what tenants negotiated and which newer lists were imported, kept in the store, and the table that follows
 * from both and from what is shipped. Whoever prices is told of each change.
 *
 * Must stay true: entries are added and revoked, never changed. Nothing of the shipped prices is loaded before somebody asks for a
 * table, and a table that nobody asks for any more is let go.
 */

import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { AppError } from '@glasshouse/model';
import type { PriceLayer, PriceOverride, PriceRow, PriceTable } from '@glasshouse/pricing';
import type { Store } from '@glasshouse/store';
import { overrideOf } from './price-entry.ts';
import { inForce, layersOf, readList } from './price-lists.ts';
import type { PriceListHead, WantedList } from './price-lists.ts';
import type { RandomBytes } from './secret.ts';

/**
 * What a table of prices is made of, besides what is shipped: plain data that can be posted to a thread, which makes the same table
 * of it by `shippedTable({ overrides }, lists)`.
 */
export interface PriceTables {
  /** Newer lists, the preferred one first. */
  readonly lists: readonly PriceLayer[];
  /** The whole history of all tenants, the oldest entry first. */
  readonly overrides: readonly PriceOverride[];
}

export interface PriceBookOptions {
  readonly store: Pick<Store, 'insertRows' | 'rows' | 'target'>;
  readonly now: () => number;
  readonly random: RandomBytes;
  /** File that keeps what is in force for a start without the store; undefined for none. */
  readonly snapshotPath?: string;
  /** How often the store is asked for changes of other servers, in ms. */
  readonly refreshMs?: number;
}

/** Told of the tables after each change; the change is acknowledged when all have taken it. */
export type OnPrices = (tables: PriceTables) => Promise<void> | void;

interface OverrideRow {
  readonly entry: string;
}

const REFRESH_MS = 15_000;
/** A table that was not asked for during this time is let go. */
const KEEP_MS = 300_000;
/** Entries of one tenant, revoked ones included. */
const MAX_ENTRIES = 5_000;

export class PriceBook {
  private readonly options: PriceBookOptions;
  private readonly listeners = new Set<OnPrices>();
  private readonly timer: NodeJS.Timeout;
  private entries: readonly PriceOverride[] = [];
  private listHeads: readonly PriceListHead[] = [];
  /** What the store said that it has, at the last reading. */
  private mark = '';
  private lastAt = 0;
  private table: Promise<PriceTable> | undefined;
  private release: NodeJS.Timeout | undefined;
  /** Changes go one after the other. */
  private changing: Promise<unknown> = Promise.resolve();

  private constructor(options: PriceBookOptions) {
    this.options = options;
    this.timer = setInterval(() => void this.refresh().catch(() => undefined), options.refreshMs ?? REFRESH_MS);
    this.timer.unref();
  }

  /** Resolves when entries are loaded, or at once, with those of the last time, when the store is down. */
  static async open(options: PriceBookOptions): Promise<PriceBook> {
    const book = new PriceBook(options);
    await book.refresh().catch(() => {
      book.entries = book.saved()?.overrides ?? [];
    });
    return book;
  }

  close(): void {
    clearInterval(this.timer);
    clearTimeout(this.release);
  }

  /** Reads again what changed. Rejects when the store is down; what is known stays. */
  async refresh(): Promise<void> {
    const { store } = this.options;
    const { database } = store.target;
    const [row] = await store.rows<{ mark: string }>(
      `SELECT concat(toString((SELECT (count(), max(version)) FROM ${database}.price_overrides)), ' ',
         toString((SELECT (count(), max(version)) FROM ${database}.price_lists))) AS mark`,
    );
    if (row === undefined || row.mark === this.mark) return;
    const isFirst = this.mark === '';
    const overrides = await store.rows<OverrideRow>(
      `SELECT entry FROM ${database}.price_overrides FINAL ORDER BY recorded_at, id`,
    );
    const heads = await store.rows<OverrideRow>(
      `SELECT entry FROM ${database}.price_lists FINAL ORDER BY recorded_at, id`,
    );
    this.entries = overrides.map(({ entry }) => JSON.parse(entry) as PriceOverride);
    this.listHeads = heads.map(({ entry }) => JSON.parse(entry) as PriceListHead);
    this.mark = row.mark;
    this.forget();
    if (!isFirst || this.entries.length > 0 || this.listHeads.length > 0) await this.tell();
  }

  /** Adds a listener, which is told of changes from now on; what is in force now it can ask for. Returns what removes it. */
  onChange(listener: OnPrices): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Entries of a tenant, revoked ones and revocations included, the newest first. */
  overrides(tenant: string): readonly PriceOverride[] {
    return this.entries.filter((entry) => entry.tenant === tenant).toReversed();
  }

  /** Lists that were imported, the newest first; `isInForce` says which of them count. */
  lists(): readonly (PriceListHead & { readonly isInForce: boolean })[] {
    const standing = new Set(inForce(this.listHeads).map(({ id }) => id));
    return this.listHeads.toReversed().map((head) => ({ ...head, isInForce: standing.has(head.id) }));
  }

  /** True if there is nothing but what is shipped. */
  get isPlain(): boolean {
    return this.entries.length === 0 && inForce(this.listHeads).length === 0;
  }

  /** What is in force. Rejects when the store is down and has lists that were not saved. */
  async tables(): Promise<PriceTables> {
    const standing = inForce(this.listHeads);
    if (this.mark === '') return this.saved() ?? { lists: [], overrides: this.entries };
    return { lists: standing.length === 0 ? [] : layersOf(await this.readRows(standing)), overrides: this.entries };
  }

  /** The table of what is in force. Loads what is shipped at the first call. */
  async currentTable(): Promise<PriceTable> {
    clearTimeout(this.release);
    this.release = setTimeout(() => this.forget(), KEEP_MS);
    this.release.unref();
    this.table ??= this.tables().then(makeTable);
    const made = this.table;
    made.catch(() => this.forget());
    return made;
  }

  /** Records a price or a name of a tenant's own. Rejects with `bad_request`. */
  add(tenant: string, by: string, fields: Readonly<Record<string, unknown>>): Promise<PriceOverride> {
    return this.change(async (at) => {
      const id = this.newId();
      return this.record({
        id,
        tenant,
        recordedAt: new Date(at).toISOString(),
        by,
        ...overrideOf(fields, { tenant, id, by, at }),
      });
    });
  }

  /** Ends an entry of a tenant. Rejects with `not_found`, or `conflict` if it was revoked already. */
  revoke(tenant: string, by: string, id: string, note?: string): Promise<PriceOverride> {
    return this.change(async (at) => {
      const own = this.entries.filter((entry) => entry.tenant === tenant);
      const target = own.find((entry) => entry.id === id);
      if (target === undefined || target.revokes !== undefined)
        throw new AppError('not_found', `cannot revoke PRICE=${id.slice(0, 40)}: the tenant has none of that id`);
      if (own.some(({ revokes }) => revokes === id))
        throw new AppError('conflict', `cannot revoke PRICE=${id}: it was revoked already`);
      return this.record({
        id: this.newId(),
        tenant,
        recordedAt: new Date(at).toISOString(),
        by,
        ...(note === undefined ? {} : { note }),
        revokes: id,
      });
    });
  }

  /** Imports a list, in front of what is there. Rejects with `bad_request` if no table can be made with it. */
  importList(
    by: string,
    wanted: WantedList,
  ): Promise<{ readonly head: PriceListHead; readonly skipped: readonly string[] }> {
    return this.change(async (at) => {
      const { rows, skipped, format } = await readList(wanted);
      const { name, url, via, date } = wanted;
      if (rows.length === 0)
        throw new AppError('bad_request', `cannot import LIST=${name}: it has no price that can be used`);
      const head: PriceListHead = {
        id: this.newId(),
        name,
        format,
        recordedAt: new Date(at).toISOString(),
        by,
        source: { ...(url === undefined ? {} : { url }), ...(via === undefined ? {} : { via }), date },
        rows: rows.length,
        skipped: skipped.length,
      };
      const { lists, overrides } = await this.tables();
      await makeTable({ lists: [...layersOf([{ head, rows }]), ...lists.filter(isNot(name))], overrides });
      await this.keepList(head, rows);
      return { head, skipped };
    });
  }

  /** Takes a list out, with the older ones of its name: what is shipped counts again. Rejects with `not_found`. */
  removeList(by: string, name: string): Promise<PriceListHead> {
    return this.change(async (at) => {
      const former = inForce(this.listHeads).find((head) => head.name === name);
      if (former === undefined)
        throw new AppError('not_found', `cannot take out LIST=${name.slice(0, 80)}: there is none of that name`);
      const head: PriceListHead = {
        ...former,
        id: this.newId(),
        format: 'none',
        recordedAt: new Date(at).toISOString(),
        by,
        rows: 0,
        skipped: 0,
      };
      await this.keepList(head, []);
      return head;
    });
  }

  private async record(entry: PriceOverride): Promise<PriceOverride> {
    const { checkOverride } = await import('@glasshouse/pricing');
    checkOverride(entry, this.entries);
    if (this.entries.filter(({ tenant }) => tenant === entry.tenant).length >= MAX_ENTRIES)
      throw new AppError('too_large', `cannot record the price: the tenant has ${MAX_ENTRIES} entries`);
    await this.options.store.insertRows('price_overrides', [
      { tenant: entry.tenant, id: entry.id, entry: JSON.stringify(entry), ...this.stamp(entry.recordedAt) },
    ]);
    await this.refresh();
    return entry;
  }

  private async keepList(head: PriceListHead, rows: readonly PriceRow[]): Promise<void> {
    await this.options.store.insertRows('price_lists', [
      { id: head.id, entry: JSON.stringify(head), content: JSON.stringify(rows), ...this.stamp(head.recordedAt) },
    ]);
    await this.refresh();
  }

  private stamp(recordedAt: string): object {
    return { recorded_at: recordedAt.slice(0, 23).replace('T', ' '), version: String(Date.parse(recordedAt)) };
  }

  /** Does one change after the other, each with a later time than the one before. */
  private change<Result>(act: (at: number) => Promise<Result>): Promise<Result> {
    const result = this.changing.then(async () => {
      // What another server wrote has to be known, for what is there and for the order.
      await this.refresh();
      const known = [...this.entries, ...this.listHeads].map(({ recordedAt }) => Date.parse(recordedAt));
      this.lastAt = Math.max(this.options.now(), this.lastAt + 1, 1 + known.reduce((a, b) => Math.max(a, b), 0));
      return act(this.lastAt);
    });
    this.changing = result.catch(() => undefined);
    return result;
  }

  private async readRows(
    heads: readonly PriceListHead[],
  ): Promise<{ readonly head: PriceListHead; readonly rows: PriceRow[] }[]> {
    const { store } = this.options;
    const found = await store.rows<{ id: string; content: string }>(
      `SELECT id, content FROM ${store.target.database}.price_lists FINAL WHERE id IN {ids:Array(String)}`,
      { params: { ids: heads.map(({ id }) => id) } },
    );
    const contents = new Map(found.map(({ id, content }) => [id, content]));
    return heads.map((head) => ({ head, rows: JSON.parse(contents.get(head.id) ?? '[]') as PriceRow[] }));
  }

  private async tell(): Promise<void> {
    const tables = await this.tables();
    this.save(tables);
    for (const listener of this.listeners) await listener(tables);
  }

  private forget(): void {
    this.table = undefined;
  }

  private newId(): string {
    return this.options.random(6).toString('hex');
  }

  private save(tables: PriceTables): void {
    const { snapshotPath } = this.options;
    if (snapshotPath === undefined) return;
    writeFileSync(`${snapshotPath}.tmp`, JSON.stringify(tables), { mode: 0o600 });
    renameSync(`${snapshotPath}.tmp`, snapshotPath);
  }

  private saved(): PriceTables | undefined {
    const { snapshotPath } = this.options;
    try {
      return snapshotPath === undefined ? undefined : (JSON.parse(readFileSync(snapshotPath, 'utf8')) as PriceTables);
    } catch {
      return undefined;
    }
  }
}

/** The table that follows from what is in force. Loads what is shipped. */
async function makeTable({ lists, overrides }: PriceTables): Promise<PriceTable> {
  const { shippedTable } = await import('@glasshouse/pricing');
  return shippedTable({ overrides }, lists);
}

function isNot(name: string): (layer: PriceLayer) => boolean {
  return (layer) => !layer.name.startsWith(`list ${name} of `);
}
