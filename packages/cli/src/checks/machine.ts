/** What doctor looks at whether or not a server runs: this installation, the machine, the data directory, the ports. */

import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { createRequire } from 'node:module';
import os from 'node:os';
import { dirname, join } from 'node:path';
import type { Config } from '@glasshouse/server';
import { messageOf } from '@glasshouse/model';
import { serverFolder, serverMain } from '../installation.ts';
import { bytesText, countText } from '../output.ts';
import { isTaken } from '../probe.ts';
import { fileLimit } from '../process.ts';
import { configuredAddresses, tokenPath } from '../target.ts';
import type { Check } from './check.ts';
import { fail, ok, warn } from './check.ts';

const LEAST_NODE = 24;
const LEAST_FILES = 4_096;
const LEAST_MEMORY_BYTES = 512 * 2 ** 20;
const LOOPBACK = /^(localhost|127\.|::1$)/;

export function checkNode(): Check {
  const { node } = process.versions;
  if (Number(node.split('.')[0]) >= LEAST_NODE) return ok('Node', `${node}, ${process.platform} ${process.arch}`);
  return fail(
    'Node',
    `${node}, and ${LEAST_NODE} is needed`,
    'run `npm ci` in the repository: it brings the right one',
  );
}

/** The server is built, and the embedded engine has a library for this machine unless another store is used. */
export function checkInstallation(embedded: boolean): Check {
  try {
    serverMain();
  } catch (error) {
    return fail('Installation', messageOf(error), 'run `make build`');
  }
  if (!embedded) return ok('Installation', 'the server is built');
  try {
    const engine = createRequire(join(serverFolder(), 'package.json')).resolve('@glasshouse/engine');
    const chdb = createRequire(engine).resolve('chdb');
    const library = libraryOf(chdb);
    if (library !== undefined) return ok('Installation', `the server is built, the engine is ${library}`);
  } catch (error) {
    return fail(
      'Installation',
      `a package is missing: ${messageOf(error).split('\n', 1)[0]}`,
      'run `npm ci` in the repository',
    );
  }
  const machine = `${process.platform} ${process.arch}`;
  return fail(
    'Installation',
    `there is no engine for ${machine}`,
    'run `npm ci` without --omit=optional; where there is no engine for the machine, set GLASSHOUSE_STORE_URL to a ClickHouse server',
  );
}

/** Name and version of the platform's package that the binding loads; undefined if none is installed. */
function libraryOf(chdb: string): string | undefined {
  const require = createRequire(chdb);
  let folder = dirname(chdb);
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  const { optionalDependencies = {} } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    readonly optionalDependencies?: Readonly<Record<string, string>>;
  };
  return Object.entries(optionalDependencies)
    .filter(
      ([name]) => require.resolve.paths(name)?.some((path) => existsSync(join(path, name, 'package.json'))) === true,
    )
    .map(([name, version]) => `${name} ${version}`)[0];
}

export function checkExposure({ auth, host }: Config): Check {
  const loopback = LOOPBACK.test(host);
  if (auth === 'open') return ok('Access', `open, and only for this machine (${host})`);
  if (loopback) return ok('Access', `API keys, listening on ${host}`);
  return warn(
    'Access',
    `API keys, but plain HTTP on ${host}: whoever listens on the network can read keys`,
    'put a proxy with TLS in front, unless the network is yours alone',
  );
}

export function checkDataDir({ dataDir, adminToken }: Config): Check[] {
  const stats = statSync(dataDir, { throwIfNoEntry: false });
  if (stats === undefined) return [ok('Data directory', `${dataDir} is not there yet; the first start makes it`)];
  if (!stats.isDirectory())
    return [fail('Data directory', `${dataDir} is not a directory`, 'move it away, or set GLASSHOUSE_DATA_DIR')];
  try {
    accessSync(dataDir, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    return [
      fail(
        'Data directory',
        messageOf(error),
        `give it to the user that runs the server: chown -R ${os.userInfo().username} ${dataDir}`,
      ),
    ];
  }
  const checks = [
    (stats.mode & 0o077) === 0
      ? ok('Data directory', dataDir)
      : warn(
          'Data directory',
          `other users may look into ${dataDir} (mode ${modeText(stats.mode)})`,
          `chmod 700 ${dataDir}`,
        ),
  ];
  const token = statSync(tokenPath(dataDir), { throwIfNoEntry: false });
  if (adminToken === undefined && token !== undefined && (token.mode & 0o077) !== 0) {
    checks.push(
      fail(
        'Admin token',
        `other users may read ${tokenPath(dataDir)} (mode ${modeText(token.mode)})`,
        `chmod 600 ${tokenPath(dataDir)}`,
      ),
    );
  }
  return checks;
}

function modeText(mode: number): string {
  return (mode & 0o777).toString(8);
}

export async function checkDisk({ dataDir, diskReserveBytes }: Config): Promise<Check> {
  let folder = dataDir;
  while (!existsSync(folder) && folder !== dirname(folder)) folder = dirname(folder);
  const { bavail, blocks, bsize } = await statfs(folder);
  const free = bavail * bsize;
  const detail = `${bytesText(free)} of ${bytesText(blocks * bsize)} free on the disk of ${dataDir}`;
  const fix = 'make room, lower GLASSHOUSE_RETENTION_DAYS, or move the data directory to a larger disk';
  if (free < diskReserveBytes)
    return fail(
      'Disk',
      `${detail}; under ${bytesText(diskReserveBytes)} (GLASSHOUSE_DISK_RESERVE) senders are told to come again`,
      fix,
    );
  if (free < 4 * diskReserveBytes) return warn('Disk', detail, fix);
  return ok('Disk', detail);
}

export function checkMemory(): Check {
  const limit = process.constrainedMemory();
  const available = process.availableMemory();
  const total = limit > 0 && limit < os.totalmem() ? limit : os.totalmem();
  const detail = `${bytesText(available)} of ${bytesText(total)} available`;
  if (available >= LEAST_MEMORY_BYTES) return ok('Memory', detail);
  return warn(
    'Memory',
    detail,
    'end other programs, or lower GLASSHOUSE_ENGINE_MAX_MEMORY and GLASSHOUSE_MAX_INFLIGHT_SIZE',
  );
}

export function checkFileLimit(pid: number): Check {
  const limit = fileLimit(pid);
  if (limit === undefined) return ok('Open files', 'this system does not say how many are allowed');
  const detail = `at most ${Number.isFinite(limit) ? countText(limit) : 'any number of'} for a process`;
  return limit >= LEAST_FILES
    ? ok('Open files', detail)
    : warn('Open files', detail, `raise it before the start: ulimit -n 65536`);
}

/** Before a start: whether the ports can be had. */
export async function checkPorts(config: Config): Promise<Check[]> {
  return Promise.all(
    configuredAddresses(config).map(async ({ name, host, port }) => {
      const title = `Port ${port} (${name})`;
      if (port === 0) return ok(title, 'any free port');
      if (!(await isTaken({ host, port }))) return ok(title, 'free');
      const who = `see who has it with: ss -ltnp 'sport = :${port}'`;
      if (name === 'main')
        return fail(title, 'another process has it, and a server cannot start', `${who}, or set GLASSHOUSE_PORT`);
      return warn(
        title,
        'another process has it; the main port would serve this instead',
        `${who}, or set ${variableOf(name)}`,
      );
    }),
  );
}

/** The variable that sets a listener's port. */
export function variableOf(name: string): string {
  return name === 'main' ? 'GLASSHOUSE_PORT' : `GLASSHOUSE_${name.toUpperCase().replaceAll('-', '_')}_PORT`;
}
