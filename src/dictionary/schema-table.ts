// The contract of a schema dictionary, which all threads of a cache share. Called by the packer of schemas; memory/ has it.
// Invariant: `count` only grows, and what an id means never changes.

export interface SchemaTable {
  /** Ids given out so far, over all threads: 0 to `count` - 1. */
  readonly count: number;

  /** There is no room for another schema. */
  readonly isFull: boolean;

  /** The keys of a schema in their order; null if the directory lost them, which makes a miss of every value with it, or if
   * the id is that of a dictionary. */
  keysOf(id: number): readonly string[] | null;

  /** The symbols of the dictionary that has this id; null if a schema has it, or it was lost. */
  symbolsOf(id: number): readonly Uint8Array[] | null;

  /**
   * Gives the keys an id, for a caller that knows `known` schemas and has not found them there. False if that could not
   * be now: another thread is adding one or has, there is no room, or the directory could not be written.
   */
  add(keys: readonly string[], known: number): boolean;
}
