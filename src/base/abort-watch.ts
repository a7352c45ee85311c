// Shares one listener on an AbortSignal among all calls of a thread that use it: Node.js 20 warns
// of a leak at the eleventh. Called by the cache and by the joins of read-through. Invariant: a
// signal that nobody waits for has no listener of ours.

interface Watch {
  readonly callbacks: Set<() => void>;
  readonly listener: () => void;
}

const watches = new WeakMap<AbortSignal, Watch>();

/** Calls `callback` when `signal` aborts; returns a function that ends the watch. */
export function watchAbort(signal: AbortSignal, callback: () => void): () => void {
  const watch = watches.get(signal) ?? startWatch(signal);
  watch.callbacks.add(callback);
  return () => {
    watch.callbacks.delete(callback);
    if (watch.callbacks.size > 0 || watches.get(signal) !== watch) return;
    watches.delete(signal);
    signal.removeEventListener("abort", watch.listener);
  };
}

function startWatch(signal: AbortSignal): Watch {
  const callbacks = new Set<() => void>();
  const listener = (): void => {
    // Over a copy: each callback ends its own watch.
    for (const callback of Array.from(callbacks)) callback();
  };
  const watch = { callbacks, listener };
  watches.set(signal, watch);
  signal.addEventListener("abort", listener);
  return watch;
}
