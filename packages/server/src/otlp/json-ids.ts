/**
 * Trace and span ids, and base64, as OTLP/JSON clients write them: hex in either case by the specification, base64 by
 * the general JSON mapping of protobuf, and trace ids of 64 digits by some.
 *
 * Must stay true: an id of the wrong length stays of the wrong length, so that the decoder refuses that row and not the
 * whole request.
 */

const HEX = /^[0-9a-fA-F]*$/;
/** Both alphabets; the padding may be missing. */
const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/;

/** Length in hex digits of the trace ids that are cut to their first half. */
export const LONG_TRACE_ID_DIGITS = 64;

/**
 * The bytes of an id that is not an even number of hex digits, or undefined when it is nothing that could be an id.
 * An odd number of digits gives the characters themselves: odd in number too, so it is never taken for a good id.
 */
export function unusualId(text: string, size: 8 | 16): Uint8Array | undefined {
  if (HEX.test(text)) return Buffer.from(text, 'latin1');
  const bytes = base64Bytes(text);
  return bytes?.length === size ? bytes : undefined;
}

/** The bytes of base64 or base64url text, or undefined when it is neither. */
export function base64Bytes(text: string): Uint8Array | undefined {
  const bytes = BASE64.test(text) ? Buffer.from(text, 'base64') : undefined;
  // A single character left over after whole groups of four carries no byte: the text was cut.
  const digits = text.endsWith('=') ? text.indexOf('=') : text.length;
  return digits % 4 === 1 ? undefined : bytes;
}
