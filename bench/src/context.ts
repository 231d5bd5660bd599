/** What every section of the benchmark gets: the options, a place for its data, and a line to report progress on. */

import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Options } from './options.ts';

/** Connections of every load, and how many different requests it starts from. */
export const CONNECTIONS = 8;
export const TEMPLATES = 32;

export interface Context {
  readonly options: Options;
  readonly directory: string;
  say(text: string): void;
}

/** Runs `work` with an empty directory that is removed afterwards: sections would fill the disk together. */
export async function withDirectory<T>(context: Context, name: string, work: (path: string) => Promise<T>): Promise<T> {
  const path = join(context.directory, name);
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { recursive: true });
  try {
    return await work(path);
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}
