/**
 * The lines that differ between two texts, as `diff -u` shows them. Pure; the algorithm is Myers' (An O(ND) Difference Algorithm,
 * 1986), bounded: texts with very many differences are shown as one block removed and one added.
 *
 * Must stay true: the old text without the added lines is the old text, the new one without the removed lines the new one.
 */

/** One line: `-` only in the old text, `+` only in the new one, ` ` in both. */
export interface DiffLine {
  readonly sign: ' ' | '+' | '-';
  readonly text: string;
}

const MAX_EDITS = 1_000;
const CONTEXT = 3;

/** All lines of both texts, in order. */
export function diffLines(before: string, after: string): DiffLine[] {
  const [a, b] = [linesOf(before), linesOf(after)];
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a.at(-1 - tail) === b.at(-1 - tail)) tail++;
  const [innerA, innerB] = [a.slice(head, a.length - tail), b.slice(head, b.length - tail)];
  return [
    ...a.slice(0, head).map(same),
    ...(shortestEdit(innerA, innerB) ?? [...innerA.map(removed), ...innerB.map(added)]),
    ...a.slice(a.length - tail).map(same),
  ];
}

const same = (text: string): DiffLine => ({ sign: ' ', text });
const removed = (text: string): DiffLine => ({ sign: '-', text });
const added = (text: string): DiffLine => ({ sign: '+', text });

function linesOf(text: string): string[] {
  return text === '' ? [] : text.replace(/\n$/u, '').split('\n');
}

/** Undefined when there are more differences than are worth finding. */
function shortestEdit(a: readonly string[], b: readonly string[]): DiffLine[] | undefined {
  const furthest = new Map<number, number>([[1, 0]]);
  const trace: ReadonlyMap<number, number>[] = [];
  for (let edits = 0; edits <= Math.min(MAX_EDITS, a.length + b.length); edits++) {
    trace.push(new Map(furthest));
    for (let k = -edits; k <= edits; k += 2) {
      const down = k === -edits || (k !== edits && (furthest.get(k - 1) ?? -1) < (furthest.get(k + 1) ?? -1));
      let x = down ? (furthest.get(k + 1) ?? 0) : (furthest.get(k - 1) ?? 0) + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x++;
      furthest.set(k, x);
      if (x >= a.length && x - k >= b.length) return backtrack(a, b, trace);
    }
  }
  return undefined;
}

function backtrack(
  a: readonly string[],
  b: readonly string[],
  trace: readonly ReadonlyMap<number, number>[],
): DiffLine[] {
  const lines: DiffLine[] = [];
  let [x, y] = [a.length, b.length];
  for (let edits = trace.length - 1; edits >= 0; edits--) {
    const furthest = trace[edits] ?? new Map<number, number>();
    const k = x - y;
    const down = k === -edits || (k !== edits && (furthest.get(k - 1) ?? -1) < (furthest.get(k + 1) ?? -1));
    const formerK = down ? k + 1 : k - 1;
    const formerX = edits === 0 ? 0 : (furthest.get(formerK) ?? 0);
    const formerY = edits === 0 ? 0 : formerX - formerK;
    while (x > formerX && y > formerY) {
      lines.push(same(a[--x] ?? ''));
      y--;
    }
    if (edits === 0) break;
    if (down) lines.push(added(b[--y] ?? ''));
    else lines.push(removed(a[--x] ?? ''));
  }
  return lines.reverse();
}

/** The differences with three lines around them, headed by `@@ -1,2 +1,3 @@`; nothing if there are none. */
export function unifiedDiff(before: string, after: string): string[] {
  const lines = diffLines(before, after);
  const near = (at: number): boolean =>
    lines.slice(Math.max(0, at - CONTEXT), at + CONTEXT + 1).some(({ sign }) => sign !== ' ');
  const text: string[] = [];
  let [old, now] = [1, 1];
  for (let at = 0; at < lines.length;) {
    if (!near(at)) {
      at++;
      old++;
      now++;
      continue;
    }
    let end = at;
    while (end < lines.length && near(end)) end++;
    const hunk = lines.slice(at, end);
    const count = (sign: '+' | '-'): number => hunk.filter((line) => line.sign !== sign).length;
    const [oldCount, nowCount] = [count('+'), count('-')];
    text.push(`@@ -${range(old, oldCount)} +${range(now, nowCount)} @@`);
    for (const line of hunk) text.push(line.sign + line.text);
    old += oldCount;
    now += nowCount;
    at = end;
  }
  return text;
}

/** An empty range is named by the line before it (POSIX diff, unified format). */
function range(start: number, count: number): string {
  return count === 1 ? String(start) : `${count === 0 ? start - 1 : start},${count}`;
}
