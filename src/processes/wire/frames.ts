// Messages on a socket between two processes: how one ends and the next begins. This file owns the
// layout.
//
//    0 ┬ magic   u16  "UC"; anything else ends the connection
//    2 ├ kind    u8   what the body is (wire/wire-messages.ts)
//    3 ├ zero    u8
//    4 ├ ticket  u32  of a request, and of its answer; else 0
//    8 ├ length  u32  of the body, at most helloBytesMax until both have agreed, then frameBytesMax
//   12 ┴ body
//
// A socket gives bytes in order or ends, so a frame needs no checksum; values have their own.
import { ProtocolFault } from "./byte-stream.js";

const magic = 0x4355;
const headerBytes = 12;
const kindMax = 32;
/** The longest body of the first message of each side. */
export const helloBytesMax = 4096;
/** The longest body after that. What waits for a tier has at most half of it in values. */
export const frameBytesMax = 128 * 1024 * 1024;

export interface Frame {
  readonly kind: number;
  readonly ticket: number;
  readonly body: Buffer;
}

const noBody = Buffer.alloc(0);

export function frameOf(kind: number, ticket: number, body: Uint8Array = noBody): Buffer {
  const frame = Buffer.allocUnsafe(headerBytes + body.length);
  frame.writeUInt16LE(magic, 0);
  frame.writeUInt8(kind, 2);
  frame.writeUInt8(0, 3);
  frame.writeUInt32LE(ticket, 4);
  frame.writeUInt32LE(body.length, 8);
  frame.set(body, headerBytes);
  return frame;
}

/** Cuts what a socket gives into frames. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #bytes = 0;
  #wanted = headerBytes;
  /** The longest body now. */
  bodyMax = helloBytesMax;

  /** Takes bytes, and calls `each` for every frame that is whole. Throws ProtocolFault. */
  push(chunk: Buffer, each: (frame: Frame) => void): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    while (this.#bytes >= this.#wanted) {
      const bytes = this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : this.#joined();
      const kind = bytes.readUInt8(2);
      const isFrame =
        bytes.readUInt16LE(0) === magic && bytes.readUInt8(3) === 0 && kind <= kindMax;
      if (!isFrame) throw new ProtocolFault("the bytes are no message of Undercroft");
      const length = bytes.readUInt32LE(8);
      if (length > this.bodyMax) {
        throw new ProtocolFault(`a message has ${length} bytes; at most ${this.bodyMax}`);
      }
      const end = headerBytes + length;
      this.#wanted = end;
      if (this.#bytes < end) return;
      this.#wanted = headerBytes;
      this.#chunks = end === bytes.length ? [] : [bytes.subarray(end)];
      this.#bytes -= end;
      each({ kind, ticket: bytes.readUInt32LE(4), body: bytes.subarray(headerBytes, end) });
    }
  }

  #joined(): Buffer {
    const joined = Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    return joined;
  }
}
