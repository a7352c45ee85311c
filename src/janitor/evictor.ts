// Making room in memory, a segment at a time: one with many dead bytes is compacted, what lives in it moves; where there is
// none, the oldest of a log is evicted, and the policy says what goes. The janitor runs it to keep a watermark of free
// segments; a writer that finds none runs it itself (an assist). Invariant (the safe order): every slot that named a record of the
// segment is changed by compare first, then the generation, then the segment is free to be written again.
import { type Kernel, layout as at } from "../kernel/mod.js";
import { RecordHeader, SegmentTable } from "../memory/mod.js";
import {
  emptyLogs,
  evict,
  type EvictionPolicy,
  fruitlessMax,
  type LogSituation,
  type LogName,
} from "../policy/mod.js";
import { flagDiskLocation } from "../record/mod.js";
import * as counter from "../stats/mod.js";

/** A segment is compacted once so much of it is dead. Freeing a segment then copies at most three, and entries leave a
 *  cache only when its live bytes are beyond three quarters of its memory. */
const compactedShare = 1 / 4;

/** The segment to empty next: compacted, or evicted. */
interface Choice {
  readonly segment: number;
  readonly isCompacted: boolean;
}

/** What happened to an entry, for the events. */
export type RemovalCallback = (record: number, cause: "capacity" | "expired") => void;

export class Evictor {
  readonly table: SegmentTable;
  readonly #kernel: Kernel;
  readonly #header: RecordHeader;
  readonly #policy: EvictionPolicy;
  readonly #situation: LogSituation = emptyLogs();
  readonly #writeTombstone: (location: number) => void;
  readonly #removed: RemovalCallback | undefined;
  /** Where the part of the segment being emptied begins that the flusher has not looked at. */
  #flushedEnd = 0;

  /** `writeTombstone` marks a disk copy dead; `removed` hears of entries that leave the cache. */
  constructor(
    kernel: Kernel,
    policy: EvictionPolicy,
    writeTombstone: (location: number) => void,
    removed?: RemovalCallback,
  ) {
    this.table = new SegmentTable(kernel);
    this.#kernel = kernel;
    this.#header = new RecordHeader(kernel);
    this.#policy = policy;
    this.#writeTombstone = writeTombstone;
    this.#removed = removed;
  }

  /** Empties segments until `wanted` are free, or none can be emptied. Returns whether that many are free. With
   *  `flushedOnly` a segment is left alone until the flusher has looked at its every record. */
  makeRoom(wanted: number, now: number, flushedOnly: boolean): boolean {
    let fruitless = 0;
    while (this.table.free < wanted) {
      const before = this.table.free;
      if (!this.evictOne(now, flushedOnly, fruitless >= fruitlessMax)) return false;
      fruitless = this.table.free > before ? 0 : fruitless + 1;
    }
    return true;
  }

  /** Empties and frees one segment; false if there is none to take. With `ruthless` hits do not save an entry. */
  evictOne(now: number, flushedOnly: boolean, ruthless: boolean): boolean {
    const { segment, isCompacted } = this.#choose(now, flushedOnly);
    if (segment < 0 || this.#kernel.verbs.claimSegment(segment) === 0) return segment >= 0;
    const logName = this.table.log(segment) === at.logMain ? "main" : "small";
    const base = this.table.base(segment);
    const end = base + this.table.writeOffset(segment);
    this.#flushedEnd = base + this.table.flushedOffset(segment);
    for (let record = base; record < end;) {
      const size = this.#header.size(record);
      // No record: the walk would never end.
      if (size === 0) break;
      const frequency = this.#kernel.verbs.frequencyOfRecord(record);
      if (frequency >= 0) {
        if (this.#header.deadline(record) <= now) this.#expire(record);
        else if (isCompacted) this.#settle(record, this.table.log(segment), frequency);
        else {
          this.#settle(record, at.logMain, ruthless ? evict : this.#ask(logName, size, frequency));
        }
      } else if (frequency !== at.answerBusy) {
        // Dead, cleared or invalidated: a slot may still name the record and must let go of it. The epoch of a clear is
        // durable before anybody relies on it; who invalidated a tag may have died before that was.
        this.#kernel.verbs.dropRecord(record);
        if (this.#header.sequence(record) <= this.#kernel.clearEpoch())
          this.#clearPendingTombstone();
        else this.#writePendingTombstones();
      }
      // Where the lock could not be had nothing is known of the record: freeSegment leaves it to a later round.
      record += (size + 7) & ~7;
    }
    this.#kernel.verbs.freeSegment(segment);
    this.#kernel.count(
      isCompacted ? counter.counterSegmentsCompacted : counter.counterSegmentsEvicted,
      1,
    );
    return true;
  }

  /** What the policy says of the record whose frequency the kernel has just read: its hash is still in the results. */
  #ask(logName: LogName, size: number, frequency: number): number {
    const hash = this.#kernel.views.u32[(this.#kernel.block + at.resultHashHigh) / 4] as number;
    return this.#policy.decide(logName, hash, size, frequency);
  }

  /** Moves a record to a log, or lets it go; that too where there is no room to move it to. */
  #settle(record: number, logName: number, frequency: number): void {
    if (frequency !== evict) {
      if (this.#kernel.verbs.move(record, logName, frequency) !== at.answerNoRoom) return;
    }
    const answer = this.#kernel.verbs.demote(record);
    if (answer === at.answerDone) {
      this.#writePendingTombstones();
    } else if (answer === at.answerMiss) {
      this.#kernel.count(counter.counterEvictionsMemory, 1);
      if (record >= this.#flushedEnd) this.#countUnwritten(record);
      this.#removed?.(record, "capacity");
    }
  }

  /** The record goes before the flusher has looked at it. */
  #countUnwritten(record: number): void {
    if ((this.#header.flags(record) & flagDiskLocation) === 0) return;
    const isUp = Atomics.load(this.#kernel.views.i32, at.controlDiskUp / 4) === 1;
    this.#kernel.count(isUp ? counter.counterRefusedQueue : counter.counterRefusedDiskDown, 1);
  }

  #expire(record: number): void {
    if (this.#kernel.verbs.dropRecord(record) !== at.answerDone) return;
    // An expired copy on disk cannot come back, so it needs no mark.
    this.#clearPendingTombstone();
    this.#kernel.count(counter.counterExpirations, 1);
    this.#removed?.(record, "expired");
  }

  #writePendingTombstones(): void {
    const location = this.#kernel.views.f64[
      (this.#kernel.block + at.resultTombstone0) / 8
    ] as number;
    if (location !== 0) this.#writeTombstone(location);
    this.#clearPendingTombstone();
  }

  #clearPendingTombstone(): void {
    const { i32, f64 } = this.#kernel.views;
    f64[(this.#kernel.block + at.resultTombstone0) / 8] = 0;
    Atomics.store(i32, (this.#kernel.block + at.threadTombstoneSegment0) / 4, 0);
  }

  /** The segment to empty: one whose every record has expired or was cleared, else the one with the largest share of dead
   *  bytes if that is worth it, else the oldest of the log the policy names. Never one that the flusher has in its hands. */
  #choose(now: number, flushedOnly: boolean): Choice {
    const oldest = { small: -1, main: -1 };
    let deadest = -1;
    let deadShare = compactedShare;
    const situation = this.#situation;
    situation.small = situation.main = situation.newest = 0;
    for (let segment = 0; segment < this.table.count; segment++) {
      const state = this.table.state(segment);
      if (state !== at.segmentSealed && state !== at.segmentOpen) continue;
      const logName = this.table.log(segment) === at.logMain ? "main" : "small";
      situation[logName] += this.table.writeOffset(segment);
      if (state === at.segmentOpen || this.table.isPinned(segment)) continue;
      if (this.table.isDead(segment, now)) return { segment, isCompacted: true };
      situation.newest = Math.max(situation.newest, this.table.sealOrder(segment));
      if (flushedOnly && this.table.flushedOffset(segment) < this.table.writeOffset(segment))
        continue;
      const share = this.table.deadBytes(segment) / this.table.writeOffset(segment);
      if (share >= deadShare) {
        deadShare = share;
        deadest = segment;
      }
      const first = oldest[logName];
      if (first < 0 || this.table.sealOrder(segment) < this.table.sealOrder(first)) {
        oldest[logName] = segment;
      }
    }
    if (deadest >= 0) return { segment: deadest, isCompacted: true };
    situation.oldestSmall = oldest.small < 0 ? Infinity : this.table.sealOrder(oldest.small);
    situation.oldestMain = oldest.main < 0 ? Infinity : this.table.sealOrder(oldest.main);
    const logName = this.#policy.victim(situation);
    const other = logName === "small" ? "main" : "small";
    return { segment: oldest[logName] >= 0 ? oldest[logName] : oldest[other], isCompacted: false };
  }
}
