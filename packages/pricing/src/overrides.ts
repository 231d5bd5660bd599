/**
 * A tenant's own prices and names, with their history: what was negotiated, and what a deployment's name stands for. Entries are
 * only ever added; one that is wrong is revoked by another.
 *
 * Must stay true: what a tenant's prices were, as known at any instant, can be asked again later and has the same answer.
 */

import { AppError } from '@glasshouse/model';
import { normaliseProvider } from './names.ts';
import { isExpression } from './pattern.ts';
import { checkRow, instantOf, type PriceRow } from './row.ts';

/** A name of a tenant's own, such as that of an Azure deployment, and the model that it stands for. */
export interface ModelAlias {
  readonly provider: string;
  readonly name: string;
  readonly as: { readonly provider: string; readonly model: string };
}

/** An entry of the history; exactly one of `row`, `alias` and `revokes` is there. */
export interface PriceOverride {
  readonly id: string;
  readonly tenant: string;
  /** When it was entered, as an ISO time. From when until when a price applies is the row's own matter. */
  readonly recordedAt: string;
  /** Who entered it. */
  readonly by?: string;
  readonly note?: string;
  readonly row?: PriceRow;
  readonly alias?: ModelAlias;
  /** Id of the entry that applies no more. */
  readonly revokes?: string;
}

/** What of a history is in force for a tenant, the newest entry first. */
export interface TenantPrices {
  readonly rows: readonly PriceRow[];
  readonly aliases: readonly ModelAlias[];
}

/** The entries of a tenant that were in force at an instant, in milliseconds since 1970. */
export function tenantPrices(overrides: readonly PriceOverride[], tenant: string, asOf: number): TenantPrices {
  const known = overrides
    .filter((entry) => entry.tenant === tenant && instantOf(entry.recordedAt) <= asOf)
    .toSorted((a, b) => instantOf(b.recordedAt) - instantOf(a.recordedAt));
  const revoked = new Set(known.map(({ revokes }) => revokes));
  const standing = known.filter(({ id }) => !revoked.has(id));
  return {
    rows: standing.flatMap(({ row }, rank) => (row === undefined ? [] : [{ ...row, rank }])),
    aliases: standing.flatMap(({ alias }) => (alias === undefined ? [] : [alias])),
  };
}

/** Checks an entry that came from outside, against those that are there. Throws with what is wrong. */
export function checkOverride(entry: PriceOverride, existing: readonly PriceOverride[]): PriceOverride {
  const fail = (what: string): never => {
    throw new AppError('bad_request', `cannot record OVERRIDE=${entry.id}: ${what}`);
  };
  instantOf(entry.recordedAt);
  if (entry.id === '' || entry.tenant === '') fail('it needs an id and a tenant');
  if (existing.some(({ id }) => id === entry.id)) fail('there is one of that id; revoke it and record another');
  const given = [entry.row, entry.alias, entry.revokes].filter((part) => part !== undefined).length;
  if (given !== 1) fail('it needs exactly one of row, alias and revokes');
  if (entry.row !== undefined) {
    checkRow(entry.row);
    const expression = entry.row.models.find(isExpression);
    if (expression !== undefined) fail(`pattern=${expression} is a regular expression; write a name with * instead`);
  }
  if (entry.alias !== undefined) {
    const { provider, name, as } = entry.alias;
    if (provider === '' || name === '' || as.provider === '' || as.model === '') fail('the alias has an empty name');
  }
  if (entry.revokes !== undefined) {
    const target = existing.find(({ id, tenant }) => id === entry.revokes && tenant === entry.tenant);
    if (target === undefined) fail(`there is no entry ${entry.revokes} of tenant ${entry.tenant}`);
  }
  return entry;
}

/** The alias of a name; undefined if the tenant has none. */
export function aliasOf(aliases: readonly ModelAlias[], provider: string, model: string): ModelAlias | undefined {
  const name = model.trim().toLowerCase();
  const from = normaliseProvider(provider);
  return aliases.find(
    (alias) => normaliseProvider(alias.provider) === from && alias.name.trim().toLowerCase() === name,
  );
}
