/**
 * Programs of other languages that the tests send with: built or installed once, in pinned versions, into a folder that is
 * kept between runs.
 *
 * Must stay true: a missing toolchain fails the test and says what to install; it never makes a test pass by not running.
 */

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cleanEnvironment } from './server.ts';

const run = promisify(execFile);
const FOLDER = join(import.meta.dirname, '..');
const CACHE = join(FOLDER, '.cache');
const TELEMETRYGEN = 'github.com/open-telemetry/opentelemetry-collector-contrib/cmd/telemetrygen';
const TELEMETRYGEN_VERSION = 'v0.161.0';
/** Compiling or installing for the first time takes minutes on a small machine. */
export const INSTALL_MS = 600_000;
const PROGRAM_MS = 60_000;

/** Runs a program to its end and returns what it wrote. Rejects with its output if it fails. */
export async function runProgram(
  file: string,
  args: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly timeoutMs?: number } = {},
): Promise<string> {
  try {
    const { stdout } = await run(file, [...args], {
      env: { ...cleanEnvironment(), ...options.env },
      timeout: options.timeoutMs ?? PROGRAM_MS,
      maxBuffer: 64 << 20,
    });
    return stdout;
  } catch (cause) {
    const { stdout = '', stderr = '' } = cause as { stdout?: string; stderr?: string };
    throw new Error(`cannot run ${file} ${args.join(' ')}: ${stdout}${stderr || String(cause)}`, { cause });
  }
}

/** The path of `telemetrygen`, the load generator of the OpenTelemetry Collector, built with Go on first use. */
export async function telemetrygen(): Promise<string> {
  const folder = join(CACHE, `go-telemetrygen-${TELEMETRYGEN_VERSION}`);
  const binary = join(folder, 'telemetrygen');
  if (existsSync(binary)) return binary;
  await requireTool('go', ['version'], 'Go 1.25 or newer (https://go.dev/dl)');
  await mkdir(folder, { recursive: true });
  await runProgram('go', ['install', `${TELEMETRYGEN}@${TELEMETRYGEN_VERSION}`], {
    env: { GOBIN: folder, GOFLAGS: '-mod=mod' },
    timeoutMs: INSTALL_MS,
  });
  return binary;
}

/** The path of a Python that has the packages of `python/requirements.txt`, set up on first use. */
export async function python(): Promise<string> {
  const requirements = join(FOLDER, 'python/requirements.txt');
  const folder = join(CACHE, 'python');
  const marker = join(folder, 'installed');
  const binary = join(folder, 'bin/python');
  const wanted = createHash('sha256')
    .update(await readFile(requirements))
    .digest('hex');
  if (existsSync(marker) && (await readFile(marker, 'utf8')) === wanted) return binary;
  await requireTool('python3', ['-c', 'import venv, ensurepip'], 'Python 3.10 or newer with its venv module');
  await mkdir(CACHE, { recursive: true });
  await runProgram('python3', ['-m', 'venv', '--clear', folder], { timeoutMs: INSTALL_MS });
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements];
  await runProgram(binary, pip, { timeoutMs: INSTALL_MS });
  await writeFile(marker, wanted);
  return binary;
}

async function requireTool(file: string, args: readonly string[], what: string): Promise<void> {
  try {
    await runProgram(file, args);
  } catch (cause) {
    throw new Error(`cannot run ${file}: this test needs ${what}; install it and run the test again`, { cause });
  }
}
