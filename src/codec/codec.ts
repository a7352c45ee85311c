// The contract of a codec, which turns values into bytes and back. Called when an entry is set, and
// when a hit finds no value in the near cache. Invariant: decode(encode(value)) equals the value,
// has the same type, and shares no memory with the bytes.

/** Encodes and decodes values on one thread. Each thread makes its own codec. */
export interface Codec {
  /** How the last `encode` encoded: a number of record/codec-id.ts, stored in the record. */
  readonly lastCodecId: number;

  /**
   * Encodes `value` and sets `lastCodecId`. The bytes are in a buffer that the next `encode` on
   * this thread reuses, or are the caller's own: copy them before any other code runs. `key` is for
   * error messages only.
   *
   * @throws TypeError if the value cannot be stored exactly; the message names the key and the
   * path. RangeError if it is nested too deeply. Whatever a custom codec, a getter or a `toJSON`
   * throws is passed on unchanged.
   */
  encode(value: unknown, key: string | Uint8Array): Uint8Array;

  /**
   * Decodes the bytes from `start` to `end` of `buffer`. The value never aliases `buffer`, so the
   * caller may overwrite it afterwards. Pass private memory, since reading strings from shared
   * memory is ten times slower, and the same object each time.
   *
   * @throws Error if no `encode` made these bytes. UndercroftError `ERR_FORMAT_VERSION` if this
   * codec does not know `codecId`.
   */
  decode(codecId: number, buffer: Buffer, start: number, end: number): unknown;
}
