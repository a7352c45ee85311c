// Runs asynchronous work on many items, a bounded number at a time, in their order. Called by the
// calls with many keys.

/** Calls `run` for each item, at most `atOnce` at a time. After one has failed none begins, and the
 *  first error is thrown once those under way have ended. */
export async function eachOf<T>(
  items: readonly T[],
  atOnce: number,
  run: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < items.length) {
      const item = items[next++] as T;
      try {
        await run(item);
      } catch (error) {
        next = items.length;
        throw error;
      }
    }
  };
  const workers = Array.from({ length: Math.min(atOnce, items.length) }, work);
  for (const { status, ...end } of await Promise.allSettled(workers)) {
    if (status === "rejected") throw (end as PromiseRejectedResult).reason;
  }
}
