// The disk segment table as TypeScript reads it, for the disk log and the disk tier. The kernel
// writes it (assembly/segments/disk-table.ts), except the CAS in `quarantine`.
import * as at from "../layout.js";
import * as dir from "../layouts/directory-layout.js";
import type { Geometry } from "../region.js";
import { hasPendingTombstone } from "./pending-tombstones.js";
import type { Views } from "./views.js";

export class DiskSegmentTable {
  readonly #views: Views;
  readonly #geometry: Geometry;
  readonly #i32: Int32Array;
  readonly #f64: Float64Array;
  readonly #u64: BigUint64Array;

  constructor(views: Views, geometry: Geometry) {
    this.#views = views;
    this.#geometry = geometry;
    this.#i32 = views.i32;
    this.#f64 = views.f64;
    this.#u64 = views.u64;
  }

  /** Segment files in use. The janitor changes it while the cache runs. */
  count(): number {
    return Atomics.load(this.#i32, dir.controlDiskSegmentsUsed / 4);
  }

  #entry(segment: number): number {
    return this.#geometry.diskTable + segment * at.diskEntrySize;
  }

  #word(segment: number, field: number): number {
    return Atomics.load(this.#i32, (this.#entry(segment) + field) / 4) >>> 0;
  }

  #double(segment: number, field: number): number {
    return this.#f64[(this.#entry(segment) + field) / 8] as number;
  }

  /** `codes.diskFree` and so on. */
  state(segment: number): number {
    return this.#word(segment, at.diskState);
  }

  /** Quarantines a segment that is in use, after a failed write; true if this call did it. */
  quarantine(segment: number): boolean {
    const word = (this.#entry(segment) + at.diskState) / 4;
    for (const used of [at.diskOpen, at.diskSealed]) {
      if (Atomics.compareExchange(this.#i32, word, used, at.diskQuarantined) === used) return true;
    }
    return false;
  }

  /** How often it was reused. */
  generation(segment: number): number {
    return this.#word(segment, at.diskGeneration);
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

  /** The offset of the next batch; 0 before the first. */
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

  maxSerial(): number {
    let most = 0;
    const count = this.count();
    for (let segment = 0; segment < count; segment++) {
      most = Math.max(most, this.serial(segment));
    }
    return most;
  }

  /** Whether any thread is about to write a tombstone into this segment. */
  hasPendingTombstone(segment: number): boolean {
    return hasPendingTombstone({ views: this.#views }, segment);
  }
}
