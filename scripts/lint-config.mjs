/**
 * Generates `.oxlintrc.json` from `boundaries.mjs` and the rules below. `--check` writes nothing and fails if the file in
 * the repository is not what would be written, or if something has no row in the table.
 *
 * It is generated because the linter knows only "this pattern is forbidden in these files", and nobody can keep some twenty
 * such lists right by hand.
 */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { CONSOLE, ENVIRONMENT, EXTERNAL, ROOMS, TESTS_MAY } from '../boundaries.mjs';

const ROOT = path.dirname(import.meta.dirname);
const FILE = '.oxlintrc.json';

/** Tests of a package, the suites that several tests share, and what they alone use. */
const ROOM_TESTS = ['**/*.test.ts', '**/*.suite.ts', '**/testing/**'];
const TESTS = [...ROOM_TESTS, '**/*.test.mjs', 'e2e/**'];
/** Tables that a program writes. */
const GENERATED = ['**/generated/**', '**/*.generated.ts'];
/** What runs from a terminal, outside the product. */
const TOOLS = ['scripts/**', 'bench/**', 'e2e/**'];

const PLUGINS = ['eslint', 'typescript', 'unicorn', 'oxc', 'import', 'node', 'promise', 'vitest'];

/** On top of the categories `correctness` and `suspicious`. A rule that is off says why. */
const RULES = {
  // Promises
  'typescript/no-floating-promises': 'error',
  'typescript/no-misused-promises': 'error',
  'typescript/return-await': ['error', 'error-handling-correctness-only'],
  'typescript/prefer-promise-reject-errors': 'error',
  'promise/always-return': 'off', // a `then` that is only waited for returns nothing

  // Types
  'typescript/no-explicit-any': 'error',
  'typescript/no-unsafe-argument': 'error',
  'typescript/no-unsafe-assignment': 'error',
  'typescript/no-unsafe-call': 'error',
  'typescript/no-unsafe-member-access': 'error',
  'typescript/no-unsafe-return': 'error',
  'typescript/switch-exhaustiveness-check': [
    'error',
    { considerDefaultExhaustiveForUnions: true, requireDefaultForNonUnion: false },
  ],
  'typescript/only-throw-error': 'error',
  'typescript/use-unknown-in-catch-callback-variable': 'error',
  'typescript/ban-ts-comment': 'error',
  'typescript/no-namespace': 'error',
  'typescript/no-require-imports': 'error',
  'typescript/no-unsafe-function-type': 'error',
  'typescript/no-import-type-side-effects': 'error',
  'typescript/no-unsafe-type-assertion': 'off', // decoders and tables assert what they have just checked
  'typescript/consistent-return': 'off', // the compiler's noImplicitReturns knows more
  'typescript/no-unnecessary-type-parameters': 'off', // a parameter that names a result's type is documentation

  // Modules
  'import/no-cycle': ['error', { ignoreTypes: true }],
  'import/no-default-export': 'error',
  'import/no-mutable-exports': 'error',
  'import/no-named-as-default': 'off', // fast-check is imported by its default name, fc
  'import/no-named-as-default-member': 'off',
  'import/no-duplicates': 'error',
  'import/no-commonjs': 'error',
  'import/first': 'error',
  'unicorn/prefer-node-protocol': 'error',
  'unicorn/filename-case': ['error', { case: 'kebabCase' }],

  // The process
  'no-console': 'error',
  'node/no-process-env': 'error',

  // Plain faults
  eqeqeq: 'error',
  'array-callback-return': 'error',
  'no-case-declarations': 'error',
  'no-constructor-return': 'error',
  'no-fallthrough': 'error',
  'no-new-func': 'error',
  'no-param-reassign': 'off', // codecs advance their own cursors
  'no-proto': 'error',
  'no-self-compare': 'error',
  'no-unreachable-loop': 'error',
  'no-var': 'error',
  'prefer-const': 'error',
  'unicorn/no-abusive-eslint-disable': 'error',
  'unicorn/throw-new-error': 'error',

  // Size and leftovers
  'max-lines': ['error', { max: 600, skipBlankLines: true, skipComments: true }],
  'no-warning-comments': ['error', { terms: ['todo', 'fixme', 'xxx', 'hack'], location: 'anywhere' }],

  // Off, although a category has them
  'no-underscore-dangle': 'off', // columns such as _segment carry the name that the table has
  'no-shadow': 'off', // short names in short scopes
  'unicorn/consistent-function-scoping': 'off', // a closure beside its one use reads better
  'unicorn/no-array-sort': 'off', // sorting in place is right for an array that we made
  'unicorn/no-array-reverse': 'off',
  'unicorn/no-new-array': 'off', // an array of known length is made once and filled

  // Tests
  'vitest/expect-expect': [
    'error',
    {
      assertFunctionNames: [
        'expect',
        'expect*',
        'refuses*',
        'holds*',
        'settles*',
        'check*',
        'assert',
        'assert*',
        'fc.assert',
        'expectTypeOf',
      ],
    },
  ],
  'vitest/valid-expect': ['error', { maxArgs: 2 }],
  'unicorn/require-post-message-target-origin': 'off', // there are worker threads here, no windows
  'promise/no-callback-in-promise': 'off', // where a library wants a callback
  'typescript/require-array-sort-compare': 'off', // texts are sorted as texts
  'unicorn/no-useless-spread': 'off', // a copy is made where the original changes during the loop
  'vitest/require-to-throw-message': 'off',
  'unicorn/no-thenable': 'off', // scripted doubles of our own interfaces
  'vitest/no-standalone-expect': 'off', // helpers and suites that several tests share
  'vitest/no-conditional-expect': 'off', // one list of good and bad inputs
  'vitest/require-mock-type-parameters': 'off',
  'vitest/no-import-node-test': 'error',
};

/** @param {string} text */
const escapeRegex = (text) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** @param {string} room */
const packageOf = (room) => room.split('/')[0] ?? room;

/** @param {string} room */
const partOf = (room) => room.slice(packageOf(room).length + 1);

const packages = Object.keys(ROOMS).filter((room) => !room.includes('/'));
const serverParts = Object.keys(ROOMS)
  .filter((room) => room.startsWith('server/') && !room.includes('*'))
  .map(partOf);

/**
 * The files of a room, as globs.
 * @param {string} room
 */
export function filesOf(room) {
  const part = partOf(room);
  const base = `packages/${packageOf(room)}`;
  if (part === '') return [`${base}/src/**`, `${base}/bin/**`];
  return [part.endsWith('.ts') ? `${base}/src/${part}` : `${base}/src/${part}/**`];
}

/** Its namespace loads Node's fetch and WebSocket. */
const HTTP = {
  name: 'node:http',
  allowTypeImports: true,
  message: "Take it from @glasshouse/model, as nodeHttp: an import of 'node:http' costs each process 5 MB.",
};

/**
 * Options of `no-restricted-imports` for one room.
 * @param {string} room
 * @param {readonly string[]} may
 * @param {{ tests: boolean }} options
 */
function restrictions(room, may, { tests }) {
  const own = packageOf(room);
  const patterns = [];

  const foreign = packages.filter((name) => name !== own && !may.includes(name));
  if (foreign.length > 0) {
    patterns.push({
      regex: `^@glasshouse/(${foreign.join('|')})(/|$)`,
      message: `${room} may import only: ${may.join(', ') || 'nothing'} (boundaries.mjs).`,
    });
  }
  patterns.push(
    { regex: `^@glasshouse/${own}(/|$)`, message: 'Inside a package import the file itself.' },
    { regex: '^@glasshouse/[^/]+/', message: 'Import a package by its name: its index.ts is all that it offers.' },
    { regex: '^\\.{1,2}/(.*/)?(src|dist)/', message: 'Import another package by its name, @glasshouse/….' },
  );

  const part = partOf(room);
  if (own === 'server' && part !== '' && !tests) {
    const folder = part.includes('/') || !part.endsWith('.ts') ? part.split('/')[0] : part;
    const closed = serverParts.filter((name) => name !== folder && !may.includes(`server/${name}`));
    // From a file of src itself `./wal/…`, from a folder `../wal/…`.
    const up = part.endsWith('.ts') && !part.includes('/') ? '\\./' : '(\\./)?(\\.\\./)+';
    if (closed.length > 0) {
      const names = closed.map((name) => (name.endsWith('.ts') ? `${escapeRegex(name)}$` : `${name}/`));
      patterns.push({
        regex: `^${up}(${names.join('|')})`,
        message: `${room} may import only: ${may.join(', ') || 'nothing'} (boundaries.mjs).`,
      });
    }
  }

  patterns.push(...externals(own, tests));

  const env = { importNames: ['env'], message: 'Only config.ts reads the environment.' };
  return tests
    ? ['error', { patterns }]
    : [
        'error',
        {
          paths: [{ name: 'node:process', ...env }, { name: 'process', ...env }, ...(own === 'cli' ? [] : [HTTP])],
          patterns,
        },
      ];
}

/**
 * Patterns for the packages of the registry that are not this package's.
 * @param {string} own
 * @param {boolean} tests
 */
function externals(own, tests) {
  return Object.entries(EXTERNAL)
    .filter(([, rule]) => rule.room !== own && !(tests && rule.tests))
    .map(([name, { room, why }]) => ({
      regex: `^${escapeRegex(name)}(/|$)`,
      message: `Only ${room} imports ${name}: ${why}.`,
    }));
}

/** The whole configuration, as data. */
export function lintConfig() {
  const overrides = [];
  for (const [room, may] of Object.entries(ROOMS)) {
    overrides.push({
      files: filesOf(room),
      rules: { 'no-restricted-imports': restrictions(room, may, { tests: false }) },
    });
  }
  for (const name of packages) {
    const may = [...(ROOMS[name] ?? []), ...TESTS_MAY];
    overrides.push({
      files: ROOM_TESTS.map((glob) => `packages/${name}/src/${glob}`),
      rules: { 'no-restricted-imports': restrictions(name, may, { tests: true }) },
    });
  }
  overrides.push(
    { files: [...TESTS, ...GENERATED], rules: { 'max-lines': 'off' } },
    { files: [...TESTS, ...TOOLS, ...ENVIRONMENT], rules: { 'node/no-process-env': 'off' } },
    { files: [...TOOLS, ...CONSOLE], rules: { 'no-console': 'off' } },
    { files: ['vitest.config.ts', 'vitest.*.config.ts'], rules: { 'import/no-default-export': 'off' } },
    { files: ['**/*.mjs', '**/*.js'], rules: { 'typescript/no-unsafe-assignment': 'off' } },
  );
  return {
    $schema: './node_modules/oxlint/configuration_schema.json',
    plugins: PLUGINS,
    categories: { correctness: 'error', suspicious: 'error' },
    env: { node: true, es2024: true },
    options: { typeAware: true, denyWarnings: true, reportUnusedDisableDirectives: 'error' },
    ignorePatterns: ['**/dist/**', '**/node_modules/**', 'data/**', 'coverage/**'],
    rules: { ...RULES, 'no-restricted-imports': ['error', { patterns: externals('', true) }] },
    overrides,
  };
}

/** Folders, and files beside the server's folders, that the table does not know; as paths. */
export function unlisted() {
  /** @param {string} folder */
  const foldersIn = (folder) =>
    readdirSync(path.join(ROOT, folder), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && entry.name !== 'testing')
      .map((entry) => entry.name);
  return [
    ...foldersIn('packages')
      .filter((name) => !packages.includes(name))
      .map((name) => `packages/${name}`),
    ...foldersIn('packages/server/src')
      .filter((name) => !serverParts.includes(name))
      .map((name) => `packages/server/src/${name}`),
    ...readdirSync(path.join(ROOT, 'packages/server/src'))
      .filter((name) => /(?<!\.test|\.suite)\.ts$/.test(name) && !serverParts.includes(name))
      .map((name) => `packages/server/src/${name}`),
  ];
}

/** The text of `.oxlintrc.json`. */
export function lintConfigText() {
  return `${JSON.stringify(lintConfig(), undefined, 2)}\n`;
}

function main() {
  const unknown = unlisted();
  if (unknown.length > 0) {
    console.error(`cannot lint PATHS=${unknown.join(', ')}: they have no row in boundaries.mjs`);
    return 1;
  }
  const file = path.join(ROOT, FILE);
  const text = lintConfigText();
  if (!process.argv.includes('--check')) {
    writeFileSync(file, text);
    return 0;
  }
  if (readFileSync(file, 'utf8') === text) return 0;
  console.error(`cannot trust ${FILE}: boundaries.mjs or scripts/lint-config.mjs is newer; run npm run lint:config`);
  return 1;
}

if (import.meta.main) process.exitCode = main();
