// When tags were invalidated, kept in the cache for all threads and sessions. Called by both
// handlers.
//
//   next:origin        { id }: what began when this entry was made. Times are milliseconds since
//                      then, by the cache's clock, which never goes back over restarts; the host's
//                      clock may.
//   next:<id>:tags:<n> one shard of the marks (tag-shard.ts), made before the origin is seen
//   next:<id>:…        the handlers' entries
//
// Invariants: an entry is served only with its origin and all its shards there, so whatever the
// cache loses ends what depended on it. Order of writes: a mark is in its shard before `mark`
// returns, and a shard that did not take it is deleted. A reader that began after that sees it.
import { randomUUID } from "node:crypto";
import type { Space } from "../adapters/mod.js";
import { callersMs, callersPreciseMs } from "../base/mod.js";
import type { Verdict } from "./tag-marks.js";
import {
  byShard,
  emptyShard,
  shardCount,
  shardVerdict,
  type TagShard,
  withMarks,
} from "./tag-shard.js";

const originKey = "next:origin";
/** Attempts to mark tags while the origin is being replaced. */
const attemptsMax = 8;

/** The beginning of the timeline, as one thread knows it. */
export interface Origin {
  readonly id: string;
  /** The host's time at its zero. */
  readonly startMs: number;
  /** This thread knew another one before, which the cache has lost. */
  readonly isLater: boolean;
}

/** What the host made before the origin has negative times, and revisions begin at 0. */
const revisionZeroMs = 2 ** 40;

/** The order of values of one key: by the time that their making began, in microseconds. */
export function revisionOf(time: number): number {
  return Math.max(0, Math.floor((revisionZeroMs + time) * 1000));
}

const forever = { ttl: Infinity, staleFor: 0, tags: [] } as const;

export class TagTimes {
  readonly #space: Space;
  #origin: Origin | undefined;

  constructor(space: Space) {
    this.#space = space;
  }

  /** The origin as it is now; undefined if the cache has no room for one. */
  async origin(): Promise<Origin | undefined> {
    const there = this.#space.getSync(originKey) ?? (await this.#space.get(originKey));
    const { id } = (there as { id: string } | undefined) ?? (await this.#begin());
    if (this.#origin?.id === id) return this.#origin;
    const entry = await this.#space.getEntry(originKey);
    if ((entry?.value as { id?: string } | undefined)?.id !== id) return undefined;
    const ageMs = callersMs() - (entry?.createdAt ?? 0);
    const startMs = callersPreciseMs() - ageMs;
    // A call that came in between may have been here.
    if (this.#origin?.id !== id)
      this.#origin = { id, startMs, isLater: this.#origin !== undefined };
    return this.#origin;
  }

  /** One thread of all makes an origin. */
  async #begin(): Promise<{ id: string }> {
    const made = await this.#space.fetch(
      originKey,
      async () => {
        const id = randomUUID().slice(0, 18);
        for (let shard = 0; shard < shardCount; shard++) {
          this.#space.set(shardKey(id, shard), emptyShard(-Infinity), forever);
        }
        return { id };
      },
      { ...forever, refreshAfter: Infinity, jitter: 0 },
    );
    return made as { id: string };
  }

  /** What the tags say of an entry of the time `time`. */
  async verdict(origin: Origin, tags: Iterable<string>, time: number): Promise<Verdict> {
    const shards = byShard(tags);
    const keys = Array.from(shards.keys(), (shard) => shardKey(origin.id, shard));
    const there = await this.#space.getMany(keys);
    const now = callersPreciseMs() - origin.startMs;
    let verdict: Verdict = "fresh";
    for (const [shard, names] of shards) {
      const own = there.get(shardKey(origin.id, shard)) as TagShard | undefined;
      const one = own === undefined ? "gone" : shardVerdict(own, names, time, now);
      if (own === undefined) await this.#change(origin, shard, [], now, 0);
      if (one === "gone") return one;
      if (one === "stale") verdict = one;
    }
    return verdict;
  }

  /** Invalidates tags: at once, or after `lifeMs` during which what there is counts as stale. */
  async mark(tags: readonly string[], lifeMs: number): Promise<void> {
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const origin = await this.origin();
      if (origin === undefined) return; // nothing is served without one
      const now = callersPreciseMs() - origin.startMs;
      for (const [shard, names] of byShard(tags)) {
        await this.#change(origin, shard, names, now, lifeMs);
      }
      if ((await this.origin())?.id === origin.id) return;
    }
    this.#space.delete(originKey);
  }

  /** Marks tags in a shard; one that is not there is made, with what it may have lost below its
   *  floor. */
  async #change(
    { id }: Origin,
    shard: number,
    names: readonly string[],
    now: number,
    lifeMs: number,
  ): Promise<void> {
    const key = shardKey(id, shard);
    const change = (there: unknown): TagShard => withMarks(there as TagShard, names, now, lifeMs);
    const options = { absent: change(emptyShard(now)), ttl: Infinity, tags: [] };
    let outcome = this.#space.update(key, change, options);
    if (outcome === "absent") outcome = await this.#space.updateAsync(key, change, options);
    if (outcome !== "stored") this.#space.delete(key);
  }
}

function shardKey(id: string, shard: number): string {
  return `next:${id}:tags:${shard}`;
}
