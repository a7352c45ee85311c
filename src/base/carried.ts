// What a thread passes on to every worker that it starts, and that to its own: a list under one
// name of the environment data of Node. A worker gets a copy of the list as it is when it starts.
// Called by the cache, which lists its handles, and by the workers of the pool, which drop theirs:
// a copy would keep the shared memory of a closed cache.
import { getEnvironmentData, setEnvironmentData } from "node:worker_threads";

const listName = "undercroft:open-caches";

/** What this thread has in the list. */
export function carried(): readonly unknown[] {
  const list: unknown = getEnvironmentData(listName);
  return Array.isArray(list) ? list : [];
}

/** Replaces the list; an empty one is removed. */
export function carry(list: readonly unknown[]): void {
  setEnvironmentData(listName, list.length === 0 ? undefined : (list as unknown[] as object[]));
}
