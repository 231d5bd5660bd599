/**
 * The documentation, held to its word: examples marked as tested are run against a server, reference pages are compared
 * with what they describe, links lead somewhere.
 *
 * Must stay true: every shell example of the README and the guides says whether it is run.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ERROR_KINDS } from '../packages/model/src/errors.ts';
import type { Block } from './support/markdown.ts';
import { blocksOf, fileLinksOf, rowsOf } from './support/markdown.ts';
import type { Row, Server } from './support/server.ts';
import { showLogsOfFailures, startServer } from './support/server.ts';
import { INSTALL_MS, python, runProgram } from './support/toolbox.ts';

const ROOT = join(import.meta.dirname, '..');
const CLI = join(ROOT, 'packages/cli/bin/glasshouse.js');
const SCRIPT_MS = 120_000;

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const pagesIn = (folder: string): string[] =>
  readdirSync(join(ROOT, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `${folder}/${name}`);

const GUIDES = ['README.md', ...pagesIn('docs/guides')];
const PAGES = [
  ...GUIDES,
  'ARCHITECTURE.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  ...['docs', 'docs/adr', 'docs/reference'].flatMap(pagesIn),
];

let server: Server;

beforeAll(async () => {
  server = await startServer();
});

afterAll(() => server?.stop());
showLogsOfFailures(() => server);

/** Puts the ports and the data directory of the server under test where the pages name the defaults. */
function adapt(text: string): string {
  const { main, otlpHttp, otlpGrpc, clickhouse } = server.ports;
  const ports: Readonly<Record<string, number>> = { 3000: main, 4318: otlpHttp, 4317: otlpGrpc, 8123: clickhouse };
  return text
    .replaceAll(/127\.0\.0\.1:(3000|4318|4317|8123)\b/g, (_, port: string) => `127.0.0.1:${ports[port]}`)
    .replaceAll('./data/', `${server.dataDir}/`);
}

function environment(): Record<string, string> {
  return {
    GLASSHOUSE_DATA_DIR: server.dataDir,
    GLASSHOUSE_PORT: String(server.ports.main),
    NO_COLOR: '1',
  };
}

/** The tested blocks of a page in a language. */
function tested(path: string, language: string): Block[] {
  return blocksOf(read(path)).filter((block) => block.language === language && block.mark === 'test');
}

const pagesWith = (language: string): string[] => GUIDES.filter((path) => tested(path, language).length > 0);

describe('examples', () => {
  it.each(GUIDES)('of %s say whether they are run', (path) => {
    const silent = blocksOf(read(path)).filter(
      ({ language, mark }) => language === 'sh' && mark !== 'test' && mark?.startsWith('not run: ') !== true,
    );
    expect(silent.map(({ line }) => `${path}:${line}`)).toEqual([]);
  });

  it.each(pagesWith('sh'))(
    'of %s run in a shell, one after the other',
    async (path) => {
      const parts = tested(path, 'sh').map(({ text, line }) => `echo '>>> ${path}:${line}' >&2\n${adapt(text)}`);
      const script = [`cd '${ROOT}'`, ...parts].join('\n');
      const run = runProgram('sh', ['-euc', script], { env: environment(), timeoutMs: SCRIPT_MS });
      await expect(run).resolves.toBeTypeOf('string');
    },
    SCRIPT_MS,
  );

  it.each(pagesWith('sql'))('of %s are answered', async (path) => {
    for (const { text, line } of tested(path, 'sql')) {
      // What Grafana makes of its macro.
      const statement = text.replaceAll(
        /\$__timeFilter\((\w+)\)/g,
        '$1 >= toDateTime(1) AND $1 <= toDateTime(4000000000)',
      );
      const error = await server.sql(statement).then(
        () => undefined,
        (thrown: unknown) => String(thrown),
      );
      expect(error, `${path}:${line}`).toBeUndefined();
    }
  });

  it.each(pagesWith('js'))('of %s run with Node', async (path) => {
    // Beside the sources, so that packages are found as an application of this workspace would find them.
    const cache = join(import.meta.dirname, '.cache');
    await mkdir(cache, { recursive: true });
    const folder = await mkdtemp(join(cache, 'docs-'));
    try {
      for (const { text, line } of tested(path, 'js')) {
        const service = `docs-js-${line}`;
        const file = join(folder, `line-${line}.mjs`);
        await writeFile(file, adapt(text));
        await runProgram(process.execPath, [file], { env: exporterEnvironment(service) });
        const spans = text.includes('opentelemetry') ? await spansOf(service) : ['sends none'];
        expect(spans).not.toEqual([]);
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it.each(pagesWith('python'))(
    'of %s run with Python',
    async (path) => {
      const interpreter = await python();
      for (const { text, line } of tested(path, 'python')) {
        const service = `docs-python-${line}`;
        await runProgram(interpreter, ['-c', adapt(text)], { env: exporterEnvironment(service) });
        expect(await spansOf(service)).not.toEqual([]);
      }
    },
    INSTALL_MS,
  );
});

function exporterEnvironment(service: string): Record<string, string> {
  return {
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${server.ports.otlpHttp}`,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
    OTEL_SERVICE_NAME: service,
  };
}

/** The spans of a service, once there are some. */
function spansOf(service: string): Promise<readonly Row[]> {
  return server.rows(`SELECT name FROM spans WHERE service_name = '${service}'`, 1);
}

describe('reference pages', () => {
  it('list every setting as it is', async () => {
    const written = await runProgram(process.execPath, [CLI, 'config', '--reference']);
    expect(withoutMachine(read('docs/reference/configuration.md')).trim()).toBe(withoutMachine(written).trim());
  });

  it('list every table as it is', async () => {
    const run = runProgram(process.execPath, [join(ROOT, 'scripts/docs-tables.mjs'), '--check']);
    await expect(run).resolves.toBe('');
  });

  it('list every code of the table of errors', () => {
    const rows = rowsOf(read('docs/reference/errors.md')).filter(([code = '']) => Object.hasOwn(ERROR_KINDS, code));
    const listed = rows.map(([code, http, grpc, retry]) => [
      code,
      Number(http),
      Number(grpc?.split(' ')[0]),
      retry === 'yes',
    ]);
    const kinds = Object.entries(ERROR_KINDS);
    expect(listed).toEqual(kinds.map(([code, kind]) => [code, kind.httpStatus, kind.grpcCode, kind.retryable]));
  });

  it('list every metric, and none that is not there', async () => {
    const text = await (await fetch(`${server.url}/metrics`)).text();
    const served = [...text.matchAll(/^# TYPE (\S+)/gm)].map((match) => match[1]);
    const listed = rowsOf(read('docs/reference/metrics.md')).map(([name]) => name);
    expect(new Set(listed)).toEqual(new Set(served));
  });

  it('list routes that the main port has', async () => {
    const routes = rowsOf(read('docs/reference/http-api.md')).filter(([method = '']) => /^[A-Z, ]+$/.test(method));
    expect(routes.length).toBeGreaterThan(10);
    for (const [methods = '', path = ''] of routes) {
      const answer = await fetch(server.url + path, { method: 'PROPFIND' });
      const allowed = answer.headers.get('allow')?.split(', ') ?? [];
      await answer.arrayBuffer();
      expect(allowed, path).toEqual(expect.arrayContaining(methods.split(', ')));
    }
  });
});

/** The default of this setting is the number of processors, so it differs between the machines that write the page. */
function withoutMachine(page: string): string {
  return page.replace(/^(\| `GLASSHOUSE_QUERY_SLOTS` *\|)[^|]*/m, '$1 ');
}

describe('links', () => {
  it.each(PAGES)('of %s lead to files that are there', (path) => {
    const missing = fileLinksOf(read(path)).filter((target) => !existsSync(join(ROOT, dirname(path), target)));
    expect(missing).toEqual([]);
  });
});

it('ARCHITECTURE.md names only files that are there', () => {
  const names = [...read('ARCHITECTURE.md').matchAll(/`((?:packages|scripts|e2e|bench)\/[\w./-]+)`/g)].map(
    (match) => match[1] ?? '',
  );
  expect(names.length).toBeGreaterThan(10);
  expect(names.filter((name) => !existsSync(join(ROOT, name)))).toEqual([]);
});
