// The books of phrases of a cache as one thread uses them: the newest for what it writes, any for what it reads. Called by the
// value codec. Invariant: a value is expanded by the very book that it names, or not at all.
import { expanded, PhraseBook } from "./phrase-book.js";
import { shapesMax } from "./shape-image.js";
import type { ShapeTable } from "./shape-table.js";

export class PhraseBooks {
  readonly #table: ShapeTable;
  readonly #books: (PhraseBook | undefined)[] = [];
  #newest: PhraseBook | undefined;
  /** Ids of the table that were looked at. */
  #known = 0;

  constructor(table: ShapeTable) {
    this.#table = table;
  }

  /** The value in fewer bytes, good until the next call on this thread; undefined if no book makes it worth it. */
  shorten(value: Uint8Array): Uint8Array | undefined {
    if (this.#table.count !== this.#known) this.#learn();
    return this.#newest?.shorten(value);
  }

  /** Expands a value to `expanded`; answers its length. Throws if its book is lost or never made it. */
  expand(stored: Buffer, start: number, end: number): number {
    const id = stored[start] as number;
    // A book is counted before any value by it can be found.
    if (this.#books[id] === undefined && this.#table.count !== this.#known) this.#learn();
    const book = this.#books[id];
    if (book === undefined || start === end) {
      throw new Error("Cannot read a value: the table of shapes has lost its book of phrases");
    }
    return book.expand(stored, start, end);
  }

  /** What the last `expand` of this thread wrote. */
  get expanded(): Buffer {
    return expanded;
  }

  #learn(): void {
    const count = Math.min(this.#table.count, shapesMax);
    for (let id = this.#known; id < count; id++) {
      const phrases = this.#table.phrasesOf(id);
      if (phrases === null) continue;
      this.#newest = new PhraseBook(id, phrases);
      this.#books[id] = this.#newest;
    }
    this.#known = count;
  }
}
