// The packed index as a snapshot's payload: as it is or, if that takes more room than a snapshot
// has, deflated piece by piece; encrypted, piece by piece, in an encrypted directory. Written by
// closing.ts, read by index-recovery.ts.

//   0 ┬ kind  u8   0 = as it is, 1 = deflated, 2 = encrypted, 3 = deflated and encrypted
//     ┴ the packed index, or pieces of { length u32, that many bytes: raw deflate, or a block of
//       disk/disk-cipher.ts, numbered from 0 }
import { deflateRawSync, inflateRawSync } from "node:zlib";
import type { DiskCipher } from "../disk/mod.js";

/** A deflated piece is of one chunk of the packed index. */
export const pieceBytesMax: number = 1 << 20;
const lengthBytes = 4;
const kindDeflated = 1;
const kindEncrypted = 2;
/** What the pieces are encrypted for. */
const purpose = "snapshot";

/** The payload in chunks; each is valid until the next. */
export function* payloadOf(
  packed: Iterable<Uint8Array>,
  isDeflated: boolean,
  cipher: DiskCipher | null = null,
): Generator<Uint8Array> {
  const kind = (isDeflated ? kindDeflated : 0) | (cipher === null ? 0 : kindEncrypted);
  yield Uint8Array.of(kind);
  let number = 0;
  for (const chunk of packed) {
    if (kind === 0) yield chunk;
    else {
      const deflated = isDeflated ? deflateRawSync(chunk, { level: 1 }) : chunk;
      const piece = cipher?.sealBlock(deflated, purpose, number) ?? deflated;
      number += 1;
      const length = Buffer.alloc(lengthBytes);
      length.writeUInt32LE(piece.length, 0);
      yield length;
      yield piece;
    }
  }
}

/** Takes a payload apart, in chunks cut anywhere. */
export class PayloadReader {
  readonly #take: (packed: Buffer) => boolean;
  readonly #cipher: DiskCipher | null;
  #kind = -1;
  #number = 0;
  #rest = Buffer.alloc(0);

  /** `take` gets the packed index in pieces, and answers whether it is one. */
  constructor(take: (packed: Buffer) => boolean, cipher: DiskCipher | null = null) {
    this.#take = take;
    this.#cipher = cipher;
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
    const isEncrypted = (this.#kind & kindEncrypted) !== 0;
    const isOurs = this.#kind <= (kindDeflated | kindEncrypted);
    if (!isOurs || isEncrypted !== (this.#cipher !== null)) return false;
    return this.#kind === 0 ? this.#take(chunk) : this.#takePieces(chunk);
  }

  #takePieces(bytes: Buffer): boolean {
    let chunk = Buffer.concat([this.#rest, bytes]);
    while (chunk.length >= lengthBytes) {
      const end = lengthBytes + chunk.readUInt32LE(0);
      if (chunk.length < end) break;
      const piece = this.#opened(chunk.subarray(lengthBytes, end));
      if (piece === null || !this.#take(piece)) return false;
      chunk = chunk.subarray(end);
    }
    this.#rest = Buffer.from(chunk);
    return true;
  }

  /** Null if it is no piece, or not the one that comes next. */
  #opened(sealed: Buffer): Buffer | null {
    const number = this.#number;
    this.#number += 1;
    const piece = this.#cipher === null ? sealed : this.#cipher.openBlock(sealed, purpose, number);
    return piece === null || (this.#kind & kindDeflated) === 0 ? piece : inflated(piece);
  }
}

function inflated(piece: Buffer): Buffer | null {
  try {
    return inflateRawSync(piece, { maxOutputLength: pieceBytesMax });
  } catch {
    return null;
  }
}
