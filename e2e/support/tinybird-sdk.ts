/**
 * Tinybird's SDK for TypeScript, `@tinybirdco/sdk`, as the interop suite uses it: loaded from its own folder, so that the
 * project doesn't depend on it, and with the part of its types that the tests need. Its command line runs as a process.
 */

import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { npmEnvironment } from './npm-environment.ts';
import type { Row } from './server.ts';

const run = promisify(execFile);
const COMMAND_MS = 90_000;

export interface Counts {
  readonly successful_rows: number;
  readonly quarantined_rows: number;
}

export interface QueryAnswer {
  readonly meta: readonly { readonly name: string; readonly type: string }[];
  readonly data: readonly Row[];
  readonly rows: number;
  readonly statistics: { readonly elapsed: number; readonly rows_read: number; readonly bytes_read: number };
}

/** A job, as far as the SDK hands it on. */
export interface Started {
  readonly id?: string;
  readonly job_id?: string;
  readonly job_url?: string;
  readonly status?: string;
  readonly rows_to_be_deleted?: number;
}

interface FileSource {
  readonly file?: string;
  readonly url?: string;
  readonly csvDialect?: { readonly delimiter?: string };
}

export interface TinybirdClient {
  ingest(name: string, event: object, options?: { wait?: boolean; maxRetries?: number }): Promise<Counts>;
  ingestBatch(name: string, events: readonly object[], options?: { wait?: boolean }): Promise<Counts>;
  sql(query: string): Promise<QueryAnswer>;
  query(pipe: string, parameters?: Readonly<Record<string, unknown>>): Promise<QueryAnswer>;
  readonly datasources: {
    append(name: string, source: FileSource): Promise<Counts & Started>;
    replace(name: string, source: FileSource): Promise<Counts & Started>;
    delete(name: string, options: { deleteCondition: string; dryRun?: boolean }): Promise<Started>;
    truncate(name: string): Promise<object>;
  };
  readonly tokens: {
    createJWT(wish: {
      readonly name: string;
      readonly expiresAt: Date;
      readonly scopes: readonly {
        readonly type: string;
        readonly resource: string;
        readonly fixed_params?: Readonly<Record<string, number | string>>;
        readonly filter?: string;
      }[];
    }): Promise<{ readonly token: string }>;
  };
}

interface Sdk {
  readonly TinybirdClient: new (options: { baseUrl: string; token: string }) => TinybirdClient;
}

/** A client of the SDK. */
export async function tinybirdClient(baseUrl: string, token: string): Promise<TinybirdClient> {
  const modules = await npmEnvironment('ts-sdk');
  const entry = pathToFileURL(join(modules, '@tinybirdco/sdk/dist/index.js'));
  const { TinybirdClient } = (await import(entry.href)) as Sdk;
  return new TinybirdClient({ baseUrl, token });
}

export interface SdkProject {
  readonly folder: string;
  /** Runs `tinybird` with these arguments; resolves with what it wrote, rejects with it if it fails. */
  tinybird(...args: readonly string[]): Promise<string>;
  write(file: string, text: string): Promise<void>;
  close(): Promise<void>;
}

/** A folder with a project of the SDK, which deploys to a server. */
export async function sdkProject(baseUrl: string, token: string): Promise<SdkProject> {
  const modules = await npmEnvironment('ts-sdk');
  const root = await mkdtemp(join(tmpdir(), 'glasshouse-sdk-'));
  const folder = join(root, 'project');
  await mkdir(folder);
  await symlink(modules, join(folder, 'node_modules'), 'dir');
  // A pattern that matches nothing is an error.
  const config = { include: ['*.ts', '*.pipe'], token, baseUrl };
  await writeFile(join(folder, 'tinybird.config.json'), JSON.stringify(config));
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  return {
    folder,
    write: (file, text) => writeFile(join(folder, file), text),
    tinybird: async (...args) => {
      try {
        const { stdout, stderr } = await run(
          process.execPath,
          [join(modules, '@tinybirdco/sdk/bin/tinybird.js'), ...args],
          { cwd: folder, env: { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: root }, timeout: COMMAND_MS },
        );
        return stdout + stderr;
      } catch (cause) {
        const { stdout = '', stderr = '' } = cause as { stdout?: string; stderr?: string };
        throw new Error(`cannot run tinybird ${args.join(' ')}: ${stdout}${stderr || String(cause)}`, { cause });
      }
    },
    close: () => rm(root, { recursive: true, force: true }),
  };
}
