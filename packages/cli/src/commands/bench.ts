/** `bench`: runs the benchmark of the repository, with our terminal. */

import { spawn } from 'node:child_process';
import { AppError } from '@glasshouse/model';
import type { Command } from '../command.ts';
import { benchMain } from '../installation.ts';

export const bench: Command = {
  name: 'bench',
  summary: 'measure ingest and queries on this machine',
  usage: '[-- ARGUMENTS]',
  description: [
    'Starts a server of its own on a temporary data directory, sends it load from a second process, and reports throughput, latency, ' +
      'size and query times. Takes several minutes and both cores; the running server is left alone. What follows -- goes to the benchmark.',
  ],
  options: {},
  positionals: Number.POSITIVE_INFINITY,
  examples: [
    { command: 'glasshouse bench', what: 'all of it' },
    { command: 'glasshouse bench -- --help', what: 'what can be chosen' },
  ],
  more: 'docs/reference/benchmarks.md',
  run: async (_, args) => {
    const main = benchMain();
    if (main === undefined)
      throw new AppError(
        'not_found',
        'cannot run the benchmark: it is in the repository only, and this is not a checkout of it',
      );
    const child = spawn(process.execPath, [main, ...args.positionals], { stdio: 'inherit' });
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code) => resolve(code ?? 1));
    });
  },
};
