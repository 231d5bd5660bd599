/**
 * The statements of a re-pricing: which rows there are, reading them page by page, and writing new costs into them.
 *
 * Must stay true: rows are changed in place, by a mutation of four columns. No row comes or goes and no row's segment changes, so
 * the ledger of the hand-over says what it said before.
 */

import { AppError } from '@glasshouse/model';
import { quoteName } from '@glasshouse/store';
import type { Store } from '@glasshouse/store';
import { PRICE_SELECT } from './stored-generation.ts';
import type { StoredGeneration } from './stored-generation.ts';

/** Which rows are looked at. */
export interface RepriceRange {
  /** Empty for all tenants. */
  readonly tenant: string;
  readonly since: Date;
  readonly until: Date;
  /** The greatest segment that counts. */
  readonly bound: string;
}

/** A part of a day that is read at once: seconds, or a part of one that has too many rows. */
export interface Page {
  /** In milliseconds since 1970. */
  readonly from: number;
  readonly until: number;
  readonly part: number;
  readonly parts: number;
  readonly rows: number;
}

/** What is written into a row. Amounts are decimal texts. */
export interface NewCost {
  readonly id: string;
  readonly cost: string | null;
  readonly parts: Readonly<Record<string, string>>;
  readonly priceRow: string;
}

/** A row as it is read. */
export interface ReadGeneration extends StoredGeneration {
  readonly tenant_id: string;
  readonly duplicate: boolean;
  readonly stored_parts: Readonly<Record<string, string>>;
}

const INSERT_ROWS = 20_000;
const POLL_MS = [20, 50, 100, 250, 500, 1_000] as const;

export class RepriceFacts {
  private readonly store: Pick<Store, 'command' | 'insertRows' | 'rows' | 'target'>;

  constructor(store: Pick<Store, 'command' | 'insertRows' | 'rows' | 'target'>) {
    this.store = store;
  }

  /** The greatest segment that is stored, as a decimal text. */
  async bound(): Promise<string> {
    const [row] = await this.store.rows<{ bound: string }>(
      `SELECT toString(max(_segment)) AS bound FROM ${this.table}`,
    );
    return row?.bound ?? '0';
  }

  /** The days that have rows, `YYYY-MM-DD`, the oldest first, with their numbers of rows. */
  async days(range: RepriceRange): Promise<{ readonly day: string; readonly rows: number }[]> {
    const found = await this.store.rows<{ day: string; rows: string }>(
      `SELECT toString(toDate(time)) AS day, toString(count()) AS rows FROM ${this.table}
       WHERE ${conditions(range)} GROUP BY day ORDER BY day`,
      { params: paramsOf(range) },
    );
    return found.map(({ day, rows }) => ({ day, rows: Number(rows) }));
  }

  /** The pages of a day, of at most `pageRows` rows; the same at each call. */
  async pages(range: RepriceRange, day: string, pageRows: number): Promise<Page[]> {
    const seconds = await this.store.rows<{ second: number | string; rows: string }>(
      `SELECT toUnixTimestamp(toDateTime(time, 'UTC')) AS second, toString(count()) AS rows FROM ${this.table}
       WHERE toDate(time) = {day:Date} AND ${conditions(range)} GROUP BY second ORDER BY second`,
      { params: { ...paramsOf(range), day } },
    );
    return pack(
      seconds.map(({ second, rows }) => ({ from: Number(second) * 1000, rows: Number(rows) })),
      pageRows,
    );
  }

  read(range: RepriceRange, { from, until, part, parts }: Page): Promise<ReadGeneration[]> {
    return this.store.rows<ReadGeneration>(
      `SELECT ${PRICE_SELECT.join(', ')}, tenant_id, duplicate,
         mapApply((kind, money) -> (kind, toString(money)), cost_parts) AS stored_parts FROM ${this.table}
       WHERE time >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND time < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
         AND cityHash64(generation_id) % {parts:UInt32} = {part:UInt32} AND ${conditions(range)}`,
      { params: { ...paramsOf(range), from, end: until, part, parts } },
    );
  }

  /** Writes new costs into rows of one day, and resolves when all of them are written. Can be done again. */
  async apply(id: string, day: string, bound: string, version: string, costs: readonly NewCost[]): Promise<void> {
    const { store } = this;
    await this.settle(id);
    // A table that lives in memory, keyed by the row: what a mutation can look values up in.
    await store.command(
      `CREATE TABLE ${this.staged(id)} (id String, cost Nullable(Decimal(38, 12)),
         cost_parts Map(LowCardinality(String), Decimal(38, 12)), price_row LowCardinality(String)) ENGINE = Join(ANY, LEFT, id)`,
    );
    for (let at = 0; at < costs.length; at += INSERT_ROWS) {
      await store.insertRows(
        stagingName(id),
        costs.slice(at, at + INSERT_ROWS).map((one) => ({
          id: one.id,
          cost: one.cost,
          cost_parts: one.parts,
          price_row: one.priceRow,
        })),
      );
    }
    const column = (name: string): string =>
      `${name} = joinGet('${store.target.database}.${stagingName(id)}', '${name}', toString(generation_id))`;
    await store.command(
      `ALTER TABLE ${this.table} UPDATE ${['cost', 'cost_parts', 'price_row'].map(column).join(', ')},
         price_version = {version:String} IN PARTITION {day:String}
       WHERE _segment <= {bound:UInt64} AND toString(generation_id) IN (SELECT id FROM ${this.staged(id)})`,
      { params: { version, day, bound }, settings: { mutations_sync: 0 } },
    );
    await this.settle(id);
  }

  /** Waits for what this run still writes, and removes what it needs for it. Rejects with `internal` if it cannot be written. */
  async settle(id: string): Promise<void> {
    const { store } = this;
    const params = { database: store.target.database, name: stagingName(id) };
    const mine = "database = {database:String} AND table = 'generations' AND position(command, {name:String}) > 0";
    for (let turn = 0; ; turn++) {
      const [row] = await store.rows<{ left: string; reason: string }>(
        `SELECT toString(count()) AS left, anyIf(latest_fail_reason, latest_fail_reason != '') AS reason
         FROM system.mutations WHERE NOT is_done AND ${mine}`,
        { params },
      );
      if (row === undefined || row.left === '0') break;
      if (row.reason !== '') {
        await store.command(`KILL MUTATION WHERE NOT is_done AND ${mine}`, { params });
        throw new AppError('internal', `cannot write the new costs: ${row.reason}`);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS[turn] ?? 1_000));
    }
    await store.command(`DROP TABLE IF EXISTS ${this.staged(id)} SYNC`);
  }

  private get table(): string {
    return `${quoteName(this.store.target.database)}.generations`;
  }

  private staged(id: string): string {
    return `${quoteName(this.store.target.database)}.${quoteName(stagingName(id))}`;
  }
}

function stagingName(id: string): string {
  return `repricing_${id}`;
}

function conditions({ tenant }: RepriceRange): string {
  return (
    "time >= fromUnixTimestamp64Milli({since:Int64}, 'UTC') AND time < fromUnixTimestamp64Milli({until:Int64}, 'UTC') " +
    `AND _segment <= {bound:UInt64}${tenant === '' ? '' : ' AND tenant_id = {tenant:String}'}`
  );
}

function paramsOf({ tenant, since, until, bound }: RepriceRange): Readonly<Record<string, unknown>> {
  return { since: since.getTime(), until: until.getTime(), bound, ...(tenant === '' ? {} : { tenant }) };
}

/** Seconds that follow one another, together as long as they fit; a second that doesn't fit by itself in parts. */
export function pack(seconds: readonly { readonly from: number; readonly rows: number }[], pageRows: number): Page[] {
  const pages: Page[] = [];
  let open: { from: number; until: number; rows: number } | undefined;
  const close = (): void => {
    if (open !== undefined) pages.push({ ...open, part: 0, parts: 1 });
    open = undefined;
  };
  for (const { from, rows } of seconds) {
    const until = from + 1000;
    if (rows > pageRows) {
      close();
      const parts = Math.ceil(rows / pageRows);
      for (let part = 0; part < parts; part++) pages.push({ from, until, part, parts, rows: Math.ceil(rows / parts) });
    } else if (open !== undefined && open.rows + rows <= pageRows)
      open = { from: open.from, until, rows: open.rows + rows };
    else {
      close();
      open = { from, until, rows };
    }
  }
  close();
  return pages;
}
