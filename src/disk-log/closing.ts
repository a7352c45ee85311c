// The janitor's last step at a clean close: flush everything, demote every record to its disk copy,
// write the index as a snapshot. The next open then finds the cache warm without a scan. Runs when
// no other thread writes any more.
import { UndercroftError } from "../base/mod.js";
import {
  type SegmentState,
  type SnapshotEnd,
  type SnapshotPlace,
  writeSnapshot,
} from "../directory/mod.js";
import type { Hasher } from "../hash/mod.js";
import { codes, type Kernel } from "../kernel/mod.js";
import { counterDiskErrors } from "../stats/mod.js";
import type { DirectoryWriter, ThreadDisk } from "../tiers/mod.js";
import type { DiskLog } from "./disk-log.js";
import type { Flusher } from "./flusher.js";
import { retryWhileBusy } from "./retry-while-busy.js";
import { payloadOf, pieceBytesMax } from "./snapshot-stream.js";

/** What a janitor needs to work on the disk tier. */
export interface DiskSide {
  readonly log: DiskLog;
  readonly flusher: Flusher;
  readonly directory: DirectoryWriter;
  readonly hasher: Hasher;
  readonly own: ThreadDisk;
  /** Throws ERR_DISK_IO if a file of the directory is not where it was opened. */
  readonly assertPresent: () => void;
}

/** How the janitor ended, as reported to the opener. */
export interface JanitorEnd {
  /** The last flush and the snapshot step ran without a disk error. */
  readonly flushed: boolean;
  readonly snapshot: SnapshotEnd;
  readonly nextSequence: number;
  /** Why not everything was flushed, "" if it was or nobody knows. */
  readonly fault: string;
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

  /** Throws ERR_DISK_IO if a write fails. There is no snapshot then, and the next open scans. */
  run(now: number): JanitorEnd {
    const nextSequence = this.#kernel.control.sequence() + 1;
    this.#disk.assertPresent();
    this.#disk.log.dropQuarantined();
    this.#disk.directory.mend();
    // Retry while a key's lock is held: what is not written now is lost.
    const { flusher } = this.#disk;
    retryWhileBusy(() =>
      flusher.flush("all", now, () => undefined) ? codes.answerDone : codes.answerBusy,
    );
    this.#disk.log.seal();
    this.#demoteAll();
    // Remove cleared entries first: a session that loads the snapshot takes them for live ones.
    this.#sweep(now);
    return { flushed: true, snapshot: this.#write(), nextSequence, fault: "" };
  }

  /** Demotes every record to its disk copy. A record without one (it expired, or its copy was
   *  reclaimed) leaves the cache. */
  #demoteAll(): void {
    const { verbs, segments, tombstones } = this.#kernel;
    const { directory } = this.#disk;
    for (let segment = 0; segment < segments.count; segment++) {
      if (segments.state(segment) === codes.segmentFree) continue;
      const walk = segments.walk(segment);
      while (walk.next()) {
        const { record } = walk;
        // A record whose key stays locked keeps its slot. Loading the snapshot discards slots that
        // name memory.
        retryWhileBusy(() => verbs.demoteAtClose(record));
        tombstones.drain((location) => directory.writeTombstone(location));
      }
    }
  }

  #sweep(now: number): void {
    const { verbs, geometry, tombstones } = this.#kernel;
    for (let from = 0; from < geometry.bucketCount;) {
      from = verbs.sweep(from, geometry.bucketCount, now);
      tombstones.drain((location) => this.#disk.directory.writeTombstone(location));
    }
  }

  /** If there is no snapshot in the end, the next open scans. */
  #write(): SnapshotEnd {
    try {
      return this.#writeAs(false) || this.#writeAs(true) ? "written" : "too-large";
    } catch (error) {
      if (!(error instanceof UndercroftError)) throw error;
      this.#kernel.count(counterDiskErrors, 1);
      return "failed";
    }
  }

  #writeAs(isDeflated: boolean): boolean {
    const { bucketCount } = this.#kernel.geometry;
    const chunks = payloadOf(
      this.#kernel.slots.packed(pieceBytesMax),
      isDeflated,
      this.#disk.own.cipher,
    );
    const states = this.#segmentStates();
    return writeSnapshot(this.#snapshot, bucketCount, states, chunks, this.#disk.hasher);
  }

  #segmentStates(): SegmentState[] {
    const { table } = this.#disk.log;
    const states: SegmentState[] = [];
    for (let segment = 0; segment < table.count(); segment++) {
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
