// The janitor's last act: everything to disk, every entry left to its disk copy, and the index written down, so that the
// next open finds the cache warm without a scan. Runs when no other thread writes any more.
import { type SegmentState, type SnapshotPlace, writeSnapshot } from "../disk/mod.js";
import type { Hasher } from "../hash/mod.js";
import { type Kernel, layout as at } from "../kernel/mod.js";
import { RecordHeader, SegmentTable } from "../memory/mod.js";
import type { DiskTier } from "../tiers/mod.js";
import type { DiskLog } from "./disk-log.js";
import type { Flusher } from "./flusher.js";
import type { JanitorEnd } from "./messages.js";
import { retryWhileBusy } from "./retry-while-busy.js";

const chunkBytes = 1 << 20;

/** The disk side of a janitor. */
export interface DiskSide {
  readonly log: DiskLog;
  readonly flusher: Flusher;
  readonly tier: DiskTier;
  readonly hasher: Hasher;
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
    const nextSequence = this.#kernel.sequence() + 1;
    this.#disk.log.dropQuarantined();
    // Again while a lock is held somewhere: what is not written now is gone.
    const { flusher } = this.#disk;
    retryWhileBusy(() =>
      flusher.flush("all", now, () => undefined) ? at.answerDone : at.answerBusy,
    );
    this.#disk.log.seal();
    this.#demoteAll();
    // Cleared entries would look alive to a reader of the snapshot.
    this.#kernel.verbs.sweep(0, this.#kernel.geometry.bucketCount, now);
    return { flushed: true, snapshotWritten: this.#write(), nextSequence };
  }

  /** Leaves every record to its disk copy. A record without one (expired, or its copy was reclaimed) leaves the cache. */
  #demoteAll(): void {
    const table = new SegmentTable(this.#kernel);
    const header = new RecordHeader(this.#kernel);
    const { verbs, views } = this.#kernel;
    const { tier } = this.#disk;
    for (let segment = 0; segment < table.count; segment++) {
      if (table.state(segment) === at.segmentFree) continue;
      const end = table.base(segment) + table.writeOffset(segment);
      for (let record = table.base(segment); record < end;) {
        // One whose key stays locked is left out of the snapshot's account when that is read.
        retryWhileBusy(() => verbs.demote(record));
        const rival = views.f64[(this.#kernel.block + at.resultTombstone0) / 8] as number;
        if (rival !== 0) {
          tier.writeTombstone(rival);
          // The owner waits for this word before it closes the file.
          Atomics.store(views.i32, (this.#kernel.block + at.threadTombstoneSegment0) / 4, 0);
        }
        if (header.size(record) === 0) break;
        record += (header.size(record) + 7) & ~7;
      }
    }
  }

  #write(): boolean {
    const { bucketBase, bucketCount } = this.#kernel.geometry;
    const { u8 } = this.#kernel.views;
    const end = bucketBase + bucketCount * at.bucketSize;
    function* chunks(): Generator<Uint8Array> {
      for (let from = bucketBase; from < end; from += chunkBytes) {
        yield u8.subarray(from, Math.min(end, from + chunkBytes));
      }
    }
    const states = this.#segmentStates();
    return writeSnapshot(this.#snapshot, bucketCount, states, chunks(), this.#disk.hasher);
  }

  #segmentStates(): SegmentState[] {
    const { table } = this.#disk.log;
    const states: SegmentState[] = [];
    for (let segment = 0; segment < table.count; segment++) {
      const isUsed = table.state(segment) === at.diskSealed;
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
