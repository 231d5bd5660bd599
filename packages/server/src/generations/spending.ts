/**
 * What generations cost that are not committed yet, by tenant and project: what quotas count. Separate because a request that is
 * refused takes back what it added.
 */

import type { Placement } from '@glasshouse/model';

/** What generations of a project cost, in US dollars; those of which nobody knows cost nothing here. */
export interface Spent {
  readonly tenant: string;
  readonly project: string;
  readonly dollars: number;
}

export class Spending {
  /** One after the other, rows of one project that follow each other as one. */
  private readonly runs: { readonly tenant: string; readonly project: string; dollars: number }[] = [];
  private marked = 0;

  add({ tenant, project }: Placement, dollars: number): void {
    const last = this.runs.length > this.marked ? this.runs.at(-1) : undefined;
    if (last?.tenant === tenant && last.project === project) last.dollars += dollars;
    else this.runs.push({ tenant, project, dollars });
  }

  /** Remembers the present end as the start of a request. */
  mark(): void {
    this.marked = this.runs.length;
  }

  /** Takes back what was added since `mark`. */
  rollback(): void {
    this.runs.length = this.marked;
  }

  /** The sums, and begins anew. */
  take(): readonly Spent[] {
    const sums = new Map<string, Spent>();
    for (const { tenant, project, dollars } of this.runs) {
      const key = `${tenant} ${project}`;
      sums.set(key, { tenant, project, dollars: dollars + (sums.get(key)?.dollars ?? 0) });
    }
    this.runs.length = 0;
    this.marked = 0;
    return [...sums.values()];
  }
}
