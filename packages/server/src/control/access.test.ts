/** Who is let in, with a real store, and with one that is away. */

import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Engine } from '@glasshouse/engine';
import { startEngine } from '@glasshouse/engine';
import type { AppError, Placement } from '@glasshouse/model';
import { embeddedTarget, Store, StoreError } from '@glasshouse/store';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { AccessOptions } from './access.ts';
import { Access } from './access.ts';
import { AdminToken } from './admin-token.ts';

const ACME: Placement = { tenant: 'acme', project: 'p', environment: 'e' };
const ADMIN = 'the-admin-token-of-this-test';

let dir: string;
let engine: Engine;
let store: Store;
let clockMs: number;
const opened: Access[] = [];

/** The store, which can be taken away. */
const link = { up: true };

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'glasshouse-access-'));
  engine = await startEngine({ dataDir: join(dir, 'engine'), backupDir: join(dir, 'backup'), maxMemoryBytes: 1 << 30 });
  store = await Store.open({ target: embeddedTarget(engine), retentionDays: undefined });
});

afterAll(async () => {
  await store.close();
  await engine.stop();
  rmSync(dir, { recursive: true, force: true });
});

beforeEach(() => {
  clockMs = Date.now();
  link.up = true;
});

afterEach(() => {
  for (const access of opened.splice(0)) access.close();
});

describe('without a credential', () => {
  it('a request is the default tenant’s while access is open', async () => {
    const access = await open({ mode: 'open' });
    expect(await access.resolve(undefined, 'ingest')).toEqual({
      placement: { tenant: 'default', project: 'default', environment: 'dev' },
      scopes: ['ingest', 'query'],
      keyId: 'open',
    });
    expect(await failure(() => access.resolve(undefined, 'admin'))).toMatchObject({ code: 'forbidden' });
  });

  it('a request is refused where keys are needed', async () => {
    const access = await open({ mode: 'keys' });
    expect(await failure(() => access.resolve(undefined, 'ingest'))).toMatchObject({ code: 'unauthenticated' });
  });
});

describe('a key', () => {
  it('is let in as its tenant, with its scopes and no others', async () => {
    const access = await open();
    const { key, apiKey } = await access.keys.create({
      name: 'k',
      placement: ACME,
      scopes: ['ingest'],
      expiresAt: undefined,
    });
    expect(key).toMatch(/^gh_[a-z0-9]{12}_[A-Za-z0-9_-]{43}$/u);
    expect(access.resolve(key, 'ingest')).toEqual({ placement: ACME, scopes: ['ingest'], keyId: apiKey.id });
    expect(await failure(() => access.resolve(key, 'query'))).toMatchObject({ code: 'forbidden' });
    expect(await failure(() => access.resolve(key, 'admin'))).toMatchObject({ code: 'forbidden' });
  });

  it.each([
    ['with another secret', (key: string) => key.slice(0, -3) + (key.endsWith('AAA') ? 'BBB' : 'AAA')],
    ['with another id', (key: string) => `gh_zzzzzzzzzzzz${key.slice(15)}`],
    ['cut short', (key: string) => key.slice(0, -1)],
    ['with something after it', (key: string) => `${key} `],
    ['that is its id only', (key: string) => key.slice(0, 16)],
    ['that is empty', () => ''],
  ])('%s is refused, in open mode too', async (_, change) => {
    const access = await open({ mode: 'open' });
    const { key } = await access.keys.create({ name: 'k', placement: ACME, scopes: ['query'], expiresAt: undefined });
    expect(await failure(() => access.resolve(change(key), 'query'))).toMatchObject({ code: 'unauthenticated' });
  });

  it('fails from the moment it is revoked', async () => {
    const access = await open();
    const { key, apiKey } = await access.keys.create({
      name: 'k',
      placement: ACME,
      scopes: ['query'],
      expiresAt: undefined,
    });
    await access.keys.revoke(apiKey.id);
    const error = await failure(() => access.resolve(key, 'query'));
    expect(error).toMatchObject({ code: 'unauthenticated', message: expect.stringContaining('revoked') as unknown });
    expect(error.message).not.toContain(key.slice(16));
    await access.refresh();
    expect(await failure(() => access.resolve(key, 'query'))).toMatchObject({ code: 'unauthenticated' });
  });

  it('fails after its time', async () => {
    const access = await open();
    const expiresAt = new Date(clockMs + 1000);
    const { key } = await access.keys.create({ name: 'k', placement: ACME, scopes: ['query'], expiresAt });
    expect(await access.resolve(key, 'query')).toMatchObject({ placement: ACME });
    clockMs += 1000;
    expect(await failure(() => access.resolve(key, 'query'))).toMatchObject({
      message: expect.stringContaining('expired') as unknown,
    });
  });

  it('that another server made is known here without waiting, and one that it revoked soon', async () => {
    const [one, two] = [await open(), await open()];
    const { key, apiKey } = await one.keys.create({
      name: 'k',
      placement: ACME,
      scopes: ['query'],
      expiresAt: undefined,
    });
    clockMs += 1000;
    expect(await two.resolve(key, 'query')).toMatchObject({ keyId: apiKey.id });
    clockMs += 1000;
    await one.keys.revoke(apiKey.id);
    await two.refresh();
    expect(await failure(() => two.resolve(key, 'query'))).toMatchObject({
      message: expect.stringContaining('revoked') as unknown,
    });
  });

  it('is stored as a hash only', async () => {
    const access = await open();
    const { key, apiKey } = await access.keys.create({
      name: 'k',
      placement: ACME,
      scopes: ['query'],
      expiresAt: undefined,
    });
    const rows = await store.rows(`SELECT *, hex(hash) AS hash FROM glasshouse.api_keys WHERE id = '${apiKey.id}'`);
    expect(rows).toHaveLength(1);
    expect(JSON.stringify(rows)).not.toContain(key.slice(16));
    expect(JSON.stringify(access.keys.list())).not.toContain('hash');
  });

  it.each([
    ['a bad tenant', { placement: { ...ACME, tenant: 'A b' } }],
    ['a bad environment', { placement: { ...ACME, environment: '../x' } }],
    ['no scope', { scopes: [] }],
    ['a long name', { name: 'x'.repeat(201) }],
  ])('with %s is not made', async (_, values) => {
    const access = await open();
    const wanted = { name: 'k', placement: ACME, scopes: ['query' as const], expiresAt: undefined, ...values };
    expect(await failure(() => access.keys.create(wanted))).toMatchObject({ code: 'bad_request' });
  });
});

describe('while the store is away', () => {
  it('known keys go on working, and unknown ones are told to try again', async () => {
    const states: boolean[] = [];
    const access = await open({ onStore: (up) => states.push(up) });
    const { key } = await access.keys.create({ name: 'k', placement: ACME, scopes: ['ingest'], expiresAt: undefined });
    link.up = false;
    clockMs += 1000;
    expect(await failure(() => access.refresh())).toMatchObject({ code: 'unavailable' });
    expect(await failure(() => access.refresh())).toMatchObject({ code: 'unavailable' });
    expect(await access.resolve(key, 'ingest')).toMatchObject({ placement: ACME });
    const unknown = await failure(() => access.resolve(`gh_aaaaaaaaaaaa_${'x'.repeat(43)}`, 'ingest'));
    expect(unknown).toMatchObject({ code: 'unavailable', retryAfterSeconds: 5 });
    expect(await failure(() => access.resolve('nonsense', 'ingest'))).toMatchObject({ code: 'unauthenticated' });
    link.up = true;
    await access.refresh();
    expect(states).toEqual([false, true]);
  });

  it('a start knows the keys of the last time, and the admin token', async () => {
    const snapshotPath = join(dir, 'keys.json');
    const before = await open({ snapshotPath });
    const { key } = await before.keys.create({
      name: 'k',
      placement: ACME,
      scopes: ['ingest'],
      expiresAt: new Date(clockMs + 9_000),
    });
    await before.refresh();
    expect(statSync(snapshotPath).mode & 0o777).toBe(0o600);
    expect(readFileSync(snapshotPath, 'utf8')).not.toContain(key.slice(16));
    link.up = false;
    const after = await open({ snapshotPath });
    expect(await after.resolve(key, 'ingest')).toMatchObject({ placement: ACME });
    expect(await after.resolve(ADMIN, 'admin')).toMatchObject({ keyId: 'admin-token' });
    clockMs += 9_000;
    expect(await failure(() => after.resolve(key, 'ingest'))).toMatchObject({ code: 'unauthenticated' });
  });

  it('a copy of the keys that cannot be read is no copy', async () => {
    const snapshotPath = join(dir, 'broken.json');
    writeFileSync(snapshotPath, '{"a":');
    link.up = false;
    const access = await open({ snapshotPath });
    expect(access.keys.list()).toEqual([]);
  });
});

describe('tenants', () => {
  it('begin with default, and each has its database', async () => {
    const access = await open();
    await access.tenants.ensure('acme-corp');
    expect(access.tenants.list().map((tenant) => tenant.name)).toEqual(
      expect.arrayContaining(['acme-corp', 'default']),
    );
    const databases = await store.rows("SELECT name FROM system.databases WHERE name LIKE 'tenant\\_%' ORDER BY name");
    expect(databases).toEqual(expect.arrayContaining([{ name: 'tenant__acme__corp' }, { name: 'tenant_default' }]));
    expect((await open()).tenants.has('acme-corp')).toBe(true);
  });
});

describe('the admin token', () => {
  it('is made once, in a file for its owner only', () => {
    const dataDir = join(dir, 'token');
    const made = AdminToken.open({ dataDir, given: undefined, random: randomBytes });
    const path = join(dataDir, 'admin-token');
    const token = readFileSync(path, 'utf8').trim();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(made.matches(token)).toBe(true);
    expect(made.matches(`${token}x`)).toBe(false);
    expect(AdminToken.open({ dataDir, given: undefined, random: randomBytes }).matches(token)).toBe(true);
    expect(JSON.stringify(made)).not.toContain(token);
  });

  it('given by the configuration is not written anywhere', () => {
    const dataDir = join(dir, 'given');
    const given = AdminToken.open({ dataDir, given: ADMIN, random: randomBytes });
    expect([given.matches(ADMIN), given.path]).toEqual([true, undefined]);
    expect(() => statSync(dataDir)).toThrow('ENOENT');
  });

  it('that is short is refused', () => {
    expect(() => AdminToken.open({ dataDir: dir, given: 'short', random: randomBytes })).toThrow('shorter than 16');
  });
});

async function open(options: Partial<AccessOptions> = {}): Promise<Access> {
  const access = await Access.open({
    store: linked(),
    mode: 'keys',
    adminToken: AdminToken.open({ dataDir: dir, given: ADMIN, random: randomBytes }),
    now: () => clockMs,
    refreshMs: 3_600_000,
    ...options,
  });
  opened.push(access);
  return access;
}

/** The real store behind a link that can be cut. */
function linked(): AccessOptions['store'] {
  const through = <T>(act: () => Promise<T>): Promise<T> =>
    link.up ? act() : Promise.reject(new StoreError('cannot reach the store', 0, 'UNREACHABLE', undefined));
  return {
    target: store.target,
    rows: (sql, options) => through(() => store.rows(sql, options)),
    command: (sql, options) => through(() => store.command(sql, options)),
    prepareTenant: (tenant) => through(() => store.prepareTenant(tenant)),
  };
}

async function failure(act: () => unknown): Promise<AppError> {
  try {
    await act();
  } catch (error) {
    return error as AppError;
  }
  throw new Error('it did not fail');
}
