// Counts schemas without an id, so that only those seen again and again get one: ids are few and
// are never taken back. Called by the packer while it packs. Invariant: remembers at most
// `windowSchemas` schemas of at most `schemaBytesMax` characters each. Objects whose keys are data
// (users by their id) are forgotten with their window, and cost little once they are all there is:
// then few are counted.

import { schemaBytesMax, schemaKeysMax } from "../../dictionary/mod.js";

/** The counts are cleared after this many sightings. */
const windowSchemas = 1024;
/**
 * A schema seen this often in one window gets an id: at least one in 64 of the objects without one.
 */
const ripeCount = 16;
/**
 * After a window in which no schema became ripe, only one object in two is counted, then one in
 * four, up to one in this many; after one that did, all are.
 */
const strideMax = 64;

export class SchemaSampler {
  readonly #counts = new Map<string, number>();
  #seen = 0;
  #ripe: string[] | undefined;
  /** One object in so many is counted, on average, and how many before the next one are not. */
  #stride = 1;
  #skip = 0;
  #random = 1;

  /** Counts an object without an id. Copies `keys` if it keeps them. */
  note(keys: readonly string[]): void {
    if (this.#skip > 0) {
      this.#skip -= 1;
      return;
    }
    this.#skip = this.#nextSkip();
    if (keys.length > schemaKeysMax) return;
    if (++this.#seen > windowSchemas) {
      this.#counts.clear();
      this.#seen = 1;
      this.#stride = Math.min(this.#stride * 2, strideMax);
    }
    const name = keys.join("\0");
    if (name.length > schemaBytesMax) return;
    const count = (this.#counts.get(name) ?? 0) + 1;
    if (count >= ripeCount && this.#ripe === undefined) {
      // If it gets no id now, it must be seen as often again.
      this.#counts.delete(name);
      this.#ripe = [...keys];
      this.#stride = 1;
      this.#skip = 0;
    } else this.#counts.set(name, count);
  }

  /** 0 to twice the stride - 2. At random, since values have their objects in a regular order. */
  #nextSkip(): number {
    if (this.#stride === 1) return 0;
    this.#random = (Math.imul(this.#random, 0x9e3779b1) + 1) >>> 0;
    return (this.#random >>> 8) % (this.#stride * 2 - 1);
  }

  /** The schema that should get an id. Returns each such schema once. */
  takeRipe(): readonly string[] | undefined {
    const ripe = this.#ripe;
    this.#ripe = undefined;
    return ripe;
  }
}
