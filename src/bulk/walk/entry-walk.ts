// `keys()` and `entries()`: walks over everything that is in memory and on disk while other threads
// write. Called by the facade. Invariants: a key comes once at most, since its slots are read in
// one part of the walk (index-walk.ts), whose keys are compared; an entry that lives while the walk
// lasts comes, since it keeps its slot; and what comes is looked up once more at that moment, so
// nothing comes that was deleted, cleared or had expired when it was asked for. Nothing is marked
// as hit or copied to memory. What a part has read is all that is held.
import { setTimeout } from "../../base/mod.js";
import { isChunkLocation, segmentOfLocation, unitOfLocation } from "../../disk/mod.js";
import type { ThreadCore, ValueDecoder } from "../../entries/mod.js";
import type { HashedKey, Key } from "../../kernel/mod.js";
import type { SlotRef } from "../../memory/mod.js";
import { isInternal, type RecordReader } from "../../record/mod.js";
import type { DiskRecord } from "../../tiers/mod.js";
import { eachOf } from "../parallel.js";
import { type HomeSlot, IndexWalk, turn } from "./index-walk.js";

/** Disk reads of one walk that are under way at once. */
const readsAtOnce = 32;
/** Looks at a slot or key that cannot be read for the moment, such as one whose record is being
 *  written to another segment file; then it is passed over, as `get` would miss it. */
const looksMax = 100;
/** Looks before a timer is waited for between two of them. */
const quickLooks = 8;
const lookMs = 5;

/** A record that was read from disk, in this generation of its segment file: a location may come to
 *  name another record, but not in one generation. */
interface OnDisk {
  readonly read: DiskRecord;
  readonly generation: number;
}

/** An entry that the walk has met. */
interface Met {
  readonly key: HashedKey;
  /** Null if it was in memory. */
  readonly disk: OnDisk | null;
}

/** An entry as it is now: `record` is the memory reader's own if `disk` is null. */
interface Current {
  readonly record: RecordReader;
  readonly disk: DiskRecord | null;
}

export class EntryWalk<V> {
  readonly #core: ThreadCore;
  readonly #decoder: ValueDecoder<V>;
  readonly #prefix: Buffer;

  /** `prefix`: the bytes with which each key begins. */
  constructor(core: ThreadCore, decoder: ValueDecoder<V>, prefix: Buffer) {
    this.#core = core;
    this.#decoder = decoder;
    this.#prefix = prefix;
  }

  async *keys(): AsyncGenerator<Key, undefined, undefined> {
    for await (const met of this.#parts()) {
      for (const one of met) {
        const now = this.#currentAtOnce(one);
        if (now === undefined) continue;
        if (now instanceof Promise && (await now) === undefined) continue;
        yield one.key.toKey();
      }
    }
    return undefined;
  }

  async *entries(): AsyncGenerator<[Key, V], undefined, undefined> {
    for await (const met of this.#parts()) {
      for (const one of met) {
        const now = await this.#currentAtOnce(one);
        if (now === undefined) continue;
        const decoded = await this.#decoder.decodeAnywhere(now.record, now.disk, one.key);
        this.#core.assertOpen();
        if (decoded !== undefined) yield [one.key.toKey(), decoded.value];
      }
    }
    return undefined;
  }

  /** The entries, a part of the index after the other. */
  async *#parts(): AsyncGenerator<Met[], undefined, undefined> {
    const index = new IndexWalk(this.#core);
    for (;;) {
      this.#core.assertOpen();
      const slots = await index.next();
      this.#core.assertOpen();
      if (slots === undefined) return undefined;
      if (slots.length > 0) yield await this.#read(slots);
      await turn();
    }
  }

  async #read(slots: readonly HomeSlot[]): Promise<Met[]> {
    const met = new Map<string, Met>();
    let left = slots;
    for (let look = 0; left.length > 0 && look < looksMax; look++) {
      if (look > 0) await pause(look);
      this.#core.assertOpen();
      left = await this.#visit(left, met);
    }
    return [...met.values()];
  }

  /** Reads these slots as they are now. Answers those that must be looked at again. */
  async #visit(slots: readonly HomeSlot[], met: Map<string, Met>): Promise<HomeSlot[]> {
    const { reader } = this.#core;
    const again: HomeSlot[] = [];
    const reads: { readonly place: HomeSlot; readonly slot: SlotRef }[] = [];
    for (const place of slots) {
      const found = reader.visit(place.slot);
      if (found === "busy") again.push(place);
      else if (found === "memory") this.#note(met, place, reader.record, null);
      else if (found === "disk" && !isChunkLocation(reader.found.location)) {
        reads.push({ place, slot: reader.slotRef() });
      }
    }
    reads.sort(
      ({ slot: left }, { slot: right }) =>
        unitOfLocation(left.location) - unitOfLocation(right.location),
    );
    await eachOf(reads, readsAtOnce, async ({ place, slot }) => {
      const found = await this.#readSlot(slot);
      if (found === "changed") again.push(place);
      else if (found !== undefined) this.#note(met, place, found.read.record, found);
    });
    return again;
  }

  async #readSlot(slot: SlotRef): Promise<OnDisk | "changed" | undefined> {
    const { disk } = this.#core;
    const generation = this.#generationOf(slot);
    const read = await disk?.readSlot(slot);
    this.#core.assertOpen();
    return read === undefined || read === "changed" ? read : { read, generation };
  }

  #generationOf({ location }: SlotRef): number {
    const { kernel, handle } = this.#core;
    const segment = segmentOfLocation(location, handle.disk?.segmentBytes ?? 1);
    return kernel.diskSegments.generation(segment);
  }

  /** Notes the entry of a record, if it is of the home that the walk is at, and asked for. */
  #note(
    met: Map<string, Met>,
    { home }: HomeSlot,
    record: RecordReader,
    disk: OnDisk | null,
  ): void {
    const { keys, kernel } = this.#core;
    if (isInternal(record.flags) || record.space !== keys.space) return;
    if (!this.#isAskedFor(record)) return;
    if (record.expiresMs <= this.#core.clock.now()) return;
    const name = record.key();
    keys.write(name);
    const key = keys.take(name);
    if (kernel.slots.homeOf(key.hashHigh) === home) met.set(key.id, { key, disk });
  }

  #isAskedFor({ buffer, keyStart, keyEnd }: RecordReader): boolean {
    const prefix = this.#prefix;
    const end = keyStart + prefix.length;
    return end <= keyEnd && buffer.compare(prefix, 0, prefix.length, keyStart, end) === 0;
  }

  /** The entry of the key as it is now; undefined if there is none. A promise only if the disk must
   *  be read. */
  #currentAtOnce({ key, disk }: Met): Current | undefined | Promise<Current | undefined> {
    const { reader } = this.#core;
    this.#core.assertOpen();
    const found = reader.findHashed(key, false);
    if (found === "none") return undefined;
    if (found === "memory") return this.#currentInMemory();
    const isSame = disk !== null && isSameSlot(disk.read.slot, reader.slotRef());
    // Maybe not the same record: then it is looked up like one that has moved.
    return (isSame ? this.#currentOnDisk(disk) : undefined) ?? this.#lookUp(key);
  }

  #currentInMemory(): Current | undefined {
    const { record } = this.#core.reader;
    const isEntry = !isInternal(record.flags) && record.expiresMs > this.#core.clock.now();
    return isEntry ? { record, disk: null } : undefined;
  }

  /** What was read from disk, if it is still the entry. */
  #currentOnDisk({ read, generation }: OnDisk): Current | undefined {
    const { record, slot } = read;
    const { kernel, reader, clock } = this.#core;
    const field = record.tagsField();
    const isVoid =
      record.sequence <= kernel.control.clearEpochOf(record.space) ||
      (field.length > 0 && kernel.tags.areInvalidated(field, record.sequence));
    const isEntry = !isVoid && record.expiresMs > clock.now() && reader.isCurrent(slot);
    return isEntry && this.#generationOf(slot) === generation ? { record, disk: read } : undefined;
  }

  /** Looks for a key that has moved, or whose slot on disk is another key's by now. */
  async #lookUp(key: HashedKey): Promise<Current | undefined> {
    const { reader } = this.#core;
    for (let look = 0; look < looksMax; look++) {
      if (look > 0) await pause(look);
      this.#core.assertOpen();
      const found = reader.findHashed(key, false);
      if (found === "none") return undefined;
      if (found === "memory") return this.#currentInMemory();
      const seen = await this.#readSlot(reader.slotRef());
      if (seen === "changed") continue;
      if (seen === undefined || !this.#isOf(seen.read.record, key)) return undefined;
      return this.#currentOnDisk(seen);
    }
    return undefined;
  }

  #isOf({ buffer, keyStart, keyEnd, space }: RecordReader, { bytes }: HashedKey): boolean {
    return space === this.#core.keys.space && buffer.subarray(keyStart, keyEnd).equals(bytes);
  }
}

/** Waits before another look. */
function pause(look: number): Promise<void> {
  if (look <= quickLooks) return turn();
  return new Promise((resolve) => {
    setTimeout(resolve, lookMs);
  });
}

/** Whether a slot shows what it showed, whatever its frequency. */
function isSameSlot(left: SlotRef, right: SlotRef): boolean {
  return left.slot === right.slot && left.location === right.location;
}
