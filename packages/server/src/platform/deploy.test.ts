/** Deployments on a real engine: planned, made ready, made live, rolled back, and what a failure leaves. */

import type { Resource } from '@glasshouse/model';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { placeholder } from './deployment-row.ts';
import type { Platform } from './platform.ts';
import type { Stand } from './testing/stand.ts';
import { administrator, column, dataSource, failure, openStand, pipe } from './testing/stand.ts';

let stand: Stand;
let platform: Platform;
let tenants = 0;

beforeAll(async () => {
  stand = await openStand();
  platform = await stand.open();
});

afterAll(() => stand.close());

describe('a deployment', () => {
  it('goes through its states, and what it brings is there when it is live', async () => {
    const tenant = await workspace();
    const { deployments, catalog } = platform;
    expect(deployments.list(tenant)).toEqual([placeholder(tenant)]);
    const project = [
      dataSource('events', { tokens: [{ name: 'sender', scope: 'APPEND' }] }),
      pipe('top', 'SELECT * FROM events'),
    ];
    const { result, deployment } = await deployments.deploy(tenant, project);
    expect({ result, ...deployment }).toMatchObject({
      result: 'success',
      status: 'calculating',
      live: false,
      newDataSources: ['events'],
      newPipes: ['top'],
      errors: [],
    });
    expect(await failure(() => deployments.deploy(tenant, project))).toMatchObject({ code: 'conflict' });
    const ready = await deployments.settled(tenant, deployment.id);
    expect(ready.status).toBe('data_ready');
    expect(catalog.find(tenant, 'events')).toBeUndefined();
    expect(await failure(() => deployments.deploy(tenant, project))).toMatchObject({ code: 'conflict' });
    expect(deployments.list(tenant).map(({ id, live }) => `${id} ${live}`)).toEqual([
      '0 true',
      `${deployment.id} false`,
    ]);
    await deployments.setLive(tenant, deployment.id);
    expect(deployments.get(tenant, deployment.id)).toMatchObject({ status: 'live', live: true });
    expect(deployments.get(tenant, '0')).toMatchObject({ status: 'deleted', live: false });
    expect(await deployments.remove(tenant, '0')).toMatchObject({ status: 'deleted' });
    expect(deployments.list(tenant)).toHaveLength(1);
    expect(catalog.list(tenant).map(({ name, deployment: by }) => `${name} ${by === deployment.id}`)).toEqual([
      'canonical_events false',
      'events true',
      'image_events false',
      'litellm false',
      'llm_events false',
      'tb_logs false',
      'text_events false',
      'top true',
      'traces false',
    ]);
    await stand.store.command(`INSERT INTO tenant_${tenant}.events (k, n) VALUES ('a', 1)`);
    expect(platform.tokens.get(administrator(tenant), 'sender').scopes).toEqual([
      { type: 'DATASOURCES:APPEND', resource: 'events' },
    ]);
    expect((await deployments.deploy(tenant, project)).result).toBe('no_changes');
    expect(await failure(() => deployments.remove(tenant, deployment.id))).toMatchObject({ code: 'conflict' });
  });

  it('that is only checked says what it would do and leaves nothing', async () => {
    const tenant = await workspace();
    const { result, deployment } = await platform.deployments.deploy(tenant, [dataSource('x')], { check: true });
    expect([result, deployment.newDataSources]).toEqual(['success', ['x']]);
    expect(platform.deployments.list(tenant)).toEqual([placeholder(tenant)]);
    expect(platform.catalog.find(tenant, 'x')).toBeUndefined();
  });

  it('takes over a data source that came with the server, and leaves the others alone', async () => {
    const tenant = await workspace();
    const traces = platform.registry.dataSource(tenant, 'traces');
    await live(tenant, [traces.definition]);
    expect(platform.registry.dataSource(tenant, 'traces')).toMatchObject({
      id: traces.id,
      builtIn: false,
      tableVersion: 1,
    });
    expect(platform.catalog.dataSources(tenant)).toHaveLength(7);
    const { result, deployment } = await platform.deployments.deploy(tenant, []);
    expect([result, deployment.deletedDataSources]).toEqual(['failed', ['traces']]);
  });

  it('makes one anew that came with the server and that nobody has used, whatever its columns', async () => {
    const tenant = await workspace();
    const forwardQuery = 'SELECT nothing AS k';
    const id = await live(tenant, [dataSource('tb_logs', { forwardQuery }), dataSource('litellm')]);
    expect(platform.deployments.get(tenant, id)).toMatchObject({
      newDataSources: ['tb_logs', 'litellm'],
      changedDataSources: [],
      feedback: [],
    });
    expect(platform.registry.dataSource(tenant, 'tb_logs')).toMatchObject({ builtIn: false, columns: ['k', 'n'] });
    await stand.store.command(`INSERT INTO tenant_${tenant}.tb_logs (k, n) VALUES ('a', 1)`);
    expect((await platform.deployments.deploy(tenant, [dataSource('litellm')])).result).toBe('failed');
  });

  it('loses nothing of one that came with the server and has rows, unless it is allowed to', async () => {
    const tenant = await workspace();
    await stand.store.command(`INSERT INTO tenant_${tenant}.tb_logs (name, message) VALUES ('a', 'b')`);
    const columns = [column('k', 'String'), column('name', 'String')];
    const project = [dataSource('tb_logs', { columns })];
    const refused = await platform.deployments.deploy(tenant, project);
    expect([refused.result, refused.deployment.changedDataSources]).toEqual(['failed', ['tb_logs']]);
    await live(tenant, project, { allowDestructive: true });
    const rows = await stand.store.rows(`SELECT name FROM tenant_${tenant}.tb_logs`);
    expect(rows).toEqual([{ name: 'a' }]);
  });

  it('loses nothing unless it is allowed to', async () => {
    const tenant = await workspace();
    await live(tenant, [dataSource('events'), dataSource('more')]);
    const less = [dataSource('events', { columns: [column('k', 'String')] })];
    const refused = await platform.deployments.deploy(tenant, less);
    expect(refused.result).toBe('failed');
    expect(refused.deployment.errors.map(({ resource, error }) => `${resource}: ${error}`)).toEqual([
      'events: cannot deploy events: drops column n; allow destructive operations for that',
      'more: cannot deploy more: drops all its rows; allow destructive operations for that',
    ]);
    await live(tenant, less, { allowDestructive: true });
    expect(platform.catalog.list(tenant).some(({ name }) => name === 'more')).toBe(false);
  });

  it('says all that is wrong with a project, and makes nothing of it', async () => {
    const tenant = await workspace();
    const project = [
      dataSource('one', { columns: [] }),
      dataSource('two', { columns: [{ name: 'a', type: 'String', expression: "file('x')" }] }),
      dataSource('fine'),
      dataSource('Fine'),
      pipe('litellm', 'SELECT 1'),
    ];
    const { result, deployment } = await platform.deployments.deploy(tenant, project);
    expect(result).toBe('failed');
    expect(deployment.errors.map(({ kind, resource }) => `${kind} ${resource}`)).toEqual([
      'datasource one',
      'datasource two',
      'datasource Fine',
      'pipe litellm',
    ]);
    expect(platform.catalog.find(tenant, 'fine')).toBeUndefined();
  });

  it('that the engine refuses leaves the old state', async () => {
    const tenant = await workspace();
    await live(tenant, [dataSource('events')]);
    await stand.store.command(`INSERT INTO tenant_${tenant}.events (k, n) VALUES ('a', 70000), ('b', 1)`);
    const before = platform.catalog.list(tenant);
    const hidden = await leftovers();
    for (const broken of [
      [dataSource('events'), dataSource('fine'), dataSource('bad', { columns: [column('k', 'NoSuchType')] })],
      [dataSource('fine'), dataSource('events', { columns: [column('k', 'String'), column('n', 'UInt8')] })],
    ]) {
      const { deployment } = await platform.deployments.deploy(tenant, broken);
      const settled = await platform.deployments.settled(tenant, deployment.id);
      expect(settled).toMatchObject({ status: 'failed', live: false });
      expect(settled.errors).toHaveLength(1);
      expect(platform.catalog.list(tenant)).toEqual(before);
    }
    expect(await leftovers()).toEqual(hidden);
    expect(await stand.store.rows(`SELECT count() AS n FROM tenant_${tenant}.events`)).toEqual([{ n: 2 }]);
  });

  it('of which a part cannot take effect takes none', async () => {
    const tenant = await workspace();
    await live(tenant, [dataSource('a'), dataSource('b'), dataSource('c')]);
    await stand.store.command(`INSERT INTO tenant_${tenant}.a (k, n) VALUES ('a', 1)`);
    const { deployment } = await platform.deployments.deploy(
      tenant,
      [
        dataSource('new'),
        dataSource('a', { columns: [column('k', 'String'), column('n', 'UInt8')] }),
        dataSource('b', { columns: [column('k', 'String'), column('n', 'UInt64'), column('x', 'UInt8')] }),
      ],
      { allowDestructive: true },
    );
    expect(await platform.deployments.settled(tenant, deployment.id)).toMatchObject({ status: 'data_ready' });
    stand.link.up = false;
    await failure(() => platform.deployments.setLive(tenant, deployment.id));
    stand.link.up = true;
    // The first row of the promotion could not be written, so nothing began.
    expect(platform.deployments.get(tenant, deployment.id).status).toBe('data_ready');
    const cut = await stand.open({ store: stand.failing((table) => table === 'resources') });
    expect((await failure(() => cut.deployments.setLive(tenant, deployment.id))).message).toBe('full');
    expect(cut.deployments.get(tenant, deployment.id).status).toBe('data_ready');
    const columns = await stand.store.rows<{ name: string }>(
      `SELECT concat(table, '.', name, ' ', type) AS name FROM system.columns WHERE database = 'tenant_${tenant}' AND table IN ('a', 'b', 'c', 'new') AND columns.name != '_segment' ORDER BY name`,
    );
    expect(columns.map(({ name }) => name)).toEqual([
      'a.k String',
      'a.n UInt64',
      'b.k String',
      'b.n UInt64',
      'c.k String',
      'c.n UInt64',
    ]);
    expect(await stand.store.rows(`SELECT * FROM tenant_${tenant}.a`)).toEqual([{ k: 'a', n: 1 }]);
    await (await stand.open()).deployments.setLive(tenant, deployment.id);
    expect(await stand.store.rows(`SELECT toTypeName(n) AS type FROM tenant_${tenant}.a`)).toEqual([{ type: 'UInt8' }]);
  });
});

describe('the move to the next deployment', () => {
  it('has every row that came while it waited, whatever was done in between', async () => {
    const tenant = await workspace();
    await live(tenant, [
      dataSource('events'),
      dataSource('sums', { engine: { name: 'SummingMergeTree', sortingKey: 'k' } }),
    ]);
    const insert = (table: string, segment: number, count: number): Promise<void> =>
      stand.store.command(
        `INSERT INTO tenant_${tenant}.${table} (k, n, _segment) SELECT 'k', 1, ${segment} FROM numbers(${count})`,
        { settings: { insert_allow_materialized_columns: 1 } },
      );
    for (const table of ['events', 'sums']) for (const segment of [1, 2, 3]) await insert(table, segment, 10);
    const columns = [column('k', 'LowCardinality(String)'), column('n', 'UInt32')];
    const { deployment } = await platform.deployments.deploy(tenant, [
      dataSource('events', { columns }),
      dataSource('sums', { columns, engine: { name: 'SummingMergeTree', sortingKey: 'k' } }),
    ]);
    await platform.deployments.settled(tenant, deployment.id);
    for (const table of ['events', 'sums']) {
      await insert(table, 4, 10);
      await stand.store.command(`OPTIMIZE TABLE tenant_${tenant}.${table} FINAL`);
    }
    // An operation on the table: what was copied is no longer what is there.
    expect(await platform.registry.deleteRows(tenant, 'events', '_segment = 1')).toBe(10);
    await platform.deployments.setLive(tenant, deployment.id);
    expect(await stand.store.rows(`SELECT count() AS n, min(_segment) AS first FROM tenant_${tenant}.events`)).toEqual([
      { n: 30, first: 2 },
    ]);
    expect(await stand.store.rows(`SELECT sum(n) AS n FROM tenant_${tenant}.sums`)).toEqual([{ n: 40 }]);
  });

  it('is planned again when the workspace changed meanwhile', async () => {
    const tenant = await workspace();
    await live(tenant, [dataSource('events')]);
    const { deployment } = await platform.deployments.deploy(tenant, [
      dataSource('events', { columns: [column('k', 'String'), column('n', 'UInt32')] }),
    ]);
    await platform.deployments.settled(tenant, deployment.id);
    const wider = dataSource('events', {
      columns: [column('k', 'String'), column('n', 'UInt64'), column('x', 'UInt8')],
    });
    await platform.registry.alterDataSource(tenant, 'events', wider);
    await platform.registry.putPipe(tenant, pipe('other', 'SELECT 1'));
    await platform.deployments.setLive(tenant, deployment.id);
    expect(platform.registry.dataSource(tenant, 'events').columns).toEqual(['k', 'n']);
    expect(platform.catalog.pipe(tenant, 'other')).toBeUndefined();
  });

  it('does not mind what the server brings meanwhile', async () => {
    const tenant = await workspace();
    const { deployment } = await platform.deployments.deploy(tenant, [dataSource('events')]);
    await platform.deployments.settled(tenant, deployment.id);
    const prepared = await leftovers();
    await platform.registry.createBuiltIn(tenant, dataSource('brought'), `t_${'b'.repeat(32)}`);
    await platform.deployments.setLive(tenant, deployment.id);
    // Nothing had to be made anew.
    expect(prepared.length).toBeGreaterThan((await leftovers()).length);
    expect(platform.registry.dataSource(tenant, 'brought').builtIn).toBe(true);
  });

  it('can be undone: rows move back, and what was dropped is there again', async () => {
    const tenant = await workspace();
    const first = await live(tenant, [dataSource('events'), dataSource('gone'), pipe('p', 'SELECT 1')]);
    await stand.store.command(`INSERT INTO tenant_${tenant}.gone (k, n) VALUES ('kept', 1)`);
    const gone = platform.registry.dataSource(tenant, 'gone');
    const columns = [column('k', 'String'), column('n', 'UInt32')];
    const second = await live(tenant, [dataSource('events', { columns })], { allowDestructive: true });
    await stand.store.command(`INSERT INTO tenant_${tenant}.events (k, n) VALUES ('new', 2)`);
    expect(platform.deployments.list(tenant).map(({ id, live }) => `${id} ${live}`)).toEqual([
      `${second} true`,
      `${first} false`,
    ]);

    stand.events.length = 0;
    const later = await stand.open();
    expect(stand.events.some(({ type }) => type === 'swept')).toBe(false);
    await later.deployments.setLive(tenant, first);
    expect(await stand.store.rows(`SELECT *, toTypeName(n) AS type FROM tenant_${tenant}.events`)).toEqual([
      { k: 'new', n: 2, type: 'UInt64' },
    ]);
    expect(later.registry.dataSource(tenant, 'gone').id).toBe(gone.id);
    expect(await stand.store.rows(`SELECT * FROM tenant_${tenant}.gone`)).toEqual([{ k: 'kept', n: 1 }]);
    expect(later.catalog.pipe(tenant, 'p')).toBeDefined();

    await later.deployments.setLive(tenant, second);
    expect(await later.deployments.remove(tenant, first)).toMatchObject({ status: 'deleted' });
    expect(await stand.store.rows(`SELECT name FROM system.tables WHERE comment LIKE '${gone.id}:%'`)).toEqual([]);
    expect(later.deployments.list(tenant).map(({ id }) => id)).toEqual([second]);
    expect(later.deployments.list(tenant, { includeDeleted: true }).map(({ id }) => id)).toEqual([second, first]);
    await platform.refresh();
    platform = await stand.open();
  });

  it('may follow by itself, and the former one is gone then', async () => {
    const tenant = await workspace();
    const first = await live(tenant, [dataSource('events')]);
    const { deployment } = await platform.deployments.deploy(tenant, [dataSource('events'), dataSource('more')], {
      autoPromote: true,
    });
    expect(await platform.deployments.settled(tenant, deployment.id)).toMatchObject({ status: 'live', live: true });
    expect(platform.deployments.get(tenant, first).status).toBe('deleted');
  });

  it('is not waited for after the candidate was deleted', async () => {
    const tenant = await workspace();
    await live(tenant, [dataSource('events')]);
    const hidden = await leftovers();
    const { deployment } = await platform.deployments.deploy(
      tenant,
      [dataSource('events', { columns: [column('k', 'LowCardinality(String)')] })],
      { allowDestructive: true },
    );
    await platform.deployments.remove(tenant, deployment.id);
    expect(platform.deployments.get(tenant, deployment.id).status).toBe('deleted');
    expect(await failure(() => platform.deployments.setLive(tenant, deployment.id))).toMatchObject({
      code: 'conflict',
    });
    expect(await leftovers()).toEqual(hidden);
    await live(tenant, [dataSource('events'), dataSource('more')]);
    expect(await failure(() => platform.deployments.setLive(tenant, '1'))).toMatchObject({ code: 'not_found' });
  });
});

describe('after a crash', () => {
  it('a deployment that was being prepared has failed, and one that was being promoted is what its rows say', async () => {
    const tenant = await workspace();
    const first = await live(tenant, [dataSource('events')]);
    const columnsOf = {
      created_at: '2026-01-01 00:00:00.000',
      updated_at: '2026-01-01 00:00:00.000',
      version: '1',
      resources: '[]',
      report: '{}',
      live: false,
      tenant,
    };
    await stand.store.insertRows('deployments', [
      { ...columnsOf, id: '11', status: 'creating_schema' },
      { ...columnsOf, id: '12', status: 'promoting' },
      { ...columnsOf, id: '13', status: 'promoting' },
      { ...columnsOf, id: '14', status: 'deleting' },
    ]);
    await stand.store.command(
      `INSERT INTO glasshouse.resources SELECT * REPLACE ('13' AS deployment, version + 1 AS version) FROM glasshouse.resources FINAL WHERE tenant = '${tenant}' AND name = 'events'`,
    );
    const after = await stand.open();
    expect(['11', '12', '13', '14', first].map((id) => after.deployments.get(tenant, id).status)).toEqual([
      'failed',
      'data_ready',
      'live',
      'deleted',
      'data_ready',
    ]);
    expect(after.deployments.list(tenant)[0]?.id).toBe('13');
  });
});

async function workspace(): Promise<string> {
  const tenant = `w${++tenants}`;
  await stand.access.tenants.ensure(tenant);
  await platform.prepare(tenant);
  return tenant;
}

/** Deploys a project and makes it live; the id of the deployment. */
async function live(
  tenant: string,
  project: readonly Resource[],
  options: { readonly allowDestructive?: boolean } = {},
): Promise<string> {
  const { deployment, result } = await platform.deployments.deploy(tenant, project, options);
  expect(result).toBe('success');
  expect(await platform.deployments.settled(tenant, deployment.id)).toMatchObject({ status: 'data_ready', errors: [] });
  await platform.deployments.setLive(tenant, deployment.id);
  return deployment.id;
}

async function leftovers(): Promise<string[]> {
  const rows = await stand.store.rows<{ name: string }>(
    "SELECT name FROM system.tables WHERE database = 'glasshouse_building'",
  );
  return rows.map(({ name }) => name);
}
