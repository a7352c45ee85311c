// Values that identify themselves: key, number of the write, round, and a filler made from the
// three. So bytes of another entry, of an older value or of two values at once are detected. Called
// by the threads of a history.

/** What can be stored: bytes, a string, or an object with both. */
export type EntryValue = Uint8Array | string | { readonly name: string; readonly body: Uint8Array };

/** Who wrote a value, and for which key. */
export interface Identity {
  readonly key: number;
  /** The number of the write in its round. */
  readonly value: number;
  readonly round: number;
}

/** Values that take most of a segment of 32 KiB, and larger ones, which are stored in chunks. */
export interface LargeValues {
  /** One in so many. */
  readonly every: number;
  readonly words: number;
  /** One in so many of them is three times as long. */
  readonly chunkedEvery: number;
}

const headWords = 4;

/** How many words of filler a value has: mostly few, sometimes a kilobyte, or the large sizes. */
function fillerWords({ value, round }: Identity, large: LargeValues | undefined): number {
  const mixed = Math.imul(value ^ Math.imul(round, 0x9e3779b1), 0x85ebca6b) >>> 0;
  if (large !== undefined && mixed % large.every === 0) {
    const words = large.words + (mixed >>> 22);
    return (mixed >>> 5) % large.chunkedEvery === 0 ? 3 * words : words;
  }
  return (mixed & 31) === 1 ? 256 : mixed >>> 27;
}

/** Walks the words of a value's body, head and filler. */
function bodyOf(identity: Identity, large: LargeValues | undefined): Uint8Array {
  const words = new Int32Array(headWords + fillerWords(identity, large));
  words[0] = identity.key;
  words[1] = identity.value;
  words[2] = identity.round;
  words[3] = words.length;
  let filler = seedOf(identity);
  for (let index = headWords; index < words.length; index++) {
    filler = (Math.imul(filler, 1664525) + 1013904223) | 0;
    words[index] = filler;
  }
  return new Uint8Array(words.buffer);
}

function seedOf({ key, value, round }: Identity): number {
  return Math.imul(key + 1, 0x9e3779b1) ^ Math.imul(value + 1, 0x85ebca6b) ^ (round << 16);
}

function idOf({ key, value, round }: Identity): string {
  return `${key}:${value}:${round}`;
}

function nameOf(identity: Identity): string {
  return `${idOf(identity)}:${"=".repeat(identity.value % 97)}`;
}

/** The value of a write; its kind follows from its number. */
export function makeValue(identity: Identity, large: LargeValues | undefined): EntryValue {
  const choice = identity.value & 7;
  if (choice === 0) return nameOf(identity);
  if (choice === 1) return { name: nameOf(identity), body: bodyOf(identity, large) };
  return bodyOf(identity, large);
}

/** The identity of a value that was read, or what is wrong with it. */
export function identify(read: unknown): Identity | string {
  if (typeof read === "string") return identityOfName(read);
  if (read instanceof Uint8Array) return identityOfBody(read);
  if (typeof read !== "object" || read === null || !("name" in read) || !("body" in read)) {
    return `is ${String(read)}`;
  }
  const { name, body } = read;
  const [left, right] = [identify(name), identify(body)];
  if (typeof left === "string") return left;
  if (typeof right === "string") return right;
  const isSame = left.key === right.key && left.value === right.value && left.round === right.round;
  return isSame ? left : `is of ${idOf(left)} and of ${idOf(right)} at once`;
}

function identityOfName(name: string): Identity | string {
  const [key, value, round] = name.split(":", 3).map(Number);
  const identity = { key: key ?? 0, value: value ?? 0, round: round ?? 0 };
  return nameOf(identity) === name ? identity : `is the string ${JSON.stringify(name)}`;
}

function identityOfBody(bytes: Uint8Array): Identity | string {
  // A value that was read may start at any byte.
  const isAligned = bytes.byteOffset % 4 === 0 && bytes.length % 4 === 0;
  const own = isAligned ? bytes : new Uint8Array(bytes);
  const words = new Int32Array(own.buffer, own.byteOffset, own.length >>> 2);
  const identity = { key: words[0] ?? -1, value: words[1] ?? -1, round: words[2] ?? -1 };
  if (words[3] !== words.length) return `has ${words.length} words and says ${words[3]}`;
  let filler = seedOf(identity);
  for (let index = headWords; index < words.length; index++) {
    filler = (Math.imul(filler, 1664525) + 1013904223) | 0;
    if (words[index] !== filler) {
      return `is torn at word ${index} of ${words.length}, of ${idOf(identity)}`;
    }
  }
  return identity;
}
