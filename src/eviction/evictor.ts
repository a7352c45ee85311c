// Making room in memory, a segment at a time: one with many dead bytes is compacted, and what lives in it moves; where there is
// none, the oldest of a log is reclaimed, and the policy says which entries leave. The janitor runs it to keep a watermark of
// free segments; a writer that finds none runs it itself (a foreground reclaim). Invariant (the safe order): every slot that
// named a record of the segment is changed by compare first, then the generation, then the segment is free to be written again.
import { codes, type Kernel, type SegmentTable, type TombstoneWriter } from "../kernel/mod.js";
import {
  emptyLogs,
  evict,
  type EvictionPolicy,
  fruitlessMax,
  type LogName,
  type LogSituation,
} from "../policy/mod.js";
import { flagDiskLocation } from "../record/mod.js";
import * as counter from "../stats/mod.js";

/** A segment is compacted once so much of it is dead. Freeing a segment then copies at most three, and entries leave a
 *  cache only when its live bytes are beyond three quarters of its memory. */
const compactedShare = 1 / 4;

/** The segment to empty next: compacted, or reclaimed. */
interface Choice {
  readonly segment: number;
  readonly isCompacted: boolean;
}

/** Hears of an entry that leaves. */
export type RemovalCallback = (record: number, cause: "capacity" | "expired") => void;

export class Evictor {
  readonly #kernel: Kernel;
  readonly #table: SegmentTable;
  readonly #policy: EvictionPolicy;
  readonly #situation: LogSituation = emptyLogs();
  readonly #writeTombstone: TombstoneWriter;
  readonly #removed: RemovalCallback | undefined;

  /** `removed` hears of entries that leave the cache. */
  constructor(
    kernel: Kernel,
    policy: EvictionPolicy,
    writeTombstone: TombstoneWriter,
    removed?: RemovalCallback,
  ) {
    this.#kernel = kernel;
    this.#table = kernel.segments;
    this.#policy = policy;
    this.#writeTombstone = writeTombstone;
    this.#removed = removed;
  }

  #free(): number {
    return this.#kernel.verbs.freeSegments(this.#table.count);
  }

  /** Empties segments until `wanted` are free, or none can be emptied. Returns whether that many are free. With
   *  `flushedOnly` a segment is left alone until the flusher has looked at its every record. */
  makeRoom(wanted: number, now: number, flushedOnly: boolean): boolean {
    let fruitless = 0;
    while (this.#free() < wanted) {
      const before = this.#free();
      if (!this.evictOne(now, flushedOnly, fruitless >= fruitlessMax)) return false;
      fruitless = this.#free() > before ? 0 : fruitless + 1;
    }
    return true;
  }

  /** Empties and frees one segment; false if there is none to take. With `ruthless` hits do not save an entry. */
  evictOne(now: number, flushedOnly: boolean, ruthless: boolean): boolean {
    const { verbs, records } = this.#kernel;
    const { segment, isCompacted } = this.#choose(now, flushedOnly);
    if (segment < 0 || verbs.claimSegment(segment) === 0) return segment >= 0;
    const log = this.#table.log(segment);
    const flushedEnd = this.#table.flushedOffset(segment);
    const walk = this.#table.walk(segment);
    while (walk.next()) {
      const { record, size } = walk;
      const isUnwritten = walk.offset >= flushedEnd;
      const frequency = verbs.frequencyOfRecord(record);
      if (frequency >= 0) {
        if (records.deadline(record) <= now) this.#expire(record);
        else if (isCompacted) this.#settle(record, log, frequency, isUnwritten);
        else {
          const kept = ruthless ? evict : this.#ask(nameOf(log), size, frequency);
          this.#settle(record, codes.logMain, kept, isUnwritten);
        }
      } else if (frequency !== codes.answerBusy) this.#dropDead(record);
      // Where the lock could not be had nothing is known of the record: freeSegment leaves it to a later round.
    }
    verbs.freeSegment(segment);
    const emptied = isCompacted ? counter.counterSegmentsCompacted : counter.counterSegmentsEvicted;
    this.#kernel.count(emptied, 1);
    return true;
  }

  /** Dead, cleared or invalidated: a slot may still name the record and must let go of it. The epoch of a clear is durable
   *  before anybody relies on it; who invalidated a tag may have died before that was. */
  #dropDead(record: number): void {
    const { verbs, records, control, tombstones } = this.#kernel;
    verbs.dropRecord(record);
    if (records.sequence(record) <= control.clearEpoch()) tombstones.drop();
    else tombstones.drain(this.#writeTombstone);
  }

  /** What the policy says of the record whose frequency the kernel has just read: its hash is still in the results. */
  #ask(log: LogName, size: number, frequency: number): number {
    return this.#policy.decide(log, this.#kernel.results.hashHigh, size, frequency);
  }

  /** Moves a record to a log, or evicts it; that too where there is no room to move it to. */
  #settle(record: number, log: number, frequency: number, isUnwritten: boolean): void {
    const { verbs, tombstones } = this.#kernel;
    if (frequency !== evict && verbs.move(record, log, frequency) !== codes.answerNoRoom) return;
    const answer = verbs.demote(record);
    if (answer === codes.answerDone) {
      tombstones.drain(this.#writeTombstone);
    } else if (answer === codes.answerMiss) {
      this.#kernel.count(counter.counterEvictionsMemory, 1);
      if (isUnwritten) this.#countUnwritten(record);
      this.#removed?.(record, "capacity");
    }
  }

  /** The record goes before the flusher has looked at it. */
  #countUnwritten(record: number): void {
    if ((this.#kernel.records.flags(record) & flagDiskLocation) === 0) return;
    const isUp = this.#kernel.control.isDiskUp();
    this.#kernel.count(isUp ? counter.counterRefusedQueue : counter.counterRefusedDiskDown, 1);
  }

  #expire(record: number): void {
    const { verbs, tombstones } = this.#kernel;
    if (verbs.dropRecord(record) !== codes.answerDone) return;
    // An expired copy on disk cannot come back, so it needs no tombstone.
    tombstones.drop();
    this.#kernel.count(counter.counterExpirations, 1);
    this.#removed?.(record, "expired");
  }

  /** The segment to empty: one whose every record has expired or was cleared, else the one with the largest share of dead
   *  bytes if that is worth it, else the oldest of the log the policy names. Never one that the flusher has in its hands. */
  #choose(now: number, flushedOnly: boolean): Choice {
    const table = this.#table;
    const epoch = this.#kernel.control.clearEpoch();
    const oldest = { small: -1, main: -1 };
    let deadest = -1;
    let deadShare = compactedShare;
    const situation = this.#situation;
    situation.small = situation.main = situation.newest = 0;
    for (let segment = 0; segment < table.count; segment++) {
      const state = table.state(segment);
      if (state !== codes.segmentSealed && state !== codes.segmentOpen) continue;
      const log = nameOf(table.log(segment));
      situation[log] += table.writeOffset(segment);
      if (state === codes.segmentOpen || table.isPinned(segment)) continue;
      if (table.isDead(segment, now, epoch)) return { segment, isCompacted: true };
      situation.newest = Math.max(situation.newest, table.sealOrder(segment));
      if (flushedOnly && table.flushedOffset(segment) < table.writeOffset(segment)) continue;
      const share = table.deadBytes(segment) / table.writeOffset(segment);
      if (share >= deadShare) {
        deadShare = share;
        deadest = segment;
      }
      const first = oldest[log];
      if (first < 0 || table.sealOrder(segment) < table.sealOrder(first)) oldest[log] = segment;
    }
    if (deadest >= 0) return { segment: deadest, isCompacted: true };
    situation.oldestSmall = oldest.small < 0 ? Infinity : table.sealOrder(oldest.small);
    situation.oldestMain = oldest.main < 0 ? Infinity : table.sealOrder(oldest.main);
    const log = this.#policy.victim(situation);
    const other = log === "small" ? "main" : "small";
    return { segment: oldest[log] >= 0 ? oldest[log] : oldest[other], isCompacted: false };
  }
}

function nameOf(log: number): LogName {
  return log === codes.logMain ? "main" : "small";
}
