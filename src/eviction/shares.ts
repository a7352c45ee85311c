// Which namespaces are within their share of the memory: no entry of theirs leaves for one of
// another that is beyond its own. Called by the evictor for each record that the policy would
// evict. Invariant: what is kept for all namespaces together leaves room to reclaim, so a segment
// can always be freed.
import type { Kernel } from "../kernel/mod.js";
import { codes } from "../kernel/mod.js";

/** The part of the log that live entries can fill: compaction begins when a quarter is dead. */
const usableShare = 3 / 4;

export class Shares {
  readonly #kernel: Kernel;
  /** By space: the bytes up to which it is protected. */
  readonly #limits = new Float64Array(256);

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  /** Reads the shares. False if no namespace has one: then nothing is protected. */
  refresh(): boolean {
    const { namespaces, geometry } = this.#kernel;
    if (!namespaces.hasShares()) return false;
    let sum = 0;
    for (let id = 1; id <= codes.namespacesMax; id++) sum += namespaces.memoryShare(id);
    if (sum === 0) return false;
    const segments = geometry.segmentCount - geometry.reserveSegments;
    const usable = segments * geometry.segmentBytes * usableShare;
    const scale = Math.min(1, usable / sum);
    for (let id = 1; id <= codes.namespacesMax; id++) {
      this.#limits[id] = namespaces.memoryShare(id) * scale;
    }
    return true;
  }

  /** Whether the namespace is within its share now. */
  isWithin(space: number): boolean {
    const limit = this.#limits[space] as number;
    return limit > 0 && this.#kernel.namespaces.memoryBytes(space) <= limit;
  }
}
