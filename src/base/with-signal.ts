// Ends a caller's wait when an AbortSignal aborts. The work itself goes on, since others may wait
// for it. Called by the cache and by the calls with many keys.
import { watchAbort } from "./abort-watch.js";

/** Throws the signal's reason if it has aborted. A polyfill may have no `throwIfAborted`. */
export function assertNotAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw signal.reason;
}

/** Settles as `work` does, or rejects with the signal's reason as soon as that aborts. */
export function withSignal<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const end = watchAbort(signal, () => {
      end();
      reject(signal.reason as Error);
    });
    work.then(
      (value) => {
        end();
        resolve(value);
      },
      (error: unknown) => {
        end();
        reject(error as Error);
      },
    );
  });
}
