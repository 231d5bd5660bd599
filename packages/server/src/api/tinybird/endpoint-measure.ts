/**
 * What an answer came to, read off the bytes on their way: how many, how many rows, how much was read for them. Beside the way to
 * the client, so that measuring takes no time from it.
 */

import type { Answer } from '../../query/door.ts';

/** The end of a JSON result has its numbers; they fit into this. */
const TAIL_BYTES = 512;

export class Measured {
  rows: number | undefined;
  bytes = 0;
  readRows = 0;
  readBytes = 0;
  /** True if the answer did not come to its end. */
  broke = false;

  /** Watches an answer; `whole` is called with its body if that has `keepBytes` at most and came to its end. */
  watch(answer: Answer, keepBytes: number, whole: (body: Buffer, rows: number | undefined) => void): void {
    const { stream } = answer;
    const chunks: Buffer[] = [];
    let tail: Buffer = Buffer.alloc(0);
    this.broke = true;
    stream.on('data', (chunk: Buffer) => {
      this.bytes += chunk.length;
      if (this.bytes <= keepBytes) chunks.push(chunk);
      tail =
        chunk.length >= TAIL_BYTES ? chunk.subarray(-TAIL_BYTES) : Buffer.concat([tail, chunk]).subarray(-TAIL_BYTES);
    });
    stream.pause();
    stream.once('end', () => {
      this.broke = false;
      this.readSummary(answer.headers['x-clickhouse-summary']);
      if (answer.format === 'JSON') this.readTail(tail.toString('latin1'));
      if (this.bytes <= keepBytes) whole(Buffer.concat(chunks), this.rows);
    });
  }

  private readSummary(summary: string | undefined): void {
    if (summary === undefined) return;
    const said = JSON.parse(summary) as Readonly<Record<string, string | undefined>>;
    this.rows = said['result_rows'] === undefined ? undefined : Number(said['result_rows']);
    this.readRows = Number(said['read_rows'] ?? 0);
    this.readBytes = Number(said['read_bytes'] ?? 0);
  }

  /** `"rows": 2, … "statistics": { "elapsed": …, "rows_read": …, "bytes_read": … }` behind the data. */
  private readTail(text: string): void {
    const rows = /\n\t"rows": (\d+),?\n(?![^]*\n\t"rows": )/u.exec(text)?.[1];
    if (rows !== undefined) this.rows = Number(rows);
    const [, readRows, readBytes] =
      /\n\t\t"rows_read": (\d+),\n\t\t"bytes_read": (\d+)\n\t\}\n\}\s*$/u.exec(text) ?? [];
    if (readRows === undefined) return;
    this.readRows = Number(readRows);
    this.readBytes = Number(readBytes);
  }
}
