// Keeps a value in chunks one entry to eviction: the policy is asked once for the whole value, with
// its whole size, whichever part is met first, and the parts go or stay together. Called by the
// evictor for each head and chunk that lives. What was decided is remembered by the round of the
// value: a head that is kept moves at once, into its next round, and a chunk of an earlier round
// follows it. Invariant: a head is dropped before its chunks, and demoted after them, so that a
// reader never finds a head in memory one of whose chunks is nowhere. A value larger than memory
// takes is kept by its copies on disk: its chunks leave one by one, and nobody asks the policy.
import { codes, type Kernel, type TombstoneWriter } from "../kernel/mod.js";
import { isSpilled } from "../memory/mod.js";
import { evict, type EvictionPolicy } from "../policy/mod.js";
import { flagDiskLocation, isChunk } from "../record/mod.js";
import * as counter from "../stats/mod.js";
import { logNameOf } from "./log-name.js";
import type { RemovalReporter } from "./removals.js";
import { countUnwritten } from "./unwritten.js";

/** Looks at a value that other threads change at each look. After that the part is dropped: its
 *  segment is freed, so no slot may name it. */
const looksMax = 8;

/** A head or chunk that lives, in a segment that is being emptied. */
export interface Part {
  readonly record: number;
  /** The frequency of its slot. */
  readonly frequency: number;
  readonly log: number;
  /** Whether its segment is only compacted: nothing that lives leaves. */
  readonly isCompacted: boolean;
  /** Whether its namespace is within its share, so that it is not evicted. */
  readonly isKept: boolean;
  /** Whether hits save no entry. */
  readonly isRuthless: boolean;
  /** Whether only what the flusher has examined may leave. */
  readonly isFlushedOnly: boolean;
  /** Whether the flusher has not examined this part. */
  readonly isUnwritten: boolean;
}

export class WholeValues {
  readonly #kernel: Kernel;
  readonly #policy: EvictionPolicy;
  readonly #writeTombstone: TombstoneWriter;
  readonly #removals: RemovalReporter | null;

  constructor(
    kernel: Kernel,
    policy: EvictionPolicy,
    writeTombstone: TombstoneWriter,
    removals: RemovalReporter | null,
  ) {
    this.#kernel = kernel;
    this.#policy = policy;
    this.#writeTombstone = writeTombstone;
    this.#removals = removals;
  }

  /** Moves a part on, or demotes or evicts its whole value. */
  settle(part: Part): void {
    const { verbs } = this.#kernel;
    for (let look = 0; look < looksMax; look++) {
      const answer = verbs.findHead(part.record);
      if (answer === codes.answerInMemory) {
        if (this.#settleLiving(part)) return;
        continue;
      }
      if (answer === codes.answerWriting || answer === codes.answerSpilling) {
        if (this.#settleUnfinished(part, answer === codes.answerSpilling)) return;
        continue;
      }
      // The head may be on disk: so the chunk's copy there stays, if it has one.
      if (answer === codes.answerDisk) this.#demote(part.record);
      else if (answer === codes.answerAbsent) this.#drop(part.record);
      // Busy: nothing is known of the value, and the segment will be blocked.
      return;
    }
    this.#drop(part.record);
  }

  /** The head is in memory, and in the kernel's results. False if it has changed. */
  #settleLiving(part: Part): boolean {
    const { verbs, value } = this.#kernel;
    const { record, isCompacted } = part;
    if (this.#isSpilled(record)) return this.#settleSpilled(part);
    if (isCompacted) return this.#move(part, part.log, part.frequency) || this.#evict(part);
    const isOfHead = !isChunk(this.#kernel.records.flags(record));
    // Decided before, when another part was met.
    if (!isOfHead && isSaved(part) && part.frequency !== value.round) {
      return this.#move(part, codes.logMain, value.round) || this.#evict(part);
    }
    let kept = part.isRuthless ? evict : this.#ask();
    if (kept === evict && part.isKept) kept = 0;
    if (kept === evict) return this.#evict(part);
    const next = (value.round + 1) & codes.slotFrequencyMax;
    const moved = verbs.moveHead(codes.logMain, kept);
    if (moved === codes.answerNoRoom) return this.#evict(part);
    if (moved === codes.answerAbsent) return false;
    if (isOfHead || moved === codes.answerBusy) return true;
    return this.#move(part, codes.logMain, next) || this.#evict(part);
  }

  /** Whether the value that was found is larger than memory takes, and may be on disk. */
  #isSpilled(record: number): boolean {
    const { records, value, geometry } = this.#kernel;
    if (geometry.diskSegmentCount === 0) return false;
    return (records.flags(record) & flagDiskLocation) !== 0 && isSpilled(this.#kernel, value.bytes);
  }

  /** Memory cannot keep the value, so it leaves part by part. */
  #settleSpilled(part: Part): boolean {
    const { record, log, frequency } = part;
    // A head leaves after its chunks, or a reader would look for one on disk that is nowhere.
    if (!isChunk(this.#kernel.records.flags(record))) return this.#evict(part);
    if (this.#leaveCopied(record)) return true;
    return this.#move(part, log, frequency) || this.#evict(part);
  }

  /** False if the record has no copy on disk. One in a batch that is not written yet is in a
   *  segment that is pinned, so nobody empties it. */
  #leaveCopied(record: number): boolean {
    if (this.#kernel.records.diskLocation(record) === 0) return false;
    this.#demote(record);
    return true;
  }

  /** Asks the policy about the whole value. */
  #ask(): number {
    const { hashHigh, log, bytes, frequency } = this.#kernel.value;
    const loadClass = this.#kernel.records.loadClass(this.#kernel.results.record);
    return this.#policy.decide(logNameOf(log), hashHigh, bytes, frequency, loadClass);
  }

  /** False if there is no room. */
  #move(part: Part, log: number, frequency: number): boolean {
    return this.#kernel.verbs.move(part.record, log, frequency) !== codes.answerNoRoom;
  }

  /** A chunk of a value that is being written goes to the main log: a value may be larger than the
   *  small log's share, which its first chunks must not keep full. If there is no room, the write
   *  is abandoned. False if it has just ended. */
  #settleUnfinished(part: Part, isSpilling: boolean): boolean {
    if (isSpilling && this.#leaveCopied(part.record)) return true;
    const log = part.isCompacted ? part.log : codes.logMain;
    if (isSaved(part) && this.#move(part, log, part.frequency)) return true;
    if (this.#kernel.verbs.abandonLargeWrite() === 0) return false;
    this.#demote(part.record);
    return true;
  }

  /** Leaves the part to its copy on disk; drops it if it has none. */
  #demote(record: number): void {
    this.#kernel.verbs.demote(record);
    this.#drain();
  }

  #drop(record: number): void {
    this.#kernel.verbs.dropRecord(record);
    this.#drain();
  }

  #drain(): void {
    this.#kernel.tombstones.drain(this.#writeTombstone);
  }

  /** Demotes the whole value if all of it is on disk, else evicts it. False if its head has
   *  changed. */
  #evict(part: Part): boolean {
    const { verbs } = this.#kernel;
    // The head may have moved since it was found.
    const found = verbs.findHead(part.record);
    if (found === codes.answerBusy) return true;
    if (found !== codes.answerInMemory) return false;
    const { chunks } = this.#kernel.value;
    const copies = this.#copies(chunks);
    if (copies > chunks && this.#demoteAll(chunks)) {
      const answer = verbs.demoteHead();
      this.#drain();
      if (answer === codes.answerAbsent) return false;
      if (answer !== codes.answerMiss) return true;
    }
    // The flusher is at it: the rest of the value is in segments that may not be emptied yet.
    const isHalfWritten = copies > 0 && copies <= chunks;
    if (isHalfWritten && part.isFlushedOnly && !part.isRuthless) {
      if (this.#move(part, part.log, part.frequency)) return true;
    }
    return this.#dropAll(part, chunks, part.isUnwritten || isHalfWritten);
  }

  /** How many parts of the value are on disk or have a copy there: all of them are one more than
   *  its chunks. */
  #copies(chunks: number): number {
    const { verbs, results, records, geometry } = this.#kernel;
    if (geometry.diskSegmentCount === 0) return 0;
    let copies = records.diskLocation(results.record) === 0 ? 0 : 1;
    for (let number = 0; number < chunks; number++) {
      const copy = verbs.chunkCopy(number);
      if (copy === codes.answerDone || copy === codes.answerDisk) copies += 1;
    }
    return copies;
  }

  #demoteAll(chunks: number): boolean {
    const run = new Run(this.#kernel);
    for (let number = 0; number < chunks; number++) {
      const answer = this.#kernel.verbs.demoteChunk(number, 0);
      this.#drain();
      if (answer !== codes.answerDone) {
        run.end();
        return false;
      }
      run.add();
    }
    run.end();
    return true;
  }

  /** False if the head has changed, and nothing was dropped. */
  #dropAll(part: Part, chunks: number, isUnwritten: boolean): boolean {
    const { verbs, results, records } = this.#kernel;
    const { record, recordSize, slot, slotLow, slotHigh } = results;
    const removals = this.#removals;
    const isTold = removals?.isWanted === true;
    // The head may be in a segment that another thread empties: its key is told of only if its slot
    // shows afterwards that the copy is whole.
    if (isTold) {
      removals.copy(record, recordSize);
      if (verbs.validate(slot, slotLow, slotHigh) !== 1) return false;
    }
    const answer = verbs.dropHead();
    this.#drain();
    if (answer === codes.answerAbsent) return false;
    if (answer === codes.answerBusy) return true;
    this.#kernel.countRemoval(records.space(part.record), counter.counterEvictionsMemory);
    if (isUnwritten) countUnwritten(this.#kernel, records.flags(part.record));
    if (isTold) removals.tell("capacity");
    const run = new Run(this.#kernel);
    for (let number = 0; number < chunks; number++) {
      verbs.dropChunk(number, 0);
      run.add();
      this.#drain();
    }
    run.end();
    return true;
  }
}

/** Whether hits, a write under way or a share may save the part's value. */
function isSaved(part: Part): boolean {
  return part.isKept || !part.isRuthless;
}

/** The chunks of one value that leave a segment. Their bytes count as dead only if nothing else
 *  lives there: the segment is free for the taking then. Otherwise it is among the next to be
 *  emptied, since a value lies in segments that follow each other; as a segment with many dead
 *  bytes it would be compacted first, and its other entries would escape the policy. */
class Run {
  readonly #kernel: Kernel;
  #segment = -1;
  #generation = 0;
  #bytes = 0;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  /** Adds the chunk that the kernel's last call took out. */
  add(): void {
    const { value, segments } = this.#kernel;
    const { segment } = value;
    if (segment !== this.#segment) {
      this.end();
      this.#segment = segment;
      if (segment >= 0) this.#generation = segments.generation(segment);
    }
    if (segment >= 0) this.#bytes += value.taken;
  }

  end(): void {
    const { segments, verbs } = this.#kernel;
    const segment = this.#segment;
    if (segment >= 0 && this.#bytes > 0) {
      const living = segments.writeOffset(segment) - segments.deadBytes(segment);
      if (living <= this.#bytes) verbs.noteDeadBytes(segment, this.#bytes, this.#generation);
    }
    this.#segment = -1;
    this.#bytes = 0;
  }
}
