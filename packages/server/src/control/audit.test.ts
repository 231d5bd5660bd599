/** The audit log on a real store, and on one that is away, that is slow to answer, or whose server ended in between. */

import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Engine } from '@glasshouse/engine';
import { startEngine } from '@glasshouse/engine';
import { embeddedTarget, Store, StoreError } from '@glasshouse/store';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { AuditOptions, Intent } from './audit.ts';
import { Audit } from './audit.ts';
import { masked } from './audit-entry.ts';

let dir: string;
let engine: Engine;
let store: Store;
let directory: string;
let count = 0;

/** The store, which can be taken away, before or after it did what it was asked. */
const link: { lost: 'after' | 'before' | undefined } = { lost: undefined };

const AWAY = new StoreError('cannot reach the store', 0, 'UNREACHABLE', undefined);

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'glasshouse-audit-'));
  engine = await startEngine({ dataDir: join(dir, 'engine'), backupDir: join(dir, 'backup'), maxMemoryBytes: 1 << 30 });
  store = await Store.open({ target: embeddedTarget(engine), retentionDays: undefined });
});

afterAll(async () => {
  await store.close();
  await engine.stop();
  rmSync(dir, { recursive: true, force: true });
});

beforeEach(() => {
  link.lost = undefined;
  directory = join(dir, `audit-${count++}`);
});

describe('an act', () => {
  it('is one row with what changed in it, and rows of what changed besides', async () => {
    const audit = await open();
    const act = await audit.begin(intent({ action: 'key.create', tenant: 'one' }));
    await audit.within(act, async () => {
      await Promise.resolve();
      audit.changed({ action: 'tenant.create', tenant: 'one', target: 'one', before: null, after: { name: 'one' } });
      audit.changed({
        ...{ action: 'key.create', tenant: 'one', project: 'p', environment: 'e', target: 'k1' },
        ...{ before: null, after: { id: 'k1' } },
      });
    });
    await audit.settle(act, 'ok');
    const rows = await audit.read({ tenant: 'one', limit: 10 });
    expect(rows.map(({ action, target }) => [action, target]).toSorted()).toEqual([
      ['key.create', 'k1'],
      ['tenant.create', 'one'],
    ]);
    expect(rows.find(({ action }) => action === 'key.create')).toMatchObject({
      ...{ actor: 'k0', actor_name: 'laptop', actor_kind: 'key', actor_tenant: 'default', outcome: 'ok', message: '' },
      ...{ project_id: 'p', environment: 'e', before: '', after: '{"id":"k1"}' },
      ...{ remote_address: '127.0.0.1', user_agent: 'test', request_id: rows[1]?.request_id },
    });
    await audit.close();
    expect(readdirSync(directory)).toEqual([]);
  });

  it('that was refused says why', async () => {
    const audit = await open();
    const act = await audit.begin(intent({ tenant: 'two' }));
    await audit.settle(act, 'refused', 'cannot do it');
    expect(await audit.read({ tenant: 'two', limit: 10 })).toMatchObject([
      { outcome: 'refused', message: 'cannot do it' },
    ]);
    await audit.close();
  });

  it('that is over has what changes after it in rows of their own, of the same actor', async () => {
    const audit = await open();
    const act = await audit.begin(intent({ tenant: 'three' }));
    await audit.settle(act, 'ok');
    audit.within(act, () =>
      audit.changed({ action: 'pipe.change', tenant: 'three', target: 'p', before: null, after: null }),
    );
    const rows = await audit.read({ tenant: 'three', action: 'pipe', limit: 10 });
    expect(rows).toMatchObject([{ action: 'pipe.change', actor: 'k0', target: 'p' }]);
    await audit.close();
  });

  it('of nobody is the server’s own', async () => {
    const audit = await open();
    await audit.record({ action: 'quota.warn', tenant: 'four', target: 'x', before: null, after: null });
    expect(await audit.read({ tenant: 'four', limit: 1 })).toMatchObject([{ actor: 'system', actor_kind: 'system' }]);
    await audit.close();
  });
});

describe('requests of unknown senders', () => {
  it('have rows, but not more than some in a minute', async () => {
    let now = Date.now();
    const audit = await open({ now: () => now });
    for (let n = 0; n < 100; n++) audit.refuse(audit.attempt(intent({ tenant: '', target: 'flood' })), 'no');
    now += 60_000;
    audit.refuse(audit.attempt(intent({ tenant: '', target: 'later' })), 'no');
    const rows = await audit.read({ tenant: '', limit: 1000 });
    expect(rows.filter(({ target }) => target === 'flood')).toHaveLength(60);
    expect(rows.filter(({ target }) => target === 'later')).toHaveLength(1);
    expect(rows.find(({ after }) => after === '{"refused":40}')).toBeDefined();
    await audit.close();
  });
});

describe('while the store is away', () => {
  it('acts go on, and are there once it is back', async () => {
    const audit = await open();
    link.lost = 'before';
    for (let n = 0; n < 5; n++)
      await audit.settle(await audit.begin(intent({ tenant: 'five', target: String(n) })), 'ok');
    await expect(audit.flush()).rejects.toThrow('cannot reach the store');
    link.lost = undefined;
    const rows = await audit.read({ tenant: 'five', limit: 10 });
    expect(rows.map(({ target }) => target)).toEqual(['4', '3', '2', '1', '0']);
    await audit.close();
  });

  it('a server that ends keeps them, and what it had begun, for the next start', async () => {
    const first = await open();
    link.lost = 'before';
    await first.settle(await first.begin(intent({ tenant: 'six', target: 'done' })), 'ok');
    const half = await first.begin(intent({ tenant: 'six', target: 'half' }));
    // As a crash leaves it: files may have been completed, and what is under way is carried on.
    await first.flush().catch(() => undefined);
    await first.settle(await first.begin(intent({ tenant: 'six', target: 'later' })), 'ok');
    await first.close();
    link.lost = undefined;
    const second = await open();
    const rows = await second.read({ tenant: 'six', limit: 10 });
    expect(rows.map(({ target, outcome }) => [target, outcome]).toSorted()).toEqual([
      ['done', 'ok'],
      ['half', 'error'],
      ['later', 'ok'],
    ]);
    expect(rows.find(({ id }) => id === half.id)?.message).toBe('the server ended before it was known what came of it');
    await second.close();
    expect(readdirSync(directory)).toEqual([]);
  });

  it('has a row of what a sender had begun who became known on the way, and of what was refused then', async () => {
    const first = await open();
    const someone = { id: 'a@example.com', name: 'a@example.com', kind: 'user', tenant: 'guests' } as const;
    const nobody = { id: 'unknown', name: '', kind: 'unknown', tenant: '' } as const;
    const begun = first.attempt(intent({ actor: nobody, tenant: '', target: 'begun' }));
    await first.within(begun, () => first.announce(someone));
    const refused = first.attempt(intent({ actor: nobody, tenant: '', target: 'refused' }));
    await first.within(refused, () => first.announce(someone));
    first.refuse(refused, 'cannot do it');
    // Who is known already stays who it is.
    const known = await first.begin(intent({ tenant: 'guests', target: 'known' }));
    await first.within(known, () => first.announce(someone));
    await first.settle(known, 'ok');
    link.lost = 'before';
    await first.close();
    link.lost = undefined;
    const second = await open();
    const rows = await second.read({ tenant: 'guests', limit: 10 });
    expect(rows.map(({ target, actor, outcome }) => [target, actor, outcome]).toSorted()).toEqual([
      ['begun', 'a@example.com', 'error'],
      ['known', 'k0', 'ok'],
      ['refused', 'a@example.com', 'refused'],
    ]);
    await second.close();
  });

  it('too much that waits refuses what would come', async () => {
    const audit = await open({ maxBytes: 2_000 });
    link.lost = 'before';
    const begin = async (): Promise<void> => {
      for (let n = 0; n < 10; n++) await audit.settle(await audit.begin(intent({ tenant: 'seven' })), 'ok');
    };
    await expect(begin()).rejects.toMatchObject({ code: 'unavailable' });
    link.lost = undefined;
    await audit.flush();
    await audit.settle(await audit.begin(intent({ tenant: 'seven' })), 'ok');
    await audit.close();
  });
});

it('a row whose insert was done although its answer was lost is there once', async () => {
  const audit = await open();
  link.lost = 'after';
  await audit.settle(await audit.begin(intent({ tenant: 'eight' })), 'ok');
  await expect(audit.flush()).rejects.toThrow('cannot reach the store');
  link.lost = undefined;
  expect(await audit.read({ tenant: 'eight', limit: 10 })).toHaveLength(1);
  expect(await store.rows("SELECT id FROM glasshouse.audit_log WHERE tenant_id = 'eight'")).toHaveLength(1);
  await audit.close();
});

it('an intent that is written again after its row changes nothing of it', async () => {
  const first = await open();
  const act = await first.begin(intent({ tenant: 'nine' }));
  await first.settle(act, 'ok');
  await first.flush();
  await first.close();
  // What a crash between the row and the end of the act leaves: the row is in the table, the intent was carried on.
  const second = await open();
  const again = await second.begin({ ...intent({ tenant: 'nine' }) });
  await second.close();
  const third = await open();
  const rows = await third.read({ tenant: 'nine', limit: 10 });
  expect(rows.map(({ id, outcome }) => [id, outcome])).toEqual([
    [again.id, 'error'],
    [act.id, 'ok'],
  ]);
  await third.close();
});

describe('secrets', () => {
  it.each([
    'p.eyJ1IjogIjAwMDAifQ.AbCdEf-_0123456789',
    'gh_abcdefghjkmn_0123456789012345678901234567890123456789012',
    'gha_0123456789012345678901234567890123456789012',
    'eyJhbGciOiJIUzI1NiJ9.eyJ0ZW5hbnRJZCI6ImEifQ.c2lnbmF0dXJl',
  ])('such as %s are masked wherever they stand', async (secret) => {
    expect(masked(`a ${secret} b`)).not.toContain(secret.slice(6, 20));
    const audit = await open();
    const act = await audit.begin(intent({ tenant: 'ten', target: secret }));
    await audit.settle(act, 'refused', `cannot find token=${secret}`);
    await audit.record({
      action: 'token.change',
      tenant: 'ten',
      target: 't',
      before: { secret },
      after: { [secret]: 1 },
    });
    const text = JSON.stringify(await audit.read({ tenant: 'ten', limit: 100 }));
    expect(text).not.toContain(secret.slice(6, 20));
    await audit.close();
  });
});

it('the time that rows are kept is that of the configuration', async () => {
  const ddl = async (): Promise<string> =>
    (
      await store.rows<{ ddl: string }>(
        "SELECT create_table_query AS ddl FROM system.tables WHERE database = 'glasshouse' AND name = 'audit_log'",
      )
    )[0]?.ddl ?? '';
  expect(await ddl()).toContain('toIntervalDay(400)');
  const other = await Store.open({ target: embeddedTarget(engine), retentionDays: undefined, auditDays: 30 });
  expect(await ddl()).toContain('toIntervalDay(30)');
  await other.close();
});

function intent(values: Partial<Intent>): Intent {
  return {
    actor: { id: 'k0', name: 'laptop', kind: 'key', tenant: 'default' },
    action: 'token.change',
    tenant: 'default',
    target: 't',
    origin: { remoteAddress: '127.0.0.1', userAgent: 'test', requestId: 'r' },
    ...values,
  };
}

function open(options: Partial<AuditOptions> = {}): Promise<Audit> {
  return Audit.open({ store: linked(), directory, now: Date.now, ...options });
}

function linked(): AuditOptions['store'] {
  const through = async <T>(act: () => Promise<T>): Promise<T> => {
    if (link.lost === 'before') throw AWAY;
    const result = await act();
    return result;
  };
  return {
    target: store.target,
    rows: (sql, options) => through(() => store.rows(sql, options)),
    insertRows: async (table, rows) => {
      await through(() => store.insertRows(table, rows));
      if (link.lost === 'after') throw AWAY;
    },
  };
}
