// The coded error: a fault of the world (a directory, a disk, a thread, a loader), never a bug or a caller's mistake.
// Called by every room. The code is contract and never changes its meaning; the text is not.

/** What went wrong, for a program to act on. */
export type ErrorCode =
  /** The cache was closed, or the thread that opened it closed it or died. */
  | "ERR_CACHE_CLOSED"
  /** Another process holds the directory. */
  | "ERR_DIRECTORY_LOCKED"
  /** The directory or a file in it cannot be written. */
  | "ERR_DIRECTORY_NOT_WRITABLE"
  /** The directory holds files that no Undercroft made. */
  | "ERR_DIRECTORY_NOT_OURS"
  /** The path is there and is not a directory. */
  | "ERR_NOT_A_DIRECTORY"
  /** The files are of a format that this version does not read. */
  | "ERR_FORMAT_VERSION"
  /** Reading or writing a file failed. */
  | "ERR_DISK_IO"
  /** A worker of the pool failed to start or died. */
  | "ERR_WORKER"
  /** More threads attached than the shared memory has places for. */
  | "ERR_TOO_MANY_THREADS"
  /** A loader ran past its hard timeout. */
  | "ERR_LOADER_TIMEOUT"
  /** A handle is not one, or is of another version. */
  | "ERR_HANDLE"
  /** A trace to simulate cannot be read. */
  | "ERR_TRACE"
  /** The WebAssembly kernel is missing or does not fit this build. */
  | "ERR_KERNEL";

/** A fault of the world. `code` tells which; `cause`, where there is one, is the error beneath. */
export class UndercroftError extends Error {
  /** Which fault it is; its meaning never changes. */
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { readonly cause?: unknown }) {
    // `cause` is set only where given: an own `cause: undefined` would show in every printed error.
    super(
      message,
      options !== undefined && "cause" in options ? { cause: options.cause } : undefined,
    );
    this.name = "UndercroftError";
    this.code = code;
  }
}
