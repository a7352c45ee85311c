// The marks of all tags, in a fixed number of entries of the cache, its shards. Pure; tag-times.ts
// keeps them. Invariants: what a shard has forgotten, for want of room or because the cache lost
// it, its floor covers: of what is not newer, its tags say "gone". So a cache that forgets makes
// misses and never an old answer.
import { shortName } from "../adapters/mod.js";
import { marked, newestOf, type TagMarks, type Verdict, verdictOf } from "./tag-marks.js";

/** The number of shards. It decides which shard a tag is in, so it is part of the format. */
export const shardCount = 32;
/** The most tags whose marks a shard holds; then it forgets the older half. */
export const shardTagsMax = 1024;

export interface TagShard {
  readonly floor: number;
  readonly marks: ReadonlyMap<string, TagMarks>;
}

export function emptyShard(floor: number): TagShard {
  return { floor, marks: new Map() };
}

/** The tags by the shards that they are in. */
export function byShard(tags: Iterable<string>): Map<number, string[]> {
  const found = new Map<number, string[]>();
  for (const tag of new Set(tags)) {
    const shard = shardOf(tag);
    const there = found.get(shard);
    if (there === undefined) found.set(shard, [shortName(tag)]);
    else there.push(shortName(tag));
  }
  return found;
}

/** FNV-1a over the code units. */
function shardOf(tag: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < tag.length; at++) {
    hash = Math.imul(hash ^ tag.charCodeAt(at), 0x01000193);
  }
  return (hash >>> 0) % shardCount;
}

/** What a shard says of an entry that has these of its tags. */
export function shardVerdict(
  { floor, marks }: TagShard,
  tags: readonly string[],
  time: number,
  now: number,
): Verdict {
  if (time <= floor) return "gone";
  let verdict: Verdict = "fresh";
  for (const tag of tags) {
    const own = marks.get(tag);
    const one = own === undefined ? "fresh" : verdictOf(own, time, now);
    if (one === "gone") return one;
    if (one === "stale") verdict = one;
  }
  return verdict;
}

/** A shard in which these tags are invalidated now, as `marked` does. */
export function withMarks(
  { floor, marks }: TagShard,
  tags: readonly string[],
  now: number,
  lifeMs: number,
): TagShard {
  const all = new Map(marks);
  for (const tag of tags) all.set(tag, marked(all.get(tag), now, lifeMs));
  if (all.size <= shardTagsMax) return { floor, marks: all };
  const newestFirst = [...all].toSorted(([, left], [, right]) => newestOf(right) - newestOf(left));
  const kept = newestFirst.slice(0, shardTagsMax / 2);
  const forgotten = newestFirst[kept.length];
  const reach = forgotten === undefined ? floor : newestOf(forgotten[1]);
  return { floor: Math.max(floor, reach), marks: new Map(kept) };
}
