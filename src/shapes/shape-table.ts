// The contract of a table of shapes, which all threads of a cache share. Called by the packer of shapes; memory/ has it.
// Invariant: `count` only grows, and what an id means never changes.

export interface ShapeTable {
  /** Ids given out so far, over all threads: 0 to `count` - 1. */
  readonly count: number;

  /** There is no room for another shape. */
  readonly isFull: boolean;

  /** The keys of a shape in their order; null if the directory lost them, which makes a miss of every value with it, or if
   * the id is that of a book. */
  keysOf(id: number): readonly string[] | null;

  /** The phrases of the book that has this id; null if a shape has it, or it was lost. */
  phrasesOf(id: number): readonly Uint8Array[] | null;

  /**
   * Gives the keys an id, for a caller that knows `known` shapes and has not found them there. False if that could not
   * be now: another thread is adding one or has, there is no room, or the directory could not be written.
   */
  add(keys: readonly string[], known: number): boolean;
}
