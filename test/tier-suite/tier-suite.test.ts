// The suite for tiers of users: run for the tiers in memory and of SQLite, and red for tiers that
// do one thing wrong each.
import sqlite from "node-sqlite3-wasm";
import { afterAll, describe, expect, test } from "vitest";
import type { Tier, TierChange, TierEntry } from "../../dist/src/mod.js";
import { sqliteTier } from "../../dist/src/sqlite/mod.js";
import {
  faultyTier,
  type MemoryStore,
  memoryStore,
  memoryTier,
  type TierCheck,
  tierSuite,
} from "../../dist/src/tier-suite/mod.js";

function expectEach(checks: Iterable<TierCheck>): void {
  test.each(Array.from(checks, ({ name, run }) => [name, run] as const))("%s", async (_, run) => {
    await expect(run()).resolves.toBeUndefined();
  });
}

function memoryStores(): (store: string) => Tier {
  const stores = new Map<string, MemoryStore>();
  return (name) => {
    const store = stores.get(name) ?? memoryStore();
    stores.set(name, store);
    return memoryTier(store);
  };
}

describe("a tier in memory", () => {
  expectEach(tierSuite(memoryStores()));
});

describe("a faulty tier without a fault", () => {
  const stores = memoryStores();
  const open = (store: string): Tier => faultyTier(stores(store));
  expectEach(tierSuite(open));
});

describe("a tier in SQLite", () => {
  const databases = new Map<string, InstanceType<typeof sqlite.Database>>();
  afterAll(() => {
    for (const db of databases.values()) db.close();
  });
  const open = (name: string): Tier => {
    const db = databases.get(name) ?? new sqlite.Database();
    databases.set(name, db);
    return sqliteTier(db);
  };
  const options = { subscribe: false, lease: false };
  expectEach(tierSuite(open, options));
});

/** A tier in memory that differs in one thing. */
type Mutant = (tier: Tier) => Partial<Tier>;

const changed = (tier: Tier, map: (changes: readonly TierChange[]) => TierChange[]) => ({
  apply: (changes: readonly TierChange[], now: number) => tier.apply(map(changes), now),
});
const answering = (tier: Tier, map: (entry: TierEntry) => TierEntry | undefined) => ({
  getMany: async (...call: Parameters<Tier["getMany"]>) =>
    (await tier.getMany(...call)).map((entry) => entry && map(entry)),
});

const mutants: Record<string, Mutant> = {
  "has no subscribe": () => ({ subscribe: undefined as never }),
  "has no lease": () => ({ lease: undefined as never }),
  "tells nothing": () => ({ subscribe: () => () => undefined }),
  "does not stop telling": (tier) => ({
    subscribe: (listener) => {
      void tier.subscribe?.(listener);
      return () => undefined;
    },
  }),
  "tells of its own": (tier) => {
    const heard = new Set<(change: never) => void>();
    return {
      subscribe: (listener) => {
        heard.add(listener.ended as never);
        return tier.subscribe?.(listener) as () => void;
      },
      apply: async (changes, now) => {
        await tier.apply(changes, now);
        for (const { namespace, ...change } of changes) {
          if (change.kind !== "delete" && change.kind !== "set") continue;
          const ended = { kind: "delete", namespace, key: change.key };
          for (const tell of heard) tell(ended as never);
        }
      },
    };
  },
  "gives every lease": (tier) => ({
    lease: async (...call) => ({ ...(await tier.lease!(...call)), isGiven: true, waitMs: 0 }),
  }),
  "releases for anyone": (tier) => ({
    lease: (key, _, now) => tier.lease!(key, "same", now),
    release: (key) => tier.release!(key, "same"),
  }),
  "leases what is fresh": (tier) => ({
    lease: async (...call) => ({ ...(await tier.lease!(...call)), isGiven: true }),
  }),
  "cuts times to whole milliseconds": (tier) =>
    answering(tier, (entry) => ({ ...entry, expiresAt: Math.floor(entry.expiresAt) })),
  "loses tags": (tier) => answering(tier, (entry) => ({ ...entry, tags: [] })),
  "forgets what never expires": (tier) =>
    answering(tier, (entry) => (entry.staleUntil === Infinity ? undefined : entry)),
  "forgets what has expired": (tier) =>
    answering(tier, (entry) => (entry.expiresAt < 1.7e12 ? undefined : entry)),
  "answers out of order": (tier) => ({
    getMany: async (...call) => (await tier.getMany(...call)).toReversed(),
  }),
  "takes the namespaces for one": (tier) =>
    changed(tier, (changes) =>
      changes.map((change) => {
        return change.kind === "set" ? { ...change, namespace: "" } : change;
      }),
    ),
  "keeps the caller's bytes": (tier) => {
    const kept = new Map<string, TierEntry>();
    return {
      apply: (changes) => {
        for (const change of changes) {
          if (change.kind === "set") kept.set(Buffer.from(change.key).toString(), change.entry);
        }
        return tier.apply([], 0);
      },
      getMany: (keys) => keys.map(({ key }) => kept.get(Buffer.from(key).toString())),
    };
  },
  "makes the first 500 changes": (tier) => changed(tier, (changes) => changes.slice(0, 500)),
  "makes changes backwards": (tier) => changed(tier, (changes) => changes.toReversed()),
  "clears for a tag": (tier) =>
    changed(tier, (changes) =>
      changes.map((change) =>
        change.kind === "delete-by-tag" ? { kind: "clear", namespace: null } : change,
      ),
    ),
  "clears all for a namespace": (tier) =>
    changed(tier, (changes) =>
      changes.map((change) => (change.kind === "clear" ? { ...change, namespace: null } : change)),
    ),
  "ignores deletes": (tier) =>
    changed(tier, (changes) => changes.filter(({ kind }) => kind !== "delete")),
  "ignores tags": (tier) =>
    changed(tier, (changes) => changes.filter(({ kind }) => kind !== "delete-by-tag")),
  "makes a batch once": (tier) => {
    let last = "";
    return {
      apply: (changes, now) => {
        const text = JSON.stringify(changes);
        if (text === last) throw new Error("made already");
        last = text;
        return tier.apply(changes, now);
      },
    };
  },
  "is not well": () => ({
    health: () => {
      throw new Error("not well");
    },
  }),
};

/** The names of the checks that fail. */
async function failing(open: (store: string) => Tier): Promise<string[]> {
  const failed: string[] = [];
  const runs = Array.from(tierSuite(open), ({ name, run }) =>
    run().catch(() => void failed.push(name)),
  );
  await Promise.all(runs);
  return failed;
}

test.concurrent.each(Object.entries(mutants))("a tier that %s fails", async (_, mutate) => {
  const open = memoryStores();
  const failed = await failing((store) => {
    const tier = open(store);
    const methods = ["getMany", "apply", "health", "subscribe", "lease", "release"] as const;
    const bound = methods.map((method) => [method, tier[method]?.bind(tier)]);
    return { name: "mutant", ...Object.fromEntries(bound), ...mutate(tier) } as Tier;
  });
  expect(failed.length).toBeGreaterThan(0);
});

test("what opens a tier must be a function, and options known", () => {
  expect(() => [...tierSuite(5 as never)]).toThrow(/what opens it is 5; it must be a function/);
  expect(() => [...tierSuite(memoryStores(), { leases: true } as never)]).toThrow(RangeError);
});
