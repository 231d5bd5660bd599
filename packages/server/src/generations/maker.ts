/**
 * Generations out of what comes in: spans that carry the marks of a call, and lines of data sources that report calls, become
 * rows with a cost, in the same commit as the span or the line itself.
 *
 * Must stay true: what is no generation, or cannot be one (a time that isn't kept, a filter that only the engine can tell), is left
 * out without a word to the sender: its span or line is stored all the same.
 */

import {
  Instant,
  keptValues,
  LINE_DIALECTS,
  markerKeys,
  placeOf,
  SPAN_DIALECTS,
  SpanSlots,
  TextRange,
} from '@glasshouse/generations';
import type { PackedValue, PackedValues } from '@glasshouse/generations';
import { DEFAULT_PLACEMENT, NAME_PATTERN } from '@glasshouse/model';
import type { Placement } from '@glasshouse/model';
import type { Block } from '@glasshouse/native';
import type { Envelope } from '../otlp/envelope.ts';
import type { TimeWindow } from '../otlp/reject.ts';
import type { SpanWatch } from '../otlp/spans.ts';
import type { Wire } from '../otlp/wire.ts';
import { CallKeys } from './call-keys.ts';
import { CallLines } from './call-lines.ts';
import { GenerationBlock } from './columns.ts';
import { equalities } from './filter.ts';
import type { LineReason } from './line-reasons.ts';
import { momentAt, momentOf } from './moment.ts';
import type { Moment } from './moment.ts';
import { NestedCalls } from './nested.ts';
import { Prices } from './prices.ts';
import type { KnownPrices } from './prices.ts';
import { SeenCalls } from './seen.ts';
import { Spending } from './spending.ts';
import type { Spent } from './spending.ts';
import { storedRow } from './stored-calls.ts';
import type { StoredCall } from './stored-calls.ts';
import { CallSpans } from './spans.ts';

const TIME = placeOf('time');
const PROJECT = placeOf('project_name');
const ENVIRONMENT = placeOf('deployment_environment');
const RESPONSE = placeOf('response_id');
const TRACE = placeOf('trace_id');
const SPAN = placeOf('span_id');
const CALL = placeOf('call_id');
const CACHE_HIT = placeOf('cache_hit');
const DIALECT = placeOf('dialect');

/** Ids of answers that are shorter are made up by clients, and repeat. */
const MIN_RESPONSE_ID = 16;

/** Lines of a request, as far as generations are concerned. */
export interface LinesFrom {
  readonly tenant: string;
  /** Condition on the rows that the sender may write; empty for none. */
  readonly filter: string;
  /** The project and the environment of the sender's key; undefined where lines say themselves whose they are. */
  readonly placement?: Placement | undefined;
  /** The line without what may not be stored of a place; undefined where the lines are without it already. */
  readonly redacted?: ((line: string, placement: Placement) => string) | undefined;
}

/** Makes the line in `bytes[start, end)` a generation; returns why it is none, and nothing was made, or undefined. */
export type LineReader = (bytes: Buffer, start: number, end: number, isValid: boolean) => LineReason | undefined;

/** A row before it is priced. */
interface Made {
  readonly row: PackedValues;
  readonly placement: Placement;
  readonly time: Moment;
}

const PICO = 1e-12;

/** A request has a call, and it is not known yet which calls there were before the start. Nothing of the request was taken. */
export class CallsUnknown extends Error {
  constructor() {
    super('cannot tell yet whether a call was reported before the start');
  }
}

export class Generations implements SpanWatch {
  /** Whether the calls of before the start are still being read. Then a request with a call throws `CallsUnknown`. */
  areCallsUnknown = false;
  readonly keys = markerKeys(SPAN_DIALECTS);
  private readonly columns = new GenerationBlock();
  private readonly seen = new SeenCalls();
  /** Of the call that is looked at. */
  private readonly keysOfCall = new CallKeys();
  private readonly nested = new NestedCalls();
  /** Rows of the request that may be of spans around others, which may come behind them. */
  private waiting: { readonly row: PackedValues; readonly placement: Placement }[] = [];
  private readonly callSpans = new CallSpans(new SpanSlots(SPAN_DIALECTS));
  private readonly callLines = new CallLines(LINE_DIALECTS);
  private readonly prices = new Prices();
  /** Of rows that are not committed yet. */
  private readonly spent = new Spending();
  private readonly now: () => number;

  constructor(now: () => number) {
    this.now = now;
  }

  get block(): Block {
    return this.columns.block;
  }

  spans(wire: Wire, ranges: readonly number[], envelope: Envelope): void {
    const common = this.callSpans.common(wire, envelope);
    for (let at = 0; at < ranges.length; at += 2) {
      const row = this.callSpans.read(wire, ranges[at] as number, ranges[at + 1] as number, common);
      if (row === undefined) continue;
      const { placement } = envelope;
      this.nested.learn(row, placement.tenant);
      if (hasResponseId(row)) this.add({ row, placement, time: this.timeOf(row) });
      else this.waiting.push({ row: keptValues(row), placement });
    }
  }

  /** The spans of the request are read. */
  settle(): void {
    for (const { row, placement } of this.waiting)
      this.add({ row, placement, time: this.timeOf(row) }, this.nested.isAround(row, placement.tenant));
    this.waiting = [];
  }

  /** How the lines of a request are looked at; undefined if none of them can become a generation. */
  lines({ tenant, filter, placement, redacted }: LinesFrom, window: TimeWindow): LineReader | undefined {
    const wanted = equalities(filter);
    if (wanted === undefined) return undefined;
    return (bytes, start, end, isValid) => {
      let row = this.callLines.read(bytes, start, end, isValid);
      if (row === undefined) return 'no_call';
      const time = this.timeOf(row);
      const late = lateness(time, window);
      if (late !== undefined) return late;
      if (wanted.size > 0 && !meets(bytes.toString('utf8', start, end), wanted)) return 'filtered';
      const own = {
        tenant,
        project: placement?.project ?? nameOr(row[PROJECT], DEFAULT_PLACEMENT.project),
        environment: placement?.environment ?? nameOr(row[ENVIRONMENT], DEFAULT_PLACEMENT.environment),
      };
      if (redacted !== undefined) row = this.callLines.readText(redacted(bytes.toString('utf8', start, end), own));
      if (row === undefined) return 'no_call';
      this.add({ row, placement: own, time });
      return undefined;
    };
  }

  /** Lets these prices count from now on. */
  price(known: KnownPrices): void {
    this.prices.use(known);
  }

  /** Lets calls be seen whose rows are stored since before a start. */
  remember(calls: readonly StoredCall[]): void {
    for (const call of calls) this.seen.remember(keysOf(storedRow(call), call[0], this.keysOfCall));
  }

  mark(): void {
    this.block.mark();
    this.seen.mark();
    this.nested.mark();
    this.spent.mark();
  }

  rollback(): void {
    this.block.rollback();
    this.seen.rollback();
    this.nested.rollback();
    this.waiting = [];
    this.spent.rollback();
  }

  /** The block was given to the log. Returns what its rows cost. */
  sent(): readonly Spent[] {
    this.seen.send();
    this.nested.send();
    return this.spent.take();
  }

  /** What was given to the log is durable. */
  kept(): void {
    this.seen.keep();
    this.nested.keep();
  }

  /** It is not, and comes again. So must the rows since: they may be marked as duplicates of it. */
  lost(): void {
    this.seen.lose();
    this.nested.lose();
    this.spent.take();
    this.block.reset();
  }

  private add({ row, placement, time }: Made, isAround = false): void {
    if (this.areCallsUnknown) throw new CallsUnknown();
    const duplicate = this.seen.see(keysOf(row, placement.tenant, this.keysOfCall)) || isAround;
    const { total, version } = this.prices.of(row, time.ms, placement.tenant);
    this.columns.append({ placement, row, time, duplicate, total, version });
    if (duplicate || total.money === undefined || total.money === 0n) return;
    this.spent.add(placement, Number(total.money) * PICO);
  }

  /** When the request was made; the present if nobody says. */
  private timeOf(row: PackedValues): Moment {
    const time = row[TIME];
    return time instanceof Instant ? momentOf(time) : momentAt(this.now());
  }
}

/** By what a call is known: the provider's id of its answer, its span, the client's id of it. */
function keysOf(row: PackedValues, tenant: string, keys: CallKeys): CallKeys {
  const [trace, span, call] = [row[TRACE], row[SPAN], row[CALL]];
  keys.clear();
  // A gateway's cache answers again with the id of the first answer.
  if (hasResponseId(row) && row[CACHE_HIT] !== true) {
    keys.begin().text(tenant).text('response').value(row[RESPONSE]).end();
  }
  if (isText(trace) && isText(span)) keys.begin().text(tenant).text('span').value(trace).value(span).end();
  if (isText(call)) keys.begin().text(tenant).text('call').value(row[DIALECT]).value(call).end();
  return keys;
}

function hasResponseId(row: PackedValues): boolean {
  const id = row[RESPONSE];
  return id instanceof TextRange ? id.isLongerThan(MIN_RESPONSE_ID - 1) : isText(id) && id.length >= MIN_RESPONSE_ID;
}

/** Whether there is something in a text's place. */
function isText(value: PackedValue | undefined): value is string | TextRange {
  return value instanceof TextRange || (typeof value === 'string' && value !== '');
}

/** Why the table would not keep the time of a row; undefined if it does. */
function lateness({ high }: Moment, { oldestHigh, newestHigh }: TimeWindow): LineReason | undefined {
  return high < oldestHigh ? 'time_old' : high > newestHigh ? 'time_future' : undefined;
}

function meets(line: string, wanted: ReadonlyMap<string, string>): boolean {
  const value = JSON.parse(line) as Readonly<Record<string, unknown>>;
  for (const [key, text] of wanted) if (!Object.hasOwn(value, key) || value[key] !== text) return false;
  return true;
}

function nameOr(name: unknown, otherwise: string): string {
  return typeof name === 'string' && NAME_PATTERN.test(name) ? name : otherwise;
}
