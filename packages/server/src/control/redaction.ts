/**
 * Redaction policies: what of the texts of a tenant, a project or an environment may be stored. They are rows of the store,
 * cached whole, and kept in a file too, because data is taken in while the store is away and then has to be redacted all the same.
 *
 * Must stay true: a change is with the ingest worker before it is answered, and holds for every request that comes after. What
 * cannot be read is no reason to forget what was known.
 */

import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Placement } from '@glasshouse/model';
import { AppError } from '@glasshouse/model';
import type { PlacedPolicy, Policy, PolicySet } from '@glasshouse/redaction';
import { readPolicy } from '@glasshouse/redaction';
import type { Store } from '@glasshouse/store';
import type { OnChange } from './audit-entry.ts';
import { checkName } from './tenants.ts';

export interface RedactionOptions {
  readonly store: Pick<Store, 'insertRows' | 'rows' | 'target'>;
  readonly now: () => number;
  /** File with the policies for a start without the store; undefined for none. */
  readonly path?: string;
  /** Secret of this installation; another one after a restore. */
  readonly hashKey: () => Uint8Array;
  /** Hands all policies to those who redact. */
  readonly apply: (set: PolicySet) => void;
  readonly onChange?: OnChange;
}

interface PolicyRow extends Placement {
  readonly policy: string;
}

const TICK_MS = 5_000;

export class RedactionPolicies {
  private readonly options: RedactionOptions;
  private readonly timer: NodeJS.Timeout;
  private known = new Map<string, PlacedPolicy>();
  private applied = '';
  private saved = '';
  private version = 0;

  private constructor(options: RedactionOptions) {
    this.options = options;
    this.load();
    this.timer = setInterval(() => void this.refresh().catch(() => undefined), TICK_MS);
    this.timer.unref();
  }

  /** Resolves when the policies are read and applied, or at once when the store is down: then those of the file hold. */
  static async open(options: RedactionOptions): Promise<RedactionPolicies> {
    const policies = new RedactionPolicies(options);
    await policies.refresh().catch(() => undefined);
    return policies;
  }

  /** The policies that were set, of all tenants or of one, by name. */
  list(tenant?: string): readonly PlacedPolicy[] {
    return [...this.known.values()]
      .filter((one) => tenant === undefined || one.tenant === tenant)
      .toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  }

  /** Sets the policy of a place. Rejects with `bad_request` for names that are none, `unavailable` when the store is down. */
  async set(place: Placement, policy: Policy): Promise<PlacedPolicy> {
    check(place);
    const placed = { ...placeOf(place), policy };
    await this.write(placed, policy);
    return placed;
  }

  /** Takes the policy of a place away, so that a wider one holds, or none. Rejects with `not_found` if there is none. */
  async remove(place: Placement): Promise<void> {
    if (!this.known.has(keyOf(place))) {
      throw new AppError('not_found', `cannot remove the redaction policy of ${nameOf(place)}: there is none`);
    }
    await this.write(place, undefined);
  }

  /** Reads the policies again. Rejects when the store is down; the cached ones stay. */
  async refresh(): Promise<void> {
    const { store } = this.options;
    const asked = this.version;
    const rows = await store.rows<PolicyRow>(
      `SELECT tenant, project, environment, policy FROM ${store.target.database}.redaction_policies FINAL WHERE NOT deleted`,
    );
    // What was written here meanwhile is newer.
    if (asked !== this.version) return;
    this.known = new Map(rows.map((row) => [keyOf(row), placedOf(row)]));
    this.apply();
  }

  close(): void {
    clearInterval(this.timer);
  }

  private async write(place: Placement, policy: Policy | undefined): Promise<void> {
    const { store, now, onChange } = this.options;
    const before = this.known.get(keyOf(place))?.policy ?? null;
    this.version = Math.max(now(), this.version + 1);
    await store.insertRows('redaction_policies', [
      {
        ...placeOf(place),
        policy: JSON.stringify(policy ?? {}),
        updated_at: new Date(now()).toISOString().slice(0, 23).replace('T', ' '),
        deleted: policy === undefined,
        version: String(this.version),
      },
    ]);
    if (policy === undefined) this.known.delete(keyOf(place));
    else this.known.set(keyOf(place), { ...placeOf(place), policy });
    this.apply();
    const action = policy === undefined ? 'redaction.remove' : 'redaction.set';
    onChange?.({ action, ...placeOf(place), target: nameOf(place), before, after: policy ?? null });
  }

  private apply(): void {
    const set = { policies: this.list(), hashKey: this.options.hashKey() };
    const text = JSON.stringify([set.policies, Buffer.from(set.hashKey).toString('hex')]);
    if (text !== this.applied) this.options.apply(set);
    this.applied = text;
    this.save();
  }

  private load(): void {
    const { path } = this.options;
    if (path === undefined) return;
    let rows: readonly PolicyRow[];
    try {
      rows = JSON.parse(readFileSync(path, 'utf8')) as readonly PolicyRow[];
    } catch {
      return;
    }
    this.known = new Map(rows.map((row) => [keyOf(row), placedOf(row)]));
    this.apply();
  }

  private save(): void {
    const { path } = this.options;
    const text = JSON.stringify(this.list().map((one) => ({ ...placeOf(one), policy: JSON.stringify(one.policy) })));
    if (path === undefined || text === this.saved) return;
    writeFileSync(`${path}.tmp`, text, { mode: 0o600, flush: true });
    renameSync(`${path}.tmp`, path);
    this.saved = text;
  }
}

function placedOf(row: PolicyRow): PlacedPolicy {
  return { ...placeOf(row), policy: readPolicy(JSON.parse(row.policy)) };
}

function placeOf({ tenant, project, environment }: Placement): Placement {
  return { tenant, project, environment };
}

function check({ tenant, project, environment }: Placement): void {
  checkName('tenant', tenant);
  if (project !== '') checkName('project', project);
  if (environment !== '') checkName('environment', environment);
}

function keyOf({ tenant, project, environment }: Placement): string {
  return `${tenant}/${project}/${environment}`;
}

function nameOf({ tenant, project, environment }: Placement): string {
  return [tenant, project || '*', environment || '*'].join('/').replace(/(?:\/\*)+$/u, '');
}
