/**
 * Tinybird's command line, the classic one and the one for Forward, as a user runs it: in a folder with a copy of a project,
 * with a home of its own. Both are called `tb`.
 *
 * Must stay true: a command sees nothing of the developer's own environment, repository or settings, and sends nothing to
 * anybody but the server under test.
 */

import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { PythonClient } from './python-environment.ts';
import { pythonEnvironment } from './python-environment.ts';
import { PROJECTS } from './workspace.ts';

const run = promisify(execFile);
const COMMAND_MS = 90_000;

export interface Outcome {
  readonly code: number;
  /** What it wrote, to wherever. */
  readonly output: string;
}

export interface TinybirdCli {
  /** The folder it runs in: a copy of the project. */
  readonly folder: string;
  /** Runs a command that has to succeed; resolves with what it wrote. */
  run(...args: readonly string[]): Promise<string>;
  /** Runs a command, however it ends. */
  outcome(...args: readonly string[]): Promise<Outcome>;
  close(): Promise<void>;
}

export interface CliOptions {
  readonly client: Extract<PythonClient, 'tb-classic' | 'tb-forward'>;
  /** A folder of `interop/projects`; without it the folder is empty. */
  readonly project?: string;
  /** Arguments that go before those of every command. */
  readonly before?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Prepares a folder to run `tb` in. */
export async function tinybirdCli(options: CliOptions): Promise<TinybirdCli> {
  const programs = await pythonEnvironment(options.client);
  const root = await mkdtemp(join(tmpdir(), 'glasshouse-tb-'));
  const folder = join(root, 'project');
  if (options.project === undefined) await mkdir(folder);
  else await cp(join(PROJECTS, options.project), folder, { recursive: true });
  const env = {
    PATH: `${programs}:/usr/local/bin:/usr/bin:/bin`,
    HOME: root,
    LANG: 'C.UTF-8',
    COLUMNS: '200',
    // Otherwise it asks a registry for its newest version, and reports every command to its maker.
    TB_VERSION_WARNING: '0',
    TB_CLI_TELEMETRY_OPTOUT: '1',
    // Otherwise it waits for answers.
    CI: '1',
    ...options.env,
  };
  const outcome = async (...args: readonly string[]): Promise<Outcome> => {
    const whole = [...(options.before ?? []), ...args];
    try {
      const { stdout, stderr } = await run(join(programs, 'tb'), whole, {
        cwd: folder,
        env,
        timeout: COMMAND_MS,
        maxBuffer: 16 << 20,
      });
      return { code: 0, output: stdout + stderr };
    } catch (error) {
      const { code, stdout = '', stderr = '' } = error as { code?: unknown; stdout?: string; stderr?: string };
      if (typeof code !== 'number') throw error;
      return { code, output: stdout + stderr };
    }
  };
  return {
    folder,
    outcome,
    run: async (...args) => {
      const { code, output } = await outcome(...args);
      if (code !== 0) throw new Error(`cannot run tb ${args.join(' ')}: it ended with ${code}\n${output}`);
      return output;
    },
    close: () => rm(root, { recursive: true, force: true }),
  };
}
