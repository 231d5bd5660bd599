#!/usr/bin/env node
/**
 * The entry of the command line: makes sure that Node is new enough, then hands over. Separate from src/main.ts because an old
 * Node has to be able to read it: nothing newer than ES2022 may appear here, and no package may be imported.
 */

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const LEAST_NODE = 24;
const PACKAGE = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const MAIN = path.join(PACKAGE, 'dist', 'main.js');

if (Number(process.versions.node.split('.')[0]) < LEAST_NODE) switchNode();
else if (!existsSync(MAIN))
  refuse(`${PACKAGE} is not built; run \`make build\` (or \`npm run build\`) in the repository`);
else {
  /** @type {{ run: () => Promise<void> }} */
  const { run } = await import(pathToFileURL(MAIN).href);
  await run();
}

/** Runs the same command with the Node that npm installed beside us. */
function switchNode() {
  const node = installedNode();
  if (node === undefined || process.env['GLASSHOUSE_NODE_SWITCHED'] === '1') {
    refuse(
      `this is Node ${process.versions.node} and Node ${LEAST_NODE} is needed; run \`npm ci\` in the repository, which brings it`,
    );
    return;
  }
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, GLASSHOUSE_NODE_SWITCHED: '1' },
  });
  for (const signal of /** @type {const} */ (['SIGTERM', 'SIGHUP'])) process.on(signal, () => child.kill(signal));
  // Ctrl-C on a terminal reaches the child without us.
  process.on('SIGINT', () => {
    if (!process.stdin.isTTY) child.kill('SIGINT');
  });
  child.once('error', (error) => refuse(`${node} does not start: ${error.message}`));
  child.once('exit', (code, signal) =>
    process.exit(code ?? 128 + (signal === null ? 0 : os.constants.signals[signal])),
  );
}

/** The binary of the npm package `node`, looked for where imports would be. @returns {string | undefined} */
function installedNode() {
  const name = process.platform === 'win32' ? 'node.exe' : 'node';
  for (let folder = PACKAGE; ; folder = path.dirname(folder)) {
    const candidate = path.join(folder, 'node_modules', 'node', 'bin', name);
    if (existsSync(candidate)) return candidate;
    if (folder === path.dirname(folder)) return undefined;
  }
}

/** @param {string} why */
function refuse(why) {
  process.stderr.write(`glasshouse: cannot run: ${why}\n`);
  process.exitCode = 1;
}
