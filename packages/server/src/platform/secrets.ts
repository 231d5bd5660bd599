/**
 * Secrets of a workspace: values that templates use by name and that nobody can read again. They live in the store, sealed with
 * a key that follows from the token key (AES-256-GCM, bound to workspace and name), and are cached whole.
 *
 * Must stay true: a value leaves this room only as a parameter of a statement. It is in no file in plain text, so a copy of the
 * store without the token key tells nothing.
 */

import { AppError } from '@glasshouse/model';
import type { Store } from '@glasshouse/store';
import type { RandomBytes } from '../control/secret.ts';
import type { WorkspacePrincipal } from './principal.ts';
import { demand } from './principal.ts';
import { dateTime } from './rows.ts';
import { seal, unseal } from './seal.ts';
import type { TokenKey } from './token-key.ts';

/** A secret as it is shown: without its value. */
export interface Secret {
  readonly name: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export interface SecretsOptions {
  readonly store: Pick<Store, 'insertRows' | 'rows' | 'target'>;
  readonly key: Pick<TokenKey, 'derived'>;
  readonly now: () => number;
  readonly random: RandomBytes;
}

interface Stored extends Secret {
  readonly tenant: string;
  readonly sealed: string;
  readonly deleted: boolean;
  readonly version: number;
}

/** Times are milliseconds since 1970, as text, when they are read. */
interface Row {
  readonly tenant: string;
  readonly name: string;
  readonly sealed: string;
  readonly created_at: string;
  readonly updated_at: string;
  readonly deleted: boolean;
  readonly version: string;
}

/** As templates can name them. */
const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/u;
const MAX_VALUE_LENGTH = 65_536;
const MAX_SECRETS = 1_000;
const NONE: ReadonlyMap<string, string> = new Map();

export class Secrets {
  private readonly options: SecretsOptions;
  /** By workspace and name, deleted ones included. */
  private known = new Map<string, Stored>();
  /** Opened values by workspace, made when they are asked for. */
  private opened = new Map<string, ReadonlyMap<string, string>>();
  private seen = '';
  private isForeign = false;

  constructor(options: SecretsOptions) {
    this.options = options;
  }

  /** Reads all secrets again, if there is anything new. Rejects when the store is down; the cached ones stay. */
  async refresh(): Promise<void> {
    const { store } = this.options;
    const table = `${store.target.database}.secrets`;
    const [mark] = await store.rows<{ mark: string }>(
      `SELECT concat(toString(count()), ' ', toString(sum(cityHash64(tenant, name, version)))) AS mark FROM ${table} FINAL`,
    );
    if (mark !== undefined && mark.mark === this.seen) return;
    const rows = await store.rows<Row>(
      `SELECT tenant, name, sealed, deleted, toString(version) AS version,
         toString(toUnixTimestamp64Milli(created_at)) AS created_at, toString(toUnixTimestamp64Milli(updated_at)) AS updated_at
       FROM ${table} FINAL`,
    );
    this.seen = mark?.mark ?? '';
    const former = this.isForeign ? [] : [...this.known.values()];
    this.known = new Map(rows.map(fromRow).map((secret) => [keyOf(secret), secret]));
    // What was written here while the answer was on its way is newer than it.
    for (const secret of former)
      if (secret.version > (this.known.get(keyOf(secret))?.version ?? 0)) this.known.set(keyOf(secret), secret);
    this.isForeign = false;
    this.opened = new Map();
  }

  /** Believes nothing of what is cached once the store was read again: it was replaced as a whole, and the key may be too. */
  distrust(): void {
    this.isForeign = true;
    this.seen = '';
    this.opened = new Map();
  }

  /** All secrets of the workspace, by name. Needs ADMIN. */
  list(by: WorkspacePrincipal): Secret[] {
    demand(by, 'ADMIN');
    return this.live(by.tenant).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** The secret of this name. Needs ADMIN. Throws `not_found`. */
  get(by: WorkspacePrincipal, name: string): Secret {
    demand(by, 'ADMIN');
    return this.find(by.tenant, name);
  }

  /** Makes a secret. Needs ADMIN. Rejects with `conflict` if there is one of the name, `bad_request` for what cannot be one. */
  async create(by: WorkspacePrincipal, name: string, value: string): Promise<Secret> {
    demand(by, 'ADMIN');
    if (!NAME.test(name))
      throw new AppError(
        'bad_request',
        `cannot make secret=${JSON.stringify(name.slice(0, 80))}: letters, digits and _ only, no digit first, 128 at most`,
      );
    const live = this.live(by.tenant);
    if (live.some((secret) => secret.name === name))
      throw new AppError('conflict', `cannot make secret=${name}: there is one of that name; change it with PUT`);
    if (live.length >= MAX_SECRETS)
      throw new AppError('bad_request', `cannot make secret=${name}: the workspace has ${MAX_SECRETS} already`);
    const at = new Date(this.options.now());
    return this.save({ tenant: by.tenant, name, createdAt: at }, value);
  }

  /** Gives a secret another value. Needs ADMIN. Rejects with `not_found`. */
  async update(by: WorkspacePrincipal, name: string, value: string): Promise<Secret> {
    demand(by, 'ADMIN');
    return this.save(this.find(by.tenant, name), value);
  }

  /** Needs ADMIN. Rejects with `not_found`. */
  async remove(by: WorkspacePrincipal, name: string): Promise<void> {
    demand(by, 'ADMIN');
    const secret = this.find(by.tenant, name);
    await this.write({ ...secret, sealed: '', deleted: true, ...this.stamp(secret) });
  }

  /** The values of a workspace, by name, for its own templates. One that was sealed with another key is not there. */
  values(tenant: string): ReadonlyMap<string, string> {
    const known = this.opened.get(tenant);
    if (known !== undefined) return known;
    const live = this.live(tenant);
    const values = live.flatMap((secret): [string, string][] => {
      const value = this.unsealed(secret);
      return value === undefined ? [] : [[secret.name, value]];
    });
    const opened = values.length === 0 ? NONE : new Map(values);
    this.opened.set(tenant, opened);
    return opened;
  }

  private live(tenant: string): Stored[] {
    return [...this.known.values()].filter((secret) => secret.tenant === tenant && !secret.deleted);
  }

  private find(tenant: string, name: string): Stored {
    const secret = this.known.get(keyOf({ tenant, name }));
    if (secret !== undefined && !secret.deleted) return secret;
    throw new AppError('not_found', `cannot find secret=${name.slice(0, 130)}: the workspace has none of that name`);
  }

  private async save(parts: Pick<Stored, 'createdAt' | 'name' | 'tenant'>, value: string): Promise<Secret> {
    if (value.length > MAX_VALUE_LENGTH)
      throw new AppError(
        'bad_request',
        `cannot set secret=${parts.name}: its value is longer than ${MAX_VALUE_LENGTH} characters`,
      );
    const { tenant, name, createdAt } = parts;
    const former = this.known.get(keyOf(parts));
    const sealed = this.sealed(parts, value);
    return this.write({ tenant, name, createdAt, sealed, deleted: false, ...this.stamp(former) });
  }

  private stamp(former: Stored | undefined): Pick<Stored, 'updatedAt' | 'version'> {
    const at = this.options.now();
    return { updatedAt: new Date(at), version: Math.max(at, (former?.version ?? 0) + 1) };
  }

  private async write(secret: Stored): Promise<Stored> {
    await this.options.store.insertRows('secrets', [toRow(secret)]);
    this.known.set(keyOf(secret), secret);
    this.opened.delete(secret.tenant);
    return secret;
  }

  private sealed(owner: Pick<Stored, 'name' | 'tenant'>, value: string): string {
    return seal(value, keyOf(owner), this.options.key.derived('secrets'), this.options.random);
  }

  private unsealed(secret: Stored): string | undefined {
    return unseal(secret.sealed, keyOf(secret), this.options.key.derived('secrets'));
  }
}

function keyOf({ tenant, name }: Pick<Stored, 'name' | 'tenant'>): string {
  return JSON.stringify([tenant, name]);
}

function fromRow(row: Row): Stored {
  const { tenant, name, sealed, deleted } = row;
  return {
    tenant,
    name,
    sealed,
    createdAt: new Date(Number(row.created_at)),
    updatedAt: new Date(Number(row.updated_at)),
    deleted,
    version: Number(row.version),
  };
}

function toRow({ tenant, name, sealed, createdAt, updatedAt, deleted, version }: Stored): Row {
  return {
    tenant,
    name,
    sealed,
    created_at: dateTime(createdAt),
    updated_at: dateTime(updatedAt),
    deleted,
    version: String(version),
  };
}
