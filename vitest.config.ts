/**
 * Two suites: `unit` runs the sources as they are, so that no build stands between an edit and its test; `e2e` runs the
 * built server, as a user gets it.
 */

import { defineConfig } from 'vitest/config';

/** Makes @glasshouse/* mean `src/index.ts` instead of `dist/index.js`; the others are what Vitest has by default. */
const SOURCE_CONDITIONS = ['source', 'module', 'node', 'development|production'];

export default defineConfig({
  test: {
    // Each engine child takes a few hundred megabytes and both cores: two test files at a time is what two cores carry.
    pool: 'forks',
    maxWorkers: 2,
    projects: [
      {
        ssr: { resolve: { conditions: SOURCE_CONDITIONS } },
        resolve: { conditions: SOURCE_CONDITIONS },
        test: {
          name: 'unit',
          include: ['packages/*/src/**/*.test.ts', 'scripts/*.test.{ts,mjs}'],
          // For the processes that a test forks: they strip types by themselves and resolve as the test does.
          execArgv: ['--conditions=source'],
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['e2e/**/*.e2e.ts'],
          // Servers under load measure nothing useful when two of them share the cores.
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
