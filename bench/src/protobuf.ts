/**
 * A small protobuf writer that says where chosen values end up in the encoded message. Separate from the workload because
 * it knows the wire format and nothing about telemetry.
 *
 * Must stay true: a child is complete before it is added to its parent, and a noted value keeps its length for ever.
 */

type Note = (offset: number) => void;
type Piece = Uint8Array | Message | { readonly bytes: Uint8Array; readonly note: Note };

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

export class Message {
  length = 0;
  private readonly pieces: Piece[] = [];

  /** A non-negative integer below 2^53. */
  varint(field: number, value: number, note?: Note): this {
    this.tag(field, VARINT);
    return this.add(encodeVarint(value), note);
  }

  fixed32(field: number, value: number): this {
    this.tag(field, FIXED32);
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value >>> 0);
    return this.add(bytes);
  }

  fixed64(field: number, value: bigint, note?: Note): this {
    this.tag(field, FIXED64);
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(value);
    return this.add(bytes, note);
  }

  double(field: number, value: number, note?: Note): this {
    this.tag(field, FIXED64);
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleLE(value);
    return this.add(bytes, note);
  }

  bytes(field: number, value: Uint8Array, note?: Note): this {
    this.tag(field, BYTES);
    this.add(encodeVarint(value.length));
    return this.add(value, note);
  }

  string(field: number, value: string, note?: Note): this {
    return this.bytes(field, Buffer.from(value), note);
  }

  message(field: number, child: Message): this {
    this.tag(field, BYTES);
    this.add(encodeVarint(child.length));
    this.pieces.push(child);
    this.length += child.length;
    return this;
  }

  /** Writes the message at `offset` of `target`, calls every note with where its value begins, returns the end. */
  writeTo(target: Buffer, offset: number): number {
    for (const piece of this.pieces) {
      if (piece instanceof Message) {
        offset = piece.writeTo(target, offset);
        continue;
      }
      const bytes = piece instanceof Uint8Array ? piece : piece.bytes;
      if (!(piece instanceof Uint8Array)) piece.note(offset);
      target.set(bytes, offset);
      offset += bytes.length;
    }
    return offset;
  }

  private tag(field: number, wireType: number): void {
    this.add(encodeVarint(field * 8 + wireType));
  }

  private add(bytes: Uint8Array, note?: Note): this {
    this.pieces.push(note === undefined ? bytes : { bytes, note });
    this.length += bytes.length;
    return this;
  }
}

function encodeVarint(value: number): Uint8Array {
  const bytes: number[] = [];
  while (value >= 128) {
    bytes.push((value % 128) + 128);
    value = Math.floor(value / 128);
  }
  bytes.push(value);
  return Uint8Array.from(bytes);
}
