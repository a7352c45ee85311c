// The janitor's last act: everything to disk, every entry left to its disk copy, and the index written down, so that the
// next open finds the cache warm without a scan. Runs when no other thread writes any more.
import { type SegmentState, type SnapshotPlace, writeSnapshot } from "../directory/mod.js";
import type { Hasher } from "../hash/mod.js";
import { codes, type Kernel } from "../kernel/mod.js";
import type { DirectoryWriter } from "../tiers/mod.js";
import type { DiskLog } from "./disk-log.js";
import type { Flusher } from "./flusher.js";
import { retryWhileBusy } from "./retry-while-busy.js";

const chunkBytes = 1 << 20;

/** The disk side of a janitor. */
export interface DiskSide {
  readonly log: DiskLog;
  readonly flusher: Flusher;
  readonly directory: DirectoryWriter;
  readonly hasher: Hasher;
}

/** How the janitor ended. */
export interface JanitorEnd {
  /** Everything live is on disk. */
  readonly flushed: boolean;
  readonly snapshotWritten: boolean;
  readonly nextSequence: number;
}

export class Closing {
  readonly #kernel: Kernel;
  readonly #disk: DiskSide;
  readonly #snapshot: SnapshotPlace;

  constructor(kernel: Kernel, disk: DiskSide, snapshot: SnapshotPlace) {
    this.#kernel = kernel;
    this.#disk = disk;
    this.#snapshot = snapshot;
  }

  /** Throws ERR_DISK_IO if something could not be written; the next open scans then. */
  run(now: number): JanitorEnd {
    const nextSequence = this.#kernel.control.sequence() + 1;
    this.#disk.log.dropQuarantined();
    // Again while a lock is held somewhere: what is not written now is gone.
    const { flusher } = this.#disk;
    retryWhileBusy(() =>
      flusher.flush("all", now, () => undefined) ? codes.answerDone : codes.answerBusy,
    );
    this.#disk.log.seal();
    this.#demoteAll();
    // Cleared entries would look alive to a reader of the snapshot.
    this.#kernel.verbs.sweep(0, this.#kernel.geometry.bucketCount, now);
    return { flushed: true, snapshotWritten: this.#write(), nextSequence };
  }

  /** Leaves every record to its disk copy. A record without one (expired, or its copy was reclaimed) leaves the cache. */
  #demoteAll(): void {
    const { verbs, segments, tombstones } = this.#kernel;
    const { directory } = this.#disk;
    for (let segment = 0; segment < segments.count; segment++) {
      if (segments.state(segment) === codes.segmentFree) continue;
      const walk = segments.walk(segment);
      while (walk.next()) {
        const { record } = walk;
        // One whose key stays locked is left out of the snapshot's account when that is read.
        retryWhileBusy(() => verbs.demote(record));
        tombstones.drain((location) => directory.writeTombstone(location));
      }
    }
  }

  #write(): boolean {
    const { bucketCount } = this.#kernel.geometry;
    const index = this.#kernel.slots.bytes();
    function* chunks(): Generator<Uint8Array> {
      for (let from = 0; from < index.length; from += chunkBytes) {
        yield index.subarray(from, from + chunkBytes);
      }
    }
    const states = this.#segmentStates();
    return writeSnapshot(this.#snapshot, bucketCount, states, chunks(), this.#disk.hasher);
  }

  #segmentStates(): SegmentState[] {
    const { table } = this.#disk.log;
    const states: SegmentState[] = [];
    for (let segment = 0; segment < table.count; segment++) {
      const isUsed = table.state(segment) === codes.diskSealed;
      states.push({
        nonce: table.nonce(segment),
        serial: isUsed ? table.serial(segment) : 0,
        createdMs: table.createdMs(segment),
        endOffset: table.endOffset(segment),
        recordCount: table.recordCount(segment),
        tombstoneCount: table.tombstoneCount(segment),
        maxExpires: table.maxExpires(segment),
      });
    }
    return states;
  }
}
