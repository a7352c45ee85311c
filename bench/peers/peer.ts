// What a suite asks of a cache. Each peer has its own copy of the loops, so that every call in them
// has one target and the compiler may inline it. One shared loop over four kinds of cache would
// time the loop.

export interface Peer {
  readonly name: string;
  /** Stores entries `from` to `to` - 1, under interned strings if given, else under new ones. */
  fill(from: number, to: number, keys?: readonly string[]): void | Promise<void>;
  /** Gets the drawn entries, building each key; returns how many were found. */
  getFresh(draws: Uint32Array, from: number, to: number): number;
  /** Gets the drawn entries by strings built once; returns how many were found. */
  getInterned(keys: readonly string[], draws: Uint32Array, from: number, to: number): number;
  close(): void | Promise<void>;
}
