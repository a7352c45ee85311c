// The janitor's last act: everything to disk, every entry left to its disk copy, and the index written down, so that the
// next open finds the cache warm without a scan. Runs when no other thread writes any more.
import { UndercroftError } from "../base/mod.js";
import { type SegmentState, type SnapshotPlace, writeSnapshot } from "../disk/mod.js";
import type { Hasher } from "../hash/mod.js";
import { type Kernel, layout as at } from "../kernel/mod.js";
import type { DiskLog } from "./disk-log.js";
import type { Flusher } from "./flusher.js";
import type { JanitorEnd } from "./messages.js";
import { RecordHeader, SegmentTable } from "./segments.js";

const chunkBytes = 1 << 20;

export class Closing {
  readonly #kernel: Kernel;
  readonly #log: DiskLog | null;
  readonly #flusher: Flusher | null;
  readonly #snapshot: SnapshotPlace | null;

  constructor(
    kernel: Kernel,
    log: DiskLog | null,
    flusher: Flusher | null,
    snapshot: SnapshotPlace | null,
  ) {
    this.#kernel = kernel;
    this.#log = log;
    this.#flusher = flusher;
    this.#snapshot = snapshot;
  }

  run(now: number): JanitorEnd {
    const nextSequence = this.#nextSequence();
    const nothing = { flushed: false, snapshotWritten: false, nextSequence };
    if (this.#log === null || this.#flusher === null || this.#snapshot === null) return nothing;
    try {
      this.#flusher.flush(true, now, () => undefined);
      this.#log.seal();
      this.#demoteAll();
      const hasher = this.#log.hasher;
      return { flushed: true, snapshotWritten: this.#write(hasher), nextSequence };
    } catch (error) {
      if (error instanceof UndercroftError) return nothing;
      throw error;
    }
  }

  #nextSequence(): number {
    const { u32 } = this.#kernel.views;
    const word = at.controlSequence / 4;
    return (u32[word] as number) + (u32[word + 1] as number) * 2 ** 32 + 1;
  }

  /** Leaves every record to its disk copy. A record without one (expired, or its copy was reclaimed) leaves the cache. */
  #demoteAll(): void {
    const table = new SegmentTable(this.#kernel);
    const header = new RecordHeader(this.#kernel);
    const { verbs, views } = this.#kernel;
    const { log } = { log: this.#log as DiskLog };
    for (let segment = 0; segment < table.count; segment++) {
      if (table.state(segment) === at.segmentFree) continue;
      const end = table.base(segment) + table.writeOffset(segment);
      for (let record = table.base(segment); record < end; ) {
        verbs.demote(record);
        const rival = views.f64[(this.#kernel.block + at.resultKill0) / 8] as number;
        if (rival !== 0) log.kill(rival);
        record += (header.size(record) + 7) & ~7;
      }
    }
  }

  #write(hasher: Hasher): boolean {
    const { bucketBase, bucketCount } = this.#kernel.geometry;
    const { u8 } = this.#kernel.views;
    const end = bucketBase + bucketCount * at.bucketSize;
    function* chunks(): Generator<Uint8Array> {
      for (let from = bucketBase; from < end; from += chunkBytes) {
        yield u8.subarray(from, Math.min(end, from + chunkBytes));
      }
    }
    return writeSnapshot(
      this.#snapshot as SnapshotPlace,
      bucketCount,
      this.#segmentStates(),
      chunks(),
      hasher,
    );
  }

  #segmentStates(): SegmentState[] {
    const { table } = this.#log as DiskLog;
    const states: SegmentState[] = [];
    for (let segment = 0; segment < table.count; segment++) {
      const isUsed = table.state(segment) === at.diskSealed;
      states.push({
        nonce: table.nonce(segment),
        serial: isUsed ? table.serial(segment) : 0,
        createdMs: table.createdMs(segment),
        endOffset: table.endOffset(segment),
        recordCount: table.recordCount(segment),
        deadCount: table.deadCount(segment),
        maxExpires: table.maxExpires(segment),
      });
    }
    return states;
  }
}
