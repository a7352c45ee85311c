// What the entry writer tells of each change, if there are tiers behind the disk. Implemented by
// outer-tiers/. Invariant: it is called around each change of the cache, so that it hears of the
// change before and after; no user code runs in between.
import type { HashedKey, Key } from "../../kernel/mod.js";
import type { WriteFields, WriteOutcome } from "../../memory/mod.js";

export interface WriteThrough {
  /** Writes a value by `publish`, and tells it. `bytes` may be the codec's scratch; `publish` is
   *  given bytes that are right when it is called. */
  write(
    key: Key | HashedKey,
    value: unknown,
    bytes: Uint8Array,
    fields: WriteFields,
    tags: readonly string[],
    publish: (key: HashedKey, bytes: Uint8Array) => WriteOutcome,
  ): WriteOutcome;
  /** Makes a change after which the key has no value, if the change was made. */
  remove<T>(key: Key | HashedKey, change: (key: HashedKey) => T): T;
  /** Ends all entries of the key space; of the cache's own, those of all namespaces too. */
  clear(change: () => void): void;
  deleteByTag(tags: readonly string[], change: () => void): void;
}
