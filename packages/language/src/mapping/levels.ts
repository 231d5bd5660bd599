/**
 * Named expressions as a few nested queries. One query with an alias for each expression would not do: the engine names an expression
 * by its whole text with the aliases written out, and the names of expressions over expressions over expressions take longer than
 * the rows.
 */

/** What all names here begin with; no column of a data source may. */
export const INNER = 'm__';

const REFERENCE = new RegExp(String.raw`\b${INNER}\w+`, 'g');
const QUOTED = /'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`/gsu;

/** Where an expression stands, and how long it is with the names of its own query written out. */
interface Place {
  readonly level: number;
  readonly length: number;
}

/** Names longer than this get a query of their own. Queries cost as well: each hands on all the columns of the ones below. */
const LONGEST = 1000;

/** Expressions that others can refer to. */
export class Bindings {
  readonly #texts = new Map<string, string>();

  /** Names an expression; returns the name. */
  bind(name: string, sql: string): string {
    const full = `${INNER}${name}`;
    this.#texts.set(full, sql);
    return full;
  }

  /** As `bind`, with a name that nobody else has. */
  add(sql: string): string {
    return this.bind(String(this.#texts.size), sql);
  }

  /** A query, in parentheses, of all the expressions over `from`. They may use one another in any order, but not in a circle. */
  query(from: string): string {
    const places = this.#places();
    const depth = Math.max(0, ...[...places.values()].map(({ level }) => level));
    let query = from;
    for (let level = 0; level <= depth; level += 1) {
      const own = [...this.#texts]
        .filter(([name]) => places.get(name)?.level === level)
        .map(([name, sql]) => `${sql} AS ${name}`);
      query = `(\nSELECT ${['*', ...own].join(',\n  ')}\nFROM ${query}\n)`;
    }
    return query;
  }

  #places(): ReadonlyMap<string, Place> {
    const places = new Map<string, Place>();
    const placeOf = (name: string): Place => {
      const known = places.get(name);
      if (known !== undefined) return known;
      places.set(name, { level: 0, length: 0 });
      const sql = this.#texts.get(name) ?? '';
      const used = (sql.replaceAll(QUOTED, '').match(REFERENCE) ?? [])
        .filter((other) => this.#texts.has(other))
        .map(placeOf);
      const level = Math.max(0, ...used.map((place) => place.level));
      const length = used.reduce((sum, place) => sum + (place.level === level ? place.length : 0), sql.length);
      const place = length > LONGEST && used.length > 0 ? { level: level + 1, length: sql.length } : { level, length };
      places.set(name, place);
      return place;
    };
    for (const name of this.#texts.keys()) placeOf(name);
    return places;
  }
}
