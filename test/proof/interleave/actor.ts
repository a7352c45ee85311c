// What one thread of a scenario can do, recorded in the history as it does it. The real memory
// reader and writer, near cache, evictor, flusher and recovery do the work, as coroutines.

import type { HashedKey } from "../../../src/kernel/mod.js";
import type { WriteFields, WriteOutcome } from "../../../src/memory/mod.js";
import { flagDeletion } from "../../../src/record/record-layout.js";
import { largeValueOf, valueOf, versionOf } from "./entry-value.js";
import type { Operation } from "./history.js";
import { $element, $run, alone, type Coroutine } from "./suspension.js";
import type { World } from "./world.js";
import { ActorParts, lookupsMax, noTags, nothing } from "./actor-parts.js";

export class Actor extends ActorParts {
  /** In a setup: throws unless the home of `key` counts this many displaced entries, which the
   *  scenario needs. */
  *holdDisplaced(key: string, wanted: number): Coroutine {
    const home = yield* this.home(key);
    const { bucketBase } = this.thread.kernel.geometry;
    const word = bucketBase + home * this.at.bucketSize + this.at.bucketDisplaced;
    const counted = this.thread.kernel.views.u32[word / 4];
    if (counted === wanted) return;
    throw new Error(`the setup displaces ${counted} entries of the home of "${key}"`);
  }

  /** In a setup: throws unless two keys are of one class, which the scenario needs. */
  *holdRivals(key: string, other: string): Coroutine {
    const isSameHome = (yield* this.home(key)) === (yield* this.home(other));
    const [low] = yield* this.hashOf(key);
    const [otherLow] = yield* this.hashOf(other);
    if (isSameHome && ((low ^ otherLow) & 0xffff) === 0) return;
    throw new Error(`"${key}" and "${other}" are of two classes`);
  }

  get at(): World["at"] {
    return this.world.at;
  }

  /** Sets a word of the control block, in a setup. */
  word(offset: number, value: number): void {
    this.thread.kernel.views.i32[offset / 4] = value;
  }

  /** Sets a segment's generation to the last one before it wraps. */
  skipGenerations(segment: number): void {
    const { at } = this.world;
    const entry = (at.segmentTable + segment * at.segmentEntrySize) / 4;
    const words = this.thread.kernel.views.i32;
    const generations = 2 ** at.locationGenerationBits;
    const generation = (entry * 4 + at.segmentGeneration) / 4;
    words[generation] = (words[generation] as number) + generations - 1;
  }

  /** The janitor's sleep without its timeout: wakes when the bell has changed since it looked. */
  *awaitSealed(wanted: number): Coroutine {
    const { at } = this.world;
    const { i32 } = this.thread.kernel.views;
    const { segmentCount } = this.thread.kernel.geometry;
    for (;;) {
      const bell = Atomics.load(i32, yield* $element(i32, at.controlDoorbell / 4, false));
      let sealed = 0;
      for (let segment = 0; segment < segmentCount; segment++) {
        const entry = (at.segmentTable + segment * at.segmentEntrySize) / 4;
        if (Atomics.load(i32, yield* $element(i32, entry, false)) === at.segmentSealed) sealed += 1;
      }
      if (sealed >= wanted) return;
      while (Atomics.load(i32, yield* $element(i32, at.controlDoorbell / 4, false)) === bell) {
        yield* $element(i32, at.controlDoorbell / 4, null);
      }
    }
  }

  /** The janitor's sleep until something changes (janitor/rest.ts), without its timeout: ends when
   *  so many sequences were given out. */
  *awaitSequence(wanted: bigint): Coroutine {
    const { u64 } = this.thread.kernel.views;
    const word = this.at.controlSequence / 8;
    for (;;) {
      const bell = yield* this.#bell();
      const seen = Atomics.load(u64, yield* $element(u64, word, false));
      if (seen >= wanted) return;
      yield* this.#fallAsleep(1);
      if (Atomics.load(u64, yield* $element(u64, word, false)) === seen) yield* this.#hear(bell);
      yield* this.#fallAsleep(0);
    }
  }

  /** A pass of the janitor over the index (janitor/index-sweep.ts), and its sleep until it knows
   *  that an entry ends at this time. */
  *awaitDeadline(ms: number): Coroutine {
    const { u64, f64 } = this.thread.kernel.views;
    const word = this.at.controlSoonest / 8;
    const infinity = new BigUint64Array(Float64Array.of(Infinity).buffer)[0] as bigint;
    Atomics.store(u64, yield* $element(u64, word, true), infinity);
    yield* this.sweep();
    for (;;) {
      const bell = yield* this.#bell();
      yield* this.#fallAsleep(1);
      if ((f64[yield* $element(f64, word, false)] as number) <= ms) return;
      yield* this.#hear(bell);
      yield* this.#fallAsleep(0);
    }
  }

  *#bell(): Coroutine<number> {
    const { i32 } = this.thread.kernel.views;
    return Atomics.load(i32, yield* $element(i32, this.at.controlDoorbell / 4, false));
  }

  *#hear(bell: number): Coroutine {
    const { i32 } = this.thread.kernel.views;
    while ((yield* this.#bell()) === bell) {
      yield* $element(i32, this.at.controlDoorbell / 4, null);
    }
  }

  *#fallAsleep(word: 0 | 1): Coroutine {
    const { i32 } = this.thread.kernel.views;
    Atomics.store(i32, yield* $element(i32, this.at.controlAsleep / 4, true), word);
  }

  begin(kind: Operation["kind"], key: string, version: number): Operation {
    return this.world.history.begin(kind, key, version, this.name);
  }

  *#write(
    key: string | HashedKey,
    name: string,
    version: number,
    flight: number,
    expiresMs: number,
    tag: string,
    flags: number = 0,
  ): Coroutine<WriteOutcome> {
    const fields = { ...this.fields(flight, expiresMs, tag), flags };
    return yield* this.writer.write(key, valueOf(name, version), fields);
  }

  fields(flight: number, expiresMs: number = Infinity, tag: string = ""): WriteFields {
    const { tags } = this.thread.kernel;
    return {
      codecId: 0,
      flags: 0,
      createdMs: 1000,
      expiresMs,
      staleUntilMs: expiresMs,
      tags: tag === "" ? noTags : tags.encode([tag]),
      flight,
      forDisk: true,
    };
  }

  *set(key: string, expiresMs: number = Infinity, tag: string = ""): Coroutine {
    const version = this.world.history.nextVersion();
    const operation = this.begin("set", key, version);
    const outcome = yield* this.#write(key, key, version, -1, expiresMs, tag);
    // Whatever the outcome, an older value of the key is absent.
    if (outcome !== "stored") operation.kind = "removal";
    this.world.history.end(operation);
  }

  /** Sets a value that is stored in chunks. */
  *setLarge(key: string, expiresMs: number = Infinity): Coroutine {
    const version = this.world.history.nextVersion();
    const operation = this.begin("set", key, version);
    const writeValue = this.world.rooms.memory.writeValue as unknown as (
      ...args: unknown[]
    ) => Coroutine<WriteOutcome>;
    const fields = this.fields(-1, expiresMs, "");
    const outcome = yield* writeValue(this.writer, key, largeValueOf(key, version), fields);
    // Whatever the outcome, an older value of the key is absent.
    if (outcome !== "stored") operation.kind = "removal";
    this.world.history.end(operation);
  }

  *delete(key: string): Coroutine {
    const operation = this.begin("removal", key, 0);
    yield* this.writer.remove(key);
    this.world.history.end(operation);
  }

  *clear(keys: readonly string[]): Coroutine {
    const operations = keys.map((key) => this.begin("removal", key, 0));
    yield* this.verbs.clear();
    for (const operation of operations) this.world.history.end(operation);
  }

  /** `keys` are those whose values have the tag. */
  *deleteByTag(tag: string, keys: readonly string[]): Coroutine {
    const operations = keys.map((key) => this.begin("removal", key, 0));
    yield* this.#invalidateTag(tag);
    for (const operation of operations) this.world.history.end(operation);
  }

  /** After EntryWriter.#invalidateTag, which waits for a sweep before the floor rises. */
  *#invalidateTag(tag: string): Coroutine {
    const { low, high } = this.thread.kernel.tags.hashOf(Buffer.from(tag), 0, tag.length);
    const answer = yield* this.verbs.invalidateTag(low, high, 0);
    if (answer === this.at.answerFull) yield* this.verbs.invalidateTag(low, high, 1);
  }

  /** A load that nobody joins. The value of a negative answer only tells it from others. `loads`
   *  happens between the begin of its flight and its end. */
  *fill(
    key: string,
    tag: string = "",
    flags: number = 0,
    loads: (version: number) => Coroutine = nothing,
  ): Coroutine<WriteOutcome> {
    const version = this.world.history.nextVersion();
    const begin = this.begin("begin", key, version);
    const hashed = yield* this.hashed(key);
    const flight = yield* this.verbs.beginFlight(hashed.hashLow, hashed.hashHigh);
    this.world.history.end(begin);
    yield* loads(version);
    return yield* this.#publish(hashed, key, flight, begin, tag, flags);
  }

  /** A load that other threads join: leads it, or sleeps without a timeout until its leader is
   *  done. While no flight is free it waits for one. `isForced`: it joins none, and no load that
   *  began before is stored. */
  *load(
    key: string,
    isForced: boolean = false,
    loads: (version: number) => Coroutine = nothing,
  ): Coroutine {
    const version = this.world.history.nextVersion();
    const begin = this.begin(isForced ? "forced" : "begin", key, version);
    const hashed = yield* this.hashed(key);
    const answer = yield* this.flights.enter(key, hashed, isForced);
    this.world.history.end(begin);
    if (answer >= 0) {
      yield* loads(version);
      yield* this.#publish(hashed, key, answer, begin, "");
      return;
    }
    begin.counts = false;
    const { answerFollow } = this.at;
    if (answer <= answerFollow) yield* this.flights.follow(answerFollow - answer);
    yield* this.get(key);
  }

  /** What the load of a flight that has begun brings. */
  *#publish(
    hashed: HashedKey,
    key: string,
    flight: number,
    begin: Operation,
    tag: string,
    flags: number = 0,
  ): Coroutine<WriteOutcome> {
    const operation = this.begin("fill", key, begin.version);
    const outcome =
      flight < 0
        ? "superseded"
        : yield* this.#write(hashed, key, begin.version, flight, Infinity, tag, flags);
    if (outcome !== "stored" && begin.kind === "begin") begin.counts = false;
    // A forced load must have had a reason not to be stored.
    if (outcome === "superseded" && begin.kind === "forced") operation.kind = "lost";
    else if (outcome === "superseded") operation.counts = false;
    else if (outcome !== "stored") operation.kind = "removal";
    this.world.history.end(operation);
    const end = outcome === "stored" ? this.at.flightStored : this.at.flightUnstored;
    if (flight >= 0) yield* this.verbs.endFlight(flight, end, 0);
    return outcome;
  }

  /** Looks in memory, and on disk if the index says so. */
  *get(key: string, touch: boolean = true): Coroutine<boolean> {
    return (yield* this.getVersion(key, touch)) !== 0;
  }

  /** The version that a get finds, 0 for none. */
  *getVersion(key: string, touch: boolean = true): Coroutine<number> {
    const operation = this.begin("read", key, 0);
    operation.version = yield* this.#look(key, touch);
    this.world.history.end(operation);
    return operation.version;
  }

  *#look(key: string, touch: boolean): Coroutine<number> {
    let found = yield* this.reader.find(key, touch);
    const hashed = yield* this.keys.take(key);
    for (let lookup = 1; ; lookup++) {
      if (found === "none") return 0;
      if (found === "memory") {
        const { flags } = this.reader.record;
        if ((flags & flagDeletion) === flagDeletion) return 0;
        const isHead = this.world.rooms.record.isHead(flags);
        return isHead ? yield* this.#joined(key) : this.versionRead(key);
      }
      const version = yield* this.diskReading.read(hashed, key);
      if (version !== "changed") return version;
      if (lookup === lookupsMax) return 0;
      found = yield* this.reader.findHashed(hashed, touch);
    }
  }

  /** The version of the value whose head was just read from memory. After ValueDecoder.decode. */
  *#joined(key: string): Coroutine<number> {
    const rooms = this.world.rooms.memory;
    const readChunks = rooms.readChunks as unknown as (
      ...args: unknown[]
    ) => Coroutine<Buffer | "elsewhere" | "missing">;
    if (this.reader.record.key() !== key) throw new Error(`"${key}" was read as another's head`);
    const large = rooms.largeValueOf(this.reader.record);
    const slot = yield* this.reader.slotRef();
    const whole = yield* readChunks(this.reader, large);
    if (typeof whole !== "string") return versionOf(key, whole);
    if (whole === "missing" && (yield* this.writer.dropValue(slot, large))) {
      throw new Error(`"${key}" had lost a chunk, and its head was still there`);
    }
    return 0;
  }

  /** The version of the record that was just read from memory. */
  versionRead(key: string): number {
    const { record } = this.reader;
    if (record.key() !== key) throw new Error(`"${key}" was read as another key's record`);
    return versionOf(key, record.buffer.subarray(record.valueStart, record.valueEnd));
  }

  /** As a caller of getSync: the near value, else memory. After EntryReader.#look. */
  *getNear(key: string): Coroutine<boolean> {
    const operation = this.begin("read", key, 0);
    operation.version = yield* this.#lookNear(key);
    this.world.history.end(operation);
    return operation.version !== 0;
  }

  /** Reads a key that nothing in the scenario removes: it must not even miss. Only a thread that
   *  invalidates another tag and cannot have its lock takes it away: it raises the floor. */
  *getPresent(key: string): Coroutine {
    for (const isThere of [yield* this.getNear(key), yield* this.get(key)]) {
      if (!isThere && this.thread.kernel.tags.floor() === 0)
        throw new Error(`"${key}" was missed, and nobody took it away`);
    }
  }

  /** From now on near values are found by interned keys. */
  indexKeys(): void {
    alone(this.near.indexKeys(true));
  }

  *#lookNear(key: string): Coroutine<number> {
    const near = yield* this.near.find(key, yield* this.near.isCurrent());
    if (near !== undefined) return near as number;
    if ((yield* this.reader.findWritten(true)) !== "memory") return 0;
    const { record, found } = this.reader;
    const { hashLow, tagEpoch } = this.thread.kernel.results;
    const { low, high } = found;
    const word = { low, high, tagEpoch: record.hasTags ? tagEpoch : null };
    const version = this.versionRead(key);
    yield* this.near.keepLoaded(word, hashLow, record.keyText(), version, Infinity, record.size);
    return version;
  }

  /** Writes what is published to disk; every second batch fails if `fails`. */
  *flush(fails: boolean = false): Coroutine {
    yield* this.disk.flush(fails);
  }

  /** Empties a segment file and opens it again, unless a key's lock could not be had. */
  *reclaim(segment: number): Coroutine {
    yield* this.disk.reclaim(segment);
  }

  /** Empties a segment file, deletes it and makes another one with its number. */
  *replaceFile(segment: number): Coroutine {
    yield* this.disk.replaceFile(segment);
  }

  /** Empties what a reclaim could not. */
  *dropQuarantined(): Coroutine {
    yield* this.disk.dropQuarantined();
  }

  /** Recovers what a dead thread left. */
  *recover(dead: number): Coroutine {
    const { holderOf, recoverThread } = this.world.rooms.threadTable as {
      holderOf: (memory: unknown, thread: number) => object;
      recoverThread: (...args: unknown[]) => Coroutine;
    };
    const writeTombstone = (location: number): Coroutine => this.disk.writeTombstone(location);
    const holder = holderOf(this.thread.kernel, dead);
    yield* $run(recoverThread(this.thread.kernel, holder, writeTombstone));
  }
}
