// The packed index as a snapshot's payload: as it is or, if that takes more room than a snapshot
// has, deflated piece by piece. Written by closing.ts, read by index-recovery.ts.

//   0 ┬ kind  u8   0 = as it is, 1 = deflated
//     ┴ the packed index, or pieces of { length u32, that many bytes of raw deflate }
import { deflateRawSync, inflateRawSync } from "node:zlib";

/** A deflated piece is of one chunk of the packed index. */
export const pieceBytesMax: number = 1 << 20;
const lengthBytes = 4;

/** The payload in chunks; each is valid until the next. */
export function* payloadOf(
  packed: Iterable<Uint8Array>,
  isDeflated: boolean,
): Generator<Uint8Array> {
  yield Uint8Array.of(isDeflated ? 1 : 0);
  for (const chunk of packed) {
    if (isDeflated) {
      const piece = deflateRawSync(chunk, { level: 1 });
      const length = Buffer.alloc(lengthBytes);
      length.writeUInt32LE(piece.length, 0);
      yield length;
      yield piece;
    } else yield chunk;
  }
}

/** Takes a payload apart, in chunks cut anywhere. */
export class PayloadReader {
  readonly #take: (packed: Buffer) => boolean;
  #kind = -1;
  #rest = Buffer.alloc(0);

  /** `take` gets the packed index in pieces, and answers whether it is one. */
  constructor(take: (packed: Buffer) => boolean) {
    this.#take = take;
  }

  /** Whether nothing of a piece is missing. */
  get isWhole(): boolean {
    return this.#rest.length === 0;
  }

  /** False if it is no payload. */
  add(bytes: Buffer): boolean {
    let chunk = bytes;
    if (this.#kind < 0 && chunk.length > 0) {
      this.#kind = chunk[0] as number;
      chunk = chunk.subarray(1);
    }
    return this.#kind === 1 ? this.#inflate(chunk) : this.#kind === 0 && this.#take(chunk);
  }

  #inflate(bytes: Buffer): boolean {
    let chunk = Buffer.concat([this.#rest, bytes]);
    while (chunk.length >= lengthBytes) {
      const end = lengthBytes + chunk.readUInt32LE(0);
      if (chunk.length < end) break;
      const piece = inflated(chunk.subarray(lengthBytes, end));
      if (piece === null || !this.#take(piece)) return false;
      chunk = chunk.subarray(end);
    }
    this.#rest = Buffer.from(chunk);
    return true;
  }
}

function inflated(piece: Buffer): Buffer | null {
  try {
    return inflateRawSync(piece, { maxOutputLength: pieceBytesMax });
  } catch {
    return null;
  }
}
