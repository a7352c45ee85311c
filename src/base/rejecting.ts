// Makes a call that may throw one that rejects. Used where an async function would put a promise of
// its own around the one that the call answers: for `fetch`, whose promise knows whether a loader
// waits for it, and where the answer need not be a promise.

/** What `call` answers; a promise that rejects with what it throws. */
export function rejecting<T>(call: () => T): T | Promise<never> {
  try {
    return call();
  } catch (error) {
    return Promise.reject(error as Error);
  }
}
