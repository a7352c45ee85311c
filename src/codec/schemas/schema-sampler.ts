// Counts schemas without an id, so that only those seen again and again get one: ids are few and
// are never taken back. Called by the packer while it packs. Invariant: remembers at most
// `windowSchemas` schemas of at most `schemaBytesMax` characters each. Objects whose keys are data
// (users by their id) are forgotten with their window.

import { schemaBytesMax, schemaKeysMax } from "../../dictionary/mod.js";

/** The counts are cleared after this many sightings. */
const windowSchemas = 1024;
/**
 * A schema seen this often in one window gets an id: at least one in 64 of the objects without one.
 */
const ripeCount = 16;

export class SchemaSampler {
  readonly #counts = new Map<string, number>();
  #seen = 0;
  #ripe: string[] | undefined;

  /** Counts an object without an id. Copies `keys` if it keeps them. */
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
      // If it gets no id now, it must be seen as often again.
      this.#counts.delete(name);
      this.#ripe = [...keys];
    } else this.#counts.set(name, count);
  }

  /** The schema that should get an id. Returns each such schema once. */
  takeRipe(): readonly string[] | undefined {
    const ripe = this.#ripe;
    this.#ripe = undefined;
    return ripe;
  }
}
