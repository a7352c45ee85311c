// The requests of a recording: a ring in shared memory, written by all threads, from which the
// opener answers `undercroft record`. Made only for caches that answer operators; its pages are
// not touched until somebody records.
//
//   word 0     events written so far: each writer adds one, and has the slot of that number
//   word 1     until when requests are recorded, in seconds of the process's uptime; 0: never
//   word 2     keys are recorded whose hash is less than this
//   words 3, 4 what keys are hashed with, another one for each recording
//   slot of 8  0 turn   1, 2 hash   3 ms   4 size   5 ttl in s   6 load in µs   7 sum
//
// Only the opener writes words 1 to 4, word 1 last; but whoever finds word 1 in the past makes it
// 0, so a recording whose reader died ends by itself. Order of writes in a slot: the words, then
// the turn, the event's number plus one. The sum is over all words and the turn: a slot that two
// threads wrote at once, since the ring came round, has a wrong one. What is not whole is counted
// as lost: so is what a thread that died there has not finished.
import { monotonicMs, uptimeSeconds } from "../base/mod.js";

/** A recording ends so many seconds after it was last asked for. */
export const recordingSeconds = 10;
const ringSlots = 16_384;
const slotWords = 8;
const ringStart = 16;
const wordUntil = 1;
const wordBelow = 2;
const wordSalt = 3;
const wordSum = 7;

export const requestRingBytes = (ringStart + ringSlots * slotWords) * 4;
/** Words of an event as it is taken: a slot without its turn and sum. */
export const eventWords = 6;

/** In place of a size: there is no entry. */
export const sizeAbsent = 0;

/** What is told of an entry. `ttl` in seconds, 0 = none; `loadUs` 0 = not known. */
export interface EntryFacts {
  readonly size: number;
  readonly ttl: number;
  readonly loadUs: number;
}

/** The highest bit of the load says that the event is a store; the others are the time. */
const storeBit = 0x80_00_00_00;
const loadUsMax = 0x7f_ff_ff_ff;

/** Writes the ring for one thread. */
export class RequestRing {
  /** Requests are recorded, or were, while `words[1]` is not 0. */
  readonly words: Uint32Array;

  constructor(buffer: SharedArrayBuffer) {
    this.words = new Uint32Array(buffer);
  }

  /** Whether requests are recorded still. Ends a recording that nobody has asked for lately. */
  isOn(): boolean {
    const until = this.words[wordUntil] as number;
    if (until === 0) return false;
    if (until > uptimeSeconds()) return true;
    Atomics.compareExchange(this.words, wordUntil, until, 0);
    return false;
  }

  /** The hash of a key if it is one that is recorded, else undefined. */
  hash(space: number, key: string | Uint8Array): { low: number; high: number } | undefined {
    const [low, high] = hashOf(key, space, this.words);
    return low <= Atomics.load(this.words, wordBelow) ? { low, high } : undefined;
  }

  note(hash: { low: number; high: number }, facts: EntryFacts, isStore: boolean): void {
    const { words } = this;
    const number = Atomics.add(words, 0, 1);
    const slot = ringStart + (number % ringSlots) * slotWords;
    const turn = (number + 1) >>> 0;
    const load = Math.min(loadUsMax, Math.ceil(facts.loadUs)) + (isStore ? storeBit : 0);
    const own = [hash.low, hash.high, monotonicMs() >>> 0, facts.size, facts.ttl, load];
    let sum = turn;
    for (const [index, word] of own.entries()) {
      Atomics.store(words, slot + 1 + index, word);
      sum = mixed(sum, word >>> 0);
    }
    Atomics.store(words, slot + wordSum, sum);
    Atomics.store(words, slot, turn);
  }
}

/** Events taken from the ring, `eventWords` little-endian words each. */
export interface TakenEvents {
  readonly events: Buffer;
  /** Events that were overwritten before they were taken, or never written whole. */
  readonly lost: number;
  /** The recording was not on: what was asked for meanwhile, if anything, is not recorded. */
  readonly isNew: boolean;
}

/** The opener's side: begins and ends recordings, and takes what they recorded. */
export class RequestTaker {
  readonly #words: Uint32Array;
  #taken = 0;
  /** The event that was not whole at the last look. */
  #stuck = -1;
  /** Of the recording under way, or of the last one. */
  #salt: readonly [number, number] = [0, 0];

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Uint32Array(buffer);
  }

  /** Takes the events so far, and begins the recording or has it go on; with `sample` 0 it ends.
   *  Undefined while another one, which is known by its salt, is under way. */
  take(sample: number, salt: readonly [number, number]): TakenEvents | undefined {
    const words = this.#words;
    const now = Math.floor(uptimeSeconds());
    const isOn = Atomics.load(words, wordUntil) > now;
    const isOwn = salt[0] === this.#salt[0] && salt[1] === this.#salt[1];
    if (isOn && !isOwn) return undefined;
    if (!isOwn) this.#begin(sample, salt);
    const found = this.#events();
    Atomics.store(words, wordUntil, sample === 0 ? 0 : now + recordingSeconds);
    return { ...found, isNew: !isOn };
  }

  #begin(sample: number, salt: readonly [number, number]): void {
    const words = this.#words;
    this.#salt = salt;
    Atomics.store(words, wordBelow, Math.ceil(sample * 2 ** 32) - 1);
    Atomics.store(words, wordSalt, salt[0]);
    Atomics.store(words, wordSalt + 1, salt[1]);
    this.#taken = Atomics.load(words, 0);
    this.#stuck = -1;
  }

  #events(): { readonly events: Buffer; readonly lost: number } {
    const words = this.#words;
    const count = (Atomics.load(words, 0) - this.#taken) >>> 0;
    let lost = Math.max(0, count - ringSlots);
    this.#taken = (this.#taken + lost) >>> 0;
    const events = Buffer.allocUnsafe((count - lost) * eventWords * 4);
    let bytes = 0;
    for (let left = count - lost; left > 0; left--) {
      const isWhole = this.#copy(this.#taken, events, bytes);
      // Its writer may be about to finish: it is waited for until the next look.
      if (!isWhole && this.#stuck !== this.#taken && this.#isBehind(this.#taken)) {
        this.#stuck = this.#taken;
        break;
      }
      if (isWhole) bytes += eventWords * 4;
      else lost += 1;
      this.#taken = (this.#taken + 1) >>> 0;
    }
    return { events: events.subarray(0, bytes), lost };
  }

  /** Whether the slot of an event is not that of a later one. */
  #isBehind(number: number): boolean {
    const turn = Atomics.load(this.#words, ringStart + (number % ringSlots) * slotWords);
    return (turn - number - 1) >> 0 <= 0;
  }

  #copy(number: number, to: Buffer, at: number): boolean {
    const words = this.#words;
    const slot = ringStart + (number % ringSlots) * slotWords;
    const turn = (number + 1) >>> 0;
    if (Atomics.load(words, slot) !== turn) return false;
    let sum = turn;
    for (let index = 0; index < eventWords; index++) {
      const word = Atomics.load(words, slot + 1 + index);
      to.writeUInt32LE(word, at + index * 4);
      sum = mixed(sum, word);
    }
    return Atomics.load(words, slot + wordSum) === sum;
  }
}

/** A request, or that an entry was stored. */
export interface RequestEvent extends EntryFacts {
  readonly key: string;
  /** Milliseconds, modulo 2^32. */
  readonly ms: number;
  readonly isStore: boolean;
}

/** The events in bytes that were taken. */
export function* requestEvents(bytes: Buffer): Generator<RequestEvent> {
  for (let at = 0; at + eventWords * 4 <= bytes.length; at += eventWords * 4) {
    const word = (index: number): number => bytes.readUInt32LE(at + index * 4);
    const hex = (index: number): string => word(index).toString(16).padStart(8, "0");
    const load = word(5);
    yield {
      key: hex(1) + hex(0),
      ms: word(2),
      size: word(3),
      ttl: word(4),
      loadUs: load & loadUsMax,
      isStore: load >= storeBit,
    };
  }
}

function mixed(sum: number, word: number): number {
  return Math.imul(sum ^ word, 0x9e3779b1) >>> 0;
}

/** Two halves of a hash that says little of the key to who has not its salt. A key of text is that
 *  of its bytes, as it is for the cache. */
function hashOf(
  key: string | Uint8Array,
  space: number,
  words: Uint32Array,
): readonly [number, number] {
  let low = Atomics.load(words, wordSalt) ^ space;
  let high = Atomics.load(words, wordSalt + 1);
  for (let index = 0; index < key.length; index++) {
    const unit = typeof key === "string" ? key.charCodeAt(index) : (key[index] as number);
    if (unit > 127 && typeof key === "string") return hashOf(Buffer.from(key), space, words);
    low = Math.imul(low ^ unit, 0x01000193);
    low ^= low >>> 15;
    high = Math.imul(high ^ unit, 0x85ebca6b);
    high ^= high >>> 13;
  }
  return [finished(low ^ Math.imul(high, 3)), finished(high ^ key.length)];
}

function finished(value: number): number {
  let hash = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
