/**
 * The statements that move a data source's lines from a staging table into its columns, and the lines that do not fit into its
 * quarantine. Generated from the schema, so that a line is parsed once and everything else is work on columns.
 *
 * Must stay true: a row is inserted or quarantined, never both and never neither. Both statements decide by the same expression,
 * which is 0 or 1 for every line, depends on the line and its arrival only, and does not throw: what can throw is the user's,
 * and rows for which it does are barred beforehand (`isolate.ts`).
 */

import { AppError, type DataSource, type DataSourceColumn } from '@glasshouse/model';
import { bindColumn, nameOf, readColumn, storedType, type ColumnSql, type ReadColumn, type Scope } from './column.ts';
import { userExpression } from './expression.ts';
import { forSome, isMarkedObject, marked, markedText, withTexts } from './json.ts';
import { Bindings, INNER } from './levels.ts';
import { bindParse } from './parse.ts';
import { lineErrors, quarantineColumnsOf, type QuarantineColumn, type RowError } from './quarantine.ts';
import { quoteName, quoteText } from './quote.ts';
import { hintOf } from './scalar.ts';
import { parseType } from './type.ts';

/** Lines whose insert throws: a range of `sipHash64(line)`, both ends included. */
export interface Barred {
  readonly from: bigint;
  readonly to: bigint;
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
  /** SELECT of `partition`, `rows`: what the insert of the good rows will put where. */
  partitions(names: Names): string;
  /** SELECT that throws if the insert would, and inserts nothing. `from` and `to` as in `Barred`. */
  probe(names: Names, range: { readonly from: bigint; readonly to: bigint }): string;
}

/**
 * Settings of all statements here. They make the engine's JSON functions write a value as JSON does, let `_segment` be given,
 * and let a wide data source have its long statement.
 */
export const MAPPING_SETTINGS = {
  allow_simdjson: 1,
  input_format_null_as_default: 1,
  insert_allow_materialized_columns: 1,
  max_ast_elements: 1_000_000,
  max_query_size: 16_777_216,
  output_format_json_escape_forward_slashes: 0,
  precise_float_parsing: 1,
  prefer_column_name_to_alias: 0,
  short_circuit_function_evaluation: 'enable',
} as const;

/** What is kept of a staging row beside its values. */
const KEPT = ['line', 'at', 'import', 'filter'] as const;
const STAGED = ['line AS m__line', 'received_at AS m__at', 'import_id AS m__import', 'filter AS m__filter'] as const;

/**
 * Generates the statements of a data source.
 *
 * Throws `bad_request` for a schema that JSON cannot be mapped to: an unreadable type or path, a path with `[:]` into a type
 * that is no array, an expression that is not one.
 */
export function mapEvents(source: DataSource, options: MappingOptions = {}): EventMapping {
  return new Mapping(source, options);
}

class Mapping implements EventMapping {
  readonly columns: readonly string[];
  readonly quarantineColumns: readonly QuarantineColumn[];
  readonly #source: DataSource;
  readonly #options: MappingOptions;
  readonly #read: readonly ReadColumn[];

  constructor(source: DataSource, options: MappingOptions) {
    this.#source = source;
    this.#options = options;
    const reserved = source.columns.find(({ name }) => name.startsWith(INNER));
    if (reserved !== undefined) {
      throw new AppError(
        'bad_request',
        `cannot map column=${reserved.name}: names that begin with ${INNER} are reserved`,
      );
    }
    this.#read = source.columns.map(readColumn).filter((column) => column !== undefined);
    this.columns = this.#read.filter(({ column }) => column.kind !== 'EPHEMERAL').map(({ column }) => column.name);
    this.quarantineColumns = quarantineColumnsOf(source);
    // Faults of the schema show now and not at the first insert.
    this.#rows({ staging: 'staging', where: '1' });
  }

  insertGood({ target, segment, only, ...names }: InsertNames): string {
    const columns = this.columns.map(quoteName);
    return (
      `INSERT INTO ${target} (${[...columns, '_segment'].join(', ')})\n` +
      `SELECT ${[...columns, `${segment} AS _segment`].join(', ')}\nFROM ${this.#rows(names)}\n` +
      `WHERE ${only === undefined ? `${INNER}fits` : all([`${INNER}fits`, `if(${only}, 1, 0)`])}`
    );
  }

  insertQuarantine({ target, segment, only, ...names }: InsertNames): string {
    const columns = [...this.quarantineColumns.map(({ name }) => quoteName(name)), '_segment'].join(', ');
    const inner = `SELECT ${this.#rejected().join(',\n  ')},\n  ${segment} AS _segment\nFROM ${this.#rows(names)}\nWHERE NOT ${INNER}fits`;
    return `INSERT INTO ${target} (${columns})\nSELECT ${columns}\nFROM (\n${inner}\n)${only === undefined ? '' : ` WHERE ${only}`}`;
  }

  count(names: Names): string {
    return `SELECT count() AS lines, sum(${INNER}fits) AS good\nFROM ${this.#rows(names)}`;
  }

  partitions(names: Names): string {
    const key = this.#source.engine.partitionKey?.trim() ?? '';
    const partition = key === '' ? "'all'" : `partitionID${this.#expression(key, 'partition key')}`;
    return (
      `SELECT ${partition} AS partition, count() AS rows\nFROM ${this.#rows(names)}\n` +
      `WHERE ${INNER}fits GROUP BY partition ORDER BY partition`
    );
  }

  probe(names: Names, { from, to }: { readonly from: bigint; readonly to: bigint }): string {
    const { engine, indexes } = this.#source;
    const computed = this.#source.columns.filter(({ kind }) => kind === 'MATERIALIZED').map(nameOf);
    const keys = [
      engine.partitionKey,
      engine.sortingKey,
      engine.primaryKey,
      ...indexes.map(({ expression }) => expression),
    ]
      .filter((key) => key !== undefined && key.trim() !== '')
      .map((key) => this.#expression(key ?? '', 'key'));
    const all = [...this.columns.map(quoteName), ...computed, ...keys];
    const where = `(${names.where}) AND sipHash64(line) BETWEEN ${from} AND ${to}`;
    return `SELECT count()\nFROM ${this.#rows({ ...names, where })}\nWHERE ${INNER}fits AND NOT ignore(${all.join(', ')})`;
  }

  /** The staging rows with the columns of the data source under their names, and `m__fits`. */
  #rows(names: Names): string {
    const { bindings, columns } = this.#bind();
    const named = [
      ...this.#read.map(({ column }, index) => `${columns[index]?.value} AS ${nameOf(column)}`),
      ...this.#computed(),
      `${this.#filter()} AS ${INNER}inside`,
      `${this.#barred()} AS ${INNER}bar`,
      `${this.#fits(columns)} AS ${INNER}fits`,
      ...[...KEPT, 'object', ...columns.flatMap((_, index) => [`c${index}`, `n${index}`])].map(
        (name) => `${INNER}${name}`,
      ),
    ];
    const staged = `(\nSELECT ${STAGED.join(', ')}\nFROM ${names.staging}\nWHERE ${names.where}\n)`;
    return `(\nSELECT ${named.join(',\n  ')}\nFROM ${bindings.query(staged)}\n)`;
  }

  #bind(): { bindings: Bindings; columns: readonly ColumnSql[] } {
    const bindings = new Bindings();
    const line = `${INNER}line`;
    const plain = bindings.bind('plain', `JSONType(${line}) = 'Object'`);
    const repaired = bindings.bind('repaired', forSome(`NOT ${plain}`, marked(line)));
    const json = bindings.bind('json', `if(${plain}, ${line}, ${withTexts(repaired)})`);
    bindings.bind('object', `${plain} OR ${isMarkedObject(repaired)}`);
    const wants = this.#read.flatMap(({ path, want }) => (want === undefined ? [] : [{ keys: path.keys, want }]));
    const parse = bindParse(wants, json, bindings);
    const scope: Scope = { bindings, line, json, marked: `${INNER}marked`, at: `${INNER}at` };
    const columns = this.#read.map((read) => bindColumn(read, scope, (want) => parse.find(read.path.keys, want)));
    bindings.bind('marked', forSome(any(columns.flatMap(({ slow }) => slow ?? [])), marked(line)));
    for (const [index, { fits, missing }] of columns.entries()) {
      bindings.bind(`c${index}`, fits ?? '1');
      bindings.bind(`n${index}`, missing);
    }
    return { bindings, columns };
  }

  #fits(columns: readonly ColumnSql[]): string {
    const own = columns.flatMap(({ fits }, index) => (fits === undefined ? [] : [`${INNER}c${index}`]));
    return all([`${INNER}object`, ...own, `${INNER}bar = 0`, `${INNER}inside`]);
  }

  /** Columns that other expressions may name; what nobody names is not computed. */
  #computed(): string[] {
    return this.#source.columns.flatMap((column) => {
      const { kind, expression } = column;
      if ((kind !== 'MATERIALIZED' && kind !== 'ALIAS') || expression === undefined) return [];
      const type = quoteText(storedType(parseType(column.type)));
      return [
        `CAST(${this.#expression(expression, `expression of column ${column.name}`)}, ${type}) AS ${nameOf(column)}`,
      ];
    });
  }

  #filter(): string {
    const filters = [...new Set(this.#options.filters ?? [])].filter((filter) => filter !== '');
    const cases = filters.map((filter) => {
      const condition = `if(${this.#expression(filter, 'write filter')}, 1, 0)`;
      return `${INNER}filter = ${quoteText(filter)}, ${condition}`;
    });
    return `multiIf(${[`${INNER}filter = '', 1`, ...cases, '0'].join(', ')})`;
  }

  /** 0, or the place in `barred` of the range that the row is in, from 1. */
  #barred(): string {
    const ranges = this.#options.barred ?? [];
    if (ranges.length === 0) return '0';
    const cases = ranges.map(
      ({ from, to }, index) => `sipHash64(${INNER}line) BETWEEN ${from} AND ${to}, ${index + 1}`,
    );
    return `multiIf(${cases.join(', ')}, 0)`;
  }

  #expression(text: string, what: string): string {
    return userExpression(text, what, `${INNER}at`);
  }

  /** The columns of the quarantine, out of a row that does not fit. */
  #rejected(): string[] {
    const line = `${INNER}line`;
    const again = `${INNER}again`;
    const texts = this.#read.map(
      ({ path }, index) => `${path.keys.length === 0 ? line : markedText(again, path.keys)} AS ${INNER}r${index}`,
    );
    const places = new Map(this.#read.map(({ column }, index) => [column.name, index]));
    const values = this.quarantineColumns.flatMap(({ name, column }) => {
      if (column === undefined) return [];
      const place = places.get(column);
      return [`${place === undefined ? 'NULL' : `${INNER}r${place}`} AS ${quoteName(name)}`];
    });
    const errors = [
      ...lineErrors({ line, object: `${INNER}object` }),
      ...this.#read.map((read, index) => columnError(read, index)),
      ...this.#rowErrors(),
    ];
    const list = errors.map(({ column, when, message }) => `(toUInt8(${when}), ${quoteText(column)}, ${message})`);
    return [
      `${marked(line)} AS ${again}`,
      ...texts,
      `arrayFilter(e -> e.1 = 1, [${list.join(',\n    ')}]) AS ${INNER}errors`,
      ...values,
      `arrayMap(e -> e.2, ${INNER}errors) AS c__error_column`,
      `arrayMap(e -> e.3, ${INNER}errors) AS c__error`,
      `${INNER}import AS c__import_id`,
      `toDateTime(${INNER}at) AS insertion_date`,
      `${line} AS c__line`,
    ];
  }

  #rowErrors(): RowError[] {
    const outside = {
      column: 'c__line',
      when: `${INNER}object AND NOT ${INNER}inside`,
      message: `concat('the row is outside the write filter of the token: ', ${INNER}filter)`,
    };
    const barred = (this.#options.barred ?? []).map(({ reason }, index) => ({
      column: 'c__line',
      when: `${INNER}bar = ${index + 1}`,
      message: quoteText(`cannot compute the row: ${reason}`),
    }));
    return [outside, ...barred];
  }
}

function columnError(read: ReadColumn, index: number): RowError {
  const { column, inner } = read;
  const text = `${INNER}r${index}`;
  const hint = hintOf(inner);
  const path = column.jsonPath ?? `$.${column.name}`;
  const lacking = `: ${path} is missing or null, and the column has no DEFAULT`;
  const shown = `if(length(${text}) > 200, concat(substringUTF8(${text}, 1, 100), '…'), ${text})`;
  const tail = `if(${INNER}n${index}, ${quoteText(lacking)}, ${quoteText(hint === '' ? '' : ` (${hint})`)})`;
  return {
    column: column.name,
    when: `${INNER}object AND NOT ${INNER}c${index}`,
    message: `concat(${quoteText("value '")}, ifNull(${shown}, ''), ${quoteText(`' on column '${column.name}' is not ${inner.text}`)}, ${tail})`,
  };
}

/** 1 if all are 1. */
function all(conditions: readonly string[]): string {
  return combine('and', conditions) ?? '1';
}

/** 1 if any is 1. */
function any(conditions: readonly string[]): string {
  return combine('or', conditions) ?? '0';
}

/** As a balanced tree, because the engine's parser limits the depth. */
function combine(operator: string, [first, ...rest]: readonly string[]): string | undefined {
  if (first === undefined || rest.length === 0) return first;
  const half = Math.floor(rest.length / 2);
  const left = combine(operator, [first, ...rest.slice(0, half)]);
  return `${operator}(${left}, ${combine(operator, rest.slice(half))})`;
}

/** The columns of a data source that a row can bring, for those who have to name them. */
export function mappedColumns(source: DataSource): readonly DataSourceColumn[] {
  return source.columns.filter((column) => readColumn(column) !== undefined);
}
