/**
 * Whether a data source takes events at present, and what share of them; and what share of them is mirrored. Set by name, so that a
 * source can be switched off before it is there.
 *
 * Must stay true: it holds for every request that comes after the answer to its change. What is left out is counted.
 */

import { AppError } from '@glasshouse/model';
import type { OnChange } from '../control/audit-entry.ts';
import { checkName } from '../control/tenants.ts';
import type { Setting, SettingRowsOptions } from './setting-rows.ts';
import { SettingRows } from './setting-rows.ts';

export interface SourceSwitch {
  readonly enabled: boolean;
  /** Of the events that are sent these are taken. */
  readonly percent: number;
  /** And these go to the mirror; undefined for what the mirror says. */
  readonly mirrorPercent?: number | undefined;
  /** Field that decides which; empty for the whole event. */
  readonly key: string;
}

/** What a receiver is told of a data source. */
export interface Admitted {
  readonly isOff: boolean;
  readonly share: { readonly percent: number; readonly key: string } | undefined;
}

/** Events that were not taken since the start. */
export interface LeftOut {
  /** Requests that were answered while the source was off; nobody looked what is in them. */
  requests: number;
  /** Events outside of the share. */
  events: number;
}

export interface SourceSwitchesOptions extends Pick<SettingRowsOptions<SourceSwitch>, 'now' | 'path' | 'store'> {
  readonly onChange?: OnChange;
}

const TAKES_ALL: SourceSwitch = { enabled: true, percent: 100, key: '' };

const OPEN: Admitted = { isOff: false, share: undefined };
const OFF: Admitted = { isOff: true, share: undefined };
/** As data sources are named. */
const NAME = /^[A-Za-z_]\w{0,127}$/u;
const KEY = /^\P{Cc}{0,200}$/u;

export class SourceSwitches {
  /** Over all sources. */
  readonly counts: LeftOut = { requests: 0, events: 0 };
  private readonly rows: SettingRows<SourceSwitch>;
  private readonly onChange: OnChange | undefined;
  private readonly left = new Map<string, LeftOut>();

  private constructor(rows: SettingRows<SourceSwitch>, onChange: OnChange | undefined) {
    this.rows = rows;
    this.onChange = onChange;
  }

  static async open({ onChange, ...options }: SourceSwitchesOptions): Promise<SourceSwitches> {
    const rows = await SettingRows.open({ ...options, table: 'source_switches', read: (value) => readSwitch(value) });
    return new SourceSwitches(rows, onChange);
  }

  /** Whether events for a data source are taken now, and which. */
  admit(tenant: string, name: string): Admitted {
    const found = this.rows.get(tenant, name);
    if (found === undefined) return OPEN;
    if (!found.enabled) return OFF;
    return found.percent >= 100 ? OPEN : { isOff: false, share: { percent: found.percent, key: found.key } };
  }

  find(tenant: string, name: string): SourceSwitch | undefined {
    return this.rows.get(tenant, name);
  }

  list(tenant?: string): readonly Setting<SourceSwitch>[] {
    return this.rows.list(tenant);
  }

  /** Counts what was not taken. */
  leave(tenant: string, name: string, { requests, events }: LeftOut): void {
    const one = this.leftOf(tenant, name);
    for (const counts of [one, this.counts]) {
      counts.requests += requests;
      counts.events += events;
    }
    this.left.set(JSON.stringify([tenant, name]), one);
  }

  /** What was not taken of a source since the start. */
  leftOf(tenant: string, name: string): LeftOut {
    return this.left.get(JSON.stringify([tenant, name])) ?? { requests: 0, events: 0 };
  }

  /** Changes what is given of a source's switch. Rejects with `bad_request` for what is none. */
  async set(tenant: string, name: string, change: Readonly<Record<string, unknown>>): Promise<Setting<SourceSwitch>> {
    checkName('tenant', tenant);
    if (!NAME.test(name))
      throw new AppError(
        'bad_request',
        `cannot set source=${JSON.stringify(name.slice(0, 80))}: it is no name of a data source`,
      );
    const before = this.rows.get(tenant, name);
    const value = readSwitch(change, before);
    await this.rows.write(tenant, name, value);
    this.onChange?.({ action: 'source.set', tenant, target: name, before: before ?? null, after: value });
    return { tenant, name, value };
  }

  /** Lets the source take everything again. Rejects with `not_found` if nothing was set. */
  async remove(tenant: string, name: string): Promise<void> {
    const before = this.rows.get(tenant, name);
    if (before === undefined)
      throw new AppError('not_found', `cannot remove the settings of source=${name.slice(0, 130)}: there are none`);
    await this.rows.write(tenant, name, undefined);
    this.onChange?.({ action: 'source.remove', tenant, target: name, before, after: null });
  }

  refresh(): Promise<void> {
    return this.rows.refresh();
  }

  close(): void {
    this.rows.close();
  }
}

const FIELDS = new Set(['enabled', 'key', 'mirrorPercent', 'percent']);

/** Reads a switch, or a change of one. Throws `bad_request`. */
function readSwitch(value: unknown, former: SourceSwitch = TAKES_ALL): SourceSwitch {
  const given = (typeof value === 'object' && value !== null ? value : {}) as Readonly<Record<string, unknown>>;
  const unknown = Object.keys(given).find((name) => !FIELDS.has(name));
  if (unknown !== undefined)
    throw new AppError('bad_request', `cannot set ${unknown.slice(0, 40)}: give ${[...FIELDS].join(', ')}`);
  const { enabled = former.enabled, percent, mirrorPercent, key = former.key } = given;
  if (typeof enabled !== 'boolean') throw new AppError('bad_request', 'cannot set enabled: give true or false');
  if (typeof key !== 'string' || !KEY.test(key))
    throw new AppError('bad_request', 'cannot set key: give the name of a field, such as user_id or metadata.user');
  const mirrored =
    mirrorPercent === undefined
      ? former.mirrorPercent
      : mirrorPercent === null
        ? undefined
        : readPercent('mirrorPercent', mirrorPercent);
  return {
    enabled,
    percent: percent === undefined ? former.percent : readPercent('percent', percent),
    ...(mirrored === undefined ? {} : { mirrorPercent: mirrored }),
    key,
  };
}

/** Reads a share. Throws `bad_request`. */
export function readPercent(what: string, value: unknown): number {
  if (typeof value === 'number' && value >= 0 && value <= 100) return value;
  throw new AppError('bad_request', `cannot set ${what}=${String(value).slice(0, 40)}: give a number from 0 to 100`);
}
