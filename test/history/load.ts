// One thread of a history: attaches to the campaign's cache, does a seeded mix of operations on
// keys that all threads share, and records each. campaign.ts runs it as a worker. The seed decides
// the mix, never the schedule.

import { parentPort, workerData } from "node:worker_threads";

import { monotonicMs } from "../../src/base/mod.js";
import type { NearCache } from "../../src/near/near-cache.js";
import type { KeyIdentityDetector } from "../../src/near/key-identity-detector.js";
import type * as Door from "../../src/mod.js";
import type { Cache, CacheHandle } from "../../src/mod.js";
import { type EntryValue, identify, type LargeValues, makeValue } from "./entry-value.js";
import {
  atBegin,
  atDeadline,
  atEnd,
  atKey,
  atKind,
  atLoad,
  atReady,
  atTag,
  atTicket,
  atTime,
  atValue,
  kindClear,
  kindDelete,
  kindDeleteByTag,
  kindFetch,
  kindRead,
  kindRefused,
  kindSet,
  kindUpdate,
  recordWords,
  type Round,
} from "./operations.js";

/** What a thread is started with. */
export interface LoadOptions {
  /** The address of the package's entry point: the built one, or a copy with a fault in it. */
  readonly door: string;
  readonly handle: CacheHandle;
  readonly thread: number;
  readonly seed: number;
  readonly round: Round;
  /** Words at atTicket and atReady, on lines of their own. */
  readonly control: Int32Array;
  readonly large: LargeValues | undefined;
  /** How many operations in a thousand are `get`. */
  readonly awaited: number;
  /** Whether there is an identity index from the first hit on, which otherwise takes thousands. */
  readonly indexesKeys: boolean;
  /** How many fetches begin at once where one would otherwise. */
  readonly burst: number;
}

/** What a thread answers after a round. */
export interface LoadReport {
  /** Values that nobody wrote. */
  readonly wrong: readonly string[];
}

/** Things that a thread does at once, each a chain over the thread's microtasks. */
const lanes = 4;
/** Tags of no value that are deleted with each of a value. */
const othersEach = 100;
/** The first keys are hot: half of all operations are on them. */
const hotKeys = 8;
const wrongToldMax = 5;

const { door, handle, thread, seed, round, control, large, awaited, indexesKeys, burst } =
  workerData as LoadOptions;
const { attachCache, unchanged } = (await import(door)) as typeof Door;
if (indexesKeys) await indexKeys();

async function indexKeys(): Promise<void> {
  const near = (await import(new URL("near/near-cache.js", door).href)) as {
    NearCache: { prototype: NearCache };
  };
  const detector = (await import(new URL("near/key-identity-detector.js", door).href)) as {
    KeyIdentityDetector: { prototype: KeyIdentityDetector };
  };
  detector.KeyIdentityDetector.prototype.observe = () => true;
  const { prototype } = near.NearCache;
  const find = Reflect.get(prototype, "find") as NearCache["find"];
  prototype.find = function begin(this: NearCache, key: string, isCurrent: boolean): unknown {
    prototype.find = find;
    this.indexKeys(true);
    return this.find(key, isCurrent);
  };
}

class Load {
  readonly #cache: Cache<EntryValue> = attachCache<EntryValue>(handle);
  readonly #keys: readonly string[];
  readonly #words = round.words;
  #number = 0;
  #next = 0;
  #random = 0;
  #startMs = 0;
  #wrong: string[] = [];

  constructor() {
    // Short keys, keys longer than the loop that copies them, and one longer than the scratch in
    // shared memory.
    this.#keys = Array.from({ length: round.keys }, (_, key) => {
      if (key === 3) return `key ${key} `.padEnd(900, "-");
      return key % 4 === 1 ? `key ${key} `.padEnd(40, "-") : `key ${key}`;
    });
  }

  /** Does the operations of a round; resolves when the last has returned. */
  async run(number: number, startMs: number): Promise<LoadReport> {
    this.#number = number;
    this.#next = 0;
    this.#wrong = [];
    this.#startMs = startMs;
    this.#random = (Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b)) + thread;
    if (Atomics.add(control, atReady, 1) + 1 === round.threads) Atomics.notify(control, atReady);
    let ready = Atomics.load(control, atReady);
    for (; ready < round.threads; ready = Atomics.load(control, atReady)) {
      Atomics.wait(control, atReady, ready, 10);
    }
    await Promise.all(Array.from({ length: lanes }, () => this.#lane()));
    return { wrong: this.#wrong };
  }

  async #lane(): Promise<void> {
    while (this.#next < round.operations) {
      const pending = this.#step(this.#next++);
      if (pending !== undefined) await pending;
    }
  }

  /** A number from 0 to `limit` - 1 (mulberry32). */
  #below(limit: number): number {
    this.#random = (this.#random + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#random ^ (this.#random >>> 15), this.#random | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  }

  #step(index: number): Promise<void> | undefined {
    const choice = this.#below(1000);
    const key = this.#below(2) === 0 ? this.#below(hotKeys) : this.#coldKey();
    if (choice < awaited) return this.#get(index, key);
    if (choice < 650) return this.#getSync(index, key);
    if (choice < 655) return this.#getEntry(index, key);
    if (choice < 700) return this.#fetches(index, key);
    if (choice < 740) return this.#update(index, key);
    if (choice < 920) return this.#set(index, key, 0);
    if (choice < 950) return this.#set(index, key, 1 + this.#below(10));
    // A clear empties the whole cache, and a tag ends many keys, so there are few.
    const rare = this.#below(1000);
    if (rare === 0) return this.#clear(index);
    return rare < 10 && round.tags > 0 ? this.#deleteByTag(index) : this.#delete(index, key);
  }

  /** The tag + 1 of a value to be written; most have none. */
  #tag(): number {
    return this.#below(4) === 0 ? this.#below(round.tags + 1) : 0;
  }

  /** The smaller of two draws, so that some keys are read often enough to be moved and promoted. */
  #coldKey(): number {
    return Math.min(this.#below(round.keys), this.#below(round.keys));
  }

  #begin(index: number, kind: number, key: number, tag: number = 0): number {
    const record = (thread * round.operations + index) * recordWords;
    const words = this.#words;
    words[record + atKind] = kind;
    words[record + atKey] = key;
    words[record + atTag] = tag;
    words[record + atTime] = this.#nowUs();
    words[record + atBegin] = Atomics.add(control, atTicket, 1) + 1;
    return record;
  }

  #end(record: number): void {
    this.#words[record + atEnd] = Atomics.add(control, atTicket, 1) + 1;
  }

  #nowUs(): number {
    return (monotonicMs() - this.#startMs) * 1000;
  }

  #read(record: number, key: number, value: unknown): void {
    this.#end(record);
    if (value !== undefined) this.#noteValue(record, key, value);
  }

  #noteValue(record: number, key: number, value: unknown): void {
    const identity = identify(value);
    if (typeof identity === "string") this.#tell(`the value of key ${key} ${identity}`);
    else if (identity.key !== key) this.#tell(`key ${key} gave a value of key ${identity.key}`);
    else if (identity.round !== this.#number) {
      this.#tell(`key ${key} gave a value of round ${identity.round}, before the last clear`);
    } else this.#words[record + atValue] = identity.value + 1;
  }

  #tell(wrong: string): void {
    if (this.#wrong.length < wrongToldMax) {
      this.#wrong.push(`round ${this.#number}, thread ${thread}: ${wrong}`);
    }
  }

  #valueOf(index: number, key: number): EntryValue {
    const value = thread * round.operations + index;
    return makeValue({ key, value, round: this.#number }, large);
  }

  #getSync(index: number, key: number): undefined {
    const record = this.#begin(index, kindRead, key);
    this.#read(record, key, this.#cache.getSync(this.#keys[key] as string));
  }

  async #get(index: number, key: number): Promise<void> {
    const record = this.#begin(index, kindRead, key);
    this.#read(record, key, await this.#cache.get(this.#keys[key] as string));
  }

  async #getEntry(index: number, key: number): Promise<void> {
    const record = this.#begin(index, kindRead, key);
    this.#read(record, key, (await this.#cache.getEntry(this.#keys[key] as string))?.value);
  }

  /** One fetch, or many of any keys at once: more over all threads than there are flights. */
  async #fetches(index: number, key: number): Promise<void> {
    const all = [this.#fetch(index, key)];
    while (all.length < burst && this.#next < round.operations) {
      all.push(this.#fetch(this.#next++, this.#below(round.keys)));
    }
    await Promise.all(all);
  }

  async #fetch(index: number, key: number): Promise<void> {
    const turns = this.#below(4);
    const refusal = this.#below(4) === 0 ? new Refusal() : undefined;
    const expires = refusal === undefined && this.#below(8) === 0;
    const ttl = expires ? 1 + this.#below(10) : 0;
    const tag = this.#tag();
    const record = this.#begin(index, kindFetch, key, tag);
    const load = async ({ stale }: { readonly stale: EntryValue | undefined }) => {
      // A value that is renewed is no new one, so this is a read.
      if (refusal?.renews(stale) === true) {
        this.#noteRenewed(stale);
        return unchanged;
      }
      this.#words[record + atLoad] = Atomics.add(control, atTicket, 1) + 1;
      // A source takes some time: a few microtasks, or a turn of the event loop.
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      if (turns === 3) await new Promise((resolve) => setImmediate(resolve));
      return this.#valueOf(index, key);
    };
    const name = this.#keys[key] as string;
    const options = { ...optionsOf(ttl, tag), ...refusal?.options };
    const value = await this.#cache.fetch(name, load, options);
    const answeredUs = this.#nowUs();
    this.#read(record, key, value);
    // With another answer, its loader may yet run, for others, so that nobody knows the deadline.
    const isOwn = this.#words[record + atValue] === thread * round.operations + index + 1;
    const isKnown = isOwn && (this.#words[record + atDeadline] as number) >= 0;
    if (ttl > 0 && isKnown) this.#words[record + atDeadline] = answeredUs + ttl * 1000;
  }

  /** From now on its deadline is that of the fetch that renews it, which has none. */
  #noteRenewed(stale: EntryValue | undefined): void {
    const identity = stale === undefined ? "" : identify(stale);
    if (typeof identity === "string") return;
    this.#words[identity.value * recordWords + atDeadline] = -1;
  }

  #set(index: number, key: number, ttl: number): undefined {
    const value = this.#valueOf(index, key);
    const tag = this.#tag();
    const record = this.#begin(index, kindSet, key, tag);
    const outcome = this.#cache.set(this.#keys[key] as string, value, optionsOf(ttl, tag));
    if (outcome !== "stored") this.#words[record + atKind] = kindRefused;
    if (ttl > 0) this.#words[record + atDeadline] = this.#nowUs() + ttl * 1000;
    this.#end(record);
  }

  /** With times and a tag of its own, so that they are known. */
  #update(index: number, key: number): undefined {
    const ttl = this.#below(8) === 0 ? 1 + this.#below(10) : 0;
    const tag = this.#tag();
    const value = this.#valueOf(index, key);
    const record = this.#begin(index, kindUpdate, key, tag);
    const tags = tag === 0 ? [] : [nameOfTag(tag - 1)];
    const outcome = this.#cache.update(
      this.#keys[key] as string,
      (seen) => {
        this.#noteValue(record, key, seen);
        return value;
      },
      { ttl: ttl === 0 ? Infinity : ttl, tags },
    );
    if (outcome === "absent" || outcome === "contended") {
      // What was seen before was another's by the time of the attempt.
      this.#words[record + atValue] = 0;
      this.#words[record + atKind] = kindRead;
    } else if (outcome !== "stored") {
      this.#words[record + atKind] = kindRefused;
    }
    if (ttl > 0) this.#words[record + atDeadline] = this.#nowUs() + ttl * 1000;
    this.#end(record);
  }

  #delete(index: number, key: number): undefined {
    const record = this.#begin(index, kindDelete, key);
    this.#cache.delete(this.#keys[key] as string);
    this.#end(record);
  }

  #deleteByTag(index: number): undefined {
    const tag = this.#below(round.tags);
    const record = this.#begin(index, kindDeleteByTag, tag);
    this.#cache.deleteByTag(nameOfTag(tag));
    this.#end(record);
    // Tags of no value, so many that tags are swept and forgotten all the time.
    const others = Array.from({ length: othersEach }, (_, other) => `${thread} ${index} ${other}`);
    this.#cache.deleteByTag(others);
  }

  #clear(index: number): undefined {
    const record = this.#begin(index, kindClear, 0);
    this.#cache.clear();
    this.#end(record);
  }
}

/** A fetch that refuses what it finds, and has it renewed if that does not expire. */
class Refusal {
  readonly #lasting = new Set<number>();
  readonly options = {
    isValid: (value: EntryValue, { expiresAt }: { readonly expiresAt: number }): boolean => {
      const identity = identify(value);
      if (typeof identity !== "string" && expiresAt === Infinity) this.#lasting.add(identity.value);
      return false;
    },
  };

  renews(stale: EntryValue | undefined): boolean {
    const identity = stale === undefined ? "" : identify(stale);
    return typeof identity !== "string" && this.#lasting.has(identity.value);
  }
}

function nameOfTag(tag: number): string {
  return `tag ${tag}`;
}

/** `ttl` 0: none. `tag` counts from 1, 0: none. */
function optionsOf(ttl: number, tag: number): { readonly ttl?: number; readonly tags?: string[] } {
  return {
    ...(ttl === 0 ? {} : { ttl }),
    ...(tag === 0 ? {} : { tags: [nameOfTag(tag - 1)] }),
  };
}

const load = new Load();
parentPort?.on("message", ({ number, startMs }: { number: number; startMs: number }) => {
  void load.run(number, startMs).then((report) => parentPort?.postMessage(report));
});
