/**
 * Writes `docs/reference/tables.md` from the table descriptions of `packages/schema` and the list of views of
 * `packages/store`. `--check` writes nothing and fails if the page is not what it would write.
 *
 * Reads the sources, not the build, so that it can run before anything is compiled.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { format, resolveConfig } from 'prettier';
import { FACT_TABLES } from '../packages/schema/src/index.ts';
import { SHARED_DATABASE, VIEWS, YIELDING_VIEWS } from '../packages/store/src/views.ts';

const PAGE = path.join(path.dirname(import.meta.dirname), 'docs/reference/tables.md');

const INTRODUCTION = `# Tables

This page is generated: change \`packages/schema\` or \`packages/store/src/views.ts\`, then run \`node scripts/docs-tables.mjs\`.

There is one table for each signal, and one for each kind of metric point. Nobody queries these tables themselves: a query reads
views of the same name, which show one tenant its own rows, give ids as hex text, leave out \`_segment\` and \`tenant_id\`, and add
\`resource\`, the resource attributes as a map of texts. \`DESCRIBE spans\` shows what a query can name. Types and times are
ClickHouse's; all times are UTC. Columns whose names share a prefix and a dot (\`events.name\`) are arrays of equal length, one
element for each event, link or exemplar.
`;

/**
 * A Markdown table.
 * @param {readonly string[]} titles
 * @param {readonly (readonly string[])[]} rows
 */
function table(titles, rows) {
  const line = (/** @type {readonly string[]} */ cells) =>
    `| ${cells.map((cell) => cell.replaceAll('|', String.raw`\|`)).join(' | ')} |`;
  return [line(titles), line(titles.map(() => '---')), ...rows.map(line)].join('\n');
}

/** @param {string} text */
function code(text) {
  return `\`${text.replaceAll(/\s+/g, ' ')}\``;
}

/** @param {(typeof FACT_TABLES)[number]} fact */
function section(fact) {
  const parts = [
    `## ${fact.name}`,
    `${fact.comment}. Partitioned by ${code(fact.partitionBy)}, sorted by ${code(fact.orderBy.join(', '))}.`,
    table(
      ['Column', 'Type', 'What it is'],
      fact.columns.map(({ name, type, comment }) => [code(name), code(type), comment]),
    ),
  ];
  if (fact.derived.length > 0) {
    parts.push(
      'These stand for an expression over the others, which a query computes:',
      table(
        ['Column', 'Type', 'What it is'],
        fact.derived.map(({ name, type, comment }) => [code(name), code(type), comment]),
      ),
    );
  }
  const indexes = fact.indexes.map(({ name, expression, type }) => [
    code(name),
    'skip index',
    `${code(expression)}, ${code(type)}`,
  ]);
  const projections = fact.projections.map(({ name, query }) => [code(name), 'projection', code(query)]);
  if (indexes.length + projections.length > 0)
    parts.push(table(['Name', 'Kind', 'Over what'], [...indexes, ...projections]));
  return parts.join('\n\n');
}

function page() {
  const views = table(
    ['View', 'What it shows'],
    Object.entries(VIEWS).map(([name, { comment }]) => [
      code(YIELDING_VIEWS.has(name) ? `${SHARED_DATABASE}.${name}` : name),
      comment,
    ]),
  );
  const parts = [
    INTRODUCTION,
    ...FACT_TABLES.map(section),
    '## Views',
    'Every view is in the database of each tenant, which is the default of its queries, and in the database `telemetry`. Where ' +
      'one is listed with its database, a data source of the workspace has the bare name.',
    views,
  ];
  return parts.join('\n\n');
}

async function main() {
  const options = await resolveConfig(PAGE);
  const text = await format(page(), { ...options, parser: 'markdown' });
  if (!process.argv.includes('--check')) {
    writeFileSync(PAGE, text);
    return 0;
  }
  if (readFileSync(PAGE, 'utf8') === text) return 0;
  console.error('cannot trust docs/reference/tables.md: it is out of date; run node scripts/docs-tables.mjs');
  return 1;
}

process.exitCode = await main();
