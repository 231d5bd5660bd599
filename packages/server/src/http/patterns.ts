/**
 * Paths with named parts: `/v0/jobs/:id`, and with a suffix behind the name, `/v0/pipes/:name.json`. A name stands for one
 * segment, never for several.
 *
 * Must stay true: of the patterns that match, the most specific one is found, in whatever order they were given: literal
 * segments go before names with a suffix, longer suffixes before shorter ones, and these before bare names. A segment that is
 * no valid percent-encoding matches no name.
 */

export type PathParams = Readonly<Record<string, string>>;

export interface Found<R> {
  readonly route: R;
  readonly params: PathParams;
}

type Part = { readonly literal: string } | { readonly name: string; readonly suffix: string };

interface Compiled<R> {
  readonly route: R;
  readonly parts: readonly Part[];
  /** Segment by segment, for the order. */
  readonly rank: readonly number[];
}

const NAMED = /^:([A-Za-z]\w*)(\.[\w.]+)?$/u;
/** Rank of a literal segment; that of a name is the length of its suffix. */
const LITERAL = 1_000;

/** True if the path has a named part. */
export function isPattern(path: string): boolean {
  return path.includes('/:');
}

export class Patterns<R extends { readonly path: string }> {
  /** By number of segments, most specific first. */
  private readonly bySize = new Map<number, Compiled<R>[]>();

  constructor(routes: readonly R[]) {
    for (const route of routes) {
      const compiled = compile(route);
      const size = compiled.parts.length;
      this.bySize.set(size, [...(this.bySize.get(size) ?? []), compiled]);
    }
    for (const list of this.bySize.values()) list.sort(moreSpecificFirst);
  }

  /** The most specific route that matches the path and is wanted. */
  find(path: string, isWanted: (route: R) => boolean): Found<R> | undefined {
    const segments = path.split('/');
    for (const { route, parts } of this.bySize.get(segments.length) ?? []) {
      if (!isWanted(route)) continue;
      const params = match(parts, segments);
      if (params !== undefined) return { route, params };
    }
    return undefined;
  }

  /** All routes that match the path. */
  all(path: string): R[] {
    const segments = path.split('/');
    const candidates = this.bySize.get(segments.length) ?? [];
    return candidates.filter(({ parts }) => match(parts, segments) !== undefined).map(({ route }) => route);
  }
}

function compile<R extends { readonly path: string }>(route: R): Compiled<R> {
  const parts = route.path.split('/').map((segment): Part => {
    const [, name, suffix = ''] = NAMED.exec(segment) ?? [];
    return name === undefined ? { literal: segment } : { name, suffix };
  });
  return { route, parts, rank: parts.map((part) => ('literal' in part ? LITERAL : part.suffix.length)) };
}

function moreSpecificFirst({ rank: a }: Compiled<unknown>, { rank: b }: Compiled<unknown>): number {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at < 0 ? 0 : (b[at] as number) - (a[at] as number);
}

function match(parts: readonly Part[], segments: readonly string[]): PathParams | undefined {
  const params: Record<string, string> = {};
  for (const [index, part] of parts.entries()) {
    const segment = segments[index] as string;
    if ('literal' in part) {
      if (segment !== part.literal) return undefined;
      continue;
    }
    const value = segment.endsWith(part.suffix) ? decoded(segment.slice(0, segment.length - part.suffix.length)) : '';
    if (value === undefined || value === '') return undefined;
    params[part.name] = value;
  }
  return params;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
