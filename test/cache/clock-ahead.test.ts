// A cache whose time is ahead of the wall clock, since that was put back in an earlier session:
// users and tiers are told of times by the wall clock.
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { decodeManifest, ManifestFile } from "../../dist/src/directory/manifest.js";
import type { Cache, Tier, TierEntry } from "../../dist/src/mod.js";
import { hasher } from "../disk/scratch.js";
import { diskAt, freshPath, open, setUpCaches } from "./opened.js";

setUpCaches();

const hour = 3_600_000;

/** A cache with the entry "kept", ttl 4 h, whose next session is two hours ahead. */
async function openAhead(options: object = {}): Promise<Cache> {
  const path = freshPath();
  const first = await open(diskAt(path));
  first.set("kept", 1, { ttl: "4h" });
  await first.close();
  const file = join(path, "undercroft.manifest");
  const reading = decodeManifest(readFileSync(file), hasher);
  if (reading.kind !== "valid") throw new Error("the manifest is whole");
  const fd = openSync(file, "r+");
  const { lastAliveMs } = reading.fields;
  const time = { lastAliveMs: lastAliveMs + 2 * hour, clockAheadMs: 2 * hour };
  await new ManifestFile(fd, hasher, reading).write(time);
  closeSync(fd);
  const cache = await open({ ...diskAt(path), ...options });
  return cache;
}

const hoursLeft = (at: number | undefined): number =>
  Math.round(((at ?? 0) - Date.now()) / 60_000) / 60;

test("tells users of times by the wall clock, for each way to ask", async () => {
  const cache = await openAhead();
  // It was written at what is two hours ago by the cache's time.
  expect(hoursLeft((await cache.getEntry("kept"))?.expiresAt)).toBe(2);
  cache.set("new", 1, { ttl: "1h", staleFor: "1h" });
  const entry = await cache.getEntry("new");
  expect(hoursLeft(entry?.createdAt)).toBeCloseTo(0, 5);
  expect(hoursLeft(entry?.expiresAt)).toBe(1);
  expect(hoursLeft(entry?.staleUntil)).toBe(2);
  cache.set("for ever", 1);
  expect(await cache.getEntry("for ever")).toMatchObject({ expiresAt: Infinity });
  const told: number[] = [];
  await cache.fetch("new", () => 2, {
    isValid: (_, { createdAt, expiresAt }) => told.push(createdAt, expiresAt) > 0,
  });
  expect(told.map(hoursLeft)).toEqual([expect.closeTo(0, 5), 1]);
});

test("tells tiers of times by the wall clock, and takes them so", async () => {
  const kept = new Map<string, TierEntry>();
  const times: number[] = [];
  const tier: Tier = {
    name: "map",
    getMany: (keys, now) => {
      times.push(now);
      return keys.map(({ key }) => kept.get(Buffer.from(key).toString()));
    },
    apply: (changes, now) => {
      times.push(now);
      for (const change of changes) {
        if (change.kind !== "set") continue;
        kept.set(Buffer.from(change.key).toString(), change.entry);
      }
    },
    health: () => undefined,
  };
  const other = await open({ tiers: [tier] });
  other.set("theirs", 1, { ttl: "1h" });
  await other.close();
  times.length = 0;
  const cache = await openAhead({ tiers: [tier] });
  cache.set("ours", 1, { ttl: "1h" });
  await cache.flush();
  expect(hoursLeft(kept.get("ours")?.expiresAt)).toBe(1);
  for (const source of ["tier", "memory"]) {
    const entry = await cache.getEntry("theirs");
    expect([entry?.source, hoursLeft(entry?.expiresAt)]).toEqual([source, 1]);
  }
  expect(times.length).toBeGreaterThan(0);
  expect(times.map(hoursLeft)).toEqual(times.map(() => expect.closeTo(0, 5) as number));
});
