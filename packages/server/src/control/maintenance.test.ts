/** Backup, restore and reset of a running server with workspaces, on a real engine and under load. */

import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { administrator, column, dataSource, pipe } from '../platform/testing/stand.ts';
import type { Stand } from './testing/stand.ts';
import { openStand, TENANT } from './testing/stand.ts';

const PARTITIONED = { name: 'MergeTree', sortingKey: 'n', partitionKey: 'n % 4' };
const numbers = (name: string, engine = PARTITIONED) =>
  dataSource(name, { columns: [{ ...column('n', 'UInt64'), jsonPath: '$.n' }], engine });
const sums = (name: string) =>
  dataSource(name, {
    columns: [column('part', 'UInt8'), column('count', 'UInt64'), column('total', 'UInt64')],
    engine: { name: 'SummingMergeTree', sortingKey: 'part', partitionKey: 'part' },
  });
const toSums = (name: string, from: string, to: string) =>
  pipe(name, '', {
    nodes: [
      {
        name: 'made',
        sql: `SELECT toUInt8(n % 2) AS part, count() AS count, sum(n) AS total FROM ${from} GROUP BY part`,
        type: 'materialized',
        settings: { DATASOURCE: to },
      },
    ],
  });
const quietly = (): void => undefined;
const by = administrator(TENANT);

/** Sends numbers, each once, until it is told to stop; knows which were acknowledged. */
class Load {
  readonly acked: number[] = [];
  private next = 1;
  private stopped = false;
  private readonly running: Promise<void>;
  private readonly stand: Stand;
  private readonly name: string;

  constructor(stand: Stand, name: string) {
    this.stand = stand;
    this.name = name;
    this.running = this.run();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.running;
  }

  /** Resolves when so many more were acknowledged. */
  async more(count: number): Promise<void> {
    const goal = this.acked.length + count;
    await expect.poll(() => this.acked.length, { timeout: 30_000, interval: 10 }).toBeGreaterThanOrEqual(goal);
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      const ns = Array.from({ length: 20 }, () => this.next++);
      // One in twenty does not fit.
      await this.stand.send(
        this.name,
        ns.map((n) => (n % 20 === 0 ? { n: `no ${n}` } : { n })),
      );
      await this.stand.sendSpans(ns.map((n) => `${this.name} ${n}`));
      this.acked.push(...ns);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

/** What is stored of a load: each number with how often it is there. */
async function stored(
  stand: Stand,
  name: string,
): Promise<{ events: Map<number, number>; spans: Map<number, number> }> {
  const events = await stand.ask(
    `SELECT n, toUInt32(count()) FROM (SELECT toUInt32(n) AS n FROM ${name}
     UNION ALL SELECT toUInt32(substring(n, 4)) AS n FROM (SELECT JSONExtractString(c__line, 'n') AS n FROM ${name}_quarantine)) GROUP BY n`,
  );
  const spans = await stand.ask(
    `SELECT toUInt32(extract(name, '^${name} (.*)$')) AS n, toUInt32(count()) FROM glasshouse.spans WHERE startsWith(name, '${name} ') GROUP BY n`,
  );
  return { events: new Map(events as [number, number][]), spans: new Map(spans as [number, number][]) };
}

/** By how much what is made of the numbers differs from them. */
async function astray(stand: Stand, name: string, target: string): Promise<unknown[]> {
  const [is] = await stand.ask(`SELECT toUInt32(sum(count)), toUInt64(sum(total)) FROM ${target}`);
  const [ought] = await stand.ask(`SELECT toUInt32(count()), toUInt64(sum(n)) FROM ${name}`);
  return [is, ought];
}

async function backUp(stand: Stand): Promise<string> {
  return (await stand.maintenance.backup(undefined, quietly)).path;
}

describe('backup and restore', () => {
  let stand: Stand;
  beforeAll(async () => {
    stand = await openStand();
  });
  afterAll(() => stand.close());

  test('bring back what was acknowledged, exactly, while more comes in', async () => {
    const { registry } = stand.platform;
    await registry.createDataSource(TENANT, numbers('load'));
    await registry.createDataSource(TENANT, sums('made'));
    await registry.putPipe(TENANT, toSums('making', 'load', 'made'));
    const load = new Load(stand, 'load');
    await load.more(400);
    const before = [...load.acked];
    const path = await backUp(stand);
    await load.more(400);
    const between = [...load.acked];
    await stand.maintenance.restore(path, quietly);
    const restored = new Set(load.acked);
    await load.more(400);
    await load.stop();
    await stand.flush();
    const { events, spans } = await stored(stand, 'load');
    for (const there of [events, spans]) {
      expect([...there.values()].every((times) => times === 1)).toBe(true);
      expect(before.filter((n) => !there.has(n))).toEqual([]);
      expect(load.acked.filter((n) => !restored.has(n) && !there.has(n))).toEqual([]);
    }
    // What came between the backup and the restore is gone but for what the backup took of it.
    const gone = between.filter((n) => !events.has(n));
    expect(gone.length).toBeGreaterThan(0);
    const [is, ought] = await astray(stand, 'load', 'made');
    expect(is).toEqual(ought);
    expect(stand.drainEvents.filter(({ type }) => type !== 'replayed')).toEqual([]);
    const replaced = await stand.ask("SELECT name FROM system.tables WHERE database = 'glasshouse_replaced'");
    expect(replaced.length).toBeGreaterThan(10);
  }, 120_000);

  test('bring back tokens, keys and jobs, and end what was made since', async () => {
    const { tokens, credentials, jobs } = stand.platform;
    const scopes = [{ type: 'DATASOURCES:READ' as const, resource: 'traces' }];
    const kept = await tokens.create(by, { name: 'kept', scopes });
    const removed = await tokens.create(by, { name: 'removed', scopes });
    const placement = { tenant: TENANT, project: 'p', environment: 'e' };
    const wanted = { name: 'k', placement, scopes: ['query' as const], expiresAt: undefined };
    const key = await stand.access.keys.create(wanted);
    const job = await jobs.start(TENANT, 'import', { a: 1 }, () => Promise.resolve({ rows: 7 }));
    await jobs.ended(TENANT, job.id);
    const path = await backUp(stand);
    await tokens.remove(by, removed.id);
    const refreshed = await tokens.refreshSecret(by, kept.id);
    const fresh = await tokens.create(by, { name: 'fresh', scopes });
    const late = await stand.access.keys.create(wanted);
    await stand.access.keys.revoke(key.apiKey.id);
    const result = await stand.maintenance.restore(path, quietly);
    expect(result).toMatchObject({ tokens: 'as in the backup', replaced: 'glasshouse_replaced' });
    const traces = stand.platform.catalog.dataSource(TENANT, 'traces');
    for (const token of [kept.token, removed.token])
      expect((await credentials.resolve(token, undefined)).may('DATASOURCES:READ', traces)).toBe(true);
    for (const token of [refreshed.token, fresh.token])
      await expect(async () => credentials.resolve(token, undefined)).rejects.toMatchObject({
        code: 'unauthenticated',
      });
    expect(await stand.access.resolve(key.key, 'query')).toMatchObject({ keyId: key.apiKey.id });
    await expect(async () => stand.access.resolve(late.key, 'query')).rejects.toMatchObject({
      code: 'unauthenticated',
    });
    expect(await jobs.get(TENANT, job.id)).toMatchObject({ status: 'done', result: { rows: 7 } });
    // The copies for a start without the store say the same.
    const copies = ['workspaces.json', 'keys.json'].map((name) => readFileSync(join(stand.dir, name), 'utf8')).join();
    expect([copies.includes(fresh.id), copies.includes(late.apiKey.id)]).toEqual([false, false]);
  });

  test('bring back names and schemas; events of a data source that is gone are dropped and counted', async () => {
    const { registry, catalog } = stand.platform;
    const first = await registry.createDataSource(TENANT, numbers('first'));
    await registry.createDataSource(TENANT, numbers('second'));
    await stand.send('first', [{ n: 1 }]);
    await stand.send('second', [{ n: 2 }, { n: 'bad' }]);
    const path = await backUp(stand);
    await registry.renameDataSource(TENANT, 'first', 'renamed');
    await registry.dropDataSource(TENANT, 'second');
    await registry.createDataSource(TENANT, numbers('fresh'));
    const wider = numbers('renamed', { ...PARTITIONED, partitionKey: 'n % 2' });
    await registry.alterDataSource(TENANT, 'renamed', wider);
    const fresh = registry.dataSource(TENANT, 'fresh');
    // Held, so that it is in the log at the moment of the exchange.
    const released = Promise.withResolvers<void>();
    stand.trip.before = () => released.promise;
    await stand.send('fresh', [{ n: 9 }]);
    await stand.send('renamed', [{ n: 10 }]);
    stand.trip.before = () => Promise.reject(new Error('away'));
    released.resolve();
    const restoring = stand.maintenance.restore(path, quietly);
    await new Promise((resolve) => setTimeout(resolve, 300));
    stand.trip.before = undefined;
    await restoring;
    await stand.send('first', [{ n: 11 }]);
    await stand.flush();
    expect(await stand.ask('SELECT n FROM second')).toEqual([[2]]);
    expect(await stand.ask('SELECT c__error_column FROM second_quarantine')).toEqual([[['n']]]);
    expect(registry.dataSource(TENANT, 'first').id).toBe(first.id);
    expect(registry.dataSource(TENANT, 'first').definition.engine.partitionKey).toBe('n % 4');
    const ns = (await stand.ask('SELECT n FROM first ORDER BY n')).flat();
    expect([ns[0], ns.at(-1)]).toEqual([1, 11]);
    expect(catalog.find(TENANT, 'fresh')).toBeUndefined();
    expect(stand.platform.catalog.had(fresh.id)).toBe(true);
    expect(stand.drain.counts.quarantinedSegments).toBe(0);
    // Its name is free, and the restored ones can be changed again.
    const again = await registry.createDataSource(TENANT, numbers('fresh'));
    expect(again.id).not.toBe(fresh.id);
    await registry.alterDataSource(TENANT, 'first', numbers('first', { ...PARTITIONED, partitionKey: 'n % 3' }));
    expect((await stand.ask('SELECT n FROM first ORDER BY n')).flat()).toEqual(ns);
  }, 60_000);

  test('events that wait in the log for a data source that is gone do not stop the others', async () => {
    const { registry } = stand.platform;
    await registry.createDataSource(TENANT, numbers('stays'));
    const path = await backUp(stand);
    const { id } = await registry.createDataSource(TENANT, numbers('goes'));
    const restoring = stand.maintenance.restore(path, quietly);
    // Sent while it reads and puts in place.
    let sent = 0;
    for (const end = restoring.then(() => true); !(await Promise.race([end, sendBoth()])););
    async function sendBoth(): Promise<boolean> {
      await stand.send('goes', [{ n: ++sent }]).catch(quietly);
      await stand.send('stays', [{ n: sent }]);
      return false;
    }
    await restoring;
    await stand.flush();
    expect(stand.dropped.every(({ dataSource: of }) => of === id)).toBe(true);
    expect(stand.drain.counts.quarantinedSegments).toBe(0);
    expect(stand.drain.backlogSegments).toBe(0);
    await stand.send('stays', [{ n: 1_000_000 }]);
    await stand.flush();
    expect((await stand.ask('SELECT max(n) FROM stays')).flat()).toEqual([1_000_000]);
  }, 60_000);

  test('of what is no backup is refused with nothing changed', async () => {
    const { registry } = stand.platform;
    const empty = join(stand.dir, 'backup', 'empty');
    mkdirSync(empty);
    await expect(stand.maintenance.restore(empty, quietly)).rejects.toMatchObject({ code: 'bad_request' });
    const path = await backUp(stand);
    writeFileSync(join(path, 'token-key'), 'no key');
    await expect(stand.maintenance.restore(path, quietly)).rejects.toThrow('must be 64 hex digits');
    await expect(stand.maintenance.restore(join(stand.dir, 'nowhere'), quietly)).rejects.toMatchObject({
      code: 'not_found',
    });
    await registry.createDataSource(TENANT, numbers('after_failures'));
    await stand.send('after_failures', [{ n: 1 }]);
    await stand.flush();
    expect(await stand.ask('SELECT n FROM after_failures')).toEqual([[1]]);
    expect(existsSync(join(stand.dir, 'token-key.restoring'))).toBe(false);
  });

  test('a backup has the token key for its owner only', async () => {
    const path = await backUp(stand);
    expect(statSync(join(path, 'token-key')).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(path, 'token-key'), 'utf8')).toBe(readFileSync(join(stand.dir, 'token-key'), 'utf8'));
  });
});

describe('a restore on another server', () => {
  test('brings rows, workspaces, tokens and secrets, and goes on with ids above those of the rows', async () => {
    const [one, two] = [await openStand({ node: 60_000 }), await openStand({ node: 3 })];
    try {
      const { secrets, tokens } = one.platform;
      await secrets.create(by, 'salt', 'of the one');
      await two.platform.secrets.create(by, 'pepper', 'of the other');
      await one.access.tenants.ensure('other');
      await one.platform.prepare('other');
      await one.platform.registry.createDataSource(TENANT, numbers('load'));
      await one.platform.registry.createDataSource(TENANT, sums('made'));
      await one.platform.registry.putPipe(TENANT, toSums('making', 'load', 'made'));
      const token = await tokens.create(by, { name: 't', scopes: [{ type: 'PIPES:READ', resource: 'making' }] });
      const admin = tokens.defaultToken(TENANT, 'workspace admin token');
      await one.send('load', [{ n: 1 }]);
      await one.flush();
      // As if its clock had been a day ahead.
      const ahead = (BigInt(Date.now() - Date.UTC(2020) + 86_400_000) << 23n) | (60_000n << 7n);
      await one.store.command(
        `INSERT INTO tenant_default.made (part, count, total, _segment) SELECT 0, 1, 100, toUInt64(${ahead})`,
        { settings: { insert_allow_materialized_columns: 1 } },
      );
      const path = join(one.dir, 'elsewhere');
      await one.maintenance.backup(path, quietly);

      await two.platform.registry.createDataSource(TENANT, numbers('own'));
      await two.send('own', [{ n: 1 }]);
      const result = await two.maintenance.restore(path, quietly);
      expect(result.tokens).toContain('with its token key');
      const { credentials } = two.platform;
      const making = two.platform.catalog.pipes(TENANT).find(({ name }) => name === 'making');
      expect((await credentials.resolve(token.token, undefined)).may('PIPES:READ', making)).toBe(true);
      expect((await credentials.resolve(admin?.token, undefined)).isAdmin).toBe(true);
      expect(readFileSync(join(two.dir, 'token-key'), 'utf8')).toBe(readFileSync(join(one.dir, 'token-key'), 'utf8'));
      expect(existsSync(join(two.dir, 'token-key.replaced'))).toBe(true);
      expect(two.platform.workspaces.list().map(({ tenant }) => tenant)).toEqual([TENANT, 'other']);
      expect(two.platform.catalog.find(TENANT, 'own')).toBeUndefined();
      expect(two.platform.secrets.values(TENANT)).toEqual(new Map([['salt', 'of the one']]));

      // A segment of which the outcome is not known must not pass for one that is there.
      let tries = 0;
      two.trip.before = () => (tries++ === 0 ? Promise.reject(new Error('away')) : Promise.resolve());
      await two.send('load', [{ n: 2 }, { n: 3 }]);
      await two.flush();
      expect((await two.ask('SELECT n FROM load ORDER BY n')).flat()).toEqual([1, 2, 3]);
      expect(await two.ask('SELECT toUInt32(sum(count)), toUInt32(sum(total)) FROM made')).toEqual([[4, 106]]);
      const [last] = await two.ask('SELECT toString(max(_segment)) FROM load');
      expect(BigInt(String(last?.[0]))).toBeGreaterThan(ahead);
    } finally {
      await one.close();
      await two.close();
    }
  }, 120_000);

  test('says that tokens are not valid if its key is configured', async () => {
    const [one, two] = [await openStand(), await openStand({ tokenKey: 'ab'.repeat(32) })];
    try {
      const [path, own] = [join(one.dir, 'elsewhere'), join(two.dir, 'elsewhere')];
      await one.maintenance.backup(path, quietly);
      await two.maintenance.backup(own, quietly);
      expect(existsSync(join(own, 'token-key'))).toBe(false);
      const results = [
        await two.maintenance.restore(path, quietly),
        await two.maintenance.restore(own, quietly),
        await one.maintenance.restore(own, quietly),
      ];
      expect(results.map(({ tokens }) => tokens.slice(0, 9))).toEqual(['not valid', 'as in the', 'not valid']);
    } finally {
      await one.close();
      await two.close();
    }
  }, 120_000);
});

describe('a reset', () => {
  let stand: Stand;
  beforeAll(async () => {
    stand = await openStand();
  });
  afterAll(() => stand.close());

  test('deletes telemetry, and rows of data sources only if asked to', async () => {
    const { registry } = stand.platform;
    await registry.createDataSource(TENANT, numbers('rows'));
    await registry.createDataSource(TENANT, dataSource('nothing', { engine: { name: 'Null' } }));
    await stand.send('rows', [{ n: 1 }, { n: 'bad' }]);
    await stand.sendSpans(['one']);
    const counts = async (): Promise<unknown[]> => [
      ...(await stand.ask('SELECT toUInt32(count()) FROM glasshouse.spans')).flat(),
      ...(await stand.ask('SELECT toUInt32(count()) FROM rows')).flat(),
      ...(await stand.ask('SELECT toUInt32(count()) FROM rows_quarantine')).flat(),
    ];
    await stand.flush();
    expect(await counts()).toEqual([1, 1, 1]);
    await stand.maintenance.reset({ dataSources: false });
    expect(await counts()).toEqual([0, 1, 1]);
    await stand.maintenance.reset({ dataSources: true });
    expect(await counts()).toEqual([0, 0, 0]);
    await stand.send('rows', [{ n: 2 }]);
    await stand.flush();
    expect(await counts()).toEqual([0, 1, 0]);
  });
});

describe('a change of the partition key', () => {
  test('waits until a segment that failed half-way is there whole', async () => {
    const stand = await openStand();
    try {
      const { registry } = stand.platform;
      const engine = { name: 'SummingMergeTree', sortingKey: 'n', partitionKey: 'n % 2' };
      await registry.createDataSource(TENANT, numbers('parted', engine));
      await registry.createDataSource(TENANT, sums('made'));
      await registry.putPipe(TENANT, toSums('making', 'parted', 'made'));
      await stand.send('parted', [{ n: 1 }, { n: 2 }]);
      await stand.flush();
      stand.trip.after = () => {
        stand.trip.before = () => Promise.reject(new Error('away'));
        return Promise.reject(new Error('lost'));
      };
      await stand.send('parted', [{ n: 3 }, { n: 4 }]);
      await expect.poll(() => stand.drain.counts.failedAttempts, { timeout: 10_000 }).toBeGreaterThan(0);
      // Of two partitions, one is there.
      await stand.store.command("ALTER TABLE tenant_default.parted DROP PARTITION ID '1'");
      const changing = registry.alterDataSource(
        TENANT,
        'parted',
        numbers('parted', { ...engine, partitionKey: 'tuple()' }),
      );
      await new Promise((resolve) => setTimeout(resolve, 500));
      expect(registry.dataSource(TENANT, 'parted').definition.engine.partitionKey).toBe('n % 2');
      stand.trip.before = stand.trip.after = undefined;
      await changing;
      await stand.flush();
      expect((await stand.ask('SELECT n FROM parted ORDER BY n')).flat()).toEqual([2, 3, 4]);
      expect(await stand.ask('SELECT toUInt32(sum(count)) FROM made')).toEqual([[4]]);
    } finally {
      await stand.close();
    }
  }, 60_000);
});
