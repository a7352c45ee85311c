// The contents of the head record of a value in chunks. large-value.ts writes and reads them.

/** The contents of a head record. */
export interface LargeValue {
  readonly bytes: number;
  /** With those that are skipped. */
  readonly chunks: number;
  /** Numbers of chunks that there are none of, ascending. */
  readonly skipped: readonly number[];
  /** The bytes of each chunk but the last. */
  readonly chunkBytes: number;
  /** The hash of the head's key. */
  readonly hashLow: number;
  readonly hashHigh: number;
  readonly idLow: number;
  readonly idHigh: number;
}
