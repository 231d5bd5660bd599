/**
 * Where tenants' events go besides: the settings of mirrors. What sends them is the room `mirror`.
 *
 * Must stay true: a token is stored sealed, shown to nobody, and goes to the origin that it was given for only.
 */

import { AppError } from '@glasshouse/model';
import type { OnChange } from '../control/audit-entry.ts';
import type { RandomBytes } from '../control/secret.ts';
import { checkName } from '../control/tenants.ts';
import { parseUrl } from './fetch-guard.ts';
import { seal, unseal } from './seal.ts';
import type { SettingRowsOptions } from './setting-rows.ts';
import { SettingRows } from './setting-rows.ts';
import { readPercent } from './source-switches.ts';
import type { TokenKey } from './token-key.ts';

/** A mirror as it is shown. */
export interface Mirror {
  /** Without the path of the Events API. */
  readonly url: string;
  /** Names of the data sources that are mirrored; empty for all. */
  readonly sources: readonly string[];
  /** Share of the events of a source that is mirrored, unless its switch says otherwise. */
  readonly percent: number;
  /** Bytes that may wait on disk. */
  readonly limitBytes: number;
  /** While true events are collected and not sent. */
  readonly paused: boolean;
  /** When the token was given. */
  readonly tokenSetAt: string;
}

interface Stored extends Mirror {
  readonly sealed: string;
}

export interface MirrorsOptions extends Pick<SettingRowsOptions<Stored>, 'now' | 'path' | 'store'> {
  readonly key: Pick<TokenKey, 'derived'>;
  readonly random: RandomBytes;
  readonly onChange?: OnChange;
}

/** A tenant has one mirror. */
const NAME = 'default';
const PURPOSE = 'mirrors';
const DEFAULT_LIMIT_BYTES = 2 ** 30;
const LEAST_LIMIT_BYTES = 2 ** 20;
const MAX_TOKEN_LENGTH = 8_192;
const FIELDS = new Set(['limitBytes', 'paused', 'percent', 'sources', 'token', 'url']);

export class Mirrors {
  private readonly options: MirrorsOptions;
  private readonly rows: SettingRows<Stored>;

  private constructor(options: MirrorsOptions, rows: SettingRows<Stored>) {
    this.options = options;
    this.rows = rows;
  }

  static async open(options: MirrorsOptions): Promise<Mirrors> {
    const { now, path, store } = options;
    const rows = await SettingRows.open<Stored>({
      now,
      path,
      store,
      table: 'mirrors',
      read: (value) => value as Stored,
    });
    return new Mirrors(options, rows);
  }

  /** Lets `act` be called when mirrors changed. */
  watch(act: () => void): void {
    this.rows.onChanged = act;
  }

  /** False until it is known who has a mirror. */
  get isKnown(): boolean {
    return this.rows.isKnown;
  }

  get size(): number {
    return this.rows.size;
  }

  list(tenant?: string): readonly (Mirror & { readonly tenant: string })[] {
    return this.rows.list(tenant).map((one) => ({ tenant: one.tenant, ...shown(one.value) }));
  }

  /** The token of a tenant's mirror; undefined if it was sealed with another key. */
  tokenOf(tenant: string): string | undefined {
    const found = this.rows.get(tenant, NAME);
    return found === undefined ? undefined : unseal(found.sealed, tenant, this.options.key.derived(PURPOSE));
  }

  /** Sets a tenant's mirror, or changes what is given of it. Rejects with `bad_request` for what is none. */
  async set(tenant: string, change: Readonly<Record<string, unknown>>): Promise<Mirror & { readonly tenant: string }> {
    checkName('tenant', tenant);
    const former = this.rows.get(tenant, NAME);
    const value = this.changed(tenant, change, former);
    await this.rows.write(tenant, NAME, value);
    const before = former === undefined ? null : shown(former);
    this.options.onChange?.({ action: 'mirror.set', tenant, target: NAME, before, after: shown(value) });
    return { tenant, ...shown(value) };
  }

  /** Takes a tenant's mirror away. Rejects with `not_found` if there is none. */
  async remove(tenant: string): Promise<void> {
    const former = this.rows.get(tenant, NAME);
    if (former === undefined)
      throw new AppError('not_found', `cannot remove the mirror of tenant=${tenant.slice(0, 80)}: there is none`);
    await this.rows.write(tenant, NAME, undefined);
    this.options.onChange?.({ action: 'mirror.remove', tenant, target: NAME, before: shown(former), after: null });
  }

  refresh(): Promise<void> {
    return this.rows.refresh();
  }

  close(): void {
    this.rows.close();
  }

  private changed(tenant: string, given: Readonly<Record<string, unknown>>, former: Stored | undefined): Stored {
    const unknown = Object.keys(given).find((name) => !FIELDS.has(name));
    if (unknown !== undefined)
      throw new AppError('bad_request', `cannot set ${unknown.slice(0, 40)}: give ${[...FIELDS].join(', ')}`);
    const url = given['url'] === undefined ? former?.url : readUrl(given['url']);
    if (url === undefined)
      throw new AppError('bad_request', 'cannot set the mirror: url is missing, as in https://api.tinybird.co');
    return {
      url,
      ...this.token(tenant, given['token'], url, former),
      sources: given['sources'] === undefined ? (former?.sources ?? []) : readNames(given['sources']),
      percent: given['percent'] === undefined ? (former?.percent ?? 100) : readPercent('percent', given['percent']),
      limitBytes:
        given['limitBytes'] === undefined
          ? (former?.limitBytes ?? DEFAULT_LIMIT_BYTES)
          : readLimit(given['limitBytes']),
      paused: given['paused'] === undefined ? (former?.paused ?? false) : readFlag(given['paused']),
    };
  }

  private token(
    tenant: string,
    given: unknown,
    url: string,
    former: Stored | undefined,
  ): Pick<Stored, 'sealed' | 'tokenSetAt'> {
    if (given === undefined) {
      if (former !== undefined && new URL(former.url).origin === new URL(url).origin)
        return { sealed: former.sealed, tokenSetAt: former.tokenSetAt };
      const why = former === undefined ? 'token is missing' : 'another server needs its token';
      throw new AppError('bad_request', `cannot set the mirror: ${why}; give one that may append to its data sources`);
    }
    if (typeof given !== 'string' || given.length > MAX_TOKEN_LENGTH || !/^[\u0021-\u007e]+$/u.test(given))
      throw new AppError('bad_request', 'cannot set token: it must be a text of printable ASCII without spaces');
    const { key, random, now } = this.options;
    return {
      sealed: seal(given, tenant, key.derived(PURPOSE), random),
      tokenSetAt: new Date(now()).toISOString(),
    };
  }
}

/** Field by field, so that nothing sealed is shown. */
function shown({ url, sources, percent, limitBytes, paused, tokenSetAt }: Stored): Mirror {
  return { url, sources, percent, limitBytes, paused, tokenSetAt };
}

/** The URL of a server, with or without the path of its Events API. */
function readUrl(value: unknown): string {
  const url = parseUrl(typeof value === 'string' ? value : '');
  if (url.search !== '' || url.hash !== '')
    throw new AppError('bad_request', `cannot use url=${url.origin}: leave out what is behind the path`);
  return `${url.origin}${url.pathname.replace(/\/(?:v0\/events\/?)?$/u, '')}`;
}

function readNames(value: unknown): readonly string[] {
  const names: unknown[] = Array.isArray(value) ? value : [undefined];
  if (names.length <= 1_000 && names.every((name) => typeof name === 'string' && /^\w{1,128}$/u.test(name)))
    return names as string[];
  throw new AppError('bad_request', 'cannot set sources: give a list of names of data sources');
}

function readLimit(value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= LEAST_LIMIT_BYTES) return value;
  throw new AppError('bad_request', `cannot set limitBytes: give a whole number of at least ${LEAST_LIMIT_BYTES}`);
}

function readFlag(value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw new AppError('bad_request', 'cannot set paused: give true or false');
}
