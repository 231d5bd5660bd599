/** Lines of an import on their way into the log: what a receiver does with a body, for bytes that are already here. */

import type { Append } from '../platform/import.ts';
import type { Sink } from '../pipeline/sink.ts';

/** Sends lines through the sink, which is asked for room first. */
export function appendTo(sink: Sink): Append {
  return async (target, ndjson) => {
    await sink.ready(ndjson.length);
    const body = sink.lend(ndjson.length);
    new Uint8Array(body.buffer).set(ndjson);
    body.length = ndjson.length;
    const { accepted, segment } = await sink.accept({ signal: 'events', ...target, coding: 'identity', body });
    return { accepted, segment };
  };
}
