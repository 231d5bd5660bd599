/**
 * Everything that has to hold before a change goes in, cheapest first. Stops at the first step that fails; `--all` goes on,
 * so that one run shows every fault. Ends with a tally, `N passed, N failed`: tests, plus one for each other step that failed.
 * The tally is also kept in a file, for `.ci/run`, which prints it alone after make's own words.
 */

import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const ROOT = path.dirname(import.meta.dirname);
const CACHE = path.join(ROOT, 'node_modules/.cache/check');

/**
 * `run` is an npm script; `tests` says that it is a suite whose tests are counted.
 * @typedef {{ run: string; what: string; tests?: boolean }} Step
 */

/** @type {readonly Step[]} */
const STEPS = [
  { run: 'format:check', what: 'formatted' },
  { run: 'typecheck', what: 'compiles: packages, tests, tools' },
  { run: 'lint', what: 'rules and room boundaries' },
  { run: 'knip', what: 'no dead code, no stray dependency' },
  { run: 'unit', what: 'tests of the sources', tests: true },
  { run: 'e2e', what: 'tests of the built server', tests: true },
];

/**
 * Runs one step; resolves to what it adds to the tally.
 * @param {Step} step
 */
function perform({ run, tests = false }) {
  const report = path.join(CACHE, `${run}.json`);
  rmSync(report, { force: true });
  const extra = tests ? ['--', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`] : [];
  const { status, error } = spawnSync('npm', ['run', '--silent', run, ...extra], { cwd: ROOT, stdio: 'inherit' });
  if (error) console.error(`cannot run STEP=${run}: ${error.message}`);
  const { passed, failed } = tests ? count(report) : { passed: 0, failed: 0 };
  // A suite can fail without a failed test: a file that cannot be loaded, an error outside of any test.
  return { passed, failed: status === 0 ? failed : Math.max(failed, 1) };
}

/**
 * Reads the counts of a Vitest JSON report; a report that is not there counts nothing.
 * @param {string} report
 */
function count(report) {
  try {
    /** @type {{ numPassedTests: number; numFailedTests: number }} */
    const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(report, 'utf8'));
    return { passed: numPassedTests, failed: numFailedTests };
  } catch {
    return { passed: 0, failed: 0 };
  }
}

function main() {
  const all = process.argv.includes('--all');
  mkdirSync(CACHE, { recursive: true });
  const tally = { passed: 0, failed: 0 };
  /** @type {string[]} */
  const broken = [];
  for (const [index, step] of STEPS.entries()) {
    console.log(`\n[${index + 1}/${STEPS.length}] npm run ${step.run}: ${step.what}`);
    const started = performance.now();
    const { passed, failed } = perform(step);
    tally.passed += passed;
    tally.failed += failed;
    console.log(`${failed === 0 ? 'ok' : 'FAILED'} after ${((performance.now() - started) / 1000).toFixed(1)} s`);
    if (failed === 0) continue;
    broken.push(step.run);
    if (!all) break;
  }
  if (broken.length > 0) console.log(`\nFailed: ${broken.map((run) => `npm run ${run}`).join(', ')}`);
  const line = `${tally.passed} passed, ${tally.failed} failed`;
  writeFileSync(path.join(CACHE, 'tally'), `${line}\n`);
  console.log(`\nTests: ${line}`);
  return broken.length === 0 ? 0 : 1;
}

process.exitCode = main();
