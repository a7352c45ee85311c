// Counts the shapes that have no id yet, so that only one seen again and again gets one: ids are few and are never taken
// back. Called by the packer while it packs. Invariant: at most `windowShapes` shapes are remembered, of at most
// `shapeBytesMax` characters each; objects whose keys are data (users by their id) pass through and leave nothing.

import { shapeBytesMax, shapeKeysMax } from "../shapes/mod.js";

/** Sightings after which counting begins anew. */
const windowShapes = 1024;
/** Sightings in one window that give a shape an id: more than one in 64 of all that have none. */
const ripeCount = 16;

export class ShapeCensus {
  readonly #counts = new Map<string, number>();
  #seen = 0;
  #ripe: string[] | undefined;

  /** Notes an object without an id; `keys` are copied if they are kept. */
  note(keys: readonly string[]): void {
    if (keys.length > shapeKeysMax) return;
    if (++this.#seen > windowShapes) {
      this.#counts.clear();
      this.#seen = 1;
    }
    const name = keys.join("\0");
    if (name.length > shapeBytesMax) return;
    const count = (this.#counts.get(name) ?? 0) + 1;
    if (count >= ripeCount && this.#ripe === undefined) {
      // If it gets no id now it has to be seen as often again.
      this.#counts.delete(name);
      this.#ripe = [...keys];
    } else this.#counts.set(name, count);
  }

  /** The shape that deserves an id, once. */
  takeRipe(): readonly string[] | undefined {
    const ripe = this.#ripe;
    this.#ripe = undefined;
    return ripe;
  }
}
