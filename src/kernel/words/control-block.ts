// The words of the control block that change while a cache is open, by name. A word that other
// threads write has a method and not a getter: the proof of interleavings stops a thread before
// each method that reads one.
import type { ClockWords } from "../../base/mod.js";
import * as at from "../layout.js";
import * as dir from "../layouts/directory-layout.js";
import * as ns from "../namespace-layout.js";
import type { Views } from "./views.js";

// Constants of this file: the compiler does not fold those of another module.
const stateWord = at.controlState / 4;
const nearEpochWord = at.controlNearEpoch / 4;
const tagEpochWord = at.controlTagEpoch / 4;
const sampleMaskWord = at.controlSampleMask / 4;
const invalidationsWord = at.controlInvalidations / 8;
const { stateOpen, stateClosed } = at;
/** Infinity as an f64. */
const infinityBits = 0x7ff0_0000_0000_0000n;

/** Live entries at the last clear: the entry counters count from there. */
export interface ClearedCounts {
  readonly memoryEntries: number;
  readonly memoryBytes: number;
  readonly diskEntries: number;
  readonly negatives: number;
}

export class ControlBlock {
  readonly #i32: Int32Array;
  readonly #u32: Uint32Array;
  readonly #f64: Float64Array;
  readonly #u64: BigUint64Array;

  constructor(views: Views) {
    this.#i32 = views.i32;
    this.#u32 = views.u32;
    this.#f64 = views.f64;
    this.#u64 = views.u64;
  }

  // ── State ───────────────────────────────────────────────────────────────────────────────────

  isOpen(): boolean {
    return this.#i32[stateWord] === stateOpen;
  }

  /** As `isOpen`, but ordered after this thread's earlier writes. */
  state(): number {
    return Atomics.load(this.#i32, stateWord);
  }

  /** Whether the cache has ended for all threads; a closing one has not. */
  isClosed(): boolean {
    return Atomics.load(this.#i32, stateWord) === stateClosed;
  }

  /** Sets `codes.stateClosing` or `codes.stateClosed`. The opener writes it, or a thread that finds
   *  the opener dead. */
  setState(state: number): void {
    Atomics.store(this.#i32, stateWord, state);
  }

  // ── Time and order ──────────────────────────────────────────────────────────────────────────

  /** What the threads share of the clock: the time at the monotonic zero, and how far it is ahead
   *  of the wall clock. */
  get clockWords(): ClockWords {
    const first = at.controlClockWords / 8;
    return {
      values: this.#f64.subarray(first, first + 2),
      bits: this.#u64.subarray(first, first + 2),
    };
  }

  /** The coarse clock: milliseconds of the cache's time. */
  coarseTime(): number {
    return this.#f64[at.controlClock / 8] as number;
  }

  /** The base of creation times in records, in wall-clock milliseconds. */
  get createdBaseMs(): number {
    return this.#f64[at.controlCreatedBase / 8] as number;
  }

  /** The newest sequence given out. */
  sequence(): number {
    return this.#u48(at.controlSequence);
  }

  /** Memory segments sealed so far: the newest seal order. */
  seals(): number {
    return this.#u48(at.controlSeals);
  }

  /** Records up to this sequence were cleared. */
  clearEpoch(): number {
    return this.#u48(at.controlClearEpoch);
  }

  /** Records of a namespace up to this sequence were cleared, with it or with the whole cache. */
  clearEpochOf(space: number): number {
    const epoch = this.clearEpoch();
    if (space === 0) return epoch;
    const entry = at.namespaceTable + Math.min(space, at.namespacesMax) * at.namespaceSize;
    return Math.max(epoch, this.#u48(entry + ns.namespaceClearEpoch));
  }

  /** Exact, since a sequence has 48 bits. It is read as one word, so it is never torn. */
  #u48(offset: number): number {
    return Number(Atomics.load(this.#u64, offset / 8));
  }

  /** The low half of the seed of the key hash. */
  get seedLow(): number {
    return this.#i32[at.controlSeed / 4] as number;
  }

  // ── Near caches ─────────────────────────────────────────────────────────────────────────────

  /** Near caches drop everything when this has changed. */
  nearEpoch(): number {
    return this.#i32[nearEpochWord] as number;
  }

  /** Grows with each invalidation of a tag. */
  tagEpoch(): number {
    return this.#i32[tagEpochWord] as number;
  }

  /** The number of the last invalidation, as a double (layout.ts, firstInvalidation), at element 0.
   *  It is a view of that word alone: every hit reads it, and each object on the way there would
   *  cost a nanosecond (docs/internals/decisions/0013). */
  get lastInvalidation(): Float64Array {
    return this.#f64.subarray(invalidationsWord, invalidationsWord + 1);
  }

  // ── Size ────────────────────────────────────────────────────────────────────────────────────

  /** Memory segments that are to be in use. */
  segmentsWanted(): number {
    return Atomics.load(this.#i32, at.controlSegmentsWanted / 4);
  }

  /** Any thread may; the janitor follows. */
  setSegmentsWanted(segments: number): void {
    Atomics.store(this.#i32, at.controlSegmentsWanted / 4, segments);
  }

  // ── Sampling ────────────────────────────────────────────────────────────────────────────────

  /** Whether requests for a key with this low half of a hash are sampled. */
  isSampled(hashLow: number): boolean {
    return (hashLow & (this.#i32[sampleMaskWord] as number)) === 0;
  }

  setSampleMask(mask: number): void {
    Atomics.store(this.#i32, sampleMaskWord, mask);
  }

  // ── The janitor ─────────────────────────────────────────────────────────────────────────────

  /** How often the doorbell has been rung; `waitForBell` takes this number. */
  doorbell(): number {
    return Atomics.load(this.#i32, at.controlDoorbell / 4);
  }

  /** Blocks until the bell is rung after `heard`, for at most `ms`. */
  waitForBell(heard: number, ms: number): void {
    Atomics.wait(this.#i32, at.controlDoorbell / 4, heard, ms);
  }

  /** The janitor sleeps until something changes: the next write rings (layout.ts, controlAsleep).
   *  After this it looks whether something has changed already. */
  fallAsleep(): void {
    Atomics.store(this.#i32, at.controlAsleep / 4, 1);
  }

  /** Writes need not ring any more. */
  wakeUp(): void {
    Atomics.store(this.#i32, at.controlAsleep / 4, 0);
  }

  /** No entry in memory ends before this time, in wall-clock milliseconds; 0 = unknown. */
  soonestDeadline(): number {
    Atomics.load(this.#u64, at.controlSoonest / 8);
    return this.#f64[at.controlSoonest / 8] as number;
  }

  /** Before a sweep of the whole index, which notes the deadlines that it sees. */
  forgetDeadlines(): void {
    Atomics.store(this.#u64, at.controlSoonest / 8, infinityBits);
  }

  /** Whether a thread has loads, or asynchronous sets, under way. */
  hasFlights(): boolean {
    return Atomics.load(this.#u64, at.controlFlightThreads / 8) !== 0n;
  }

  /** Tells the janitor to end. */
  requestStop(): void {
    Atomics.store(this.#i32, at.controlStop / 4, 1);
  }

  /** Takes back what `requestStop` told, once the janitor has ended. */
  clearStop(): void {
    Atomics.store(this.#i32, at.controlStop / 4, 0);
  }

  isStopRequested(): boolean {
    return Atomics.load(this.#i32, at.controlStop / 4) !== 0;
  }

  // ── Removals told to listeners ──────────────────────────────────────────────────────────────

  /** Sets whether anybody listens to removals. */
  listenForRemovals(listens: boolean): void {
    Atomics.store(this.#i32, at.controlEventMask / 4, listens ? 1 : 0);
  }

  hasRemovalListeners(): boolean {
    return Atomics.load(this.#i32, at.controlEventMask / 4) !== 0;
  }

  /** Removals sent to the opener and not told to listeners yet. */
  pendingRemovals(): number {
    return Atomics.load(this.#i32, at.controlEventsWaiting / 4);
  }

  addPendingRemovals(amount: number): void {
    Atomics.add(this.#i32, at.controlEventsWaiting / 4, amount);
  }

  resetPendingRemovals(): void {
    Atomics.store(this.#i32, at.controlEventsWaiting / 4, 0);
  }

  // ── The disk tier ───────────────────────────────────────────────────────────────────────────

  /** Whether the disk tier takes writes. */
  isDiskUp(): boolean {
    return Atomics.load(this.#i32, at.controlDiskUp / 4) === 1;
  }

  /** True if it was down. */
  markDiskUp(): boolean {
    return Atomics.exchange(this.#i32, at.controlDiskUp / 4, 1) === 0;
  }

  /** True if it was up. */
  markDiskDown(): boolean {
    return Atomics.exchange(this.#i32, at.controlDiskUp / 4, 0) === 1;
  }

  /** Whether the directory is another cache's: nothing is written to it. */
  isDirectoryOthers(): boolean {
    return Atomics.load(this.#i32, dir.controlDirectory / 4) === dir.directoryOthers;
  }

  /** Sets `codes.directoryTaken` or `codes.directoryOurs`. Only the opener does. */
  setDirectory(state: number): void {
    Atomics.store(this.#i32, dir.controlDirectory / 4, state);
  }

  /** Sets how many segment files are in use: the janitor, or the opener before it. */
  setDiskSegments(count: number): void {
    Atomics.store(this.#i32, dir.controlDiskSegmentsUsed / 4, count);
  }

  /** Bytes that the files of the directory may take. */
  diskCapacity(): number {
    return Number(Atomics.load(this.#u64, dir.controlDiskCapacity / 8));
  }

  /** The janitor does, or the opener before it. */
  setDiskCapacity(bytes: number): void {
    Atomics.store(this.#u64, dir.controlDiskCapacity / 8, BigInt(bytes));
  }

  /** Bytes that the files are to be able to take. */
  diskWanted(): number {
    return Number(Atomics.load(this.#u64, dir.controlDiskWanted / 8));
  }

  /** Any thread may; the janitor follows. */
  setDiskWanted(bytes: number): void {
    Atomics.store(this.#u64, dir.controlDiskWanted / 8, BigInt(bytes));
  }

  /** Gives a change up: unless another thread wants something else by now, the capacity in force is
   *  the wanted one again. `error` is the system's number of what failed. */
  giveUpDiskResize(wanted: number, error: number): void {
    Atomics.store(this.#i32, dir.controlDiskResizeError / 4, error);
    // Before the wanted capacity: who sees that changed must see this.
    Atomics.add(this.#i32, dir.controlDiskResizesFailed / 4, 1);
    const inForce = Atomics.load(this.#u64, dir.controlDiskCapacity / 8);
    const word = dir.controlDiskWanted / 8;
    Atomics.compareExchange(this.#u64, word, BigInt(wanted), inForce);
  }

  /** How many changes of the capacity failed. */
  diskResizesFailed(): number {
    return Atomics.load(this.#i32, dir.controlDiskResizesFailed / 4);
  }

  /** The system's number of the error of the last one that failed; 0 = the tier was down. */
  diskResizeError(): number {
    return Atomics.load(this.#i32, dir.controlDiskResizeError / 4);
  }

  /** How often segment files have left the disk. */
  diskFilesRemoved(): number {
    return Atomics.load(this.#i32, dir.controlDiskFilesRemoved / 4);
  }

  /** Tells every thread that a segment file which it has open may have left the disk. Before the
   *  segment is used again. */
  noteFilesRemoved(): void {
    Atomics.add(this.#i32, dir.controlDiskFilesRemoved / 4, 1);
  }

  /** Steps made on changes of the capacity. */
  diskResizeSteps(): number {
    return Atomics.load(this.#i32, dir.controlDiskResizeSteps / 4);
  }

  noteDiskResizeStep(): void {
    Atomics.add(this.#i32, dir.controlDiskResizeSteps / 4, 1);
  }

  // ── Schemas ─────────────────────────────────────────────────────────────────────────────────

  /** How many ids of the schema dictionary were given out. */
  schemaCount(): number {
    return Atomics.load(this.#i32, at.controlSchemaCount / 4);
  }

  setSchemaCount(count: number): void {
    Atomics.store(this.#i32, at.controlSchemaCount / 4, count);
  }

  /** The offset in the schema table where the next entry goes. */
  schemaEnd(): number {
    return Atomics.load(this.#i32, at.controlSchemaEnd / 4);
  }

  setSchemaEnd(end: number): void {
    Atomics.store(this.#i32, at.controlSchemaEnd / 4, end);
  }

  // ── Counts at the last clear ────────────────────────────────────────────────────────────────

  clearedCounts(): ClearedCounts {
    return {
      memoryEntries: this.#f64[at.controlClearedMemoryEntries / 8] as number,
      memoryBytes: this.#f64[at.controlClearedMemoryBytes / 8] as number,
      diskEntries: this.#f64[at.controlClearedDiskEntries / 8] as number,
      negatives: this.#f64[at.controlClearedNegatives / 8] as number,
    };
  }

  setClearedCounts(counts: ClearedCounts): void {
    this.#f64[at.controlClearedMemoryEntries / 8] = counts.memoryEntries;
    this.#f64[at.controlClearedMemoryBytes / 8] = counts.memoryBytes;
    this.#f64[at.controlClearedDiskEntries / 8] = counts.diskEntries;
    this.#f64[at.controlClearedNegatives / 8] = counts.negatives;
  }

  /** Whether this is a shared map's memory, in which nothing is evicted. */
  get neverEvicts(): boolean {
    return this.#u32[at.controlNeverEvicts / 4] === 1;
  }
}
