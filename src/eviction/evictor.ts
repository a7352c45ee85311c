// Makes room in memory one segment at a time. A segment with many dead bytes is compacted: its live
// records move. Otherwise the oldest segment of a log is reclaimed, and the policy says which
// entries leave. The janitor keeps a watermark of free segments with it; a writer that finds none
// runs it itself (a foreground reclaim). Invariant, in this order: every slot that named a record
// of the segment changes by CAS, then its generation is raised, then it is free.
import { codes, type Kernel, type SegmentTable, type TombstoneWriter } from "../kernel/mod.js";
import {
  emptyLogs,
  evict,
  type EvictionPolicy,
  fruitlessMax,
  type LogSituation,
} from "../policy/mod.js";
import { isInternal } from "../record/mod.js";
import * as counter from "../stats/mod.js";
import { EarlyHits } from "./early-hits.js";
import { logNameOf } from "./log-name.js";
import { Shares } from "./shares.js";
import type { RemovalReporter } from "./removals.js";
import { countUnwritten, isWritten } from "./unwritten.js";
import { WholeValues } from "./whole-value.js";

/** A segment is compacted once this share of it is dead. So freeing a segment copies at most
 *  three segments, and entries leave only when live bytes exceed three quarters of the memory. */
const compactedShare = 1 / 4;

/** A segment with at least this share of bytes of namespaces that are within theirs is passed over:
 *  emptying it would copy nearly all of it and free nothing. */
const passedShare = 7 / 8;
/** It is looked at again after as many segments as are this part of the memory were emptied. */
const passedFor = 1 / 4;

/** The segment to empty next, by compaction or by the policy. */
interface Choice {
  readonly segment: number;
  readonly isCompacted: boolean;
}

interface Guarded extends Choice {
  /** Whether what is within its share is kept. */
  readonly isKeeping: boolean;
}

export class Evictor {
  readonly #kernel: Kernel;
  readonly #table: SegmentTable;
  readonly #policy: EvictionPolicy;
  readonly #situation: LogSituation = emptyLogs();
  readonly #writeTombstone: TombstoneWriter;
  readonly #removals: RemovalReporter | null;
  readonly #values: WholeValues;
  readonly #shares: Shares;
  readonly #early: EarlyHits;
  /** Segments that are passed over, and until which of the reclaims. */
  readonly #passed = new Map<number, number>();
  #reclaims = 0;

  /** `removals` gets each entry that leaves the cache. */
  constructor(
    kernel: Kernel,
    policy: EvictionPolicy,
    writeTombstone: TombstoneWriter,
    removals: RemovalReporter | null,
  ) {
    this.#kernel = kernel;
    this.#table = kernel.segments;
    this.#policy = policy;
    this.#writeTombstone = writeTombstone;
    this.#removals = removals;
    this.#values = new WholeValues(kernel, policy, writeTombstone, removals);
    this.#shares = new Shares(kernel);
    this.#early = new EarlyHits(kernel, policy);
  }

  #free(): number {
    return this.#kernel.verbs.freeSegments(this.#table.count);
  }

  /** Empties segments until `wanted` are free or none can be emptied. Returns whether `wanted`
   *  are free. With `flushedOnly` it skips segments that hold records the flusher has not
   *  examined. */
  makeRoom(wanted: number, now: number, flushedOnly: boolean): boolean {
    let fruitless = 0;
    while (this.#free() < wanted) {
      const before = this.#free();
      const harshness = Math.floor(fruitless / fruitlessMax);
      const isTaken = this.evictOne(now, flushedOnly, harshness > 0, harshness > 1);
      if (!isTaken && !(flushedOnly && this.#noteWritten())) return false;
      fruitless = this.#free() > before ? 0 : fruitless + 1;
    }
    return true;
  }

  /** Empties and frees one segment; false if there is none to take. If `isRuthless`, hits save no
   *  entry; with `breaksShares` a share does not either. */
  evictOne(now: number, flushedOnly: boolean, isRuthless: boolean, breaksShares = false): boolean {
    // Where all that is left is within its share, shares protect nothing.
    const isGuarded = !breaksShares && this.#shares.refresh();
    const choice = this.#chooseGuarded(now, flushedOnly, isGuarded);
    if (choice.segment >= 0) this.#empty(choice, now, flushedOnly, isRuthless);
    this.#early.settle(flushedOnly);
    return choice.segment >= 0;
  }

  /** Frees the segments that have nothing left, while a stream goes through memory to disk: what it
   *  leaves behind is used again before memory that nobody has used yet, or has entries in. */
  emptyDead(now: number): void {
    const table = this.#table;
    for (let segment = 0; segment < table.count; segment++) {
      if (table.state(segment) !== codes.segmentSealed || table.isPinned(segment)) continue;
      if (table.deadBytes(segment) < table.writeOffset(segment)) continue;
      this.#empty({ segment, isCompacted: true, isKeeping: false }, now, true, false);
    }
  }

  /** Empties and frees a segment, unless another thread has it. */
  #empty(
    { segment, isCompacted, isKeeping }: Guarded,
    now: number,
    flushedOnly: boolean,
    isRuthless: boolean,
  ): void {
    const { verbs, records } = this.#kernel;
    if (verbs.claimSegment(segment) === 0) return;
    if (flushedOnly && !this.#isFlushed(segment, now)) {
      // Another thread has emptied it since it was chosen, and it has been filled again.
      verbs.releaseClaims(this.#kernel.thread);
      return;
    }
    const log = this.#table.log(segment);
    const flushedEnd = this.#table.flushedOffset(segment);
    const manner = { isCompacted, isRuthless, isFlushedOnly: flushedOnly };
    const walk = this.#table.walk(segment);
    while (walk.next()) {
      const { record, size } = walk;
      const isUnwritten = walk.offset >= flushedEnd;
      const frequency = verbs.frequencyOfRecord(record);
      if (frequency >= 0) {
        if (records.deadline(record) <= now) this.#expire(record);
        else if (records.isPart(record)) {
          const isKept = isKeeping && this.#shares.isWithin(records.space(record));
          this.#values.settle({ record, frequency, log, isUnwritten, isKept, ...manner });
        } else if (isCompacted) this.#settle(record, log, frequency, isUnwritten);
        else {
          let kept = isRuthless ? evict : this.#ask(record, log, size, frequency);
          if (kept === evict && isKeeping && this.#shares.isWithin(records.space(record))) kept = 0;
          this.#settle(record, codes.logMain, kept, isUnwritten);
        }
      } else if (frequency !== codes.answerBusy) this.#dropDead(record);
      // Busy: nothing is known of the record. freeSegment blocks the segment until that bucket's
      // lock is free, and a later round empties it again.
    }
    verbs.freeSegment(segment);
    const emptied = isCompacted ? counter.counterSegmentsCompacted : counter.counterSegmentsEvicted;
    this.#kernel.count(emptied, 1);
  }

  /** Notes as flushed each segment whose records are all on disk, though the flusher has not been
   *  there: they were moved to it since they were written. False if there is none. */
  #noteWritten(): boolean {
    const table = this.#table;
    let isNoted = false;
    for (let segment = 0; segment < table.count; segment++) {
      const generation = table.generation(segment);
      if (table.state(segment) !== codes.segmentSealed || table.isPinned(segment)) continue;
      const end = table.writeOffset(segment);
      if (table.flushedOffset(segment) >= end || !isWritten(this.#kernel, segment)) continue;
      this.#kernel.verbs.setFlushed(segment, end, generation);
      isNoted = true;
    }
    return isNoted;
  }

  /** Whether nothing is lost with a segment that this thread has claimed. */
  #isFlushed(segment: number, now: number): boolean {
    const table = this.#table;
    if (table.flushedOffset(segment) >= table.writeOffset(segment)) return true;
    return table.isDead(segment, now, this.#kernel.control.clearEpoch());
  }

  /** Drops a dead, cleared or invalidated record: a slot may still name it. A clear is written
   *  down before anyone relies on it, so a cleared copy on disk needs no tombstone. A tag's
   *  invalidation may be missing: its writer may have died. */
  #dropDead(record: number): void {
    const { verbs, records, tombstones } = this.#kernel;
    verbs.dropRecord(record);
    const epoch = this.#kernel.control.clearEpochOf(records.space(record));
    if (records.sequence(record) <= epoch) tombstones.drop();
    else tombstones.drain(this.#writeTombstone);
  }

  /** Asks the policy about the record whose frequency the kernel just read. The results still
   *  hold its hash. */
  #ask(record: number, log: number, size: number, frequency: number): number {
    const { results, records } = this.#kernel;
    const loadClass = records.loadClass(record);
    return this.#policy.decide(logNameOf(log), results.hashHigh, size, frequency, loadClass);
  }

  /** Moves a record to a log, or evicts it. Evicts it too if there is no room to move it. */
  #settle(record: number, log: number, frequency: number, isUnwritten: boolean): void {
    const { verbs, tombstones } = this.#kernel;
    if (frequency !== evict && verbs.move(record, log, frequency) !== codes.answerNoRoom) return;
    const answer = verbs.demote(record);
    // A disk entry of the class may have given way even if this record's slot was taken away.
    tombstones.drain(this.#writeTombstone);
    if (answer !== codes.answerMiss) return;
    const flags = this.#kernel.records.flags(record);
    if (isInternal(flags)) return;
    this.#kernel.countRemoval(this.#kernel.records.space(record), counter.counterEvictionsMemory);
    if (isUnwritten) countUnwritten(this.#kernel, flags);
    this.#removals?.add(record, "capacity");
  }

  #expire(record: number): void {
    const { verbs, records, tombstones } = this.#kernel;
    if (verbs.dropRecord(record) !== codes.answerDone) return;
    // An expired copy on disk cannot come back, so it needs no tombstone.
    tombstones.drop();
    if (isInternal(records.flags(record))) return;
    this.#kernel.countRemoval(records.space(record), counter.counterExpirations);
    this.#removals?.add(record, "expired");
  }

  /** As `#choose`, past the segments that are full of what is within its share. Those are taken
   *  only when no other is left, and then nothing is kept for its share. */
  #chooseGuarded(now: number, flushedOnly: boolean, isGuarded: boolean): Guarded {
    if (!isGuarded) return { ...this.#choose(now, flushedOnly), isKeeping: false };
    this.#reclaims += 1;
    for (const [segment, until] of this.#passed) {
      if (until <= this.#reclaims) this.#passed.delete(segment);
    }
    for (let look = 0; look <= this.#table.count; look++) {
      const choice = this.#choose(now, flushedOnly);
      if (choice.segment < 0) break;
      if (choice.isCompacted || !this.#isWithinShares(choice.segment)) {
        return { ...choice, isKeeping: true };
      }
      this.#passed.set(choice.segment, this.#reclaims + Math.ceil(this.#table.count * passedFor));
    }
    this.#passed.clear();
    return { ...this.#choose(now, flushedOnly), isKeeping: false };
  }

  /** Whether nearly all of a segment is of namespaces that are within their share. */
  #isWithinShares(segment: number): boolean {
    const { records } = this.#kernel;
    const walk = this.#table.walk(segment);
    let within = 0;
    while (walk.next()) if (this.#shares.isWithin(records.space(walk.record))) within += walk.size;
    return within >= this.#table.writeOffset(segment) * passedShare;
  }

  /** Chooses the segment to empty: one whose every record has expired or was cleared; else the
   *  one with the largest share of dead bytes, if at least compactedShare; else the oldest of
   *  the log that the policy names. Never one that the flusher has pinned. */
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
      const log = logNameOf(table.log(segment));
      if (this.#passed.has(segment)) {
        if (table.isDead(segment, now, epoch)) return { segment, isCompacted: true };
        if (table.deadBytes(segment) < table.writeOffset(segment) * compactedShare) continue;
      }
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
