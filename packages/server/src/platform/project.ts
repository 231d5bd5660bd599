/**
 * A project as clients send it: files with names that look like paths, of which each describes a resource. Read into
 * resources, with the file that each came from, so that what is wrong with one can be said of the other.
 *
 * Must stay true: the name of a file is a text. Nothing is opened by it.
 */

import { DataFileError, parseDataFile } from '@glasshouse/language';
import type { Resource } from '@glasshouse/model';
import { AppError } from '@glasshouse/model';

export { DataFileError };

export interface ProjectFile {
  /** As the client calls it, such as `datasources/x.datasource`. */
  readonly name: string;
  readonly text: string;
}

/** Something to say about a file. */
export interface FileNotice {
  readonly file: string;
  readonly message: string;
}

export interface Project {
  readonly resources: readonly Resource[];
  readonly errors: readonly FileNotice[];
  readonly warnings: readonly FileNotice[];
  /** The file of a resource, or a name for it if it came from none. */
  fileOf(kind: Resource['kind'] | undefined, name: string): string;
}

/** Files that belong to a project and describe no resource. */
const IGNORED = /\.(?:incl|ya?ml|json|md|txt|csv|ndjson|parquet|env|gitignore|token)$/iu;

/** They hold keys, which a workspace of this server gets from its operator instead. Nothing of them is read. */
const CONNECTION = /\.connection$/iu;
const CONNECTION_NOTICE =
  'The file is not used: connections of sinks are those that the operator of the server gave the workspace, and there are ' +
  'none to read from.';

/** Reads all files; what is wrong with them is in the result. Files of other kinds are left out. */
export function readProject(files: readonly ProjectFile[]): Project {
  const resources: Resource[] = [];
  const errors: FileNotice[] = [];
  const warnings: FileNotice[] = [];
  const origins = new Map<string, string>();
  const include = finder(files);
  for (const { name, text } of files) {
    if (IGNORED.test(name)) continue;
    if (CONNECTION.test(name)) {
      warnings.push({ file: name, message: CONNECTION_NOTICE });
      continue;
    }
    try {
      const { resource, warnings: notices } = parseDataFile(text, { file: name, include });
      const key = `${resource.kind} ${resource.name}`;
      const former = origins.get(key);
      if (former !== undefined)
        errors.push({ file: name, message: `cannot use the file: ${former} has the same name` });
      else {
        origins.set(key, name);
        resources.push(resource);
      }
      warnings.push(
        ...notices.map(({ line, message, hint }) => ({ file: name, message: `line ${line}: ${message} ${hint}` })),
      );
    } catch (error) {
      errors.push(...refusalsOf(error, name));
    }
  }
  return {
    resources,
    errors,
    warnings,
    fileOf: (kind, name) => {
      const kinds = kind === undefined ? (['datasource', 'pipe'] as const) : [kind];
      return (
        kinds.flatMap((one) => origins.get(`${one} ${name}`) ?? [])[0] ??
        (kind === undefined ? name : `${name}.${kind}`)
      );
    },
  };
}

/** Reads one data source from the text of a data file or a CREATE TABLE. Throws DataFileError. */
export function readResource(name: string, kind: Resource['kind'], text: string): Resource {
  return parseDataFile(text, { file: `${name}.${kind}` }).resource;
}

/** Fragments are found by their path, or by the last part of it. */
function finder(files: readonly ProjectFile[]): (name: string) => string | undefined {
  const base = (path: string): string => path.split(/[/\\]/u).at(-1) ?? path;
  return (wanted) =>
    (files.find(({ name }) => name === wanted) ?? files.find(({ name }) => base(name) === base(wanted)))?.text;
}

function refusalsOf(error: unknown, file: string): FileNotice[] {
  if (error instanceof DataFileError) {
    return error.problems.map(({ line, message, hint }) => ({ file, message: `line ${line}: ${message}; ${hint}` }));
  }
  if (error instanceof AppError && error.kind.httpStatus < 500) return [{ file, message: error.message }];
  throw error;
}
