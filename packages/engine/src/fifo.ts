/**
 * The reading end of a named pipe through which one result comes. Separate because the engine writes results to files only
 * (INTO OUTFILE), and a pipe is the file that streams: bounded memory, and a slow client slows the query down.
 *
 * Must stay true: the reading end stays open until the engine call has returned, because the engine's thread would wait for
 * ever in opening a pipe that nobody reads; what is no longer wanted is read and dropped.
 */
import { closeSync, constants, openSync } from 'node:fs';
import { once } from 'node:events';
import { Socket } from 'node:net';

export class Fifo {
  readonly #path: string;
  readonly #socket: Socket;

  /** Opens the pipe at `path`, which must exist; holds no thread of the pool while it waits. */
  constructor(path: string) {
    this.#path = path;
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    this.#socket = new Socket({ fd, readable: true, writable: false });
  }

  /** Hands every chunk to `consume`, one after the other, until {@link finish} was called and all is read. */
  async pump(consume: (chunk: Buffer) => Promise<void>): Promise<void> {
    for await (const chunk of this.#socket) await consume(chunk as Buffer);
  }

  /** Says that the writer is done. A writer that never came (the query failed early) leaves no end of file by itself. */
  finish(): void {
    if (this.#socket.destroyed) return;
    closeSync(openSync(this.#path, constants.O_WRONLY | constants.O_NONBLOCK));
  }

  /** Closes the reading end; what is left in the pipe is dropped. */
  async close(): Promise<void> {
    if (this.#socket.closed) return;
    const closed = once(this.#socket, 'close');
    this.#socket.destroy();
    await closed;
  }
}
