// The contract of a schema dictionary, which all threads of a cache share. Called by the schema
// packer; memory/schema-area.ts implements it. Invariant: `count` only grows, and an id never
// changes its meaning.

export interface SchemaTable {
  /** Ids given out so far by all threads: 0 to `count` - 1. */
  readonly count: number;

  /** Whether there is no room for another schema. */
  readonly isFull: boolean;

  /**
   * The keys of a schema in order. Null if the directory lost the schema, which makes every value
   * with it a miss.
   */
  keysOf(id: number): readonly string[] | null;

  /**
   * Gives the keys an id. The caller knows the first `known` ids, and the keys are not among them.
   * Returns false if that is not possible now: another thread adds one or has added one, there is
   * no room, or the directory could not be written.
   */
  add(keys: readonly string[], known: number): boolean;
}
