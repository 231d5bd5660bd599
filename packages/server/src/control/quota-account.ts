/**
 * What a tenant, or a project of it, has used, and how that stands to its quota. Pure: time is handed in, nothing is read or
 * written. Separate from the quotas because this is what every request meets.
 *
 * Must stay true: asking and counting take the same few steps whatever the traffic; nothing is made for a request.
 */

/** What can be limited. */
export const QUOTA_KINDS = ['eventsPerSecond', 'bytesPerDay', 'storedBytes', 'spendPerDay'] as const;
export type QuotaKind = (typeof QUOTA_KINDS)[number];

/** Most of each; what is absent is unlimited. Spend is in US dollars; a day is one of UTC. */
export type QuotaLimits = Readonly<Partial<Record<QuotaKind, number>>>;

export interface Quota {
  readonly limits: QuotaLimits;
  /** Share of a limit from which on there are warnings: 0.8. */
  readonly warnAt: number;
}

export type QuotaUse = Readonly<Record<QuotaKind, number>>;

/** A limit that is reached, or near. */
export interface Reached {
  readonly kind: QuotaKind;
  readonly use: number;
  readonly limit: number;
  /** Until there is room again, at a guess, in seconds. */
  readonly retryAfterSeconds: number;
}

/** What of an account outlives the process. */
export interface SavedUse {
  readonly day: number;
  readonly bytes: number;
  readonly spend: number;
}

const DAY_SECONDS = 86_400;
const NONE: readonly Reached[] = [];
/** One request may bring more rows than may come in a second; those after it wait for this long at most. */
const MAX_DEBT_SECONDS = 10;
/** Nobody is told to stay away for longer: a quota may be raised, and rows may go. */
const MAX_RETRY_SECONDS = 60;

export class QuotaAccount {
  quota: Quota | undefined;
  /** When each kind was last seen to be near, in ms. */
  readonly nearAtMs = new Map<QuotaKind, number>();
  private second = 0;
  private events = 0;
  private eventsBefore = 0;
  /** Rows that may come at once; below zero there were more than may come in a second. */
  private room = 0;
  private filledAtMs = 0;
  private day = 0;
  private bytes = 0;
  private spend = 0;
  private stored = 0;

  /** Counts what was taken. */
  count(nowMs: number, rows: number, bytes: number): void {
    this.turn(nowMs);
    this.events += rows;
    this.bytes += bytes;
    const perSecond = this.quota?.limits.eventsPerSecond;
    if (perSecond !== undefined) this.room = Math.max(this.room - rows, -perSecond * MAX_DEBT_SECONDS);
  }

  addSpend(nowMs: number, dollars: number): void {
    this.turn(nowMs);
    this.spend += dollars;
  }

  setStored(bytes: number): void {
    this.stored = bytes;
  }

  /** The limit that lets nothing more in; undefined if there is room. */
  reached(nowMs: number): Reached | undefined {
    if (this.quota === undefined) return undefined;
    this.turn(nowMs);
    const { eventsPerSecond, bytesPerDay, storedBytes, spendPerDay } = this.quota.limits;
    if (eventsPerSecond !== undefined && this.room <= 0)
      return this.reachedOf('eventsPerSecond', eventsPerSecond, Math.ceil((1 - this.room) / eventsPerSecond));
    if (bytesPerDay !== undefined && this.bytes >= bytesPerDay)
      return this.reachedOf('bytesPerDay', bytesPerDay, restOfDay(nowMs));
    if (storedBytes !== undefined && this.stored >= storedBytes)
      return this.reachedOf('storedBytes', storedBytes, MAX_RETRY_SECONDS);
    if (spendPerDay !== undefined && this.spend >= spendPerDay)
      return this.reachedOf('spendPerDay', spendPerDay, restOfDay(nowMs));
    return undefined;
  }

  /** Limits that are near. */
  near(nowMs: number): readonly Reached[] {
    if (this.quota === undefined) return NONE;
    this.turn(nowMs);
    const { limits, warnAt } = this.quota;
    // Mostly nothing is, and then nothing is made.
    let found: Reached[] | undefined;
    for (const kind of QUOTA_KINDS) {
      const limit = limits[kind];
      if (limit !== undefined && this.useOf(kind) >= limit * warnAt)
        (found ??= []).push(this.reachedOf(kind, limit, 1));
    }
    return found ?? NONE;
  }

  /** Events are those of the last full second, or of the present one if there are more. */
  use(nowMs: number): QuotaUse {
    this.turn(nowMs);
    const [eventsPerSecond, bytesPerDay, storedBytes, spendPerDay] = QUOTA_KINDS.map((kind) => this.useOf(kind)) as [
      number,
      number,
      number,
      number,
    ];
    return { eventsPerSecond, bytesPerDay, storedBytes, spendPerDay };
  }

  saved(): SavedUse {
    return { day: this.day, bytes: this.bytes, spend: this.spend };
  }

  restore({ day, bytes, spend }: SavedUse): void {
    if (day < this.day) return;
    this.day = day;
    this.bytes += bytes;
    this.spend += spend;
  }

  private useOf(kind: QuotaKind): number {
    switch (kind) {
      case 'eventsPerSecond':
        return Math.max(this.events, this.eventsBefore);
      case 'bytesPerDay':
        return this.bytes;
      case 'storedBytes':
        return this.stored;
      case 'spendPerDay':
        return this.spend;
    }
  }

  private reachedOf(kind: QuotaKind, limit: number, seconds: number): Reached {
    return { kind, use: this.useOf(kind), limit, retryAfterSeconds: Math.min(MAX_RETRY_SECONDS, Math.max(1, seconds)) };
  }

  /** Begins the present second and day, and lets in what has flowed until now. */
  private turn(nowMs: number): void {
    const second = Math.floor(nowMs / 1000);
    if (second !== this.second) {
      this.eventsBefore = second === this.second + 1 ? this.events : 0;
      this.events = 0;
      this.second = second;
      const day = Math.floor(second / DAY_SECONDS);
      if (day !== this.day) {
        this.day = day;
        this.bytes = 0;
        this.spend = 0;
      }
    }
    const perSecond = this.quota?.limits.eventsPerSecond;
    if (perSecond === undefined) return;
    this.room = Math.min(perSecond, this.room + (Math.max(0, nowMs - this.filledAtMs) / 1000) * perSecond);
    this.filledAtMs = nowMs;
  }
}

function restOfDay(nowMs: number): number {
  return DAY_SECONDS - (Math.floor(nowMs / 1000) % DAY_SECONDS);
}
