/** Deployments over their routes, on the whole server, as command lines and the SDK drive them. */

import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Answer, TestServer } from './testing/server.ts';
import { startTestServer } from './testing/server.ts';

let server: TestServer;
let token: string;
let workspaces = 0;

beforeAll(async () => {
  server = await startTestServer();
});

afterAll(() => server.close());

beforeEach(async () => {
  const { json } = await server.call(`POST /v1/workspaces?name=deployed_${++workspaces}`);
  token = String(json['token']);
});

type Files = Readonly<Record<string, string>>;

const ONE = 'NODE a\nSQL >\n    SELECT 1\nTYPE endpoint\n';

const HITS =
  'TOKEN "sender" APPEND\n\nSCHEMA >\n    `ts` DateTime `json:$.ts`,\n    `page` String `json:$.page`\n\nENGINE "MergeTree"\nENGINE_SORTING_KEY "page"\n';
const TOP =
  'TOKEN "reader" READ\n\nNODE counted\nSQL >\n    %\n    SELECT page, count() AS n FROM hits WHERE page != {{String(other, \'\')}} GROUP BY page ORDER BY page\nTYPE endpoint\n';
const PROJECT: Files = { 'datasources/hits.datasource': HITS, 'endpoints/top.pipe': TOP };

function project(files: Files, field = 'data_project://'): FormData {
  const form = new FormData();
  form.append('context://', new Blob(['1.0.0'], { type: 'text/plain' }), 'cli-version');
  for (const [name, text] of Object.entries(files)) form.append(field, new Blob([text], { type: 'text/plain' }), name);
  return form;
}

const call = (request: string, body?: FormData | string): Promise<Answer> =>
  server.call(request, { token, ...(body === undefined ? {} : { body }) });
const deploy = (files: Files, query = 'auto_promote=true&from=cli'): Promise<Answer> =>
  call(`POST /v1/deploy?${query}`, project(files));

interface Shown {
  readonly id: string;
  readonly status: string;
  readonly live: boolean;
  readonly errors: readonly { filename: string; error: string }[];
  readonly feedback: readonly { level: string; resource: string; message: string }[];
}

const deploymentOf = ({ json }: Answer): Shown => json['deployment'] as Shown;
const listed = async (): Promise<readonly Shown[]> =>
  (await call('GET /v1/deployments')).json['deployments'] as Shown[];
const sourceNames = async (): Promise<string[]> =>
  ((await call('/v0/datasources')).json['datasources'] as { name: string }[]).map(({ name }) => name);

async function live(files: Files, query?: string): Promise<Shown> {
  const answer = await deploy(files, query);
  const until = Date.now() + 20_000;
  for (let shown = deploymentOf(answer); ; shown = deploymentOf(await call(`/v1/deployments/${shown.id}`))) {
    if (shown.live || answer.json['result'] === 'failed' || Date.now() > until) {
      if (!shown.live) throw new Error(`it is not live: ${JSON.stringify(shown)} ${answer.text}`);
      return shown;
    }
  }
}

describe('a deployment', () => {
  it('is checked, and makes nothing', async () => {
    const { status, json } = await deploy(PROJECT, 'check=true&from=cli');
    expect([status, json]).toMatchObject([
      200,
      {
        result: 'success',
        deployment: {
          new_datasource_names: ['hits'],
          new_pipe_names: ['top'],
          changed_datasource_names: [],
          deleted_pipe_names: [],
          errors: [],
          feedback: [],
          data_movements: [],
          token_changes: [],
          created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/u) as unknown,
        },
      },
    ]);
    expect([await sourceNames(), await listed()]).toMatchObject([[], [{ id: '0', live: true, status: 'data_ready' }]]);
  });

  it('is live when it promotes itself, and the only one then', async () => {
    const { id } = await live(PROJECT);
    expect(await listed()).toMatchObject([{ id, live: true, status: 'data_ready' }]);
    expect((await call('/v1/deployments/0')).json['deployment']).toMatchObject({ status: 'deleted', live: false });
    expect(await sourceNames()).toEqual(['hits']);
    const tokens = (await call('/v0/tokens')).json['tokens'] as { name: string; scopes: object[]; token: string }[];
    expect(tokens.find(({ name }) => name === 'sender')?.scopes).toEqual([
      { type: 'DATASOURCES:APPEND', resource: 'hits' },
    ]);
    expect(tokens.find(({ name }) => name === 'reader')?.scopes).toEqual([{ type: 'PIPES:READ', resource: 'top' }]);
    const again = await deploy(PROJECT);
    expect([again.json['result'], Object.keys(deploymentOf(again)).length > 0]).toEqual(['no_changes', true]);
    expect(await listed()).toHaveLength(1);
  });

  it('waits to be promoted if nobody says otherwise', async () => {
    const first = await live(PROJECT);
    const { json } = await deploy(
      { ...PROJECT, 'datasources/more.datasource': 'SCHEMA >\n    a String\n' },
      'from=cli',
    );
    const { id } = json['deployment'] as Shown;
    expect((await call(`/v1/deployments/${id}?from=cli`)).json['deployment']).toMatchObject({
      status: 'data_ready',
      live: false,
    });
    expect((await listed()).map((one) => [one.id, one.live])).toEqual([
      [first.id, true],
      [id, false],
    ]);
    expect(await sourceNames()).toEqual(['hits']);
    expect((await deploy(PROJECT)).status).toBe(409);
    expect((await call(`POST /v1/deployments/${id}/set-live`)).json['deployment']).toMatchObject({ live: true });
    expect((await call(`DELETE /v1/deployments/${first.id}`)).json).toMatchObject({
      result: 'success',
      deployment: { status: 'deleted' },
    });
    expect((await call(`/v1/deployments/${first.id}`)).json['deployment']).toMatchObject({ status: 'deleted' });
    expect([await sourceNames(), (await listed()).length]).toEqual([['hits', 'more'], 1]);
  });

  it('is discarded', async () => {
    const { json } = await deploy(PROJECT, 'from=cli');
    const { id } = json['deployment'] as Shown;
    await call(`/v1/deployments/${id}`);
    expect((await call(`DELETE /v1/deployments/${id}`)).status).toBe(200);
    expect((await call(`POST /v1/deployments/${id}/set-live`)).status).toBe(409);
    expect(await sourceNames()).toEqual([]);
    expect((await call('/v1/deployments/123')).status).toBe(404);
  });

  it('changes what is there, and keeps rows', async () => {
    await live(PROJECT);
    await server.call('POST /v0/events?name=hits&wait=true', { token, body: '{"ts":"2026-01-01","page":"a"}' });
    await live({
      ...PROJECT,
      'datasources/hits.datasource': HITS.replace('json:$.page`', 'json:$.page`,\n    `n` UInt8 `json:$.n` DEFAULT 3'),
    });
    expect(await server.rows('SELECT page, n FROM hits', token)).toEqual([{ page: 'a', n: 3 }]);
  });

  it('says what would be lost, and loses it only when told so', async () => {
    await live(PROJECT);
    const refused = await deploy({ 'endpoints/one.pipe': ONE });
    expect([refused.status, refused.json['result']]).toEqual([400, 'failed']);
    expect(refused.json['errors']).toEqual([
      { filename: 'hits.datasource', error: expect.stringContaining('drops all its rows') as unknown },
    ]);
    expect(await sourceNames()).toEqual(['hits']);
    await live({ 'endpoints/one.pipe': ONE }, 'auto_promote=true&allow_destructive_operations=true');
    expect(await sourceNames()).toEqual([]);
  });

  it.each<[string, Files, Record<string, RegExp>]>([
    [
      'a file that cannot be read',
      { 'datasources/broken.datasource': 'SCHEMA >\n    `a` Strong\n' },
      { 'datasources/broken.datasource': /line 2: .*Strong/u },
    ],
    [
      'several, and says all',
      { 'x.datasource': 'SCHEMA >\n    a Strong,\n    b Wrong\n', 'y.pipe': 'SQL >\n    SELECT 1\n' },
      { 'x.datasource': /Strong/u, 'y.pipe': /NODE/u },
    ],
    [
      'a pipe that selects from nowhere',
      { 'lost.pipe': 'NODE a\nSQL >\n    SELECT 1 FROM nowhere\nTYPE endpoint\n' },
      { 'lost.pipe': /Resource 'nowhere' not found/u },
    ],
    [
      'a pipe that reads elsewhere',
      { 'spy.pipe': 'NODE a\nSQL >\n    SELECT * FROM tenant_default.spans\nTYPE endpoint\n' },
      { 'spy.pipe': /./u },
    ],
    [
      'a pipe that reads files',
      { 'spy.pipe': "NODE a\nSQL >\n    SELECT file('/etc/passwd')\nTYPE endpoint\n" },
      { 'spy.pipe': /file/u },
    ],
    [
      'a materialization that reads files',
      {
        'd.datasource': 'SCHEMA >\n    a String\n',
        'spy.pipe': "NODE a\nSQL >\n    SELECT a FROM url('http://x/')\nTYPE materialized\nDATASOURCE d\n",
      },
      { 'spy.pipe': /url/u },
    ],
    [
      'a materialization into nowhere',
      { 'm.pipe': 'NODE a\nSQL >\n    SELECT 1 AS a\nTYPE materialized\nDATASOURCE nowhere\n' },
      { 'm.pipe': /nowhere/u },
    ],
    [
      'a default that reads files',
      { 'd.datasource': "SCHEMA >\n    a String DEFAULT file('/etc/passwd')\n" },
      { 'd.datasource': /file/u },
    ],
    [
      'a template that cannot be read',
      { 't.pipe': 'NODE a\nSQL >\n    %\n    SELECT {{ __import__("os") }}\nTYPE endpoint\n' },
      { 't.pipe': /./u },
    ],
    [
      'two files of one name',
      { 'a/x.datasource': 'SCHEMA >\n    a String\n', 'b/x.datasource': 'SCHEMA >\n    a String\n' },
      { 'b/x.datasource': /same name/u },
    ],
    ['a file of another kind', { 'x.table': 'SCHEMA >\n    a String\n' }, { 'x.table': /no resource/u }],
    [
      'a name like a path',
      { '../../../etc/x y.datasource': 'SCHEMA >\n    a String\n' },
      { '../../../etc/x y.datasource': /name/u },
    ],
  ])('fails for %s, with its file, and changes nothing', async (_, files, expected) => {
    for (const query of ['check=true', 'auto_promote=true']) {
      const { status, json } = await deploy(files, query);
      const errors = json['errors'] as { filename: string; error: string }[];
      expect([status, json['result'], json['error']]).toEqual([400, 'failed', undefined]);
      for (const [file, message] of Object.entries(expected))
        expect(errors).toEqual(
          expect.arrayContaining([{ filename: file, error: expect.stringMatching(message) as unknown }]),
        );
      expect((json['deployment'] as Shown).errors).toEqual(errors);
    }
    expect([await sourceNames(), (await listed()).length]).toEqual([[], 1]);
  });

  it('warns of what is unusual', async () => {
    const old = 'SCHEMA >\n    a String\n\nENGINE MergeTree\nPARTITION BY tuple()\nORDER BY (a)\n';
    const { json } = await deploy({ 'old.datasource': old }, 'check=true');
    expect(json['result']).toBe('success');
    expect((json['deployment'] as Shown).feedback).toEqual(
      expect.arrayContaining([expect.objectContaining({ level: 'WARNING', resource: 'old.datasource' })]),
    );
  });

  it('warns that connections of the project are not used, and deploys the rest', async () => {
    const files = { 'connections/x.connection': 'TYPE s3\nS3_SECRET secret\n', 'endpoints/one.pipe': ONE };
    const { json } = await deploy(files);
    expect(json['result']).toBe('success');
    expect((json['deployment'] as Shown).feedback).toEqual([
      {
        level: 'WARNING',
        resource: 'connections/x.connection',
        message: expect.stringContaining('operator') as unknown,
      },
    ]);
  });

  it('takes what one file includes of another, files in vendor, and no data', async () => {
    await live({
      'datasources/hits.datasource': HITS,
      'includes/engine.incl': 'ENGINE "MergeTree"\nENGINE_SORTING_KEY "$KEY"\n',
      'datasources/other.datasource': 'SCHEMA >\n    a String\n\nINCLUDE "../includes/engine.incl" "KEY=a"\n',
      'fixtures/hits.ndjson': '{"page":"x"}\n',
    });
    expect(await sourceNames()).toEqual(['hits', 'other']);
  });
});

describe('a request that is wrong', () => {
  it.each<[string, () => [string | FormData | Uint8Array, Record<string, string>], number]>([
    ['no form', () => ['SCHEMA >', { 'content-type': 'text/plain' }], 400],
    ['a form without its boundary', () => ['x', { 'content-type': 'multipart/form-data' }], 400],
    [
      'a form that breaks off',
      () => [
        '--b\r\nContent-Disposition: form-data; name="data_project://"; filename="a.pipe"\r\n\r\nNODE',
        { 'content-type': 'multipart/form-data; boundary=b' },
      ],
      400,
    ],
    [
      'a file that is no text',
      () => [
        Buffer.concat([
          Buffer.from('--b\r\nContent-Disposition: form-data; name="data_project://"; filename="a.pipe"\r\n\r\n'),
          Buffer.from([0xff, 0xfe]),
          Buffer.from('\r\n--b--\r\n'),
        ]),
        { 'content-type': 'multipart/form-data; boundary=b' },
      ],
      400,
    ],
    ['a file that is too large', () => [project({ 'a.pipe': 'x'.repeat(3 << 20) }), {}], 413],
    [
      'a bomb',
      () => [
        gzipSync(Buffer.alloc(70 << 20, 'x')),
        { 'content-type': 'multipart/form-data; boundary=b', 'content-encoding': 'gzip' },
      ],
      413,
    ],
    [
      'too many files',
      () => [project(Object.fromEntries(Array.from({ length: 5_002 }, (_, n) => [`f${n}.pipe`, 'x']))), {}],
      413,
    ],
  ])('%s is refused', async (_, make, status) => {
    const [body, headers] = make();
    for (const path of ['/v1/deploy?auto_promote=true', '/v1/build']) {
      const answer = await server.call(`POST ${path}`, { token, body, headers });
      expect([path, answer.status, typeof answer.json['error']]).toEqual([path, status, 'string']);
    }
  });
});

describe('a build', () => {
  it('is live with its answer, and again no change', async () => {
    const { status, json } = await call('POST /v1/build?with_connections=true', project(PROJECT));
    expect([status, json]).toMatchObject([
      200,
      {
        result: 'success',
        build: {
          new_datasource_names: ['hits'],
          new_pipe_names: ['top'],
          deleted_datasource_names: [],
          feedback: [],
          datasources: [{ name: 'hits' }],
          pipes: [{ name: 'top' }],
        },
      },
    ]);
    expect(await sourceNames()).toEqual(['hits']);
    const again = (await call('POST /v1/build', project(PROJECT))).json['build'] as Record<string, unknown>;
    for (const [name, list] of Object.entries(again))
      if (name.endsWith('_names')) expect([name, list]).toEqual([name, []]);
    expect((await deploy(PROJECT)).json['result']).toBe('no_changes');
  });

  it('drops what is no longer there', async () => {
    await call('POST /v1/build', project(PROJECT));
    const { json } = await call('POST /v1/build', project({ 'datasources/hits.datasource': HITS }));
    expect(json['build']).toMatchObject({ deleted_pipe_names: ['top'] });
  });

  it('with a mistake says where', async () => {
    const { status, json } = await call(
      'POST /v1/build',
      project({ 'lost.pipe': 'NODE a\nSQL >\n    SELECT 1 FROM nowhere\n' }),
    );
    expect([status, json['result'], json['errors']]).toEqual([
      400,
      'failed',
      [{ filename: 'lost.pipe', error: expect.stringContaining('nowhere') as unknown }],
    ]);
  });
});

it('has not logged an error of its own', () => {
  expect(server.faults).toEqual([]);
});
