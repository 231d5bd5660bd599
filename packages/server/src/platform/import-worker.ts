/** The thread of one import: converts its file, a piece whenever one is asked for. */

import { parentPort, workerData } from 'node:worker_threads';
import { invariant, toAppError } from '@glasshouse/model';
import type { ErrorCode } from '@glasshouse/model';
import type { Conversion } from './import-convert.ts';
import { convert } from './import-convert.ts';

/** What the thread answers to a request for the next piece. */
export type PieceMessage =
  | { readonly kind: 'piece'; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: 'end' }
  | { readonly kind: 'error'; readonly code: ErrorCode; readonly message: string };

invariant(parentPort !== null, 'the import worker was started outside of a worker thread');
run(parentPort, workerData as Conversion);

function run(port: NonNullable<typeof parentPort>, conversion: Conversion): void {
  // The reader of Parquet reads columns side by side. When one fails, the file has failed, and the others are of no interest.
  process.on('unhandledRejection', () => undefined);
  const pieces = convert(conversion);
  const next = async (): Promise<PieceMessage> => {
    try {
      const piece = await pieces.next();
      if (piece.done === true) return { kind: 'end' };
      // A copy of its own, so that its memory can be handed over.
      return { kind: 'piece', bytes: new Uint8Array(piece.value) };
    } catch (thrown) {
      const { code, message } = toAppError(thrown);
      return { kind: 'error', code, message };
    }
  };
  port.on('message', () => {
    void next().then((message) => port.postMessage(message, message.kind === 'piece' ? [message.bytes.buffer] : []));
  });
}
