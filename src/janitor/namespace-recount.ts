// Counts anew what each namespace has in memory, and corrects the counts that threads keep: one
// that died between a slot's change and its count leaves them wrong. Runs in the janitor, beside
// its sweep, in steps. Invariant: threads go on meanwhile, so a count that differs by no more than
// what came and left during the pass is not touched; a quiet namespace is counted exactly.
import { elapsedMs } from "../base/mod.js";
import { codes, type Kernel } from "../kernel/mod.js";

/** From the end of a pass to the next one. */
const everyMs = 10_000;
/** Buckets in one step: some tenths of a millisecond. */
const bucketsPerStep = 512;

export class NamespaceRecount {
  readonly #kernel: Kernel;
  #next = 0;
  #dueMs = elapsedMs() + everyMs;
  /** The newest sequence when the last pass began. */
  #sequence = 0;
  readonly #bytesMoved = new Float64Array(codes.namespacesMax + 1);
  readonly #entriesMoved = new Float64Array(codes.namespacesMax + 1);

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  get isUnderWay(): boolean {
    return this.#next > 0;
  }

  /** Goes on with the pass, or begins one if it is due: counts go wrong with writes only. */
  run(): void {
    if (this.#next === 0) {
      const { control } = this.#kernel;
      if (elapsedMs() < this.#dueMs || control.sequence() === this.#sequence) return;
      this.#sequence = control.sequence();
      if (this.#used().length === 0) return;
      this.begin();
    }
    if (this.step()) return;
    this.end();
    this.#dueMs = elapsedMs() + everyMs;
  }

  begin(): void {
    const { namespaces } = this.#kernel;
    for (const id of this.#used()) {
      namespaces.beginRecount(id);
      const { bytes, entries } = namespaces.flow(id);
      this.#bytesMoved[id] = bytes;
      this.#entriesMoved[id] = entries;
    }
  }

  /** Counts some buckets. True if there are more. */
  step(): boolean {
    const { verbs, geometry } = this.#kernel;
    this.#next = verbs.recount(this.#next, this.#next + bucketsPerStep);
    return this.#next < geometry.bucketCount;
  }

  end(): void {
    this.#next = 0;
    const { namespaces } = this.#kernel;
    for (const id of this.#used()) {
      const seen = namespaces.seen(id);
      const flow = namespaces.flow(id);
      const bytesMoved = (flow.bytes - (this.#bytesMoved[id] as number)) >>> 0;
      const entriesMoved = (flow.entries - (this.#entriesMoved[id] as number)) >>> 0;
      const areBytesOff = Math.abs(seen.bytes - namespaces.memoryBytes(id)) > bytesMoved;
      const isCountOff = Math.abs(seen.entries - namespaces.memoryEntries(id)) > entriesMoved;
      if (areBytesOff || isCountOff) namespaces.correct(id, seen.bytes, seen.entries);
    }
  }

  #used(): number[] {
    const { namespaces } = this.#kernel;
    const ids: number[] = [];
    for (let id = 1; id <= codes.namespacesMax; id++) if (namespaces.isInUse(id)) ids.push(id);
    return ids;
  }
}
