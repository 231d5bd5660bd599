/**
 * Packages of npm for the clients that the interop suite runs, installed from a lock file with hashes into a folder that is
 * kept between runs. They are not dependencies of the project: nothing of it may come to need them.
 */

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { INSTALL_MS, runProgram } from './toolbox.ts';

const FOLDER = join(import.meta.dirname, '..');

/** The `node_modules` that has the packages of `interop/NAME/package-lock.json`, set up on first use. */
export async function npmEnvironment(name: 'ts-sdk'): Promise<string> {
  const source = join(FOLDER, 'interop', name);
  const folder = join(FOLDER, '.cache', `interop-${name}`);
  const marker = join(folder, 'installed');
  const wanted = createHash('sha256')
    .update(await readFile(join(source, 'package-lock.json')))
    .digest('hex');
  const modules = join(folder, 'node_modules');
  if (existsSync(marker) && (await readFile(marker, 'utf8')) === wanted) return modules;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  for (const file of ['package.json', 'package-lock.json']) await copyFile(join(source, file), join(folder, file));
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  await runProgram('npm', ['ci', '--prefix', folder, ...quiet], { timeoutMs: INSTALL_MS });
  await writeFile(marker, wanted);
  return modules;
}
