/**
 * What has to happen to a data source's table when its definition changes: nothing, an ALTER of the table in place, or a new
 * table that the rows move to. Pure, so that a plan can be shown before anything is done.
 *
 * Must stay true: what an ALTER does before the change becomes visible can be undone by the opposite ALTER; what loses data
 * is in `drops`, which come last. Every clause can run twice, because a crash may come before the change is recorded.
 */

import type { DataSource, DataSourceColumn, DataSourceEngine } from '@glasshouse/model';
import { checkedSettings, codecText, columnDdl, keepsRows } from './datasource-ddl.ts';
import { quoteName, quoteText } from './ddl.ts';

export interface TableChange {
  readonly kind: 'none' | 'alter' | 'rebuild';
  /** Clauses of an ALTER, in order; empty unless `kind` is `alter`. */
  readonly clauses: readonly string[];
  /** Clauses that lose data, in order; empty unless `kind` is `alter`. */
  readonly drops: readonly string[];
  /** What changes, in words: `adds column x`. */
  readonly changes: readonly string[];
  /** What is lost, in words: `drops column x`. */
  readonly losses: readonly string[];
}

/** Parts of the engine that a table cannot change in place. */
const FIXED = ['sortingKey', 'partitionKey', 'primaryKey', 'version', 'sign', 'isDeleted', 'summingColumns'] as const;

const FIXED_NAMES: Readonly<Record<(typeof FIXED)[number], string>> = {
  sortingKey: 'sorting key',
  partitionKey: 'partition key',
  primaryKey: 'primary key',
  version: 'version column',
  sign: 'sign column',
  isDeleted: 'is_deleted column',
  summingColumns: 'summing columns',
};

/** Settings that a table cannot change in place either, with the values that they have where none is given. */
export const FIXED_SETTINGS: Readonly<Record<string, string>> = {
  enable_mixed_granularity_parts: '1',
  index_granularity: '8192',
  index_granularity_bytes: '10485760',
};

/** Compares two definitions of one data source. */
export function planChange(before: DataSource, after: DataSource): TableChange {
  const changes: string[] = [];
  const losses: string[] = [];
  const fixed = engineChanges(before, after);
  changes.push(...fixed);
  let rebuild = fixed.length > 0;
  if (keepsRows(before.engine) && !keepsRows(after.engine)) losses.push('drops all rows: the new engine is Null');

  const former = new Map(before.columns.map((column) => [column.name, column]));
  const kept = after.columns.filter(({ name }) => former.has(name));
  const removed = before.columns.filter(({ name }) => !after.columns.some((column) => column.name === name));
  const alters: string[] = [];
  for (const [index, column] of after.columns.entries()) {
    const old = former.get(column.name);
    if (old === undefined) {
      changes.push(`adds column ${column.name}`);
      alters.push(`ADD COLUMN IF NOT EXISTS ${columnDdl(column)} ${positionOf(after.columns, index)}`);
    } else {
      const difference = columnChange(old, column);
      if (difference === undefined) continue;
      changes.push(difference.text);
      if (difference.clauses === undefined) rebuild = true;
      else alters.push(...difference.clauses);
    }
  }
  const forward = after.forwardQuery === before.forwardQuery ? undefined : after.forwardQuery;
  for (const { name } of removed) {
    changes.push(`drops column ${name}`);
    // What a query makes other columns of is not lost: whoever wrote it says what becomes of the values.
    if (!names(forward, name)) losses.push(`drops column ${name}`);
  }
  if (isReordered(before.columns, kept)) {
    changes.push('reorders columns');
    for (const [index, column] of after.columns.entries()) {
      // The whole column: what it leaves out, this clause takes away from what the same ALTER gave before.
      alters.push(`MODIFY COLUMN ${columnDdl(column)} ${positionOf(after.columns, index)}`);
    }
  }
  const indexes = indexChanges(before, after, changes);
  const storage = storageChanges(before, after, changes);
  // A new query for the rows that are there wants to be run over them.
  if (changes.length > 0 && forward !== undefined) rebuild = true;

  const common = { changes, losses };
  if (changes.length === 0) return { kind: 'none', clauses: [], drops: [], ...common };
  if (rebuild) return { kind: 'rebuild', clauses: [], drops: [], ...common };
  return {
    kind: 'alter',
    clauses: [...indexes.drops, ...alters, ...indexes.adds, ...storage],
    drops: removed.map(({ name }) => `DROP COLUMN IF EXISTS ${quoteName(name)}`),
    ...common,
  };
}

function engineChanges(before: DataSource, after: DataSource): string[] {
  const changes: string[] = [];
  if (before.engine.name !== after.engine.name)
    changes.push(`changes the engine from ${before.engine.name} to ${after.engine.name}`);
  if (!keepsRows(before.engine) && !keepsRows(after.engine)) return changes;
  for (const part of FIXED) {
    if (expressionText(before.engine[part]) !== expressionText(after.engine[part]))
      changes.push(`changes the ${FIXED_NAMES[part]}`);
  }
  for (const key of Object.keys(FIXED_SETTINGS)) {
    if (fixedSetting(before.engine, key) !== fixedSetting(after.engine, key)) changes.push(`changes ${key}`);
  }
  return changes;
}

/** How a column differs; without `clauses` if not in place. */
function columnChange(
  before: DataSourceColumn,
  after: DataSourceColumn,
): { readonly text: string; readonly clauses?: readonly string[] } | undefined {
  const { name } = after;
  if (plain(before.type) !== plain(after.type)) {
    return { text: `changes column ${name} from ${before.type} to ${after.type}` };
  }
  const [was, is] = [kindOf(before), kindOf(after)];
  const clauses: string[] = [];
  const texts: string[] = [];
  if (was !== is || plain(before.expression) !== plain(after.expression)) {
    // The values of an alias or of an ephemeral column are nowhere: there is nothing to keep in place.
    const isStored = (kind: string): boolean => kind === 'NONE' || kind === 'DEFAULT' || kind === 'MATERIALIZED';
    if (was !== is && !(isStored(was) && isStored(is))) return { text: `changes column ${name} from ${was} to ${is}` };
    texts.push(`the default of column ${name}`);
    const { codec: _, ...withoutCodec } = after;
    if (is === 'NONE') clauses.push(`MODIFY COLUMN ${quoteName(name)} REMOVE ${was}`);
    else clauses.push(`MODIFY COLUMN ${columnDdl(withoutCodec)}`);
  }
  if (codecOf(before) !== codecOf(after)) {
    texts.push(`the codec of column ${name}`);
    const change = after.codec === undefined ? 'REMOVE CODEC' : `CODEC(${codecText(after.codec)})`;
    clauses.push(`MODIFY COLUMN ${quoteName(name)} ${change}`);
  }
  if (before.comment !== after.comment) {
    texts.push(`the comment of column ${name}`);
    // No other clause takes one away.
    clauses.push(`COMMENT COLUMN ${quoteName(name)} ${quoteText(after.comment ?? '')}`);
  }
  return texts.length === 0 ? undefined : { text: `changes ${texts.join(' and ')}`, clauses };
}

function indexChanges(before: DataSource, after: DataSource, changes: string[]): { drops: string[]; adds: string[] } {
  const texts = (dataSource: DataSource): Map<string, string> =>
    new Map(
      dataSource.indexes.map((index) => [
        index.name,
        `INDEX ${quoteName(index.name)} ${index.expression} TYPE ${index.type} GRANULARITY ${index.granularity}`,
      ]),
    );
  const [was, is] = [texts(before), texts(after)];
  const drops: string[] = [];
  const adds: string[] = [];
  for (const [name, text] of was) {
    if (plain(is.get(name)) === plain(text)) continue;
    if (!is.has(name)) changes.push(`drops index ${name}`);
    drops.push(`DROP INDEX IF EXISTS ${quoteName(name)}`);
  }
  for (const [name, text] of is) {
    if (plain(was.get(name)) === plain(text)) continue;
    changes.push(`${was.has(name) ? 'changes' : 'adds'} index ${name}`);
    adds.push(`ADD ${text.replace('INDEX', 'INDEX IF NOT EXISTS')}`);
  }
  return { drops, adds };
}

/** TTL and settings. A table without rows has neither. */
function storageChanges(before: DataSource, after: DataSource, changes: string[]): string[] {
  if (!keepsRows(after.engine)) return [];
  const clauses: string[] = [];
  const [was, is] = [before.engine, after.engine];
  if (expressionText(was.ttl) !== expressionText(is.ttl)) {
    changes.push('changes the TTL');
    clauses.push(expressionText(is.ttl) === '' ? 'REMOVE TTL' : `MODIFY TTL ${is.ttl}`);
  }
  const [old, now] = [changeableSettings(was), changeableSettings(is)];
  for (const [key, value] of Object.entries(now)) {
    if (old[key] === value) continue;
    changes.push(`sets ${key}`);
    clauses.push(`MODIFY SETTING ${key} = ${value}`);
  }
  for (const key of Object.keys(old)) {
    if (Object.hasOwn(now, key)) continue;
    changes.push(`resets ${key}`);
    clauses.push(`RESET SETTING ${key}`);
  }
  return clauses;
}

/** True if the text names the column, as far as words outside of literals tell. */
function names(text: string | undefined, column: string): boolean {
  const bare = (text ?? '').replaceAll(/'(?:[^'\\]|\\.)*'/gsu, "''");
  return [...bare.matchAll(/[\p{L}_$][\p{L}\p{N}_$]*/gu)].some(([word]) => word === column);
}

function fixedSetting({ settings }: DataSourceEngine, key: string): string | undefined {
  return (settings?.[key] ?? FIXED_SETTINGS[key])?.replaceAll("'", '');
}

function changeableSettings({ settings = {} }: DataSourceEngine): Record<string, string> {
  const entries = Object.entries(checkedSettings(settings));
  return Object.fromEntries(entries.filter(([key]) => !Object.hasOwn(FIXED_SETTINGS, key)));
}

/** True if the columns that stay are in another order than before. */
function isReordered(before: readonly DataSourceColumn[], kept: readonly DataSourceColumn[]): boolean {
  const names = new Set(kept.map(({ name }) => name));
  const former = before.filter(({ name }) => names.has(name));
  return former.some(({ name }, index) => kept[index]?.name !== name);
}

function positionOf(columns: readonly DataSourceColumn[], index: number): string {
  const previous = columns[index - 1];
  return previous === undefined ? 'FIRST' : `AFTER ${quoteName(previous.name)}`;
}

function kindOf({ kind, expression }: DataSourceColumn): string {
  return kind ?? (expression === undefined ? 'NONE' : 'DEFAULT');
}

function codecOf({ codec }: DataSourceColumn): string {
  return codec === undefined ? '' : plain(codecText(codec));
}

/** An expression without what parentheses around the whole and white space add. */
function expressionText(text: string | undefined): string {
  const bare = plain(text);
  const inside = /^\((.*)\)$/su.exec(bare)?.[1];
  const whole = inside !== undefined && isBalanced(inside) ? inside : bare;
  return whole === 'tuple()' ? '' : whole;
}

/** True if no parenthesis closes what was opened before the text. */
function isBalanced(text: string): boolean {
  let depth = 0;
  for (const char of text) {
    if (char === '(') depth++;
    if (char === ')' && --depth < 0) return false;
  }
  return depth === 0;
}

/** Without white space outside of literals. */
function plain(text: string | undefined): string {
  return (text ?? '').replaceAll(/'(?:[^'\\]|\\.)*'|\s+/gsu, (match) => (match.startsWith("'") ? match : ''));
}
