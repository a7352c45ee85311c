// The rings of sampled requests, one per thread. Each thread writes its own
// (assembly/segments/samples.ts); the janitor empties all, and is the only writer of their tails.
import * as at from "../layout.js";
import type { Geometry } from "../region.js";
import type { Views } from "./views.js";

/** Takes one sampled request: the high half of the key's hash, the bytes of its entry in memory,
 *  and the class of its load time. */
export type TakeSample = (hashHigh: number, size: number, loadClass: number) => void;

export class SampleRings {
  readonly #geometry: Geometry;
  readonly #i32: Int32Array;
  readonly #u32: Uint32Array;

  constructor(views: Views, geometry: Geometry) {
    this.#geometry = geometry;
    this.#i32 = views.i32;
    this.#u32 = views.u32;
  }

  /** Whether requests are sampled at all. */
  get areKept(): boolean {
    return this.#geometry.sampleSlots > 0;
  }

  /** Takes at most `most` requests from a thread's ring; answers how many it took. */
  take(thread: number, most: number, take: TakeSample): number {
    const { sampleBase, sampleSlots } = this.#geometry;
    const block = (at.threadTable + thread * at.threadBlockSize) / 4;
    const head = Atomics.load(this.#i32, block + at.threadSampleHead / 4);
    const tail = Atomics.load(this.#i32, block + at.threadSampleTail / 4);
    const taken = Math.min((head - tail) | 0, most);
    const ring = (sampleBase + thread * sampleSlots * at.sampleSize) / 4;
    for (let index = tail; index !== ((tail + taken) | 0); index = (index + 1) | 0) {
      const word = ring + (index & (sampleSlots - 1)) * (at.sampleSize / 4);
      const entry = this.#u32[word + 1] as number;
      const loadClass = entry >>> at.sampleLoadShift;
      take(this.#u32[word] as number, (entry & at.sampleUnitsMask) * 8, loadClass);
    }
    if (taken > 0) Atomics.store(this.#i32, block + at.threadSampleTail / 4, (tail + taken) | 0);
    return taken;
  }
}
