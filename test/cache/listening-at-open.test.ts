// Listeners given to `openCache` miss nothing, and `cache.recovery` says later what the event said.
import { describe, expect, test } from "vitest";
import {
  attachCache,
  type CacheEventMap,
  type CacheOptions,
  openCache,
} from "../../dist/src/mod.js";
import { diskAt, errorOf, freshPath, held, open, setUpCaches, until } from "./opened.js";

setUpCaches();

type Recovered = CacheEventMap["recovered"];

/** Leaves a directory with two entries, closed in order. */
async function leaveTwo(path: string): Promise<void> {
  const cache = await open(diskAt(path));
  cache.set("a", 1);
  cache.set("b", 2);
  await cache.close();
}

describe("a listener in the option `on`", () => {
  test("has heard what was recovered when openCache resolves, once", async () => {
    const path = freshPath();
    await leaveTwo(path);
    const told: Recovered[] = [];
    const recovered = (event: Recovered): void => void told.push(event);
    const cache = await open({ ...diskAt(path), on: { recovered } });
    expect(told).toMatchObject([{ kind: "clean", entries: 2, lostSegments: 0 }]);
    expect(told[0]?.ms).toBeGreaterThan(0);
    const late: Recovered[] = [];
    cache.on("recovered", recovered);
    cache.on("recovered", (event) => void late.push(event));
    await until(() => late.length > 0);
    expect(told).toHaveLength(1);
    expect(late).toEqual(told);
  });

  test("hears it of each cache of several that open together", async () => {
    const paths = [freshPath(), freshPath(), freshPath(), freshPath()];
    const told: string[] = [];
    const opening = paths.map((path, number) =>
      open({
        ...diskAt(path),
        on: { recovered: ({ kind }) => void told.push(`${number} ${kind}`) },
      }),
    );
    await Promise.all(opening);
    expect(told.toSorted()).toEqual(["0 new", "1 new", "2 new", "3 new"]);
  });

  test("hears of an expired entry, and no more once it is removed", async () => {
    const expired: unknown[] = [];
    const expire = ({ key }: CacheEventMap["expire"]): void => void expired.push(key);
    const cache = await open({ on: { expire } });
    cache.set("a", 1, { ttl: 1 });
    await until(() => expired.length === 1);
    expect(expired).toEqual(["a"]);
    cache.off("expire", expire);
    cache.set("b", 1, { ttl: 1 });
    await until(() => cache.stats().expirations === 2);
    expect(expired).toEqual(["a"]);
  });

  test("that throws does not stop the opening", async () => {
    const warned = new Promise<Error>((resolve) => process.once("warning", resolve));
    const cache = await open({
      ...diskAt(freshPath()),
      on: {
        recovered: () => {
          throw new Error("no");
        },
      },
    });
    expect(cache.set("a", 1)).toBe("stored");
    expect((await warned).name).toBe("UndercroftListenerWarning");
  });

  test.each<[string, unknown, ErrorConstructor, string]>([
    ["no object", () => undefined, TypeError, "Cannot use option on: "],
    ["null", null, TypeError, "Cannot use option on: current value is null;"],
    ["an unknown event", { evicted() {} }, RangeError, "Cannot use option on.evicted: "],
    ["no function", { evict: "log" }, TypeError, 'on.evict: current value is "log"; it must be'],
  ])("is refused where it is %s, and nothing is opened", async (_what, on, type, text) => {
    const before = held();
    const options = { ...diskAt(freshPath()), on } as unknown as CacheOptions;
    const error = await errorOf(() => openCache(options));
    expect(error).toBeInstanceOf(type);
    expect(error.message).toContain(text);
    expect(held()).toEqual(before);
  });

  test("may be left out by undefined", async () => {
    const cache = await open({ on: { recovered: undefined } as CacheOptions["on"] & object });
    expect(cache.set("a", 1)).toBe("stored");
  });
});

describe("cache.recovery", () => {
  test("says at any time, in any thread, what was recovered", async () => {
    const path = freshPath();
    await leaveTwo(path);
    const cache = await open(diskAt(path));
    expect(cache.recovery).toEqual({
      kind: "clean",
      reason: "the cache was closed in order",
      entries: 2,
      lostSegments: 0,
      ms: expect.any(Number) as number,
    });
    const attached = attachCache(structuredClone(cache.handle()));
    expect(attached.recovery).toEqual(cache.recovery);
    await attached.close();
    await cache.close();
    expect(cache.recovery?.kind).toBe("clean");
  });

  test("is null for a cache in memory only", async () => {
    const cache = await open();
    expect(cache.recovery).toBeNull();
  });
});
