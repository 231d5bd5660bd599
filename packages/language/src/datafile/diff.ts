/**
 * What a deployment has to change to get from one version of a resource to the next, and what each change costs.
 *
 * Must stay true: equal resources have no changes, and a change that may lose stored rows or values is never called harmless.
 */

import {
  invariant,
  type DataSource,
  type DataSourceColumn,
  type DataSourceEngine,
  type GrantedToken,
  type Resource,
} from '@glasshouse/model';
import { tokenize } from '../lexer.ts';
import type { Change, ChangeType } from './change.ts';
import { diffPipe } from './diff-pipe.ts';
import { partName, type EnginePart } from './engine.ts';
import { isWidening } from './widening.ts';

/** The changes from one version of a resource to another of the same name, in the order of the data file. */
export function diffResource(before: Resource, after: Resource): Change[] {
  invariant(before.name === after.name, `BUG: ${before.name} and ${after.name} are two resources`);
  if (before.kind === 'datasource' && after.kind === 'datasource') return diffDataSource(before, after);
  if (before.kind === 'pipe' && after.kind === 'pipe')
    return [...diffCommon(before, after), ...diffPipe(before, after)];
  const impact = before.kind === 'datasource' ? 'destructive' : 'rebuild';
  const message = `The ${before.kind} becomes a ${after.kind}${impact === 'destructive' ? ', and its rows are lost' : ''}.`;
  return [{ type: 'kind_changed', impact, before: before.kind, after: after.kind, message }];
}

function diffDataSource(before: DataSource, after: DataSource): Change[] {
  return [
    ...diffCommon(before, after),
    ...diffColumns(before, after),
    ...diffEngine(before, after),
    ...diffIndexes(before, after),
    ...changed('forward_query_changed', 'FORWARD_QUERY', before.forwardQuery, after.forwardQuery),
    ...changed('backfill_changed', 'BACKFILL', before.backfill, after.backfill),
    ...changed('shared_with_changed', 'SHARED_WITH', listText(before.sharedWith), listText(after.sharedWith)),
  ];
}

function diffCommon(before: Resource, after: Resource): Change[] {
  return [
    ...changed('description_changed', 'DESCRIPTION', before.description, after.description),
    ...changed('tokens_changed', 'TOKEN', tokensText(before.tokens), tokensText(after.tokens)),
    ...changed('tags_changed', 'TAGS', listText(before.tags), listText(after.tags)),
  ];
}

/** A change in place, if there is one. */
function changed(type: ChangeType, subject: string, before: string | undefined, after: string | undefined): Change[] {
  if (before === after) return [];
  const verb = before === undefined ? 'added' : after === undefined ? 'removed' : 'changed';
  return [{ type, impact: 'inPlace', subject, before, after, message: `${subject} is ${verb}.` }];
}

function listText(items: readonly string[]): string | undefined {
  return items.length === 0 ? undefined : items.toSorted().join(', ');
}

function tokensText(tokens: readonly GrantedToken[]): string | undefined {
  return listText(tokens.map(({ name, scope }) => `${name} ${scope}`));
}

function diffColumns(before: DataSource, after: DataSource): Change[] {
  const [old, now] = [byName(before.columns), byName(after.columns)];
  const forward = before.forwardQuery === after.forwardQuery ? undefined : after.forwardQuery;
  const removed = before.columns.filter(({ name }) => !now.has(name)).map((column) => removedColumn(column, forward));
  const rest = after.columns.flatMap((column) => {
    const former = old.get(column.name);
    if (former === undefined) return [addedColumn(column)];
    return [...diffType(former, column, before, after), ...diffDefault(former, column), ...diffDetails(former, column)];
  });
  return [...removed, ...rest, ...diffOrder(before, after)];
}

function byName<T extends { readonly name: string }>(items: readonly T[]): Map<string, T> {
  return new Map(items.map((item) => [item.name, item]));
}

function isStored({ kind }: DataSourceColumn): boolean {
  return kind !== 'ALIAS' && kind !== 'EPHEMERAL';
}

function addedColumn(column: DataSourceColumn): Change {
  const message = `The column ${column.name} is added; in rows from before it has its default.`;
  return { type: 'column_added', impact: 'inPlace', subject: column.name, after: column.type, message };
}

/** `forward` is a query that is new with the removal: if it names the column, it says what becomes of the values. */
function removedColumn(column: DataSourceColumn, forward: string | undefined): Change {
  const change = { type: 'column_removed', subject: column.name, before: column.type } as const;
  const message = `The column ${column.name} is removed`;
  if (!isStored(column)) return { ...change, impact: 'inPlace', message: `${message}.` };
  return mentions(forward, column.name)
    ? { ...change, impact: 'rebuild', message: `${message}; FORWARD_QUERY says what becomes of its values.` }
    : { ...change, impact: 'destructive', message: `${message}, and its values are lost.` };
}

function diffType(old: DataSourceColumn, now: DataSourceColumn, before: DataSource, after: DataSource): Change[] {
  if (old.type === now.type) return [];
  const change = { type: 'column_type_changed', subject: now.name, before: old.type, after: now.type } as const;
  const from = `The type of ${now.name} changes from ${old.type} to ${now.type}`;
  if (!isStored(old)) return [{ ...change, impact: 'inPlace', message: `${from}.` }];
  if (!isWidening(old.type, now.type)) {
    if (after.forwardQuery !== undefined) {
      return [{ ...change, impact: 'rebuild', message: `${from}; FORWARD_QUERY converts its values.` }];
    }
    return [
      {
        ...change,
        impact: 'destructive',
        message: `${from}, in which not every value has a place; a FORWARD_QUERY can say how.`,
      },
    ];
  }
  if (isInKey(now.name, before.engine) || isInKey(now.name, after.engine)) {
    return [{ ...change, impact: 'rebuild', message: `${from}, and rows are ordered by it.` }];
  }
  return [{ ...change, impact: 'inPlace', message: `${from}.` }];
}

const KEY_PARTS = [
  'sortingKey',
  'primaryKey',
  'partitionKey',
  'version',
  'sign',
  'isDeleted',
  'summingColumns',
] as const;

function isInKey(name: string, engine: DataSourceEngine): boolean {
  return KEY_PARTS.some((part) => mentions(engine[part], name));
}

/** A text that cannot be read names nothing; it is refused where it is judged. */
function mentions(expression: string | undefined, name: string): boolean {
  if (expression === undefined) return false;
  try {
    return tokenize(expression).some(({ kind, value }) => (kind === 'word' || kind === 'quoted') && value === name);
  } catch {
    return false;
  }
}

function diffDefault(old: DataSourceColumn, now: DataSourceColumn): Change[] {
  const [before, after] = [defaultText(old), defaultText(now)];
  if (before === after) return [];
  const change = { type: 'column_default_changed', subject: now.name, before, after } as const;
  if (isStored(old) && !isStored(now)) {
    return [
      {
        ...change,
        impact: 'destructive',
        message: `The column ${now.name} is no longer stored, and its values are lost.`,
      },
    ];
  }
  if (!isStored(old) && isStored(now)) {
    return [{ ...change, impact: 'rebuild', message: `The column ${now.name} is stored from now on.` }];
  }
  const stays = isStored(now) ? '; rows from before keep their values' : '';
  return [{ ...change, impact: 'inPlace', message: `The default of ${now.name} changes${stays}.` }];
}

function defaultText({ kind, expression }: DataSourceColumn): string | undefined {
  return kind === undefined ? undefined : [kind, expression].filter((part) => part !== undefined).join(' ');
}

function diffDetails(old: DataSourceColumn, now: DataSourceColumn): Change[] {
  const changes: Change[] = [];
  const [before, after] = [old.jsonPath, now.jsonPath];
  if (before !== after) {
    const message = `The column ${now.name} is read from ${after ?? `the key ${now.name}`} in rows to come.`;
    changes.push({ type: 'column_path_changed', impact: 'inPlace', subject: now.name, before, after, message });
  }
  if (old.codec !== now.codec) {
    const message = `The codec of ${now.name} changes for parts to come.`;
    changes.push({
      type: 'column_codec_changed',
      impact: 'inPlace',
      subject: now.name,
      before: old.codec,
      after: now.codec,
      message,
    });
  }
  if (old.comment !== now.comment) {
    changes.push({
      type: 'column_comment_changed',
      impact: 'inPlace',
      subject: now.name,
      before: old.comment,
      after: now.comment,
      message: `The comment of ${now.name} changes.`,
    });
  }
  return changes;
}

function diffOrder(before: DataSource, after: DataSource): Change[] {
  const [old, now] = [byName(before.columns), byName(after.columns)];
  const formerly = before.columns.map(({ name }) => name).filter((name) => now.has(name));
  const presently = after.columns.map(({ name }) => name).filter((name) => old.has(name));
  if (formerly.join('\n') === presently.join('\n')) return [];
  const message = 'The columns are in another order.';
  return [
    { type: 'columns_reordered', impact: 'inPlace', before: formerly.join(', '), after: presently.join(', '), message },
  ];
}

function diffEngine({ engine: old }: DataSource, { engine: now }: DataSource): Change[] {
  const changes: Change[] = [];
  if (old.name !== now.name) {
    const impact = now.name === 'Null' ? 'destructive' : 'rebuild';
    const message = `The engine changes from ${old.name} to ${now.name}${now.name === 'Null' ? ', which keeps no rows' : ''}.`;
    changes.push({ type: 'engine_changed', impact, subject: 'ENGINE', before: old.name, after: now.name, message });
  }
  for (const part of KEY_PARTS) {
    if (old[part] !== now[part]) changes.push(engineChange(part, old[part], now[part], now.name));
  }
  if (old.ttl !== now.ttl) {
    const message =
      now.ttl === undefined ? 'Rows are kept for good.' : `Rows age by ${now.ttl}, also those that are there.`;
    changes.push({
      type: 'ttl_changed',
      impact: 'inPlace',
      subject: 'ENGINE_TTL',
      before: old.ttl,
      after: now.ttl,
      message,
    });
  }
  return [...changes, ...diffSettings(old, now)];
}

function engineChange(part: EnginePart, before: string | undefined, after: string | undefined, engine: string): Change {
  const subject = partName(part, engine);
  const message = `${subject} changes from ${before ?? 'nothing'} to ${after ?? 'nothing'}; all rows are written anew.`;
  return { type: 'engine_changed', impact: 'rebuild', subject, before, after, message };
}

/** Settings that the engine takes only when it makes a table. */
const FIXED_SETTINGS: ReadonlySet<string> = new Set(
  (
    'index_granularity index_granularity_bytes enable_mixed_granularity_parts add_minmax_index_for_numeric_columns ' +
    'add_minmax_index_for_string_columns storage_policy disk'
  ).split(' '),
);

function diffSettings(old: DataSourceEngine, now: DataSourceEngine): Change[] {
  const names = new Set([...Object.keys(old.settings ?? {}), ...Object.keys(now.settings ?? {})]);
  return [...names].toSorted().flatMap((name): Change[] => {
    const [before, after] = [old.settings?.[name], now.settings?.[name]];
    if (before === after) return [];
    const impact = FIXED_SETTINGS.has(name) ? 'rebuild' : 'inPlace';
    const message = `The setting ${name} changes from ${before ?? 'its default'} to ${after ?? 'its default'}.`;
    return [{ type: 'setting_changed', impact, subject: name, before, after, message }];
  });
}

function diffIndexes(before: DataSource, after: DataSource): Change[] {
  const [old, now] = [byName(before.indexes), byName(after.indexes)];
  const names = new Set([...old.keys(), ...now.keys()]);
  return [...names].flatMap((name): Change[] => {
    const [former, present] = [indexText(old.get(name)), indexText(now.get(name))];
    if (former === present) return [];
    const type = former === undefined ? 'index_added' : present === undefined ? 'index_removed' : 'index_changed';
    const message = `The index ${name} is ${type.slice('index_'.length)}.`;
    return [{ type, impact: 'inPlace', subject: name, before: former, after: present, message }];
  });
}

function indexText(index: DataSource['indexes'][number] | undefined): string | undefined {
  return index === undefined ? undefined : `${index.expression} TYPE ${index.type} GRANULARITY ${index.granularity}`;
}
