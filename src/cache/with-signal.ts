// Ends a caller's wait when an AbortSignal aborts. The work itself goes on, since others may wait
// for it. Called by `Cache.get`.

/** Resolves to what `work` resolves to. Rejects with the signal's reason as soon as it aborts. */
export async function withSignal<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  let abort: (() => void) | undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    abort = () => reject(signal.reason as Error);
    signal.addEventListener("abort", abort, { once: true });
  });
  try {
    return await Promise.race([work(), aborted]);
  } finally {
    if (abort !== undefined) signal.removeEventListener("abort", abort);
  }
}
