// Counts the schemas that have no id yet, so that only one seen again and again gets one: ids are few and are never taken
// back. Called by the packer while it packs. Invariant: at most `windowSchemas` schemas are remembered, of at most
// `schemaBytesMax` characters each; objects whose keys are data (users by their id) pass through and leave nothing.

import { schemaBytesMax, schemaKeysMax } from "../dictionary/mod.js";

/** Sightings after which counting begins anew. */
const windowSchemas = 1024;
/** Sightings in one window that give a schema an id: more than one in 64 of all that have none. */
const ripeCount = 16;

export class SchemaSampler {
  readonly #counts = new Map<string, number>();
  #seen = 0;
  #ripe: string[] | undefined;

  /** Notes an object without an id; `keys` are copied if they are kept. */
  note(keys: readonly string[]): void {
    if (keys.length > schemaKeysMax) return;
    if (++this.#seen > windowSchemas) {
      this.#counts.clear();
      this.#seen = 1;
    }
    const name = keys.join("\0");
    if (name.length > schemaBytesMax) return;
    const count = (this.#counts.get(name) ?? 0) + 1;
    if (count >= ripeCount && this.#ripe === undefined) {
      // If it gets no id now it has to be seen as often again.
      this.#counts.delete(name);
      this.#ripe = [...keys];
    } else this.#counts.set(name, count);
  }

  /** The schema that deserves an id, once. */
  takeRipe(): readonly string[] | undefined {
    const ripe = this.#ripe;
    this.#ripe = undefined;
    return ripe;
  }
}
