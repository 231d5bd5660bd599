/**
 * How the queries of a statement aggregate, as far as it decides by which way the engine finds the answer faster. Nothing but time
 * rests on it.
 *
 * Must stay true: what is said of a statement holds for every value of the literals that are left out of its shape.
 */

import { callOf, heading, listed, walkResolved, type ResolvedNode } from './resolved.ts';

export interface Aggregation {
  /** True if there are aggregates, and what the engine knows of parts and granules without reading rows gives none of them. */
  readonly needsRows: boolean;
  /** True if all groups are spans of time of a minute at least, of which each has many rows, and cheap to put together. */
  readonly byTime: boolean;
}

/** Kept of parts are the number of rows, and the least and the greatest value of partition keys. */
const KEPT: ReadonlySet<string> = new Set(['count', 'max', 'min']);

/** Each a minute at least. What a sorted column comes to by them is sorted too. */
const SPANS: ReadonlySet<string> = new Set([
  'toStartOfMinute',
  'toStartOfFiveMinutes',
  'toStartOfTenMinutes',
  'toStartOfFifteenMinutes',
  'toStartOfHour',
  'toStartOfDay',
  'toStartOfWeek',
  'toStartOfMonth',
  'toMonday',
  'toDate',
]);

/** Their states are small: a group in several pieces costs next to nothing more. */
const CHEAP: ReadonlySet<string> = new Set(
  ['any', 'anyLast', 'avg', 'count', 'max', 'min', 'quantile', 'quantileTDigest', 'quantiles', 'sum'].flatMap(
    (name) => [name, `${name}If`],
  ),
);

/** Reads a tree of `parseResolved`. */
export function aggregationOf(root: ResolvedNode): Aggregation {
  const queries = [...walkResolved(root)].filter(({ kind }) => kind === 'QUERY').map(groupingOf);
  const grouping = queries.filter(({ keys, functions }) => keys !== undefined || functions.length > 0);
  const isAll = (test: (one: Grouping) => boolean): boolean => grouping.length > 0 && grouping.every(test);
  return {
    needsRows: isAll(({ functions }) => !functions.every((name) => KEPT.has(name))),
    byTime: isAll(({ keys, functions }) => isSpan(keys) && functions.every((name) => CHEAP.has(name))),
  };
}

interface Grouping {
  readonly keys: readonly ResolvedNode[] | undefined;
  /** Aggregate functions, as often as they are named. */
  readonly functions: readonly string[];
}

function groupingOf(query: ResolvedNode): Grouping {
  const keys = heading(query, 'GROUP BY') === undefined ? undefined : listed(query, 'GROUP BY');
  const calls = [...ownNodes(query)].map(callOf);
  return { keys, functions: calls.flatMap((call) => (call?.type === 'aggregate' ? [call.name] : [])) };
}

/** The nodes of a query without those of the queries in it. */
function* ownNodes(query: ResolvedNode): Generator<ResolvedNode> {
  const stack = [...query.children];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    yield next;
    if (next.kind !== 'QUERY') stack.push(...next.children);
  }
}

function isSpan(keys: readonly ResolvedNode[] | undefined): boolean {
  const [key, ...others] = keys ?? [];
  if (key === undefined || others.length > 0 || !SPANS.has(callOf(key)?.name ?? '')) return false;
  return listed(key, 'ARGUMENTS')[0]?.kind === 'COLUMN';
}
