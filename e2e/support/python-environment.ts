/**
 * Virtual environments of Python for the clients that the interop suite runs: one for each list of pinned packages, made
 * once and kept between runs. The clients cannot share one, because two of them have packages of the same name.
 *
 * Must stay true: a Python that is missing or too old fails the test and says what to install.
 */

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { INSTALL_MS, runProgram } from './toolbox.ts';

const FOLDER = join(import.meta.dirname, '..');
/** The newest first; the clients support these and no other. */
const PYTHONS = ['python3.13', 'python3.12', 'python3.11', 'python3'];
const PROBE = 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))';

/** The lists of packages: `interop/requirements-NAME.txt`. */
export type PythonClient = 'genai' | 'python-sdk' | 'tb-classic' | 'tb-forward';

/** The folder of the programs of an environment that has the packages of the client, set up on first use. */
export async function pythonEnvironment(client: PythonClient): Promise<string> {
  const requirements = join(FOLDER, `interop/requirements-${client}.txt`);
  const folder = join(FOLDER, '.cache', `interop-${client}`);
  const programs = join(folder, 'bin');
  const marker = join(folder, 'installed');
  const wanted = createHash('sha256')
    .update(await readFile(requirements))
    .digest('hex');
  if (existsSync(marker) && (await readFile(marker, 'utf8')) === wanted) return programs;
  const python = await findPython();
  await mkdir(join(FOLDER, '.cache'), { recursive: true });
  await runProgram(python, ['-m', 'venv', '--clear', folder], { timeoutMs: INSTALL_MS });
  // The lists are complete, so that nothing is resolved anew and nothing else comes along.
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps', '-r', requirements];
  await runProgram(join(programs, 'python'), pip, { timeoutMs: INSTALL_MS });
  await writeFile(marker, wanted);
  return programs;
}

async function findPython(): Promise<string> {
  for (const python of PYTHONS) {
    const isFit = await runProgram(python, ['-c', PROBE]).then(
      () => true,
      () => false,
    );
    if (isFit) return python;
  }
  throw new Error('cannot run the Tinybird clients: they need Python 3.11 to 3.13 with its venv module; install one');
}
