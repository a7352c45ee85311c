// What becomes of a stream that is to be stored. Used by its writers.
import type { HashedKey } from "../../kernel/mod.js";
import type { ThreadCore } from "../thread-core.js";

/**
 * The outcome of `setStream`. "stored": every thread finds the value. "superseded": a `set`,
 * `delete`, `clear` or invalidated tag came while the stream was read, and counts. In the other
 * cases nothing is stored and an older value of the key is removed: "too-large": there is no room
 * for so much, in memory or on disk; "overloaded": no room could be freed in 30 s, what was written
 * was reclaimed before the end, or 64 streams are being written; "expired": its ttl, which counts
 * from the call, was over before the stream was.
 *
 * @example
 * ```ts
 * import { openCache, type StreamOutcome } from "undercroft";
 *
 * const cache = await openCache({ memory: "1mb" });
 * const small: StreamOutcome = await cache.setStream("a", ["a", "few", "bytes"]);
 * const large = await cache.setStream("a", [new Uint8Array(2 ** 20)]);
 * console.log(small, large, cache.has("a")); // stored too-large false
 * await cache.close();
 * ```
 */
export type StreamOutcome = "stored" | "too-large" | "overloaded" | "superseded" | "expired";

export type Refused = Exclude<StreamOutcome, "stored">;

/** As a refused set does: no older value is left. */
export function refuse(core: ThreadCore, key: HashedKey, refusal: Refused): Refused {
  const { writer, through } = core;
  const remove = (): unknown => {
    if (refusal === "too-large") return writer.refuse(key);
    return refusal === "expired" ? writer.remove(key) : writer.overload(key);
  };
  if (through === null) remove();
  else through.remove(key, remove);
  return refusal;
}
