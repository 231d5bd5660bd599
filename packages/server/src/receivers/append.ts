/** Lines of an import on their way into the log: what a receiver does with a body, for bytes that are already here. */

import type { Append, AppendBoth } from '../platform/import.ts';
import type { Sink } from '../pipeline/sink.ts';

const NEWLINE = 0x0a;

/** Sends lines through the sink, which is asked for room first. */
export function appendTo(sink: Sink): Append {
  return async (target, ndjson) => {
    await sink.ready(ndjson.length);
    const body = sink.lend(ndjson.length);
    new Uint8Array(body.buffer).set(ndjson);
    body.length = ndjson.length;
    const { accepted, rejected, segment } = await sink.accept({
      signal: 'events',
      ...target,
      coding: 'identity',
      body,
    });
    return { accepted, rejected, segment };
  };
}

/** Sends lines of two data sources as one body. */
export function appendBothTo(sink: Sink): AppendBoth {
  return async (first, second) => {
    const from = first.lines.length + 1;
    const length = from + second.lines.length;
    await sink.ready(length);
    const body = sink.lend(length);
    const bytes = new Uint8Array(body.buffer);
    bytes.set(first.lines);
    bytes[from - 1] = NEWLINE;
    bytes.set(second.lines, from);
    body.length = length;
    const [{ lines: _, ...target }, { lines: _later, ...later }] = [first, second];
    const request = { signal: 'events', ...target, later: { ...later, from }, coding: 'identity', body } as const;
    const { accepted, rejected } = await sink.accept(request);
    return { accepted, rejected };
  };
}
