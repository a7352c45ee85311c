// Reading from disk by a thread of a scenario, written after tiers/disk-reader.ts over the model of
// the files. Called by actor.ts.

import type { HashedKey } from "../../../src/kernel/mod.js";
import type { MemoryReader, MemoryWriter, SlotRef } from "../../../src/memory/mod.js";
import { versionOf } from "./entry-value.js";
import { $element, type Coroutine, pause } from "./suspension.js";
import type { Stepped, SteppedThread } from "./thread.js";
import { diskUnits, type World } from "./world.js";

export class DiskReading {
  readonly #world: World;
  readonly #thread: SteppedThread;
  readonly #reader: Stepped<MemoryReader>;
  readonly #writer: Stepped<MemoryWriter>;

  constructor(
    world: World,
    thread: SteppedThread,
    reader: Stepped<MemoryReader>,
    writer: Stepped<MemoryWriter>,
  ) {
    this.#world = world;
    this.#thread = thread;
    this.#reader = reader;
    this.#writer = writer;
  }

  /** The version on disk, 0 for none; "changed" if the slot changed meanwhile. After
   *  DiskReader.#readAt and #accept. */
  *read(hashed: HashedKey, key: string): Coroutine<number | "changed"> {
    const slot = yield* this.#reader.slotRef();
    const bytes = yield* this.#readAt(slot);
    if (bytes === 0 || bytes === "changed") return bytes;
    const { kernel, control } = this.#thread;
    const record = new this.#world.rooms.record.RecordReader(0, kernel.control.createdBaseMs);
    record.adopt(bytes);
    record.parse(0);
    const field = record.tagsField();
    const isVoid = field.length > 0 && kernel.tags.areInvalidated(field, record.sequence);
    if (!(yield* this.#reader.isCurrent(slot))) return "changed";
    if (isVoid) {
      yield* this.#writer.drop(slot);
      return 0;
    }
    if (bytes.subarray(record.keyStart, record.keyEnd).compare(hashed.bytes) !== 0) return 0;
    if (record.sequence <= (yield* control.clearEpoch())) return 0;
    const frequency = yield* this.#thread.verbs.touch(slot.slot, slot.low, slot.high);
    if (frequency > 0) yield* this.#writer.promote(record, slot);
    return versionOf(key, bytes.subarray(record.valueStart, record.valueEnd));
  }

  /** The bytes at the location that a slot names; 0 if they are not written yet. */
  *#readAt(slot: SlotRef): Coroutine<Buffer | 0 | "changed"> {
    const { at, disk } = this.#world;
    const { kernel } = this.#thread;
    const { location } = slot;
    const segment = disk.segmentOf(location, diskUnits);
    const entry = kernel.geometry.diskTable + segment * at.diskEntrySize;
    const { i32 } = kernel.views;
    const generation = i32[yield* $element(i32, (entry + at.diskGeneration) / 4, false)] as number;
    const nonce = i32[yield* $element(i32, (entry + at.diskNonce) / 4, false)] as number;
    const end = i32[yield* $element(i32, (entry + at.diskEndOffset) / 4, false)] as number;
    if ((location % diskUnits) * 16 >= end) return 0;
    yield* pause();
    const bytes = disk.read(location, nonce);
    const later = i32[yield* $element(i32, (entry + at.diskGeneration) / 4, false)];
    if (later !== generation) return "changed";
    if (bytes !== undefined) return bytes;
    if (!(yield* this.#reader.isCurrent(slot))) return "changed";
    throw new Error(`the index names ${location}, where nothing was written`);
  }
}
