/**
 * A dialect's table as SQL: one statement that selects generations out of spans or out of lines. Values of senders are never
 * in its text, only keys of the table.
 *
 * Must stay true: no expression here throws for any value, and each has the value that `readRow` has; JSON is opened once for all
 * the paths that go into the same object.
 */

import { callsSql } from './calls.ts';
import { MAPPED_COLUMNS, type ColumnKind, type GenerationColumn } from './columns.ts';
import { COUNT, DECIMALS, MONEY, NANOSECONDS, NUMBER, SIZE, TIME } from './convert.ts';
import { listCallsSql, listSql } from './flat-list-sql.ts';
import { JsonReader } from './json-reader.ts';
import { quoteName, quoteText } from './quote.ts';
import type { AttributeType, Condition, Conversion, Dialect, Origin, Source, SpanField } from './source.ts';

/** The alias of the rows that are read. Names are qualified, because a column of a generation may be called as one of a span. */
const ROWS = 's';

/** Settings that the statements need: without them numbers are read less exactly, and statements are too long. */
export const GENERATION_SETTINGS = {
  enable_analyzer: 1,
  max_ast_elements: 1_000_000,
  max_expanded_ast_elements: 10_000_000,
  max_query_size: 16_777_216,
  precise_float_parsing: 1,
  prefer_column_name_to_alias: 0,
  // No expression can fail, so none has to be spared; sparing opens the same JSON again for each column.
  short_circuit_function_evaluation: 'disable',
} as const;

export interface CompiledDialect {
  /** Expressions that the others use by name, in order. */
  readonly bindings: readonly (readonly [name: string, sql: string])[];
  /** By column, its expression. */
  readonly columns: readonly (readonly [column: string, sql: string])[];
  /** UInt8: whether the row is a generation in this dialect. Uses no binding of spans, so that it is cheap on its own. */
  readonly recognised: string;
}

/** Compiles a dialect over the rows with the alias `s`: the table of spans, or rows with a column `line`. */
export function compileDialect(dialect: Dialect): CompiledDialect {
  const json = new JsonReader();
  const columns = MAPPED_COLUMNS.map((column) => [column.name, columnOf(column, dialect, json)] as const);
  // A reader of its own: what is bound for it is written out, so that a filter needs nothing else.
  const recognised = any(
    dialect.when.map((conditions) => all(conditions.map((condition) => conditionOf(condition, new JsonReader(true))))),
  );
  return { bindings: json.bindings(), columns, recognised };
}

/**
 * The statement that selects the generations of a dialect.
 * @param from table, or a query in parentheses
 * @param more columns that are taken as they are
 */
export function selectGenerations(dialect: Dialect, from: string, more: readonly string[] = []): string {
  const { bindings, columns, recognised } = compileDialect(dialect);
  const bound = bindings.map(([name, sql]) => `${sql} AS ${name}`);
  const selected = [
    ...more.map((name) => `${ROWS}.${quoteName(name)} AS ${quoteName(name)}`),
    ...columns.map(([name, sql]) => `${sql} AS ${quoteName(name)}`),
  ];
  const head = bound.length === 0 ? '' : `WITH ${bound.join(', ')} `;
  return `${head}SELECT ${selected.join(', ')} FROM ${from} AS ${ROWS} WHERE ${recognised}`;
}

/**
 * UInt8 of a row of spans: it may be a generation in one of the dialects. A look at the keys alone, so that the table is only asked
 * about spans that are worth it.
 */
export function mayBeGeneration(dialects: readonly Dialect[]): string {
  return `hasAny(mapKeys(${ROWS}.attributes_string), [${markerKeys(dialects).map(quoteText).join(', ')}])`;
}

/** Keys of string attributes, of which a span has at least one if it is a generation in one of the dialects. */
export function markerKeys(dialects: readonly Dialect[]): string[] {
  const keys = new Set<string>();
  for (const { over, when } of dialects) {
    if (over !== 'span') continue;
    for (const conditions of when) {
      const key = conditions.find(({ absent, except }) => absent !== true && except === undefined)?.source.origin;
      if (key !== undefined && 'attribute' in key && key.types.includes('string')) keys.add(key.attribute);
    }
  }
  return [...keys];
}

/**
 * The name of the dialect that a row is a generation of, empty if of none; the first in the list that recognises it.
 * @param dialects all over the same rows, in the order of precedence
 */
export function recognitionOf(dialects: readonly Dialect[]): string {
  const cases = dialects.flatMap((dialect) => [compileDialect(dialect).recognised, quoteText(dialect.name)]);
  return `multiIf(${[...cases, `''`].join(', ')})`;
}

function columnOf({ name, kind }: GenerationColumn, dialect: Dialect, json: JsonReader): string {
  if (name === 'dialect') return quoteText(dialect.name);
  if (name === 'usage_dialect') return quoteText(dialect.counting.dialect);
  const values = (dialect.columns[name] ?? []).map((source) => convert(kind, source, json));
  const none = NONE[kind];
  return values.length === 0 ? none : `coalesce(${[...values, none].join(', ')})`;
}

/** What a column has where nothing is reported. */
const NONE: Readonly<Record<ColumnKind, string>> = {
  placed: `''`,
  priced: `''`,
  text: `''`,
  json: `''`,
  time: `CAST(NULL, 'Nullable(DateTime64(9, \\'UTC\\'))')`,
  count: `CAST(NULL, 'Nullable(UInt64)')`,
  number: `CAST(NULL, 'Nullable(Float64)')`,
  flag: `CAST(NULL, 'Nullable(Bool)')`,
  money: `CAST(NULL, 'Nullable(Decimal(38, 12))')`,
};

function conditionOf({ source, in: values, absent, except }: Condition, json: JsonReader): string {
  const { origin } = source;
  if (except !== undefined) return `ifNull(${textOf(source, json)} NOT IN (${except.map(quoteText).join(', ')}), 1)`;
  if (values === undefined && absent === undefined && 'attribute' in origin && source.at === undefined) {
    // The usual condition: asks whether a key is there without making a text of its value.
    return any(
      origin.types.map((type) =>
        type === 'string' ? `notEmpty(${mapAt(type, origin.attribute)})` : isIn(type, origin.attribute),
      ),
    );
  }
  const text = textOf(source, json);
  if (absent === true) return `isNull(${text})`;
  if (values === undefined) return `isNotNull(${text})`;
  return `ifNull(${text} IN (${values.map(quoteText).join(', ')}), 0)`;
}

function convert(kind: ColumnKind, source: Source, json: JsonReader): string {
  const { origin, as } = source;
  if ('from' in origin) {
    const nanoseconds = (time: Source): string => `toUnixTimestamp64Nano(${convert('time', time, json)})`;
    const elapsed = `(${nanoseconds(origin.until)} - ${nanoseconds(origin.from)})`;
    return `if(${elapsed} >= 0, ${elapsed} / 1e6, NULL)`;
  }
  return parse(kind, converted(textOf(source, json), as, json), as);
}

function parse(kind: ColumnKind, text: string, as: Conversion | undefined): string {
  switch (kind) {
    case 'count':
      return as === 'whole seconds' ? wholeMilliseconds(text) : fitting(COUNT, text, `toUInt64OrNull(${text})`);
    case 'number': {
      const scaled = as === 'seconds' ? ' * 1e3' : as === 'nanoseconds' ? ' / 1e6' : '';
      return fitting(NUMBER, text, `toFloat64OrNull(${text})${scaled}`);
    }
    case 'time':
      return timeOf(text, as);
    case 'flag':
      return `transform(${text}, ['true', '1', 'false', '0'], CAST([1, 1, 0, 0], 'Array(Nullable(Bool))'), NULL)`;
    case 'money':
      return fitting(MONEY, text, `toDecimal128OrNull(${text}, ${DECIMALS})`);
    default:
      return text;
  }
}

function converted(text: string, as: Conversion | undefined, json: JsonReader): string {
  if (as === 'width' || as === 'height') {
    return `nullIf(extractGroups(ifNull(${text}, ''), ${quoteText(SIZE)})[${as === 'width' ? 1 : 2}], '')`;
  }
  if (as === 'present') return `if(isNull(${text}), NULL, 'true')`;
  if (as === 'calls' || as === 'calls in messages') return callsSql(text, as !== 'calls', json);
  if (typeof as !== 'object') return text;
  const words = Object.entries(as.words.words);
  const list = (texts: readonly string[]): string => `[${texts.map(quoteText).join(', ')}]`;
  const from = list(words.map(([word]) => word));
  const into = `CAST(${list(words.map(([, word]) => word))}, 'Array(Nullable(String))')`;
  return `transform(lower(${text}), ${from}, ${into}, ${as.words.open ? text : 'NULL'})`;
}

function fitting(pattern: string, text: string, value: string): string {
  return `if(match(${text}, ${quoteText(pattern)}), ${value}, NULL)`;
}

function wholeMilliseconds(text: string): string {
  const ms = `floor(toFloat64OrNull(${text}) * 1000 + 0.5)`;
  return `if(match(${text}, ${quoteText(NUMBER)}) AND ${ms} < 1e14, accurateCastOrNull(${ms}, 'UInt64'), NULL)`;
}

function timeOf(text: string, as: Conversion | undefined): string {
  if (as === 'nanoseconds') {
    return fitting(NANOSECONDS, text, `fromUnixTimestamp64Nano(toInt64OrNull(${text}), 'UTC')`);
  }
  // Some write a time as JSON, quotes included.
  const bare = `replaceRegexpAll(${text}, '^"|"$', '')`;
  return fitting(TIME, bare, `parseDateTime64BestEffortOrNull(${bare}, 9, 'UTC')`);
}

/** `Nullable(String)`: the text of a source, NULL if there is none. */
function textOf({ origin, at }: Source, json: JsonReader): string {
  const text = originText(origin, json);
  return at === undefined ? text : `nullIf(${json.at(text, at)}, '')`;
}

function originText(origin: Origin, json: JsonReader): string {
  if ('constant' in origin) return `CAST(${quoteText(origin.constant)}, 'Nullable(String)')`;
  if ('line' in origin) return `${ROWS}.line`;
  if ('attribute' in origin) return attribute(origin.attribute, origin.types);
  if ('field' in origin) return FIELDS[origin.field];
  if ('event' in origin) {
    const named = `arrayFirst((a, n) -> n = ${quoteText(origin.event)}, ${EVENT_ATTRIBUTES}, ${EVENT_NAMES})`;
    return `nullIf(${named}, '')`;
  }
  if ('list' in origin) return listSql(origin, STRING_ATTRIBUTES);
  if ('callsIn' in origin) return listCallsSql(origin.callsIn, STRING_ATTRIBUTES);
  if ('momentOf' in origin) {
    const named = `has([${origin.momentOf.map(quoteText).join(', ')}], toString(n))`;
    const found = `arrayFirstOrNull((t, n) -> ${named}, ${EVENT_TIMES}, ${EVENT_NAMES})`;
    return `toString(toUnixTimestamp64Nano(${found}))`;
  }
  if ('prefix' in origin) return prefixText(origin.prefix);
  if ('messages' in origin) return messagesText(origin.messages, json);
  return "CAST(NULL, 'Nullable(String)')";
}

const EVENT_NAMES = `${ROWS}.\`events.name\``;
const EVENT_TIMES = `${ROWS}.\`events.timestamp\``;
const STRING_ATTRIBUTES = `${ROWS}.attributes_string`;
const EVENT_ATTRIBUTES = `${ROWS}.\`events.attributes\``;

const id = (name: string, bytes: number): string =>
  `if(${ROWS}.${name} = toFixedString('', ${bytes}), NULL, lower(hex(${ROWS}.${name})))`;

const FIELDS: Readonly<Record<SpanField, string>> = {
  timestamp: `toNullable(toString(toUnixTimestamp64Nano(${ROWS}.timestamp)))`,
  duration_ns: `toNullable(toString(${ROWS}.duration_ns))`,
  trace_id: id('trace_id', 16),
  span_id: id('span_id', 8),
  parent_span_id: id('parent_span_id', 8),
  name: `nullIf(toString(${ROWS}.name), '')`,
  status_code: `toNullable(toString(${ROWS}.status_code))`,
  status_message: `nullIf(toString(${ROWS}.status_message), '')`,
  scope_name: `nullIf(toString(${ROWS}.scope_name), '')`,
  resource_attributes: `nullIf(toString(${ROWS}.resource_attributes), '')`,
  http_status_code: `if(${ROWS}.http_status_code = 0, NULL, toString(${ROWS}.http_status_code))`,
};

const mapAt = (type: AttributeType, key: string): string => `${ROWS}.attributes_${type}[${quoteText(key)}]`;
const isIn = (type: AttributeType, key: string): string => `mapContains(${ROWS}.attributes_${type}, ${quoteText(key)})`;

function attribute(key: string, types: readonly AttributeType[]): string {
  const texts = types.map((type) => {
    if (type === 'string' || type === 'json') return `nullIf(${mapAt(type, key)}, '')`;
    // Not `toString`: of a Bool it depends on settings.
    const text = type === 'bool' ? `if(${mapAt(type, key)}, 'true', 'false')` : `toString(${mapAt(type, key)})`;
    return `if(${isIn(type, key)}, ${text}, NULL)`;
  });
  return texts.length === 1 ? (texts[0] ?? '') : `coalesce(${texts.join(', ')})`;
}

function prefixText(prefix: string): string {
  const kept = `mapFilter((k, v) -> startsWith(k, ${quoteText(prefix)}), ${ROWS}.attributes_string)`;
  const short = `mapApply((k, v) -> (substring(toString(k), ${new TextEncoder().encode(prefix).length + 1}), v), ${kept})`;
  return `if(empty(mapKeys(${kept})), NULL, toJSONString(${short}))`;
}

function messagesText(messages: Extract<Origin, { messages: unknown }>['messages'], json: JsonReader): string {
  const names = Object.keys(messages);
  const quoted = `[${names.map(quoteText).join(', ')}]`;
  const cases = names.flatMap((name) => {
    const { role, content } = messages[name] ?? { role: '', content: [] };
    const texts = content.map((path) => `nullIf(${json.inline('a', path)}, '')`);
    return [
      `n = ${quoteText(name)}`,
      `map('role', ${quoteText(role)}, 'content', coalesce(${[...texts, `''`].join(', ')}))`,
    ];
  });
  const every = `arrayMap((n, a) -> multiIf(${cases.join(', ')}, map('role', '', 'content', '')), ${EVENT_NAMES}, ${EVENT_ATTRIBUTES})`;
  const found = `arrayFilter((m, n) -> has(${quoted}, n), ${every}, ${EVENT_NAMES})`;
  return `if(hasAny(${EVENT_NAMES}, ${quoted}), toJSONString(${found}), NULL)`;
}

function all(conditions: readonly string[]): string {
  return conditions.length === 1 ? (conditions[0] ?? '1') : `(${conditions.join(' AND ')})`;
}

function any(conditions: readonly string[]): string {
  return conditions.length === 1 ? (conditions[0] ?? '0') : `(${conditions.join(' OR ')})`;
}
