// Loads of what is fresh, by forceRefresh or refreshAfter: of processes that share a directory one
// runs the loader, and no forced fetch gets what began to be loaded before it.
import { describe, expect, test } from "vitest";
import { freshPath, setUpCaches } from "../cache/opened.js";
import { Member } from "./member-process.js";

setUpCaches();

async function members(count: number): Promise<readonly Member[]> {
  const path = freshPath();
  const all: Member[] = [];
  for (let one = 0; one < count; one++) all.push(await Member.start(path));
  return all;
}

const forced = { forceRefresh: true };
const loadsOf = (all: readonly Member[]): Promise<number[]> =>
  Promise.all(all.map((one) => one.call<number>("loads")));
const waitedOf = async (one: Member): Promise<number> => {
  const { tiers } = await one.call<{ tiers: { waited: number } }>("stats");
  return tiers.waited;
};

/** The first of all loads, and does not end; the others wait for it. */
async function held(all: readonly Member[], key: string): Promise<Promise<unknown>[]> {
  const [first, ...others] = all as [Member, ...Member[]];
  const loaded = [first.call("fetch", { key, value: "first", held: true, options: forced })];
  await first.until("loading");
  for (const [index, one] of others.entries()) {
    const value = `later ${index}`;
    loaded.push(one.call("fetch", { key, value, options: forced }));
    await expect.poll(() => waitedOf(one)).toBeGreaterThan(0);
  }
  return loaded;
}

describe("forced fetches of a key", () => {
  test("in many processes at once cost one load beside that under way", async () => {
    const all = await members(4);
    await all[0]?.set("a", "old");
    for (const one of all) expect(await one.get("a")).toBe("old");
    const loaded = await held(all, "a");
    await all[0]?.call("goOn");
    const [first, ...later] = await Promise.all(loaded);
    expect(first).toBe("first");
    // All the later ones began before the one load that served them, and after the first.
    expect(new Set(later).size).toBe(1);
    expect(later[0]).toMatch(/^later/);
    expect((await loadsOf(all)).reduce((sum, loads) => sum + loads)).toBe(2);
    for (const one of all) await one.call("flush");
    for (const one of all) expect(await one.get("a")).toBe(later[0]);
  });

  test("load in the next process if the load fails, or its process dies", async () => {
    const all = await members(3);
    const [first, second, third] = all as [Member, Member, Member];
    for (const [key, end] of [
      ["a", () => second.call("goOn")],
      ["b", () => second.kill()],
    ] as const) {
      const failing = second.call("fetch", { key, held: true, fails: true, options: forced });
      const failed = failing.catch(() => undefined);
      await second.until("loading", key === "a" ? 1 : 2);
      const waited = await waitedOf(third);
      const next = third.call("fetch", { key, value: "of the third", options: forced });
      await expect.poll(() => waitedOf(third)).toBeGreaterThan(waited);
      await end();
      expect(await next).toBe("of the third");
      if (key === "a") await failed;
      await third.call("flush");
      expect(await first.get(key)).toBe("of the third");
    }
  });

  test("one after the other load each time", async () => {
    const all = await members(2);
    for (const [index, one] of all.entries()) {
      expect(await one.call("fetch", { key: "a", value: index, options: forced })).toBe(index);
      await one.call("flush");
    }
    expect(await loadsOf(all)).toEqual([1, 1]);
  });

  test("of one that joined later get a load that began after it", async () => {
    const all = await members(2);
    const [first, second] = all as [Member, Member];
    const loaded = await held(all, "a");
    // It joins the flight that waits, after that has asked.
    const joined = second.call("fetch", { key: "a", value: "joined", options: forced });
    await first.call("goOn");
    expect(await Promise.all([...loaded, joined])).toEqual(["first", "later 0", "later 0"]);
  });

  test("in a thread take turns with other processes", async () => {
    const all = await members(2);
    const [first, second] = all as [Member, Member];
    await second.call("thread");
    const loading = first.call("fetch", { key: "a", value: "first", held: true, options: forced });
    await first.until("loading");
    const waiting = second.call("fetch", { key: "a", value: "thread", options: forced }, true);
    await expect.poll(() => waitedOf(second)).toBeGreaterThan(0);
    await first.call("goOn");
    expect([await loading, await waiting]).toEqual(["first", "thread"]);
    await second.call("flush");
    expect(await first.get("a")).toBe("thread");
  });
});

describe("refreshAfter", () => {
  test("of a key runs in one process while it runs", async () => {
    const all = await members(3);
    const [first, ...others] = all as [Member, ...Member[]];
    await first.set("a", "old");
    for (const one of all) expect(await one.get("a")).toBe("old");
    const options = { refreshAfter: 1, ttl: 60_000 };
    const due = { key: "a", options };
    const called = await first.call("fetch", { ...due, value: "new", held: true });
    expect(called).toBe("old");
    await first.until("loading");
    for (const one of others) {
      const askOnce = async (): Promise<number> => {
        expect(await one.call("fetch", { ...due, value: "own" })).toBe("old");
        return waitedOf(one);
      };
      await expect.poll(askOnce).toBeGreaterThan(0);
    }
    expect(await loadsOf(all)).toEqual([1, 0, 0]);
    await first.call("goOn");
    for (const one of others) await expect.poll(() => one.get("a")).toBe("new");
    expect(await loadsOf(all)).toEqual([1, 0, 0]);
  });
});

test("a fetch joins no load while its process hears nothing of others", async () => {
  const [owner, guest] = (await members(2)) as [Member, Member];
  await guest.set("b", "kept");
  void guest.call("fetch", { key: "a", value: "old", held: true }).catch(() => undefined);
  await guest.until("loading");
  owner.signal("SIGSTOP");
  await expect.poll(() => guest.call("getSync", { key: "b" }), { timeout: 30_000 }).toBe(undefined);
  // Another process may have changed the key since that load began.
  const later = guest.call("fetch", { key: "a", value: "newer", held: true });
  await guest.until("loading", 2);
  await guest.call("goOn");
  expect(await later).toBe("newer");
});
