// Hits that do not count: those of an entry while it is in the newest part of the small log, its
// quiet part. Readers mark every hit; here the marks of a segment are taken away when it leaves the
// quiet part. So a hit costs nothing more, and a near value that has counted its hits is told to
// count again. Called by the evictor with each reclaim. The policy's state holds which segments
// have left (`settled`); it is written before the marks go. If whoever evicts dies there, or two
// evict at once, some entries keep their marks or lose a newer one: decisions are a little off.
import { codes, type Kernel, type SegmentTable } from "../kernel/mod.js";
import type { EvictionPolicy } from "../policy/mod.js";

/** Segments whose marks are taken away with one reclaim. More than that have left the quiet part
 *  only where nothing was evicted for a while, and then their hits were not early. */
const segmentsMax = 4;

export class EarlyHits {
  readonly #kernel: Kernel;
  readonly #table: SegmentTable;
  readonly #policy: EvictionPolicy;

  constructor(kernel: Kernel, policy: EvictionPolicy) {
    this.#kernel = kernel;
    this.#table = kernel.segments;
    this.#policy = policy;
  }

  /** Takes away the marks in the segments that have left the quiet part since the last call. With
   *  `flushedOnly` a segment keeps them while records there wait to be written, since admission
   *  asks for hits. */
  settle(flushedOnly: boolean): void {
    const { quietShare, settled } = this.#policy;
    if (quietShare === 0) {
      // What was written under such a setting is not early under a later one.
      this.#policy.settled = this.#kernel.control.seals();
      return;
    }
    const left = this.#leaving(settled, quietShare);
    if (left.length === 0) return;
    this.#policy.settled = this.#table.sealOrder(left[0] as number);
    if (settled === 0 || left.length > segmentsMax) return;
    for (const segment of left) {
      if (!flushedOnly || !this.#isAwaited(segment)) this.#forget(segment);
    }
  }

  /** Sealed segments of the small log, newest first, that were sealed after `settled` and have left
   *  the quiet part by more than half. */
  #leaving(settled: number, quietShare: number): number[] {
    const table = this.#table;
    const fresh: number[] = [];
    let [small, newer] = [0, 0];
    for (let segment = 0; segment < table.count; segment++) {
      const state = table.state(segment);
      const isOpen = state === codes.segmentOpen;
      if (!isOpen && state !== codes.segmentSealed) continue;
      if (table.log(segment) !== codes.logSmall) continue;
      const bytes = table.writeOffset(segment);
      small += bytes;
      if (isOpen) newer += bytes;
      else if (table.sealOrder(segment) > settled) fresh.push(segment);
    }
    fresh.sort((one, other) => table.sealOrder(other) - table.sealOrder(one));
    return fresh.filter((segment) => {
      const bytes = table.writeOffset(segment);
      newer += bytes;
      return newer - bytes / 2 >= quietShare * small;
    });
  }

  #isAwaited(segment: number): boolean {
    const table = this.#table;
    return table.hasDeferred(segment) || table.flushedOffset(segment) < table.writeOffset(segment);
  }

  /** The claim keeps others from emptying the segment meanwhile. */
  #forget(segment: number): void {
    const { verbs, thread } = this.#kernel;
    if (verbs.claimSegment(segment) === 0) return;
    verbs.forgetHits(segment);
    verbs.releaseClaims(thread);
  }
}
