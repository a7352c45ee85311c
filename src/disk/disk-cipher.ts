// Encrypts what goes to disk: records, the indexes of batches, the snapshot, tags and schemas, by
// AES-256-GCM (slots of tags and schemas by one block of AES) with keys derived from the data key
// of the directory, which the manifest holds encrypted (directory/trust/data-key.ts). Each thread
// that reads or writes files has one. Memory stays plain.
// Invariants: no nonce is used twice with a key, and what fails its tag is never used. A nonce is
// the unit of a record or batch and 8 random bytes, under a key of one use of one segment file. So
// a write that is repeated at an offset after a crash, or in two copies of a volume that go on
// apart, has another nonce: it would take 2^32 writes to the same unit of the same use of a file
// for two to meet by chance.
//
//   record on disk      header (associated data), salt u64 in the place of the disk location,
//                       ciphertext of the rest, tag 16; its size counts the tag
//   index of a batch    ciphertext of entries and tags, zero u64, salt u64, tag 16
//   block               nonce 12, ciphertext, tag 16

import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomFillSync,
} from "node:crypto";
import { assert } from "../base/mod.js";
import { flagDiskLocation, recordFlags, recordHeaderSize, recordSize } from "../record/mod.js";
import { unitBytes } from "./file-layout.js";

export const dataKeyBytes = 32;
const algorithm = "aes-256-gcm";
const tagBytes = 16;
const saltBytes = 8;
const nonceBytes = 12;
/** What a record takes more on disk than in memory. */
export const recordSealBytes: number = tagBytes;
/** What the index of a batch takes more. */
export const indexSealBytes = 32;
/** Where a record's salt is, and its ciphertext begins. */
const saltOffset = recordHeaderSize;
const bodyOffset = recordHeaderSize + saltBytes;
/** Keys of segment files that are kept; more than a directory has files. */
const keysMax = 1024;
/** Random bytes are drawn for so many salts at once. */
const saltsAtOnce = 512;

export class DiskCipher {
  readonly #dataKey: Uint8Array;
  readonly #keys = new Map<bigint | string, KeyObject>();
  readonly #salts = Buffer.alloc(saltsAtOnce * saltBytes);
  #nextSalt = this.#salts.length;
  readonly #nonce = Buffer.alloc(nonceBytes);

  /** `dataKey` may be shared memory, and is read when a key is first needed: a cache that takes a
   *  directory over later learns it then. */
  constructor(dataKey: Uint8Array) {
    assert(dataKey.length === dataKeyBytes, "a data key has 32 bytes");
    this.#dataKey = dataKey;
  }

  /**
   * Encrypts the record of `size` bytes at `start` of a private buffer, which has room for
   * recordSealBytes behind it; returns its size on disk. The checksum field is zero, and stays so.
   */
  sealRecord(buffer: Buffer, start: number, size: number, nonce: bigint, offset: number): number {
    const hasRoom = (buffer.readUInt8(start + recordFlags) & flagDiskLocation) !== 0;
    assert(hasRoom, "a record that goes to disk has the word of a disk location");
    const sealed = size + recordSealBytes;
    buffer.writeUIntLE(sealed, start + recordSize, 3);
    this.#takeSalt(buffer, start + saltOffset);
    const iv = this.#nonceOf(offset, buffer, start + saltOffset);
    const cipher = createCipheriv(algorithm, this.#keyOf(nonce), iv, { authTagLength: tagBytes });
    cipher.setAAD(buffer.subarray(start, start + recordHeaderSize));
    buffer.set(
      cipher.update(buffer.subarray(start + bodyOffset, start + size)),
      start + bodyOffset,
    );
    cipher.final();
    buffer.set(cipher.getAuthTag(), start + size);
    return sealed;
  }

  /**
   * Decrypts the record of `size` bytes at `start` in place; its checksum has verified, and its
   * field is zero. Returns its size in memory, or 0 if it was not encrypted by this key at this
   * offset.
   */
  openRecord(buffer: Buffer, start: number, size: number, nonce: bigint, offset: number): number {
    const plain = size - recordSealBytes;
    const hasRoom = (buffer.readUInt8(start + recordFlags) & flagDiskLocation) !== 0;
    if (!hasRoom || plain < bodyOffset) return 0;
    const iv = this.#nonceOf(offset, buffer, start + saltOffset);
    const decipher = createDecipheriv(algorithm, this.#keyOf(nonce), iv, {
      authTagLength: tagBytes,
    });
    decipher.setAAD(buffer.subarray(start, start + recordHeaderSize));
    decipher.setAuthTag(buffer.subarray(start + plain, start + size));
    const body = decipher.update(buffer.subarray(start + bodyOffset, start + plain));
    if (!isFinal(decipher)) return 0;
    buffer.set(body, start + bodyOffset);
    buffer.fill(0, start + saltOffset, start + bodyOffset);
    buffer.writeUIntLE(plain, start + recordSize, 3);
    return plain;
  }

  /** Encrypts the index of the batch at `offset`: all of `index` but its last indexSealBytes, which
   *  it fills. */
  sealIndex(index: Buffer, nonce: bigint, offset: number): void {
    const end = index.length - indexSealBytes;
    index.fill(0, end, end + saltBytes);
    this.#takeSalt(index, end + saltBytes);
    const iv = this.#nonceOf(offset, index, end + saltBytes);
    const cipher = createCipheriv(algorithm, this.#keyOf(nonce), iv, { authTagLength: tagBytes });
    index.set(cipher.update(index.subarray(0, end)));
    cipher.final();
    index.set(cipher.getAuthTag(), end + 2 * saltBytes);
  }

  /** Decrypts such an index in place; false if this key did not encrypt it at this offset. */
  openIndex(index: Buffer, nonce: bigint, offset: number): boolean {
    const end = index.length - indexSealBytes;
    if (end < 0) return false;
    const iv = this.#nonceOf(offset, index, end + saltBytes);
    const decipher = createDecipheriv(algorithm, this.#keyOf(nonce), iv, {
      authTagLength: tagBytes,
    });
    decipher.setAuthTag(index.subarray(end + 2 * saltBytes));
    const plain = decipher.update(index.subarray(0, end));
    if (!isFinal(decipher)) return false;
    index.set(plain);
    return true;
  }

  /** Encrypts bytes for a purpose; `number` is their position among others. The nonce is random:
   *  few blocks are encrypted for a purpose. */
  sealBlock(plain: Uint8Array, purpose: string, number: number): Buffer {
    const iv = randomFillSync(Buffer.alloc(nonceBytes));
    const cipher = createCipheriv(algorithm, this.#keyOf(purpose), iv, {
      authTagLength: tagBytes,
    });
    cipher.setAAD(Buffer.from(String(number)));
    const sealed = cipher.update(plain);
    return Buffer.concat([iv, sealed, cipher.final(), cipher.getAuthTag()]);
  }

  /** Decrypts such a block; null if it is not the one of this purpose and number. */
  openBlock(sealed: Buffer, purpose: string, number: number): Buffer | null {
    const end = sealed.length - tagBytes;
    if (end < nonceBytes) return null;
    const iv = sealed.subarray(0, nonceBytes);
    const decipher = createDecipheriv(algorithm, this.#keyOf(purpose), iv, {
      authTagLength: tagBytes,
    });
    decipher.setAAD(Buffer.from(String(number)));
    decipher.setAuthTag(sealed.subarray(end));
    const plain = decipher.update(sealed.subarray(nonceBytes, end));
    return isFinal(decipher) ? plain : null;
  }

  /** Encrypts two words as one block of AES: each pair is written once, so no pattern shows. */
  sealWords(words: Words, purpose: string): Words {
    const cipher = createCipheriv("aes-256-ecb", this.#keyOf(purpose), null).setAutoPadding(false);
    return wordsOf(cipher.update(bytesOf(words)));
  }

  /** Decrypts such words; of others it makes something else. */
  openWords(words: Words, purpose: string): Words {
    const decipher = createDecipheriv("aes-256-ecb", this.#keyOf(purpose), null);
    return wordsOf(decipher.setAutoPadding(false).update(bytesOf(words)));
  }

  /** Encrypts an entry of the schemas file, and its slot of 16 bytes, which names it by offset,
   *  length and checksum: as one block of AES, which is then the nonce of the entry. So another
   *  entry, or one at another offset, has another nonce. */
  sealSchema(
    entry: Uint8Array,
    slot: Uint8Array,
  ): { readonly entry: Buffer; readonly slot: Buffer } {
    const key = this.#keyOf("schema slots");
    const iv = createCipheriv("aes-256-ecb", key, null).setAutoPadding(false).update(slot);
    const cipher = createCipheriv("aes-256-ctr", this.#keyOf("schemas"), iv);
    return { entry: cipher.update(Buffer.from(entry)), slot: iv };
  }

  /** The slot of a schema, of which anything else makes something that fails its checksum. */
  openSchemaSlot(sealed: Uint8Array): Buffer {
    const decipher = createDecipheriv("aes-256-ecb", this.#keyOf("schema slots"), null);
    return decipher.setAutoPadding(false).update(sealed);
  }

  /** The entry of a schema with this slot, as it is in the file. */
  openSchema(entry: Uint8Array, sealedSlot: Uint8Array): Buffer {
    return createDecipheriv("aes-256-ctr", this.#keyOf("schemas"), sealedSlot).update(entry);
  }

  #takeSalt(buffer: Buffer, at: number): void {
    if (this.#nextSalt === this.#salts.length) {
      randomFillSync(this.#salts);
      this.#nextSalt = 0;
    }
    this.#salts.copy(buffer, at, this.#nextSalt, this.#nextSalt + saltBytes);
    this.#nextSalt += saltBytes;
  }

  /** The nonce of what is at an offset, with the salt at `saltAt`; valid until the next call. */
  #nonceOf(offset: number, buffer: Buffer, saltAt: number): Buffer {
    this.#nonce.writeUInt32LE(offset / unitBytes, 0);
    buffer.copy(this.#nonce, 4, saltAt, saltAt + saltBytes);
    return this.#nonce;
  }

  /** The key of a use of a segment file, by its nonce, or of another purpose. */
  #keyOf(use: bigint | string): KeyObject {
    let key = this.#keys.get(use);
    if (key === undefined) {
      if (this.#keys.size >= keysMax) this.#keys.clear();
      const info = typeof use === "string" ? use : `segment ${use.toString(16)}`;
      // A copy: the data key may be shared memory, which node:crypto does not take.
      const secret = Uint8Array.from(this.#dataKey);
      const derived = hkdfSync("sha256", secret, "", `undercroft ${info}`, dataKeyBytes);
      key = createSecretKey(Buffer.from(derived));
      this.#keys.set(use, key);
    }
    return key;
  }
}

type Words = readonly [low: bigint, high: bigint];

function bytesOf([low, high]: Words): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeBigUInt64LE(low, 0);
  bytes.writeBigUInt64LE(high, 8);
  return bytes;
}

function wordsOf(bytes: Buffer): Words {
  return [bytes.readBigUInt64LE(0), bytes.readBigUInt64LE(8)];
}

/** Whether the tag is right. Throws nothing. */
function isFinal(decipher: { final(): Buffer }): boolean {
  try {
    decipher.final();
    return true;
  } catch {
    return false;
  }
}
