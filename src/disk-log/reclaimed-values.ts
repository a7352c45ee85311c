// Keeps a value in chunks one entry to the reclaim of segment files: when a chunk of it is met, its
// head says whether the whole value is written again, with its whole size, or leaves. Called by the
// reclaimer. What was kept is remembered for the chunks that follow, in this segment file and the
// next; if it is forgotten, or the janitor dies, the head is asked again, which is a kept value's
// loss at worst. Invariant: of a value that leaves the head is dropped first.
import { elapsedMs } from "../base/mod.js";
import { segmentOfLocation } from "../disk/mod.js";
import type { RemovalReporter } from "../eviction/mod.js";
import { codes, type Kernel, type TombstoneWriter } from "../kernel/mod.js";
import { largeValueOf } from "../memory/mod.js";
import { isHead } from "../record/mod.js";
import * as counter from "../stats/mod.js";
import type { DiskShares } from "./disk-shares.js";
import { retryWhileBusy } from "./retry-while-busy.js";
import type { SegmentRecords } from "./segment-record.js";
import type { WriteBudget } from "./admission/write-budget.js";

/** Looks at a value whose head other threads move at each look. */
const looksMax = 8;
/** Kept values that are remembered. */
const keptMax = 1024;

/** What becomes of a chunk. "kept": it is written again. "shared": it is in memory too, so it is
 *  treated as any record there. "writing": its value is being written, and is lost unless the chunk
 *  is written again. "dead": it leaves, and nothing is lost. */
export type ChunkFate = "kept" | "shared" | "writing" | "dead" | "busy";

/** The bytes that the segment being reclaimed may still give to what is written again. */
export interface Allowance {
  budget: number;
  /** Those for namespaces that are within their share. */
  kept: number;
  /** All that lives is written again: its file leaves the disk. */
  readonly isMove: boolean;
}

export class ReclaimedValues {
  readonly #kernel: Kernel;
  readonly #records: SegmentRecords;
  readonly #budget: WriteBudget;
  readonly #removals: RemovalReporter | null;
  readonly #writeTombstone: TombstoneWriter;
  /** Ids of kept values, oldest first. */
  readonly #kept = new Set<string>();
  readonly #segmentBytes: number;
  readonly #shares: DiskShares;
  /** The segment that is being reclaimed. */
  #segment = -1;

  constructor(
    kernel: Kernel,
    segmentBytes: number,
    records: SegmentRecords,
    budget: WriteBudget,
    removals: RemovalReporter | null,
    writeTombstone: TombstoneWriter,
    shares: DiskShares,
  ) {
    this.#kernel = kernel;
    this.#shares = shares;
    this.#segmentBytes = segmentBytes;
    this.#records = records;
    this.#budget = budget;
    this.#removals = removals;
    this.#writeTombstone = writeTombstone;
  }

  /** The fate of the chunk at a location. If its value leaves, all of it is dropped here. */
  fateOf(location: number, now: number, left: Allowance): ChunkFate {
    this.#segment = segmentOfLocation(location, this.#segmentBytes);
    for (let look = 0; look < looksMax; look++) {
      const fate = this.#lookAt(location, now, left);
      if (fate !== "changed") return fate;
    }
    return "busy";
  }

  /** "changed": the head is not where it was found. */
  #lookAt(location: number, now: number, left: Allowance): ChunkFate | "changed" {
    const { verbs } = this.#kernel;
    if (!this.#records.readValueOf(location)) return "dead";
    const number = this.#records.chunkNumber;
    const found = retryWhileBusy(() => verbs.findHeadOnDisk());
    switch (found) {
      case codes.answerBusy:
        return "busy";
      case codes.answerInMemory:
        return this.#fateInMemory(location, number, left);
      case codes.answerDisk:
        return this.#decide(now, left);
      case codes.answerWriting:
      case codes.answerSpilling:
        return this.#onDiskOnly(location, number) ?? "writing";
      default:
        // Nobody promotes it either: that would begin with its head on disk.
        return "dead";
    }
  }

  /** Ends the write of a value, whose chunk at a location is about to leave. False if the write has
   *  ended by itself, so that the chunk has another fate. */
  abandon(location: number): boolean {
    const { verbs } = this.#kernel;
    return !this.#records.readValueOf(location) || verbs.abandonLargeWrite() === 1;
  }

  /** Undefined if the chunk is nowhere but at this location; else its fate. */
  #onDiskOnly(location: number, number: number): ChunkFate | undefined {
    const { verbs, results } = this.#kernel;
    const copy = retryWhileBusy(() => verbs.chunkCopy(number));
    if (copy === codes.answerBusy) return "busy";
    if (copy === codes.answerAbsent) return "dead";
    if (copy !== codes.answerDisk) return "shared";
    return results.location === location ? undefined : "dead";
  }

  /** The head is in memory. If the chunk is not, the value is larger than memory takes. */
  #fateInMemory(location: number, number: number, left: Allowance): ChunkFate | "changed" {
    const other = this.#onDiskOnly(location, number);
    if (other !== undefined) return other;
    const { verbs, value, results, records } = this.#kernel;
    const { bytes, chunks, frequency } = value;
    const name = `${value.idLow}:${value.idHigh}`;
    if (this.#kept.has(name)) return "kept";
    if (left.kept >= bytes && this.#shares.isWithin(this.#records.record.space)) {
      left.kept -= bytes;
      this.#remember(name);
      return "kept";
    }
    if (frequency > 0 && left.budget >= bytes && this.#mayWrite()) {
      left.budget -= bytes;
      this.#remember(name);
      return "kept";
    }
    if (retryWhileBusy(() => verbs.lookForHead()) !== codes.answerInMemory) return "changed";
    const removals = this.#removals?.isWanted === true ? this.#removals : null;
    const space = records.space(results.record);
    removals?.copy(results.record, results.recordSize);
    const { slot, slotLow, slotHigh } = results;
    if (verbs.validate(slot, slotLow, slotHigh) !== 1) return "changed";
    const dropped = verbs.dropHead();
    this.#drain();
    if (dropped === codes.answerBusy) return "busy";
    if (dropped !== codes.answerDone) return "changed";
    this.#kernel.countRemoval(space, counter.counterEvictionsDisk);
    removals?.tell("disk");
    this.#dropChunks(chunks);
    return "dead";
  }

  #dropChunks(chunks: number): void {
    for (let number = 0; number < chunks; number++) {
      this.#kernel.verbs.dropChunk(number, 1);
      this.#drain();
    }
  }

  /** The disk entry of the head's class is in the kernel's results. */
  #decide(now: number, left: Allowance): ChunkFate {
    const { results, value, verbs } = this.#kernel;
    const { idLow, idHigh, frequency } = value;
    const name = `${idLow}:${idHigh}`;
    const { record } = this.#records;
    if (this.#records.read(results.location) === null || !isHead(record.flags)) return "dead";
    const large = largeValueOf(record);
    if (large.idLow !== idLow || large.idHigh !== idHigh) return "dead";
    const isExpired = record.staleUntilMs <= now;
    const isCleared = record.sequence <= this.#kernel.control.clearEpochOf(record.space);
    const isAlive = !isExpired && !isCleared && !this.#isInvalidated();
    if (isAlive && this.#kept.has(name)) return "kept";
    const bytes = large.bytes + record.size;
    const isKept =
      left.isMove ||
      (left.kept >= bytes && this.#shares.isWithin(record.space) && this.#mayWrite());
    if (isAlive && isKept) {
      left.kept -= bytes;
      this.#remember(name);
      return "kept";
    }
    if (isAlive && frequency > 0 && left.budget >= bytes && this.#mayWrite()) {
      left.budget -= bytes;
      this.#remember(name);
      return "kept";
    }
    const dropped = verbs.dropHead();
    this.#drain();
    if (dropped === codes.answerBusy) return "busy";
    if (dropped === codes.answerDone) {
      const counted = isExpired ? counter.counterExpirations : counter.counterEvictionsDisk;
      this.#kernel.countRemoval(record.space, counted);
      if (this.#removals?.isWanted === true) {
        this.#removals.tellOf(record, isExpired ? "expired" : "disk");
      }
    }
    this.#dropChunks(large.chunks);
    return "dead";
  }

  #mayWrite(): boolean {
    return this.#budget.hasRoom(elapsedMs());
  }

  #remember(name: string): void {
    this.#kept.add(name);
    for (const oldest of this.#kept) {
      if (this.#kept.size <= keptMax) break;
      this.#kept.delete(oldest);
    }
  }

  /** Was a tag of the head just read invalidated? */
  #isInvalidated(): boolean {
    const { record } = this.#records;
    const field = record.tagsField();
    return field.length > 0 && this.#kernel.tags.areInvalidated(field, record.sequence);
  }

  /** Writes the tombstones of what was dropped, but for the segment being reclaimed, whose file is
   *  void. */
  #drain(): void {
    this.#kernel.tombstones.drain((location) => {
      if (segmentOfLocation(location, this.#segmentBytes) === this.#segment) return;
      this.#writeTombstone(location);
    });
  }
}
