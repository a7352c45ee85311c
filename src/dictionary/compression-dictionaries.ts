// The compression dictionaries of a cache as one thread uses them: it writes with the newest and
// reads with any. Called by the value codec. Invariant: a value is expanded by the dictionary that
// it names, or not at all.
import { expanded, CompressionDictionary } from "./compression-dictionary.js";
import { schemasMax } from "./dictionary-image.js";
import type { SchemaTable } from "./schema-table.js";

export class CompressionDictionaries {
  readonly #table: SchemaTable;
  readonly #dictionaries: (CompressionDictionary | undefined)[] = [];
  #newest: CompressionDictionary | undefined;
  /** The number of ids of the table that this thread has read. */
  #known = 0;

  constructor(table: SchemaTable) {
    this.#table = table;
  }

  /**
   * Shortens a value. The result is valid until this thread's next call; undefined if no dictionary
   * saves enough.
   */
  shorten(value: Uint8Array): Uint8Array | undefined {
    if (this.#table.count !== this.#known) this.#learn();
    return this.#newest?.shorten(value);
  }

  /**
   * Expands a value into `expanded` and returns its length. Throws if its dictionary is lost, or
   * did not make these bytes.
   */
  expand(stored: Buffer, start: number, end: number): number {
    const id = stored[start] as number;
    // The count includes a dictionary before any thread can find a value that it shortened.
    if (this.#dictionaries[id] === undefined && this.#table.count !== this.#known) this.#learn();
    const dictionary = this.#dictionaries[id];
    if (dictionary === undefined || start === end) {
      throw new Error(
        "Cannot read a value: the schema dictionary has lost its compression dictionary",
      );
    }
    return dictionary.expand(stored, start, end);
  }

  /** What this thread's last `expand` wrote. */
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
