/**
 * A project of Tinybird's SDK for TypeScript, in a folder of its own: definitions in TypeScript and data files, which its
 * command line builds and deploys.
 */

import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const COMMAND_MS = 90_000;

export interface SdkProject {
  readonly folder: string;
  /** Runs `tinybird` with these arguments; resolves with what it wrote, rejects with it if it fails. */
  tinybird(...args: readonly string[]): Promise<string>;
  write(file: string, text: string): Promise<void>;
  close(): Promise<void>;
}

/** Makes a folder with an empty project that deploys to a server. */
export async function sdkProject(baseUrl: string, token: string): Promise<SdkProject> {
  const sdk = await sdkFolder();
  const root = await mkdtemp(join(tmpdir(), 'glasshouse-sdk-'));
  const folder = join(root, 'project');
  await mkdir(join(folder, 'node_modules/@tinybirdco'), { recursive: true });
  await symlink(sdk, join(folder, 'node_modules/@tinybirdco/sdk'), 'dir');
  // A pattern that matches nothing is an error.
  const config = { include: ['*.ts', '*.pipe'], token, baseUrl };
  await writeFile(join(folder, 'tinybird.config.json'), JSON.stringify(config));
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  return {
    folder,
    write: (file, text) => writeFile(join(folder, file), text),
    tinybird: async (...args) => {
      try {
        const { stdout, stderr } = await run(process.execPath, [join(sdk, 'bin/tinybird.js'), ...args], {
          cwd: folder,
          env: { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: root },
          timeout: COMMAND_MS,
        });
        return stdout + stderr;
      } catch (cause) {
        const { stdout = '', stderr = '' } = cause as { stdout?: string; stderr?: string };
        throw new Error(`cannot run tinybird ${args.join(' ')}: ${stdout}${stderr || String(cause)}`, { cause });
      }
    },
    close: () => rm(root, { recursive: true, force: true }),
  };
}

/** The SDK's package, wherever npm put it. */
async function sdkFolder(): Promise<string> {
  const places = createRequire(import.meta.url).resolve.paths('@tinybirdco/sdk') ?? [];
  for (const place of places) {
    const found = await realpath(join(place, '@tinybirdco/sdk')).catch(() => undefined);
    if (found !== undefined) return found;
  }
  throw new Error('cannot find @tinybirdco/sdk: run npm install');
}
