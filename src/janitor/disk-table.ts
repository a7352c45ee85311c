// The disk segment table in shared memory, as the janitor reads it; the kernel writes it.
import { segmentOfLocation } from "../disk/mod.js";
import { type Kernel, layout as at } from "../kernel/mod.js";

export class DiskTable {
  readonly #kernel: Kernel;
  readonly #i32: Int32Array;
  readonly #f64: Float64Array;
  readonly #u64: BigUint64Array;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#i32 = kernel.views.i32;
    this.#f64 = kernel.views.f64;
    this.#u64 = new BigUint64Array(kernel.views.u8.buffer);
  }

  get count(): number {
    return this.#kernel.geometry.diskSegmentCount;
  }

  #entry(segment: number): number {
    return this.#kernel.geometry.diskTable + segment * at.diskEntrySize;
  }

  #word(segment: number, field: number): number {
    return Atomics.load(this.#i32, (this.#entry(segment) + field) / 4) >>> 0;
  }

  #double(segment: number, field: number): number {
    return this.#f64[(this.#entry(segment) + field) / 8] as number;
  }

  state(segment: number): number {
    return this.#word(segment, at.diskState);
  }

  nonce(segment: number): bigint {
    return Atomics.load(this.#u64, (this.#entry(segment) + at.diskNonce) / 8);
  }

  serial(segment: number): number {
    return this.#double(segment, at.diskSerial);
  }

  createdMs(segment: number): number {
    return this.#double(segment, at.diskCreated);
  }

  /** Where the next batch goes; 0 before the first. */
  endOffset(segment: number): number {
    return this.#word(segment, at.diskEndOffset);
  }

  recordCount(segment: number): number {
    return this.#word(segment, at.diskRecordCount);
  }

  tombstoneCount(segment: number): number {
    return this.#word(segment, at.diskTombstoneCount);
  }

  maxExpires(segment: number): number {
    return this.#double(segment, at.diskMaxExpires);
  }

  maxSequence(segment: number): number {
    return this.#double(segment, at.diskMaxSequence);
  }

  segmentOf(location: number, segmentBytes: number): number {
    return segmentOfLocation(location, segmentBytes);
  }

  /** False while a segment is given up and not known to be void and empty. */
  get isTrusted(): boolean {
    for (let segment = 0; segment < this.count; segment++) {
      if (this.state(segment) === at.diskQuarantined) return false;
    }
    return true;
  }

  findFree(): number {
    for (let segment = 0; segment < this.count; segment++) {
      if (this.state(segment) === at.diskFree) return segment;
    }
    return -1;
  }

  maxSerial(): number {
    let most = 0;
    for (let segment = 0; segment < this.count; segment++) {
      most = Math.max(most, this.serial(segment));
    }
    return most;
  }

  /** The sealed segment to reclaim next: one in which everything expired, was cleared or was marked dead, else the oldest;
   *  -1 if none. */
  chooseVictim(now: number, open: number): number {
    const epoch = this.#kernel.clearEpoch();
    let oldest = -1;
    for (let segment = 0; segment < this.count; segment++) {
      if (segment === open || this.state(segment) !== at.diskSealed) continue;
      if (this.maxExpires(segment) <= now || this.maxSequence(segment) <= epoch) return segment;
      if (this.tombstoneCount(segment) >= this.recordCount(segment)) return segment;
      if (oldest < 0 || this.serial(segment) < this.serial(oldest)) oldest = segment;
    }
    return oldest;
  }

  /** Is any thread about to write a dead mark into this segment? */
  hasPendingTombstone(segment: number): boolean {
    for (let thread = 0; thread < at.threadsMax; thread++) {
      const block = at.threadTable + thread * at.threadBlockSize;
      if (Atomics.load(this.#i32, (block + at.threadState) / 4) === 0) continue;
      for (const word of [at.threadTombstoneSegment0, at.threadTombstoneSegment1]) {
        if (Atomics.load(this.#i32, (block + word) / 4) === segment + 1) return true;
      }
    }
    return false;
  }
}
