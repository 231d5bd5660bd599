/**
 * Re-pricing: stored generations get the cost that they have by the present prices. One run at a time, page by page, so that it needs
 * little memory and leaves room for ingestion; after a restart it goes on where it was.
 *
 * Must stay true: the sums of a record are those of what the run changed, however often it was ended: they are written down before
 * the rows are, and rows that are found changed already are not counted again. Rows that came after the run began are left alone: they
 * have the present prices, or newer ones.
 */

import { AppError, messageOf } from '@glasshouse/model';
import type { PriceTable, Pricer } from '@glasshouse/pricing';
import { StoreError } from '@glasshouse/store';
import type { Store } from '@glasshouse/store';
import type { PriceBook } from './prices.ts';
import { addPage, emptyBatch, withBatch } from './reprice-batch.ts';
import { RepriceFacts } from './reprice-facts.ts';
import type { Page, RepriceRange } from './reprice-facts.ts';
import { NO_SUM, Repricings } from './repricings.ts';
import type { RepricingRecord } from './repricings.ts';
import type { RandomBytes } from './secret.ts';

type Pricing = typeof import('@glasshouse/pricing');

export interface RepricerOptions {
  readonly store: Pick<Store, 'command' | 'insertRows' | 'rows' | 'target'>;
  /** The same store for the records of runs, where somebody watches what is written; undefined for nobody. */
  readonly control?: Pick<Store, 'insertRows' | 'rows' | 'target'>;
  readonly book: Pick<PriceBook, 'currentTable'>;
  /** Resolves when everything that was priced before the call is in the store. */
  readonly flush: () => Promise<void>;
  readonly now: () => number;
  readonly random: RandomBytes;
  /** Number of this server: it goes on with its own runs only. */
  readonly node: number;
  /** Told of each run that ends, for the log. */
  readonly onEnded?: (record: RepricingRecord) => void;
  /** Rows that are read at once. */
  readonly pageRows?: number;
  /** Rows that one mutation changes at most, but for what is left of a page. */
  readonly batchRows?: number;
}

export interface WantedRepricing {
  /** Undefined for all tenants. */
  readonly tenant: string | undefined;
  readonly by: string;
  readonly since: Date;
  readonly until: Date;
  readonly dryRun: boolean;
}

const PAGE_ROWS = 5_000;
const BATCH_ROWS = 200_000;
const AWAY_MS = 2_000;
const SAVE_EVERY_MS = 1_000;

interface Running {
  record: RepricingRecord;
  readonly abort: AbortController;
  readonly ended: Promise<RepricingRecord>;
}

export class Repricer {
  readonly records: Repricings;
  private readonly options: RepricerOptions;
  private readonly facts: RepriceFacts;
  private running: Running | undefined;
  private closed = false;

  constructor(options: RepricerOptions) {
    this.options = options;
    this.records = new Repricings(options.control ?? options.store);
    this.facts = new RepriceFacts(options.store);
  }

  /**
   * Begins a run, and resolves when it is written down, so that it is not forgotten by a restart. Rejects with `conflict` while
   * another goes on, `bad_request` for a range that is none, and as the store does.
   */
  async start({ tenant = '', by, since, until, dryRun }: WantedRepricing): Promise<RepricingRecord> {
    if (!(since.getTime() < until.getTime()))
      throw new AppError('bad_request', `cannot reprice since=${since.toISOString()}: it is not before the end`);
    if (this.options.store.target.cluster !== undefined)
      throw new AppError('bad_request', 'cannot reprice the tables of a cluster from here');
    this.demandIdle();
    const at = new Date(this.options.now());
    const record: RepricingRecord = {
      id: this.options.random(6).toString('hex'),
      tenant,
      by,
      status: 'working',
      dryRun,
      since,
      until,
      fromVersions: [],
      toVersion: '',
      sum: NO_SUM,
      progress: 0,
      state: { node: this.options.node, bound: '', day: '', page: 0, applying: undefined, models: {} },
      error: '',
      startedAt: at,
      updatedAt: at,
    };
    await this.run(record, true);
    return record;
  }

  /** Goes on with what this server did not finish before it went away. */
  async resume(): Promise<void> {
    const mine = (await this.records.working()).filter(({ state }) => state.node === this.options.node);
    const [first] = mine.toReversed();
    if (first !== undefined && this.running === undefined && !this.closed) await this.run(first, false);
  }

  /** The record of a run. Rejects with `not_found`. */
  async get(id: string): Promise<RepricingRecord> {
    return this.running?.record.id === id ? this.running.record : this.records.get(id);
  }

  /** Ends a run; what it changed stays changed. Rejects with `not_found`, or `conflict` if it has ended. */
  async cancel(id: string): Promise<RepricingRecord> {
    const { running } = this;
    if (running?.record.id === id) {
      running.abort.abort();
      return running.ended;
    }
    const { status } = await this.records.get(id);
    throw new AppError('conflict', `cannot cancel REPRICING=${id}: its status is ${status}`);
  }

  /** Resolves when the run of this id has ended. */
  async ended(id: string): Promise<RepricingRecord> {
    return this.running?.record.id === id ? this.running.ended : this.records.get(id);
  }

  /** Stops; the next start goes on. */
  async close(): Promise<void> {
    this.closed = true;
    this.running?.abort.abort();
    await this.running?.ended;
  }

  private demandIdle(): void {
    if (this.closed) throw new AppError('unavailable', 'cannot reprice: the server is stopping');
    if (this.running === undefined) return;
    const { id } = this.running.record;
    throw new AppError('conflict', `cannot reprice: run ${id} is under way; wait for it, or cancel it`);
  }

  /** Resolves when the run is on its way, a new one when it is written down. */
  private run(record: RepricingRecord, isNew: boolean): Promise<void> {
    const abort = new AbortController();
    const { promise: ended, resolve } = Promise.withResolvers<RepricingRecord>();
    const running: Running = { record, abort, ended };
    this.running = running;
    const kept = isNew ? this.save(running, {}) : Promise.resolve();
    void kept
      .then(
        () => this.untilEnded(running),
        () => undefined,
      )
      .finally(() => {
        this.running = undefined;
        resolve(running.record);
      });
    return kept;
  }

  /** Never rejects. While the store is away the run waits for it. */
  private async untilEnded(running: Running): Promise<void> {
    for (;;) {
      try {
        await this.work(running);
        await this.save(running, { status: 'done', progress: 100 });
        break;
      } catch (error) {
        if (this.closed) return;
        const isAway = error instanceof StoreError && error.number === 0;
        if (isAway && !running.abort.signal.aborted) {
          await new Promise((resolve) => setTimeout(resolve, AWAY_MS));
          continue;
        }
        const { applying, day } = running.record.state;
        const left = applying === undefined ? '' : `; of ${day}, changes are counted that may not be written`;
        const change = running.abort.signal.aborted
          ? ({ status: 'cancelled', error: left.slice(2) } as const)
          : ({ status: 'error', error: messageOf(error) + left } as const);
        await this.facts.settle(running.record.id).catch(() => undefined);
        await this.save(running, change).catch(() => undefined);
        break;
      }
    }
    this.options.onEnded?.(running.record);
  }

  private async work(running: Running): Promise<void> {
    const { book, flush } = this.options;
    const table = await book.currentTable();
    const pricing = await import('@glasshouse/pricing');
    const pricer = new pricing.Pricer(table);
    await this.begin(running, table, flush);
    const range = rangeOf(running.record);
    const days = await this.facts.days(range);
    const all = days.reduce((sum, { rows }) => sum + rows, 0);
    let past = 0;
    for (const { day, rows } of days) {
      if (day >= running.record.state.day) {
        const progress = (done: number): number => Math.min(99, (100 * (past + done)) / all);
        await this.day(running, day, { range, pricer, pricing }, progress);
      }
      past += rows;
    }
  }

  /** Settles which prices and which rows the run is about. */
  private async begin(running: Running, table: PriceTable, flush: () => Promise<void>): Promise<void> {
    const { toVersion, state } = running.record;
    if (toVersion === '') {
      await this.save(running, { toVersion: table.version });
    } else if (toVersion !== table.version) {
      throw new AppError(
        'conflict',
        `cannot go on: the prices changed since the run began, from version ${toVersion} to ${table.version}; start another`,
      );
    }
    if (state.bound !== '') return;
    await flush();
    await this.save(running, { state: { ...state, bound: await this.facts.bound() } });
  }

  private async day(
    running: Running,
    day: string,
    parts: { readonly range: RepriceRange; readonly pricer: Pricer; readonly pricing: Pricing },
    progress: (rows: number) => number,
  ): Promise<void> {
    const { pageRows = PAGE_ROWS, batchRows = BATCH_ROWS } = this.options;
    const { range } = parts;
    const pages = await this.facts.pages(range, day, pageRows);
    const isSame = running.record.state.day === day;
    let next = isSame ? running.record.state.page : 0;
    let applying = isSame ? running.record.state.applying : undefined;
    let done = pages.slice(0, next).reduce((sum, { rows }) => sum + rows, 0);
    let savedAt = this.options.now();
    while (next < pages.length) {
      const batch = emptyBatch();
      const first = next;
      // What a run before this one was writing is found again, but for what it had written, and counted no more.
      const isCounted = applying === undefined;
      const [end, most] = isCounted ? [pages.length, batchRows] : [applying ?? next, Number.POSITIVE_INFINITY];
      while (next < end && batch.costs.length < most) {
        this.heed(running);
        const page = pages[next++] as Page;
        addPage(batch, await this.facts.read(range, page), parts);
        done += page.rows;
        running.record = { ...running.record, progress: progress(done) };
      }
      const { dryRun, state } = running.record;
      if (isCounted) {
        const counted = withBatch(running.record, batch);
        const writes = !dryRun && batch.costs.length > 0;
        const place = writes ? { page: first, applying: next } : { page: next, applying: undefined };
        const change = { ...counted, state: { ...counted.state, day, ...place } };
        if (writes || this.options.now() - savedAt >= SAVE_EVERY_MS || next === pages.length) {
          await this.save(running, change);
          savedAt = this.options.now();
        } else running.record = { ...running.record, ...change };
      }
      if (!dryRun && batch.costs.length > 0)
        await this.facts.apply(running.record.id, day, state.bound, running.record.toVersion, batch.costs);
      if (!dryRun && (batch.costs.length > 0 || !isCounted))
        await this.save(running, { state: { ...running.record.state, day, page: next, applying: undefined } });
      applying = undefined;
    }
  }

  private heed({ abort }: Running): void {
    if (abort.signal.aborted) throw new AppError('cancelled', 'cannot go on: the run was cancelled');
  }

  private async save(running: Running, change: Partial<RepricingRecord>): Promise<void> {
    const { formatMoney } = await import('@glasshouse/pricing');
    const record = { ...running.record, ...change, updatedAt: new Date(this.options.now()) };
    await this.records.save(record, formatMoney);
    running.record = record;
  }
}

function rangeOf({ tenant, since, until, state }: RepricingRecord): RepriceRange {
  return { tenant, since, until, bound: state.bound };
}
