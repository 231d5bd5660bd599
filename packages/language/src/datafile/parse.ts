/**
 * A data file as a whole: its name says what it is and what the resource is called, its text says the rest. Nothing is looked
 * up elsewhere, so whether a pipe's tables exist is for the deployment to find out.
 *
 * Must stay true: any text ends in a resource or in a DataFileError.
 */

import { invariant, type Resource } from '@glasshouse/model';
import { readDataSource } from './datasource.ts';
import { DATA_SOURCE, PIPE } from './directives.ts';
import type { FindFragment, Include } from './include.ts';
import { readDirectives } from './layout.ts';
import { DataFileError, Report, type Notice } from './notice.ts';
import { readPipe } from './pipe.ts';
import { resourceNameFault } from './shared.ts';
import { splitLines } from './source.ts';
import { parseCreateTable } from './table.ts';

export interface DataFileOptions {
  /** Path of the file; its extension says the kind, the rest of its last part is the resource's name. */
  readonly file: string;
  /** Finds the fragments that INCLUDE names. Without it INCLUDE is refused. */
  readonly include?: FindFragment;
}

export interface DataFile {
  readonly resource: Resource;
  /** What is unusual, but was understood. */
  readonly warnings: readonly Notice[];
}

/** A data file longer than this is refused before it is looked at; in UTF-16 units. */
export const MAX_DATA_FILE_LENGTH = 1_048_576;

/**
 * Reads a `.datasource` or `.pipe` file. A `.datasource` file may also hold a CREATE TABLE.
 *
 * Throws DataFileError with all problems found.
 */
export function parseDataFile(text: string, { file, include }: DataFileOptions): DataFile {
  const base = file.split(/[/\\]/u).at(-1) ?? file;
  const dot = base.lastIndexOf('.');
  const extension = dot === -1 ? '' : base.slice(dot);
  const name = dot === -1 ? base : base.slice(0, dot);
  refuseKind(file, extension);
  if (text.length > MAX_DATA_FILE_LENGTH) {
    const message = `cannot read the file: it has ${text.length} characters and ${MAX_DATA_FILE_LENGTH} are allowed`;
    throw new DataFileError(file, [{ file, line: 1, message, hint: 'split it' }]);
  }
  const report = new Report(file);
  const start = { file, line: 1 };
  const fault = resourceNameFault(name);
  if (fault !== undefined) report.problem(start, `cannot use name=${name}: ${fault}`, 'rename the file');
  if (extension === '.datasource' && isCreateTable(text)) {
    report.settle();
    const { resource, warnings } = parseCreateTable(text, { file });
    return { resource: { ...resource, name }, warnings };
  }
  const fragments: Include = { find: include, files: 0, characters: 0 };
  const isPipe = extension === '.pipe';
  const directives = readDirectives(splitLines(text, file), isPipe ? PIPE : DATA_SOURCE, report, fragments);
  const read = isPipe ? readPipe : readDataSource;
  const resource = read(name, start, directives, report);
  report.settle();
  invariant(resource !== undefined, 'BUG: a data file without a resource has a problem');
  return { resource, warnings: report.warnings };
}

const KIND_HINTS: Readonly<Record<string, string>> = {
  '.incl': 'leave it beside the files that INCLUDE it; it is no resource of its own',
  '.connection': 'take it away; there are no connectors, so send the rows to POST /v0/events',
};

function refuseKind(file: string, extension: string): void {
  if (extension === '.datasource' || extension === '.pipe') return;
  const message = `cannot read file=${file}: ${extension === '' ? 'it has no extension' : `a ${extension} file is no resource`}`;
  const hint = KIND_HINTS[extension] ?? 'name it name.datasource or name.pipe';
  throw new DataFileError(file, [{ file, line: 1, message, hint }]);
}

/** Guides show the DDL of a data source where others show its data file. */
function isCreateTable(text: string): boolean {
  return /^(?:\uFEFF)?(?:\s|--[^\n]*\n)*CREATE\s+(?:OR\s+REPLACE\s+)?TABLE\s/iu.test(text.slice(0, 4096));
}
