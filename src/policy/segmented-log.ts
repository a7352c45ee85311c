// A model of the engine's memory: two logs of segments whose entries are marked by hits; a policy
// decides which segment is emptied next. The simulator runs whole caches in it, the tuner miniature
// ones. Keys are dense numbers. Invariants: the bytes of both logs never exceed the capacity, and a
// key has at most one live record.
import {
  emptyLogs,
  evict,
  type EvictionPolicy,
  fruitlessMax,
  type LogSituation,
  type LogName,
} from "./eviction-policy.js";
import { loadClassUnknown } from "./worth.js";

/** Segments that a cache is cut into. A small cache has segments of one entry. */
export const modelSegments = 128;

const resident = 128;
const inMain = 64;
const frequencyMask = 3;

/** One log: a ring of keys, and a ring of the positions at which its segments end. */
class Log {
  #keys = new Int32Array(64);
  #sizes = new Float64Array(64);
  #ends = new Float64Array(64);
  #orders = new Float64Array(64);
  head = 0;
  tail = 0;
  bytes = 0;
  openBytes = 0;
  #firstSegment = 0;
  #segments = 0;

  get sealed(): number {
    return this.#segments - this.#firstSegment;
  }

  keyAt(position: number): number {
    return this.#keys[position & (this.#keys.length - 1)] as number;
  }

  sizeAt(position: number): number {
    return this.#sizes[position & (this.#sizes.length - 1)] as number;
  }

  /** Appends a key and returns its position. */
  append(key: number, size: number): number {
    if (this.head - this.tail === this.#keys.length) this.#grow();
    this.#keys[this.head & (this.#keys.length - 1)] = key;
    this.#sizes[this.head & (this.#sizes.length - 1)] = size;
    this.bytes += size;
    this.openBytes += size;
    return this.head++;
  }

  /** Where its newest part begins, which has this share of its entries. */
  newest(share: number): number {
    return this.head - share * (this.head - this.tail);
  }

  seal(order: number): void {
    if (this.sealed === this.#ends.length) {
      this.#ends = doubled(this.#ends, this.#firstSegment, Float64Array);
      this.#orders = doubled(this.#orders, this.#firstSegment, Float64Array);
    }
    const position = this.#segments++ & (this.#ends.length - 1);
    this.#ends[position] = this.head;
    this.#orders[position] = order;
    this.openBytes = 0;
  }

  oldestOrder(): number {
    if (this.sealed === 0) return Infinity;
    return this.#orders[this.#firstSegment & (this.#orders.length - 1)] as number;
  }

  /** Removes the oldest sealed segment, which starts at `tail`; returns where it ends. */
  take(): number {
    return this.#ends[this.#firstSegment++ & (this.#ends.length - 1)] as number;
  }

  #grow(): void {
    this.#keys = doubled(this.#keys, this.tail, Int32Array);
    this.#sizes = doubled(this.#sizes, this.tail, Float64Array);
  }
}

function doubled<T extends Int32Array | Float64Array>(
  ring: T,
  first: number,
  make: new (length: number) => T,
): T {
  const wider = new make(ring.length * 2);
  for (let position = first; position < first + ring.length; position++) {
    wider[position & (wider.length - 1)] = ring[position & (ring.length - 1)] as number;
  }
  return wider;
}

export interface ModelGeometry {
  /** Bytes (or entries, where every size is 1) that fit. */
  readonly capacity: number;
  /** All keys are below this. */
  readonly keys: number;
  /** 32 bits of each key's hash. */
  readonly hashes: Uint32Array;
}

export class SegmentedLog {
  readonly #policy: EvictionPolicy;
  readonly #capacity: number;
  readonly #segmentBytes: number;
  readonly #largest: number;
  readonly #hashes: Uint32Array;
  readonly #state: Uint8Array;
  readonly #positions: Float64Array;
  /** How long each key's loader took (worth.ts). */
  readonly #loads: Uint8Array;
  readonly #small = new Log();
  readonly #main = new Log();
  readonly #situation: LogSituation = emptyLogs();
  #order = 0;
  /** Entries of the small log from here on are in its quiet part. */
  #quietFrom = Infinity;

  constructor(policy: EvictionPolicy, geometry: ModelGeometry) {
    this.#policy = policy;
    this.#capacity = geometry.capacity;
    this.#segmentBytes = Math.max(1, Math.floor(geometry.capacity / modelSegments));
    this.#largest = Math.max(this.#segmentBytes, geometry.capacity / 4);
    this.#hashes = geometry.hashes;
    this.#state = new Uint8Array(geometry.keys);
    this.#positions = new Float64Array(geometry.keys);
    this.#loads = new Uint8Array(geometry.keys);
  }

  /** Is the key present? Does not mark it. */
  has(key: number): boolean {
    return this.#state[key] !== 0;
  }

  /** Looks a key up and marks it as hit if it is present. */
  hit(key: number): boolean {
    const state = this.#state[key] as number;
    if (state === 0) return false;
    const isQuiet = (this.#positions[key] as number) >= this.#quietFrom && (state & inMain) === 0;
    if (!isQuiet && (state & frequencyMask) < frequencyMask) this.#state[key] = state + 1;
    return true;
  }

  /** Writes an absent key; false if it is too large for the cache. */
  insert(key: number, size: number, loadClass: number = loadClassUnknown): boolean {
    if (size > this.#largest) return false;
    this.#loads[key] = loadClass;
    let fruitless = 0;
    while (this.#small.bytes + this.#main.bytes + size > this.#capacity) {
      const before = this.#small.bytes + this.#main.bytes;
      this.#emptyOne(fruitless >= fruitlessMax);
      fruitless = this.#small.bytes + this.#main.bytes < before ? 0 : fruitless + 1;
    }
    this.#append("small", key, size, 0);
    return true;
  }

  /** Forgets a key at once (expired or deleted). Its bytes stay until its segment is emptied. */
  drop(key: number): void {
    this.#state[key] = 0;
  }

  #append(name: LogName, key: number, size: number, frequency: number): void {
    const log = name === "small" ? this.#small : this.#main;
    if (log.openBytes > 0 && log.openBytes + size > this.#segmentBytes) log.seal(++this.#order);
    this.#positions[key] = log.append(key, size);
    this.#state[key] = resident | (name === "main" ? inMain : 0) | frequency;
    if (log.openBytes >= this.#segmentBytes) log.seal(++this.#order);
  }

  #emptyOne(ruthless: boolean): void {
    const [small, main, situation] = [this.#small, this.#main, this.#situation];
    if (small.sealed + main.sealed === 0) (small.openBytes > 0 ? small : main).seal(++this.#order);
    situation.small = small.bytes;
    situation.main = main.bytes;
    situation.oldestSmall = small.oldestOrder();
    situation.oldestMain = main.oldestOrder();
    situation.newest = this.#order;
    let name = this.#policy.victim(situation);
    if ((name === "small" ? small : main).sealed === 0) name = name === "small" ? "main" : "small";
    const { quietShare } = this.#policy;
    this.#quietFrom = quietShare === 0 ? Infinity : small.newest(quietShare);
    const log = name === "small" ? small : main;
    const home = resident | (name === "main" ? inMain : 0);
    const end = log.take();
    while (log.tail < end) {
      const position = log.tail++;
      const key = log.keyAt(position);
      const size = log.sizeAt(position);
      log.bytes -= size;
      const state = this.#state[key] as number;
      if ((state & ~frequencyMask) !== home || this.#positions[key] !== position) continue;
      const hits = state & frequencyMask;
      const [hash, load] = [this.#hashes[key] as number, this.#loads[key] as number];
      const frequency = ruthless ? evict : this.#policy.decide(name, hash, size, hits, load);
      this.#state[key] = 0;
      if (frequency !== evict) this.#append("main", key, size, frequency);
    }
  }
}
