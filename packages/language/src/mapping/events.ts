/**
 * The statements that move a data source's lines from a staging table into its columns, and the lines that do not fit into its
 * quarantine. Generated from the schema, so that a line is parsed once and everything else is work on columns.
 *
 * Must stay true: a row is inserted or quarantined, never both and never neither. Both statements decide by the same expression,
 * which is 0 or 1 for every line, depends on the line and its arrival only, and does not throw: what can throw is the user's,
 * and rows for which it does are barred beforehand (`isolate.ts`).
 */

import { AppError, SEGMENT, type DataSource } from '@glasshouse/model';
import { bindColumn, readColumn, storedType, type MappedColumn, type Scope } from './column.ts';
import { keyParts, userExpression } from './expression.ts';
import { isRepairedObject, repaired, withoutMarks } from './json.ts';
import { Bindings, INNER } from './levels.ts';
import { all, any, forSome } from './logic.ts';
import { bindParse } from './parse.ts';
import { barredReason, misfitReasons, quarantineColumnsOf, rejectedRow, type QuarantineColumn } from './quarantine.ts';
import { quoteName, quoteText } from './quote.ts';
import { parseType } from './type.ts';

/** Lines whose insert throws: a range of `sipHash64(line)`, both ends included. */
export interface HashRange {
  readonly from: bigint;
  readonly to: bigint;
}

export interface Barred extends HashRange {
  /** What the engine said. */
  readonly reason: string;
}

export interface MappingOptions {
  /** The distinct write filters of the staging rows, each judged elsewhere. A row with another filter does not fit. */
  readonly filters?: readonly string[];
  readonly barred?: readonly Barred[];
}

/** Names in a statement. They stand in it as they are: quote them. */
export interface Names {
  /** The staging table, with the columns `import_id`, `filter`, `received_at` and `line`. */
  readonly staging: string;
  /** Condition on the staging table's columns that picks the data source's rows. */
  readonly where: string;
}

export interface InsertNames extends Names {
  readonly target: string;
  /** Value of `_segment`. */
  readonly segment: string;
  /** Condition on the columns of the target that picks some of the rows, such as those of one partition. */
  readonly only?: string;
}

export interface EventMapping {
  /** Columns of the data source that a row can bring, in the order of the insert. */
  readonly columns: readonly string[];
  readonly quarantineColumns: readonly QuarantineColumn[];
  /** INSERT of the rows that fit. */
  insertGood(names: InsertNames): string;
  /** INSERT of the rows that do not, with the reasons. */
  insertQuarantine(names: InsertNames): string;
  /** SELECT of one row: `lines`, `good`. */
  count(names: Names): string;
  /** SELECT of `partition` and `rows`: what `insertGood` puts where, by the partition's id. */
  partitions(names: Names): string;
  /** SELECT that throws if `insertGood` throws because of a value in the rows of the range. */
  probe(names: Names, range: HashRange): string;
  /** SELECT of one row, `lines`, `low`, `middle` and `high`, of the hashes in the range. */
  spread(names: Names, range: HashRange): string;
}

/**
 * Settings of all statements here. They make the engine's JSON functions write a value as JSON does, let `_segment` be given,
 * and let a wide data source have its long statement, which the engine must not try to put into one expression.
 */
export const MAPPING_SETTINGS = {
  allow_simdjson: 1,
  cast_keep_nullable: 0,
  enable_analyzer: 1,
  input_format_null_as_default: 1,
  insert_allow_materialized_columns: 1,
  max_ast_elements: 1_000_000,
  max_expanded_ast_elements: 10_000_000,
  max_query_size: 16_777_216,
  output_format_json_escape_forward_slashes: 0,
  precise_float_parsing: 1,
  prefer_column_name_to_alias: 0,
  query_plan_enable_optimizations: 0,
  short_circuit_function_evaluation: 'enable',
} as const;

/** What is kept of a staging row beside its values. */
const STAGED = ['line AS m__line', 'received_at AS m__at', 'import_id AS m__import', 'filter AS m__filter'] as const;

/**
 * Generates the statements of a data source; they need `MAPPING_SETTINGS`.
 *
 * Throws `bad_request` for a schema that JSON cannot be mapped to: an unreadable type or path, a path with `[:]` into a type
 * that is no array, an expression that is not one.
 */
export function mapEvents(source: DataSource, options: MappingOptions = {}): EventMapping {
  const reserved = source.columns.find(({ name }) => name.startsWith(INNER));
  if (reserved !== undefined) {
    throw new AppError(
      'bad_request',
      `cannot map column=${reserved.name}: names that begin with ${INNER} are reserved`,
    );
  }
  const mapping = new Mapping(source, options);
  // Faults of the expressions show now and not at the first insert.
  mapping.probe({ staging: 'staging', where: '1' }, { from: 0n, to: 0n });
  return mapping;
}

class Mapping implements EventMapping {
  readonly columns: readonly string[];
  readonly quarantineColumns: readonly QuarantineColumn[];
  readonly #source: DataSource;
  readonly #filters: readonly string[];
  readonly #barred: readonly Barred[];
  readonly #bindings = new Bindings();
  readonly #mapped: readonly MappedColumn[];

  constructor(source: DataSource, options: MappingOptions) {
    this.#source = source;
    this.#filters = [...new Set(options.filters ?? [])].filter((filter) => filter !== '');
    this.#barred = options.barred ?? [];
    this.#mapped = this.#bind();
    this.columns = this.#mapped.filter(({ column }) => column.kind !== 'EPHEMERAL').map(({ column }) => column.name);
    this.quarantineColumns = quarantineColumnsOf(source);
  }

  insertGood({ target, segment, only, ...names }: InsertNames): string {
    const columns = this.columns.map(quoteName);
    const picked = only === undefined ? [] : [`if(${only}, 1, 0)`];
    return (
      `INSERT INTO ${target} (${[...columns, SEGMENT].join(', ')})\n` +
      `SELECT ${[...columns, `${segment} AS ${SEGMENT}`].join(', ')}\nFROM ${this.#rows(names)}\n` +
      `WHERE ${all([`${INNER}fits`, ...picked])}`
    );
  }

  insertQuarantine({ target, segment, only, ...names }: InsertNames): string {
    const columns = [...this.quarantineColumns.map(({ name }) => quoteName(name)), SEGMENT].join(', ');
    const parts = [this.#misfits(names), ...(this.#barred.length === 0 ? [] : [this.#barredRows(names)])];
    const rows = parts.map((part) => `SELECT *, ${segment} AS ${SEGMENT} FROM ${part}`).join('\nUNION ALL\n');
    const picked = only === undefined ? '' : `\nWHERE ${only}`;
    return `INSERT INTO ${target} (${columns})\nSELECT ${columns}\nFROM (\n${rows}\n)${picked}`;
  }

  count(names: Names): string {
    const lines = `(SELECT count() FROM ${names.staging} WHERE ${names.where})`;
    return `SELECT ${lines} AS lines, sum(${INNER}fits) AS good\nFROM ${this.#rows(names)}`;
  }

  partitions(names: Names): string {
    const parts = keyParts(this.#source.engine.partitionKey ?? '').map((part) =>
      this.#expression(part, 'partition key'),
    );
    // The parts one by one: of a tuple the function makes another id than the table does.
    const partition = parts.length === 0 ? "'all'" : `partitionID(${parts.join(', ')})`;
    return (
      `SELECT ${partition} AS partition, count() AS rows\nFROM ${this.#rows(names)}\n` +
      `WHERE ${INNER}fits GROUP BY partition ORDER BY partition`
    );
  }

  probe(names: Names, range: HashRange): string {
    const { engine, indexes } = this.#source;
    const computed = this.#source.columns.filter(({ kind }) => kind === 'MATERIALIZED').map(({ name }) => name);
    const keys = [engine.partitionKey, engine.sortingKey, engine.primaryKey, engine.ttl]
      .map((key) => key?.trim() ?? '')
      .filter((key) => key !== '');
    const texts = [...keys, ...indexes.map(({ expression }) => expression)];
    const touched = [
      ...[...this.columns, ...computed].map(quoteName),
      ...texts.map((text) => this.#expression(ttlExpression(text), 'key')),
    ];
    return (
      `SELECT count()\nFROM ${this.#rows({ ...names, where: within(names, range) })}\n` +
      `WHERE ${all([`${INNER}fits`, `NOT ignore(${touched.join(', ')})`])}`
    );
  }

  spread(names: Names, range: HashRange): string {
    return (
      `SELECT count() AS lines, toString(min(hash)) AS low, toString(quantileExactLow(0.5)(hash)) AS middle, ` +
      `toString(max(hash)) AS high\n` +
      `FROM (SELECT sipHash64(line) AS hash FROM ${names.staging} WHERE ${within(names, range)})`
    );
  }

  /** The parse and the values, bound to names. */
  #bind(): readonly MappedColumn[] {
    const bindings = this.#bindings;
    const read = this.#source.columns.map(readColumn).filter((column) => column !== undefined);
    const line = `${INNER}line`;
    const plain = bindings.bind('plain', `JSONType(${line}) = 'Object'`);
    const whole = bindings.bind(
      'whole',
      forSome(`NOT ${plain}`, (empty) => repaired(`concat(${line}, ${empty})`)),
    );
    const json = bindings.bind('json', `if(${plain}, ${line}, ${withoutMarks(whole)})`);
    bindings.bind('object', any([plain, isRepairedObject(whole)]));
    const wants = read.flatMap(({ path, want }) => (want === undefined ? [] : [{ keys: path.keys, want }]));
    const parse = bindParse(wants, json, bindings);
    const scope: Scope = { bindings, source: { line, plain, whole }, json, at: `${INNER}at` };
    return read.map((column) => ({
      ...column,
      sql: bindColumn(column, scope, (want) => parse.find(column.path.keys, want)),
    }));
  }

  /** The staging rows that are not barred, with the columns of the data source under their names, `m__fits`, and what `more` asks for. */
  #rows(names: Names, more: readonly string[] = []): string {
    const own = this.#mapped.flatMap(({ sql }) => sql.fits ?? []);
    const named = [
      ...this.#mapped.map(({ column, sql }) => `${sql.value} AS ${quoteName(column.name)}`),
      ...this.#computed(),
      `${this.#filter()} AS ${INNER}inside`,
      `${all([`${INNER}object`, ...own, `${INNER}inside`])} AS ${INNER}fits`,
      ...more,
    ];
    const free = this.#barred.map((range) => `NOT (${isWithin(range)})`);
    return `(\nSELECT ${named.join(',\n  ')}\nFROM ${this.#converted(names, free)}\n)`;
  }

  /** The staging rows with everything that is made of them before an expression of the user is. */
  #converted({ staging, where }: Names, conditions: readonly string[]): string {
    const picked = [`(${where})`, ...conditions].join(' AND ');
    return this.#bindings.query(`(\nSELECT ${STAGED.join(', ')}\nFROM ${staging}\nWHERE ${picked}\n)`);
  }

  /** Rows of the quarantine: those that do not fit. */
  #misfits(names: Names): string {
    const marks = this.#mapped.flatMap(({ sql: { fits, missing } }, index) =>
      fits === undefined ? [] : [`${fits} AS ${INNER}c${index}`, `${missing} AS ${INNER}n${index}`],
    );
    const kept = ['line', 'plain', 'whole', 'at', 'import', 'filter', 'object'].map((name) => `${INNER}${name}`);
    const reasons = misfitReasons(this.#mapped);
    const row = rejectedRow({ columns: this.quarantineColumns, mapped: this.#mapped, reasons });
    return `(\nSELECT ${row.join(',\n  ')}\nFROM ${this.#rows(names, [...kept, ...marks])}\nWHERE NOT ${INNER}fits\n)`;
  }

  /** Rows of the quarantine: those that are barred. No expression of the user is evaluated for them. */
  #barredRows(names: Names): string {
    const within = this.#barred.map((range) => `(${isWithin(range)})`).join(' OR ');
    const reasons = this.#barred.map((range) => barredReason(isWithin(range, `${INNER}line`), range.reason));
    const row = rejectedRow({ columns: this.quarantineColumns, mapped: this.#mapped, reasons });
    return `(\nSELECT ${row.join(',\n  ')}\nFROM ${this.#converted(names, [`(${within})`])}\n)`;
  }

  /** Columns that other expressions may name; what nobody names is not computed. */
  #computed(): string[] {
    return this.#source.columns.flatMap(({ name, type, kind, expression }) => {
      if ((kind !== 'MATERIALIZED' && kind !== 'ALIAS') || expression === undefined) return [];
      const value = this.#expression(expression, `expression of column ${name}`);
      return [`CAST(${value}, ${quoteText(storedType(parseType(type)))}) AS ${quoteName(name)}`];
    });
  }

  #filter(): string {
    const cases = this.#filters.map(
      (filter) => `${INNER}filter = ${quoteText(filter)}, if(${this.#expression(filter, 'write filter')}, 1, 0)`,
    );
    return `multiIf(${[`${INNER}filter = '', 1`, ...cases, '0'].join(', ')})`;
  }

  #expression(text: string, what: string): string {
    return userExpression(text, what, `${INNER}at`);
  }
}

function isWithin({ from, to }: HashRange, line = 'line'): string {
  return `sipHash64(${line}) BETWEEN ${from} AND ${to}`;
}

function within({ where }: Names, range: HashRange): string {
  return `(${where}) AND ${isWithin(range)}`;
}

/** The part of a TTL that is evaluated for each row: without what is done when it has passed. */
function ttlExpression(text: string): string {
  return text.replace(/\s+(?:DELETE|TO\s+(?:DISK|VOLUME)|GROUP\s+BY|RECOMPRESS)\b.*$/isu, '');
}
