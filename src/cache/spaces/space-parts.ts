// What a key space is made of: the cache makes its own, and those of its namespaces.
import type { UndercroftError } from "../../base/mod.js";
import type { StorePool, ThreadCore } from "../../entries/mod.js";
import type { Key } from "../../kernel/mod.js";
import type { OuterSide } from "../outer/outer-side.js";

export interface SpaceParts {
  readonly core: ThreadCore;
  /** Unique in the process. */
  readonly cacheId: string;
  /** Undefined in an attached thread. */
  readonly pool: StorePool | undefined;
  /** Null without the option `tiers`. */
  readonly outer: OuterSide | null;
  /** Told of a load that failed while a stale value was served. */
  readonly refreshFailed: (key: Key, error: UndercroftError) => void;
}
