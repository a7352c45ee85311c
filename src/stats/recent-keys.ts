// The keys of sampled requests: a ring in shared memory, written by all threads, from which
// operators are told the hottest keys. Made only for caches that answer operators (the option
// `operators`).
//
//   word 0             slots taken so far: each writer adds one, and has the slot of that number
//   slot of 16 words   0 turn   1 hash   2 seconds   3 space   4 length   5..15 text, 44 bytes
//
// Order of writes: the turn is made odd, then the words are written, then it is even again and
// another one. A reader that finds it odd, or another one after it has read, skips the slot: so a
// thread that died there hides one slot until the ring comes round. Should the ring come round
// while a thread writes, two write one slot: a text that does not have its hash is skipped as well.
import { uptimeSeconds } from "../base/mod.js";

const ringSlots = 512;
const slotWords = 16;
/** In words; the rest of the first slot is not used. */
const ringStart = slotWords;
const textWord = 5;
const textBytes = (slotWords - textWord) * 4;
/** Bytes of a key that its hash is made of. */
const hashedBytes = 1024;

export const recentKeysBytes = (ringStart + ringSlots * slotWords) * 4;

/** Writes the ring for one thread. */
export class RecentKeys {
  readonly #words: Uint32Array;
  readonly #scratch = new Uint32Array(slotWords);
  readonly #text = new Uint8Array(this.#scratch.buffer, textWord * 4);

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Uint32Array(buffer);
  }

  note(space: number, key: string | Uint8Array): void {
    const bytes = Buffer.from(key.slice(0, hashedBytes) as string);
    const length = Math.min(bytes.length, textBytes);
    const scratch = this.#scratch;
    this.#text.fill(0);
    this.#text.set(bytes.subarray(0, length));
    scratch[1] = hashOf(bytes);
    scratch[2] = uptimeSeconds();
    scratch[3] = space;
    scratch[4] = bytes.length;
    const taken = Atomics.add(this.#words, 0, 1);
    const slot = ringStart + (taken % ringSlots) * slotWords;
    const turn = Atomics.load(this.#words, slot) | 1;
    Atomics.store(this.#words, slot, turn);
    for (let word = 1; word < slotWords; word++) {
      Atomics.store(this.#words, slot + word, scratch[word] as number);
    }
    Atomics.store(this.#words, slot, turn + 1);
  }
}

/** A key that was asked for. */
export interface RecentKey {
  /** Eight digits; of keys over 1,024 bytes it is that of their beginning. */
  readonly hash: string;
  readonly space: number;
  /** How many of the samples were of this key. */
  readonly samples: number;
  /** The key, as far as it was kept. */
  readonly text: string;
}

/** The keys of the last so many seconds, those with most samples first, and the number of all
 *  samples. */
export function readRecentKeys(
  buffer: SharedArrayBuffer,
  seconds: number,
): { readonly samples: number; readonly keys: readonly RecentKey[] } {
  const words = new Uint32Array(buffer);
  const since = uptimeSeconds() - seconds;
  const found = new Map<string, { -readonly [Name in keyof RecentKey]: RecentKey[Name] }>();
  let samples = 0;
  for (let slot = ringStart; slot < words.length; slot += slotWords) {
    const own = readSlot(words, slot);
    if (own === undefined || (own[2] as number) < since) continue;
    samples += 1;
    const [, hash = 0, , space = 0, length = 0] = own;
    const name = `${space} ${hash}`;
    const there = found.get(name);
    if (there === undefined) {
      const text = textOf(own, length);
      found.set(name, { hash: hash.toString(16).padStart(8, "0"), space, samples: 1, text });
    } else {
      there.samples += 1;
    }
  }
  const keys = [...found.values()].toSorted((left, right) => right.samples - left.samples);
  return { samples, keys };
}

function readSlot(words: Uint32Array, slot: number): Uint32Array | undefined {
  const turn = Atomics.load(words, slot);
  if (turn === 0 || turn % 2 === 1) return undefined;
  const own = new Uint32Array(slotWords);
  for (let word = 1; word < slotWords; word++) own[word] = Atomics.load(words, slot + word);
  return Atomics.load(words, slot) === turn && isWhole(own) ? own : undefined;
}

/** Whether a text has its hash, as far as that can be said. */
function isWhole(own: Uint32Array): boolean {
  const [, hash, , , length = 0] = own;
  return length > textBytes || hashOf(Buffer.from(own.buffer, textWord * 4, length)) === hash;
}

/** The text of a slot, without a character that was cut. */
function textOf(own: Uint32Array, length: number): string {
  const kept = Math.min(length, textBytes);
  const text = Buffer.from(own.buffer, textWord * 4, kept).toString("utf8");
  return kept < length ? `${text.replace(/\uFFFD+$/, "")}…` : text;
}

/** FNV-1a. */
function hashOf(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
