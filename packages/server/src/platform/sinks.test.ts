import { createServer } from 'node:http';
import type { IncomingMessage, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { AwsV4Signer } from 'aws4fetch';
import type { PipeNode } from '@glasshouse/model';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { PipeStand } from '../api/tinybird/testing/pipes.ts';
import { openPipes, TENANT } from '../api/tinybird/testing/pipes.ts';
import type { Job } from './jobs.ts';
import { column, dataSource, failure } from './testing/stand.ts';

const SECRET = 'wJalrXUtnFEMI-of-the-tests';
const KEY_ID = 'AKIAOFTHETESTS';

let stand: PipeStand;
let storage: Storage;

beforeAll(async () => {
  stand = await openPipes(() => []);
  storage = await openStorage();
  const { registry } = stand.platform;
  const columns = [column('id', 'UInt64'), column('at', 'DateTime'), column('place', 'String')];
  await registry.createDataSource(
    TENANT,
    dataSource('trips', { columns, engine: { name: 'MergeTree', sortingKey: 'id' } }),
  );
  await stand.rows(
    'trips',
    `(id, at, place) VALUES (1, '2026-01-05 08:00:00', 'north'), (18446744073709551615, '2026-01-05 09:00:00', 'a/../b'), (3, '2026-01-06 10:00:00', 'north')`,
  );
  const connection = {
    endpoint: storage.url,
    region: 'eu-west-1',
    accessKeyId: KEY_ID,
    secretAccessKey: SECRET,
    buckets: ['archive'],
  };
  writeFileSync(
    join(stand.stand.dir, 'connections.json'),
    JSON.stringify({ [`${TENANT}/archive`]: connection, 'other/theirs': connection }),
  );
});

afterAll(async () => {
  await stand.close();
  storage.server.closeAllConnections();
  storage.server.close();
});

beforeEach(() => {
  storage.objects.clear();
  storage.refused = 0;
  storage.fails = false;
});

const SQL = 'SELECT id, at, place FROM trips ORDER BY id';

async function run(settings: PipeNode['settings'], sql = SQL): Promise<Job> {
  const { platform, sinks } = stand;
  await stand.put('out', sql, { nodes: [{ name: 'made', sql, type: 'sink', settings }] });
  const entry = platform.registry.pipe(TENANT, 'out');
  const job = await sinks.start(entry);
  return platform.jobs.ended(TENANT, job.id);
}

const folder = (): string => join(stand.stand.dir, 'exports', TENANT);
const files = (): string[] =>
  readdirSync(folder(), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder().length + 1))
    .toSorted();

describe('a sink into a folder', () => {
  it('writes CSV to the byte, and never over another file', async () => {
    const settings = { EXPORT_BUCKET_URI: 'file://plain', EXPORT_FILE_TEMPLATE: 'all' };
    expect(await run(settings)).toMatchObject({
      status: 'done',
      result: { files: [`file://${folder()}/plain/all.csv`] },
    });
    await run(settings);
    expect(files().filter((name) => name.startsWith('plain'))).toEqual(['plain/all.csv', 'plain/all_2.csv']);
    expect(readFileSync(join(folder(), 'plain/all_2.csv'), 'utf8')).toBe(
      '"id","at","place"\n1,"2026-01-05 08:00:00","north"\n3,"2026-01-06 10:00:00","north"\n18446744073709551615,"2026-01-05 09:00:00","a/../b"\n',
    );
  });

  it('writes over it if it is told to', async () => {
    const settings = { EXPORT_BUCKET_URI: 'file://over', EXPORT_WRITE_STRATEGY: 'truncate', EXPORT_FORMAT: 'ndjson' };
    await run(settings);
    await run(settings, 'SELECT id FROM trips WHERE id > 3');
    expect(files().filter((name) => name.startsWith('over'))).toEqual(['over/out.ndjson']);
    expect(readFileSync(join(folder(), 'over/out.ndjson'), 'utf8')).toBe('{"id":18446744073709551615}\n');
  });

  it('splits by a date and a column, packed, without leaving the folder', async () => {
    const settings = {
      EXPORT_BUCKET_URI: 'file:///split',
      EXPORT_FILE_TEMPLATE: "{at, '%Y/%m-%d'}_{place}",
      EXPORT_FORMAT: 'ndjson',
      EXPORT_COMPRESSION: 'gz',
    };
    expect(await run(settings)).toMatchObject({ status: 'done', result: { rows: 3 } });
    expect(files().filter((name) => name.startsWith('split'))).toEqual([
      'split/2026/01-05_a_.._b.ndjson.gz',
      'split/2026/01-05_north.ndjson.gz',
      'split/2026/01-06_north.ndjson.gz',
    ]);
    const packed = readFileSync(join(folder(), 'split/2026/01-06_north.ndjson.gz'));
    expect(gunzipSync(packed).toString()).toBe('{"id":3,"at":"2026-01-06 10:00:00","place":"north"}\n');
  });

  it('splits into a number of files', async () => {
    const job = await run(
      { EXPORT_BUCKET_URI: 'file://n', EXPORT_FILE_TEMPLATE: 'part_{2}' },
      'SELECT number FROM numbers(10)',
    );
    expect(job).toMatchObject({ status: 'done', result: { rows: 10 } });
    expect(files().filter((name) => name.startsWith('n/'))).toEqual(['n/part_0.csv', 'n/part_1.csv']);
  });

  it('writes Parquet', async () => {
    await run({ EXPORT_BUCKET_URI: 'file://p', EXPORT_FORMAT: 'parquet', EXPORT_COMPRESSION: 'zstd' });
    const bytes = readFileSync(join(folder(), 'p/out.parquet'));
    expect([bytes.subarray(0, 4).toString(), bytes.subarray(-4).toString()]).toEqual(['PAR1', 'PAR1']);
  });

  it('leaves nothing behind, also if it fails', async () => {
    const failed = await run(
      { EXPORT_BUCKET_URI: 'file://f' },
      "SELECT throwIf(number = 5000000, 'late') AS x FROM numbers(6000000)",
    );
    expect(failed.status).toBe('error');
    expect(files().filter((name) => name.startsWith('f/'))).toEqual([]);
    expect(readdirSync(join(stand.stand.dir, 'exports', '.spool'))).toEqual([]);
    expect(await stand.ask("SELECT name FROM system.tables WHERE database = 'glasshouse_building'")).toEqual([]);
  });
});

describe('a sink into a bucket', () => {
  const settings = { EXPORT_CONNECTION_NAME: 'archive', EXPORT_BUCKET_URI: 's3://archive/trips' };

  it('puts signed objects, and never over another one', async () => {
    expect(await run(settings)).toMatchObject({ status: 'done', result: { files: ['s3://archive/trips/out.csv'] } });
    await run(settings);
    expect([...storage.objects.keys()].toSorted()).toEqual(['/archive/trips/out.csv', '/archive/trips/out_2.csv']);
    expect(storage.refused).toBe(0);
    expect(storage.objects.get('/archive/trips/out.csv')?.toString()).toContain('"north"');
  });

  it('puts what is large in parts', async () => {
    const sql =
      'SELECT number, hex(SHA256(toString(number))) AS h, hex(SHA256(toString(-number))) AS g FROM numbers(250000)';
    expect(await run({ ...settings, EXPORT_FORMAT: 'csv', EXPORT_FILE_TEMPLATE: 'large' }, sql)).toMatchObject({
      status: 'done',
    });
    const object = storage.objects.get('/archive/trips/large.csv');
    expect(object?.length).toBeGreaterThan(32 << 20);
    expect(object?.toString('latin1').split('\n')).toHaveLength(250_002);
    expect(storage.refused).toBe(0);
  });

  it('keeps its secrets to itself when the storage fails', async () => {
    storage.fails = true;
    const job = await run({ ...settings, EXPORT_WRITE_STRATEGY: 'truncate' });
    expect(job.status).toBe('error');
    expect(job.error).toContain('403 (SignatureDoesNotMatch)');
    expect(JSON.stringify([job, stand.audit])).not.toMatch(new RegExp(`${SECRET}|${KEY_ID}`, 'u'));
  });

  it.each([
    [{ ...settings, EXPORT_CONNECTION_NAME: 'theirs' }, /no such connection/u],
    [{ ...settings, EXPORT_BUCKET_URI: 's3://elsewhere/x' }, /not for it/u],
    [{ ...settings, EXPORT_BUCKET_URI: 'https://archive/x' }, /s3:\/\//u],
    [{ ...settings, EXPORT_FORMAT: 'xlsx' }, /one of csv, ndjson, parquet/u],
    [{ ...settings, EXPORT_COMPRESSION: 'rar' }, /one of none/u],
    [{ ...settings, EXPORT_KAFKA_TOPIC: 't' }, /Kafka/u],
    [{ ...settings, EXPORT_FILE_TEMPLATE: '{nothing}' }, /no column nothing/u],
  ])('is refused with %j', async (wrong, message) => {
    const { message: said } = await failure(() => run(wrong));
    expect(said).toMatch(message);
    expect(said).not.toMatch(new RegExp(`${SECRET}|${KEY_ID}`, 'u'));
  });
});

interface Storage {
  readonly url: string;
  readonly server: Server;
  readonly objects: Map<string, Buffer>;
  /** Requests whose signature was wrong. */
  refused: number;
  fails: boolean;
}

/** Enough of S3 to put objects, which checks what is signed. */
async function openStorage(): Promise<Storage> {
  const parts = new Map<string, Buffer[]>();
  const server = createServer((request, response) => {
    void (async () => {
      const url = new URL(request.url ?? '', storage.url);
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const body = Buffer.concat(chunks);
      if (storage.fails || !(await isSigned(request, url, body))) {
        if (!storage.fails) storage.refused++;
        response
          .writeHead(403)
          .end(`<Error><Code>SignatureDoesNotMatch</Code><AWSAccessKeyId>${KEY_ID}</AWSAccessKeyId></Error>`);
        return;
      }
      const upload = url.searchParams.get('uploadId');
      if (request.method === 'HEAD') response.writeHead(storage.objects.has(url.pathname) ? 200 : 404).end();
      else if (request.method === 'POST' && url.searchParams.has('uploads')) {
        parts.set('u1', []);
        response.end('<R><UploadId>u1</UploadId></R>');
      } else if (request.method === 'PUT' && upload !== null) {
        parts.get(upload)?.splice(Number(url.searchParams.get('partNumber')) - 1, 0, body);
        response.writeHead(200, { ETag: '"e"' }).end();
      } else if (request.method === 'POST' && upload !== null) {
        storage.objects.set(url.pathname, Buffer.concat(parts.get(upload) ?? []));
        response.end('<R/>');
      } else {
        storage.objects.set(url.pathname, body);
        response.end();
      }
    })();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const storage: Storage = { url, server, objects: new Map(), refused: 0, fails: false };
  return storage;
}

async function isSigned(request: IncomingMessage, url: URL, body: Buffer): Promise<boolean> {
  const { authorization = '', 'x-amz-date': datetime, 'content-type': type } = request.headers;
  const signer = new AwsV4Signer({
    method: request.method ?? '',
    url: url.href,
    headers: {
      'X-Amz-Content-Sha256': String(request.headers['x-amz-content-sha256']),
      ...(type === undefined ? {} : { 'Content-Type': type }),
    },
    ...(body.length === 0 ? {} : { body }),
    accessKeyId: KEY_ID,
    secretAccessKey: SECRET,
    region: 'eu-west-1',
    service: 's3',
    datetime: String(datetime),
  });
  return (await signer.sign()).headers.get('authorization') === authorization;
}
