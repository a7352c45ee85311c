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

/** Seals the envelopes of one cache, in the thread that opened it. */
export class Seals {
  readonly #hasher: Hasher;
  readonly #codecName: string;
  readonly #versionsOf: (namespace: string) => readonly string[];
  /** By namespace: a version stays for the session. */
  readonly #versions = new Map<string, readonly string[]>();

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

  #checksum({ namespace, key }: TierKey, entry: TierEntry): number {
    const { createdAt, expiresAt, staleUntil, tags, value } = entry;
    let versions = this.#versions.get(namespace);
    if (versions === undefined) {
      versions = this.#versionsOf(namespace);
      this.#versions.set(namespace, versions);
    }
    const texts = [this.#codecName, ...versions, namespace, ...tags];
    const names = texts.map((text) => Buffer.from(text, "utf8"));
    const lengths = Float64Array.of(createdAt, expiresAt, staleUntil, key.length, value.length);
    const parts = Float64Array.from(names, (name) => name.length);
    return this.#hasher.low32(
      Buffer.concat([
        value.subarray(0, envelopeChecksum),
        bytesOf(lengths),
        bytesOf(parts),
        ...names,
        key,
        value.subarray(envelopeSize),
      ]),
    );
  }
}

function bytesOf(numbers: Float64Array): Uint8Array {
  return new Uint8Array(numbers.buffer);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
