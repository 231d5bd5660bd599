/**
 * One HTTP/1.1 connection that sends prepared bytes and reads only what it must of an answer: the status and where it ends.
 * A real client would cost more processor time than the server that it is to measure.
 */

import { connect } from 'node:net';
import type { Socket } from 'node:net';

/** Status 0 stands for a broken connection. */
type OnAnswer = (status: number, bodyBytes: number) => void;

const READ_BYTES = 64 << 10;

export class Connection {
  private readonly port: number;
  private socket: Socket | undefined;
  private onAnswer: OnAnswer | undefined;
  private received = '';

  constructor(port: number) {
    this.port = port;
  }

  get busy(): boolean {
    return this.onAnswer !== undefined;
  }

  /** Resolves when connected. */
  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      const buffer = Buffer.alloc(READ_BYTES);
      const callback = (length: number): boolean => {
        this.receive(buffer.toString('latin1', 0, length));
        return true;
      };
      const socket = connect({ host: '127.0.0.1', port: this.port, noDelay: true, onread: { buffer, callback } });
      socket.once('connect', resolve);
      socket.on('error', reject);
      socket.on('close', () => {
        if (this.socket === socket) this.socket = undefined;
        this.answer(0, 0);
      });
      this.socket = socket;
    });
  }

  /** Sends a request; the bytes must stay as they are until the answer is there. */
  send(bytes: Uint8Array, onAnswer: OnAnswer): void {
    this.onAnswer = onAnswer;
    if (this.socket !== undefined) {
      this.socket.write(bytes);
      return;
    }
    this.open().then(
      () => this.socket?.write(bytes),
      () => this.answer(0, 0),
    );
  }

  close(): void {
    this.socket?.destroy();
  }

  private receive(text: string): void {
    this.received += text;
    const headEnd = this.received.indexOf('\r\n\r\n');
    if (headEnd < 0) return;
    const bodyStart = headEnd + 4;
    const length = /\r\ncontent-length: *(\d+)/i.exec(this.received.slice(0, bodyStart))?.[1];
    if (length === undefined) {
      if (!this.received.endsWith('0\r\n\r\n')) return;
    } else if (this.received.length < bodyStart + Number(length)) return;
    const status = Number(this.received.slice(9, 12));
    const bodyBytes = length === undefined ? this.received.length - bodyStart : Number(length);
    this.received = '';
    this.answer(status, bodyBytes);
  }

  private answer(status: number, bodyBytes: number): void {
    const { onAnswer } = this;
    this.onAnswer = undefined;
    if (status === 0) this.received = '';
    onAnswer?.(status, bodyBytes);
  }
}
