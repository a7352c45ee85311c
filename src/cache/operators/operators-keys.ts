// What operators may do with a key: look it up, let it expire, delete it, by the calls that users
// have. Who can ask could delete the directory as well (decision 0058). Values are not told. Called
// by operators-side.ts.
import { type CacheEntry, type UpdateOutcome } from "../../entries/mod.js";
import type { Key } from "../../kernel/mod.js";
import {
  type KeyAnswer,
  type KeyQuestion,
  protocolVersion,
  type Refusal,
} from "../../operators/mod.js";

/** Entries of a key space, by keys alone. */
export interface KeyedEntries {
  getEntry(key: Key): Promise<CacheEntry<unknown> | undefined>;
  delete(key: Key): boolean;
  updateAsync(
    key: Key,
    compute: (value: unknown) => unknown,
    options: { readonly ttl: number },
  ): Promise<UpdateOutcome>;
}

/** The key space of a name; undefined if there is none. */
export type KeySpaces = (namespace: string) => KeyedEntries | undefined;

/** The shortest time to live there is, in milliseconds. */
const expireMs = 1;

export async function actOnKey(
  spaces: KeySpaces,
  { act, namespace, key }: KeyQuestion,
): Promise<KeyAnswer | Refusal> {
  const space = spaces(namespace);
  if (space === undefined) return refusal(`there is no namespace ${JSON.stringify(namespace)}`);
  try {
    const found = await outcomeOf(space, act, key);
    return { v: protocolVersion, act, ...found };
  } catch (error) {
    return refusal(error instanceof Error ? error.message : String(error));
  }
}

function refusal(error: string): Refusal {
  return { v: protocolVersion, error };
}

async function outcomeOf(
  space: KeyedEntries,
  act: KeyQuestion["act"],
  key: string,
): Promise<Pick<KeyAnswer, "outcome" | "entry">> {
  switch (act) {
    case "delete":
      return { outcome: space.delete(key) ? "deleted" : "absent", entry: null };
    case "expire": {
      const outcome = await space.updateAsync(key, (value) => value, { ttl: expireMs });
      return { outcome: outcome === "stored" ? "expired" : outcome, entry: null };
    }
    case "look": {
      const entry = await space.getEntry(key);
      if (entry === undefined) return { outcome: "absent", entry: null };
      const { source, createdAt, expiresAt, staleUntil, size, tags } = entry;
      const until = (time: number): number | null => (Number.isFinite(time) ? time : null);
      return {
        outcome: "found",
        entry: {
          source,
          createdAt,
          expiresAt: until(expiresAt),
          staleUntil: until(staleUntil),
          size,
          tags,
        },
      };
    }
  }
}
