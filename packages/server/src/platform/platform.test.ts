/** Workspaces on a real engine: built-in data sources, resources, tokens, and starts while the store is away. */

import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DEFAULT_TOKEN_NAMES } from './default-tokens.ts';
import type { Platform, PlatformOptions } from './platform.ts';
import { placeOf } from './resource-row.ts';
import type { Step } from './steps.ts';
import { commit } from './steps.ts';
import type { Stand } from './testing/stand.ts';
import { ADMIN, administrator, column, dataSource, failure, openStand, pipe } from './testing/stand.ts';

let stand: Stand;
let platform: Platform;
const acme = administrator('acme');

beforeAll(async () => {
  stand = await openStand();
  await stand.access.tenants.ensure('acme');
  platform = await stand.open();
});

afterAll(() => stand.close());

beforeEach(() => {
  stand.link.up = true;
});

describe('a new workspace', () => {
  it('has the data sources that clients expect', async () => {
    expect(platform.catalog.dataSources('acme').map(({ name, builtIn }) => ({ name, builtIn }))).toEqual(
      ['canonical_events', 'image_events', 'litellm', 'llm_events', 'tb_logs', 'text_events', 'traces'].map((name) => ({
        name,
        builtIn: true,
      })),
    );
    expect(platform.catalog.dataSources('default')).toHaveLength(7);
    const traces = platform.registry.dataSource('acme', 'traces');
    expect(traces.id).toMatch(/^t_[0-9a-f]{32}$/u);
    expect(platform.registry.dataSource('acme', traces.id)).toBe(traces);
    const rows = await stand.store.rows<{ name: string; type: string; default_expression: string }>(
      "SELECT name, type, default_expression FROM system.columns WHERE database = 'tenant_acme' AND table = 'traces' AND name != '_segment' ORDER BY position",
    );
    expect(rows.map(({ name, type }) => `${name} ${type}`)).toEqual([
      'tenant_id String',
      'project_id String',
      "environment Enum8('dev' = 1, 'prod' = 2)",
      'timestamp DateTime64(3)',
      'date Date',
      'trace_id String',
      'span_id String',
      'parent_span_id Nullable(String)',
      'query String',
      'context Nullable(String)',
      'model Nullable(String)',
      'metadata_json String',
      'response String',
      'response_length UInt32',
      'tokens_prompt Nullable(UInt32)',
      'tokens_completion Nullable(UInt32)',
      'tokens_total Nullable(UInt32)',
      'latency_ms UInt32',
      'ttfb_ms Nullable(UInt32)',
      'streaming_ms Nullable(UInt32)',
      'status Nullable(UInt16)',
      'status_text Nullable(String)',
      'finish_reason Nullable(String)',
      'response_id Nullable(String)',
      'system_fingerprint Nullable(String)',
      'headers_json String',
    ]);
    const [table] = await stand.store.rows<{ partition_key: string; sorting_key: string; create_table_query: string }>(
      "SELECT partition_key, sorting_key, create_table_query FROM system.tables WHERE database = 'tenant_acme' AND name = 'traces'",
    );
    expect(table).toMatchObject({
      partition_key: '(tenant_id, toYYYYMM(date))',
      sorting_key: 'tenant_id, project_id, timestamp, trace_id',
      create_table_query: expect.stringContaining('TTL date + toIntervalDay(90)') as unknown,
    });
  });

  it('keeps a built-in data source dropped that somebody dropped, and takes over one that somebody changed', async () => {
    await stand.access.tenants.ensure('own');
    const one = await stand.open();
    await one.registry.dropDataSource('own', 'litellm');
    const changed = await one.registry.createDataSource('own', dataSource('traces'));
    expect(changed).toMatchObject({ builtIn: false, tableVersion: 2 });
    expect(changed.id).toBe(one.catalog.dataSource('own', 'traces')?.id);
    const two = await stand.open();
    expect(two.catalog.dataSources('own').map(({ name, builtIn }) => `${name} ${builtIn}`)).toEqual([
      'canonical_events true',
      'image_events true',
      'llm_events true',
      'tb_logs true',
      'text_events true',
      'traces false',
    ]);
    expect((await one.registry.createDataSource('own', dataSource('litellm'))).builtIn).toBe(false);
  });

  it('keeps what had the name of a built-in one before there was one', async () => {
    await stand.access.tenants.ensure('elder');
    // Not prepared yet, as under a server that did not bring these two.
    const events = await platform.registry.createDataSource('elder', dataSource('text_events'));
    await platform.registry.putPipe('elder', pipe('image_events', 'SELECT 1 AS one'));
    await stand.store.command("INSERT INTO tenant_elder.text_events (k, n) VALUES ('a', 1)");
    const later = await stand.open();
    expect(later.catalog.dataSource('elder', 'text_events')).toMatchObject({ id: events.id, builtIn: false });
    expect(later.catalog.find('elder', 'image_events')?.kind).toBe('pipe');
    expect(later.catalog.dataSource('elder', 'llm_events')?.builtIn).toBe(true);
    expect(await stand.store.rows('SELECT k FROM tenant_elder.text_events')).toEqual([{ k: 'a' }]);
  });
});

describe('a data source', () => {
  it('that keeps no rows is emptied as any other', async () => {
    const { registry } = platform;
    await registry.createDataSource('acme', dataSource('nothing', { engine: { name: 'Null' } }));
    await expect(registry.truncate('acme', 'nothing')).resolves.toBeUndefined();
    await expect(registry.truncate('acme', 'nothing', 'quarantine')).resolves.toBeUndefined();
    await registry.dropDataSource('acme', 'nothing');
  });

  it('is made, found by name and id, changed in place, moved, renamed, emptied, dropped', async () => {
    const { registry, catalog } = platform;
    const made = await registry.createDataSource('acme', dataSource('events_a'));
    expect(made).toMatchObject({ name: 'events_a', tableVersion: 1, columns: ['k', 'n'] });
    await stand.store.command("INSERT INTO tenant_acme.events_a (k, n) VALUES ('a', 1)");

    const wider = dataSource('events_a', {
      columns: [column('k', 'String'), column('n', 'UInt64'), column('x', 'UInt8')],
    });
    const dry = await registry.alterDataSource('acme', 'events_a', wider, { dryRun: true });
    expect(dry.changes).toEqual(['adds column x']);
    expect(catalog.dataSource('acme', 'events_a')).toBe(made);
    const altered = await registry.alterDataSource('acme', made.id, wider);
    expect(altered.entry).toMatchObject({ id: made.id, tableVersion: 1, columns: ['k', 'n', 'x'] });

    const progress: number[] = [];
    const narrow = dataSource('events_a', { columns: [column('k', 'LowCardinality(String)'), column('n', 'UInt8')] });
    const moved = await registry.alterDataSource('acme', 'events_a', narrow, {
      onProgress: ({ rows }) => progress.push(rows),
    });
    expect(moved).toMatchObject({ losses: ['drops column x'], entry: { tableVersion: 2 } });
    expect(progress).toEqual([1]);
    expect(await stand.store.rows('SELECT * FROM tenant_acme.events_a')).toEqual([{ k: 'a', n: 1 }]);
    expect(await registry.countRows('acme', 'events_a', "k = 'a'")).toBe(1);
    expect(await registry.deleteRows('acme', 'events_a', "k = 'b'")).toBe(0);

    const renamed = await registry.renameDataSource('acme', 'events_a', 'events_b');
    expect(renamed).toMatchObject({ id: made.id, name: 'events_b', definition: { name: 'events_b' } });
    expect(catalog.dataSource('acme', 'events_a')).toBeUndefined();
    await registry.truncate('acme', 'events_b');
    expect((await registry.sizes('acme')).get('events_b')).toMatchObject({ rows: 0 });

    await registry.dropDataSource('acme', 'events_b');
    expect(catalog.dataSourceById(made.id)).toBeUndefined();
    expect(await stand.store.rows(`SELECT name FROM system.tables WHERE comment LIKE '${made.id}:%'`)).toEqual([]);
    expect((await registry.createDataSource('acme', dataSource('events_b'))).id).not.toBe(made.id);
  });

  it.each([
    ['spans', 'bad_request', 'a view of the workspace'],
    ['OTEL_traces', 'bad_request', 'a view of the workspace'],
    ['Traces', 'bad_request', 'a view of the workspace'],
    ['LiteLLM', 'conflict', 'has litellm already'],
    ['litellm_quarantine', 'bad_request', 'rows that do not fit'],
    ['t_0123456789abcdef0123456789abcdef', 'bad_request', 'looks like an id'],
    ['_', 'bad_request', 'another meaning'],
    ['1a', 'bad_request', 'letters'],
    ['a-b', 'bad_request', 'letters'],
    ['a`b', 'bad_request', 'letters'],
    ['', 'bad_request', 'letters'],
    ['x'.repeat(121), 'bad_request', 'letters'],
    ['a_pipe', 'conflict', 'has a_pipe already'],
  ])('cannot be named %s', async (name, code, message) => {
    await platform.registry.putPipe('acme', pipe('a_pipe', 'SELECT 1'));
    expect(await failure(() => platform.registry.createDataSource('acme', dataSource(name)))).toMatchObject({
      code,
      message: expect.stringContaining(message) as unknown,
    });
  });

  it.each<[string, Parameters<typeof dataSource>[1], string]>([
    ['no column', { columns: [] }, 'no column'],
    ['a column twice', { columns: [column('k', 'String'), column('k', 'String')] }, 'twice'],
    ['the hidden column', { columns: [column('k', 'String'), column('_segment', 'UInt64')] }, 'every table has'],
    ['a column of no name', { columns: [column('k', 'String'), column('a b', 'UInt64')] }, 'letters'],
    [
      'only columns that take no value',
      { columns: [{ name: 'k', type: 'UInt8', kind: 'MATERIALIZED', expression: '1' }] },
      'takes a value',
    ],
    [
      'a function that reads files',
      { columns: [{ name: 'k', type: 'String', expression: "file('/etc/passwd')" }] },
      'file',
    ],
    [
      'a type that reaches out of its place',
      { columns: [column('k', 'String) ENGINE = Log AS SELECT (1')] },
      'unpaired',
    ],
    ['a key that reads files', { engine: { name: 'MergeTree', sortingKey: "file('x')" } }, 'file'],
    [
      'a TTL that moves rows',
      { engine: { name: 'MergeTree', sortingKey: 'k', ttl: "toDate(n) TO DISK 'x'" } },
      'only delete',
    ],
    [
      'a TTL whose condition reads files',
      { engine: { name: 'MergeTree', sortingKey: 'k', ttl: "toDate(n) DELETE WHERE file('x') = ''" } },
      'file',
    ],
    [
      'a TTL with more behind DELETE',
      { engine: { name: 'MergeTree', sortingKey: 'k', ttl: 'toDate(n) DELETE SETTINGS x = 1' } },
      'nothing but WHERE',
    ],
    ['a text that is too long', { description: 'x'.repeat(70_000) }, 'longer than'],
    [
      'an index of no type',
      { indexes: [{ name: 'i', expression: 'k', type: 'minmax) x (', granularity: 1 }] },
      'type such as minmax',
    ],
    [
      'an index of no granularity',
      { indexes: [{ name: 'i', expression: 'k', type: 'minmax', granularity: 0 }] },
      'granularity',
    ],
    ['an engine that is none', { engine: { name: 'Log' } }, 'must be one of'],
  ])('with %s is refused and leaves nothing behind', async (_, values, message) => {
    const error = await failure(() => platform.registry.createDataSource('acme', dataSource('refused', values)));
    expect(error.message).toContain(message);
    expect(['bad_request', 'forbidden']).toContain(error.code);
    expect(await stand.store.rows("SELECT name FROM system.tables WHERE name LIKE 'refused%'")).toEqual([]);
  });

  it('is as it was when its change cannot be recorded', async () => {
    const made = await platform.registry.createDataSource('acme', dataSource('unrecorded'));
    await stand.store.command("INSERT INTO tenant_acme.unrecorded (k, n) VALUES ('a', 1)");
    const cut = await stand.open({ store: stand.failing(() => true) });
    for (const columns of [
      [column('k', 'String'), column('n', 'UInt8')],
      [column('k', 'String'), column('n', 'UInt64'), column('x', 'UInt8')],
    ]) {
      const changed = dataSource('unrecorded', { columns });
      expect((await failure(() => cut.registry.alterDataSource('acme', 'unrecorded', changed))).message).toBe('full');
    }
    expect((await failure(() => cut.registry.dropDataSource('acme', 'unrecorded'))).message).toBe('full');
    expect((await failure(() => cut.registry.renameDataSource('acme', 'unrecorded', 'other'))).message).toBe('full');
    expect((await failure(() => cut.registry.createDataSource('acme', dataSource('never')))).message).toBe('full');
    expect(await stand.store.rows('SELECT * FROM tenant_acme.unrecorded')).toEqual([{ k: 'a', n: 1 }]);
    expect(await stand.tables.repair([placeOf(made)])).toEqual({ placed: [], lost: [] });
    const left = await stand.store.rows<{ name: string }>(
      "SELECT name FROM system.tables WHERE database = 'glasshouse_building' OR name LIKE 'never%'",
    );
    expect(left).toEqual([]);
  });

  it('is not changed by two at a time', async () => {
    await platform.registry.createDataSource('acme', dataSource('busy'));
    await stand.store.command("INSERT INTO tenant_acme.busy (k, n) VALUES ('a', 1)");
    const narrower = dataSource('busy', { columns: [column('k', 'String'), column('n', 'UInt8')] });
    const refused: Promise<unknown>[] = [];
    const { entry } = await platform.registry.alterDataSource('acme', 'busy', narrower, {
      onProgress: () => refused.push(failure(() => platform.registry.truncate('acme', 'busy'))),
    });
    expect(entry.tableVersion).toBe(2);
    expect(await Promise.all(refused)).toMatchObject([{ code: 'conflict' }]);
    await platform.registry.truncate('acme', 'busy');
  });

  it('that a crash left misplaced is put back at the next start', async () => {
    const made = await platform.registry.createDataSource('acme', dataSource('misplaced'));
    await stand.tables.build({ ...placeOf(made), version: 2 }, dataSource('misplaced'));
    await stand.tables.place({ ...placeOf(made), version: 2 });
    stand.events.length = 0;
    await stand.open();
    expect(stand.events).toContainEqual({ type: 'repaired', tenant: 'acme', name: 'misplaced' });
    expect(stand.events).toContainEqual({ type: 'swept', tables: [`${made.id}_2`] });
  });

  it.each([
    ['that a failed change left misplaced is put back', false, 1],
    ['whose row was written although nobody heard of it is put where that says', true, 2],
  ])('%s before anything is handed over', async (_, isWritten, version) => {
    const name = `unsure_${version}`;
    await platform.registry.createDataSource('acme', dataSource(name));
    let isAway = false;
    const lossy: PlatformOptions['store'] = {
      ...stand.failing(() => false),
      insertRows: async (table, rows) => {
        if (!isAway || isWritten) await stand.store.insertRows(table, rows);
        if (isAway) throw new Error('away');
      },
    };
    const cut = await stand.open({ store: lossy });
    const entry = cut.registry.dataSource('acme', name);
    const place = { ...placeOf(entry), version: 2 };
    await stand.tables.build(place, dataSource(name));
    isAway = true;
    const row = { ...entry, tableVersion: 2, version: Date.now() + 1, deleted: false };
    const step: Step = {
      ...{ kind: 'update', resource: 'datasource', name, changes: [], losses: [], row },
      commit: () => stand.tables.place(place),
      undo: () => Promise.reject(new Error('away')),
    };
    expect((await failure(() => commit([step], cut.registry.commitOptions()))).message).toBe('away');
    isAway = false;
    await cut.settled();
    expect(cut.registry.dataSource('acme', name).tableVersion).toBe(version);
    expect(await stand.tables.repair([placeOf(cut.registry.dataSource('acme', name))])).toEqual({
      placed: [],
      lost: [],
    });
    const [table] = await stand.store.rows<{ comment: string }>(
      `SELECT comment FROM system.tables WHERE database = 'tenant_acme' AND name = '${name}'`,
    );
    expect(table?.comment).toBe(`${entry.id}:${version}`);
  });
});

describe('pipes', () => {
  it('are put, found, and keep what they use', async () => {
    const { registry } = platform;
    await registry.createDataSource('acme', dataSource('used'));
    await registry.createDataSource('acme', dataSource('written'));
    const made = await registry.putPipe('acme', pipe('reads', '%\nSELECT * FROM used WHERE k = {{String(k)}}'));
    expect(await registry.putPipe('acme', pipe('reads', 'SELECT k FROM used'))).toMatchObject({ id: made.id });
    await registry.putPipe('acme', {
      ...pipe('writes', 'SELECT 1'),
      nodes: [{ name: 'n0', sql: 'SELECT 1', type: 'materialized', settings: { DATASOURCE: 'written' } }],
    });
    await registry.putPipe('acme', pipe('over', 'SELECT * FROM reads'));
    for (const name of ['used', 'written'])
      expect(await failure(() => registry.dropDataSource('acme', name))).toMatchObject({ code: 'conflict' });
    expect((await failure(() => registry.dropPipe('acme', 'reads'))).message).toContain('used by over');
    await registry.dropPipe('acme', 'over');
    await registry.dropPipe('acme', made.id);
    await registry.dropDataSource('acme', 'used');
    await registry.dropDataSource('acme', 'written', true);
    expect(await failure(() => registry.pipe('acme', 'reads'))).toMatchObject({ code: 'not_found' });
  });

  it.each([
    ['no node', { nodes: [] }, 'no node'],
    ['a node twice', { nodes: [node('a'), node('a')] }, 'twice'],
    ['a node of the pipe’s name', { nodes: [node('bad_pipe')] }, 'name of the pipe'],
    ['two endpoints', { nodes: [node('a', 'endpoint'), node('b', 'endpoint')] }, 'more than one'],
    [
      'a target that is not there',
      { nodes: [{ ...node('a', 'materialized'), settings: { DATASOURCE: 'nope' } }] },
      'none of the workspace',
    ],
    ['SQL that is refused', { nodes: [{ ...node('a'), sql: "SELECT file('x')" }] }, 'file'],
  ])('with %s are refused', async (_, values, message) => {
    const error = await failure(() => platform.registry.putPipe('acme', pipe('bad_pipe', '', values)));
    expect(error.message).toContain(message);
    expect(platform.catalog.pipe('acme', 'bad_pipe')).toBeUndefined();
  });

  function node(name: string, type: 'default' | 'endpoint' | 'materialized' = 'default') {
    return { name, sql: 'SELECT 1', type, settings: {} };
  }
});

describe('tokens', () => {
  it('are there from the start, and let in whoever holds them', async () => {
    const tokens = platform.tokens.list(acme);
    expect(tokens.map(({ name }) => name).slice(0, 4)).toEqual(Object.values(DEFAULT_TOKEN_NAMES));
    const admin = await platform.credentials.resolve(tokens[0]?.token);
    expect(admin).toMatchObject({ tenant: 'acme', kind: 'token', isAdmin: true, name: 'workspace admin token' });
    const create = await platform.credentials.resolve(tokens[2]?.token);
    expect([create.isAdmin, create.may('DATASOURCES:CREATE'), create.may('DATASOURCES:APPEND', { name: 'x' })]).toEqual(
      [false, true, true],
    );
    expect([create.may('DATASOURCES:READ', { name: 'x' }), create.may('TOKENS')]).toEqual([false, false]);
    expect(tokens[0]?.token).toMatch(/^p\.[\w-]+\.[\w-]{43}$/u);
  });

  it('are made, shown again, changed, refreshed and ended', async () => {
    const { tokens, credentials } = platform;
    const made = await tokens.create(acme, {
      name: 'one',
      scopes: [{ type: 'DATASOURCES:APPEND', resource: 'litellm' }],
    });
    expect(tokens.get(acme, made.id).token).toBe(made.token);
    expect(tokens.get(acme, 'one')).toEqual(made);
    expect(tokens.get(acme, made.token).id).toBe(made.id);
    const changed = await tokens.update(acme, 'one', {
      name: 'two',
      scopes: [{ type: 'DATASOURCES:READ', resource: 'litellm', filter: "user = 'x'" }],
    });
    expect(changed).toMatchObject({ id: made.id, name: 'two', token: made.token });
    const principal = await credentials.resolve(made.token);
    const litellm = platform.registry.dataSource('acme', 'litellm');
    expect(principal.readFilter(litellm)).toBe("(user = 'x')");
    expect(principal.may('DATASOURCES:APPEND', litellm)).toBe(false);
    // Another one of that name.
    expect(principal.readFilter({ ...litellm, id: 't_0' })).toBe('0');
    const refreshed = await tokens.refreshSecret(acme, 'two');
    expect(refreshed.token).not.toBe(made.token);
    expect(await failure(() => credentials.resolve(made.token))).toMatchObject({ code: 'unauthenticated' });
    expect(await credentials.resolve(refreshed.token)).toMatchObject({ name: 'two' });
    await tokens.remove(acme, refreshed.id);
    expect(await failure(() => credentials.resolve(refreshed.token))).toMatchObject({ code: 'unauthenticated' });
    expect(await failure(() => tokens.get(acme, 'two'))).toMatchObject({ code: 'not_found' });
    expect(await failure(() => tokens.remove(acme, 'two'))).toMatchObject({ code: 'not_found' });
  });

  it('of the setup guide append to whatever has the column, with the condition on each row', async () => {
    const { tokens, credentials, registry } = platform;
    const made = await tokens.create(acme, {
      name: 'tenant-x',
      scopes: [{ type: 'DATASOURCES:APPEND', resource: '*', filter: "tenant_id = 'x'" }],
    });
    const principal = await credentials.resolve(made.token);
    const traces = registry.dataSource('acme', 'traces');
    expect(principal.may('DATASOURCES:APPEND', traces)).toBe(true);
    expect(principal.writeFilter(traces)).toBe("(tenant_id = 'x')");
    expect(principal.may('DATASOURCES:APPEND', registry.dataSource('acme', 'litellm'))).toBe(false);
    expect(principal.writeFilter(registry.dataSource('acme', 'litellm'))).toBe('0');
    expect([principal.may('DATASOURCES:READ', traces), principal.may('TOKENS'), principal.isAdmin]).toEqual([
      false,
      false,
      false,
    ]);
  });

  it('leave no secret in the store', async () => {
    const made = await platform.tokens.create(acme, { name: 'hidden', scopes: [{ type: 'TOKENS' }] });
    const rows = JSON.stringify(await stand.store.rows('SELECT * FROM glasshouse.tokens'));
    expect(rows).toContain('hidden');
    expect(rows).not.toContain(made.token.split('.')[2]);
    expect(statSync(join(stand.dir, 'token-key')).mode & 0o777).toBe(0o600);
  });

  it('that do not administer see and make none that do', async () => {
    const { tokens, credentials } = platform;
    const keeper = await credentials.resolve(
      (await tokens.create(acme, { name: 'keeper', scopes: [{ type: 'TOKENS' }] })).token,
    );
    expect(tokens.list(keeper)[0]).toMatchObject({ name: 'workspace admin token', token: 'p.***' });
    for (const type of ['ADMIN', 'ADMIN_USER', 'TOKENS'] as const)
      expect(await failure(() => tokens.create(keeper, { name: 'x', scopes: [{ type }] }))).toMatchObject({
        code: 'forbidden',
      });
    expect(await failure(() => tokens.refreshSecret(keeper, DEFAULT_TOKEN_NAMES.workspaceAdmin))).toMatchObject({
      code: 'forbidden',
    });
    const made = await tokens.create(keeper, {
      name: 'small',
      scopes: [{ type: 'DATASOURCES:READ', resource: 'traces' }],
    });
    expect(tokens.list(keeper).find(({ id }) => id === made.id)?.token).toBe(made.token);
    const small = await credentials.resolve(made.token);
    expect(await failure(() => tokens.list(small))).toMatchObject({ code: 'forbidden' });
    expect(tokens.get(small, made.id).token).toBe(made.token);
    expect(await failure(() => tokens.get(small, 'keeper'))).toMatchObject({ code: 'forbidden' });
  });

  it.each([
    ['a name that is taken', { name: 'user token', scopes: [{ type: 'TOKENS' as const }] }, 'conflict'],
    ['no name', { name: '', scopes: [{ type: 'TOKENS' as const }] }, 'bad_request'],
    ['no scope', { name: 'n', scopes: [] }, 'bad_request'],
    [
      'a filter that is refused',
      { name: 'n', scopes: [{ type: 'DATASOURCES:READ' as const, resource: 'a', filter: "file('x')" }] },
      'forbidden',
    ],
  ])('are not made with %s', async (_, wanted, code) => {
    expect(await failure(() => platform.tokens.create(acme, wanted))).toMatchObject({ code });
  });

  it('that every workspace has can be refreshed, but neither changed nor deleted', async () => {
    await stand.access.tenants.ensure('fresh');
    await platform.refresh();
    const fresh = administrator('fresh');
    const before = platform.tokens.get(fresh, 'user token');
    const after = await platform.tokens.refreshSecret(fresh, 'user token');
    expect(after).toMatchObject({ id: before.id, origin: 'default' });
    expect(await failure(() => platform.credentials.resolve(before.token))).toMatchObject({ code: 'unauthenticated' });
    expect(await platform.credentials.resolve(after.token)).toMatchObject({ tenant: 'fresh' });
    expect(await failure(() => platform.tokens.remove(fresh, 'user token'))).toMatchObject({ code: 'bad_request' });
    expect(
      await failure(() => platform.tokens.update(fresh, 'user token', { scopes: [{ type: 'ADMIN' }] })),
    ).toMatchObject({ code: 'bad_request' });
    expect((await stand.open()).tokens.get(fresh, 'user token').token).toBe(after.token);
  });

  it('of data files come and go with them, beside what they were given by request', async () => {
    const { registry, tokens, credentials } = platform;
    await tokens.create(acme, { name: 'shared', scopes: [{ type: 'DATASOURCES:READ', resource: 'traces' }] });
    const grants = [
      { name: 'shared', scope: 'APPEND' as const },
      { name: 'of_file', scope: 'READ' as const },
    ];
    await registry.createDataSource('acme', dataSource('granting', { tokens: grants }));
    await registry.putPipe('acme', pipe('granted', 'SELECT 1', { tokens: [{ name: 'of_file', scope: 'READ' }] }));
    const ofFile = tokens.get(acme, 'of_file');
    expect(ofFile.scopes).toEqual([
      { type: 'PIPES:READ', resource: 'granted' },
      { type: 'DATASOURCES:READ', resource: 'granting' },
    ]);
    const shared = await credentials.resolve(tokens.get(acme, 'shared').token);
    expect([
      shared.may('DATASOURCES:APPEND', { name: 'granting' }),
      shared.may('DATASOURCES:READ', registry.dataSource('acme', 'traces')),
    ]).toEqual([true, true]);
    await registry.alterDataSource('acme', 'granting', dataSource('granting'));
    expect(tokens.get(acme, 'of_file')).toMatchObject({ token: ofFile.token, scopes: [{ type: 'PIPES:READ' }] });
    await registry.dropPipe('acme', 'granted');
    expect(await failure(() => tokens.get(acme, 'of_file'))).toMatchObject({ code: 'not_found' });
    expect(tokens.get(acme, 'shared').scopes).toEqual([{ type: 'DATASOURCES:READ', resource: 'traces' }]);
  });

  it('of another workspace, forged or cut are refused', async () => {
    const own = platform.tokens.get(acme, 'user token').token;
    const other = platform.tokens.get(administrator('default'), 'user token').token;
    const [, ownClaims = ''] = own.split('.');
    const [, , otherProof = ''] = other.split('.');
    for (const secret of [
      `p.${ownClaims}.${otherProof}`,
      own.slice(0, -1),
      `${own}A`,
      'p.',
      'p.a.b',
      `p.${ownClaims}.${'A'.repeat(43)}`,
    ])
      expect(await failure(() => platform.credentials.resolve(secret))).toMatchObject({ code: 'unauthenticated' });
    expect(await failure(() => platform.credentials.resolve(own, { tenant: 'default' }))).toMatchObject({
      code: 'forbidden',
    });
  });
});

describe('the server’s own credentials', () => {
  it('act on the workspace of their tenant with what their scopes mean there', async () => {
    const { credentials } = platform;
    const keyOf = async (scopes: readonly ('admin' | 'ingest' | 'query')[]): Promise<string> => {
      const placement = { tenant: 'acme', project: 'p', environment: 'e' };
      return (await stand.access.keys.create({ name: 'k', placement, scopes, expiresAt: undefined })).key;
    };
    const ingest = await credentials.resolve(await keyOf(['ingest']));
    expect([ingest.tenant, ingest.kind]).toEqual(['acme', 'key']);
    expect([ingest.may('DATASOURCES:APPEND', { name: 'x' }), ingest.may('DATASOURCES:READ', { name: 'x' })]).toEqual([
      true,
      false,
    ]);
    const query = await credentials.resolve(await keyOf(['query']));
    expect([
      query.may('PIPES:READ', { name: 'x' }),
      query.readFilter({ name: 'x' }),
      query.may('DATASOURCES:CREATE'),
    ]).toEqual([true, undefined, false]);
    expect((await credentials.resolve(await keyOf(['admin']))).isAdmin).toBe(true);
    expect(await failure(async () => credentials.resolve(await keyOf(['query']), { tenant: 'default' }))).toMatchObject(
      { code: 'forbidden' },
    );
    expect(await credentials.resolve(ADMIN)).toMatchObject({ tenant: 'default', isAdmin: true, kind: 'admin' });
    expect(await credentials.resolve(ADMIN, { tenant: 'acme' })).toMatchObject({ tenant: 'acme', isAdmin: true });
    expect(await failure(() => credentials.resolve(ADMIN, { tenant: '../x' }))).toMatchObject({ code: 'forbidden' });
    expect(await failure(() => credentials.resolve('gh_nonsense'))).toMatchObject({ code: 'unauthenticated' });
    expect(await failure(() => credentials.resolve(undefined))).toMatchObject({ code: 'unauthenticated' });
  });

  it('are not needed while access is open, except to administer', async () => {
    const open = await stand.open({ mode: 'open' });
    const principal = await open.credentials.resolve(undefined);
    expect(principal).toMatchObject({ tenant: 'default', kind: 'open', isAdmin: false });
    expect([
      principal.may('DATASOURCES:CREATE'),
      principal.may('PIPES:READ', { name: 'x' }),
      principal.may('TOKENS'),
    ]).toEqual([true, true, false]);
  });
});

describe('JWTs', () => {
  const scopes = [{ type: 'PIPES:READ' as const, resource: 'p', fixedParams: { org: 'x' } }];

  it('are made by the workspace, and let in with what they say', async () => {
    const expiresAt = Math.floor(Date.now() / 1000) + 60;
    const jwt = await platform.credentials.createJwt(acme, { name: 'dash', expiresAt, scopes, rps: 3 });
    const principal = await platform.credentials.resolve(jwt);
    expect(principal).toMatchObject({ tenant: 'acme', kind: 'jwt', name: 'dash', rps: 3, isAdmin: false });
    expect(principal.fixedParams({ name: 'p' })).toEqual({ org: 'x' });
    expect([
      principal.may('PIPES:READ', { name: 'p' }),
      principal.may('PIPES:READ', { name: 'q' }),
      principal.may('TOKENS'),
    ]).toEqual([true, false, false]);
    stand.clock.offsetMs = 70_000;
    expect((await failure(() => platform.credentials.resolve(jwt))).message).toContain('expired');
    stand.clock.offsetMs = 0;
  });

  it('end with the admin token that signed them', async () => {
    await stand.access.tenants.ensure('signed');
    await platform.refresh();
    const by = administrator('signed');
    const expiresAt = Math.floor(Date.now() / 1000) + 60;
    const jwt = await platform.credentials.createJwt(by, { name: 'x', expiresAt, scopes });
    expect(await platform.credentials.resolve(jwt)).toMatchObject({ tenant: 'signed' });
    await platform.tokens.refreshSecret(by, DEFAULT_TOKEN_NAMES.workspaceAdmin);
    expect(await failure(() => platform.credentials.resolve(jwt))).toMatchObject({ code: 'unauthenticated' });
  });

  it.each([
    ['in the past', { expiresAt: 1, scopes }],
    [
      'with a filter that is refused',
      { expiresAt: 4e9, scopes: [{ type: 'DATASOURCES:READ' as const, resource: 'a', filter: "file('x')" }] },
    ],
  ])('are not made %s', async (_, wanted) => {
    const error = await failure(() => platform.credentials.createJwt(acme, { name: 'x', ...wanted }));
    expect(['bad_request', 'forbidden']).toContain(error.code);
  });
});

describe('while the store is away', () => {
  it('what is known goes on working, and what is not is told to try again', async () => {
    const known = platform.tokens.get(acme, 'user token').token;
    const elsewhere = await stand.open();
    const unknown = await elsewhere.tokens.create(acme, { name: 'elsewhere', scopes: [{ type: 'TOKENS' }] });
    stand.link.up = false;
    stand.clock.offsetMs += 1_000;
    stand.events.length = 0;
    expect(await platform.credentials.resolve(known)).toMatchObject({ tenant: 'acme' });
    expect(platform.registry.dataSource('acme', 'traces').name).toBe('traces');
    expect(await failure(() => platform.credentials.resolve(unknown.token))).toMatchObject({
      code: 'unavailable',
      retryAfterSeconds: 5,
    });
    expect(await failure(() => platform.refresh())).toMatchObject({ code: 'unavailable' });
    stand.link.up = true;
    stand.clock.offsetMs += 1_000;
    expect(await platform.credentials.resolve(unknown.token)).toMatchObject({ name: 'elsewhere' });
    expect(stand.events.map((event) => (event.type === 'store' ? event.up : undefined))).toEqual([false, true]);
  });

  it('a start knows tokens and data sources of the last time', async () => {
    const snapshotPath = join(stand.dir, 'platform.json');
    const before = await stand.open({ snapshotPath });
    const token = before.tokens.get(acme, 'user token').token;
    const made = await before.registry.createDataSource('acme', dataSource('remembered'));
    await before.refresh();
    expect(statSync(snapshotPath).mode & 0o777).toBe(0o600);
    expect(readFileSync(snapshotPath, 'utf8')).not.toContain(token.split('.')[2]);
    stand.link.up = false;
    const after = await stand.open({ snapshotPath });
    const principal = await after.credentials.resolve(token);
    expect(principal.may('DATASOURCES:APPEND', after.registry.dataSource('acme', 'remembered'))).toBe(true);
    expect(after.catalog.dataSourceById(made.id)).toEqual({ ...made, deleted: false });
    stand.link.up = true;
    await after.refresh();
    expect(after.catalog.dataSourceById(made.id)?.createdAt).toEqual(made.createdAt);
  });

  it('believes the store before the copy, whatever its rows say', async () => {
    const snapshotPath = join(stand.dir, 'older.json');
    const before = await stand.open({ snapshotPath });
    const made = await before.registry.createDataSource('acme', dataSource('only_in_copy'));
    const token = await before.tokens.create(acme, { name: 'only in copy', scopes: [{ type: 'TOKENS' }] });
    await before.refresh();
    for (const table of ['resources', 'tokens'])
      await stand.store.command(`DELETE FROM glasshouse.${table} WHERE id IN ('${made.id}', '${token.id}')`);
    const after = await stand.open({ snapshotPath });
    expect(after.catalog.had(made.id)).toBe(false);
    expect(after.tokens.byId('acme', token.id)).toBeUndefined();
    // After a restore that this start finished, what the copy knew is remembered as gone.
    writeFileSync(
      snapshotPath,
      JSON.stringify({ tenants: ['acme'], resources: before.catalog.snapshot(), tokens: [] }),
    );
    const restored = await stand.open({ snapshotPath, isReplaced: true });
    expect([restored.catalog.had(made.id), restored.catalog.dataSourceById(made.id)]).toEqual([true, undefined]);
    expect(restored.catalog.dataSource('acme', 'traces')).toBeDefined();
  });

  it('a copy that cannot be read is no copy', async () => {
    const snapshotPath = join(stand.dir, 'broken.json');
    writeFileSync(snapshotPath, '{"tenants":');
    stand.link.up = false;
    const broken = await stand.open({ snapshotPath });
    expect(broken.workspaces.list()).not.toHaveLength(0);
    expect(broken.catalog.dataSources('acme')).toEqual([]);
  });
});
