/** The generated statements of data sources, kept because generating them takes longer than a small insert. */

import type { Barred, EventMapping } from '@glasshouse/language';
import { mapEvents } from '@glasshouse/language';
import type { DataSourceEntry } from './resource-row.ts';

const MAX_KEPT = 500;

export class Mappings {
  private readonly kept = new Map<string, EventMapping>();

  /** The mapping of a data source as it is now, for lines with these write filters. Throws for a schema without one. */
  of(entry: DataSourceEntry, filters: readonly string[], barred: readonly Barred[] = []): EventMapping {
    if (barred.length > 0) return mapEvents(entry.definition, { filters, barred });
    const key = JSON.stringify([entry.id, entry.version, ...filters.toSorted()]);
    const known = this.kept.get(key);
    if (known !== undefined) return known;
    const made = mapEvents(entry.definition, { filters });
    if (this.kept.size >= MAX_KEPT) this.kept.clear();
    this.kept.set(key, made);
    return made;
  }
}
