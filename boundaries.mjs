/**
 * Who may import whom: the one table of the rooms. `scripts/lint-config.mjs` turns it into the lint configuration.
 *
 * A room is a package (`store`) or a part of the server (`server/wal`, `server/config.ts`). It may import itself and what
 * its row lists, and nothing else. Rows further down are narrower and replace the rows above them for the files they match.
 *
 * Must stay true: the graph has no cycle, and every folder of `packages` and of `packages/server/src` has a row.
 */

const EVERY_PACKAGE = [
  'model',
  'schema',
  'native',
  'language',
  'pricing',
  'generations',
  'redaction',
  'engine',
  'store',
];

const SERVER_ROOMS = [
  'server/config.ts',
  'server/setting.ts',
  'server/otlp',
  'server/generations',
  'server/pipeline',
  'server/wal',
  'server/mirror',
  'server/receivers',
  'server/control',
  'server/query',
  'server/platform',
  'server/api',
  'server/http',
  'server/telemetry',
];

/**
 * Room → the rooms that it may import. `/` separates the package from the part of it; `*` stands for part of a file's name.
 * @type {Record<string, readonly string[]>}
 */
export const ROOMS = {
  model: [],
  schema: ['generations'],
  native: ['model', 'schema'],
  language: ['model'],
  pricing: ['model'],
  generations: ['model'],
  redaction: ['model'],
  engine: ['model'],
  store: ['model', 'schema', 'engine'],
  server: EVERY_PACKAGE,
  cli: ['model', 'language', 'pricing', 'server'],

  // The composition root sees everything, so that nobody else has to.
  'server/index.ts': [...EVERY_PACKAGE, 'server/app.ts', ...SERVER_ROOMS],
  'server/main.ts': [...EVERY_PACKAGE, 'server/app.ts', ...SERVER_ROOMS],
  'server/app.ts': [
    ...EVERY_PACKAGE,
    'server/storage.ts',
    'server/write-path.ts',
    'server/serve.ts',
    'server/workspaces.ts',
    'server/prices.ts',
    'server/roll-out.ts',
    ...SERVER_ROOMS,
  ],
  'server/storage.ts': ['model', 'engine', 'store', 'server/config.ts', 'server/events.ts'],
  'server/write-path.ts': [
    'model',
    'schema',
    'engine',
    'store',
    'server/config.ts',
    'server/control',
    'server/pipeline',
    'server/wal',
    'server/node-number.ts',
    'server/events.ts',
  ],
  'server/serve.ts': [
    ...EVERY_PACKAGE,
    'server/workspaces.ts',
    'server/prices.ts',
    'server/roll-out.ts',
    ...SERVER_ROOMS,
  ],
  'server/roll-out.ts': [...EVERY_PACKAGE, 'server/workspaces.ts', 'server/events.ts', ...SERVER_ROOMS],
  'server/prices.ts': [...EVERY_PACKAGE, 'server/node-number.ts', ...SERVER_ROOMS],
  'server/workspaces.ts': [...EVERY_PACKAGE, 'server/node-number.ts', 'server/events.ts', ...SERVER_ROOMS],
  'server/node-number.ts': [],
  'server/events.ts': ['engine', 'server/wal', 'server/platform', 'server/mirror'],
  'server/config.ts': ['model', 'server/setting.ts'],
  'server/setting.ts': ['model'],

  // The write path.
  'server/otlp': ['model', 'schema', 'native'],
  'server/generations': ['model', 'schema', 'native', 'generations', 'pricing', 'server/otlp'],
  'server/wal': ['model', 'schema', 'native'],
  'server/wal/drain*.ts': ['model', 'schema', 'native', 'store'],
  'server/wal/hand-over*.ts': ['model', 'store'],
  'server/pipeline': ['model', 'schema', 'native', 'redaction', 'server/generations', 'server/otlp', 'server/wal'],
  'server/mirror': ['model', 'native', 'store', 'server/pipeline', 'server/wal', 'server/platform'],
  'server/receivers': ['model', 'server/pipeline', 'server/otlp', 'server/http', 'server/control', 'server/platform'],

  // The read path.
  'server/query': ['model', 'store', 'language', 'server/control'],
  'server/api': [
    'model',
    'redaction',
    'pricing',
    'server/query',
    'server/control',
    'server/platform',
    'server/mirror',
    'server/http',
  ],

  // Beside both.
  'server/control': ['model', 'store', 'redaction', 'pricing', 'generations', 'server/generations', 'server/http'],
  'server/platform': ['model', 'schema', 'store', 'language', 'server/control', 'server/query', 'server/http'],
  'server/http': ['model'],
  'server/telemetry': ['model', 'server/http'],
};

/**
 * What a test may import besides what its room may: there are no mocks of the database, so any room may start the real
 * engine. Tests of the server may also cross its rooms, because they put parts together.
 */
export const TESTS_MAY = ['engine'];

/**
 * Packages from the registry that belong to one room; `tests` says whether tests elsewhere may use them.
 * @type {Record<string, { room: string; tests: boolean; why: string }>}
 */
export const EXTERNAL = {
  chdb: { room: 'engine', tests: false, why: 'the engine runs in its own process, so that its crash is not ours' },
  '@clickhouse/client': {
    room: 'store',
    tests: true,
    why: 'one client, so that limits, cancelling and errors are handled in one place',
  },
  '@pydantic/genai-prices': {
    room: 'pricing',
    tests: false,
    why: 'its prices become rows of our table once; its arithmetic is not exact',
  },
};

/** Files that may read `process.env`: configuration is read once, at the start, and passed on. */
export const ENVIRONMENT = [
  'packages/server/src/config.ts',
  'packages/cli/**',
  // It builds the environment of the child process.
  'packages/engine/src/supervisor.ts',
];

/** Files that may write to `console`: everything else logs through the logger that it was given. */
export const CONSOLE = ['packages/cli/**'];
