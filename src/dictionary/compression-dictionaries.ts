// The compression dictionaries of a cache as one thread uses them: the newest for what it writes, any for what it reads. Called by the
// value codec. Invariant: a value is expanded by the very dictionary that it names, or not at all.
import { expanded, CompressionDictionary } from "./compression-dictionary.js";
import { schemasMax } from "./dictionary-image.js";
import type { SchemaTable } from "./schema-table.js";

export class CompressionDictionaries {
  readonly #table: SchemaTable;
  readonly #dictionaries: (CompressionDictionary | undefined)[] = [];
  #newest: CompressionDictionary | undefined;
  /** Ids of the table that were looked at. */
  #known = 0;

  constructor(table: SchemaTable) {
    this.#table = table;
  }

  /** The value in fewer bytes, good until the next call on this thread; undefined if no dictionary makes it worth it. */
  shorten(value: Uint8Array): Uint8Array | undefined {
    if (this.#table.count !== this.#known) this.#learn();
    return this.#newest?.shorten(value);
  }

  /** Expands a value to `expanded`; answers its length. Throws if its dictionary is lost or never made it. */
  expand(stored: Buffer, start: number, end: number): number {
    const id = stored[start] as number;
    // A dictionary is counted before any value by it can be found.
    if (this.#dictionaries[id] === undefined && this.#table.count !== this.#known) this.#learn();
    const dictionary = this.#dictionaries[id];
    if (dictionary === undefined || start === end) {
      throw new Error(
        "Cannot read a value: the schema dictionary has lost its compression dictionary",
      );
    }
    return dictionary.expand(stored, start, end);
  }

  /** What the last `expand` of this thread wrote. */
  get expanded(): Buffer {
    return expanded;
  }

  #learn(): void {
    const count = Math.min(this.#table.count, schemasMax);
    for (let id = this.#known; id < count; id++) {
      const symbols = this.#table.symbolsOf(id);
      if (symbols === null) continue;
      this.#newest = new CompressionDictionary(id, symbols);
      this.#dictionaries[id] = this.#newest;
    }
    this.#known = count;
  }
}
