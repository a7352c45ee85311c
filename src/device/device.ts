// The contract of all file I/O: positional reads and writes on descriptors that the opener opened.
// Called by the disk tier and by every thread that reads a record from disk. Invariant: an
// operation moves exactly the bytes it was asked for, or the caller learns that it did not.

/**
 * Positional I/O. Every failure is an `UndercroftError` with `ERR_DISK_IO` and the system's error
 * as its cause.
 */
export interface Device {
  /**
   * Resolves to the number of bytes read, which is less than `length` only at the end of the file.
   * Never uses the file cursor.
   */
  readAt(
    fd: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<number>;
  /** As `readAt`, on the calling thread. */
  readAtSync(
    fd: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): number;
  /**
   * Writes all of `length` bytes or throws. It does not retry a short write, which means a full
   * disk.
   */
  writeAtSync(
    fd: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): void;
  /** Sets the length of the file. Bytes beyond the old length read as zeros. */
  truncateSync(fd: number, length: number): void;
  /**
   * Resolves when the bytes written so far survive a power loss. A failure is final: never call it
   * again.
   */
  fsync(fd: number): Promise<void>;
  /** As `fsync`, on the calling thread. */
  fsyncSync(fd: number): void;
}
