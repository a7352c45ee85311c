// The error with a code: a fault of the world (a directory, a disk, a thread, a loader), never a
// bug or a caller's mistake. Thrown by every room. A code is part of the contract and keeps its
// meaning; the message may change.

/**
 * The `code` of an UndercroftError, for a program to act on.
 *
 * @example
 * ```ts
 * import { type ErrorCode, UndercroftError } from "undercroft";
 *
 * const worthARetry: ErrorCode[] = ["ERR_DIRECTORY_LOCKED", "ERR_LOADER_TIMEOUT"];
 * const error = new UndercroftError("ERR_LOADER_TIMEOUT", "took too long");
 * console.log(worthARetry.includes(error.code)); // true
 * ```
 */
export type ErrorCode =
  /** The cache was closed, or the thread that opened it closed it or died. */
  | "ERR_CACHE_CLOSED"
  /** Another cache, of this process or another, has the directory, or has taken it over. */
  | "ERR_DIRECTORY_LOCKED"
  /** The directory or a file in it cannot be written. */
  | "ERR_DIRECTORY_NOT_WRITABLE"
  /** The directory holds files that no Undercroft made. */
  | "ERR_DIRECTORY_NOT_OURS"
  /** The path exists and is not a directory. */
  | "ERR_NOT_A_DIRECTORY"
  /** The files have a format that this version does not read. */
  | "ERR_FORMAT_VERSION"
  /** The directory is encrypted, and `disk.encryption` is missing or has another key. */
  | "ERR_ENCRYPTION_KEY"
  /** Reading or writing a file failed. */
  | "ERR_DISK_IO"
  /** A worker failed to start, died or did not answer, or a stuck thread keeps a lock. */
  | "ERR_WORKER"
  /** No open cache of this name is known to the thread that would attach by it. */
  | "ERR_UNKNOWN_CACHE"
  /** More than one open cache has the name to attach by. */
  | "ERR_AMBIGUOUS_CACHE"
  /** More threads attached than the shared memory has thread ids for. */
  | "ERR_TOO_MANY_THREADS"
  /** A custom codec could not decode a value. */
  | "ERR_CODEC"
  /** A loader failed while a stale value was served, or `warm` has no value for a key; `cause` is
   *  its error. */
  | "ERR_LOADER"
  /** A loader ran past its hard timeout. */
  | "ERR_LOADER_TIMEOUT"
  /** A loader waits for a fetch of its own key, directly or by other loaders. */
  | "ERR_LOADER_CYCLE"
  /** There was no room, in time, for what the call needs before it begins; nothing has changed. */
  | "ERR_OVERLOADED"
  /** A value that was being read as a stream was replaced, evicted or damaged before its end. */
  | "ERR_STREAM_LOST"
  /** The value came as a stream and is larger than memory takes: read it by `getStream`. */
  | "ERR_STREAM_ONLY"
  /** A host asked an adapter to store a value, and the cache refused it. An older value of the key
   *  is gone. */
  | "ERR_NOT_STORED"
  /** The value is not a handle, or is a handle of another version. */
  | "ERR_HANDLE"
  /** A tier of the option `tiers`, or the process that has a shared directory, failed, or lost
   *  changes. */
  | "ERR_TIER"
  /** Processes that share a directory do not take each other: another version of the protocol,
   *  another user, or what sent bytes is no cache. */
  | "ERR_SHARE_REFUSED"
  /** A trace to simulate cannot be read. */
  | "ERR_TRACE"
  /** The runtime lacks, or forbids, what the cache needs; the message says what, and the remedy. */
  | "ERR_RUNTIME"
  /** The WebAssembly kernel is missing or does not fit this build. */
  | "ERR_KERNEL";

/**
 * A fault of the world: a directory, a disk, a thread or a loader. `code` says which and keeps its
 * meaning; `message` may change. `cause`, if present, is the underlying error.
 *
 * @example
 * ```ts
 * import { openCache, UndercroftError } from "undercroft";
 *
 * const cache = await openCache();
 * await cache.close();
 * try {
 *   cache.getSync("a");
 * } catch (error) {
 *   console.log(error instanceof UndercroftError && error.code); // ERR_CACHE_CLOSED
 * }
 * ```
 */
export class UndercroftError extends Error {
  /** Which fault it is. A code keeps its meaning. */
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { readonly cause?: unknown }) {
    // Set `cause` only if it was given: an own `cause: undefined` would show in every printed
    // error.
    super(
      message,
      options !== undefined && "cause" in options ? { cause: options.cause } : undefined,
    );
    this.name = "UndercroftError";
    this.code = code;
  }
}
