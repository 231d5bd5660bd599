/**
 * Finds the lines that make an insert throw. The expressions of the mapping do not throw, but those of a user may: a default like
 * `toDate(name)`, a computed column, a partition key. One such line must not hold up the others.
 *
 * Must stay true: it ends after a bounded number of queries, and what it answers is enough: with these ranges barred, a probe of all
 * lines does not throw. Lines near to a faulty one are barred with it when the bound is reached.
 */

import { messageOf } from '@glasshouse/model';
import type { Barred, EventMapping, HashRange, Names } from './events.ts';

export interface IsolateOptions {
  readonly names: Names;
  /** The mapping with some ranges barred. */
  readonly map: (barred: readonly Barred[]) => EventMapping;
  /** Runs a query and returns its first row. Rejects with what the engine said. */
  readonly ask: (sql: string) => Promise<FirstRow>;
  /** True for an error that comes of a row; others, such as a lost connection, are thrown on. */
  readonly isOfRow: (error: unknown) => boolean;
  /** Probes before the rest is barred as it is. Each costs as much as the lines in it. */
  readonly maxProbes?: number;
}

type FirstRow = Readonly<Record<string, string | number>> | undefined;

/** Hashes are 64 bits. */
const ALL: HashRange = { from: 0n, to: 2n ** 64n - 1n };
const DEFAULT_PROBES = 200;
const MAX_REASON = 500;

/** The ranges of lines to bar; empty when nothing throws. */
export async function isolateFaults(options: IsolateOptions): Promise<Barred[]> {
  const { names, map, ask, maxProbes = DEFAULT_PROBES } = options;
  const mapping = map([]);
  const barred: Barred[] = [];
  const suspects: HashRange[] = [ALL];
  let probes = 0;
  for (let range = suspects.shift(); range !== undefined; range = suspects.shift()) {
    probes += 1;
    const reason = await fault(options, mapping.probe(names, range));
    if (reason === undefined) continue;
    const halves = probes < maxProbes ? halve(range, await ask(mapping.spread(names, range))) : undefined;
    if (halves === undefined) barred.push({ ...range, reason });
    // The halves come before what else is waiting, so that what waits stays short.
    else suspects.unshift(...halves);
  }
  return barred;
}

async function fault({ ask, isOfRow }: IsolateOptions, sql: string): Promise<string | undefined> {
  try {
    await ask(sql);
    return undefined;
  } catch (error) {
    if (!isOfRow(error)) throw error;
    return messageOf(error).slice(0, MAX_REASON);
  }
}

/** Both halves of the lines in a range, or undefined when they are all the same line. */
function halve(range: HashRange, spread: FirstRow): HashRange[] | undefined {
  const [low, middle, high] = ['low', 'middle', 'high'].map((name) => BigInt(spread?.[name] ?? 0));
  if (low === undefined || middle === undefined || high === undefined || low >= high) return undefined;
  // The middle is in the lower half; where it is the highest as well, the lines below it are the lower half.
  const split = middle < high ? middle : high - 1n;
  return [
    { from: range.from, to: split },
    { from: split + 1n, to: range.to },
  ];
}
