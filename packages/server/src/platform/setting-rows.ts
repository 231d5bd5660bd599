/**
 * Settings of tenants by name, as rows of the store: cached whole, read again in intervals because other servers change them
 * too, and kept in a file for a start without the store.
 *
 * Must stay true: what was written here counts at once. What cannot be read is no reason to forget what was known.
 */

import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Store } from '@glasshouse/store';
import { dateTime } from './rows.ts';

export interface SettingRowsOptions<T> {
  readonly store: Pick<Store, 'insertRows' | 'rows' | 'target'>;
  readonly table: 'mirrors' | 'source_switches';
  /** Reads what `JSON.parse` gave of a row that this class wrote. */
  readonly read: (value: unknown) => T;
  readonly now: () => number;
  /** File for a start without the store. */
  readonly path: string;
}

/** A setting and whose it is. */
export interface Setting<T> {
  readonly tenant: string;
  readonly name: string;
  readonly value: T;
}

interface Row {
  readonly tenant: string;
  readonly name: string;
  readonly settings: string;
}

const TICK_MS = 5_000;

export class SettingRows<T> {
  /** True once the settings were read, from the store or from the file. */
  isKnown = false;
  /** Called when what is known has changed. */
  onChanged: (() => void) | undefined;
  private readonly options: SettingRowsOptions<T>;
  private readonly timer: NodeJS.Timeout;
  private rows = new Map<string, Setting<T>>();
  private saved = '[]';
  private version = 0;

  private constructor(options: SettingRowsOptions<T>) {
    this.options = options;
    this.load();
    this.timer = setInterval(() => void this.refresh().catch(() => undefined), TICK_MS);
    this.timer.unref();
  }

  /** Resolves when the settings are read, or at once when the store is down: then those of the file hold. */
  static async open<T>(options: SettingRowsOptions<T>): Promise<SettingRows<T>> {
    const settings = new SettingRows(options);
    await settings.refresh().catch(() => undefined);
    return settings;
  }

  get size(): number {
    return this.rows.size;
  }

  get(tenant: string, name: string): T | undefined {
    return this.rows.size === 0 ? undefined : this.rows.get(keyOf(tenant, name))?.value;
  }

  /** All settings, or those of a tenant, sorted. */
  list(tenant?: string): readonly Setting<T>[] {
    return [...this.rows]
      .filter(([, one]) => tenant === undefined || one.tenant === tenant)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([, one]) => one);
  }

  /** Writes a setting, or takes it away. Rejects with `unavailable` when the store is down. */
  async write(tenant: string, name: string, value: T | undefined): Promise<void> {
    const { store, table, now } = this.options;
    this.version = Math.max(now(), this.version + 1);
    await store.insertRows(table, [
      {
        tenant,
        name,
        settings: JSON.stringify(value ?? {}),
        updated_at: dateTime(new Date(now())),
        deleted: value === undefined,
        version: String(this.version),
      },
    ]);
    const rows = new Map(this.rows);
    if (value === undefined) rows.delete(keyOf(tenant, name));
    else rows.set(keyOf(tenant, name), { tenant, name, value });
    this.take(rows);
  }

  /** Reads the settings again. Rejects when the store is down; the cached ones stay. */
  async refresh(): Promise<void> {
    const { store, table } = this.options;
    const asked = this.version;
    const rows = await store.rows<Row>(
      `SELECT tenant, name, settings FROM ${store.target.database}.${table} FINAL WHERE NOT deleted`,
    );
    // What was written here meanwhile is newer.
    if (asked === this.version) this.take(this.read(rows));
  }

  close(): void {
    clearInterval(this.timer);
  }

  private read(rows: readonly Row[]): Map<string, Setting<T>> {
    return new Map(
      rows.map(({ tenant, name, settings }) => [
        keyOf(tenant, name),
        { tenant, name, value: this.options.read(JSON.parse(settings)) },
      ]),
    );
  }

  private take(rows: Map<string, Setting<T>>): void {
    this.rows = rows;
    const text = JSON.stringify(
      this.list().map(({ tenant, name, value }): Row => ({ tenant, name, settings: JSON.stringify(value) })),
    );
    const isNew = text !== this.saved || !this.isKnown;
    this.isKnown = true;
    if (text !== this.saved) this.save(text);
    if (isNew) this.onChanged?.();
  }

  private load(): void {
    try {
      const text = readFileSync(this.options.path, 'utf8');
      this.rows = this.read(JSON.parse(text) as readonly Row[]);
      this.saved = text;
      this.isKnown = true;
    } catch {
      // There is none, or it is broken: then the store has to be asked.
    }
  }

  private save(text: string): void {
    const { path } = this.options;
    writeFileSync(`${path}.tmp`, text, { mode: 0o600, flush: true });
    renameSync(`${path}.tmp`, path);
    this.saved = text;
  }
}

function keyOf(tenant: string, name: string): string {
  return JSON.stringify([tenant, name]);
}
