/**
 * Named expressions as nested queries: each expression stands one query above the last that it uses.
 *
 * Separate because one query with an alias for each would not do: the engine names an expression by its whole text with the aliases
 * written out, and the names of expressions over expressions over expressions take longer than the rows.
 */

/** What all names here begin with; no column of a data source may. */
export const INNER = 'm__';

const REFERENCE = new RegExp(String.raw`\b${INNER}\w+`, 'g');
const QUOTED = /'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`/gsu;

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
    const levels = this.#levels();
    const depth = Math.max(0, ...levels.values());
    let query = from;
    for (let level = 0; level <= depth; level += 1) {
      const own = [...this.#texts]
        .filter(([name]) => levels.get(name) === level)
        .map(([name, sql]) => `${sql} AS ${name}`);
      query = `(\nSELECT ${['*', ...own].join(',\n  ')}\nFROM ${query}\n)`;
    }
    return query;
  }

  #levels(): Map<string, number> {
    const levels = new Map<string, number>();
    const levelOf = (name: string): number => {
      const known = levels.get(name);
      if (known !== undefined) return known;
      levels.set(name, 0);
      const names = (this.#texts.get(name) ?? '').replaceAll(QUOTED, '').match(REFERENCE) ?? [];
      const used = new Set(names.filter((other) => this.#texts.has(other)));
      const level = Math.max(-1, ...[...used].map(levelOf)) + 1;
      levels.set(name, level);
      return level;
    };
    for (const name of this.#texts.keys()) levelOf(name);
    return levels;
  }
}
