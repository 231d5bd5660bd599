/**
 * A project as it is to be deployed: data files read with the server's own grammar, so that a mistake is shown with its line
 * before anything is sent.
 *
 * Must stay true: what is sent means what was read here. A file without INCLUDE is sent as it is; one with it is sent as the
 * resource that it describes, because the server has no fragments.
 */

import { basename, dirname, join, normalize, relative } from 'node:path';
import type { Resource } from '@glasshouse/model';
import type { Notice } from '@glasshouse/language';
import { DataFileError, formatDataFile, parseDataFile, parseTemplate, TemplateError } from '@glasshouse/language';
import { UsageError } from '../errors.ts';
import { findDataFiles, fragmentsFor, readText } from './files.ts';

const LINE_BREAK = /\r\n|\r|\n/u;

/** One resource and the file that describes it. */
export interface LocalResource {
  /** Path as messages show it, from where the command was called. */
  readonly file: string;
  /** Path within the project, by which the server knows the file. */
  readonly sentAs: string;
  readonly resource: Resource;
  /** What the server gets. */
  readonly text: string;
}

export interface Project {
  readonly resources: readonly LocalResource[];
  /** Why it cannot be deployed, in the order of the files. */
  readonly problems: readonly Notice[];
  /** What is unusual, but was understood. */
  readonly warnings: readonly Notice[];
}

/** Reads all data files of a folder. There may be none. @throws UsageError if the folder cannot be read */
export function readFolder(folder: string): Project {
  const { dataFiles, ignored } = findDataFiles(folder);
  const warnings = ignored.map((file) => ({
    file: join(folder, file),
    line: 1,
    message: 'There are no connectors, so this file is not sent.',
    hint: 'send the rows to POST /v0/events',
  }));
  const files = dataFiles.map((sentAs) => readDataFile(join(folder, sentAs), sentAs, folder));
  return joined([...files, { resources: [], problems: [], warnings }]);
}

/** As `readFolder`, for what is to be sent. @throws UsageError if there is no data file */
export function readProject(folder: string): Project {
  const project = readFolder(folder);
  if (project.resources.length > 0 || project.problems.length > 0) return project;
  throw new UsageError(
    `cannot find a data file in folder=${folder}: there is no .datasource and no .pipe in it`,
    'give the folder of the project, or make one with `glasshouse pull`',
  );
}

/** Reads single files, wherever they are. @throws UsageError if one cannot be read */
export function readFiles(paths: readonly string[]): Project {
  return joined(
    paths.map((path) => {
      const isHere = !relative('.', path).startsWith('..');
      return readDataFile(path, basename(path), isHere ? '.' : dirname(dirname(path)));
    }),
  );
}

/** `root` is the folder of which fragments may be. */
function readDataFile(path: string, sentAs: string, root: string): Project {
  const file = normalize(path);
  const text = readText(path);
  const fragments = fragmentsFor(root, path);
  try {
    const { resource, warnings } = parseDataFile(text, { file, include: fragments.find });
    const isWhole = fragments.taken.length === 0;
    const local = { file, sentAs, resource, text: isWhole ? text : formatDataFile(resource) };
    return { resources: [local], problems: templateProblems(local, isWhole), warnings };
  } catch (error) {
    if (!(error instanceof DataFileError)) throw error;
    return { resources: [], problems: error.problems, warnings: [] };
  }
}

/** Several files as one project. Two files for one name would be a matter of chance, so they are a problem. */
function joined(parts: readonly Project[]): Project {
  const resources = parts.flatMap((part) => part.resources);
  const first = new Map<string, string>();
  const doubles = resources.flatMap(({ file, resource }) => {
    const key = resource.name.toLowerCase();
    const other = first.get(key);
    first.set(key, other ?? file);
    if (other === undefined) return [];
    const message = `cannot use name=${resource.name}: ${other} has it already`;
    return [{ file, line: 1, message, hint: 'rename one of the two files' }];
  });
  return {
    resources,
    problems: [...parts.flatMap((part) => part.problems), ...doubles],
    warnings: parts.flatMap((part) => part.warnings),
  };
}

/** What is wrong with the templates of a pipe; lines are those of the file if its text is whole. */
function templateProblems({ resource, file, text }: LocalResource, isWhole: boolean): Notice[] {
  if (resource.kind !== 'pipe') return [];
  return resource.nodes.flatMap(({ name, sql }): Notice[] => {
    const firstLine = isWhole ? lineOfSql(text, name, sql) : undefined;
    try {
      parseTemplate(sql, { node: name, ...(firstLine === undefined ? {} : { firstLine }) });
      return [];
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      const place = firstLine === undefined ? { file, line: 1 } : { file, ...placeIn(text, sql, firstLine, error) };
      return [{ ...place, message: error.message, hint: 'docs/reference/templates.md has what templates can do' }];
    }
  });
}

/** The position in the file: a node's SQL is without the indentation that it has there. */
function placeIn(
  text: string,
  sql: string,
  firstLine: number,
  { position }: TemplateError,
): Required<Pick<Notice, 'column' | 'line'>> {
  const { line, column } = position;
  const whole = text.split(LINE_BREAK)[line - 1]?.trimEnd() ?? '';
  const part = sql.split('\n')[line - firstLine]?.trimEnd() ?? '';
  return { line, column: column + (whole.endsWith(part) ? whole.length - part.length : 0) };
}

/** The line of a file on which the SQL of a node begins; undefined if it cannot be told. */
function lineOfSql(text: string, node: string, sql: string): number | undefined {
  const lines = text.split(LINE_BREAK);
  const head = lines.findIndex((line) => {
    const [, name] = /^\s*NODE\s+["']?([^\s"']+)/iu.exec(line) ?? [];
    return name === node;
  });
  const [first = ''] = sql.split('\n');
  const at = lines.findIndex((line, index) => index > head && line.trim() === first.trim());
  return head < 0 || at < 0 ? undefined : at + 1;
}
