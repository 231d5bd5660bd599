/**
 * Where the files of sinks go: a folder of this server, or storage that speaks S3.
 *
 * Must stay true: a file is whole or not there. Keys and secrets of a connection reach nobody but the storage: no log, no error and
 * no job has them. A workspace uses the connections that its operator gave it and no others.
 */

import { linkSync, mkdirSync, readFileSync, renameSync, unlinkSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AwsClient } from 'aws4fetch';
import { AppError } from '@glasshouse/model';
import { plainPath } from './sinks-template.ts';

/** A file that was made, with a name to end it. */
export interface MadeFile {
  /** Where it is now; it may be moved from there. */
  readonly path: string;
  readonly bytes: number;
  readonly contentType: string;
}

export interface Destination {
  /** Puts a file under a name. With `isNew` another one of that name stays, and this one gets a number. Resolves with its address. */
  put(name: string, ending: string, file: MadeFile, isNew: boolean): Promise<string>;
}

/** Storage that speaks S3, as its operator describes it. */
export interface Connection {
  /** Such as `https://s3.eu-west-1.amazonaws.com`. */
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  /** Buckets that may be written to; all if it is left out. */
  readonly buckets?: readonly string[];
}

/** Gives the connection of this name that a workspace may use. */
export type FindConnection = (tenant: string, name: string) => Connection | undefined;

const MAX_NUMBER = 10_000;
const PART_BYTES = 16 << 20;

/**
 * Reads connections from a JSON file with `{"TENANT/NAME": {…}}`, where the tenant may be `*`. It is read whenever one is asked for,
 * so that a change needs no restart.
 */
export function connectionsIn(path: string): FindConnection {
  return (tenant, name) => {
    let known: Readonly<Record<string, Connection>>;
    try {
      known = JSON.parse(readFileSync(path, 'utf8')) as Readonly<Record<string, Connection>>;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      // What is wrong with it may quote a secret.
      throw new AppError('internal', `cannot read the connections in ${path}: it is no JSON object`);
    }
    return known[`${tenant}/${name}`] ?? known[`*/${name}`];
  };
}

/** A folder of this server. */
export class Folder implements Destination {
  private readonly root: string;
  private readonly prefix: string;

  /** Files go below `root`, in the folders of `prefix`. */
  constructor(root: string, prefix: string) {
    this.root = root;
    this.prefix = prefix;
  }

  async put(name: string, ending: string, file: MadeFile, isNew: boolean): Promise<string> {
    const handle = await open(file.path, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
    for (let number = 1; number <= MAX_NUMBER; number++) {
      const relative = plainPath(this.prefix, numbered(name, number) + ending);
      const path = join(this.root, relative);
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      if (!isNew) renameSync(file.path, path);
      else if (linked(file.path, path)) unlinkSync(file.path);
      else continue;
      return `file://${path}`;
    }
    throw new AppError('conflict', `cannot export ${name}: there are ${MAX_NUMBER} files of this name`);
  }
}

/** A bucket, with a prefix for all names. */
export class Bucket implements Destination {
  private readonly client: AwsClient;
  private readonly base: string;
  private readonly bucket: string;
  private readonly prefix: string;

  constructor(connection: Connection, bucket: string, prefix: string) {
    const { accessKeyId, secretAccessKey, sessionToken, region, endpoint } = connection;
    this.client = new AwsClient({
      accessKeyId,
      secretAccessKey,
      region,
      service: 's3',
      retries: 3,
      ...(sessionToken === undefined ? {} : { sessionToken }),
    });
    this.base = `${endpoint.replace(/\/+$/u, '')}/${bucket}`;
    this.bucket = bucket;
    this.prefix = prefix;
  }

  async put(name: string, ending: string, file: MadeFile, isNew: boolean): Promise<string> {
    for (let number = 1; number <= MAX_NUMBER; number++) {
      const key = plainPath(this.prefix, numbered(name, number) + ending);
      if (isNew && (await this.exists(key))) continue;
      await (file.bytes <= PART_BYTES ? this.putWhole(key, file) : this.putParts(key, file));
      return `s3://${this.bucket}/${key}`;
    }
    throw new AppError('conflict', `cannot export ${name}: there are ${MAX_NUMBER} objects of this name`);
  }

  private async exists(key: string): Promise<boolean> {
    const response = await this.request('HEAD', key, '', {}, [404]);
    return response.ok;
  }

  private async putWhole(key: string, file: MadeFile): Promise<void> {
    const handle = await open(file.path, 'r');
    try {
      await this.request('PUT', key, '', {
        body: await handle.readFile(),
        headers: { 'Content-Type': file.contentType },
      });
    } finally {
      await handle.close();
    }
  }

  private async putParts(key: string, file: MadeFile): Promise<void> {
    const begun = await this.request('POST', key, '?uploads=', { headers: { 'Content-Type': file.contentType } });
    const upload = /<UploadId>([^<]+)<\/UploadId>/u.exec(await begun.text())?.[1];
    if (upload === undefined) throw new AppError('unavailable', `cannot export ${key}: the storage began no upload`);
    const id = `uploadId=${encodeURIComponent(upload)}`;
    const handle = await open(file.path, 'r');
    try {
      const tags: string[] = [];
      for (let at = 0; at < file.bytes; at += PART_BYTES) {
        const body = Buffer.alloc(Math.min(PART_BYTES, file.bytes - at));
        await handle.read(body, 0, body.length, at);
        const { headers } = await this.request('PUT', key, `?partNumber=${tags.length + 1}&${id}`, { body });
        tags.push(headers.get('etag') ?? '');
      }
      const parts = tags.map((tag, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>${tag}</ETag></Part>`);
      const done = await this.request('POST', key, `?${id}`, {
        body: `<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`,
      });
      // It may fail after it answered 200.
      if ((await done.text()).includes('<Error>'))
        throw new AppError('unavailable', `cannot export ${key}: the storage failed`);
    } catch (error) {
      await this.request('DELETE', key, `?${id}`).catch(() => undefined);
      throw error;
    } finally {
      await handle.close();
    }
  }

  private async request(
    method: string,
    key: string,
    query: string,
    init: { readonly body?: Buffer | string; readonly headers?: Readonly<Record<string, string>> } = {},
    also: readonly number[] = [],
  ): Promise<Response> {
    const path = key.split('/').map(encodeURIComponent).join('/');
    let response: Response;
    try {
      response = await this.client.fetch(`${this.base}/${path}${query}`, { method, ...init });
    } catch (error) {
      const { cause } = error as { readonly cause?: { readonly code?: unknown } };
      const why = typeof cause?.code === 'string' ? cause.code : 'no answer';
      throw new AppError('unavailable', `cannot export ${key}: the storage cannot be reached (${why})`);
    }
    if (response.ok || also.includes(response.status)) return response;
    // Its text may repeat the key id and what was signed.
    const code = /<Code>(\w{1,60})<\/Code>/u.exec(await response.text())?.[1] ?? 'no reason';
    const retryable = response.status === 429 || response.status >= 500;
    throw new AppError(
      retryable ? 'unavailable' : 'bad_request',
      `cannot export ${key}: the storage answered ${response.status} (${code})`,
    );
  }
}

/** The first has the name itself, the others a number behind it. */
function numbered(name: string, number: number): string {
  return number === 1 ? name : `${name}_${number}`;
}

/** False if there is one of that name. */
function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}
