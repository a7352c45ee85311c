// disk.share: "host": processes share a directory. What one stores another finds; what one ends no
// other answers once that is flushed; one loader runs for a key over all of them.
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openCache } from "../../dist/src/mod.js";
import { errorOf, freshPath, memory, open, setUpCaches } from "../cache/opened.js";
import { Member } from "./member-process.js";

setUpCaches();

/** An owner, and `guests` processes more. */
async function processes(guests = 1, options = {}): Promise<readonly [Member, ...Member[]]> {
  const path = freshPath();
  const owner = await Member.start(path, options);
  const others: Member[] = [];
  for (let guest = 0; guest < guests; guest++) others.push(await Member.start(path, options));
  return [owner, ...others];
}

describe("the option", () => {
  const disk = () => ({ path: freshPath(), share: "host" as const });
  test.each([
    [{ share: "machine" }, RangeError, /disk\.share.*"machine".*"none" or "host"/],
    [{ whenLocked: "memory" }, RangeError, /disk\.whenLocked.*share: "host"/],
    [{ admission: { filter: () => true } }, RangeError, /disk\.admission\.filter.*share: "host"/],
  ])("%j is refused", async (wrong, kind, text) => {
    const options = { memory, disk: { ...disk(), ...wrong } as never };
    const error = await errorOf(() => openCache(options));
    expect(error).toBeInstanceOf(kind);
    expect(error.message).toMatch(text);
  });

  test("takes no tiers and no memory below 2 MiB", async () => {
    const tier = { name: "a", getMany: () => [], apply() {}, health() {} };
    const tiers = await errorOf(() => openCache({ memory, disk: disk(), tiers: [tier] }));
    expect(tiers.message).toMatch(/option tiers.*disk\.share "host"/);
    const small = await errorOf(() => openCache({ memory: "1mb", disk: disk() }));
    expect(small.message).toMatch(/option memory.*2 MiB/);
  });

  test("a directory that cannot be opened rejects, and leaves nothing open", async () => {
    const error = await errorOf(() =>
      openCache({ memory, disk: { path: "/proc/none/cache", share: "host" } }),
    );
    expect(error.code).toMatch(/^ERR_/);
  });
});

describe("what one process stores", () => {
  test("another finds, with its times and tags, in namespaces and many at once", async () => {
    const [owner, guest] = await processes();
    expect([await owner.role(), await guest?.role()]).toEqual(["owner", "guest"]);
    const value = { name: "Ada", at: [1, 2, 3] };
    await owner.set("a", value, { tags: ["t"], ttl: 60_000, staleFor: 1000 });
    await guest?.set("b", "of the guest");
    await guest?.call("set", { key: "a", value: "in the space", space: "s" });
    await guest?.call("flush");
    expect(await guest?.get("a")).toEqual(value);
    const entry = await guest?.call<{ tags: string[]; expiresAt: number; staleUntil: number }>(
      "getEntry",
      { key: "a" },
    );
    expect(entry?.tags).toEqual(["t"]);
    expect((entry?.staleUntil ?? 0) - (entry?.expiresAt ?? 0)).toBeCloseTo(1000, 0);
    expect(await owner.get("b")).toBe("of the guest");
    expect(await owner.call("get", { key: "a", space: "s" })).toBe("in the space");
    expect(await guest?.call("getMany", { keys: ["a", "b", "none"] })).toEqual([
      ["a", value],
      ["b", "of the guest"],
    ]);
    expect(await guest?.call("getSync", { key: "a" })).toEqual(value);
  });

  test("is there after all have closed, and for a process that comes later", async () => {
    const path = freshPath();
    const first = await Member.start(path);
    await first.set("a", "kept");
    await first.close();
    const second = await Member.start(path);
    expect(second.told.find(({ event }) => event === "recovered")?.kind).toBe("clean");
    expect(await second.get("a")).toBe("kept");
    const third = await Member.start(path);
    expect(await third.get("a")).toBe("kept");
  });

  test("threads of all processes find", async () => {
    const [owner, guest] = await processes();
    await owner.call("thread");
    await guest?.call("thread");
    await owner.call("set", { key: "a", value: "of a thread" }, true);
    await owner.call("flush", {}, true);
    expect(await guest?.call("get", { key: "a" }, true)).toBe("of a thread");
    await guest?.call("delete", { key: "a" }, true);
    await guest?.call("flush", {}, true);
    expect(await owner.call("getSync", { key: "a" }, true)).toBeUndefined();
    expect(await owner.call("get", { key: "a" }, true)).toBeUndefined();
  });

  test("is not found under another version, or with another codec", async () => {
    const path = freshPath();
    const old = await Member.start(path, { cache: { version: "1" } });
    const young = await Member.start(path, { cache: { version: "2" } });
    await old.set("a", "of version 1");
    expect(await young.get("a")).toBeUndefined();
    await young.set("a", "of version 2");
    expect([await old.get("a"), await young.get("a")]).toEqual(["of version 1", "of version 2"]);
    const json = await Member.start(path, { cache: { version: "2", codec: "json" } });
    expect(await json.get("a")).toBeUndefined();
    await json.call("clear");
    await json.call("flush");
    expect([await old.get("a"), await young.get("a")]).toEqual([undefined, undefined]);
  });
});

describe("what one process ends", () => {
  test.each([
    ["set", { key: "a", value: "newer" }, "newer"],
    ["delete", { key: "a" }, undefined],
    ["deleteByTag", { tag: "t" }, undefined],
    ["clear", {}, undefined],
  ])("by %s no other answers once it is flushed", async (call, given, after) => {
    const [owner, ...guests] = await processes(2);
    for (const changer of [owner, ...guests]) {
      await owner.set("a", "old", { tags: ["t"] });
      for (const one of [owner, ...guests]) expect(await one.get("a")).toBe("old");
      await changer.call(call, given);
      await changer.call("flush");
      for (const one of [owner, ...guests]) {
        const at = await one.call("getSync", { key: "a" });
        expect(at === undefined || at === after).toBe(true);
        expect(await one.get("a")).toBe(after);
      }
    }
  });

  test("in a namespace, ends there only", async () => {
    const [owner, guest] = await processes();
    for (const space of ["s", "other"]) {
      await owner.call("set", { key: "a", value: space, space });
      await owner.call("flush");
      expect(await guest?.call("get", { key: "a", space })).toBe(space);
    }
    await guest?.call("clear", { space: "s" });
    await guest?.call("flush");
    expect(await owner.call("get", { key: "a", space: "s" })).toBeUndefined();
    expect(await owner.call("get", { key: "a", space: "other" })).toBe("other");
    await owner.call("delete", { key: "a", space: "other" });
    await owner.call("flush");
    expect(await guest?.call("get", { key: "a", space: "other" })).toBeUndefined();
  });

  test.each(["setAsync", "write"])("by %s no other answers once it has resolved", async (call) => {
    const [owner, guest] = await processes();
    for (const [changer, other] of [
      [owner, guest],
      [guest, owner],
    ] as const) {
      await owner.set("a", "old");
      expect(await other?.get("a")).toBe("old");
      await changer?.call(call, { key: "a", value: "newer" });
      expect(await other?.call("getSync", { key: "a" })).toBeUndefined();
      expect(await other?.get("a")).toBe("newer");
    }
  });

  test("two updates of one value at once never lose one and keep the other's", async () => {
    const [owner, guest] = await processes();
    await owner.set("n", 0);
    for (let round = 1; round <= 20; round++) {
      await owner.set("n", 0);
      await guest?.get("n");
      await owner.get("n");
      const outcomes = await Promise.all([
        owner.call("update", { key: "n" }),
        guest?.call("update", { key: "n" }),
      ]);
      await Promise.all([owner.call("flush"), guest?.call("flush")]);
      // All that were stored, or none: a value that was made from an older one is not kept.
      const stored = outcomes.filter((outcome) => outcome === "stored").length;
      const [a, b] = [await owner.get("n"), await guest?.get("n")];
      expect(a).toBe(b);
      expect([undefined, stored]).toContain(a);
    }
  });
});

describe("a load", () => {
  const value = "loaded";

  test("runs in one process for all, and its value is shared", async () => {
    const [owner, ...guests] = await processes(2);
    const [leader] = guests as [Member];
    const first = leader.call("fetch", { key: "a", value, held: true });
    await leader.until("loading");
    const others = [owner, ...guests].map((one) => one.call("fetch", { key: "a", value: "own" }));
    await leader.call("goOn");
    expect(await Promise.all([first, ...others])).toEqual([value, value, value, value]);
    const loads = await Promise.all([owner, ...guests].map((one) => one.call("loads")));
    expect(loads).toEqual([0, 1, 0]);
  });

  test("that fails, or whose process is killed, leaves the key to the next", async () => {
    const [owner, ...guests] = await processes(2);
    const [leader, next] = guests as [Member, Member];
    const failed = leader.call("fetch", { key: "a", held: true, fails: true });
    await leader.until("loading");
    const own = owner.call("fetch", { key: "a", value: "of the owner" });
    await leader.call("goOn");
    await expect(failed).rejects.toThrow("no a");
    expect(await own).toBe("of the owner");

    void leader.call("fetch", { key: "b", value, held: true });
    await leader.until("loading", 2);
    const waiting = next.call("fetch", { key: "b", value: "of the next" });
    await leader.kill();
    expect(await waiting).toBe("of the next");
  });

  test("that began before another process ended its key is not kept", async () => {
    const [owner, guest] = await processes();
    const loading = guest?.call("fetch", { key: "a", value: "old", held: true });
    await guest?.until("loading");
    await owner.call("delete", { key: "a" });
    await owner.call("flush");
    await guest?.call("goOn");
    expect(await loading).toBe("old");
    await guest?.call("flush");
    expect(await owner.get("a")).toBeUndefined();
    expect(await guest?.get("a")).toBeUndefined();
  });
});

test("the socket and its directory are for the user alone", async () => {
  const path = freshPath();
  await open({ disk: { path, capacity: "8mb", share: "host", preload: false } });
  const mode = (name: string) => statSync(join(path, name)).mode & 0o777;
  expect(readdirSync(path)).toContain("undercroft.socket");
  expect([mode("."), mode("undercroft.socket")]).toEqual([0o700, 0o600]);
});
