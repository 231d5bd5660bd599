/**
 * The storage of a data source: from ENGINE_… directives, from the clauses of a CREATE TABLE, or from both, as old files mix
 * them. Parts are gathered first and judged together, because what a part means depends on the engine's name.
 *
 * Must stay true: both ways of writing give the same engine, so keys lose the parentheses around the whole.
 */

import type { DataSourceEngine } from '@glasshouse/model';
import { isOperator, type Token } from '../lexer.ts';
import type { PlacedColumn } from './columns.ts';
import { checkKeys, tenantWarning } from './keys.ts';
import {
  listItems,
  refuseNeighbours,
  renderExpression,
  takeExpression,
  withoutParentheses,
  type Expression,
  type Stop,
} from './expression.ts';
import { nearest } from './nearest.ts';
import type { Place, Report } from './notice.ts';
import { Cursor } from './source.ts';

/** A field of the engine, plus the engine's arguments in parentheses. */
export type EnginePart = Exclude<keyof DataSourceEngine, 'settings'> | 'settings' | 'arguments';

interface Part {
  readonly expression: Expression;
  readonly place: Place;
}

/** What a file said about the engine so far. */
export class EngineDraft {
  readonly #parts = new Map<EnginePart, Part>();
  readonly #report: Report;

  constructor(report: Report) {
    this.#report = report;
  }

  get(part: EnginePart): Part | undefined {
    return this.#parts.get(part);
  }

  set(part: EnginePart, value: Part): void {
    const before = this.#parts.get(part);
    if (before === undefined) {
      this.#parts.set(part, value);
      return;
    }
    this.#report.problem(
      value.place,
      `cannot read ${PART_NAMES[part]}: line ${before.place.line} has it already`,
      'keep one of them',
    );
  }
}

/** How a part is called in a data file. */
const PART_NAMES: Readonly<Record<EnginePart, string>> = {
  name: 'ENGINE',
  arguments: 'the arguments of ENGINE',
  sortingKey: 'ENGINE_SORTING_KEY',
  partitionKey: 'ENGINE_PARTITION_KEY',
  primaryKey: 'ENGINE_PRIMARY_KEY',
  ttl: 'ENGINE_TTL',
  version: 'ENGINE_VER',
  sign: 'ENGINE_SIGN',
  isDeleted: 'ENGINE_IS_DELETED',
  summingColumns: 'ENGINE_COLUMNS',
  settings: 'ENGINE_SETTINGS',
};

/** What each engine takes besides keys, TTL and settings, in the order of its arguments; the first `required` are needed. */
const ENGINES: Readonly<Record<string, { readonly takes: readonly EnginePart[]; readonly required: number }>> = {
  MergeTree: { takes: [], required: 0 },
  ReplacingMergeTree: { takes: ['version', 'isDeleted'], required: 0 },
  SummingMergeTree: { takes: ['summingColumns'], required: 0 },
  AggregatingMergeTree: { takes: [], required: 0 },
  CollapsingMergeTree: { takes: ['sign'], required: 1 },
  VersionedCollapsingMergeTree: { takes: ['sign', 'version'], required: 2 },
  Null: { takes: [], required: 0 },
};

const SPECIAL: readonly EnginePart[] = ['version', 'sign', 'isDeleted', 'summingColumns'];
const KEYS: readonly EnginePart[] = ['sortingKey', 'partitionKey', 'primaryKey'];
const NOT_FOR_NULL: readonly EnginePart[] = [...KEYS, 'ttl', 'settings'];

/** Reads `NAME`, `NAME(arguments)` or `= NAME()`, as behind the word ENGINE. Throws Fault. */
export function takeEngineName(cursor: Cursor, draft: EngineDraft): void {
  cursor.takeOperator('=');
  const token = cursor.peek();
  if (token?.kind !== 'word') {
    throw cursor.fault(`cannot read ENGINE: ${cursor.sight} is no engine`, 'write ENGINE "MergeTree"');
  }
  cursor.skip();
  const place = cursor.place(token);
  draft.set('name', { expression: { text: token.text, tokens: [token] }, place });
  if (!cursor.takeOperator('(')) return;
  if (cursor.takeOperator(')')) return;
  const expression = takeExpression(cursor, { what: 'the arguments of ENGINE', commas: true });
  if (!cursor.takeOperator(')')) throw cursor.fault('cannot read ENGINE: its bracket is not closed', 'write )');
  draft.set('arguments', { expression, place });
}

/** Takes the expression of a part, up to `stop`. Throws Fault. */
export function takePart(cursor: Cursor, draft: EngineDraft, part: EnginePart, stop: Stop): void {
  const place = cursor.place();
  const what = PART_NAMES[part];
  const whole = takeExpression(cursor, { what, commas: true, stop });
  const isList = KEYS.includes(part) || part === 'summingColumns';
  const expression = isList ? withoutParentheses(whole) : whole;
  if (isList) refuseNeighbours(cursor, expression.tokens, what);
  draft.set(part, { expression, place });
}

/** Judges the parts together. Undefined, with problems in the report, when they make no engine. */
export function finishEngine(
  draft: EngineDraft,
  columns: readonly PlacedColumn[],
  report: Report,
): DataSourceEngine | undefined {
  const name = engineName(draft, report);
  if (name === undefined) return undefined;
  takeArguments(draft, name, report);
  const { takes, required } = ENGINES[name] ?? { takes: [], required: 0 };
  for (const part of takes.slice(0, required)) {
    if (draft.get(part) !== undefined) continue;
    const place = draft.get('name')?.place ?? { file: '', line: 1 };
    report.problem(
      place,
      `cannot use engine=${name}: it needs ${partName(part, name)}`,
      `write ${partName(part, name)} "column"`,
    );
  }
  const kept = (part: EnginePart): string | undefined => {
    const value = draft.get(part);
    if (value === undefined) return undefined;
    const useless =
      name === 'Null' ? [...SPECIAL, ...NOT_FOR_NULL] : SPECIAL.filter((special) => !takes.includes(special));
    if (!useless.includes(part)) return value.expression.text;
    report.warn(
      value.place,
      `${partName(part, name)} means nothing to the engine ${name} and is left out.`,
      'take it away',
    );
    return undefined;
  };
  const settings = readSettings(draft, report);
  const engine: DataSourceEngine = {
    name,
    ...defined('sortingKey', kept('sortingKey')),
    ...defined('partitionKey', kept('partitionKey')),
    ...defined('primaryKey', kept('primaryKey')),
    ...defined('ttl', kept('ttl')),
    ...defined('version', kept('version')),
    ...defined('sign', kept('sign')),
    ...defined('isDeleted', kept('isDeleted')),
    ...defined('summingColumns', kept('summingColumns')),
    ...(settings === undefined || kept('settings') === undefined ? {} : { settings }),
  };
  if (name !== 'Null') checkReferences(draft, engine, columns, report);
  return engine;
}

function defined<K extends string>(key: K, value: string | undefined): Partial<Record<K, string>> {
  return value === undefined ? {} : ({ [key]: value } as Record<K, string>);
}

/** How the part is called in a file whose engine this is. */
export function partName(part: EnginePart, engine: string): string {
  return part === 'version' && engine === 'VersionedCollapsingMergeTree' ? 'ENGINE_VERSION' : PART_NAMES[part];
}

function engineName(draft: EngineDraft, report: Report): string | undefined {
  const written = draft.get('name');
  if (written === undefined) return 'MergeTree';
  const { text } = written.expression;
  const plain = text.replace(/^(?:Replicated|Shared)(?=\w*MergeTree$)/iu, '');
  const names = Object.keys(ENGINES);
  const name = names.find((candidate) => candidate.toLowerCase() === plain.toLowerCase());
  if (name !== undefined) {
    if (plain !== text) {
      report.warn(written.place, `The engine ${text} is kept as ${name}.`, 'the store decides how data is replicated');
    }
    return name;
  }
  const meant = nearest(plain, names, 3);
  report.problem(
    written.place,
    `cannot use engine=${text}: a data source is stored by MergeTree or one of its family, or by Null`,
    meant === undefined ? `write one of ${names.join(', ')}` : `did you mean ${meant}?`,
  );
  return undefined;
}

/** `ReplacingMergeTree(ver)` says the same as ENGINE_VER. */
function takeArguments(draft: EngineDraft, name: string, report: Report): void {
  const written = draft.get('arguments');
  if (written === undefined) return;
  const { takes } = ENGINES[name] ?? { takes: [] };
  // Those of a replicated engine start with its path and its replica, as strings.
  const items = listItems(written.expression.tokens).filter((item) => item[0]?.kind !== 'string');
  for (const [index, tokens] of items.entries()) {
    const part = takes[index];
    if (part === undefined) {
      report.problem(
        written.place,
        `cannot use engine=${name}: it takes ${takes.length === 0 ? 'no arguments' : `no more than ${takes.length}`}`,
        'take the others away',
      );
      return;
    }
    const expression = { text: renderExpression(tokens), tokens };
    const isList = part === 'summingColumns';
    draft.set(part, { ...written, expression: isList ? withoutParentheses(expression) : expression });
  }
}

/** `k = v, k2 = 'v'`: names to SQL literals. */
function readSettings(draft: EngineDraft, report: Report): Readonly<Record<string, string>> | undefined {
  const written = draft.get('settings');
  if (written === undefined) return undefined;
  const settings = new Map<string, string>();
  for (const tokens of listItems(written.expression.tokens)) {
    const [name, equals, ...value] = tokens;
    if (name?.kind !== 'word' || !isOperator(equals, '=') || !isLiteral(value)) {
      report.problem(
        written.place,
        `cannot read ENGINE_SETTINGS: ${renderExpression(tokens)} is no setting`,
        "write name=value, name2='value', where a value is a number, true, false or a string",
      );
      continue;
    }
    settings.set(name.text, value.map((token) => token.text).join(''));
  }
  return Object.fromEntries([...settings].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function isLiteral(tokens: readonly Token[]): boolean {
  const [first, second] = tokens;
  if (tokens.length === 1)
    return first?.kind === 'number' || first?.kind === 'string' || /^(?:true|false)$/iu.test(first?.text ?? '');
  return tokens.length === 2 && isOperator(first, '-') && second?.kind === 'number';
}

function checkReferences(
  draft: EngineDraft,
  engine: DataSourceEngine,
  columns: readonly PlacedColumn[],
  report: Report,
): void {
  const known = columns.map(({ column }) => column);
  if (known.length === 0) return;
  for (const part of [...KEYS, ...SPECIAL]) {
    const value = draft.get(part);
    if (value === undefined || engine[part as keyof DataSourceEngine] === undefined) continue;
    const single = SPECIAL.includes(part) && part !== 'summingColumns';
    checkKeys(
      { what: partName(part, engine.name), tokens: value.expression.tokens, place: value.place, single },
      known,
      report,
    );
  }
  const partition = draft.get('partitionKey');
  if (partition !== undefined && engine.partitionKey !== undefined) {
    tenantWarning(partition.expression.tokens, partition.place, report);
  }
  if (engine.isDeleted !== undefined && engine.version === undefined) {
    const place = draft.get('isDeleted')?.place ?? { file: '', line: 1 };
    report.problem(place, 'cannot use ENGINE_IS_DELETED: it needs ENGINE_VER', 'write ENGINE_VER "column"');
  }
}
