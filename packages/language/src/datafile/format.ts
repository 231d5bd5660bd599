/**
 * Resources written down as data files, in one way each.
 *
 * Must stay true: reading what is written gives an equal resource, if that came from a data file; see `format.test.ts`.
 */

import type {
  DataSource,
  DataSourceColumn,
  DataSourceEngine,
  GrantedToken,
  Pipe,
  PipeNode,
  Resource,
} from '@glasshouse/model';
import { partName, type EnginePart } from './engine.ts';
import { quoteProse } from './text.ts';

/** The data file of a resource, ending with a line break. */
export function formatDataFile(resource: Resource): string {
  const sections = resource.kind === 'datasource' ? dataSourceSections(resource) : pipeSections(resource);
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

/** One column as a line of SCHEMA, without the comma. */
export function formatColumn({ name, type, jsonPath, kind, expression, codec, comment }: DataSourceColumn): string {
  return [
    quoteName(name),
    type,
    jsonPath === undefined ? '' : quoteName(`json:${jsonPath}`),
    kind === undefined ? '' : [kind, expression].filter((part) => part !== undefined).join(' '),
    comment === undefined ? '' : `COMMENT ${quoteProse(comment)}`,
    codec === undefined ? '' : `CODEC(${codec})`,
  ]
    .filter((part) => part !== '')
    .join(' ');
}

function dataSourceSections(source: DataSource): string[] {
  return [
    block('DESCRIPTION', source.description),
    [...tokenLines(source.tokens), ...tagLine(source.tags)].join('\n'),
    block('SCHEMA', source.columns.map(formatColumn).join(',\n')),
    engineLines(source.engine).join('\n'),
    block(
      'INDEXES',
      source.indexes
        .map(
          ({ name, expression, type, granularity }) =>
            `${indexName(name)} ${expression} TYPE ${type} GRANULARITY ${granularity}`,
        )
        .join('\n'),
    ),
    block('FORWARD_QUERY', source.forwardQuery),
    source.backfill === undefined ? '' : `BACKFILL ${source.backfill}`,
    block('SHARED_WITH', source.sharedWith.join(',\n')),
  ];
}

function pipeSections(pipe: Pipe): string[] {
  return [
    block('DESCRIPTION', pipe.description),
    [...tokenLines(pipe.tokens), ...tagLine(pipe.tags)].join('\n'),
    ...pipe.nodes.flatMap((node) => nodeSections(node)),
    pipe.cacheSeconds === undefined ? '' : `CACHE ${pipe.cacheSeconds}`,
  ];
}

function nodeSections({ name, description, sql, type, settings }: PipeNode): string[] {
  return [
    [`NODE ${name}`, block('DESCRIPTION', description), block('SQL', sql)].filter((part) => part !== '').join('\n'),
    [
      ...(type === 'default' ? [] : [`TYPE ${type}`]),
      ...Object.entries(settings).map(([key, value]) => `${key} ${quoteSetting(value)}`),
    ].join('\n'),
  ];
}

const PARTS: readonly Exclude<EnginePart, 'arguments' | 'name' | 'settings'>[] = [
  'partitionKey',
  'sortingKey',
  'primaryKey',
  'ttl',
  'version',
  'isDeleted',
  'sign',
  'summingColumns',
];

function engineLines(engine: DataSourceEngine): string[] {
  const parts = PARTS.flatMap((part) => {
    const value = engine[part];
    return value === undefined ? [] : [`${partName(part, engine.name)} ${quoteExpression(value)}`];
  });
  const settings = Object.entries(engine.settings ?? {}).map(([name, value]) => `${name}=${value}`);
  return [
    `ENGINE "${engine.name}"`,
    ...parts,
    ...(engine.settings === undefined ? [] : [`ENGINE_SETTINGS ${quoteExpression(settings.join(', '))}`]),
  ];
}

function tokenLines(tokens: readonly GrantedToken[]): string[] {
  return tokens.map(({ name, scope }) => `TOKEN "${name}" ${scope}`);
}

function tagLine(tags: readonly string[]): string[] {
  return tags.length === 0 ? [] : [`TAGS "${tags.join(', ')}"`];
}

function block(key: string, text: string | undefined): string {
  if (text === undefined || text === '') return '';
  const lines = text.split('\n').map((line) => (line === '' ? '' : `    ${line}`));
  return [`${key} >`, ...lines].join('\n');
}

/** Expressions have double quotes inside of strings only; those stand as they are, and never begin with a quote. */
function quoteExpression(value: string): string {
  if (!value.includes('"')) return `"${value}"`;
  return value.startsWith("'") ? `(${value})` : value;
}

/** The value of a node's setting: bare unless a comment or a quote could be seen in it. */
function quoteSetting(value: string): string {
  if (/^[^\s"'#>=-][^"'#]*$/u.test(value)) return value;
  return value.includes('"') ? `'${value}'` : `"${value}"`;
}

/** Other readers of data files know no quotes around the name of an index. */
function indexName(name: string): string {
  return /^[A-Za-z_]\w*$/u.test(name) && name.toUpperCase() !== 'INDEX' ? name : quoteName(name);
}

function quoteName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}
