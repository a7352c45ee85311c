// A loader's error over all threads: it reaches every waiter, and gives way to a stale value.

import { describe, expect, test } from "vitest";
import { UndercroftError } from "../../dist/src/base/mod.js";
import { attachCache, ManualClock } from "../../dist/src/mod.js";
import { errorOf, open, setUpCaches, until } from "../cache/opened.js";
import { Loads, never, openThree, waits } from "./loads.js";

setUpCaches();

describe("a loader's error", () => {
  test("reaches all threads, and all waiters in one thread as one object", async () => {
    const { cache, others, loads, all } = await openThree();
    const again = [errorOf(() => others[0].fetch("k", never)), errorOf(() => all[1])];
    const error = Object.assign(new TypeError("no such agent", { cause: new Error("down") }), {
      code: "E_AGENT",
      detail: { retry: true },
    });
    loads.fail(error);
    expect(await errorOf(() => all[0])).toBe(error);
    const [one, same] = await Promise.all(again);
    expect(one).toBe(same);
    const copy = await errorOf(() => all[2]);
    expect(copy).toBeInstanceOf(TypeError);
    expect(copy).toMatchObject({ name: "TypeError", message: "no such agent", code: "E_AGENT" });
    expect(copy).toMatchObject({ detail: { retry: true }, cause: { message: "down" } });
    expect(copy.stack).toBe(error.stack);
    expect(cache.stats()).toMatchObject({ loads: 1, loadErrors: 1 });
    // Its record was removed with the last reader. It is no entry, but it takes bytes.
    expect(cache.stats().memory).toMatchObject({ entries: 0, bytes: 0 });
  });

  class AgentError extends Error {
    override readonly name = "AgentError";
    readonly close = (): void => {};
  }
  const cyclic: { self?: unknown } = {};
  cyclic.self = cyclic;

  test.each<[string, unknown, unknown, unknown]>([
    [
      "of a class of its own",
      new AgentError("gone"),
      Error,
      { name: "AgentError", message: "gone" },
    ],
    [
      "with a cause that cannot be posted",
      new Error("outer", { cause: new AgentError("inner") }),
      Error,
      { message: "outer", cause: { name: "AgentError", message: "inner" } },
    ],
    [
      "of megabytes",
      new RangeError("x".repeat(2 ** 21)),
      RangeError,
      { message: "x".repeat(1024) },
    ],
    [
      "of the platform",
      new DOMException("over", "TimeoutError"),
      Error,
      { name: "TimeoutError", message: "over", code: 23 },
    ],
    [
      "of this package",
      new UndercroftError("ERR_DISK_IO", "bad disk"),
      UndercroftError,
      { code: "ERR_DISK_IO" },
    ],
  ])("%s arrives as an error", async (_name, thrown, ofClass, expected) => {
    const { loads, all } = await openThree();
    loads.fail(thrown);
    expect(await errorOf(() => all[0])).toBe(thrown);
    for (const copy of [await errorOf(() => all[1]), await errorOf(() => all[2])]) {
      expect(copy).toMatchObject(expected as object);
      expect(copy).toBeInstanceOf(ofClass);
    }
  });

  test.each<[string, unknown, unknown]>([
    ["undefined", undefined, undefined],
    ["a string", "no", "no"],
    ["plain data", { code: 5, cyclic }, { code: 5, cyclic }],
  ])("that is none but %s rejects with that", async (_name, thrown, expected) => {
    const { loads, all } = await openThree();
    loads.fail(thrown);
    for (const one of await Promise.allSettled(all)) {
      expect(one.status).toBe("rejected");
      expect((one as PromiseRejectedResult).reason).toEqual(expected);
    }
  });

  test("that cannot be copied is an error all the same", async () => {
    const { loads, all } = await openThree();
    loads.fail(() => "a function");
    const settled = await Promise.allSettled(all);
    expect((settled[0] as PromiseRejectedResult).reason).toBeInstanceOf(Function);
    const copy = (settled[1] as PromiseRejectedResult).reason as Error;
    expect(copy.message).toMatch(/^The loader threw .*which cannot be given to another thread$/);
  });

  test("gives way to a stale value in each thread", async () => {
    const clock = new ManualClock();
    const cache = await open({ clock });
    const other = attachCache(cache.handle());
    cache.set("k", "old", { ttl: 10, staleFor: "1h" });
    clock.advance(11);
    expect(cache.getSync("k")).toBe(undefined);
    const loads = new Loads();
    const options = { timeout: { soft: "1m" }, staleFor: "1h" };
    const both = [cache.fetch("k", loads.loader, options), other.fetch("k", never, options)];
    await until(() => waits(cache) === 1);
    loads.fail(new Error("down"));
    expect(await Promise.all(both)).toEqual(["old", "old"]);
    expect(cache.stats().staleServed).toBe(2);
  });
});
