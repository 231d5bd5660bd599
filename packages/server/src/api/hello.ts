/**
 * The first answer to clickhouse-go, Grafana's driver. It reads that answer with the framing of the protocol revision that
 * it announces, and every later one with the revision it is told here. Revision 0 means blocks as HTTP has them, so this
 * one answer is all that has to be framed by hand.
 *
 * Must stay true: names and types are exactly what the driver scans: String, String, UInt32, String.
 */

import { json } from 'node:stream/consumers';
import type { Answer } from '../query/door.ts';

const HELLO = 'select displayname(), version(), revision(), timezone()';
/** DBMS_MIN_REVISION_WITH_CUSTOM_SERIALIZATION: from here on a byte stands between a column's type and its data. */
const CUSTOM_SERIALIZATION = 54_454;

/** True for that first question, asked by a client that announces a protocol revision. */
export function isHelloRequest(sql: string, query: URLSearchParams): boolean {
  if (Number(query.get('client_protocol_version')) < CUSTOM_SERIALIZATION || query.get('default_format') !== 'Native')
    return false;
  return sql.trim().toLowerCase().replaceAll(/\s+/gu, ' ').replace(/;$/u, '') === HELLO;
}

/** One block of one row: block info, four columns. `answer` is the row in JSONCompactEachRow. */
export async function encodeHello(answer: Answer): Promise<Buffer> {
  const [name, version, revision, timezone] = (await json(answer.stream)) as [string, string, number, string];
  const number = Buffer.alloc(4);
  number.writeUInt32LE(revision);
  return Buffer.concat([
    // Field 1: no overflow. Field 2: bucket -1. End of fields. Then 4 columns, 1 row.
    Buffer.from([1, 0, 2, 0xff, 0xff, 0xff, 0xff, 0, 4, 1]),
    column('displayName()', 'String', text(name)),
    column('version()', 'String', text(version)),
    column('revision()', 'UInt32', number),
    column('timezone()', 'String', text(timezone)),
  ]);
}

function column(name: string, type: string, data: Buffer): Buffer {
  return Buffer.concat([text(name), text(type), Buffer.from([0]), data]);
}

/** Length and bytes; all texts here are shorter than 128 bytes but the display name's length is not ours to promise. */
function text(value: string): Buffer {
  const bytes = Buffer.from(value).subarray(0, 127);
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}
