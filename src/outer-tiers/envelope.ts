// The value of an entry as a tier keeps it: the value's own encoding behind a checksum, since a
// tier may give back anything. This file owns the layout.
//
//    0 ┬ version   u8   2; another one is set aside as damage is, never misread
//    1 ├ codec     u8   how the value is encoded (record/codec-id.ts); never codecSchema, whose
//      │                dictionary is the directory's
//    2 ├ zero      u16
//    4 ├ checksum  u32  low half of XXH64 of all else: codec, times, the name of the cache's codec,
//      │                the versions of cache and namespace, namespace, key, tags, value
//    8 ┴ value          bytes as the codec made them
import type { Hasher } from "../hash/mod.js";
import type { TierEntry, TierKey } from "./tier.js";

const envelopeVersion = 2;
const envelopeCodec = 1;
const envelopeChecksum = 4;
const envelopeSize = 8;

/** What goes into an envelope, or came out of it. */
export interface Enclosed {
  readonly codecId: number;
  readonly bytes: Uint8Array;
}

/** An envelope of its own memory, since what is posted to another thread is cloned whole. It is not
 *  sealed yet. */
export function enclose({ codecId, bytes }: Enclosed): Uint8Array {
  const value = new Uint8Array(envelopeSize + bytes.length);
  value[0] = envelopeVersion;
  value[envelopeCodec] = codecId;
  value.set(bytes, envelopeSize);
  return value;
}

/** What is in an envelope whose seal is intact. */
export function opened(value: Uint8Array): Enclosed {
  return { codecId: value[envelopeCodec] as number, bytes: value.subarray(envelopeSize) };
}

/** What is the same in all checksums of a namespace: texts as UTF-8, and their lengths. */
interface Common {
  readonly bytes: Buffer;
  readonly lengths: readonly number[];
}

const scratchBytesMin = 4096;
/** A larger scratch is not kept. */
const scratchBytesKept = 1 << 20;

/** Seals the envelopes of one cache, in the thread that opened it. */
export class Seals {
  readonly #hasher: Hasher;
  readonly #codecName: string;
  readonly #versionsOf: (namespace: string) => readonly string[];
  /** By namespace: a version stays for the session. */
  readonly #common = new Map<string, Common>();
  #scratch = Buffer.alloc(scratchBytesMin);

  /** `versionsOf`: under which versions the entries of a namespace are stored. */
  constructor(
    hasher: Hasher,
    codecName: string,
    versionsOf: (namespace: string) => readonly string[],
  ) {
    this.#hasher = hasher;
    this.#codecName = codecName;
    this.#versionsOf = versionsOf;
  }

  /** Writes the checksum of an entry into its envelope. */
  seal(key: TierKey, entry: TierEntry): void {
    viewOf(entry.value).setUint32(envelopeChecksum, this.#checksum(key, entry), true);
  }

  /** Whether an entry is as it was sealed: not damaged, of this key, and of this cache's codec and
   *  versions. */
  isIntact(key: TierKey, entry: TierEntry): boolean {
    const { value } = entry;
    if (value.length < envelopeSize || value[0] !== envelopeVersion) return false;
    return viewOf(value).getUint32(envelopeChecksum, true) === this.#checksum(key, entry);
  }

  #commonOf(namespace: string): Common {
    let common = this.#common.get(namespace);
    if (common === undefined) {
      const texts = [this.#codecName, ...this.#versionsOf(namespace), namespace];
      const names = texts.map((text) => Buffer.from(text, "utf8"));
      common = { bytes: Buffer.concat(names), lengths: names.map(({ length }) => length) };
      this.#common.set(namespace, common);
    }
    return common;
  }

  /** Over: the head of the envelope, the times and lengths of the entry, the lengths of all names,
   *  the names, the key, the value. */
  #checksum({ namespace, key }: TierKey, entry: TierEntry): number {
    const { createdAt, expiresAt, staleUntil, tags, value } = entry;
    const common = this.#commonOf(namespace);
    const tagBytes = tags.map((tag) => Buffer.byteLength(tag, "utf8"));
    const numbers = [createdAt, expiresAt, staleUntil, key.length, value.length];
    numbers.push(...common.lengths, ...tagBytes);
    const body = value.subarray(envelopeSize);
    const names = common.bytes.length + tagBytes.reduce((sum, length) => sum + length, 0);
    const size = envelopeChecksum + numbers.length * 8 + names + key.length + body.length;
    const bytes = size > this.#scratch.length ? this.#grown(size) : this.#scratch;
    bytes.set(value.subarray(0, envelopeChecksum));
    let at = envelopeChecksum;
    for (const number of numbers) at = bytes.writeDoubleLE(number, at);
    bytes.set(common.bytes, at);
    at += common.bytes.length;
    for (const tag of tags) at += bytes.write(tag, at, "utf8");
    bytes.set(key, at);
    bytes.set(body, at + key.length);
    return this.#hasher.low32(bytes.subarray(0, size));
  }

  #grown(size: number): Buffer {
    const bytes = Buffer.allocUnsafe(size * 2);
    if (bytes.length <= scratchBytesKept) this.#scratch = bytes;
    return bytes;
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
