/**
 * Definitions that come as parameters of a request and not as a data file: `schema`, `engine`, `engine_sorting_key` … They are
 * written down as the data file that says the same and read like one, so that there is one grammar. And what an ALTER TABLE
 * makes of a definition.
 *
 * Must stay true: what a parameter does not mention stays as it was.
 */

import { formatColumn, formatDataFile, parseAlter } from '@glasshouse/language';
import type { AlterStep, ColumnPosition } from '@glasshouse/language';
import type { DataSource, DataSourceColumn, Resource } from '@glasshouse/model';
import { AppError } from '@glasshouse/model';
import { readResource } from './project.ts';

/** Gives a parameter; undefined if it was not sent. */
export type Parameter = (name: string) => string | undefined;

/** Parameters with a directive of their own; some clients write the short form. */
const DIRECTIVES = {
  engine_sorting_key: 'ENGINE_SORTING_KEY',
  engine_partition_key: 'ENGINE_PARTITION_KEY',
  engine_primary_key: 'ENGINE_PRIMARY_KEY',
  engine_ttl: 'ENGINE_TTL',
  engine_ver: 'ENGINE_VER',
  engine_version: 'ENGINE_VERSION',
  engine_sign: 'ENGINE_SIGN',
  engine_is_deleted: 'ENGINE_IS_DELETED',
  engine_columns: 'ENGINE_SUMMING_COLUMNS',
  engine_summing_columns: 'ENGINE_SUMMING_COLUMNS',
  engine_settings: 'ENGINE_SETTINGS',
} as const;

/** True if the text is a definition as a whole, a data file or the DDL of a table, and not a list of columns or rows. */
export function isDefinition(text: string): boolean {
  return (
    isCreateTable(text) ||
    /^\s*(?:#[^\n]*\n\s*)*(?:DESCRIPTION|SCHEMA|TOKEN|TAGS|ENGINE)\s*(?:>|")/u.test(text.slice(0, 4_096))
  );
}

function isCreateTable(text: string): boolean {
  return /^(?:\s|--[^\n]*\n)*CREATE\s+(?:OR\s+REPLACE\s+)?TABLE\s/iu.test(text.slice(0, 4_096));
}

/** The data source that parameters describe. Throws DataFileError, or `bad_request` without a schema. */
export function definitionOf(name: string, parameter: Parameter): DataSource {
  const schema = given(parameter('schema'));
  if (schema === undefined)
    throw new AppError('bad_request', `cannot make data source=${name}: schema is missing; add schema=column Type, …`);
  const text = isDefinition(schema) ? schema : fileOf(schema, parameter);
  const resource = dataSourceOf(name, text);
  const description = given(parameter('description'));
  return description === undefined ? resource : { ...resource, description };
}

/** A data file or the DDL of a table as a data source of this name, whatever the text calls it. */
export function dataSourceOf(name: string, text: string): DataSource {
  const resource = asDataSource(readResource(name, 'datasource', text));
  // A name that looks like a path is not shortened to its last part.
  if (resource.name === name) return resource;
  throw new AppError(
    'bad_request',
    `cannot make data source=${JSON.stringify(name.slice(0, 130))}: a name has letters, digits and _, and no digit first`,
  );
}

/** The definition that a request to alter asks for. Throws DataFileError. */
export function alteredBy(former: DataSource, parameter: Parameter): DataSource {
  const schema = given(parameter('schema'));
  const description = parameter('description');
  const ttl = parameter('ttl') ?? parameter('engine_ttl');
  const indexes = parameter('indexes');
  let next = former;
  if (schema !== undefined && isDefinition(schema)) next = dataSourceOf(former.name, schema);
  else if (schema !== undefined) next = { ...next, columns: asDataSource(read(former.name, schema)).columns };
  if (description !== undefined) next = withDescription(next, description);
  if (ttl !== undefined) next = withTtl(next, ttl);
  if (indexes !== undefined) next = { ...next, indexes: indexesOf(former.name, indexes) };
  return next;
}

/** The definition after an ALTER TABLE of this data source. Throws DataFileError, `bad_request`. */
export function alteredBySql(former: DataSource, sql: string): DataSource {
  const { table, steps } = parseAlter(sql);
  if (table !== former.name)
    throw new AppError('bad_request', `cannot alter data source=${former.name}: the statement is about ${table}`);
  return steps.reduce(afterStep, former);
}

/** The definition as a data file. */
export function dataFileOf(resource: Resource): string {
  return formatDataFile(resource);
}

/** Columns in one line, as clients compare them. */
export function schemaText({ columns }: Pick<DataSource, 'columns'>): string {
  return columns.map(formatColumn).join(', ');
}

/** True if rows are described by paths into JSON, and not by the order of columns. */
export function hasPaths({ columns }: DataSource): boolean {
  return columns.some(({ jsonPath }) => jsonPath !== undefined);
}

function fileOf(schema: string, parameter: Parameter): string {
  const lines = [block('SCHEMA', schema)];
  const engine = given(parameter('engine'));
  if (engine !== undefined) lines.push(`ENGINE ${quoted(engine)}`);
  for (const [name, directive] of Object.entries(DIRECTIVES)) {
    const value = given(parameter(name));
    if (value !== undefined) lines.push(`${directive} ${quoted(value)}`);
  }
  const indexes = given(parameter('indexes'));
  if (indexes !== undefined && indexes !== '0') lines.push(block('INDEXES', indexes));
  return `${lines.join('\n\n')}\n`;
}

function read(name: string, schema: string): Resource {
  return readResource(name, 'datasource', `${block('SCHEMA', schema)}\n`);
}

function indexesOf(name: string, indexes: string): DataSource['indexes'] {
  if (given(indexes) === undefined || indexes === '0') return [];
  return asDataSource(readResource(name, 'datasource', `SCHEMA >\n    a String\n\n${block('INDEXES', indexes)}\n`))
    .indexes;
}

function block(directive: string, text: string): string {
  return `${directive} >\n${text.replaceAll(/^/gmu, '    ')}`;
}

function quoted(value: string): string {
  const line = value.replaceAll(/\s+/gu, ' ').trim();
  return line.includes('"') ? line : `"${line}"`;
}

/** Absent, empty, and what one client writes for "none". */
function given(text: string | undefined): string | undefined {
  return text === undefined || text.trim() === '' || text === 'None' ? undefined : text;
}

function withDescription(former: DataSource, description: string): DataSource {
  const { description: _, ...rest } = former;
  return description.trim() === '' ? rest : { ...rest, description };
}

function withTtl(former: DataSource, ttl: string): DataSource {
  const { ttl: _, ...engine } = former.engine;
  const isNone = given(ttl) === undefined || ttl === 'false';
  return { ...former, engine: isNone ? engine : { ...engine, ttl } };
}

function asDataSource(resource: Resource): DataSource {
  if (resource.kind === 'datasource') return resource;
  throw new AppError('bad_request', `cannot use ${resource.name}: it describes a pipe`);
}

function afterStep(former: DataSource, step: AlterStep): DataSource {
  const { columns } = former;
  const refuse = (why: string): never => {
    throw new AppError('bad_request', `cannot alter data source=${former.name}: ${why}`);
  };
  const name = step.action === 'add' ? step.column.name : step.name;
  const present = columns.find((column) => column.name === name);
  if (step.action === 'add') {
    if (present !== undefined) return step.ifNotExists ? former : refuse(`it has column ${name} already`);
    return { ...former, columns: placed(columns, withValue(step.column), step.position, refuse) };
  }
  if (present === undefined) return step.ifExists ? former : refuse(`it has no column ${name}`);
  const others = columns.filter((column) => column !== present);
  switch (step.action) {
    case 'drop':
      return { ...former, columns: others };
    case 'rename': {
      if (columns.some((column) => column.name === step.to)) refuse(`it has column ${step.to} already`);
      return renamed(former, present, step.to);
    }
    case 'modify': {
      const changed = modified(present, step);
      if (step.position !== undefined) return { ...former, columns: placed(others, changed, step.position, refuse) };
      return { ...former, columns: columns.map((column) => (column === present ? changed : column)) };
    }
  }
}

/**
 * A column that is added to a table has its type's own value where a row brings none. In a data source such a row would not fit, and
 * whoever sends does not know the column yet.
 */
function withValue(column: DataSourceColumn): DataSourceColumn {
  const { type, kind, expression } = column;
  if (kind !== undefined || expression !== undefined || /^(?:Nullable|(?:Simple)?AggregateFunction)\(/u.test(type))
    return column;
  return { ...column, kind: 'DEFAULT', expression: emptyOf(type) };
}

function emptyOf(type: string): string {
  if (/^(?:U?Int\d+|Float\d+)$/u.test(type)) return '0';
  if (/^(?:String|LowCardinality\(String\))$/u.test(type)) return "''";
  if (type.startsWith('Array(')) return '[]';
  return `defaultValueOfTypeName('${type.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}')`;
}

function placed(
  columns: readonly DataSourceColumn[],
  column: DataSourceColumn,
  position: ColumnPosition | undefined,
  refuse: (why: string) => never,
): DataSourceColumn[] {
  if (position === undefined) return [...columns, column];
  if (position === 'first') return [column, ...columns];
  const at = columns.findIndex(({ name }) => name === position.after);
  if (at < 0) return refuse(`it has no column ${position.after}`);
  return columns.toSpliced(at + 1, 0, column);
}

/** Rows keep their values by a query of their own, and senders go on under the former name. */
function renamed(former: DataSource, column: DataSourceColumn, to: string): DataSource {
  const columns = former.columns.map((other) =>
    other === column ? { ...column, name: to, jsonPath: column.jsonPath ?? `$.${column.name}` } : other,
  );
  const moved = former.columns.filter(
    ({ kind }) => kind !== 'ALIAS' && kind !== 'EPHEMERAL' && kind !== 'MATERIALIZED',
  );
  const quote = (name: string): string => `\`${name.replaceAll('`', '``')}\``;
  const list = moved.map((other) => (other === column ? `${quote(other.name)} AS ${quote(to)}` : quote(other.name)));
  return { ...former, columns, forwardQuery: `SELECT ${list.join(', ')}` };
}

function modified(column: DataSourceColumn, step: Extract<AlterStep, { action: 'modify' }>): DataSourceColumn {
  const { type, kind, expression, codec, comment, jsonPath, remove } = step;
  const {
    kind: formerKind,
    expression: formerExpression,
    codec: formerCodec,
    comment: formerComment,
    ...rest
  } = column;
  const keepsValue = remove === undefined || remove === 'CODEC' || remove === 'COMMENT';
  const value =
    kind !== undefined || expression !== undefined
      ? { kind, expression }
      : { kind: formerKind, expression: formerExpression };
  const nextCodec = codec ?? (remove === 'CODEC' ? undefined : formerCodec);
  const nextComment = (comment ?? (remove === 'COMMENT' ? undefined : formerComment)) || undefined;
  return {
    ...rest,
    ...(type === undefined ? {} : { type }),
    ...(jsonPath === undefined ? {} : { jsonPath }),
    ...(keepsValue && value.kind !== undefined ? { kind: value.kind } : {}),
    ...(keepsValue && value.expression !== undefined ? { expression: value.expression } : {}),
    ...(nextCodec === undefined ? {} : { codec: nextCodec }),
    ...(nextComment === undefined ? {} : { comment: nextComment }),
  };
}
