// The contract of a codec: values to bytes and back. Called by the facade at `set`, at a hit that the near cache does
// not have, and by workers that encode large values. Invariant: decode(encode(value)) is the value, of the same type,
// and shares no memory with the bytes it came from.

/** Values to bytes and back, on one thread. Not re-entrant across threads: each thread makes its own. */
export interface Codec {
  /** How the last `encode` encoded: a number of record/codec-id.ts, which belongs in the record beside the bytes. */
  readonly lastCodecId: number;

  /**
   * The bytes of `value`; `lastCodecId` then says how it was encoded. They stand in a buffer that the next `encode`
   * on this thread uses again, or are the caller's own bytes: copy them before anything else runs. `key` is for
   * messages only.
   *
   * @throws TypeError if the value cannot be kept as it is, naming the key and the path, RangeError if it is nested
   * too deeply. What a custom codec, a getter or a `toJSON` of the value throws comes through as it is.
   */
  encode(value: unknown, key: string | Uint8Array): Uint8Array;

  /**
   * The value of the bytes from `start` to `end` of `buffer`, which may be overwritten afterwards: no value aliases
   * it. `buffer` should be private memory (reading strings from shared memory is ten times slower) and the same
   * object each time.
   *
   * @throws Error if no `encode` made these bytes, UndercroftError `ERR_FORMAT_VERSION` if `codecId` is unknown here.
   */
  decode(codecId: number, buffer: Buffer, start: number, end: number): unknown;
}
