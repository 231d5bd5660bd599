import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: { conditions: ['source'] },
  ssr: { resolve: { conditions: ['source'] } },
  test: {
    include: ['packages/*/src/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Each engine child takes a few hundred megabytes and both cores: two test files at a time is what two cores carry.
    pool: 'forks',
    maxWorkers: 2,
  },
});
