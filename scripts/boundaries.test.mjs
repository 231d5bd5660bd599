/**
 * Shows that every boundary bites: each case is a small file that breaks one rule, or keeps to it, in a copy of the
 * repository's layout that holds nothing else. A rule that no longer fires is worse than none, because everybody trusts it.
 */

import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROOMS } from '../boundaries.mjs';
import { filesOf, lintConfigText, unlisted } from './lint-config.mjs';

const ROOT = path.dirname(import.meta.dirname);
const OXLINT = path.join(ROOT, 'node_modules/oxlint/bin/oxlint');

const run = promisify(execFile);

/** A file of a room, from the globs that the table gives it. @param {string} room */
function fileIn(room) {
  const glob = filesOf(room)[0] ?? '';
  return glob.replace('/**', '/probe.ts').replace('*', '');
}

/** How a file of one room would import another room. @param {string} from @param {string} to */
function specifier(from, to) {
  if (!to.includes('/')) return `@glasshouse/${to}`;
  const source = path.dirname(fileIn(from));
  const target = to.endsWith('.ts') ? fileIn(to) : fileIn(to).replace('probe.ts', 'other.ts');
  const relative = path.relative(source, target);
  return relative.startsWith('.') ? relative : `./${relative}`;
}

/** @typedef {{ title: string; file: string; code: string; rule?: string }} Case */

/** @type {(Case & { from: string })[]} */
const edges = Object.entries(ROOMS).flatMap(([from, may]) => {
  const family = (/** @type {string} */ room) => room.replace(/\*.*$/, '').replace(/\/[^/]*$/, '');
  const others = Object.keys(ROOMS).filter((to) => {
    if (to === from || to.includes('*') || from.startsWith(`${to}/`) || to.startsWith(`${from}/`)) return false;
    if (from.includes('*') && family(from) === to) return false;
    // Parts of the server are seen only from inside it.
    return !to.includes('/') || (from.startsWith('server/') && to !== 'server/index.ts' && to !== 'server/main.ts');
  });
  return others.map((to) => {
    const allowed = may.includes(to);
    return {
      from,
      title: `${from} ${allowed ? 'may' : 'may not'} import ${to}`,
      file: fileIn(from),
      code: `import { x } from '${specifier(from, to)}';\nexport const y: unknown = x;\n`,
      ...(allowed ? {} : { rule: 'no-restricted-imports' }),
    };
  });
});

const use = (/** @type {string} */ statement) => `${statement}\nexport const y: unknown = x;\n`;

/** @type {Case[]} */
const others = [
  {
    title: 'chdb outside the engine',
    file: 'packages/store/src/a.ts',
    code: use(`import { x } from 'chdb';`),
    rule: 'no-restricted-imports',
  },
  {
    title: 'chdb in a test of another room',
    file: 'packages/store/src/a.test.ts',
    code: use(`import { x } from 'chdb';`),
    rule: 'no-restricted-imports',
  },
  {
    title: 'chdb in an end-to-end test',
    file: 'e2e/a.e2e.ts',
    code: use(`import { x } from 'chdb';`),
    rule: 'no-restricted-imports',
  },
  {
    title: 'chdb by dynamic import',
    file: 'packages/store/src/a.ts',
    code: `export const y = (): Promise<unknown> => import('chdb');\n`,
    rule: 'no-restricted-imports',
  },
  { title: 'chdb in the engine', file: 'packages/engine/src/a.ts', code: use(`import { x } from 'chdb';`) },
  {
    title: 'the client outside the store',
    file: 'packages/server/src/query/a.ts',
    code: use(`import { x } from '@clickhouse/client';`),
    rule: 'no-restricted-imports',
  },
  {
    title: 'the client in the store',
    file: 'packages/store/src/a.ts',
    code: use(`import { x } from '@clickhouse/client';`),
  },
  {
    title: 'the client in a test of another room',
    file: 'packages/engine/src/a.test.ts',
    code: use(`import { x } from '@clickhouse/client';`),
  },
  {
    title: 'the engine in a test of a room that may not import it',
    file: 'packages/language/src/a.test.ts',
    code: use(`import { x } from '@glasshouse/engine';`),
  },
  {
    title: 'another room in a test of the server',
    file: 'packages/server/src/otlp/a.test.ts',
    code: use(`import { x } from '../wal/b.ts';`),
  },
  {
    title: 'a type of a closed room',
    file: 'packages/schema/src/a.ts',
    code: `import type { X } from '@glasshouse/store';\nexport type Y = X;\n`,
    rule: 'no-restricted-imports',
  },
  {
    title: 'a closed room exported again',
    file: 'packages/schema/src/a.ts',
    code: `export { x } from '@glasshouse/store';\n`,
    rule: 'no-restricted-imports',
  },
  {
    title: 'a package by a path into its sources',
    file: 'packages/store/src/a.ts',
    code: use(`import { x } from '../../engine/src/b.ts';`),
    rule: 'no-restricted-imports',
  },
  {
    title: 'a package by a path into its build',
    file: 'packages/store/src/a.ts',
    code: use(`import { x } from '../../engine/dist/b.js';`),
    rule: 'no-restricted-imports',
  },
  {
    title: 'a file inside another package',
    file: 'packages/store/src/a.ts',
    code: use(`import { x } from '@glasshouse/engine/src/b.ts';`),
    rule: 'no-restricted-imports',
  },
  {
    title: 'the package itself by its name',
    file: 'packages/store/src/a.ts',
    code: use(`import { x } from '@glasshouse/store';`),
    rule: 'no-restricted-imports',
  },
  {
    title: 'a closed room from a deeper folder',
    file: 'packages/server/src/otlp/json/a.ts',
    code: use(`import { x } from '../../wal/b.ts';`),
    rule: 'no-restricted-imports',
  },
  {
    title: 'the environment outside the configuration',
    file: 'packages/store/src/a.ts',
    code: `export const y = process.env['HOME'];\n`,
    rule: 'no-process-env',
  },
  {
    title: 'the environment by its name',
    file: 'packages/store/src/a.ts',
    code: use(`import { env as x } from 'node:process';`),
    rule: 'no-restricted-imports',
  },
  {
    title: 'the environment in the configuration',
    file: 'packages/server/src/config.ts',
    code: `export const y = process.env['HOME'];\n`,
  },
  {
    title: 'the environment in the supervisor of the engine',
    file: 'packages/engine/src/supervisor.ts',
    code: `export const y = process.env['HOME'];\n`,
  },
  {
    title: 'the environment in the command line',
    file: 'packages/cli/src/a.ts',
    code: `export const y = process.env['HOME'];\n`,
  },
  {
    title: 'the console outside the command line',
    file: 'packages/server/src/app.ts',
    code: `console.log('x');\n`,
    rule: 'no-console',
  },
  { title: 'the console in the command line', file: 'packages/cli/src/a.ts', code: `console.log('x');\n` },
  {
    title: 'a default export',
    file: 'packages/model/src/a.ts',
    code: `const y = 1;\nexport default y;\n`,
    rule: 'no-default-export',
  },
  {
    title: 'any',
    file: 'packages/model/src/a.ts',
    code: `export const y = (x: any): void => void x;\n`,
    rule: 'no-explicit-any',
  },
  {
    title: 'a value that leaks any',
    file: 'packages/model/src/a.ts',
    code: `export const y: string = JSON.parse('1');\n`,
    rule: 'no-unsafe-assignment',
  },
  {
    title: 'a floating promise',
    file: 'packages/model/src/a.ts',
    code: `export const y = (): void => {\n  Promise.resolve();\n};\n`,
    rule: 'no-floating-promises',
  },
  {
    title: 'a promise where a plain callback belongs',
    file: 'packages/model/src/a.ts',
    code: `[1].forEach(async () => Promise.resolve());\n`,
    rule: 'no-misused-promises',
  },
  {
    title: 'a switch that forgets a case',
    file: 'packages/model/src/a.ts',
    code: `export function y(x: 'a' | 'b'): void {\n  switch (x) {\n    case 'a':\n      break;\n  }\n}\n`,
    rule: 'switch-exhaustiveness-check',
  },
  {
    title: 'a swallowed cause',
    file: 'packages/model/src/a.ts',
    code: `export function y(f: () => void): void {\n  try {\n    f();\n  } catch (error) {\n    throw new Error('failed');\n  }\n}\n`,
    rule: 'preserve-caught-error',
  },
  { title: 'a file of 601 lines of code', file: 'packages/model/src/a.ts', code: lines(601), rule: 'max-lines' },
  {
    title: 'a file of 600 lines of code and comments',
    file: 'packages/model/src/a.ts',
    code: `// comment\n\n${lines(600)}`,
  },
  { title: 'a test of 601 lines', file: 'packages/model/src/a.test.ts', code: lines(601) },
  { title: 'a generated table of 601 lines', file: 'packages/model/src/generated/a.ts', code: lines(601) },
  {
    title: 'a note to do it later',
    file: 'packages/model/src/a.ts',
    code: `// TODO later\nexport const y = 1;\n`,
    rule: 'no-warning-comments',
  },
  {
    title: 'a test that runs alone',
    file: 'packages/model/src/a.test.ts',
    code: `import { expect, test } from 'vitest';\ntest.only('x', () => {\n  expect(1).toBe(1);\n});\n`,
    rule: 'no-focused-tests',
  },
  {
    title: 'a test that is skipped',
    file: 'packages/model/src/a.test.ts',
    code: `import { expect, test } from 'vitest';\ntest.skip('x', () => {\n  expect(1).toBe(1);\n});\n`,
    rule: 'no-disabled-tests',
  },
];

/** @param {number} count */
function lines(count) {
  return Array.from({ length: count }, (_, index) => `export const y${String(index)} = ${String(index)};\n`).join('');
}

/** Lints each case in its own folder of one temporary copy; resolves to what was found, by case. @param {string} folder @param {readonly Case[]} cases */
async function lintAll(folder, cases) {
  /** @type {Map<string, string[]>} */
  const found = new Map(cases.map(({ title }) => [title, []]));
  // Two cases may need the same file, so the cases are dealt into rounds in which every file is there once.
  for (let rest = [...cases]; rest.length > 0;) {
    /** @type {Map<string, Case>} */
    const round = new Map();
    for (const one of rest) if (!round.has(one.file)) round.set(one.file, one);
    rest = rest.filter((one) => round.get(one.file) !== one);
    for (const one of round.values()) {
      const file = path.join(folder, one.file);
      await mkdir(path.dirname(file), { recursive: true });
      await writeFile(file, one.code);
    }
    for (const { file, code } of await lint(folder, [...round.keys()])) {
      const one = round.get(file);
      if (one) found.get(one.title)?.push(code);
    }
    for (const file of round.keys()) await rm(path.join(folder, file));
  }
  return found;
}

/** @param {string} folder @param {readonly string[]} files @returns {Promise<{ file: string; code: string }[]>} */
async function lint(folder, files) {
  const output = await run(process.execPath, [OXLINT, '--format=json', ...files], {
    cwd: folder,
    maxBuffer: 1 << 26,
  }).catch((/** @type {unknown} */ failure) => {
    // A linter that finds something exits with 1; its report is on the error.
    if (failure instanceof Error && 'stdout' in failure) return { stdout: String(failure.stdout) };
    throw failure;
  });
  /** @type {{ diagnostics: { filename: string; code: string }[] }} */
  const report = JSON.parse(output.stdout);
  return report.diagnostics.map(({ filename, code }) => ({ file: filename, code }));
}

describe('boundaries', () => {
  /** @type {string} */
  let folder;
  /** @type {Map<string, string[]>} */
  let found;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'glasshouse-boundaries-'));
    await writeFile(path.join(folder, '.oxlintrc.json'), lintConfigText());
    await symlink(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'));
    await writeFile(
      path.join(folder, 'tsconfig.json'),
      `{ "extends": "${path.join(ROOT, 'tsconfig.base.json')}", "include": ["packages", "e2e"] }`,
    );
    found = await lintAll(folder, [...edges, ...others]);
  }, 120_000);

  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  for (const room of Object.keys(ROOMS)) {
    test(`${room} imports what its row lists and nothing else`, () => {
      const mine = edges.filter(({ from }) => from === room);
      const closed = mine.filter(({ title }) => found.get(title)?.includes('eslint(no-restricted-imports)') === true);
      expect(closed.map(({ title }) => title)).toEqual(mine.filter(({ rule }) => rule).map(({ title }) => title));
    });
  }

  for (const { title, rule } of others) {
    test(`${rule === undefined ? 'accepts' : 'refuses'} ${title}`, () => {
      const rules = found.get(title) ?? [];
      if (rule === undefined) expect(rules).toEqual([]);
      else expect(rules.join()).toContain(rule);
    });
  }

  test('refuses a cycle of imports', async () => {
    await writeFile(
      path.join(folder, 'packages/model/src/one.ts'),
      `import { two } from './two.ts';\nexport const one = (): unknown => two;\n`,
    );
    await writeFile(
      path.join(folder, 'packages/model/src/two.ts'),
      `import { one } from './one.ts';\nexport const two = (): unknown => one;\n`,
    );
    const rules = await lint(folder, ['packages/model/src/one.ts', 'packages/model/src/two.ts']);
    expect(rules.map(({ code }) => code).join()).toContain('no-cycle');
  });
});

describe('the table of rooms', () => {
  test('has no cycle', () => {
    /** @type {(room: string, path: readonly string[]) => string[][]} */
    const cycles = (room, above) =>
      above.includes(room) ? [[...above, room]] : (ROOMS[room] ?? []).flatMap((next) => cycles(next, [...above, room]));
    expect(Object.keys(ROOMS).flatMap((room) => cycles(room, []))).toEqual([]);
  });

  test('names only rooms that it has', () => {
    expect(
      Object.values(ROOMS)
        .flat()
        .filter((room) => !(room in ROOMS)),
    ).toEqual([]);
  });

  test('has a row for everything there is', () => {
    expect(unlisted()).toEqual([]);
  });
});
