/**
 * The reading end of a named pipe through which one result comes. Separate because the engine writes results to files only
 * (INTO OUTFILE), and a pipe is the file that streams: bounded memory, and a slow client slows the query down.
 *
 * Must stay true: the reading end stays open until the engine call has returned, because the engine's thread would wait for
 * ever in opening a pipe that nobody reads; what is no longer wanted is read and dropped.
 */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, lstatSync, openSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { Socket } from 'node:net';
import { promisify } from 'node:util';

export class Fifo {
  readonly #socket: Socket;
  #writeEnd: number | undefined;

  private constructor(path: string) {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    this.#socket = new Socket({ fd, readable: true, writable: false });
    // Held open beside the engine's, so that the end of the result is when both are closed, whether the engine came or not.
    this.#writeEnd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  }

  /** Opens the pipe at `path`, making it first if it is not there; holds no thread of the pool while it waits. */
  static async open(path: string): Promise<Fifo> {
    // The engine removes what it took for a file when it could not even begin to write.
    if (lstatSync(path, { throwIfNoEntry: false })?.isFIFO() !== true) {
      await rm(path, { force: true });
      await makeFifos([path]);
    }
    return new Fifo(path);
  }

  /** Hands every chunk to `consume`, one after the other, until {@link finish} was called and all is read. */
  async pump(consume: (chunk: Buffer) => Promise<void>): Promise<void> {
    for await (const chunk of this.#socket) await consume(chunk as Buffer);
  }

  /** Says that the engine call has returned; what is still in the pipe is read before {@link pump} ends. */
  finish(): void {
    if (this.#writeEnd !== undefined) closeSync(this.#writeEnd);
    this.#writeEnd = undefined;
  }

  /** Closes the reading end; what is left in the pipe is dropped. */
  async close(): Promise<void> {
    this.finish();
    if (this.#socket.closed) return;
    const closed = once(this.#socket, 'close');
    this.#socket.destroy();
    await closed;
  }
}

/** Makes named pipes that only the owner may use. Node has no call for it. */
export async function makeFifos(paths: readonly string[]): Promise<void> {
  await promisify(execFile)('mkfifo', ['-m', '600', ...paths]);
}
