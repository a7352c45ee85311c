// The caches that a thread can attach to by name: those that it, or a thread that started it, had
// opened. Their handles travel as environment data (base/carried.ts). Called by `openCache`, by
// `attachCache`, and when a cache closes. Invariants: a closed cache is never found, whatever a
// thread's copy of the list says, since its shared memory says so; and a thread keeps the handle of
// a closed cache only until it next opens, attaches to or closes one.
import { carried, carry, describe, UndercroftError } from "../../base/mod.js";
import { isRegionOpen } from "../../kernel/mod.js";
import { type CacheHandle, isCacheHandle } from "../handle.js";

function isOpen({ worker }: CacheHandle): boolean {
  return isRegionOpen(worker.memory);
}

/** Lets workers that this thread starts from now on attach by the cache's name. */
export function announce(handle: CacheHandle): void {
  carry([...carried(), handle]);
  forgetClosed();
}

/** Drops the handles of caches that are closed. */
export function forgetClosed(): void {
  const list = carried();
  // Another version of the package removes its own.
  const left = list.filter((item) => !isCacheHandle(item) || isOpen(item));
  if (left.length < list.length) carry(left);
}

/**
 * The handle of the open cache with this name. Throws ERR_UNKNOWN_CACHE if this thread knows of
 * none, ERR_AMBIGUOUS_CACHE if there are two.
 */
export function handleOf(name: string): CacheHandle {
  forgetClosed();
  const handles = carried().filter((item) => isCacheHandle(item) && item.config.name === name);
  const [handle] = handles;
  if (handles.length === 1) return handle as CacheHandle;
  const what = `Cannot attach to a cache by the name ${describe(name)}`;
  if (handle === undefined) {
    throw new UndercroftError(
      "ERR_UNKNOWN_CACHE",
      `${what}: this thread knows of no open cache of that name. Open the cache first, and start ` +
        "this worker, or the one that starts it, in the thread that opened it; or pass on what " +
        "cache.handle() returns, and attach by that",
    );
  }
  throw new UndercroftError(
    "ERR_AMBIGUOUS_CACHE",
    `${what}: ${handles.length} open caches have it. Give each a name of its own by the option ` +
      "name of openCache, or pass on what cache.handle() returns, and attach by that",
  );
}
