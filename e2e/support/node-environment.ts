/**
 * Packages of JavaScript for the clients that the interop suite runs, in a folder of their own: they are many, they want other
 * versions of what the product uses, and none of them belongs into its lockfile.
 *
 * Must stay true: what is installed is what the folder's own lockfile pins, and nothing of it runs while it is installed.
 */

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { INSTALL_MS, runProgram } from './toolbox.ts';

const FOLDER = join(import.meta.dirname, '..');

/** The clients: folders `interop/NAME` with a lockfile and programs. */
export type NodeClients = 'genai';

/** A folder with the programs of the clients and with their packages, which are installed on first use. */
export async function nodeEnvironment(clients: NodeClients): Promise<string> {
  const source = join(FOLDER, 'interop', clients);
  const folder = join(FOLDER, '.cache', `interop-${clients}-js`);
  const marker = join(folder, 'installed');
  await mkdir(folder, { recursive: true });
  for (const { name } of (await readdir(source, { withFileTypes: true })).filter((entry) => entry.isFile())) {
    await copyFile(join(source, name), join(folder, name));
  }
  const wanted = createHash('sha256')
    .update(await readFile(join(source, 'package-lock.json')))
    .digest('hex');
  if (existsSync(marker) && (await readFile(marker, 'utf8')) === wanted) return folder;
  await rm(join(folder, 'node_modules'), { recursive: true, force: true });
  const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', '--prefix', folder];
  await runProgram('npm', ['ci', ...options], { timeoutMs: INSTALL_MS });
  await writeFile(marker, wanted);
  return folder;
}
