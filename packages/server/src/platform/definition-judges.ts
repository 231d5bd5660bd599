/**
 * The judges of definitions, made of those that know expressions and statements. What they add: the nodes of a pipe are put
 * together as they will run, and every table that they name has to be there, or to come with the same project.
 *
 * Must stay true: the statement of a node whose rows are kept is judged here, because the server runs it by itself. A node
 * that cannot be rendered without the values of a request is judged when these are there: nothing of it runs before.
 */

import { composePipe, parseTemplate, renderTemplate, TemplateError } from '@glasshouse/language';
import type { Template } from '@glasshouse/language';
import type { Pipe, PipeNode, Resource } from '@glasshouse/model';
import { AppError, QUARANTINE_SUFFIX } from '@glasshouse/model';
import { tenantDatabase, VIEWS } from '@glasshouse/store';
import type { Definitions } from '../query/definitions.ts';
import type { Door } from '../query/door.ts';
import { besides } from './built-in-pipes.ts';
import type { Judges } from './judges.ts';

export interface DefinitionJudgesOptions {
  readonly definitions: Definitions;
  readonly door: Pick<Door, 'namesIn'>;
  /** Pipes that every workspace has: others may read them. */
  readonly builtIn: readonly Pipe[];
}

/** Types of nodes whose rows the server puts into a table by itself. */
const KEPT: ReadonlySet<PipeNode['type']> = new Set(['materialized', 'copy']);
/** Tables that the platform itself answers for, in pipes about the platform. */
const SERVICE = /^(?:tinybird|organization|telemetry|system|information_schema)$/iu;

export function definitionJudges({ definitions, door, builtIn }: DefinitionJudgesOptions): Judges {
  return {
    judgeType: (text) => definitions.judgeType(text),
    judgeExpression: (text, place) => definitions.judgeExpression(text, place),
    judgeFilter: (text) => definitions.judgeFilter(text),
    judgeSelectList: (text, place) => definitions.judgeSelectList(text, place),
    judgeDefinition: async (tenant, pipe, among) => {
      const own = among.filter((other) => other.kind === 'pipe');
      const pipes = new Map([...own, ...besides(among, builtIn)].map((other) => [other.name, other]));
      pipes.delete(pipe.name);
      const known = knownTables(among);
      for (const node of pipe.nodes) await judgeNode(door, tenant, pipe, node, { pipes, known });
    },
  };
}

async function judgeNode(
  door: Pick<Door, 'namesIn'>,
  tenant: string,
  pipe: Pipe,
  node: PipeNode,
  { pipes, known }: { readonly pipes: ReadonlyMap<string, Pipe>; readonly known: ReadonlySet<string> },
): Promise<void> {
  const isKept = KEPT.has(node.type);
  let sql: string;
  try {
    for (const each of pipe.nodes) parsed(each, pipe);
    sql = composePipe(pipe, node.name, renderPlain, { pipes });
  } catch (error) {
    if (error instanceof Unfilled && node.type !== 'materialized') return;
    throw wrong(pipe, node, error);
  }
  const names = await door.namesIn({ placement: { tenant } }, sql, { isKept }).catch((error: unknown) => {
    throw wrong(pipe, node, error);
  });
  for (const { database, table } of names) {
    if (SERVICE.test(database) || (database === tenantDatabase(tenant) && known.has(table))) continue;
    throw wrong(
      pipe,
      node,
      new AppError(
        'bad_request',
        `Resource '${table}' not found: the workspace has no data source or pipe of that name`,
      ),
    );
  }
}

/** A template that can be read, and lacks a value that every request has to bring. */
class Unfilled extends AppError {}

function renderPlain(node: PipeNode, pipe: Pipe): string {
  const template = parsed(node, pipe);
  try {
    return renderTemplate(template, new Map()).sql;
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    throw new Unfilled('bad_request', error.message, { cause: error });
  }
}

function parsed(node: PipeNode, pipe: Pipe): Template {
  return parseTemplate(node.sql, { node: `${pipe.name}.${node.name}` });
}

function knownTables(among: readonly Resource[]): ReadonlySet<string> {
  const names = among.flatMap(({ kind, name }) => (kind === 'datasource' ? [name, name + QUARANTINE_SUFFIX] : []));
  return new Set([...names, ...Object.keys(VIEWS)]);
}

function wrong(pipe: Pipe, node: PipeNode, cause: unknown): unknown {
  if (!(cause instanceof AppError) || cause.kind.httpStatus >= 500) return cause;
  return new AppError(cause.code, `cannot use node ${node.name} of pipe=${pipe.name}: ${cause.message}`, { cause });
}
