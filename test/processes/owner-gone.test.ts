// disk.share: "host" when a process ends: the owner is killed, closed or stopped, or a guest does
// not follow. Another takes the directory, warm; callers get no errors, and nothing stale.
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { freshPath, setUpCaches } from "../cache/opened.js";
import { Member } from "./member-process.js";

setUpCaches();

const keys = Array.from({ length: 200 }, (_, index) => `k${index}`);

async function processes(path: string, count: number): Promise<Member[]> {
  const members: Member[] = [];
  for (let index = 0; index < count; index++) members.push(await Member.start(path));
  return members;
}

async function hitsOf(member: Member, value: string): Promise<number> {
  const found = await member.call<[string, string][]>("getMany", { keys });
  for (const [key, answer] of found) expect(answer).toBe(`${value} ${key}`);
  return found.length;
}

describe("the owner is killed", () => {
  test("a guest takes the directory, warm, and the others go to it", async () => {
    const path = freshPath();
    const [owner, ...guests] = (await processes(path, 3)) as [Member, Member, Member];
    await owner.call("setMany", { keys, value: "kept" });
    await owner.call("flush");
    for (const guest of guests) expect(await hitsOf(guest, "kept")).toBe(keys.length);
    await owner.kill();
    for (const guest of guests) await guest.until("tier-up", 1);
    const roles = await Promise.all(guests.map((guest) => guest.role()));
    expect(new Set(roles)).toEqual(new Set(["guest", "owner"]));
    for (const guest of guests) expect(await hitsOf(guest, "kept")).toBe(keys.length);
    const [a, b] = guests;
    await a.call("setMany", { keys, value: "newer" });
    await a.call("flush");
    expect(await hitsOf(b, "newer")).toBe(keys.length);
    const errors = guests.flatMap(({ told }) => told.filter(({ event }) => event === "error"));
    expect(errors).toEqual([]);
  });

  test("what a guest had flushed away stays away; what was not flushed is not older", async () => {
    const path = freshPath();
    const [owner, guest, third] = (await processes(path, 3)) as [Member, Member, Member];
    await owner.call("setMany", { keys, value: "old" });
    await owner.call("flush");
    expect(await hitsOf(third, "old")).toBe(keys.length);
    for (const key of keys.slice(0, 50)) await guest.call("delete", { key });
    await guest.call("flush");
    const own = keys.slice(50, 100);
    await guest.call("setMany", { keys: own, value: "newer" });
    await owner.kill();
    for (const key of own) {
      // Own writes are never answered older than they are.
      expect([undefined, `newer ${key}`]).toContain(await guest.get(key));
    }
    await Promise.all([guest.until("tier-up"), third.until("tier-up")]);
    for (const key of keys.slice(0, 50)) {
      expect([await guest.get(key), await third.get(key)]).toEqual([undefined, undefined]);
    }
    for (const key of own) expect([undefined, `newer ${key}`]).toContain(await guest.get(key));
    await guest.call("flush");
    for (const key of own) expect([undefined, `newer ${key}`]).toContain(await third.get(key));
  });

  test("a load goes on without it", async () => {
    const path = freshPath();
    const [owner, guest] = (await processes(path, 2)) as [Member, Member];
    const held = guest.call("fetch", { key: "a", value: "loaded", held: true });
    await guest.until("loading");
    await owner.kill();
    expect(await guest.call("fetch", { key: "b", value: "b" })).toBe("b");
    await guest.call("goOn");
    expect(await held).toBe("loaded");
    await guest.untilRole("owner");
    expect(await guest.call("fetch", { key: "c", value: "c" })).toBe("c");
    expect(await guest.call("getSync", { key: "c" })).toBe("c");
  });
});

test("the owner closes: a guest takes the directory as it was closed", async () => {
  const path = freshPath();
  const [owner, guest] = (await processes(path, 2)) as [Member, Member];
  await owner.call("setMany", { keys, value: "kept" });
  await owner.close();
  await guest.untilRole("owner");
  expect(guest.told.find(({ event }) => event === "recovered")?.kind).toBe("clean");
  expect(await hitsOf(guest, "kept")).toBe(keys.length);
});

test("the owner is stopped: nothing is answered from memory until it goes on", async () => {
  const path = freshPath();
  const [owner, guest] = (await processes(path, 2)) as [Member, Member];
  await owner.set("a", "kept");
  expect(await guest.get("a")).toBe("kept");
  expect(await guest.call("setStream", { key: "stream", value: "12345" })).toBe("stored");
  expect(await guest.call("getStream", { key: "stream" })).toBe(5);
  owner.signal("SIGSTOP");
  onTestFinished(() => owner.signal("SIGCONT"));
  const answer = () => guest.call("getSync", { key: "a" });
  await expect.poll(answer, { interval: 10, timeout: 20_000 }).toBeUndefined();
  expect(await guest.call("getStream", { key: "stream" })).toBeUndefined();
  owner.signal("SIGCONT");
  const found = () => guest.get("a");
  await expect.poll(found, { interval: 10, timeout: 20_000 }).toBe("kept");
});

test("without leave nothing is answered of what waits for the owner either", async () => {
  const [owner, guest] = (await processes(freshPath(), 2)) as [Member, Member];
  await owner.set("a", "kept");
  expect(await guest.get("a")).toBe("kept");
  owner.signal("SIGSTOP");
  const answer = () => guest.call("getSync", { key: "a" });
  await expect.poll(answer, { interval: 10, timeout: 20_000 }).toBeUndefined();
  expect(await guest.call("set", { key: "b", value: "waits" })).toBe("stored");
  expect(await guest.get("b")).toBeUndefined();
  expect(await guest.call("getMany", { keys: ["b"] })).toEqual([]);
  expect(await guest.call("getEntry", { key: "b" })).toBeUndefined();
});

test("a guest whose event loop stands still does not hold others up, nor answers old", async () => {
  const path = freshPath();
  const [owner, guest] = (await processes(path, 2)) as [Member, Member];
  await owner.set("a", "old");
  expect(await guest.get("a")).toBe("old");
  await guest.call("thread");
  expect(await guest.call("get", { key: "a" }, true)).toBe("old");
  const watched = guest.call<Record<string, number>>("watch", { key: "a", ms: 4000 }, true);
  await guest.until("watching");
  const stalled = guest.call("stall", { ms: 5000 });
  await guest.until("stalling");
  await owner.set("a", "newer");
  const flushed = await owner.call<number>("now");
  const seen = await watched;
  await stalled;
  expect(seen["old"]).toBeGreaterThan(0);
  expect(seen["old"] as number).toBeLessThan(flushed);
  expect(seen["newer"]).toBeUndefined();
  const { processes: numbers } = await owner.call<{ processes: { cutOff: number } }>("stats");
  expect(numbers.cutOff).toBe(1);
  const found = () => guest.get("a");
  await expect.poll(found, { interval: 10, timeout: 20_000 }).toBe("newer");
});

test("processes that open at once, and workers of node:cluster, are refused by none", async () => {
  const path = freshPath();
  const program = fileURLToPath(new URL("cluster-member.mjs", import.meta.url));
  const primary = fork(program, [path], { execArgv: [] });
  onTestFinished(() => void primary.kill("SIGKILL"));
  const [report] = (await once(primary, "message")) as [{ roles: string[]; values: string[] }];
  expect(report.roles.filter((role) => role === "owner")).toHaveLength(1);
  expect(report.roles.filter((role) => role === "guest")).toHaveLength(3);
  await once(primary, "exit");
  expect(report.values).toEqual(Array.from({ length: 4 }, () => "of one worker"));
});
