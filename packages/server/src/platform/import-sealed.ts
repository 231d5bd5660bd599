/**
 * Files of imports as they lie on the disk: enciphered with a key that is in memory only, because what somebody sends has not been
 * redacted yet. AES-256 in counter mode, so that a part of a file can be read where it is, as Parquet has to be; every file has a
 * key of its own, so that no counter is used twice. Nobody is meant to be kept from changing them: who can write there can do worse.
 *
 * Must stay true: a key is written nowhere, so that after the end of the process nobody reads what it left.
 */

import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import type { Readable, Transform } from 'node:stream';

/** A file, and what reads it. Plain data, because it goes to another thread. */
export interface SealedFile {
  readonly path: string;
  readonly key: Uint8Array;
}

const CIPHER = 'aes-256-ctr';
const KEY_BYTES = 32;
const BLOCK_BYTES = 16;
const CHUNK_BYTES = 1 << 20;

export function newKey(): Uint8Array {
  return new Uint8Array(randomBytes(KEY_BYTES));
}

/** Enciphers a stream from its start. */
export function sealing(key: Uint8Array): Transform {
  return createCipheriv(CIPHER, key, counterAt(0));
}

/** All of a file. */
export function readSealed({ path, key }: SealedFile): Readable {
  const stream = createReadStream(path, { highWaterMark: CHUNK_BYTES });
  const plain = createDecipheriv(CIPHER, key, counterAt(0));
  stream.on('error', (error) => plain.destroy(error));
  plain.on('close', () => stream.destroy());
  return stream.pipe(plain);
}

/** A file that is open for reading parts of it. */
export class OpenSealed {
  private readonly handle: FileHandle;
  private readonly key: Uint8Array;

  private constructor(handle: FileHandle, key: Uint8Array) {
    this.handle = handle;
    this.key = key;
  }

  static async open({ path, key }: SealedFile): Promise<OpenSealed> {
    return new OpenSealed(await open(path, 'r'), key);
  }

  async bytes(): Promise<number> {
    return (await this.handle.stat()).size;
  }

  /** So many bytes from there on; fewer at the end of the file. */
  async read(from: number, length: number): Promise<Buffer<ArrayBuffer>> {
    const sealed = Buffer.allocUnsafeSlow(length);
    const { bytesRead } = await this.handle.read(sealed, 0, length, from);
    const within = from % BLOCK_BYTES;
    const cipher = createDecipheriv(CIPHER, this.key, counterAt((from - within) / BLOCK_BYTES));
    cipher.update(Buffer.alloc(within));
    return cipher.update(sealed.subarray(0, bytesRead));
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}

/** The first bytes of a file. */
export async function headOf(file: SealedFile, length: number): Promise<Buffer> {
  const opened = await OpenSealed.open(file);
  try {
    return await opened.read(0, length);
  } finally {
    await opened.close();
  }
}

/** The counter of a block. */
function counterAt(block: number): Buffer {
  const counter = Buffer.alloc(BLOCK_BYTES);
  counter.writeBigUInt64BE(BigInt(block), BLOCK_BYTES - 8);
  return counter;
}
