/**
 * The data files of a project on this machine: finding them, and the fragments that they include.
 *
 * Must stay true: what is found does not depend on the order in which the disk lists it, and a link never leads out of the
 * folder or round in a circle.
 */

import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { messageOf } from '@glasshouse/model';
import { UsageError } from '../errors.ts';

/** Paths in a project, relative to its folder, with `/` between their parts. */
export interface FoundFiles {
  /** Those that describe a resource, sorted. */
  readonly dataFiles: readonly string[];
  /** Those that other tools would send and that mean nothing here, such as connections. */
  readonly ignored: readonly string[];
}

/** A folder with more than this is none of a project. */
const MAX_FILES = 10_000;
const MAX_DEPTH = 32;
/** Folders that hold other things, however they are called inside. */
const SKIPPED = new Set(['node_modules', 'vendor', 'dist', '__pycache__']);

/** Looks for data files in a folder and all folders in it, hidden ones left out. @throws UsageError if it cannot be read */
export function findDataFiles(folder: string): FoundFiles {
  const dataFiles: string[] = [];
  const ignored: string[] = [];
  const visit = (path: string, depth: number): void => {
    if (depth > MAX_DEPTH) return;
    for (const entry of entriesOf(path)) {
      const inner = join(path, entry.name);
      const name = relative(folder, inner).replaceAll(sep, '/');
      if (entry.name.startsWith('.')) continue;
      if (entry.isDirectory()) {
        if (!SKIPPED.has(entry.name)) visit(inner, depth + 1);
      } else if (/\.(?:datasource|pipe)$/u.test(entry.name)) dataFiles.push(name);
      else if (entry.name.endsWith('.connection')) ignored.push(name);
    }
    if (dataFiles.length > MAX_FILES)
      throw new UsageError(
        `cannot read folder=${folder}: it has more than ${MAX_FILES} data files`,
        'give the folder of one project',
      );
  };
  visit(folder, 0);
  return { dataFiles: dataFiles.sort(), ignored: ignored.sort() };
}

function entriesOf(path: string) {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch (cause) {
    throw new UsageError(`cannot read folder=${path}: ${whyNot(cause)}`, 'give the folder of the data files', cause);
  }
}

/** The text of a file. @throws UsageError if it cannot be read, or is no UTF-8 */
export function readText(path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));
  } catch (cause) {
    throw new UsageError(`cannot read file=${path}: ${whyNot(cause)}`, undefined, cause);
  }
}

/** Why a file or folder cannot be read, without the names of system calls. */
export function whyNot(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  switch (code) {
    case 'ENOENT':
      return 'it is not there';
    case 'ENOTDIR':
      return 'it is no folder';
    case 'EISDIR':
      return 'it is a folder';
    case 'EACCES':
    case 'EPERM':
      return 'you may not read it';
    case 'ERR_ENCODING_INVALID_ENCODED_DATA':
      return 'it is not UTF-8';
    default:
      return messageOf(error);
  }
}

/** Finds fragments for the INCLUDE of one file, and tells whether any was asked for. */
export interface Fragments {
  readonly find: (name: string) => string | undefined;
  /** Paths of what was taken. */
  readonly taken: readonly string[];
}

/**
 * Fragments are looked for beside the file that includes them, in the project's folder, and beside fragments that were taken
 * before. Only files called `.incl` within `folder` are: a project from elsewhere must not send this machine's files.
 */
export function fragmentsFor(folder: string, file: string): Fragments {
  const places = [dirname(resolve(file)), resolve(folder)];
  const taken: string[] = [];
  const find = (name: string): string | undefined => {
    for (const place of places) {
      const path = resolve(place, name);
      if (!name.endsWith('.incl') || !isFileIn(folder, path)) continue;
      places.push(dirname(path));
      taken.push(path);
      return readText(path);
    }
    return undefined;
  };
  return { find, taken };
}

function isFileIn(folder: string, path: string): boolean {
  try {
    const inner = relative(realpathSync(folder), realpathSync(path));
    return inner !== '..' && !inner.startsWith(`..${sep}`) && !isAbsolute(inner) && statSync(path).isFile();
  } catch {
    return false;
  }
}
