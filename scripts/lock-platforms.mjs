/**
 * Completes `package-lock.json` with the optional packages of other platforms. npm drops those that it could not fetch when
 * the lock was written, and `npm ci` then refuses the lock, or leaves another platform without its binary. `--check` writes
 * nothing and fails if one is missing.
 *
 * An entry made here has a version but no checksum, because nobody has downloaded the package yet; npm adds the checksum
 * once `npm install` has seen it. Run it after `npm install`: `npm run lock:platforms`.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const ROOT = path.dirname(import.meta.dirname);
const FILE = path.join(ROOT, 'package-lock.json');

const SYSTEMS = ['linux', 'darwin', 'win32', 'android', 'freebsd', 'openharmony', 'openbsd', 'netbsd', 'aix', 'sunos'];
const PROCESSORS = ['arm64', 'arm', 'x64', 'ia32', 'ppc64', 'riscv64', 's390x', 'loong64', 'mips64el'];

/**
 * @typedef {{
 *   version?: string; dev?: boolean; peer?: boolean; license?: string; optional?: boolean;
 *   os?: string[]; cpu?: string[]; libc?: string[]; optionalDependencies?: Record<string, string>;
 * }} Entry
 */

/**
 * What a package's name says about where it runs: `@scope/binding-linux-arm64-musl`. Undefined if it says nothing.
 * @param {string} name
 */
export function platformOf(name) {
  const words = name.replace(/^.*\//, '').split('-');
  const os = SYSTEMS.find((system) => words.includes(system));
  const cpu = PROCESSORS.find((processor) => words.includes(processor));
  if (os === undefined || cpu === undefined) return undefined;
  const musl = words.some((word) => word.startsWith('musl'));
  const glibc = words.some((word) => word.startsWith('gnu'));
  return { os: [os], cpu: [cpu], ...(musl ? { libc: ['musl'] } : glibc ? { libc: ['glibc'] } : {}) };
}

/**
 * The entries that a lock lacks, by their path in it.
 * @param {Record<string, Entry>} packages
 */
export function missing(packages) {
  /** @type {Record<string, Entry>} */
  const added = {};
  for (const entry of Object.values(packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      const key = `node_modules/${name}`;
      const platform = platformOf(name);
      // Only exact versions: what a range would resolve to is npm's to say.
      if (key in packages || platform === undefined || !/^\d/.test(version)) continue;
      const { cpu, os, libc } = platform;
      added[key] = {
        version,
        cpu,
        ...(entry.dev === undefined ? {} : { dev: entry.dev }),
        ...(libc === undefined ? {} : { libc }),
        ...(entry.license === undefined ? {} : { license: entry.license }),
        optional: true,
        os,
        ...(entry.peer === undefined ? {} : { peer: entry.peer }),
      };
    }
  }
  return added;
}

function main() {
  /** @type {{ packages: Record<string, Entry> }} */
  const lock = JSON.parse(readFileSync(FILE, 'utf8'));
  const added = missing(lock.packages);
  const names = Object.keys(added);
  if (names.length === 0) return 0;
  if (process.argv.includes('--check')) {
    console.error(`cannot trust package-lock.json: ${names.length} packages of other platforms are missing, such as`);
    console.error(`${names[0] ?? ''}; run npm run lock:platforms`);
    return 1;
  }
  const all = Object.entries({ ...lock.packages, ...added });
  lock.packages = Object.fromEntries(all.toSorted(([a], [b]) => a.localeCompare(b, 'en')));
  writeFileSync(FILE, `${JSON.stringify(lock, undefined, 2)}\n`);
  console.log(`Added ${names.length} packages of other platforms.`);
  return 0;
}

if (import.meta.main) process.exitCode = main();
