/** Where the parts of this installation are: the server to start, our version, the benchmark. Nothing else builds paths. */

import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { UnreachableError } from './errors.ts';

/** The folder of this package. */
const PACKAGE = dirname(import.meta.dirname);

export function version(): string {
  const { version } = JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8')) as { readonly version: string };
  return version;
}

/** The built server's main file. @throws UnreachableError if it is not built */
export function serverMain(): string {
  const path = join(serverFolder(), 'dist', 'main.js');
  if (!existsSync(path)) {
    throw new UnreachableError(
      `cannot start the server: ${path} is missing`,
      'run `make build` (or `npm run build`) in the repository',
    );
  }
  return path;
}

/** The folder of the server's package. */
export function serverFolder(): string {
  // The package exports its index alone, from which its folder follows.
  return dirname(dirname(createRequire(import.meta.url).resolve('@glasshouse/server')));
}

/** The benchmark's main file, if this is a checkout that has it. */
export function benchMain(): string | undefined {
  const path = join(dirname(dirname(PACKAGE)), 'bench', 'src', 'main.ts');
  return existsSync(path) ? path : undefined;
}
