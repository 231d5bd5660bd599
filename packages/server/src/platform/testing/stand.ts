/** The control side of the data platform for tests: a real engine, its store, access, and the platform on top. */

import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Engine } from '@glasshouse/engine';
import { startEngine } from '@glasshouse/engine';
import type { DataSource, DataSourceColumn, Pipe } from '@glasshouse/model';
import { AppError } from '@glasshouse/model';
import { DataSources, embeddedTarget, Store, StoreError } from '@glasshouse/store';
import { Access } from '../../control/access.ts';
import { AdminToken } from '../../control/admin-token.ts';
import type { Judges } from '../judges.ts';
import type { PlatformEvent, PlatformOptions } from '../platform.ts';
import { Platform } from '../platform.ts';
import type { WorkspacePrincipal } from '../principal.ts';
import { principalOf } from '../principal.ts';
import { TokenKey } from '../token-key.ts';

export const ADMIN = 'admin-token-of-the-tests';

/** What of the platform a test may set. */
export type Given = Partial<PlatformOptions> & { readonly mode?: 'keys' | 'open' };

export interface Stand {
  readonly dir: string;
  readonly store: Store;
  readonly tables: DataSources;
  readonly access: Access;
  readonly clock: { offsetMs: number };
  /** The store, which can be taken away. */
  readonly link: { up: boolean };
  readonly events: PlatformEvent[];
  /** Texts that the judges were shown. */
  readonly judged: string[];
  /** The store, where `fails` says which rows cannot be written. */
  failing(fails: (table: string) => boolean): PlatformOptions['store'];
  /** Opens another platform on the same store. */
  open(given?: Given): Promise<Platform>;
  close(): Promise<void>;
}

export async function openStand(): Promise<Stand> {
  const dir = mkdtempSync(join(tmpdir(), 'glasshouse-platform-'));
  const engine: Engine = await startEngine({
    dataDir: join(dir, 'engine'),
    backupDir: join(dir, 'backup'),
    maxMemoryBytes: 1 << 30,
  });
  const store = await Store.open({ target: embeddedTarget(engine), retentionDays: undefined });
  const tables = DataSources.connect(embeddedTarget(engine));
  const clock = { offsetMs: 0 };
  const now = (): number => Date.now() + clock.offsetMs;
  const link = { up: true };
  const through = <T>(act: () => Promise<T>): Promise<T> =>
    link.up ? act() : Promise.reject(new StoreError('cannot reach the store', 0, 'UNREACHABLE', undefined));
  const linked = {
    target: store.target,
    rows: <Row>(...parts: Parameters<Store['rows']>) => through(() => store.rows<Row>(...parts)),
    command: (...parts: Parameters<Store['command']>) => through(() => store.command(...parts)),
    insertRows: (...parts: Parameters<Store['insertRows']>) => through(() => store.insertRows(...parts)),
    prepareTenant: (tenant: string) => through(() => store.prepareTenant(tenant)),
  };
  const adminToken = AdminToken.open({ dataDir: dir, given: ADMIN, random: randomBytes });
  const accessOf = (mode: 'keys' | 'open'): Promise<Access> =>
    Access.open({ store: linked, mode, adminToken, now, refreshMs: 3_600_000 });
  const access = await accessOf('keys');
  const events: PlatformEvent[] = [];
  const judged: string[] = [];
  const opened: Platform[] = [];
  const accesses: Access[] = [access];
  return {
    dir,
    store,
    tables,
    access,
    clock,
    link,
    events,
    judged,
    failing: (fails) => ({
      target: store.target,
      rows: (sql, options) => store.rows(sql, options),
      insertRows: (table, rows) => (fails(table) ? Promise.reject(new Error('full')) : store.insertRows(table, rows)),
    }),
    open: async ({ mode, ...given } = {}) => {
      const own = mode === 'open' ? await accessOf(mode) : access;
      accesses.push(own);
      const platform = await Platform.open({
        store: linked,
        tables,
        access: own,
        key: TokenKey.open({ dataDir: dir, random: randomBytes }),
        judges: testJudges(judged),
        hold: () => Promise.resolve(() => undefined),
        now,
        node: 7,
        refreshMs: 3_600_000,
        onEvent: (event) => events.push(event),
        ...given,
      });
      opened.push(platform);
      return platform;
    },
    close: async () => {
      for (const platform of opened) await platform.close();
      for (const each of accesses) each.close();
      await tables.close();
      await store.close();
      await engine.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Judges that refuse one function and every unpaired bracket, and take the words of a filter for its columns. */
export function testJudges(seen: string[] = []): Judges {
  const look = (text: string): void => {
    seen.push(text);
    let depth = 0;
    for (const char of text) {
      if (char === '(') depth++;
      if (char === ')' && --depth < 0) throw new AppError('bad_request', `cannot read ${text}: unpaired bracket`);
    }
    if (depth !== 0) throw new AppError('bad_request', `cannot read ${text}: unpaired bracket`);
    if (/\bfile\s*\(/iu.test(text)) throw new AppError('forbidden', 'cannot use function file');
  };
  return {
    judgeType: look,
    judgeExpression: look,
    judgeSelectList: look,
    judgeFilter: (text) => {
      look(text);
      return [...text.replaceAll(/'(?:[^'\\]|\\.)*'/gu, '').matchAll(/\b[a-z_]\w*\b/gu)].map(([word]) => word);
    },
    judgeDefinition: (_, pipe) => pipe.nodes.forEach(({ sql }) => look(sql)),
  };
}

export function administrator(tenant: string): WorkspacePrincipal {
  return principalOf({ tenant, tokenId: 'admin', name: 'admin', kind: 'admin', scopes: [{ type: 'ADMIN' }] });
}

export function column(name: string, type: string): DataSourceColumn {
  return { name, type };
}

export function dataSource(name: string, values: Partial<DataSource> = {}): DataSource {
  return {
    kind: 'datasource',
    name,
    columns: [column('k', 'String'), column('n', 'UInt64')],
    engine: { name: 'MergeTree', sortingKey: 'k' },
    indexes: [],
    tokens: [],
    tags: [],
    sharedWith: [],
    ...values,
  };
}

export function pipe(name: string, sql: string, values: Partial<Pipe> = {}): Pipe {
  const node = { name: 'node_0', sql, type: 'endpoint' as const, settings: {} };
  return { kind: 'pipe', name, nodes: [node], tokens: [], tags: [], ...values };
}

/** What a promise, or a call, fails with. */
export async function failure(act: () => unknown): Promise<AppError> {
  try {
    await act();
  } catch (error) {
    return error as AppError;
  }
  throw new Error('it did not fail');
}
